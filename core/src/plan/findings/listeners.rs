//! Applications: rules, moved rules and health probes that nobody answers.

use super::{Seen, finding, place};
use crate::config::GuestMode;
use crate::model::guest::GuestFacts;
use crate::model::{Protocol, Where};
use crate::plan::guest::GuestPlan;
use crate::plan::needs::{Flow, Service};
use crate::plan::{Finding, codes};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// An application bound to a frontend address that is not there yet cannot listen yet: that is no news before apply.
pub(super) fn silent_services(seen: &Seen<'_>, words: &mut Said) -> Vec<Finding> {
    let mut said: BTreeSet<(Protocol, IpAddr, Option<u16>)> = BTreeSet::new();
    let mut all = Vec::new();
    for service in seen
        .services
        .iter()
        .filter(|s| s.mode == GuestMode::Loopback)
    {
        let Where::Known(destination) = service.destination() else {
            continue;
        };
        if seen
            .facts
            .listens(service.protocol, destination, service.port)
            .is_some()
            || !said.insert((service.protocol, destination, service.port))
        {
            continue;
        }
        let (what, note) = words.silent(destination, service);
        all.push(finding(seen.addr, &codes::SILENT_SERVICE, what).note(note));
    }
    all
}

/// What was said already: the members of a pool are silent at the same places.
#[derive(Default)]
pub(super) struct Said(HashMap<Silent, (Arc<str>, Arc<str>)>);

/// Where nothing listens, and the rule that sends there.
type Silent = (IpAddr, Option<u16>, Protocol, Arc<str>);

impl Said {
    fn silent(&mut self, destination: IpAddr, service: &Service) -> (Arc<str>, Arc<str>) {
        let Flow {
            rule,
            protocol,
            port,
            ..
        } = &**service;
        let words = self
            .0
            .entry((destination, *port, *protocol, Arc::clone(rule)))
            .or_insert_with(|| {
                let place = place(destination, *port, *protocol);
                let consequence = match protocol {
                    Protocol::Udp => "will lose its datagrams until something does",
                    Protocol::Tcp | Protocol::All => "will refuse connections until something does",
                };
                let what = format!("nothing listens on {place}");
                (what.into(), format!("rule {rule:?} {consequence}").into())
            });
        words.clone()
    }
}

/// What a guest serves until the switch and would not serve after it: the packets arrive where nothing listens.
pub(super) fn silent_switches(guest: &GuestPlan, facts: &GuestFacts) -> Vec<Finding> {
    let answers = |s: &Service| facts.answers(s.protocol, &s.destination(), s.port);
    let same_flow = |a: &Service, b: &Service| {
        a.load_balancer == b.load_balancer
            && a.protocol == b.protocol
            && a.frontend == b.frontend
            && a.frontend_port == b.frontend_port
            && (a.frontend_port.is_some() || a.rule == b.rule)
    };
    let mut all = Vec::new();
    let stays = guest.silent.iter().map(|s| (s, true));
    let goes = guest.silent_until_gone.iter().map(|s| (s, false));
    for (after, stays) in stays.chain(goes).filter(|(s, _)| {
        s.mode == GuestMode::Loopback || (s.mode == GuestMode::Cluster && !s.floating)
    }) {
        let mut served = guest.serving.iter().filter(|now| same_flow(now, after));
        let Some(now) = served.find(|now| answers(now)) else {
            continue;
        };
        let words = |s: &Service| match s.destination() {
            Where::Known(address) => place(address, s.port, s.protocol),
            unknown @ Where::AfterApply(_) => unknown.to_string(),
        };
        let (from, to) = (words(now), words(after));
        all.push(
            finding(
                &guest.addr,
                &codes::SILENT_SWITCH,
                format!(
                    "rule {:?} would move from {from} to {to}, where nothing listens",
                    after.rule
                ),
            )
            .note(if stays {
                "clients that it serves until then would be refused"
            } else {
                "clients that it serves now would be refused until it has left the pool; change the rule in a later apply"
            }),
        );
    }
    all
}

pub(super) fn silent_probes(seen: &Seen<'_>) -> Vec<Finding> {
    let mut probes: BTreeSet<(Arc<str>, IpAddr, u16)> = BTreeSet::new();
    for service in seen.services {
        if let (Some(probe), GuestMode::Loopback) = (service.probe(), service.mode) {
            probes.insert((probe.name, probe.destination, probe.port));
        }
    }
    probes
        .into_iter()
        .filter(|(_, destination, port)| seen.facts.listens(Protocol::Tcp, *destination, Some(*port)).is_none())
        .map(|(name, destination, port)| {
            let place = place(destination, Some(port), Protocol::Tcp);
            finding(seen.addr, &codes::SILENT_PROBE, format!("nothing answers the health probe on {place}"))
                .note(format!(
                    "probe {name:?} asks the VM's own address, also for floating IP rules; without an answer Azure sends this guest nothing"
                ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes_of, facts, listen, with};
    use super::*;

    #[test]
    fn a_service_needs_a_listener_on_the_frontends_address_or_on_all() {
        for (address, fires) in [("10.0.0.11", true), ("10.0.0.7", false), ("0.0.0.0", false)] {
            let mut facts = facts();
            listen(&mut facts, address, 443);
            let found = with(&facts, |seen| {
                codes_of(silent_services(seen, &mut Said::default()))
            });
            assert_eq!(found == ["PL0301"], fires, "{address}");
        }
    }

    #[test]
    fn a_probe_needs_a_listener_on_the_guests_own_address() {
        for (address, fires) in [("10.0.0.7", true), ("10.0.0.11", false), ("0.0.0.0", false)] {
            let mut facts = facts();
            listen(&mut facts, address, 8080);
            let found = with(&facts, |seen| codes_of(silent_probes(seen)));
            assert_eq!(found == ["PL0302"], fires, "{address}");
        }
    }
}
