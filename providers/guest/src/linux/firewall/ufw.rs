//! ufw: its own files say which rules are ours, the kernel's chains say what happens to packets.

use super::super::frame::Sections;
use super::MARKER;
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{Chain, Opening};
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

/// The kernel's rules of ufw carry no comment: the line that ufw wrote under a tuple of ours is the one to look for.
pub(crate) fn mark_ours(sections: &Sections, chains: &mut [Chain]) {
    let suffix: String = MARKER.bytes().map(|byte| format!("{byte:02x}")).collect();
    let suffix = format!(" comment={suffix}");
    let mut wanted: Vec<Vec<String>> = Vec::new();
    for rules in rule_files(sections) {
        let mut of_ours = false;
        for line in rules.lines() {
            if line.starts_with("### ") {
                of_ours = line.ends_with(&suffix);
            } else if of_ours && line.starts_with("-A ") {
                wanted.push(comparable(line));
            }
        }
    }
    for chain in chains {
        for rule in &mut chain.rules {
            rule.ours |= wanted.contains(&comparable(&rule.text));
        }
    }
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
