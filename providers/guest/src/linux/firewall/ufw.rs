//! ufw: its own files say which rules are ours, the kernel's chains say what happens to packets.

use super::super::frame::Sections;
use super::MARKER;
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{Chain, Opening};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// `ENABLED=` is the truth about ufw.
pub(crate) fn is_enabled(conf: &str) -> bool {
    conf.lines()
        .filter_map(|line| line.trim().strip_prefix("ENABLED="))
        .next_back()
        .is_some_and(|value| value.trim_matches('"').eq_ignore_ascii_case("yes"))
}

/// The line with which ufw notes a rule of ours in its file; the comment is in hexadecimal.
pub(crate) fn tuple(opening: &Opening, destination: IpAddr) -> String {
    let (protocol, any) = (
        match opening.protocol {
            Protocol::Tcp | Protocol::Udp => opening.protocol.word(),
            Protocol::All => "any",
        },
        if destination.is_ipv4() {
            "0.0.0.0/0"
        } else {
            "::/0"
        },
    );
    let port = opening.port.map_or("any".to_owned(), |p| p.to_string());
    let source = opening.source.map_or(any.to_owned(), |s| s.to_string());
    let comment: String = MARKER.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("### tuple ### allow {protocol} {port} {destination} any {source} in comment={comment}")
}

/// The words after `ufw` that add the rule, and after `ufw delete` that remove it.
pub(crate) fn words(opening: &Opening, destination: IpAddr) -> String {
    let mut words = "allow".to_owned();
    if opening.protocol != Protocol::All {
        words += &format!(" proto {}", opening.protocol);
    }
    if let Some(source) = opening.source {
        words += &format!(" from {source}");
    }
    words += &format!(" to {destination}");
    if let Some(port) = opening.port {
        words += &format!(" port {port}");
    }
    words
}

pub(crate) fn has(sections: &Sections, opening: &Opening, destination: IpAddr) -> bool {
    let tuple = tuple(opening, destination);
    rule_files(sections).any(|rules| rules.lines().any(|line| line == tuple))
}

fn rule_files(sections: &Sections) -> impl Iterator<Item = &str> {
    ["ufw_rules", "ufw_rules6"]
        .into_iter()
        .filter_map(|name| sections.get(name)?.ok())
}

/// The kernel's rules of ufw carry no comment and no number: the lines that ufw wrote under a tuple are the ones to look for.
pub(crate) fn name_rules(sections: &Sections, chains: &mut [Chain]) {
    let suffix: String = MARKER.bytes().map(|byte| format!("{byte:02x}")).collect();
    let suffix = format!(" comment={suffix}");
    let mut known: BTreeMap<Vec<String>, (String, bool)> = BTreeMap::new();
    // As `ufw status numbered` counts: the rules of IPv4, then those of IPv6.
    let mut number = 0_usize;
    for rules in rule_files(sections) {
        let mut tuple = None;
        for line in rules.lines() {
            if let Some(words) = line.strip_prefix(TUPLE) {
                number += 1;
                tuple = Some((named(number, words), line.ends_with(&suffix)));
            } else if line.starts_with("### ") {
                tuple = None;
            } else if line.starts_with("-A ")
                && let Some(tuple) = &tuple
            {
                known.entry(comparable(line)).or_insert(tuple.clone());
            }
        }
    }
    for chain in chains {
        for rule in &mut chain.rules {
            if let Some((name, ours)) = known.get(&comparable(&rule.text)) {
                rule.ours |= ours;
                rule.name = Some(name.clone());
            }
        }
    }
}

const TUPLE: &str = "### tuple ### ";

/// `allow tcp 80 65.52.0.1 any 0.0.0.0/0 in`: action, protocol, port and destination, port and source, direction.
fn named(number: usize, tuple: &str) -> String {
    let words: Vec<&str> = tuple.split(' ').collect();
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    let any = |word: &str| matches!(word, "any" | "0.0.0.0/0" | "::/0" | "");
    let mut name = format!("ufw #{number} {}", word(0).replace('_', " "));
    for part in [word(1), word(2)] {
        if !any(part) {
            name += &format!(" {part}");
        }
    }
    for (before, part) in [(" to ", word(3)), (" from ", word(5))] {
        if !any(part) {
            name += &format!("{before}{part}");
        }
    }
    name
}

/// ufw writes `-p tcp -d A --dport 80`, the kernel's listing `-d A/32 -p tcp -m tcp --dport 80`: the same words, sorted.
fn comparable(line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut pairs: Vec<String> = words
        .chunks(2)
        .filter(|pair| pair.first() != Some(&"-m"))
        .map(|pair| {
            let joined = pair.join(" ");
            let host = joined.trim_end_matches("/32").trim_end_matches("/128");
            host.to_owned()
        })
        .collect();
    pairs.sort();
    pairs
}
