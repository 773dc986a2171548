//! Diagnostics with line and column, for editors and for annotations in a review.

use super::noticed::{SeverityWord, severity};
use crate::host;
use crate::view::diagnostic::{path, position};
use crate::view::shown::{Told, Valid};
use plimsoll_core::model::{self, Span};
use schemars::JsonSchema;
use serde::Serialize;

/// What `validate` found, and what stops any other command before it begins.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Diagnostics {
    valid: bool,
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Diagnostic>,
    /// What a valid configuration holds.
    counts: Option<Counts>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Counts {
    files: usize,
    public_ips: usize,
    load_balancers: usize,
    rules: usize,
    guests: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Diagnostic {
    severity: SeverityWord,
    /// `plimsoll explain CODE` says more.
    code: String,
    /// Short, and without names of the user's.
    summary: String,
    /// Of the first place.
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    places: Vec<Labelled>,
    notes: Vec<String>,
    help: Vec<Help>,
}

/// A place in the configuration; lines and columns count from 1, columns in characters.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Place {
    file: String,
    line: usize,
    column: usize,
}

impl From<host::Place> for Place {
    fn from(place: host::Place) -> Self {
        Self {
            file: place.file,
            line: place.line,
            column: place.column,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Labelled {
    #[serde(flatten)]
    range: Range,
    label: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Range {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Help {
    text: String,
    /// The change that helps, where it is mechanical.
    edit: Option<Edit>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Edit {
    #[serde(flatten)]
    range: Range,
    replacement: String,
}

pub(super) fn refused(told: &Told) -> Diagnostics {
    let count = |severity| {
        told.diagnostics
            .iter()
            .filter(|d| d.severity == severity)
            .count()
    };
    let errors = count(model::Severity::Error);
    Diagnostics {
        valid: errors == 0,
        errors,
        warnings: count(model::Severity::Warning),
        diagnostics: list(told),
        counts: None,
    }
}

pub(super) fn valid(valid: &Valid, told: &Told) -> Diagnostics {
    Diagnostics {
        counts: Some(Counts {
            files: valid.files,
            public_ips: valid.public_ips,
            load_balancers: valid.load_balancers,
            rules: valid.rules,
            guests: valid.guests,
        }),
        ..refused(told)
    }
}

pub(super) fn list(told: &Told) -> Vec<Diagnostic> {
    told.diagnostics.iter().map(|d| one(d, told)).collect()
}

fn one(diagnostic: &model::Diagnostic, told: &Told) -> Diagnostic {
    let places: Vec<Labelled> = diagnostic
        .labels
        .iter()
        .map(|label| Labelled {
            range: range(&label.span, told),
            label: label.text.clone(),
        })
        .collect();
    let help = diagnostic
        .help
        .iter()
        .map(|help| Help {
            text: help.text.clone(),
            edit: help.patch.as_ref().map(|patch| Edit {
                range: range(&patch.span, told),
                replacement: patch.replacement.clone(),
            }),
        })
        .collect();
    let first = places.first().map(|p| &p.range);
    Diagnostic {
        severity: severity(diagnostic.severity),
        code: diagnostic.code.clone(),
        summary: diagnostic.summary.clone(),
        file: first.map(|p| p.file.clone()),
        line: first.and_then(|p| p.line),
        column: first.and_then(|p| p.column),
        places,
        notes: diagnostic.notes.clone(),
        help,
    }
}

fn range(span: &Span, told: &Told) -> Range {
    let text = told.texts.get(&span.file);
    let start = text.map(|text| position(text, span.start));
    let end = text.map(|text| position(text, span.end));
    Range {
        file: path(told, &span.file),
        line: start.map(|(line, _)| line),
        column: start.map(|(_, column)| column),
        end_line: end.map(|(line, _)| line),
        end_column: end.map(|(_, column)| column),
    }
}
