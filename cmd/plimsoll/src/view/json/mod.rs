//! The view for programs: one document, or for an apply one line for each event. Names are stable; a change that a reader
//! could trip over changes the version.

mod apply;
mod diagnostic;
mod plan;

use super::shown::{
    Applying, Drawing, LabStatus, PlanShown, Probe, Reformatted, Told, TraceShown, Valid, View,
};
use super::{command_aside, say};
use crate::failure::Failure;
use plimsoll_core::plan::{MapRow, Plan, Topology};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The version of every document of this view.
pub(crate) const FORMAT_VERSION: &str = "1.0";

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

/// A document with what every document starts with.
pub(crate) fn document(kind: &str, body: impl Serialize) -> Value {
    let mut document = Map::new();
    document.insert("format_version".to_owned(), json!(FORMAT_VERSION));
    document.insert("kind".to_owned(), json!(kind));
    document.insert(
        "plimsoll_version".to_owned(),
        json!(env!("CARGO_PKG_VERSION")),
    );
    if let Value::Object(body) = serde_json::to_value(body).expect("views are made of plain JSON") {
        document.extend(body);
    }
    Value::Object(document)
}

impl View for Json {
    fn refused(&self, told: &Told) {
        say(&pretty(&diagnostics(told)));
    }

    fn failure(&self, failure: &Failure) {
        self.human.failure(failure);
        say(&line(&document(
            "error",
            json!({
                "exit_code": failure.exit.code(),
                "message": failure.message,
                "causes": failure.causes,
                "next": failure.next,
            }),
        )));
    }

    fn note(&self, text: &str) {
        self.human.note(text);
    }

    fn to_host(&self, line: &str) {
        command_aside(line);
    }

    fn valid(&self, valid: &Valid, told: &Told) {
        let mut body = diagnostic::body(told);
        body.insert("valid".to_owned(), json!(true));
        body.insert("counts".to_owned(), json!(valid));
        say(&pretty(&document("diagnostics", body)));
    }

    fn plan(&self, shown: &PlanShown<'_>) {
        say(&pretty(&document(
            "plan",
            plan::body(shown.plan, shown.told),
        )));
    }

    fn proposal(&self, shown: &PlanShown<'_>) {
        let body = plan::body(shown.plan, shown.told);
        say(&line(
            &json!({ "type": "plan", "plan": document("plan", body) }),
        ));
    }

    fn drift(&self, shown: &PlanShown<'_>) {
        say(&pretty(&document(
            "drift",
            plan::drift_body(shown.plan, shown.told),
        )));
    }

    fn graph(&self, topology: &Topology, _drawing: Drawing) {
        say(&pretty(&document("graph", topology)));
    }

    fn map(&self, rows: &[MapRow], _told: &Told) {
        say(&pretty(&document(
            "map",
            json!({ "rules": plan::map_rows(rows) }),
        )));
    }

    fn trace(&self, shown: &TraceShown<'_>) {
        let mut body = json!(shown.trace);
        body["serves"] = json!(shown.trace.serves());
        body["complete"] = json!(shown.trace.is_complete());
        say(&pretty(&document("trace", body)));
    }

    fn reformatted(&self, files: &[Reformatted], check: bool) {
        let files: Vec<Value> = files
            .iter()
            .map(|f| json!({ "file": f.file, "formatted": f.before == f.after, "written": !check && f.before != f.after }))
            .collect();
        say(&pretty(&document("fmt", json!({ "files": files }))));
    }

    fn explained(&self, pages: &[(&str, &str, &str)]) {
        let pages: Vec<Value> = pages
            .iter()
            .map(|(code, title, text)| json!({ "code": code, "title": title, "text": text }))
            .collect();
        say(&pretty(&document(
            "explanations",
            json!({ "codes": pages }),
        )));
    }

    fn applying(&self, plan: &Plan) -> Box<dyn Applying> {
        apply::follow(plan)
    }

    fn lab_status(&self, status: &LabStatus) {
        say(&pretty(&document("lab", status)));
    }

    fn probes(&self, _destination: &str, probes: &[Probe]) {
        // One object a probe and a line each, so that a counter needs no more than `wc` or `jq`.
        for probe in probes {
            say(&line(probe));
        }
    }

    fn requests(&self, requests: &[Value]) {
        say(&pretty(&requests));
    }

    fn document(&self, document: &Value) {
        say(&pretty(document));
    }
}

/// The document of `refused`.
pub(crate) fn diagnostics(told: &Told) -> Value {
    document("diagnostics", diagnostic::body(told))
}

#[cfg(test)]
mod tests;
