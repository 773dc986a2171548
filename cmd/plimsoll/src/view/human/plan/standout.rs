//! What cannot be applied, what is accepted, interruptions and deletions: before anything else and in words.

use crate::view::human::page::{Ink, Line, Page};
use crate::view::words;
use plimsoll_core::plan::Plan;

/// A person reads some lines of alarm; more than this they skip, so the rest is counted.
const MOST: usize = 20;

pub(super) fn section(plan: &Plan, page: &mut Page) {
    let mut lines = Vec::new();
    if !plan.applyable {
        for why in &plan.blocked {
            lines.push((Ink::Error, format!("! cannot be applied: {why}")));
        }
        if plan.blocked.is_empty() {
            lines.push((Ink::Error, "! cannot be applied".to_owned()));
        }
    }
    for guest in &plan.accepted_unready {
        lines.push((
            Ink::Warning,
            format!("! {}", words::accepted_unready(guest)),
        ));
    }
    let summary = plan.summary();
    for flow in &summary.interruptions {
        lines.push((
            Ink::Error,
            format!(
                "! traffic to {} {}",
                words::destination(flow),
                words::effect(flow)
            ),
        ));
    }
    for gone in &summary.deletions {
        let sign = words::symbol(gone.action);
        lines.push((Ink::Removed, format!("{sign} {}", words::deletion(gone))));
    }
    if lines.is_empty() {
        return;
    }
    page.gap();
    let more = lines.len().saturating_sub(MOST);
    for (ink, text) in lines.into_iter().take(MOST) {
        page.line(Line::default().ink(ink, text).hang(2));
    }
    if more > 0 {
        page.line(Ink::Removed.line(format!(
            "  and {more} more like these; they are marked below"
        )));
    }
}
