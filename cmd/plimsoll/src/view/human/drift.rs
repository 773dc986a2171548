//! Drift: what moved, what it does to traffic, since when, and the command that heals it.

use super::page::{Ink, Line, Page};
use super::plan::next;
use crate::view::{PlanShown, words};
use plimsoll_core::model::Severity;
use plimsoll_core::plan::Drift;

pub(crate) fn page(shown: &PlanShown<'_>) -> Page {
    let plan = shown.plan;
    let mut page = Page::default();
    let unread: Vec<&str> = if plan.complete {
        Vec::new()
    } else {
        plan.blocked.iter().map(String::as_str).collect()
    };
    if plan.drift.is_empty() {
        page.line(if plan.complete && plan.unasked > 0 {
            let guests = words::count(plan.unasked, "guest");
            Line::plain(format!(
                "{}: no drift in what was read; {guests} not asked.",
                plan.deployment
            ))
        } else if plan.complete {
            Line::plain(format!("{}: no drift, all is as applied.", plan.deployment))
        } else {
            Ink::Warning.line(format!(
                "{}: no drift in what could be read; not everything could be.",
                plan.deployment
            ))
        });
    } else {
        headline(&plan.drift, &mut page);
        let mut drift: Vec<&Drift> = plan.drift.iter().collect();
        drift.sort_by_key(|d| d.severity);
        for one in drift {
            page.gap();
            block(one, &mut page);
        }
    }
    pending(&plan.not_yet_applied, &mut page);
    for why in unread {
        page.line(Line::default().ink(Ink::Warning, "! ").put(why).hang(2));
    }
    next(shown.next, &mut page);
    page
}

/// What the configuration asks for since the last apply: nobody moved it, so it is no drift.
fn pending(pending: &[Drift], page: &mut Page) {
    const MOST: usize = 8;
    if pending.is_empty() {
        return;
    }
    page.gap();
    page.line(
        Ink::Strong
            .line("Not applied yet")
            .put(": the configuration says so since the last apply; plimsoll plan shows it whole")
            .hang(2),
    );
    for one in pending.iter().take(MOST) {
        page.line(
            Line::plain("  ")
                .put(one.addr.to_string())
                .put("   ")
                .put(&one.what)
                .hang(6),
        );
    }
    if pending.len() > MOST {
        page.line(format!("  … and {} more", pending.len() - MOST));
    }
}

/// `2 findings · 1 breaks traffic`
fn headline(drift: &[Drift], page: &mut Page) {
    let breaking = drift
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .count();
    let line = Ink::Strong.line(words::count(drift.len(), "finding"));
    page.line(match breaking {
        0 => line.put(" · none breaks traffic now"),
        1 => line.put(" · ").ink(Ink::Error, "1 breaks traffic"),
        more => line
            .put(" · ")
            .ink(Ink::Error, format!("{more} break traffic")),
    });
}

fn block(drift: &Drift, page: &mut Page) {
    let (ink, sign) = match drift.severity {
        Severity::Error => (Ink::Error, "✗"),
        Severity::Warning => (Ink::Warning, "!"),
        Severity::Advice => (Ink::Faint, "·"),
    };
    let mut line = Line::default()
        .ink(ink, sign)
        .put(" ")
        .ink(Ink::Strong, drift.addr.to_string())
        .put("   ")
        .put(&drift.what);
    if !drift.cause.is_empty() {
        line = line.put("   ").ink(Ink::Faint, &drift.cause);
    }
    page.line(line.hang(4));
    for impact in &drift.impact {
        page.line(Line::plain("    ").hang_here().put(impact));
    }
}
