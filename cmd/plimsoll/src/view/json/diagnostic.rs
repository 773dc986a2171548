//! Diagnostics with line and column, for editors and for annotations in a review.

use crate::view::diagnostic::{path, position};
use crate::view::shown::Told;
use crate::view::words;
use plimsoll_core::model::{Diagnostic, Severity, Span};
use serde_json::{Map, Value, json};

pub(super) fn body(told: &Told) -> Map<String, Value> {
    let count = |severity| {
        told.diagnostics
            .iter()
            .filter(|d| d.severity == severity)
            .count()
    };
    let mut body = Map::new();
    body.insert("valid".to_owned(), json!(count(Severity::Error) == 0));
    body.insert("errors".to_owned(), json!(count(Severity::Error)));
    body.insert("warnings".to_owned(), json!(count(Severity::Warning)));
    body.insert("diagnostics".to_owned(), list(told));
    body
}

pub(super) fn list(told: &Told) -> Value {
    told.diagnostics.iter().map(|d| one(d, told)).collect()
}

fn one(diagnostic: &Diagnostic, told: &Told) -> Value {
    let places: Vec<Value> = diagnostic
        .labels
        .iter()
        .map(|label| {
            let mut place = place(&label.span, told);
            place.insert("label".to_owned(), json!(label.text));
            Value::Object(place)
        })
        .collect();
    let help: Vec<Value> = diagnostic
        .help
        .iter()
        .map(|help| {
            let edit = help.patch.as_ref().map(|patch| {
                let mut edit = place(&patch.span, told);
                edit.insert("replacement".to_owned(), json!(patch.replacement));
                edit
            });
            json!({ "text": help.text, "edit": edit })
        })
        .collect();
    let first = |name: &str| {
        places
            .first()
            .and_then(|p| p.get(name))
            .cloned()
            .unwrap_or_default()
    };
    json!({
        "severity": words::severity(diagnostic.severity),
        "code": diagnostic.code,
        "summary": diagnostic.summary,
        "file": first("file"),
        "line": first("line"),
        "column": first("column"),
        "places": places,
        "notes": diagnostic.notes,
        "help": help,
    })
}

fn place(span: &Span, told: &Told) -> Map<String, Value> {
    let mut place = Map::new();
    place.insert("file".to_owned(), json!(path(told, &span.file)));
    if let Some(text) = told.texts.get(&span.file) {
        let (line, column) = position(text, span.start);
        let (end_line, end_column) = position(text, span.end);
        for (name, number) in [
            ("line", line),
            ("column", column),
            ("end_line", end_line),
            ("end_column", end_column),
        ] {
            place.insert(name.to_owned(), json!(number));
        }
    }
    place
}
