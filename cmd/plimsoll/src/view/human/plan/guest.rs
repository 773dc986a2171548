//! What changes inside the guests. Guests in which the same happens share one block.

use super::closing::Mentioned;
use super::folding;
use super::resource;
use crate::view::guests::{Block, blocks};
use crate::view::human::page::{Line, Page};
use crate::view::words;
use plimsoll_core::plan::Plan;

/// Names are listed up to this many; more are counted.
const NAMES: usize = 6;

pub(super) fn section(plan: &Plan, mentioned: &mut Mentioned, page: &mut Page) {
    let blocks = blocks(plan);
    let total = blocks.len();
    for block in blocks.iter().take(folding::shown(total, page.detail())) {
        page.gap();
        print(block, page);
        for guest in &block.guests {
            mentioned.mark(&guest.addr);
        }
    }
    if let Some(rest) = folding::rest(total, "guest", page.detail()) {
        page.gap();
        page.line(rest);
    }
}

pub(super) fn print(block: &Block<'_>, page: &mut Page) {
    let first = block.guests[0];
    let mut title = resource::title(first);
    match block.guests.as_slice() {
        [] | [_] => {}
        [_, others @ ..] => {
            let mut names: Vec<String> = others
                .iter()
                .take(NAMES)
                .map(|c| c.addr.to_string())
                .collect();
            if others.len() > NAMES {
                names.push(format!("{} more", others.len() - NAMES));
            }
            title = title
                .to(60)
                .put(format!("{}: the same", words::list(&names)));
        }
    }
    page.line(title);
    let what = 4 + block
        .rows
        .iter()
        .map(|r| r.what.chars().count())
        .max()
        .unwrap_or(0)
        .min(66);
    let purpose = what
        + 3
        + block
            .rows
            .iter()
            .map(|r| r.purpose.chars().count())
            .max()
            .unwrap_or(0)
            .min(36);
    for row in &block.rows {
        let mut line = Line::plain("  ")
            .ink(resource::ink(row.action), words::symbol(row.action))
            .put(format!(" {}", row.what));
        if !row.purpose.is_empty() {
            line = line.to(what + 3).hang_here().put(&row.purpose);
        }
        if !row.aside.is_empty() {
            line = line.to(purpose + 3).put(format!("({})", row.aside));
        }
        page.line(line);
    }
    for finding in &block.findings {
        page.line(super::closing::finding_line(finding, 2));
        for note in &finding.notes {
            page.line(Line::plain("      ").hang_here().put(note));
        }
    }
    for note in &first.notes {
        page.line(Line::plain("    ").hang_here().put(note));
    }
}
