//! The view for programs: one document, or for an apply one line for each event. Names are stable; a change that a reader
//! could trip over changes the version.

mod change;
mod diagnostic;
mod drift;
mod events;
mod files;
mod graph;
mod lab;
mod map;
mod noticed;
mod plan;
mod schema;
mod state;
mod trace;

pub(crate) use schema::{Described, schema};

use super::shown::{
    Applying, Drawing, LabStatus, PlanShown, Probe, Reformatted, StateShown, Told, TraceShown,
    Valid, View,
};
use super::{command_aside, say};
use crate::failure::Failure;
use plimsoll_core::model::Addr;
use plimsoll_core::plan::{MapRow, Plan, Topology};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// The version of each document. A reader of `1.x` can read every later `1.y`: names are only added. A name that goes, or
/// that means something else, makes a new first number. A test holds the schema of each version to what was published.
pub(crate) const PLAN: &str = "1.0";
pub(crate) const DRIFT: &str = "1.0";
pub(crate) const EVENTS: &str = "1.0";
pub(crate) const DIAGNOSTICS: &str = "1.0";
pub(crate) const MAP: &str = "1.0";
pub(crate) const GRAPH: &str = "1.0";
pub(crate) const ERROR: &str = "1.0";
pub(crate) const TRACE: &str = "1.0";
pub(crate) const FMT: &str = "1.0";
pub(crate) const EXPLANATIONS: &str = "1.0";
/// Of the answers of `state`; the state has a version of its own.
pub(crate) const STATE: &str = "1.0";
pub(crate) const LAB: &str = "1.0";
pub(crate) const GUEST_SCRIPT: &str = "1.0";

#[derive(Debug)]
pub(crate) struct Json {
    /// Talk still goes to people.
    pub(crate) human: super::human::Human,
}

pub(crate) fn pretty(value: &impl Serialize) -> String {
    finished(serde_json::to_string_pretty(value).expect("views are made of plain JSON"))
}

pub(crate) fn line(value: &impl Serialize) -> String {
    finished(serde_json::to_string(value).expect("views are made of plain JSON"))
}

/// Two hashes begin a command in a pipeline's log. Inside a JSON string one of them may be written otherwise.
fn finished(mut text: String) -> String {
    if text.contains("##") {
        text = text.replace("##", "#\\u0023");
    }
    text.push('\n');
    text
}

/// What every document starts with, and what it holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Document<T> {
    format_version: &'static str,
    kind: &'static str,
    plimsoll_version: &'static str,
    #[serde(flatten)]
    body: T,
}

fn versioned<T: Serialize>(version: &'static str, kind: &'static str, body: T) -> Document<T> {
    Document {
        format_version: version,
        kind,
        plimsoll_version: env!("CARGO_PKG_VERSION"),
        body,
    }
}

/// What stopped a command, when it is not the configuration.
#[derive(Debug, Serialize, JsonSchema)]
struct Failed {
    exit_code: u8,
    /// What was tried and did not work.
    message: String,
    causes: Vec<String>,
    /// What a person can do; a line that starts with two spaces is a command.
    next: Vec<String>,
}

fn failed(failure: &Failure) -> Document<Failed> {
    versioned(
        ERROR,
        "error",
        Failed {
            exit_code: failure.exit.code(),
            message: failure.message.clone(),
            causes: failure.causes.clone(),
            next: failure.next.clone(),
        },
    )
}

impl View for Json {
    fn refused(&self, told: &Told) {
        say(&pretty(&diagnostics(told)));
    }

    fn failure(&self, failure: &Failure) {
        self.human.failure(failure);
        say(&line(&failed(failure)));
    }

    fn note(&self, text: &str) {
        self.human.note(text);
    }

    fn to_host(&self, line: &str) {
        command_aside(line);
    }

    fn valid(&self, valid: &Valid, told: &Told) {
        let body = diagnostic::valid(valid, told);
        say(&pretty(&versioned(DIAGNOSTICS, "diagnostics", body)));
    }

    fn plan(&self, shown: &PlanShown<'_>) {
        say(&pretty(&versioned(PLAN, "plan", plan::plan(shown))));
    }

    fn proposal(&self, shown: &PlanShown<'_>) {
        let plan = versioned(PLAN, "plan", plan::plan(shown));
        say(&line(&events::proposal(plan)));
    }

    fn drift(&self, shown: &PlanShown<'_>) {
        say(&pretty(&versioned(DRIFT, "drift", drift::report(shown))));
    }

    fn graph(&self, topology: &Topology, _drawing: Drawing) {
        say(&pretty(&versioned(GRAPH, "graph", graph::graph(topology))));
    }

    fn map(&self, rows: &[MapRow], _told: &Told) {
        say(&pretty(&versioned(MAP, "map", map::map(rows))));
    }

    fn trace(&self, shown: &TraceShown<'_>) {
        say(&match shown.traces {
            [one] => pretty(&versioned(TRACE, "trace", trace::trace(one))),
            several => pretty(&versioned(TRACE, "traces", trace::traces(several))),
        });
    }

    fn reformatted(&self, files: &[Reformatted], check: bool) {
        say(&pretty(&versioned(FMT, "fmt", files::fmt(files, check))));
    }

    fn explained(&self, pages: &[(&str, &str, &str)]) {
        let pages = files::explanations(pages);
        say(&pretty(&versioned(EXPLANATIONS, "explanations", pages)));
    }

    fn state(&self, shown: &StateShown<'_>) {
        say(&state::text(shown));
    }

    fn applying(&self, plan: &Plan) -> Box<dyn Applying> {
        events::follow(plan)
    }

    fn lab_status(&self, status: &LabStatus) {
        say(&pretty(&versioned(LAB, "lab", lab::status(status))));
    }

    fn probes(&self, _destination: &str, probes: &[Probe]) {
        // One object a probe and a line each, so that a counter needs no more than `wc` or `jq`.
        for probe in probes {
            say(&line(&lab::probe(probe)));
        }
    }

    fn requests(&self, requests: &[Value]) {
        say(&pretty(&versioned(
            LAB,
            "requests",
            lab::requests(requests),
        )));
    }

    fn document(&self, document: &Value) {
        say(&pretty(document));
    }
}

/// The document of `guest script`.
pub(crate) fn guest_script(guest: &Addr, unknown: &BTreeSet<String>, script: &str) -> String {
    let body = files::guest_script(guest, unknown, script);
    pretty(&versioned(GUEST_SCRIPT, "guest-script", body))
}

/// The document of `refused`.
pub(crate) fn diagnostics(told: &Told) -> impl Serialize {
    versioned(DIAGNOSTICS, "diagnostics", diagnostic::refused(told))
}

#[cfg(test)]
mod tests;
