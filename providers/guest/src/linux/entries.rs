//! The commands that make entries and take them away again. Tools that are slow on large rulesets are asked once for all.

use super::firewall::{Way, command, firewalld, iptables_words, rule_text};
use super::script::quote;
use plimsoll_core::model::guest::{EntryKey, Opening};
use std::net::IpAddr;

/// An entry to hold, and how the firewall is opened for it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) key: EntryKey,
    pub(crate) address: IpAddr,
    pub(crate) ways: Vec<Way>,
}

/// An entry whose last claim goes.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) key: EntryKey,
    pub(crate) address: IpAddr,
}

pub(crate) fn make(made: &[Made]) -> String {
    let mut lines = Vec::new();
    let mut rich_rules = Vec::new();
    for Made { key, address, ways } in made {
        let opening = match key {
            EntryKey::Address(_) => {
                lines.push(format!("add_address {}", with_prefix(*address)));
                continue;
            }
            EntryKey::Firewall(opening) => opening,
            EntryKey::WeakHost(_) => continue,
        };
        for way in ways {
            match way {
                Way::Nft { .. } | Way::Iptables { .. } => {
                    lines.push(command("want", way, opening, *address));
                }
                Way::Ufw => lines.push(attempt(key, &command("open", way, opening, *address))),
                Way::Firewalld => rich_rules.push(firewalld::rich_rule(opening, *address)),
            }
        }
    }
    for tool in ["nft", "iptables"] {
        let wanted = format!("want_{tool} ");
        if lines.iter().any(|line| line.starts_with(&wanted)) {
            lines.push(format!("attempt firewall open_{tool}"));
        }
    }
    lines.extend(for_all("open_firewalld", &rich_rules));
    text(lines)
}

/// The firewall may have changed its kind since an entry was made, so every kind that is there is asked.
pub(crate) fn undo(gone: &[Gone]) -> String {
    let openings: Vec<(&EntryKey, &Opening, IpAddr)> = gone
        .iter()
        .filter_map(|Gone { key, address }| match key {
            EntryKey::Address(_) | EntryKey::WeakHost(_) => None,
            EntryKey::Firewall(opening) => Some((key, opening, *address)),
        })
        .collect();
    let texts = |write: fn(&Opening, IpAddr) -> String| -> Vec<String> {
        openings
            .iter()
            .map(|(_, opening, address)| write(opening, *address))
            .collect()
    };
    // ufw and firewalld first: their rules are their own to take out of the kernel.
    let mut lines: Vec<String> = openings
        .iter()
        .map(|(key, opening, address)| {
            attempt(key, &command("close", &Way::Ufw, opening, *address))
        })
        .collect();
    lines.extend(for_all("close_firewalld", &texts(firewalld::rich_rule)));
    lines.extend(for_all("close_nft", &texts(rule_text)));
    for (ipv4, tools) in [
        (true, ["iptables", "iptables-legacy"]),
        (false, ["ip6tables", "ip6tables-legacy"]),
    ] {
        let words: Vec<String> = openings
            .iter()
            .filter(|(_, _, address)| address.is_ipv4() == ipv4)
            .map(|(_, opening, address)| iptables_words(opening, *address))
            .collect();
        for tool in tools {
            lines.extend(for_all(&format!("close_iptables {tool}"), &words));
        }
    }
    for Gone { key, address } in gone {
        match key {
            EntryKey::Address(_) => lines.push(format!("remove_address {}", with_prefix(*address))),
            EntryKey::Firewall(_) | EntryKey::WeakHost(_) => {}
        }
    }
    text(lines)
}

fn text(lines: Vec<String>) -> String {
    lines.into_iter().map(|line| line + "\n").collect()
}

fn for_all(function: &str, rules: &[String]) -> Option<String> {
    let quoted: String = rules
        .iter()
        .map(|rule| format!(" {}", quote(rule)))
        .collect();
    (!rules.is_empty()).then(|| format!("attempt firewall {function}{quoted}"))
}

fn attempt(key: &EntryKey, command: &str) -> String {
    format!("attempt {} {command}", quote(&key.to_string()))
}

fn with_prefix(address: IpAddr) -> String {
    format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 })
}
