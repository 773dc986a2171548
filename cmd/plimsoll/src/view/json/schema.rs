//! The published JSON Schema of each document, made from the very types that write it.

use super::{DIAGNOSTICS, DRIFT, ERROR, EVENTS, Failed, GRAPH, MAP, PLAN};
use super::{diagnostic, drift, events, graph, map, plan};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Described {
    Plan,
    Drift,
    /// One line of `apply --json`
    Events,
    Diagnostics,
    Map,
    Graph,
    /// What any command with --json writes when it cannot go on
    Error,
}

impl Described {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 7] = [
        Self::Plan,
        Self::Drift,
        Self::Events,
        Self::Diagnostics,
        Self::Map,
        Self::Graph,
        Self::Error,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Drift => "drift",
            Self::Events => "events",
            Self::Diagnostics => "diagnostics",
            Self::Map => "map",
            Self::Graph => "graph",
            Self::Error => "error",
        }
    }

    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Plan => PLAN,
            Self::Drift => DRIFT,
            Self::Events => EVENTS,
            Self::Diagnostics => DIAGNOSTICS,
            Self::Map => MAP,
            Self::Graph => GRAPH,
            Self::Error => ERROR,
        }
    }
}

pub(crate) fn schema(of: Described) -> Value {
    let body = match of {
        Described::Plan => body::<plan::Plan>(),
        Described::Drift => body::<drift::DriftReport>(),
        Described::Events => body::<events::Line>(),
        Described::Diagnostics => body::<diagnostic::Diagnostics>(),
        Described::Map => body::<map::Map>(),
        Described::Graph => body::<graph::Graph>(),
        Described::Error => body::<Failed>(),
    };
    let mut schema = body.to_value();
    let (word, version) = (of.word(), of.version());
    schema["$id"] = json!(format!("urn:plimsoll:schema:{word}:{version}"));
    schema["title"] = json!(format!("plimsoll {word} {version}"));
    if of != Described::Events {
        head(&mut schema, word, version);
    }
    schema
}

/// What every document starts with; a stream says it in its first line.
fn head(schema: &mut Value, word: &str, version: &str) {
    let head = [
        ("format_version", json!({ "const": version })),
        ("kind", json!({ "const": word })),
        (
            "plimsoll_version",
            json!({ "type": "string", "description": "The program that wrote it." }),
        ),
    ];
    for (name, of) in head {
        schema["properties"][name] = of;
        if let Some(required) = schema["required"].as_array_mut() {
            required.push(json!(name));
        }
    }
}

/// As it is written, where every field is there: a reader need not ask whether one is.
fn body<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
}
