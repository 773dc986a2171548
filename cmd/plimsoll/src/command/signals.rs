//! What a pipeline reads without opening a document: annotations beside the code, and a few numbers as step outputs.

use crate::context::Context;
use crate::failure::Failure;
use crate::host::{Host, Loudness, Place};
use crate::view::{Places, Told, place_of};
use plimsoll_core::model::{Diagnostic, Severity};
use plimsoll_core::plan::Plan;
use std::io::Write;

/// GitHub shows ten of each kind for a step, and drops the rest without a word.
const MOST: usize = 10;

struct Annotation {
    loudness: Loudness,
    code: String,
    message: String,
    place: Option<Place>,
}

fn loudness(severity: Severity) -> Option<Loudness> {
    match severity {
        Severity::Error => Some(Loudness::Error),
        Severity::Warning => Some(Loudness::Warning),
        Severity::Advice => None,
    }
}

/// Diagnostics beside the lines that they are about.
pub(crate) fn of_diagnostics(context: &Context, told: &Told) {
    let all = told.diagnostics.iter().filter_map(|d| diagnostic(d, told));
    send(context, all.collect());
}

fn diagnostic(diagnostic: &Diagnostic, told: &Told) -> Option<Annotation> {
    let mut message = diagnostic.summary.clone();
    for text in diagnostic.labels.iter().map(|l| &l.text) {
        message.push_str(&format!("\n{text}"));
    }
    for note in &diagnostic.notes {
        message.push_str(&format!("\n{note}"));
    }
    for help in &diagnostic.help {
        message.push_str(&format!("\nHelp: {}", help.text));
    }
    Some(Annotation {
        loudness: loudness(diagnostic.severity)?,
        code: diagnostic.code.clone(),
        message,
        place: diagnostic
            .labels
            .first()
            .and_then(|l| place_of(told, &l.span)),
    })
}

/// Findings and drift of a plan beside the blocks that they are about.
pub(crate) fn of_plan(context: &Context, plan: &Plan, places: &Places<'_>) {
    let found = plan.findings.iter().filter_map(|f| {
        let mut message = match &f.addr {
            Some(addr) => format!("{addr}: {}", f.what),
            None => f.what.to_string(),
        };
        for note in &f.notes {
            message.push_str(&format!("\n{note}"));
        }
        Some(Annotation {
            loudness: loudness(f.severity)?,
            code: f.code.to_string(),
            message,
            place: f.addr.as_ref().and_then(|a| places.of(a, &f.what)),
        })
    });
    send(context, found.collect());
}

pub(crate) fn of_drift(context: &Context, plan: &Plan, places: &Places<'_>) {
    let moved = plan.drift.iter().filter_map(|d| {
        let mut message = format!("{}: {}", d.addr, d.what);
        for impact in &d.impact {
            message.push_str(&format!("\n{impact}"));
        }
        Some(Annotation {
            loudness: loudness(d.severity)?,
            code: "drift".to_owned(),
            message,
            place: places.of(&d.addr, &d.what),
        })
    });
    send(context, moved.collect());
}

/// What stopped the command, when it is not the configuration.
pub(crate) fn of_failure(context: &Context, failure: &Failure) {
    let mut message = failure.message.clone();
    for cause in &failure.causes {
        message.push_str(&format!("\n{cause}"));
    }
    let one = Annotation {
        loudness: Loudness::Error,
        code: format!("exit {}", failure.exit.code()),
        message,
        place: None,
    };
    send(context, vec![one]);
}

fn send(context: &Context, mut all: Vec<Annotation>) {
    if context.host == Host::Elsewhere {
        return;
    }
    all.sort_by_key(|a| a.loudness);
    for loudness in [Loudness::Error, Loudness::Warning] {
        let of: Vec<&Annotation> = all.iter().filter(|a| a.loudness == loudness).collect();
        // The last of those that are shown says how many are not.
        let shown = if of.len() > MOST { MOST - 1 } else { of.len() };
        for one in &of[..shown] {
            let line =
                context
                    .host
                    .annotation(one.loudness, &one.code, &one.message, one.place.as_ref());
            line.into_iter().for_each(|l| context.view.to_host(&l));
        }
        if of.len() > shown {
            let rest = format!("and {} more: see the log or the report", of.len() - shown);
            let line = context.host.annotation(loudness, "more", &rest, None);
            line.into_iter().for_each(|l| context.view.to_host(&l));
        }
    }
}

/// The numbers that a pipeline branches on, as `NAME=VALUE` lines in GITHUB_OUTPUT or output variables of the step.
pub(crate) fn outputs(context: &Context, plan: &Plan) -> Result<(), Failure> {
    let summary = plan.summary();
    let tally = &summary.tally;
    let values = [
        ("changes", tally.changes().to_string()),
        ("to_add", tally.to_add().to_string()),
        ("to_change", tally.to_change().to_string()),
        ("to_destroy", tally.to_destroy().to_string()),
        ("interrupts", summary.interruptions.len().to_string()),
        ("drift", plan.drift.len().to_string()),
        ("findings", plan.findings.len().to_string()),
        ("complete", plan.complete.to_string()),
        ("applyable", plan.applyable.to_string()),
    ];
    if let Host::GitHub(github) = &context.host {
        let Some(file) = &github.output else {
            return Ok(());
        };
        let lines: String = values
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        let written = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file)
            .and_then(|mut file| file.write_all(lines.as_bytes()));
        return written.map_err(|error| {
            Failure::new(format!("cannot write step outputs to {}", file.display()))
                .because(&error)
                .next("GITHUB_OUTPUT names that file.")
        });
    }
    for (name, value) in &values {
        let line = context.host.variable(name, value);
        line.into_iter().for_each(|l| context.view.to_host(&l));
    }
    Ok(())
}
