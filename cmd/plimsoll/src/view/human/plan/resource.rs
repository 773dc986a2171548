//! One block for a public IP or a load balancer: what it is, what changes in it, what is not ours in it.

use super::closing::Mentioned;
use super::folding;
use crate::view::human::page::{Ink, Line, Page};
use crate::view::words;
use plimsoll_core::model::{Attr, FieldDiff, ItemKind, Kind};
use plimsoll_core::plan::{Action, Change, ItemChange, Plan};

pub(super) fn ink(action: Action) -> Ink {
    match action {
        Action::NoOp => Ink::Plain,
        Action::Create => Ink::Added,
        Action::Update | Action::Replace | Action::Adopt => Ink::Changed,
        Action::Delete | Action::Forget => Ink::Removed,
    }
}

/// `load_balancer.web   Standard · rg-web · westeurope   adopted`
pub(super) fn title(change: &Change) -> Line {
    let mut line = Line::default();
    // A resource that is only the place of changes needs no sign of its own.
    let is_guest = change.addr.kind == Kind::Guest;
    if !is_guest && !matches!(change.action, Action::NoOp | Action::Update) {
        line = line
            .ink(ink(change.action), words::symbol(change.action))
            .put(" ");
    }
    line = line.ink(Ink::Strong, change.addr.to_string());
    if !change.about.is_empty() {
        line = line.put("   ").ink(Ink::Faint, &change.about);
    }
    match change.action {
        Action::Create => line.put("   created"),
        Action::Adopt if is_guest => {
            line.put("   adopted: what it holds for us is recorded from now on")
        }
        Action::Adopt => line.put("   adopted: it exists and is ours from now on"),
        Action::Forget => line.put("   no longer looked after"),
        // The machine stays; only what we made in it goes.
        Action::Delete if is_guest => line.put("   undone"),
        Action::Delete | Action::Replace => line.put("   ").ink(
            Ink::Removed,
            words::spelled(change.action).unwrap_or_default(),
        ),
        Action::NoOp | Action::Update => line,
    }
    .hang(4)
}

pub(super) fn block(change: &Change, plan: &Plan, mentioned: &mut Mentioned, page: &mut Page) {
    page.line(title(change));
    if change.action != Action::Create {
        fields(&change.fields, 4, page);
    }
    let names = name_column(change);
    for kind in ItemKind::ALL {
        for action in [
            Action::Delete,
            Action::Replace,
            Action::Update,
            Action::Create,
            Action::Adopt,
            Action::Forget,
        ] {
            let like: Vec<&ItemChange> = change
                .items
                .iter()
                .filter(|i| i.kind == kind && i.action == action)
                .collect();
            for item in like.iter().take(folding::shown(like.len(), page.detail())) {
                page.line(item_line(item, names));
                if item.action != Action::Create {
                    fields(&item.fields, 6, page);
                }
            }
            if let Some(rest) = folding::rest(like.len(), words::item_noun(kind), page.detail()) {
                page.line(Line::plain(format!("  {} {rest}", words::symbol(action))));
            }
        }
    }
    foreign(change, names, page);
    for note in &change.notes {
        page.line(Line::plain("    ").hang_here().put(note));
    }
    mentioned.findings_of(&change.addr, plan, page);
}

/// Where the descriptions start, so that they stand below each other.
fn name_column(change: &Change) -> usize {
    let widest = change
        .items
        .iter()
        .filter(|i| i.action != Action::NoOp)
        .map(|i| words::item_noun(i.kind).len() + i.name.chars().count() + 3)
        .max()
        .unwrap_or(0);
    4 + widest.min(36) + 2
}

fn item_line(item: &ItemChange, names: usize) -> Line {
    let mut line = Line::plain("  ")
        .ink(ink(item.action), words::symbol(item.action))
        .put(format!(" {} {:?}", words::item_noun(item.kind), item.name))
        .to(names)
        .hang_here()
        .put(&item.about);
    if let Some(word) = words::spelled(item.action) {
        line = line.put("   ").ink(ink(item.action), word);
    }
    line
}

/// `    rule "legacy"   not ours, kept`
fn foreign(change: &Change, names: usize, page: &mut Page) {
    for kind in ItemKind::ALL {
        let like: Vec<&str> = change
            .foreign
            .iter()
            .filter(|f| f.kind == kind)
            .map(|f| f.name.as_str())
            .collect();
        let noun = words::item_noun(kind);
        match like.as_slice() {
            [] => {}
            [one] => page.line(
                Line::plain(format!("    {noun} {one:?}"))
                    .to(names)
                    .hang_here()
                    .ink(Ink::Faint, "not ours, kept"),
            ),
            many => {
                let shown = folding::shown(many.len(), page.detail());
                let mut names_of: Vec<String> =
                    many.iter().take(shown).map(|n| format!("{n:?}")).collect();
                if many.len() > shown {
                    names_of.push(format!("{} more", many.len() - shown));
                }
                page.line(
                    Line::plain(format!("    {}", words::count(many.len(), noun)))
                        .to(names)
                        .hang_here()
                        .ink(Ink::Faint, "not ours, kept: ")
                        .put(words::list(&names_of)),
                );
            }
        }
    }
}

/// `      idle_timeout_in_minutes   4 → 15`
fn fields(fields: &[FieldDiff], indent: usize, page: &mut Page) {
    let widest = fields.iter().map(|f| f.name.len()).max().unwrap_or(0);
    for field in fields {
        let name = Line::plain(format!("{}{}", " ".repeat(indent), field.name));
        if let Some(elements) = elements(field.before.as_ref(), field.after.as_ref()) {
            page.line(name);
            for (ink, sign, element) in elements {
                page.line(
                    Line::plain(" ".repeat(indent + 2))
                        .ink(ink, sign)
                        .put(format!(" {element}"))
                        .hang(indent + 4),
                );
            }
            continue;
        }
        let (before, after) = value_pair(field.before.as_ref(), field.after.as_ref());
        page.line(
            name.to(indent + widest + 3)
                .hang_here()
                .put(before)
                .put(" → ")
                .put(after),
        );
    }
}

/// Lists and maps of more than one element: those that come and go, each on a line of its own.
fn elements(
    before: Option<&Attr>,
    after: Option<&Attr>,
) -> Option<Vec<(Ink, &'static str, String)>> {
    let of = |value: &Attr| match value {
        Attr::List(list) => Some(list.iter().map(|t| shortened(t)).collect::<Vec<_>>()),
        Attr::Map(map) => Some(map.iter().map(|(k, v)| format!("{k} = {v:?}")).collect()),
        Attr::Bool(_) | Attr::Int(_) | Attr::Text(_) => None,
    };
    let (before, after) = (of(before?)?, of(after?)?);
    if before.len().max(after.len()) < 2 {
        return None;
    }
    let changed = similar::capture_diff_slices(similar::Algorithm::Myers, &before, &after)
        .iter()
        .flat_map(|op| op.iter_changes(&before, &after))
        .filter_map(|change| match change.tag() {
            similar::ChangeTag::Equal => None,
            similar::ChangeTag::Delete => Some((Ink::Removed, "-", change.value())),
            similar::ChangeTag::Insert => Some((Ink::Added, "+", change.value())),
        })
        .collect::<Vec<_>>();
    // Ids that differ only in what was shortened away are shown whole instead.
    (!changed.is_empty()).then_some(changed)
}

/// Ids are shortened to what tells them apart, unless that is the same on both sides.
fn value_pair(before: Option<&Attr>, after: Option<&Attr>) -> (String, String) {
    let long = |value: Option<&Attr>| value.map_or("(not set)".to_owned(), ToString::to_string);
    let short = |value: Option<&Attr>| match value {
        None => "(not set)".to_owned(),
        Some(Attr::Text(text)) => shortened(text),
        Some(Attr::List(list)) => {
            format!(
                "[{}]",
                list.iter()
                    .map(|t| shortened(t))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        Some(other @ (Attr::Bool(_) | Attr::Int(_) | Attr::Map(_))) => other.to_string(),
    };
    let pair = (short(before), short(after));
    if pair.0 == pair.1 {
        (long(before), long(after))
    } else {
        pair
    }
}

pub(super) fn shortened(text: &str) -> String {
    if !text.starts_with("/subscriptions/") {
        return text.to_owned();
    }
    let mut last = text.trim_end_matches('/').rsplit('/');
    match (last.next(), last.next()) {
        (Some(name), Some(kind)) => format!("{kind}/{name}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Look;

    #[test]
    fn of_a_list_or_a_map_only_what_differs_is_shown() {
        let map = |pairs: &[(&str, &str)]| {
            Some(Attr::Map(
                pairs
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
            ))
        };
        let mut page = Page::default();
        fields(
            &[FieldDiff {
                name: "tags".to_owned(),
                before: map(&[("env", "test"), ("owner", "net"), ("old", "1")]),
                after: map(&[("env", "prod"), ("owner", "net")]),
            }],
            4,
            &mut page,
        );
        assert_eq!(
            page.text(Look::plain(80)),
            "    tags\n      - env = \"test\"\n      - old = \"1\"\n      + env = \"prod\"\n"
        );
    }
}
