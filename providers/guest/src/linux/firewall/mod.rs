//! Every kind of host firewall on Linux → the one form that the core judges, and back: what must be opened where.
//!
//! Whatever kind a person configured, packets meet the kernel's rules. So the chains are read from the kernel (through
//! `nft`, and through `iptables-save` for tables that the iptables tools made, since only they know their extensions), and
//! the kind only decides who is asked to change them.

mod command;
mod draft;
pub(crate) mod firewalld;
mod iptables;
mod nft_text;
mod nftables;
mod opening;
pub(crate) mod reverse_path;
pub(crate) mod ufw;

pub(crate) use command::{command, iptables_words, rule_text};
pub use opening::Blocked;
pub(crate) use opening::{Way, WithoutOurs};

use super::frame::Sections;
use plimsoll_core::model::guest::{Chain, Firewall, FirewallKind, FirewallRule, Target};

/// What every rule of ours carries as its comment, and what our policy object is called.
pub const MARKER: &str = "plimsoll";

/// A ruleset that could not be read may refuse anything: taken for an open one, a rule would go live behind it.
fn unread_chain() -> Chain {
    let rule = FirewallRule {
        protocol: None,
        sources: Vec::new(),
        destinations: Vec::new(),
        ports: Vec::new(),
        uncertain: true,
        target: Target::Drop,
        ours: false,
        text: "the nftables ruleset, which `nft -j list ruleset` could not print".to_owned(),
        name: None,
    };
    Chain {
        name: "nftables (not read)".to_owned(),
        policy: Target::Accept,
        ipv4: true,
        ipv6: true,
        rules: vec![rule],
    }
}

/// Reads the firewall; what could not be read is said.
pub(crate) fn read(sections: &Sections, unread: &mut Vec<String>) -> Firewall {
    let ok = |name: &str| sections.get(name).and_then(|s| s.ok());
    let mut base: Vec<(i64, Chain)> = Vec::new();
    let mut other: Vec<Chain> = Vec::new();
    let mut by_iptables: Vec<&str> = Vec::new();
    for (section, tool, family, legacy) in [
        ("iptables", "iptables", "ip", false),
        ("ip6tables", "ip6tables", "ip6", false),
        ("iptables_legacy", "iptables-legacy", "ip", true),
        ("ip6tables_legacy", "ip6tables-legacy", "ip6", true),
    ] {
        let Some(saved) = ok(section) else { continue };
        // The same tool can be either backend. What it says of itself tells whose tables these are.
        let on_nftables = saved.contains("(nf_tables)");
        if legacy && on_nftables {
            continue;
        }
        let on_nftables_name = tool.trim_end_matches("-legacy");
        let already = base
            .iter()
            .any(|(_, c)| c.name == format!("{tool} filter INPUT"));
        if already {
            continue;
        }
        if let Some(read) = iptables::read(saved, if legacy { tool } else { on_nftables_name }) {
            if on_nftables {
                by_iptables.push(family);
            }
            base.push((0, read.input));
            other.extend(read.other);
        }
    }
    if let Some(section) = sections.get("nftables").filter(|s| s.status != "missing") {
        let skip = |family: &str, table: &str| {
            by_iptables.contains(&family)
                && matches!(table, "filter" | "nat" | "mangle" | "raw" | "security")
        };
        match section.ok().and_then(|text| nftables::read(text, skip)) {
            Some(ruleset) => {
                base.extend(ruleset.base);
                other.extend(ruleset.other);
            }
            None => {
                unread.push("the nftables ruleset (`nft -j list ruleset` failed)".to_owned());
                base.push((0, unread_chain()));
            }
        }
    }
    base.sort_by_key(|(priority, _)| *priority);
    let mut base: Vec<Chain> = base.into_iter().map(|(_, chain)| chain).collect();
    let refuses = |chain: &Chain| !chain.rules.is_empty() || chain.policy != Target::Accept;
    let from_iptables =
        |chain: &&Chain| Way::of_chain(&chain.name).is_some_and(|w| w.is_iptables());
    let enabled = ok("ufw_conf").is_some_and(ufw::is_enabled);
    // What `systemctl is-active` says of ufw is not asked: it says active with ENABLED=no too.
    let kind = if enabled {
        FirewallKind::Ufw
    } else if ok("firewalld").is_some_and(|state| state.trim() == "running") {
        FirewallKind::Firewalld
    } else if base.iter().filter(|c| !from_iptables(c)).any(refuses) {
        FirewallKind::Nftables
    } else if base.iter().filter(from_iptables).any(refuses) {
        FirewallKind::Iptables
    } else {
        FirewallKind::None
    };
    if kind == FirewallKind::Ufw {
        ufw::name_rules(sections, &mut other);
    }
    if kind == FirewallKind::Firewalld {
        firewalld::name_rules(&mut other);
    }
    base.retain(|chain| kind != FirewallKind::None || refuses(chain));
    Firewall {
        kind,
        active: kind != FirewallKind::None,
        base,
        other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame;
    use super::*;
    use plimsoll_core::model::Protocol;
    use plimsoll_core::model::guest::{Packet, Verdict};

    /// `nft` without JSON support, for example: what it hides may drop everything.
    #[test]
    fn a_ruleset_that_cannot_be_read_is_not_an_open_one() {
        let body = "== nftables 1\n|Error: JSON support not compiled-in";
        let framed = format!(
            "plimsoll-facts 1 {}\n{body}\nplimsoll-facts-end\n",
            body.len()
        );
        let mut unread = Vec::new();
        let firewall = read(&frame::parse(framed.as_bytes()).unwrap(), &mut unread);
        let packet = Packet {
            protocol: Protocol::Tcp,
            source: None,
            destination: "65.52.0.1".parse().unwrap(),
            port: Some(80),
        };
        assert!(
            matches!(firewall.judge(&packet), Verdict::Unclear { .. }),
            "{firewall:?}"
        );
        assert_eq!(unread.len(), 1);
    }
}
