//! Each resource that changes, and each guest.

use super::super::escaped;
use super::{MOST, at, more};
use crate::view::guests::{self, Block};
use crate::view::picture::Tone;
use crate::view::{PlanShown, words};
use plimsoll_core::model::{FieldDiff, Kind};
use plimsoll_core::plan::{Action, Change, ItemChange};
use std::fmt::Write as _;

fn tone(action: Action) -> Tone {
    match action {
        Action::NoOp => Tone::Same,
        Action::Create => Tone::Added,
        Action::Update | Action::Adopt => Tone::Changed,
        Action::Replace | Action::Delete => Tone::Deleted,
        Action::Forget => Tone::Foreign,
    }
}

fn tag(action: Action) -> String {
    let word = match action {
        Action::NoOp => "the same",
        Action::Create => "added",
        Action::Update => "changed",
        Action::Replace => "replaced",
        Action::Delete => "deleted",
        Action::Adopt => "adopted",
        Action::Forget => "forgotten",
    };
    format!("<span class=\"tag {}\">{word}</span>", tone(action).class())
}

pub(in crate::view::html) fn changes(shown: &PlanShown<'_>) -> String {
    let plan = shown.plan;
    let mut out = String::new();
    let azure: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|c| c.addr.kind != Kind::Guest && c.is_news())
        .collect();
    for change in azure.iter().take(MOST) {
        resource(change, shown, &mut out);
    }
    out.push_str(&more(azure.len(), "resource"));
    let blocks = guests::blocks(plan);
    for block in blocks.iter().take(MOST) {
        guest(block, shown, &mut out);
    }
    out.push_str(&more(blocks.len(), "guest"));
    out
}

/// Address, what it is, and where it stands.
fn card(change: &Change, also: &str, shown: &PlanShown<'_>, out: &mut String) {
    let _ = write!(
        out,
        "<article class=\"card\">\n<h3><code>{}</code>{also}</h3>\n<p class=\"about\">",
        escaped(&change.addr.to_string())
    );
    let mut about = Vec::new();
    if !change.about.is_empty() {
        about.push(escaped(&change.about));
    }
    about.extend(at(shown, &change.addr, ""));
    out.push_str(&about.join(" · "));
    out.push_str("</p>\n");
}

fn resource(change: &Change, shown: &PlanShown<'_>, out: &mut String) {
    let also = match change.action {
        Action::NoOp | Action::Update => String::new(),
        Action::Create | Action::Replace | Action::Delete | Action::Adopt | Action::Forget => {
            format!(" {}", tag(change.action))
        }
    };
    card(change, &also, shown, out);
    let list = List::open(out);
    if change.action != Action::Create && !change.fields.is_empty() {
        let _ = writeln!(
            out,
            "<li>{}<div class=\"what\">its own attributes{}</div></li>",
            tag(Action::Update),
            fields(&change.fields)
        );
    }
    let items: Vec<&ItemChange> = [
        Action::Delete,
        Action::Replace,
        Action::Update,
        Action::Create,
        Action::Adopt,
        Action::Forget,
    ]
    .into_iter()
    .flat_map(|action| change.items.iter().filter(move |i| i.action == action))
    .collect();
    for item in items.iter().take(MOST) {
        let fields = if item.action == Action::Create {
            String::new()
        } else {
            fields(&item.fields)
        };
        let _ = writeln!(
            out,
            "<li>{}<div class=\"what\">{} <strong>{}</strong> <span class=\"aside\">{}</span>{fields}</div></li>",
            tag(item.action),
            words::item_noun(item.kind),
            escaped(&item.name),
            escaped(&item.about),
        );
    }
    if !change.foreign.is_empty() {
        const NAMED: usize = 12;
        let mut names: Vec<String> = change
            .foreign
            .iter()
            .take(NAMED)
            .map(|f| format!("{} {:?}", words::item_noun(f.kind), f.name))
            .collect();
        if change.foreign.len() > NAMED {
            names.push(format!("{} more", change.foreign.len() - NAMED));
        }
        let _ = writeln!(
            out,
            "<li><span class=\"tag\">not ours, kept</span><div class=\"what aside\">{}</div></li>",
            escaped(&words::list(&names))
        );
    }
    notes(&change.notes, out);
    list.close(out);
    out.push_str(&more(items.len(), "part"));
    out.push_str("</article>\n");
}

/// A list that is not there when nothing was put into it.
struct List {
    start: usize,
    content: usize,
}

impl List {
    fn open(out: &mut String) -> Self {
        let start = out.len();
        out.push_str("<ul class=\"items\">\n");
        Self {
            start,
            content: out.len(),
        }
    }

    fn close(self, out: &mut String) {
        if out.len() == self.content {
            out.truncate(self.start);
        } else {
            out.push_str("</ul>\n");
        }
    }
}

fn notes(notes: &[String], out: &mut String) {
    for note in notes {
        let _ = writeln!(
            out,
            "<li><span class=\"tag\">note</span><div class=\"what\">{}</div></li>",
            escaped(note)
        );
    }
}

fn fields(fields: &[FieldDiff]) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let mut out = String::from("<ul>");
    for field in fields {
        let text = |value: &Option<plimsoll_core::model::Attr>| {
            value
                .as_ref()
                .map_or("(not set)".to_owned(), ToString::to_string)
        };
        let _ = write!(
            out,
            "<li><code>{}</code> <del>{}</del> → <ins>{}</ins></li>",
            escaped(&field.name),
            escaped(&text(&field.before)),
            escaped(&text(&field.after))
        );
    }
    out.push_str("</ul>");
    out
}

fn guest(block: &Block<'_>, shown: &PlanShown<'_>, out: &mut String) {
    const NAMED: usize = 6;
    let first = block.guests[0];
    let also = match &block.guests[1..] {
        [] => String::new(),
        others => {
            let mut names: Vec<String> = others
                .iter()
                .take(NAMED)
                .map(|g| g.addr.to_string())
                .collect();
            if others.len() > NAMED {
                names.push(format!("{} more", others.len() - NAMED));
            }
            format!(
                " <small>and the same in {}</small>",
                escaped(&words::list(&names))
            )
        }
    };
    card(first, &also, shown, out);
    out.push_str("<ul class=\"items\">\n");
    for row in block.rows.iter().take(MOST) {
        let aside: Vec<&str> = [row.purpose.as_str(), row.aside.as_str()]
            .into_iter()
            .filter(|t| !t.is_empty())
            .collect();
        let _ = writeln!(
            out,
            "<li>{}<div class=\"what\">{} <span class=\"aside\">{}</span></div></li>",
            tag(row.action),
            escaped(&row.what),
            escaped(&aside.join(" · "))
        );
    }
    notes(&first.notes, out);
    out.push_str("</ul>\n");
    out.push_str(&more(block.rows.len(), "part"));
    out.push_str("</article>\n");
}
