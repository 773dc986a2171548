//! Where nobody watches: one dated line for each thing that happened, in words, fit for a log.

use crate::view::human::page::{Ink, Line, Page};
use crate::view::words;
use plimsoll_core::apply::Event;
use plimsoll_core::model::Addr;
use plimsoll_core::plan::StepId;
use std::time::Duration;

fn dated(at: &str, text: &str) -> Page {
    let mut page = Page::default();
    page.line(Ink::Faint.line(at).put("  ").put(text));
    page
}

pub(super) fn line(at: &str, event: &Event) -> Page {
    let who = |step: &StepId, addr: &Addr| format!("step {step}  {addr}");
    match event {
        Event::Checking => dated(at, "checking that nothing moved since the plan was made"),
        Event::Checked { milliseconds } => {
            dated(at, &format!("nothing moved ({})", time(*milliseconds)))
        }
        Event::Started { step, addr, title } => {
            dated(at, &format!("{}  begins: {title}", who(step, addr)))
        }
        Event::Progress { step, addr, note } => dated(at, &format!("{}  {note}", who(step, addr))),
        Event::Verified {
            step,
            addr,
            title,
            milliseconds,
        } => dated(
            at,
            &format!(
                "{}  verified: {title} ({})",
                who(step, addr),
                time(*milliseconds)
            ),
        ),
        Event::AlreadyDone { step, addr, title } => {
            dated(at, &format!("{}  done before: {title}", who(step, addr)))
        }
        Event::Failed {
            step,
            addr,
            title,
            error,
            ..
        } => {
            let mut page = dated(at, &format!("{}  FAILED: {title}", who(step, addr)));
            for line in error.lines() {
                page.line(Line::plain(" ".repeat(at.chars().count() + 4)).put(line));
            }
            page
        }
        Event::Skipped {
            step,
            addr,
            because,
            ..
        } => dated(at, &format!("{}  not done: {because}", who(step, addr))),
        Event::Finished { .. } => Page::default(),
    }
}

fn time(milliseconds: u64) -> String {
    words::time(Duration::from_millis(milliseconds))
}
