//! An error: what was tried, the chain of causes, and the next step.

use super::page::{Ink, Line, Page};
use crate::failure::Failure;

pub(super) fn page(failure: &Failure) -> Page {
    let mut page = Page::default();
    let mut lines = failure.message.lines();
    page.line(
        Line::default()
            .ink(Ink::Error, "error")
            .put(": ")
            .put(lines.next().unwrap_or_default())
            .hang(7),
    );
    for line in lines {
        page.line(Line::plain("       ").hang_here().put(line));
    }
    for cause in &failure.causes {
        let mut lines = cause.lines();
        page.line(
            Line::plain("  because: ")
                .hang_here()
                .put(lines.next().unwrap_or_default()),
        );
        for line in lines {
            page.line(Line::plain("           ").hang_here().put(line));
        }
    }
    if !failure.next.is_empty() {
        page.line("");
        for step in &failure.next {
            match step.strip_prefix("  ") {
                Some(command) => page.line(Line::plain("  ").ink(Ink::Strong, command)),
                None => page.line(Line::plain(step).hang(2)),
            }
        }
    }
    page
}
