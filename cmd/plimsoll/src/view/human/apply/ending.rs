//! The last words of an apply: what is done, what is not, what that means, and the next command.

use super::{Fate, Steps};
use crate::view::human::page::{Ink, Line, Page};
use crate::view::human::plan::next;
use crate::view::shown::Ending;
use crate::view::words;
use plimsoll_core::model::Kind;
use std::collections::BTreeSet;

pub(super) fn page(ending: &Ending<'_>, steps: &Steps) -> Page {
    let mut page = Page::default();
    page.line("");
    if let Some(why) = ending.state_lost {
        page.line(
            Line::default()
                .ink(Ink::Error, "The state could not be written")
                .put(format!(
                    ": {why}. The run stopped there; the next plan adopts what it finds."
                ))
                .hang(2),
        );
    }

    if !ending.stale.is_empty() {
        stale(ending, &mut page);
    } else if ending.is_halted() {
        page.line(
            Ink::Added
                .line("Expanded")
                .put(format!(
                    ": {} of {} done in {}. Guests have what the new rules need; no rule has changed.",
                    ending.done,
                    words::count(ending.total, "step"),
                    words::time(ending.took)
                ))
                .hang(2),
        );
        next(ending.next, &mut page);
        return page;
    } else if ending.is_complete() {
        page.line(Ink::Added.line("Applied").put(format!(
            ": {} in {}.",
            words::count(ending.done, "step"),
            words::time(ending.took)
        )));
        next(ending.next, &mut page);
        return page;
    } else {
        let verdict = match (ending.interrupted, ending.done) {
            (true, _) => "Interrupted",
            (false, 0) => "Not applied",
            (false, _) => "Applied in part",
        };
        let ink = if ending.done == 0 {
            Ink::Error
        } else {
            Ink::Warning
        };
        page.line(
            Line::default()
                .ink(ink, verdict)
                .put(format!(
                    ": {} of {} done.",
                    ending.done,
                    words::count(ending.total, "step")
                ))
                .hang(2),
        );
        standing(steps, &mut page);
    }
    let command = if ending.stale.is_empty() {
        ending.again
    } else {
        ending.replan
    };
    let failed = names(steps, |fate| fate == &Fate::Failed);
    let mut what = if !ending.stale.is_empty() {
        "Plan again".to_owned()
    } else if failed.is_empty() {
        "Go on from here".to_owned()
    } else {
        format!("Fix {}, then go on from here", words::list(&failed))
    };
    what.push_str(":  ");
    page.gap();
    page.line(Line::plain(what).hang(2).ink(Ink::Strong, command));
    page
}

fn stale(ending: &Ending<'_>, page: &mut Page) {
    page.line(
        Line::default()
            .ink(Ink::Error, "The plan is stale")
            .put(": the world moved since it was made.")
            .hang(2),
    );
    for (target, moved) in ending.stale {
        page.line(
            Line::plain("  ")
                .ink(Ink::Strong, target)
                .put("   ")
                .put(moved.join(", "))
                .hang(6),
        );
    }
    page.line(match ending.done {
        0 => "Nothing was written.".to_owned(),
        done => format!(
            "{} done before that was seen; the state has them.",
            words::count(done, "step")
        ),
    });
}

fn names(steps: &Steps, wanted: impl Fn(&Fate) -> bool) -> Vec<String> {
    let mut names = Vec::new();
    for followed in steps.values().filter(|f| wanted(&f.fate)) {
        let name = followed.addr.to_string();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Who is done, who is not, and whether Azure was touched at all.
fn standing(steps: &Steps, page: &mut Page) {
    let done = names(steps, |f| f == &Fate::Done);
    let open: Vec<String> = names(steps, |f| f != &Fate::Done);
    if !done.is_empty() {
        page.line(
            Line::plain("  done:      ")
                .hang_here()
                .put(done.join(", ")),
        );
    }
    if !open.is_empty() {
        page.line(
            Line::plain("  not done:  ")
                .hang_here()
                .put(open.join(", ")),
        );
    }
    let touched: BTreeSet<Kind> = steps
        .values()
        .filter(|f| !matches!(f.fate, Fate::Skipped | Fate::Waiting))
        .map(|f| f.addr.kind)
        .collect();
    if touched.iter().all(|kind| *kind == Kind::Guest) {
        page.line("  Azure is as before. What was done is in the state; nothing is locked.");
    } else {
        page.line("  What was done is in the state; nothing is locked.");
    }
}
