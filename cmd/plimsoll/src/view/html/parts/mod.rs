//! The parts of the page. Long lists fold: some stand for the rest, and the rest is counted.

mod changes;
mod findings;
mod head;
mod picture;
mod steps;

pub(super) use changes::changes;
pub(super) use findings::{drift, findings, moved, pending};
pub(super) use head::{alarms, counts, left_out, reads, unread};
pub(super) use picture::{map, topology};
pub(super) use steps::{next, order, scripts, story, traffic};

use super::{code, escaped};
use crate::view::{PlanShown, words};
use std::fmt::Write as _;

/// A page with more of one kind than this is not read but searched, and the JSON is better for that.
const MOST: usize = 100;

fn more(total: usize, noun: &str) -> String {
    if total <= MOST {
        return String::new();
    }
    let rest = words::count(total - MOST, &format!("more {noun}"));
    format!("<p class=\"note\">… and {rest}: the JSON output lists all.</p>\n")
}

/// `web.plim.hcl:31`, as a link where the host has a page for it.
fn at(shown: &PlanShown<'_>, addr: &plimsoll_core::model::Addr, text: &str) -> Option<String> {
    let place = shown.places.of(addr, text)?;
    let words = code(&format!("{}:{}", place.file, place.line));
    Some(match shown.places.link(&place) {
        Some(link) => format!("<a href=\"{}\">{words}</a>", escaped(&link)),
        None => words,
    })
}

fn alarm(id: &str, heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "<section class=\"alarm\" aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n<ul>\n"
    );
    for line in lines.iter().take(MOST) {
        let _ = writeln!(out, "<li>{line}</li>");
    }
    out.push_str("</ul>\n");
    if lines.len() > MOST {
        let _ = writeln!(out, "<p>… and {} more.</p>", lines.len() - MOST);
    }
    out.push_str("</section>\n");
    out
}
