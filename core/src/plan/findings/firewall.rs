//! Firewall rules of others that refuse what ours would let in, and a change of the firewall that nobody confirmed.

use super::{finding, place};
use crate::model::guest::{
    EntryKey, Fate, Firewall, FirewallKind, GuestFacts, Opening, Packet, Unconfirmed, Verdict,
};
use crate::model::{Addr, Where};
use crate::plan::guest::GuestPlan;
use crate::plan::{Finding, codes};

/// An admin's deny before our allow is found and named, never bypassed.
pub(super) fn denied(guest: &GuestPlan, facts: &GuestFacts) -> Vec<Finding> {
    let openings = guest.needs.entries().filter_map(|(key, _)| match key {
        EntryKey::Firewall(opening) => Some(opening),
        EntryKey::Address(_) | EntryKey::WeakHost(_) => None,
    });
    refused(&guest.addr, openings, &facts.firewall)
}

/// A reload that could have cut the guest off.
pub(super) fn unconfirmed(addr: &Addr, facts: &GuestFacts) -> Option<Finding> {
    let Unconfirmed { fate, what } = facts.unconfirmed.as_ref()?;
    let (found, note) = match fate {
        Fate::Waits => (
            "a change waits to be confirmed over a new connection",
            "apply again: it confirms what stands; otherwise the guest takes it back by itself",
        ),
        Fate::TakenBack => (
            "the guest took a change back, because no new connection came through after it",
            "see that `firewall-cmd --reload` in the guest lets you in, then plan again",
        ),
    };
    let finding = finding(addr, &codes::UNCONFIRMED, found);
    Some(finding.note(what.clone()).note(note))
}

fn refused<'o>(
    addr: &Addr,
    openings: impl Iterator<Item = &'o Opening>,
    firewall: &Firewall,
) -> Vec<Finding> {
    let mut all = Vec::new();
    if firewall.kind == FirewallKind::None {
        return all;
    }
    for opening in openings {
        let Where::Known(destination) = opening.destination else {
            continue;
        };
        let packet = Packet {
            protocol: opening.protocol,
            source: opening.source,
            destination,
            port: opening.port,
        };
        let place = place(destination, opening.port, opening.protocol);
        match firewall.judge(&packet) {
            // What is refused by default gives way to the opening that we add.
            Verdict::Refused {
                rule,
                by_default: false,
                ..
            } => {
                let (code, what) = if opening.source.is_some() {
                    (
                        &codes::PROBE_BLOCKED,
                        format!("the firewall refuses the health probe to {place}"),
                    )
                } else {
                    (
                        &codes::FIREWALL_REFUSES,
                        format!("a firewall rule refuses {place}"),
                    )
                };
                all.push(finding(addr, code, what).note(format!(
                    "{rule}: an admin put it there; remove it, or take the rule out of the configuration"
                )));
            }
            Verdict::Unclear { rule, .. } => all.push(
                finding(
                    addr,
                    &codes::FIREWALL_UNCLEAR,
                    format!("a firewall rule that plimsoll cannot judge may refuse {place}"),
                )
                .note(rule),
            ),
            Verdict::Refused { .. } | Verdict::Admitted { .. } => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::tests::{addr, codes_of, service};
    use super::*;
    use crate::config::GuestMode;
    use crate::model::Protocol;
    use crate::model::guest::{Chain, FirewallRule, Target};
    use std::net::IpAddr;

    fn firewall(rule: FirewallRule) -> Firewall {
        Firewall {
            kind: FirewallKind::Nftables,
            active: true,
            base: vec![Chain {
                name: "inet filter input".to_owned(),
                policy: Target::Drop,
                ipv4: true,
                ipv6: true,
                rules: vec![rule],
            }],
            other: Vec::new(),
        }
    }

    #[test]
    fn a_rule_that_denies_is_named_and_a_policy_is_not() {
        let deny = |port: u16, uncertain: bool| FirewallRule {
            protocol: Some(Protocol::Tcp),
            sources: Vec::new(),
            destinations: Vec::new(),
            ports: vec![(port, port)],
            uncertain,
            target: Target::Drop,
            ours: false,
            text: format!("tcp dport {port} drop"),
            name: None,
        };
        let service = service(GuestMode::Loopback, 8080);
        let opening = |port: u16, source: Option<IpAddr>| crate::model::guest::Opening {
            protocol: Protocol::Tcp,
            destination: service.destination(),
            port: Some(port),
            source,
        };
        let probe = Some(crate::model::guest::AZURE_PROBE_SOURCE);
        for (denied_port, uncertain, code) in [
            (443, false, Some("PL0305")),
            (443, true, Some("PL0306")),
            (8080, false, Some("PL0315")),
            (22, false, None),
        ] {
            let firewall = firewall(deny(denied_port, uncertain));
            let openings = [opening(443, None), opening(8080, probe)];
            let found = codes_of(refused(&addr("vm1"), openings.iter(), &firewall));
            assert_eq!(found.first().map(String::as_str), code, "{denied_port}");
        }
    }
}
