//! The published JSON Schema of each document, made from the very types that write it.

use super::{
    DIAGNOSTICS, DRIFT, ERROR, EVENTS, EXPLANATIONS, FMT, GRAPH, GUEST_SCRIPT, LAB, MAP, PLAN,
    STATE, TRACE,
};
use super::{Failed, diagnostic, drift, events, files, graph, lab, map, plan, state, trace};
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
    Trace,
    /// `trace` with several destinations
    Traces,
    Fmt,
    Explanations,
    /// `state show` without an address
    State,
    StateList,
    /// `state show ADDRESS`
    StatePart,
    /// `state rm`
    StateForgotten,
    /// `state mv`
    StateMoved,
    /// `lab status`
    Lab,
    /// One line of `lab probe --json`
    Probe,
    /// `lab requests`
    Requests,
    GuestScript,
    /// What any command with --json writes when it cannot go on
    Error,
}

impl Described {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 20] = [
        Self::Plan,
        Self::Drift,
        Self::Events,
        Self::Diagnostics,
        Self::Map,
        Self::Graph,
        Self::Trace,
        Self::Traces,
        Self::Fmt,
        Self::Explanations,
        Self::State,
        Self::StateList,
        Self::StatePart,
        Self::StateForgotten,
        Self::StateMoved,
        Self::Lab,
        Self::Probe,
        Self::Requests,
        Self::GuestScript,
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
            Self::Trace => "trace",
            Self::Traces => "traces",
            Self::Fmt => "fmt",
            Self::Explanations => "explanations",
            Self::State => "state",
            Self::StateList => "state-list",
            Self::StatePart => "state-part",
            Self::StateForgotten => "state-forgotten",
            Self::StateMoved => "state-moved",
            Self::Lab => "lab",
            Self::Probe => "probe",
            Self::Requests => "requests",
            Self::GuestScript => "guest-script",
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
            Self::Trace | Self::Traces => TRACE,
            Self::Fmt => FMT,
            Self::Explanations => EXPLANATIONS,
            Self::State
            | Self::StateList
            | Self::StatePart
            | Self::StateForgotten
            | Self::StateMoved => STATE,
            Self::Lab | Self::Probe | Self::Requests => LAB,
            Self::GuestScript => GUEST_SCRIPT,
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
        Described::Trace => body::<trace::Trace>(),
        Described::Traces => body::<trace::Traces>(),
        Described::Fmt => body::<files::Fmt>(),
        Described::Explanations => body::<files::Explanations>(),
        Described::State => body::<state::Overview>(),
        Described::StateList => body::<state::List>(),
        Described::StatePart => body::<state::OfPart>(),
        Described::StateForgotten => body::<state::Gone>(),
        Described::StateMoved => body::<state::Moved>(),
        Described::Lab => body::<lab::Lab>(),
        Described::Probe => body::<lab::Probe>(),
        Described::Requests => body::<lab::Requests>(),
        Described::GuestScript => body::<files::GuestScript>(),
        Described::Error => body::<Failed>(),
    };
    let mut schema = body.to_value();
    let (word, version) = (of.word(), of.version());
    schema["$id"] = json!(format!("urn:plimsoll:schema:{word}:{version}"));
    schema["title"] = json!(format!("plimsoll {word} {version}"));
    if !matches!(of, Described::Events | Described::Probe) {
        head(&mut schema, word, version);
    }
    schema
}

/// What every document starts with; the stream of an apply says it in its first line, and probes only count.
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
