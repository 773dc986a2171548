//! Who holds a frontend's address inside the guests. Azure does not know; the guests do.

use super::Existing;
use super::guests::Machine;
use crate::config::GuestMode;
use crate::model::guest::GuestFacts;
use crate::model::observed::Observation;
use crate::model::{Addr, ArmId, Item, Kind, LoadBalancer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What the guests said, by the addresses that the generated text gives them. Empty where nobody asked them.
pub type Inside = BTreeMap<Addr, Observation<GuestFacts>>;

/// What a frontend's block says of the guests, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) mode: GuestMode,
    /// A sentence for a comment, where a person should look at it.
    pub(super) why: Option<String>,
}

/// What the members say of a frontend that floating rules use; `None` where no guest's answer matters.
pub(super) fn said(existing: &Existing, machines: &[Machine], frontend: &Item) -> Option<Said> {
    let address = address(existing, frontend)?;
    let id = existing
        .load_balancer
        .id_of(crate::model::ItemKind::Frontend, &frontend.name);
    let pools: BTreeSet<ArmId> = existing
        .load_balancer
        .rules()
        .filter(|rule| rule.floating() && rule.frontend().as_ref() == Some(&id))
        .flat_map(|rule| rule.pools().collect::<Vec<_>>())
        .collect();
    let reached = machines.iter().filter(|m| m.is_in(&pools));
    let labels: Vec<&str> = reached.map(|machine| machine.label.as_str()).collect();
    if labels.is_empty() {
        return None;
    }
    let asked = |label: &&str| existing.inside.get(&Addr::new(Kind::Guest, *label));
    let holds = |facts: &GuestFacts| facts.addresses.iter().any(|a| a.address.addr() == address);
    let answers: Vec<(&str, bool)> = labels
        .iter()
        .filter_map(|label| Some((*label, holds(asked(label)?.present()?))))
        .collect();
    Some(judge(address, labels.len(), &answers))
}

/// `answers`: whether each guest that could be read holds the address.
fn judge(address: IpAddr, members: usize, answers: &[(&str, bool)]) -> Said {
    let holders: Vec<&str> = answers
        .iter()
        .filter(|(_, holds)| *holds)
        .map(|(label, _)| *label)
        .collect();
    let (mode, why) = match holders.as_slice() {
        _ if answers.is_empty() => (
            GuestMode::Loopback,
            Some(format!(
                "No guest told who holds {address}. Every member shall, says this; where a cluster moves it: guest_mode = \"cluster\"."
            )),
        ),
        all if all.len() == answers.len() => (GuestMode::Loopback, None),
        [] => (
            GuestMode::None,
            Some(format!(
                "None of the members that could be read holds {address}. Take guest_mode out where each shall hold it."
            )),
        ),
        [one] => (
            GuestMode::Cluster,
            Some(format!("Of {members} members only {one} holds {address}.")),
        ),
        some => (
            GuestMode::Loopback,
            Some(format!(
                "Of {members} members only {} hold {address}; the next plan gives it to the others.",
                some.join(", ")
            )),
        ),
    };
    Said { mode, why }
}

fn address(existing: &Existing, frontend: &Item) -> Option<IpAddr> {
    if let Some(id) = frontend.text("public_ip").map(ArmId::new) {
        let found = existing.public_ips.iter().find(|ip| ip.id == id);
        return found?.address;
    }
    if LoadBalancer::is_dynamic(frontend) {
        let chosen = &existing.load_balancer.dynamic_addresses;
        let mut chosen = chosen.iter();
        return chosen
            .find(|(name, _)| name.eq_ignore_ascii_case(&frontend.name))
            .map(|(_, address)| *address);
    }
    frontend.text("private_ip_address")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_the_address_says_whose_it_is() {
        let address = "10.0.0.7".parse().unwrap();
        let judge = |answers: &[bool]| {
            let named = ["vm1", "vm2", "vm3"].into_iter();
            let answers: Vec<(&str, bool)> = named.zip(answers.iter().copied()).collect();
            judge(address, 3, &answers)
        };
        let everyone = judge(&[true, true, true]);
        assert_eq!((everyone.mode, everyone.why), (GuestMode::Loopback, None));
        // One of one is everyone: nothing tells a cluster of one node from a guest.
        assert_eq!(judge(&[true]).mode, GuestMode::Loopback);
        assert_eq!(judge(&[false, true, false]).mode, GuestMode::Cluster);
        assert_eq!(judge(&[false, false]).mode, GuestMode::None);
        let some = judge(&[true, true, false]);
        assert_eq!(some.mode, GuestMode::Loopback);
        assert!(some.why.is_some_and(|why| why.contains("vm1, vm2")));
        let nobody_asked = judge(&[]);
        assert_eq!(nobody_asked.mode, GuestMode::Loopback);
        assert!(nobody_asked.why.is_some_and(|why| why.contains("cluster")));
    }
}
