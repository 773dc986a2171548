//! The way of the packets: a column for each member where they fit side by side, otherwise one below the other.

use super::page::{Ink, Line, Page};
use crate::context::quoted;
use crate::view::{Look, TraceShown, words};
use plimsoll_core::model::Addr;
use plimsoll_core::plan::{
    Basis, Fix, Hop, HopKind, HopState, MemberTrace, MemberVerdict, Route, Trace,
};
use std::collections::BTreeSet;

/// More columns than these are compared by nobody.
const MOST_COLUMNS: usize = 3;
/// Names, fixes and neighbours are listed up to this many.
const MOST_NAMES: usize = 5;

pub(super) fn page(shown: &TraceShown<'_>, look: Look) -> Page {
    let mut page = Page::default();
    for trace in shown.traces {
        page.gap();
        if trace.routes.is_empty() {
            nobody(trace, &mut page);
        }
        for route in &trace.routes {
            page.gap();
            headline(trace, route, &mut page);
            page.gap();
            if !columns(route, look, &mut page) {
                blocks(route, &mut page);
            }
            page.gap();
            closing(route, shown.apply, &mut page);
        }
    }
    let unread: BTreeSet<&String> = shown.traces.iter().flat_map(|t| &t.unread).collect();
    for why in unread {
        page.line(Line::default().ink(Ink::Warning, "! ").put(why).hang(2));
    }
    page
}

fn nobody(trace: &Trace, page: &mut Page) {
    page.line(
        Line::default()
            .ink(Ink::Error, "✗ ")
            .put(format!("no rule takes {}", trace.destination))
            .put(match trace.basis {
                Basis::Observed => "",
                Basis::Desired => ", even once the configuration is applied",
            })
            .hang(2),
    );
    if trace.near.is_empty() {
        page.line("  There is no rule with a known frontend address.");
    }
    for near in trace.near.iter().take(MOST_NAMES) {
        page.line(Line::plain("  ").hang_here().put(near));
    }
    if trace.near.len() > MOST_NAMES {
        page.line(format!("  and {} more", trace.near.len() - MOST_NAMES));
    }
    if trace.basis == Basis::Observed {
        page.line("  A rule that is not applied yet is traced with --desired.");
    }
}

/// `65.52.0.1:80/tcp → load_balancer.web, frontend "green", rule "green" (floating IP) → pool "vms"`
fn headline(trace: &Trace, route: &Route, page: &mut Page) {
    let balancer = route.addr.as_ref().map_or_else(
        || {
            format!(
                "load balancer {:?} (not declared here)",
                route.load_balancer.name()
            )
        },
        ToString::to_string,
    );
    let noun = if route.inbound_nat {
        "inbound NAT rule"
    } else {
        "rule"
    };
    let floating = if route.floating_ip {
        "floating IP"
    } else {
        "no floating IP"
    };
    let pools: Vec<String> = route.pools.iter().map(|p| format!("{p:?}")).collect();
    let pools = match pools.len() {
        0 => String::new(),
        1 => format!(" → pool {}", pools.join("")),
        _ => format!(" → pools {}", words::list(&pools)),
    };
    page.line(
        Ink::Strong
            .line(trace.destination.to_string())
            .put(format!(
                " → {balancer}, frontend {:?}, {noun} {:?} ({floating}){pools}",
                route.frontend, route.rule
            ))
            .hang(2),
    );
}

fn sign(hop: &Hop) -> (Ink, &'static str) {
    match hop.state {
        HopState::Passes => (Ink::Plain, ""),
        HopState::AfterApply => (Ink::Changed, "~ "),
        HopState::Broken => (Ink::Error, "✗ "),
        HopState::Unknown => (Ink::Warning, "? "),
        HopState::NotAsked => (Ink::Faint, "– "),
    }
}

fn text(hop: &Hop) -> String {
    let (_, sign) = sign(hop);
    let later = if hop.state == HopState::AfterApply {
        ": apply mends it"
    } else {
        ""
    };
    format!("{sign}{}{later}", hop.what)
}

fn ink(hop: &Hop) -> Ink {
    sign(hop).0
}

fn verdict(member: &MemberTrace) -> (Ink, String) {
    match member.verdict {
        MemberVerdict::Serves if member.hops.iter().any(|h| h.state == HopState::AfterApply) => {
            (Ink::Changed, "serves after apply".to_owned())
        }
        MemberVerdict::Serves => (Ink::Added, "serves".to_owned()),
        MemberVerdict::Broken { .. } => (Ink::Error, "does not serve".to_owned()),
        MemberVerdict::Passive => (Ink::Plain, "passive member of the cluster".to_owned()),
        MemberVerdict::NotJudged => (Ink::Faint, "not judged inside".to_owned()),
        MemberVerdict::Unknown { .. } => (Ink::Warning, "not known".to_owned()),
    }
}

/// Side by side; `false` where that does not fit.
fn columns(route: &Route, look: Look, page: &mut Page) -> bool {
    let members = &route.members;
    if members.is_empty() || members.len() > MOST_COLUMNS {
        return members.is_empty() && {
            page.line("  The pool has no member.");
            true
        };
    }
    let width_of = |member: &MemberTrace| {
        let texts = member.hops.iter().map(text);
        let all = texts.chain([member.name.clone(), verdict(member).1]);
        all.map(|t| console::measure_text_width(&t))
            .max()
            .unwrap_or(0)
    };
    let mut starts = vec![12];
    for member in members {
        let last = starts.last().copied().unwrap_or(12);
        starts.push(last + width_of(member) + 3);
    }
    if starts.last().copied().unwrap_or(0) > look.width.saturating_add(3) {
        return false;
    }
    let kinds: BTreeSet<HopKind> = members
        .iter()
        .flat_map(|m| &m.hops)
        .map(|h| h.kind)
        .collect();
    let mut heading = Line::default();
    for (member, start) in members.iter().zip(&starts) {
        heading = heading.to(*start).ink(Ink::Strong, &member.name);
    }
    page.line(heading);
    for kind in kinds {
        let mut line = Line::plain(kind.word());
        for (member, start) in members.iter().zip(&starts) {
            line = match member.hops.iter().find(|h| h.kind == kind) {
                Some(hop) => line.to(*start).ink(ink(hop), text(hop)),
                None => line.to(*start).ink(Ink::Faint, "–"),
            };
        }
        page.line(line);
    }
    let mut line = Line::plain("verdict");
    for (member, start) in members.iter().zip(&starts) {
        let (ink, word) = verdict(member);
        line = line.to(*start).ink(ink, word);
    }
    page.line(line);
    true
}

/// One below the other: the first of those that do not simply serve in full, all others by name.
fn blocks(route: &Route, page: &mut Page) {
    let few = route.members.len() <= MOST_COLUMNS;
    let (full, mut folded): (Vec<&MemberTrace>, Vec<&MemberTrace>) = route
        .members
        .iter()
        .partition(|m| few || m.verdict != MemberVerdict::Serves);
    let (full, more) = full.split_at(full.len().min(MOST_COLUMNS));
    for member in full {
        page.gap();
        let (ink, word) = verdict(member);
        page.line(Ink::Strong.line(&member.name).put("  ").ink(ink, word));
        for hop in &member.hops {
            page.line(
                Line::plain("  ")
                    .put(hop.kind.word())
                    .to(12)
                    .hang_here()
                    .ink(self::ink(hop), text(hop)),
            );
        }
    }
    folded.extend(more);
    let mut alike: Vec<((Ink, String), Vec<&MemberTrace>)> = Vec::new();
    for member in folded {
        let word = verdict(member);
        match alike.iter_mut().find(|(known, _)| *known == word) {
            Some((_, members)) => members.push(member),
            None => alike.push((word, vec![member])),
        }
    }
    page.gap();
    for ((ink, word), members) in alike {
        let line = Line::plain(named(&members)).put(": ").ink(ink, word);
        page.line(line.hang(2));
    }
}

/// What the members that do not serve do to traffic, and what mends it.
fn closing(route: &Route, apply: &str, page: &mut Page) {
    notes(route, page);
    page.gap();
    let mut alike: Vec<(String, Vec<&MemberTrace>)> = Vec::new();
    for member in &route.members {
        if let MemberVerdict::Broken { at } = member.verdict {
            let what = consequence(member, at, route.receivers());
            match alike.iter_mut().find(|(known, _)| *known == what) {
                Some((_, members)) => members.push(member),
                None => alike.push((what, vec![member])),
            }
        }
    }
    for (what, members) in alike {
        let line = Ink::Strong.line(named(&members));
        page.line(line.put(format!(" · {what}")).hang(4));
        let fixes = fixes(&members, apply);
        for (index, fix) in fixes.iter().take(MOST_NAMES).enumerate() {
            let word = if index == 0 { "  Fix: " } else { "  and: " };
            page.line(Line::plain(word).hang_here().put(fix));
        }
        if fixes.len() > MOST_NAMES {
            page.line(format!("  and {} more", fixes.len() - MOST_NAMES));
        }
    }
}

/// Apply, where it mends something, and each thing that a person has to do. Where one guest is broken, its own part is
/// enough.
fn fixes(members: &[&MemberTrace], apply: &str) -> Vec<String> {
    let mut mended: BTreeSet<&Addr> = BTreeSet::new();
    let mut by_hand: Vec<String> = Vec::new();
    let broken = members
        .iter()
        .flat_map(|m| &m.hops)
        .filter(|h| h.state == HopState::Broken);
    for fix in broken.filter_map(|h| h.fix.as_ref()) {
        match fix {
            Fix::Apply { guest } => {
                mended.insert(guest);
            }
            Fix::Hand { what } if by_hand.contains(what) => {}
            Fix::Hand { what } => by_hand.push(what.clone()),
        }
    }
    let mut all = Vec::new();
    match mended.into_iter().collect::<Vec<_>>().as_slice() {
        [] => {}
        [guest] => all.push(format!("{apply} --target {}", quoted(&guest.to_string()))),
        _ => all.push(apply.to_owned()),
    }
    all.extend(by_hand);
    all
}

/// Each note once, with the members that it is about.
fn notes(route: &Route, page: &mut Page) {
    let mut said: Vec<(HopKind, &str, Vec<&MemberTrace>)> = Vec::new();
    for member in &route.members {
        // Apply mends what is so now: what it does to packets is no news of the world after it.
        let now = |hop: &&Hop| !matches!(hop.state, HopState::NotAsked | HopState::AfterApply);
        let asked = member.hops.iter().filter(now);
        for (hop, note) in asked.flat_map(|hop| hop.notes.iter().map(move |note| (hop, note))) {
            let known = said
                .iter_mut()
                .find(|(kind, text, _)| *kind == hop.kind && text == note);
            match known {
                Some((_, _, members)) => members.push(member),
                None => said.push((hop.kind, note, vec![member])),
            }
        }
    }
    for (kind, note, members) in said {
        page.line(
            Line::default()
                .ink(
                    Ink::Faint,
                    format!("{}, {}: ", kind.word(), named(&members)),
                )
                .put(note)
                .hang(4),
        );
    }
}

/// The first few, and how many more.
fn named(members: &[&MemberTrace]) -> String {
    let names: Vec<String> = members.iter().map(|m| m.name.clone()).collect();
    match names.len().saturating_sub(MOST_NAMES) {
        0 => words::list(&names),
        more => format!("{} and {more} more", names[..MOST_NAMES].join(", ")),
    }
}

fn consequence(member: &MemberTrace, at: HopKind, receivers: usize) -> String {
    match at {
        HopKind::Pool => "nothing arrives, not in the pool".to_owned(),
        HopKind::Probe => "nothing arrives, unhealthy to Azure".to_owned(),
        _ if !member.receives => "would drop what Azure sends".to_owned(),
        HopKind::SecurityGroup => "Azure drops what is for it".to_owned(),
        HopKind::NetworkInterface
        | HopKind::WeakHost
        | HopKind::Address
        | HopKind::Firewall
        | HopKind::Listener
        | HopKind::Reply => match receivers {
            0 | 1 => "receives every new connection and drops it".to_owned(),
            2 => "receives about half of new connections and drops them".to_owned(),
            n => format!("receives about 1 in {n} new connections and drops them"),
        },
    }
}
