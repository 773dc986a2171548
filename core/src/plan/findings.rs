//! Checks that need live facts: what would drop packets although nothing is out of place.

use super::Finding;
use super::guest::GuestPlan;
use super::needs::Service;
use crate::config::GuestMode;
use crate::model::guest::{FirewallKind, GuestFacts, Packet, Verdict};
use crate::model::observed::{Observation, Observed};
use crate::model::{Protocol, Severity, Where};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub fn findings(guests: &[GuestPlan], observed: &Observed) -> Vec<Finding> {
    let mut all = Vec::new();
    for guest in guests {
        if let Some(Observation::Present(facts)) = observed.guests.get(&guest.addr) {
            all.extend(silent_services(guest, facts));
            all.extend(silent_probes(guest, facts));
            all.extend(wrong_prefixes(guest, facts));
            all.extend(not_persistent(guest, facts));
            all.extend(denied(guest, facts));
        }
        if let Some(why) = &guest.unreadable {
            all.push(
                finding(
                    guest,
                    "PL0310",
                    Severity::Warning,
                    "the guest could not be read".to_owned(),
                )
                .note(why.clone()),
            );
        }
    }
    all
}

fn finding(guest: &GuestPlan, code: &str, severity: Severity, what: String) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        addr: Some(guest.addr.clone()),
        what,
        notes: Vec::new(),
    }
}

impl Finding {
    #[must_use]
    fn note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }
}

/// An application bound to a frontend address that is not there yet cannot listen yet: that is no news before apply.
fn silent_services(guest: &GuestPlan, facts: &GuestFacts) -> Vec<Finding> {
    let mut seen: BTreeSet<(Protocol, IpAddr, Option<u16>)> = BTreeSet::new();
    let mut all = Vec::new();
    for service in guest
        .needs
        .services
        .iter()
        .filter(|s| s.mode == GuestMode::Loopback)
    {
        let Where::Known(destination) = service.destination else {
            continue;
        };
        if facts
            .listens(service.protocol, destination, service.port)
            .is_some()
            || !seen.insert((service.protocol, destination, service.port))
        {
            continue;
        }
        let place = place(destination, service.port, service.protocol);
        let consequence = match service.protocol {
            Protocol::Udp => "will lose its datagrams until something does",
            Protocol::Tcp | Protocol::All => "will refuse connections until something does",
        };
        all.push(
            finding(
                guest,
                "PL0301",
                Severity::Warning,
                format!("nothing listens on {place}"),
            )
            .note(format!("rule {:?} {consequence}", service.rule)),
        );
    }
    all
}

fn silent_probes(guest: &GuestPlan, facts: &GuestFacts) -> Vec<Finding> {
    let mut probes: BTreeSet<(&str, IpAddr, u16)> = BTreeSet::new();
    for Service { probe, mode, .. } in &guest.needs.services {
        if let (Some(probe), GuestMode::Loopback) = (probe, mode) {
            probes.insert((&probe.name, probe.destination, probe.port));
        }
    }
    probes
        .into_iter()
        .filter(|(_, destination, port)| facts.listens(Protocol::Tcp, *destination, Some(*port)).is_none())
        .map(|(name, destination, port)| {
            let place = place(destination, Some(port), Protocol::Tcp);
            finding(guest, "PL0302", Severity::Warning, format!("nothing answers the health probe on {place}"))
                .note(format!(
                    "probe {name:?} asks the VM's own address, also for floating IP rules; without an answer Azure sends this guest nothing"
                ))
        })
        .collect()
}

/// The Microsoft page's own example uses /24, which makes the guest swallow the whole subnet.
fn wrong_prefixes(guest: &GuestPlan, facts: &GuestFacts) -> Vec<Finding> {
    let wanted: BTreeSet<IpAddr> = guest
        .needs
        .services
        .iter()
        .filter(|s| s.floating && s.mode == GuestMode::Loopback)
        .filter_map(|s| s.destination.known())
        .collect();
    facts
        .addresses
        .iter()
        .filter(|a| wanted.contains(&a.address.addr()))
        .filter(|a| a.interface == "lo" && a.address.prefix_len() != a.address.max_prefix_len())
        .map(|a| {
            finding(guest, "PL0303", Severity::Warning, format!("{} on lo has the wrong netmask", a.address)).note(
                format!(
                    "every address of {} counts as this guest itself, so it cannot reach them; it should be /{}",
                    a.address.trunc(),
                    a.address.max_prefix_len()
                ),
            )
        })
        .collect()
}

fn not_persistent(guest: &GuestPlan, facts: &GuestFacts) -> Option<Finding> {
    (facts.init != "systemd" && !guest.ensure.is_empty()).then(|| {
        finding(
            guest,
            "PL0304",
            Severity::Warning,
            format!("the guest boots with {}, not systemd", facts.init),
        )
        .note("what plimsoll sets there now will not survive a reboot".to_owned())
    })
}

/// An admin's deny before our allow is found and named, never bypassed.
fn denied(guest: &GuestPlan, facts: &GuestFacts) -> Vec<Finding> {
    let mut all = Vec::new();
    if facts.firewall.kind == FirewallKind::None {
        return all;
    }
    for key in guest.needs.entries.keys() {
        let crate::model::guest::EntryKey::Firewall(opening) = key else {
            continue;
        };
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
        match facts.firewall.judge(&packet) {
            Verdict::Refused { by, chain, .. } if !by.starts_with("policy of ") => {
                all.push(finding(guest, "PL0305", Severity::Error, format!("a firewall rule refuses {place}")).note(
                    format!("{chain}: {by}: an admin put it there; remove it, or take the rule out of the configuration"),
                ));
            }
            Verdict::Unclear { by } => {
                all.push(
                    finding(
                        guest,
                        "PL0306",
                        Severity::Warning,
                        format!("a firewall rule that plimsoll cannot judge may refuse {place}"),
                    )
                    .note(by),
                );
            }
            Verdict::Refused { .. } | Verdict::Admitted { .. } => {}
        }
    }
    all
}

pub fn place(address: IpAddr, port: Option<u16>, protocol: Protocol) -> String {
    let address = if address.is_ipv6() {
        format!("[{address}]")
    } else {
        address.to_string()
    };
    let port = port.map(|p| format!(":{p}")).unwrap_or_default();
    let protocol = if protocol == Protocol::Udp {
        "/udp"
    } else {
        ""
    };
    format!("{address}{port}{protocol}")
}
