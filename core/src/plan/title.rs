//! What each step is called, in the words of a progress line.

use super::{Action, AwaitedService, Change, MembershipEdit};
use crate::model::ItemKind;
use crate::model::guest::{EntryKey, SettingOn, Touch};
use crate::model::{ArmId, Shared};
use std::collections::BTreeSet;

/// An entry in few words: `address 65.52.0.2/32`, `firewall tcp/80`.
pub fn entry(key: &EntryKey) -> String {
    match key {
        EntryKey::Address(address) => match address.known() {
            Some(known) => format!("address {known}/{}", if known.is_ipv4() { 32 } else { 128 }),
            None => format!("address of {}", address_source(address)),
        },
        EntryKey::Firewall(opening) => {
            let port = opening.port.map_or("all".to_owned(), |p| p.to_string());
            let probe = if opening.source.is_some() {
                " for the probe"
            } else {
                ""
            };
            format!("firewall {}/{port}{probe}", opening.protocol)
        }
        EntryKey::WeakHost(setting) => {
            let on = match setting.on {
                SettingOn::Nic(_) => "the NIC",
                SettingOn::Loopback(_) => "the loopback interface",
            };
            format!(
                "weak host {} ({}) on {on}",
                setting.direction,
                setting.on.family()
            )
        }
    }
}

fn address_source(address: &crate::model::Where) -> String {
    match address {
        crate::model::Where::Known(known) => known.to_string(),
        crate::model::Where::AfterApply(id) => id.name().to_owned(),
    }
}

/// A few entries by name, many by count.
fn entries(touches: &Shared<Touch>) -> String {
    const NAMED: usize = 3;
    if touches.len() <= NAMED {
        return touches
            .iter()
            .map(|t| entry(&t.key))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let count = |kind: fn(&EntryKey) -> bool| touches.iter().filter(|t| kind(&t.key)).count();
    let counted = |count: usize, one: &str, many: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{count} {many}")),
    };
    let words = [
        counted(
            count(|key| matches!(key, EntryKey::Address(_))),
            "address",
            "addresses",
        ),
        counted(
            count(|key| matches!(key, EntryKey::WeakHost(_))),
            "weak host setting",
            "weak host settings",
        ),
        counted(
            count(|key| matches!(key, EntryKey::Firewall(_))),
            "firewall rule",
            "firewall rules",
        ),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    match words.as_slice() {
        [some @ .., last] if !some.is_empty() => format!("{} and {last}", some.join(", ")),
        _ => words.concat(),
    }
}

pub fn gain(touches: &Shared<Touch>) -> String {
    entries(touches)
}

pub fn lose(touches: &Shared<Touch>) -> String {
    format!("without {}", entries(touches))
}

/// Of a public IP address or a block of them.
pub fn given(action: Action) -> String {
    match action {
        Action::Create => "create".to_owned(),
        Action::Update | Action::Adopt | Action::Replace => "update".to_owned(),
        Action::Delete => "delete".to_owned(),
        Action::NoOp | Action::Forget => "nothing to do".to_owned(),
    }
}

/// `1 write: +purple ~green -old`
pub fn load_balancer(change: &Change) -> String {
    let mut words = Vec::new();
    for item in &change.items {
        let sign = match item.action {
            Action::Create => '+',
            Action::Update | Action::Replace => '~',
            Action::Delete => '-',
            Action::Adopt if !item.fields.is_empty() => '~',
            Action::Adopt | Action::NoOp | Action::Forget => continue,
        };
        let name = if item.kind == ItemKind::Rule {
            item.name.clone()
        } else {
            format!("{} {}", item.kind.word(), item.name)
        };
        words.push((item.kind != ItemKind::Rule, format!("{sign}{name}")));
    }
    words.sort_by_key(|(not_a_rule, _)| *not_a_rule);
    const SHOWN: usize = 6;
    let more = words.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = words
        .into_iter()
        .take(SHOWN)
        .map(|(_, word)| word)
        .collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    if shown.is_empty() {
        "1 write".to_owned()
    } else {
        format!("1 write: {}", shown.join(" "))
    }
}

pub fn membership(nic: &ArmId, edits: &[MembershipEdit]) -> String {
    let words: Vec<String> = edits
        .iter()
        .map(|edit| {
            format!(
                "{} {}",
                if edit.join { "joins" } else { "leaves" },
                edit.pool.name()
            )
        })
        .collect();
    format!("{} {}", nic.name(), words.join(", "))
}

/// `wait up to 120 s for listeners of rule purple on vm1, vm2`
pub fn listeners(services: &[AwaitedService], seconds: u64) -> String {
    let named = |names: BTreeSet<&str>, one: &str, many: &str| match names.len() {
        1..=4 => {
            let word = if names.len() == 1 { one } else { many };
            format!(
                "{word} {}",
                names.into_iter().collect::<Vec<_>>().join(", ")
            )
        }
        more => format!("{more} {many}"),
    };
    let rules = named(
        services.iter().map(|s| s.rule.as_str()).collect(),
        "rule",
        "rules",
    );
    let guests = services.iter().map(|s| s.guest.addr.name()).collect();
    let guests = named(guests, "guest", "guests");
    format!("wait up to {seconds} s for listeners of {rules} in {guests}")
}

pub fn record(action: Action) -> String {
    match action {
        Action::Adopt => "adopted".to_owned(),
        Action::Forget | Action::Delete => "no longer looked after".to_owned(),
        Action::NoOp | Action::Create | Action::Update | Action::Replace => "recorded".to_owned(),
    }
}
