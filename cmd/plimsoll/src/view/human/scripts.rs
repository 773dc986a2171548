//! The scripts of a plan, before the plan: what a person needs last stands last.

use super::page::{Ink, Page};
use crate::view::scripts::shown;
use crate::view::{GuestScript, Look};

pub(super) fn text(scripts: &[GuestScript], look: Look) -> String {
    let mut out = String::new();
    for script in shown(scripts) {
        let mut title = Page::default();
        title.line(Ink::Strong.line(format!("Script of {}", script.title())));
        out.push_str(&title.text(look));
        for line in script.text().lines() {
            let ink = match (script.language(), line.chars().next()) {
                ("diff", Some('+')) => Ink::Added,
                ("diff", Some('-')) => Ink::Removed,
                ("diff", Some('@')) => Ink::Faint,
                _ => Ink::Plain,
            };
            // Whoever copies a line wants it whole, tabs included: nothing folds here.
            out.push_str(&ink.paint(line, look));
            out.push('\n');
        }
        out.push('\n');
    }
    out
}
