//! The lab's answers: where it is, who answered, what was asked of the emulator.

use super::page::{Ink, Line, Page};
use crate::view::shown::{LabStatus, Probe};
use crate::view::words;
use std::collections::BTreeMap;

pub(super) fn status(status: &LabStatus) -> Page {
    let mut page = Page::default();
    let Some(access) = &status.access else {
        page.line(format!("The lab in {} is not running.", status.directory));
        return page;
    };
    page.line(Ink::Strong.line(if status.running {
        "The lab is running"
    } else {
        "The lab is down"
    }));
    for (what, value) in [
        ("endpoint", &access.endpoint),
        ("token endpoint", &access.token_endpoint),
        ("CA file", &access.ca_file),
        ("subscription", &access.subscription),
        ("tenant", &access.tenant),
        ("client id", &access.client_id),
    ] {
        page.line(
            Line::plain(format!("  {what}"))
                .to(18)
                .hang_here()
                .put(value),
        );
    }
    let widest = status
        .guests
        .iter()
        .map(|g| g.name.chars().count())
        .max()
        .unwrap_or(0);
    for guest in &status.guests {
        let running = match (&guest.note, guest.running) {
            (_, true) => "running",
            (Some(note), false) => note,
            (None, false) => "not running",
        };
        page.line(
            Line::plain("  guest ")
                .ink(Ink::Strong, &guest.name)
                .to(18.max(widest + 10))
                .put(format!("{}, {running}", guest.os))
                .to(40)
                .hang_here()
                .put(guest.addresses.join(", ")),
        );
    }
    if !access.faults.is_empty() {
        page.line(
            Line::plain("  ")
                .ink(Ink::Warning, "misbehaves")
                .to(18)
                .put(access.faults.join(", ")),
        );
    }
    page
}

/// One line for each guest and destination that answered, then what failed.
pub(super) fn probes(destination: &str, probes: &[Probe]) -> Page {
    let mut page = Page::default();
    let answered = probes.iter().filter(|p| p.ok).count();
    page.line(Ink::Strong.line(destination).put(format!(
        " · {answered} of {} answered",
        words::count(probes.len(), "packet")
    )));
    let mut groups: BTreeMap<(bool, String, String), usize> = BTreeMap::new();
    for probe in probes {
        let guest = probe.guest.clone().unwrap_or_default();
        let detail = if probe.ok {
            probe.seen.clone().unwrap_or_default()
        } else {
            probe
                .error
                .clone()
                .unwrap_or_else(|| "no answer within 1 s".to_owned())
        };
        *groups.entry((!probe.ok, guest, detail)).or_default() += 1;
    }
    let widest = groups
        .keys()
        .map(|(_, guest, _)| guest.chars().count())
        .max()
        .unwrap_or(0);
    for ((failed, guest, detail), number) in &groups {
        page.line(if *failed {
            Line::plain("  ")
                .ink(Ink::Error, "✗")
                .put(format!(" {:>4}  ", format!("{number}×")))
                .hang_here()
                .put(detail)
        } else {
            Line::plain("  ")
                .ink(Ink::Added, "✓")
                .put(format!(" {:>4}  ", format!("{number}×")))
                .ink(Ink::Strong, format!("{guest:<widest$}"))
                .put(format!("   saw destination {detail}"))
        });
    }
    page
}

pub(super) fn requests(requests: &[serde_json::Value]) -> Page {
    let mut page = Page::default();
    if requests.is_empty() {
        page.line("No requests.");
    }
    for request in requests {
        let text = |name: &str| match request.get(name) {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        page.line(
            Line::plain(format!(
                "{:<7} {}  {:>6} → {:>6} bytes  ",
                text("method"),
                text("status"),
                text("request_bytes"),
                text("response_bytes")
            ))
            .hang_here()
            .put(text("path")),
        );
    }
    page
}
