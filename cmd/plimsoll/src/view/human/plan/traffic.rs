//! What happens to each destination that clients use.

use super::folding;
use crate::view::human::page::{Ink, Line, Page};
use crate::view::words;
use plimsoll_core::plan::{Effect, Plan, Traffic};

fn ink(flow: &Traffic) -> Ink {
    match flow.effect {
        Effect::NotInterrupted if flow.lost.is_some() => Ink::Warning,
        Effect::NotInterrupted => Ink::Plain,
        Effect::Begins { .. } => Ink::Added,
        Effect::Ends { .. } => Ink::Removed,
        Effect::Changes { .. } => Ink::Changed,
    }
}

/// What stops before what changes, before what loses members, before what begins, before what goes on.
fn urgency(flow: &Traffic) -> u8 {
    match flow.effect {
        Effect::Ends { .. } => 0,
        Effect::Changes { .. } => 1,
        Effect::NotInterrupted if flow.lost.is_some() => 2,
        Effect::Begins { .. } => 3,
        Effect::NotInterrupted => 4,
    }
}

pub(super) fn section(plan: &Plan, page: &mut Page) {
    if plan.traffic.is_empty() || plan.steps.is_empty() {
        return;
    }
    page.gap();
    page.line(Ink::Strong.line("Traffic"));
    let widest = plan
        .traffic
        .iter()
        .map(|t| words::destination(t).chars().count())
        .max()
        .unwrap_or(0)
        .min(48);
    for rank in 0..=4 {
        let like: Vec<&Traffic> = plan.traffic.iter().filter(|t| urgency(t) == rank).collect();
        for flow in like.iter().take(folding::shown(like.len(), page.detail())) {
            page.line(
                Line::plain(format!("  {}", words::destination(flow)))
                    .to(widest + 5)
                    .hang_here()
                    .ink(ink(flow), words::effect(flow)),
            );
        }
        if let Some(rest) = folding::rest(like.len(), "destination", page.detail()) {
            page.line(format!("  {rest}"));
        }
    }
}
