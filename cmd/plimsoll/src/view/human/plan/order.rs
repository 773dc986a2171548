//! The steps in order, those that do the same at once on one line, and why one waits for another.

use super::folding;
use crate::view::human::page::{Ink, Line, Page};
use crate::view::words;
use plimsoll_core::plan::{Phase, Plan, Step, StepId};
use std::collections::BTreeSet;

const NAMES: usize = 4;

struct Row<'a> {
    phase: Phase,
    title: &'a str,
    steps: Vec<&'a Step>,
}

pub(super) fn section(plan: &Plan, page: &mut Page) {
    if plan.steps.is_empty() {
        return;
    }
    let mut rows: Vec<Row<'_>> = Vec::new();
    for step in &plan.steps {
        match rows.last_mut() {
            Some(row) if row.phase == step.phase && row.title == step.title => row.steps.push(step),
            _ => rows.push(Row {
                phase: step.phase,
                title: &step.title,
                steps: vec![step],
            }),
        }
    }
    page.gap();
    page.line(Ink::Strong.line("Order"));
    let names = rows
        .iter()
        .map(|r| who(r).chars().count())
        .max()
        .unwrap_or(0)
        .min(48);
    let numbers = rows
        .iter()
        .map(|r| range(r).chars().count())
        .max()
        .unwrap_or(0);
    let mut phase = None;
    let total = rows.len();
    for row in rows.iter().take(folding::shown(total, page.detail())) {
        let word = if phase == Some(row.phase) {
            ""
        } else {
            words::phase(row.phase)
        };
        phase = Some(row.phase);
        page.line(
            Line::plain("  ")
                .ink(Ink::Faint, format!("{word:<8}"))
                .put(format!("  {:>numbers$}  {}", range(row), who(row)))
                .to(14 + numbers + names + 3)
                .hang_here()
                .put(row.title),
        );
        for why in reasons(row) {
            page.line(
                Line::plain(" ".repeat(14 + numbers))
                    .hang_here()
                    .ink(Ink::Faint, why),
            );
        }
    }
    if let Some(rest) = folding::rest(total, "step", page.detail()) {
        page.line(format!("  {rest}"));
    }
}

fn range(row: &Row<'_>) -> String {
    numbers(row.steps.iter().map(|s| s.id))
}

/// `3`, `1–4`, `1, 5–6`
fn numbers(ids: impl Iterator<Item = StepId>) -> String {
    let ids: BTreeSet<u32> = ids.map(|id| id.0).collect();
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == id => *end = id,
            _ => runs.push((id, id)),
        }
    }
    let texts: Vec<String> = runs
        .into_iter()
        .map(|(start, end)| {
            if start == end {
                start.to_string()
            } else {
                format!("{start}–{end}")
            }
        })
        .collect();
    texts.join(", ")
}

fn who(row: &Row<'_>) -> String {
    let mut names: Vec<String> = Vec::new();
    for step in &row.steps {
        let name = step.addr.to_string();
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
    if names.len() > NAMES {
        let more = names.len() - NAMES + 1;
        names.truncate(NAMES - 1);
        return format!("{} and {more} more", names.join(", "));
    }
    names.join(", ")
}

/// `after 1–2: rule "purple" goes live only where its address is`
fn reasons(row: &Row<'_>) -> Vec<String> {
    let mut whys: Vec<&str> = Vec::new();
    for edge in row.steps.iter().flat_map(|s| &s.after) {
        if !whys.contains(&edge.why.as_str()) {
            whys.push(&edge.why);
        }
    }
    whys.into_iter()
        .map(|why| {
            let edges = row
                .steps
                .iter()
                .flat_map(|s| &s.after)
                .filter(|e| e.why == why);
            format!("after {}: {why}", numbers(edges.map(|e| e.step)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_numbers_run_together() {
        assert_eq!(
            numbers([5, 1, 2, 3, 6, 9].into_iter().map(StepId)),
            "1–3, 5–6, 9"
        );
        assert_eq!(numbers([4].into_iter().map(StepId)), "4");
    }
}
