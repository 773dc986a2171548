//! What changes inside the guests, ready to be shown: guests in which the same happens share one block.

use super::words;
use plimsoll_core::model::guest::{AZURE_PROBE_SOURCE, EntryKey, SettingOn};
use plimsoll_core::model::{Addr, Kind, Where};
use plimsoll_core::plan::{Action, Change, EntryChange, Finding, MembershipChange, Plan};
use std::collections::{BTreeSet, HashMap};

/// Rules are named up to this many; more are counted.
const RULES: usize = 3;

/// A line of a block: what it says, with nothing in it that only this one guest has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) action: Action,
    pub(crate) what: String,
    pub(crate) purpose: String,
    pub(crate) aside: String,
}

/// Guests in which the same happens; the first stands for all.
#[derive(Clone, Debug)]
pub(crate) struct Block<'a> {
    pub(crate) guests: Vec<&'a Change>,
    pub(crate) rows: Vec<Row>,
    pub(crate) findings: Vec<&'a Finding>,
}

/// What two blocks must have in common to be one.
#[derive(PartialEq, Eq, Hash)]
struct Likeness {
    action: Action,
    transport: String,
    rows: Vec<Row>,
    notes: Vec<String>,
    findings: Vec<(String, String)>,
}

pub(crate) fn blocks<'a>(plan: &'a Plan) -> Vec<Block<'a>> {
    let frontends = frontend_addresses(plan);
    let mut findings: HashMap<&Addr, Vec<&Finding>> = HashMap::new();
    for finding in &plan.findings {
        if let Some(addr) = &finding.addr {
            findings.entry(addr).or_default().push(finding);
        }
    }
    let mut blocks: Vec<Block<'a>> = Vec::new();
    let mut known: HashMap<Likeness, usize> = HashMap::new();
    let guests = plan.changes.iter().filter(|c| c.addr.kind == Kind::Guest);
    for change in guests.filter(|c| c.is_news()) {
        let rows = rows(change, &frontends);
        let findings = findings.remove(&change.addr).unwrap_or_default();
        let likeness = Likeness {
            action: change.action,
            transport: transport(change),
            rows: rows.clone(),
            notes: change
                .notes
                .iter()
                .map(|n| without_name(n, &change.addr))
                .collect(),
            findings: findings
                .iter()
                .map(|f| (f.code.to_string(), without_name(&f.what, &change.addr)))
                .collect(),
        };
        let at = *known.entry(likeness).or_insert_with(|| {
            blocks.push(Block {
                guests: Vec::new(),
                rows,
                findings,
            });
            blocks.len() - 1
        });
        blocks[at].guests.push(change);
    }
    blocks
}

/// The part of the description that is not the guest's own name: `linux · ssh`.
fn transport(change: &Change) -> String {
    without_name(&change.about, &change.addr)
        .split_whitespace()
        .filter(|word| !word.contains('.') && !word.contains(':'))
        .collect::<Vec<_>>()
        .join(" ")
}

fn without_name(text: &str, addr: &Addr) -> String {
    text.replace(&addr.to_string(), "{guest}")
        .replace(addr.name(), "{guest}")
}

/// The addresses that clients use: what is none of them is a guest's own.
fn frontend_addresses(plan: &Plan) -> BTreeSet<Where> {
    let held = plan
        .changes
        .iter()
        .flat_map(|c| &c.entries)
        .filter_map(|e| match &e.key {
            EntryKey::Address(address) => Some(address.clone()),
            EntryKey::Firewall(_) | EntryKey::WeakHost(_) => None,
        });
    held.chain(plan.traffic.iter().map(|t| t.destination.clone()))
        .collect()
}

fn rows(change: &Change, frontends: &BTreeSet<Where>) -> Vec<Row> {
    let memberships = change
        .memberships
        .iter()
        .filter(|m| m.action != Action::NoOp);
    let entries = change.entries.iter().filter(|e| e.action != Action::NoOp);
    memberships
        .map(membership_row)
        .chain(entries.map(|e| entry_row(e, frontends)))
        .collect()
}

fn membership_row(membership: &MembershipChange) -> Row {
    let pool = membership.pool.name();
    let balancer = membership
        .pool
        .parent()
        .map(|p| p.name().to_owned())
        .unwrap_or_default();
    let verb = match membership.action {
        Action::Delete | Action::Forget => "leaves",
        Action::Adopt => "is in",
        Action::NoOp | Action::Create | Action::Update | Action::Replace => "joins",
    };
    Row {
        action: membership.action,
        what: format!("{verb} backend pool {pool:?} of {balancer:?}"),
        purpose: String::new(),
        aside: match membership.action {
            Action::Adopt => "adopted".to_owned(),
            Action::Forget => "it is no longer there".to_owned(),
            Action::NoOp | Action::Create | Action::Update | Action::Replace | Action::Delete => {
                String::new()
            }
        },
    }
}

fn entry_row(entry: &EntryChange, frontends: &BTreeSet<Where>) -> Row {
    let place = |place: &Where| {
        if frontends.contains(place) {
            place.to_string()
        } else {
            "its own address".to_owned()
        }
    };
    let what = match &entry.key {
        EntryKey::Address(address) => {
            let prefix = address
                .known()
                .map_or("", |a| if a.is_ipv4() { "/32" } else { "/128" });
            format!("address  {address}{prefix} {}", entry.how)
        }
        EntryKey::Firewall(opening) => {
            let mut what = format!(
                "firewall {} to {}",
                opening.protocol,
                place(&opening.destination)
            );
            match opening.port {
                Some(port) => what.push_str(&format!(" port {port}")),
                None => what.push_str(" every port"),
            }
            if let Some(source) = opening.source {
                if source == AZURE_PROBE_SOURCE {
                    what.push_str(" from Azure's probes");
                } else {
                    what.push_str(&format!(" from {source}"));
                }
            }
            what
        }
        // Which interface that is, every guest has its own word for.
        EntryKey::WeakHost(setting) => {
            let on = match setting.on {
                SettingOn::Nic(_) => "the NIC",
                SettingOn::Loopback(_) => "the loopback interface",
            };
            let family = setting.on.family();
            format!("weak host {} on {on}, {family}", setting.direction)
        }
    };
    let mut aside = Vec::new();
    match &entry.key {
        EntryKey::Firewall(_) => {
            aside.push(entry.how.clone());
            // Said for the address already: only what is different here is worth the room.
            aside.push(
                Some(when(entry))
                    .filter(|w| *w != WHOLE)
                    .unwrap_or_default()
                    .to_owned(),
            );
        }
        EntryKey::Address(_) | EntryKey::WeakHost(_) => aside.push(when(entry).to_owned()),
    }
    Row {
        action: entry.action,
        what,
        purpose: purpose(&entry.because),
        aside: aside
            .into_iter()
            .filter(|a| !a.is_empty())
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// `for rule "purple"`, `for rules "green" and "alt"`
fn purpose(because: &[String]) -> String {
    if because.len() > RULES {
        return format!("for {}", words::count(because.len(), "rule"));
    }
    let quoted: Vec<String> = because
        .iter()
        .map(|rule| {
            if rule.contains(' ') {
                rule.clone()
            } else {
                format!("{rule:?}")
            }
        })
        .collect();
    match because {
        [] => String::new(),
        [one] if one.contains(' ') => format!("for {one}"),
        [_] => format!("for rule {}", words::list(&quoted)),
        [first, ..] if first.contains(' ') => format!("for {}", words::list(&quoted)),
        _ => format!("for rules {}", words::list(&quoted)),
    }
}

const WHOLE: &str = "now and after reboot";

/// *Running now* and *survives reboot* are two facts: which of them changes.
fn when(entry: &EntryChange) -> &'static str {
    let now = entry.before.live != entry.after.live;
    let later = entry.before.survives != entry.after.survives;
    match entry.action {
        Action::Adopt => "adopted: it is there and ours from now on",
        Action::Forget if entry.after.live => "stays: another deployment claims it too",
        Action::Forget => "forgotten: it is not there",
        Action::Delete | Action::NoOp | Action::Create | Action::Update | Action::Replace => {
            match (now, later) {
                (true, true) => WHOLE,
                (true, false) => "now; a reboot would have put it right",
                (false, true) => "after reboot; now it is as it should be",
                (false, false) => "only the record of whose it is",
            }
        }
    }
}
