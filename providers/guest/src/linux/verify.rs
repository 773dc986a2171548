//! What of ours is still there after it should have gone.

use super::firewall::{MARKER, rule_text};
use ipnet::IpNet;
use plimsoll_core::model::Where;
use plimsoll_core::model::guest::{EntryKey, GuestFacts};
use std::net::IpAddr;

/// Exactly what we make, wherever else the address or the permission may come from.
pub(crate) fn is_there(key: &EntryKey, facts: &GuestFacts) -> bool {
    let Some(address) = key.destination().and_then(Where::known) else {
        return false;
    };
    match key {
        EntryKey::Address(_) => facts
            .addresses
            .iter()
            .any(|held| held.interface == "lo" && held.address == IpNet::from(address)),
        EntryKey::Firewall(opening) => {
            let text = rule_text(opening, address);
            let mut chains = facts.firewall.base.iter().chain(&facts.firewall.other);
            let same = |chain: &plimsoll_core::model::guest::Chain| {
                chain
                    .rules
                    .iter()
                    .any(|rule| rule.ours && (rule.text == text || names(&rule.text, key, address)))
            };
            chains.any(same) || facts.survives.contains(key)
        }
        EntryKey::WeakHost(_) => false,
    }
}

/// An iptables rule of ours for the same opening.
fn names(text: &str, key: &EntryKey, address: IpAddr) -> bool {
    let EntryKey::Firewall(opening) = key else {
        return false;
    };
    text.contains(MARKER) && text.ends_with(&super::firewall::iptables_words(opening, address))
}
