//! An apply as a stream: one JSON object a line, numbered, in the order in which things happened.

use super::{FORMAT_VERSION, line};
use crate::view::say;
use crate::view::shown::{Applying, Ending};
use plimsoll_core::apply::Event;
use plimsoll_core::plan::Plan;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
struct Stream {
    number: AtomicU64,
}

pub(super) fn follow(plan: &Plan) -> Box<dyn Applying> {
    let stream = Stream {
        number: AtomicU64::new(0),
    };
    stream.send(json!({
        "type": "apply",
        "format_version": FORMAT_VERSION,
        "plimsoll_version": env!("CARGO_PKG_VERSION"),
        "deployment": plan.deployment,
        "steps": plan.steps.len(),
    }));
    Box::new(stream)
}

impl Stream {
    fn send(&self, mut value: Value) {
        if let Value::Object(map) = &mut value {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            map.insert("number".to_owned(), json!(number));
        }
        say(&line(&value));
    }
}

/// The names are the stream's own, not core's.
pub(super) fn event(at: &str, event: &Event) -> Value {
    match event {
        Event::Checking => json!({ "type": "checking", "at": at }),
        Event::Checked { milliseconds } => {
            json!({ "type": "checked", "at": at, "milliseconds": milliseconds })
        }
        Event::Started { step, addr, title } => {
            json!({ "type": "started", "at": at, "step": step, "address": addr, "title": title })
        }
        Event::Progress { step, addr, note } => {
            json!({ "type": "progress", "at": at, "step": step, "address": addr, "note": note })
        }
        Event::Verified {
            step,
            addr,
            title,
            milliseconds,
        } => json!({
            "type": "verified", "at": at, "step": step, "address": addr, "title": title,
            "milliseconds": milliseconds,
        }),
        Event::AlreadyDone { step, addr, title } => {
            json!({ "type": "already_done", "at": at, "step": step, "address": addr, "title": title })
        }
        Event::Failed {
            step,
            addr,
            title,
            error,
            retryable,
        } => json!({
            "type": "failed", "at": at, "step": step, "address": addr, "title": title,
            "error": error, "retryable": retryable,
        }),
        Event::Skipped {
            step,
            addr,
            title,
            because,
        } => json!({
            "type": "skipped", "at": at, "step": step, "address": addr, "title": title,
            "because": because,
        }),
        Event::Finished {
            done,
            failed,
            skipped,
            milliseconds,
        } => json!({
            "type": "finished", "at": at, "done": done, "failed": failed, "skipped": skipped,
            "milliseconds": milliseconds,
        }),
    }
}

impl Applying for Stream {
    fn event(&self, at: &str, event_: &Event) {
        self.send(event(at, event_));
    }

    fn stopping(&self) {
        self.send(json!({ "type": "stopping" }));
    }

    fn end(&self, ending: &Ending<'_>) {
        let stale: Vec<Value> = ending
            .stale
            .iter()
            .map(|(target, moved)| json!({ "target": target, "moved": moved }))
            .collect();
        self.send(json!({
            "type": "outcome",
            "exit_code": ending.exit.code(),
            "done": ending.done,
            "failed": ending.failed,
            "skipped": ending.skipped,
            "total": ending.total,
            "interrupted": ending.interrupted,
            "state_lost": ending.state_lost,
            "stale": stale,
            "milliseconds": u64::try_from(ending.took.as_millis()).unwrap_or(u64::MAX),
            "go_on": ending.again,
        }));
    }
}
