//! An apply as a stream: one JSON object a line, numbered, in the order in which things happened.

use super::plan::Plan as PlanBody;
use super::{Document, line};
use crate::view::say;
use crate::view::shown::{Applying, Ending};
use plimsoll_core::apply;
use plimsoll_core::plan::Plan;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// One line of the stream that `plimsoll apply --json` writes.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Line {
    Plan(Box<PlanLine>),
    Event(Box<Numbered>),
}

/// The plan that is about to be applied; a saved plan is not repeated.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PlanLine {
    r#type: PlanType,
    plan: Document<PlanBody>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PlanType {
    Plan,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Numbered {
    /// From 0, without gaps.
    number: u64,
    #[serde(flatten)]
    event: Event,
}

/// What happened; times are RFC 3339.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event {
    /// The first event.
    Apply {
        format_version: &'static str,
        plimsoll_version: &'static str,
        deployment: String,
        steps: usize,
    },
    Checking {
        at: String,
    },
    Checked {
        at: String,
        milliseconds: u64,
    },
    Started {
        at: String,
        step: u32,
        address: String,
        title: String,
    },
    Progress {
        at: String,
        step: u32,
        address: String,
        note: String,
    },
    Verified {
        at: String,
        step: u32,
        address: String,
        title: String,
        milliseconds: u64,
    },
    /// An earlier run had done it.
    AlreadyDone {
        at: String,
        step: u32,
        address: String,
        title: String,
    },
    Failed {
        at: String,
        step: u32,
        address: String,
        title: String,
        error: String,
        retryable: bool,
    },
    Skipped {
        at: String,
        step: u32,
        address: String,
        title: String,
        because: String,
    },
    Finished {
        at: String,
        done: usize,
        failed: usize,
        skipped: usize,
        milliseconds: u64,
    },
    /// A signal came: what is in flight is finished, nothing new begins.
    Stopping,
    /// The last event.
    Outcome {
        exit_code: u8,
        done: usize,
        failed: usize,
        skipped: usize,
        total: usize,
        interrupted: bool,
        /// Why the state could not be written.
        state_lost: Option<String>,
        stale: Vec<Stale>,
        milliseconds: u64,
        /// The command that goes on from here.
        go_on: String,
    },
}

/// A target that moved since the plan was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Stale {
    target: String,
    moved: Vec<String>,
}

#[derive(Debug)]
struct Stream {
    number: AtomicU64,
}

pub(super) fn proposal(plan: Document<PlanBody>) -> Line {
    Line::Plan(Box::new(PlanLine {
        r#type: PlanType::Plan,
        plan,
    }))
}

pub(super) fn follow(plan: &Plan) -> Box<dyn Applying> {
    let stream = Stream {
        number: AtomicU64::new(0),
    };
    stream.send(beginning(plan));
    Box::new(stream)
}

pub(super) fn beginning(plan: &Plan) -> Event {
    Event::Apply {
        format_version: super::EVENTS,
        plimsoll_version: env!("CARGO_PKG_VERSION"),
        deployment: plan.deployment.clone(),
        steps: plan.steps.len(),
    }
}

pub(super) fn numbered(number: u64, event: Event) -> Line {
    Line::Event(Box::new(Numbered { number, event }))
}

impl Stream {
    fn send(&self, event: Event) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        say(&line(&numbered(number, event)));
    }
}

/// The names are the stream's own, not core's.
pub(super) fn event(at: &str, event: &apply::Event) -> Event {
    let at = at.to_owned();
    match event {
        apply::Event::Checking => Event::Checking { at },
        apply::Event::Checked { milliseconds } => Event::Checked {
            at,
            milliseconds: *milliseconds,
        },
        apply::Event::Started { step, addr, title } => Event::Started {
            at,
            step: step.0,
            address: addr.to_string(),
            title: title.clone(),
        },
        apply::Event::Progress { step, addr, note } => Event::Progress {
            at,
            step: step.0,
            address: addr.to_string(),
            note: note.clone(),
        },
        apply::Event::Verified {
            step,
            addr,
            title,
            milliseconds,
        } => Event::Verified {
            at,
            step: step.0,
            address: addr.to_string(),
            title: title.clone(),
            milliseconds: *milliseconds,
        },
        apply::Event::AlreadyDone { step, addr, title } => Event::AlreadyDone {
            at,
            step: step.0,
            address: addr.to_string(),
            title: title.clone(),
        },
        apply::Event::Failed {
            step,
            addr,
            title,
            error,
            retryable,
        } => Event::Failed {
            at,
            step: step.0,
            address: addr.to_string(),
            title: title.clone(),
            error: error.clone(),
            retryable: *retryable,
        },
        apply::Event::Skipped {
            step,
            addr,
            title,
            because,
        } => Event::Skipped {
            at,
            step: step.0,
            address: addr.to_string(),
            title: title.clone(),
            because: because.clone(),
        },
        apply::Event::Finished {
            done,
            failed,
            skipped,
            milliseconds,
        } => Event::Finished {
            at,
            done: *done,
            failed: *failed,
            skipped: *skipped,
            milliseconds: *milliseconds,
        },
    }
}

pub(super) fn outcome(ending: &Ending<'_>) -> Event {
    Event::Outcome {
        exit_code: ending.exit.code(),
        done: ending.done,
        failed: ending.failed,
        skipped: ending.skipped,
        total: ending.total,
        interrupted: ending.interrupted,
        state_lost: ending.state_lost.map(str::to_owned),
        stale: ending
            .stale
            .iter()
            .map(|(target, moved)| Stale {
                target: target.clone(),
                moved: moved.clone(),
            })
            .collect(),
        milliseconds: u64::try_from(ending.took.as_millis()).unwrap_or(u64::MAX),
        go_on: ending.again.to_owned(),
    }
}

impl Applying for Stream {
    fn event(&self, at: &str, event_: &apply::Event) {
        self.send(event(at, event_));
    }

    fn stopping(&self) {
        self.send(Event::Stopping);
    }

    fn end(&self, ending: &Ending<'_>) {
        self.send(outcome(ending));
    }
}
