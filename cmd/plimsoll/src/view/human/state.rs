//! The record, for people.

use super::page::{Ink, Line, Page};
use crate::view::shown::StateShown;
use crate::view::words;
use plimsoll_core::model::Attributes;
use plimsoll_core::state::{Forgotten, Part, Recorded, State, StepStatus};
use plimsoll_store::LockInfo;

pub(super) fn page(shown: &StateShown<'_>) -> Page {
    let mut page = Page::default();
    match shown {
        StateShown::List(state) => {
            for part in state.parts() {
                page.line(part.to_string());
            }
        }
        StateShown::Overview {
            place,
            state,
            holder,
        } => overview(place, state, *holder, &mut page),
        StateShown::Part { part, state } => one(part, state, &mut page),
        StateShown::Forgotten { gone, dry_run } => {
            for (part, forgotten) in *gone {
                forget(part, forgotten, *dry_run, &mut page);
            }
        }
        StateShown::Moved { from, to } => {
            page.line(format!("{from} is {to} in the state from now on."));
            page.line("Name it so in the configuration too, or the next plan deletes it there and creates the other.");
        }
    }
    page
}

/// A word and what it says, in two columns.
fn row(page: &mut Page, word: &str, text: impl AsRef<str>) {
    page.line(Line::plain(word).to(14).hang_here().put(text));
}

fn overview(place: &str, state: &State, holder: Option<&LockInfo>, page: &mut Page) {
    row(page, "state", place);
    row(page, "deployment", &state.deployment);
    row(page, "serial", state.serial.to_string());
    row(page, "lineage", &state.lineage);
    row(
        page,
        "records",
        words::count(state.resources.len(), "resource"),
    );
    if let Some(writer) = &state.written {
        let commit = writer.commit.as_ref().map(|c| format!(", commit {c}"));
        row(
            page,
            "written",
            format!(
                "{} by {}, plimsoll {}{}",
                writer.at,
                writer.by,
                writer.plimsoll_version,
                commit.unwrap_or_default()
            ),
        );
    }
    row(
        page,
        "lock",
        holder.map_or_else(|| "free".to_owned(), LockInfo::to_string),
    );
    if let Some(journal) = &state.journal {
        let done = journal
            .steps
            .values()
            .filter(|s| matches!(s, StepStatus::Done { .. }))
            .count();
        row(
            page,
            "unfinished",
            format!(
                "run {} of {}: {} done, {} begun and not known to be",
                journal.run,
                journal.started,
                words::count(done, "step"),
                journal.steps.len() - done
            ),
        );
    }
    if state.history.is_empty() {
        return;
    }
    page.gap();
    page.line(Ink::Strong.line("Applied, the newest first"));
    for applied in state.history.iter().rev() {
        let how = match (&applied.ended, applied.complete) {
            (Some(_), true) => "",
            (Some(_), false) => ", in part",
            (None, _) => ", not ended",
        };
        let commit = applied.commit.as_ref().map(|c| format!(", commit {c}"));
        page.line(
            Line::plain(format!("  run {}", applied.run))
                .to(14)
                .hang_here()
                .put(format!(
                    "{}{how} by {}, plimsoll {}{}: {}",
                    applied.began,
                    applied.by,
                    applied.plimsoll_version,
                    commit.unwrap_or_default(),
                    words::list(&applied.what)
                )),
        );
    }
}

fn one(part: &Part, state: &State, page: &mut Page) {
    page.line(Ink::Strong.line(part.to_string()));
    match (state.resources.get(&part.addr), &part.item) {
        (Some(Recorded::LoadBalancer { items, .. }), Some((kind, name))) => {
            if let Some(recorded) = items.get(kind).and_then(|names| names.get(name)) {
                attributes(recorded, page);
            }
        }
        (
            Some(
                Recorded::PublicIpPrefix { id, attributes: a }
                | Recorded::PublicIp { id, attributes: a },
            ),
            _,
        ) => {
            row(page, "  id", id.as_str());
            attributes(a, page);
        }
        (
            Some(Recorded::LoadBalancer {
                id, attributes: a, ..
            }),
            None,
        ) => {
            row(page, "  id", id.as_str());
            attributes(a, page);
            let parts = state.parts();
            let mine = parts
                .iter()
                .filter(|p| p.addr == part.addr && p.item.is_some());
            for part in mine {
                page.line(format!("  {part}"));
            }
        }
        (
            Some(Recorded::Guest {
                connection,
                interfaces,
                entries,
                pending,
                ..
            }),
            _,
        ) => {
            row(page, "  reached by", connection.describe());
            for interface in interfaces {
                let pools: Vec<String> = interface
                    .backend_pools
                    .iter()
                    .map(|pool| pool.name().to_owned())
                    .collect();
                row(
                    page,
                    "  interface",
                    format!(
                        "{} {} in {}",
                        interface.id,
                        interface.ip_configuration,
                        if pools.is_empty() {
                            "no pool".to_owned()
                        } else {
                            words::list(&pools)
                        }
                    ),
                );
            }
            for entry in entries {
                row(page, "  entry", entry.to_string());
            }
            if *pending {
                row(
                    page,
                    "  pending",
                    "it left the configuration and could not be undone yet",
                );
            }
        }
        (None, _) => {}
    }
}

fn attributes(attributes: &Attributes, page: &mut Page) {
    for (name, value) in attributes {
        page.line(
            Line::plain(format!("  {name}"))
                .to(34)
                .hang_here()
                .put(value.to_string()),
        );
    }
}

fn forget(part: &Part, forgotten: &Forgotten, dry_run: bool, page: &mut Page) {
    let verb = if dry_run { "Would forget" } else { "Forgot" };
    page.gap();
    page.line(format!("{verb} {part}."));
    if !forgotten.entries.is_empty() {
        let entries: Vec<String> = forgotten.entries.iter().map(ToString::to_string).collect();
        page.line(
            Line::plain("  stays in the guest, still claimed by this deployment: ")
                .hang(4)
                .put(words::list(&entries)),
        );
        page.line("  Declared again, the next apply takes it up. To take it out of the guest, do not forget the guest: remove it from the configuration and apply.");
    } else if part.item.is_some() {
        page.line("  It stays in Azure, foreign from now on: kept in every write, never deleted.");
    } else {
        page.line("  It stays in Azure. Declared again, the next plan adopts it.");
    }
}
