//! What happens to each destination that clients use.

use super::folding;
use crate::view::human::page::{Ink, Line, Page};
use plimsoll_core::plan::{Effect, Plan, Traffic};

/// `65.52.0.1:80/tcp`, `[fd00::1]:80/tcp`, `10.0.0.4 every port`
pub(crate) fn destination(flow: &Traffic) -> String {
    let address = match flow.destination.known() {
        Some(std::net::IpAddr::V6(address)) if flow.port.is_some() => format!("[{address}]"),
        Some(address) => address.to_string(),
        None => flow.destination.to_string(),
    };
    match flow.port {
        Some(port) => format!("{address}:{port}/{}", flow.protocol),
        None => format!("{address}, every port"),
    }
}

fn effect(flow: &Traffic) -> (Ink, String) {
    match &flow.effect {
        Effect::NotInterrupted => (Ink::Plain, "not interrupted".to_owned()),
        Effect::Begins { after, ready } => (
            Ink::Added,
            format!(
                "begins on {ready} of {} members after step {after}",
                flow.members
            ),
        ),
        Effect::Ends { after } => (Ink::Removed, format!("ends after step {after}")),
        Effect::Changes { after, what } => {
            (Ink::Changed, format!("changes after step {after}: {what}"))
        }
    }
}

/// What stops before what changes, before what begins, before what goes on.
fn urgency(flow: &Traffic) -> u8 {
    match flow.effect {
        Effect::Ends { .. } => 0,
        Effect::Changes { .. } => 1,
        Effect::Begins { .. } => 2,
        Effect::NotInterrupted => 3,
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
        .map(|t| destination(t).chars().count())
        .max()
        .unwrap_or(0)
        .min(48);
    for rank in 0..=3 {
        let like: Vec<&Traffic> = plan.traffic.iter().filter(|t| urgency(t) == rank).collect();
        for flow in like.iter().take(folding::shown(like.len())) {
            let (ink, text) = effect(flow);
            page.line(
                Line::plain(format!("  {}", destination(flow)))
                    .to(widest + 5)
                    .hang_here()
                    .ink(ink, text),
            );
        }
        if let Some(rest) = folding::rest(like.len(), "destination") {
            page.line(format!("  {rest}"));
        }
    }
}
