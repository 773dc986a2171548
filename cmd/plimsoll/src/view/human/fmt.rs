//! What `fmt` rewrote or would rewrite: names, and the difference where it was asked for.

use super::page::{Ink, Line, Page};
use crate::view::Look;
use crate::view::shown::Reformatted;
use similar::{ChangeTag, TextDiff};

pub(super) fn text(files: &[Reformatted], check: bool, look: Look) -> String {
    let mut out = String::new();
    for file in files.iter().filter(|f| f.before != f.after) {
        if file.diff {
            out.push_str(&difference(file).text(Look {
                width: usize::MAX,
                ..look
            }));
            continue;
        }
        let mut page = Page::default();
        let line = Line::plain(&file.file);
        page.line(if check {
            line.put("   not formatted")
        } else {
            line
        });
        out.push_str(&page.text(look));
    }
    out
}

fn difference(file: &Reformatted) -> Page {
    let mut page = Page::default();
    page.line(Ink::Strong.line(format!("--- {}", file.file)));
    page.line(Ink::Strong.line(format!("+++ {}", file.file)));
    let diff = TextDiff::from_lines(&file.before, &file.after);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        page.line(Ink::Faint.line(hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let (ink, sign) = match change.tag() {
                ChangeTag::Equal => (Ink::Plain, ' '),
                ChangeTag::Delete => (Ink::Removed, '-'),
                ChangeTag::Insert => (Ink::Added, '+'),
            };
            let text = change.value();
            page.line(ink.line(format!("{sign}{}", text.trim_end_matches(['\r', '\n']))));
        }
    }
    page
}
