//! A cluster's address, judged per pool: one member holds it, and that member answers the probe.

use super::super::Finding;
use super::super::codes;
use super::super::needs::Probe;
use super::{Seen, finding, place};
use crate::config::GuestMode;
use crate::model::Protocol;
use std::collections::BTreeMap;
use std::net::IpAddr;

pub(super) fn findings(guests: &[Seen<'_>]) -> Vec<Finding> {
    let mut of_address: BTreeMap<IpAddr, Vec<(&Seen<'_>, Option<Probe>)>> = BTreeMap::new();
    for seen in guests {
        let mut mine: BTreeMap<IpAddr, Option<Probe>> = BTreeMap::new();
        let clustered = |s: &&super::Service| s.mode == GuestMode::Cluster && s.floating;
        for service in seen.services.iter().filter(clustered) {
            if let Some(address) = service.destination().known() {
                let probe = mine.entry(address).or_default();
                *probe = probe.take().or_else(|| service.probe());
            }
        }
        for (address, probe) in mine {
            of_address.entry(address).or_default().push((seen, probe));
        }
    }
    let mut all = Vec::new();
    for (address, members) in of_address {
        all.extend(holders(address, &members));
        all.extend(
            members
                .iter()
                .filter_map(|(seen, probe)| answers(address, seen, probe.as_ref())),
        );
    }
    all
}

fn holders(address: IpAddr, members: &[(&Seen<'_>, Option<Probe>)]) -> Option<Finding> {
    let holders: Vec<&Seen<'_>> = members
        .iter()
        .map(|(seen, _)| *seen)
        .filter(|seen| seen.facts.holds(address).is_some())
        .collect();
    match holders.as_slice() {
        [] => members.first().map(|(seen, _)| {
            finding(
                seen.addr,
                &codes::CLUSTER_ADDRESS,
                format!("no member holds the cluster's address {address}"),
            )
            .note("the cluster has not started the resource, or holds it on a member that is not declared here")
        }),
        [_] => None,
        [first, .., last] => Some(
            finding(
                last.addr,
                &codes::CLUSTER_ADDRESS,
                format!("{} members hold the cluster's address {address}", holders.len()),
            )
            .note(format!("{} holds it, too: the cluster is split, or someone added it by hand", first.addr))
            .note("the cluster moves the address; plimsoll never adds or removes it"),
        ),
    }
}

/// The member that holds the address answers the probe, and no other.
fn answers(address: IpAddr, seen: &Seen<'_>, probe: Option<&Probe>) -> Option<Finding> {
    let probe = probe?;
    let holds = seen.facts.holds(address).is_some();
    let listening = seen
        .facts
        .listens(Protocol::Tcp, probe.destination, Some(probe.port))
        .is_some();
    let at = place(probe.destination, Some(probe.port), Protocol::Tcp);
    match (holds, listening) {
        (true, false) => Some(
            finding(
                seen.addr,
                &codes::CLUSTER_PROBE,
                format!("it holds {address} and nothing answers the probe on {at}"),
            )
            .note("Azure sends nothing to the active member")
            .note("the probe's port belongs into the same resource group as the address"),
        ),
        (false, true) => Some(
            finding(
                seen.addr,
                &codes::CLUSTER_PROBE,
                format!("it answers the probe on {at} and does not hold {address}"),
            )
            .note("Azure sends connections here, and the guest drops them"),
        ),
        (true, true) | (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{addr, facts, hold, listen, service};
    use super::*;

    fn codes_of(members: &[(bool, bool)]) -> Vec<String> {
        let services = [service(GuestMode::Cluster, 62000)];
        let addresses: Vec<_> = (0..members.len())
            .map(|n| addr(&format!("vm{n}")))
            .collect();
        let all: Vec<_> = members
            .iter()
            .map(|(holds, answers)| {
                let mut facts = facts();
                if *holds {
                    hold(&mut facts, "10.0.0.7/24", "eth0");
                }
                if *answers {
                    listen(&mut facts, "0.0.0.0", 62000);
                }
                facts
            })
            .collect();
        let seen: Vec<_> = all
            .iter()
            .zip(&addresses)
            .map(|(facts, addr)| Seen {
                addr,
                services: &services,
                facts,
                interfaces: 1,
            })
            .collect();
        findings(&seen)
            .into_iter()
            .map(|f| f.code.into_owned())
            .collect()
    }

    #[test]
    fn one_member_holds_the_address_and_answers() {
        assert!(codes_of(&[(true, true), (false, false)]).is_empty());
        assert_eq!(codes_of(&[(false, false), (false, false)]), ["PL0316"]);
        assert_eq!(codes_of(&[(true, true), (true, true)]), ["PL0316"]);
        assert_eq!(codes_of(&[(true, false), (false, false)]), ["PL0317"]);
        assert_eq!(codes_of(&[(true, true), (false, true)]), ["PL0317"]);
    }
}
