//! The line of a step that has come to its end.

use crate::view::human::page::{Ink, Line, Page};
use crate::view::words;
use plimsoll_core::apply::Event;
use plimsoll_core::model::Addr;
use plimsoll_core::plan::Plan;
use std::time::Duration;

/// `   verified   12 s of it`
const OUTCOME: usize = 22;

/// Where the columns start, so that lines that come one by one still stand in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    title: usize,
    outcome: usize,
}

impl Columns {
    /// As wide as the titles, and so narrow that the outcome still fits beside most of them.
    pub(super) fn of(plan: &Plan, width: usize) -> Self {
        let widest =
            |lengths: &mut dyn Iterator<Item = usize>, most| lengths.max().unwrap_or(0).min(most);
        let addr = widest(
            &mut plan
                .steps
                .iter()
                .map(|s| s.addr.to_string().chars().count()),
            32,
        );
        let column = 3 + addr + 3;
        let room = width.saturating_sub(column + OUTCOME).clamp(12, 56);
        let title = widest(
            &mut plan.steps.iter().map(|s| s.title.chars().count()),
            room,
        );
        Self {
            title: column,
            outcome: column + title + 3,
        }
    }
}

pub(super) fn head(ink: Ink, sign: &str, addr: &Addr, columns: &Columns) -> Line {
    Line::plain(" ")
        .ink(ink, sign)
        .put(" ")
        .ink(Ink::Strong, addr.to_string())
        .to(columns.title)
        .hang_here()
}

pub(super) fn finished(event: &Event, columns: &Columns) -> Page {
    let mut page = Page::default();
    match event {
        Event::Verified {
            addr,
            title,
            milliseconds,
            ..
        } => page.line(
            head(Ink::Added, "✓", addr, columns)
                .put(title)
                .to(columns.outcome)
                .put("verified")
                .to(columns.outcome + 11)
                .ink(
                    Ink::Faint,
                    words::time(Duration::from_millis(*milliseconds)),
                ),
        ),
        Event::AlreadyDone { addr, title, .. } => page.line(
            head(Ink::Added, "✓", addr, columns)
                .put(title)
                .to(columns.outcome)
                .put("done before"),
        ),
        Event::Failed {
            addr, title, error, ..
        } => {
            page.line(
                head(Ink::Error, "✗", addr, columns)
                    .put(title)
                    .to(columns.outcome)
                    .ink(Ink::Error, "failed"),
            );
            for line in error.lines() {
                page.line(Line::plain(" ".repeat(columns.title)).hang_here().put(line));
            }
        }
        Event::Skipped { addr, because, .. } => {
            page.line(head(Ink::Warning, "–", addr, columns).put(format!("not done: {because}")));
        }
        Event::Checking
        | Event::Checked { .. }
        | Event::Started { .. }
        | Event::Progress { .. }
        | Event::Finished { .. } => {}
    }
    page
}
