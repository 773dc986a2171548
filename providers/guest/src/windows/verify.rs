//! What of ours is still there after it should have gone.

use super::firewall::rule_name;
use ipnet::IpNet;
use plimsoll_core::model::guest::{EntryKey, GuestFacts};

/// Exactly what we make, wherever else the address or the permission may come from.
pub(crate) fn is_there(key: &EntryKey, facts: &GuestFacts) -> bool {
    match key {
        EntryKey::Address(place) => place.known().is_some_and(|address| {
            facts.addresses.iter().any(|held| {
                facts.is_loopback(&held.interface) && held.address == IpNet::from(address)
            }) || facts.survives.contains(key)
        }),
        EntryKey::Firewall(opening) => {
            let destination = opening.destination.known();
            let name = destination.map(|destination| rule_name(opening, destination));
            let mut rules = facts.firewall.base.iter().flat_map(|chain| &chain.rules);
            facts.survives.contains(key)
                || name.is_some_and(|name| {
                    rules.any(|rule| rule.ours && rule.text.contains(&format!("\"{name}\"")))
                })
        }
        // It may have been on before us: what it is put back to is in the record.
        EntryKey::WeakHost(_) => false,
    }
}
