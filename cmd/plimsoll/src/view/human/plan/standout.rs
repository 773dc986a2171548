//! Deletions and interruptions, before anything else and in words.

use crate::view::human::page::{Ink, Line, Page};
use crate::view::human::plan::traffic;
use crate::view::words;
use plimsoll_core::model::Kind;
use plimsoll_core::plan::{Action, Effect, Plan};

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
    for flow in &plan.traffic {
        let end = match &flow.effect {
            Effect::Ends { after } => format!("ends after step {after}"),
            Effect::Changes { after, what } => format!("changes after step {after}: {what}"),
            Effect::NotInterrupted | Effect::Begins { .. } => continue,
        };
        lines.push((
            Ink::Error,
            format!("! traffic to {} {end}", traffic::destination(flow)),
        ));
    }
    for change in &plan.changes {
        let word = |action| match action {
            Action::Delete => Some("is deleted"),
            Action::Replace => Some("is replaced: deleted and made anew"),
            Action::NoOp | Action::Create | Action::Update | Action::Adopt | Action::Forget => None,
        };
        if let Some(word) = word(change.action).filter(|_| change.addr.kind != Kind::Guest) {
            let line = format!("{} {} {word}", words::symbol(change.action), change.addr);
            lines.push((Ink::Removed, line));
            // What it holds goes with it; the block below lists it.
            continue;
        }
        for item in &change.items {
            if let Some(word) = word(item.action) {
                lines.push((
                    Ink::Removed,
                    format!(
                        "{} {} {:?} of {} {word}",
                        words::symbol(item.action),
                        words::item_noun(item.kind),
                        item.name,
                        change.addr
                    ),
                ));
            }
        }
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
