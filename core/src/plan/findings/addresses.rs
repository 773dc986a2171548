//! Addresses inside a guest: netmasks that take neighbours away, and what no reboot brings back.

use super::{Seen, finding};
use crate::model::guest::GuestFacts;
use crate::plan::guest::GuestPlan;
use crate::plan::{Finding, codes};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// The Microsoft page's own example uses /24, which makes the guest swallow the whole subnet.
pub(super) fn wrong_prefixes(seen: &Seen<'_>) -> Vec<Finding> {
    let wanted: BTreeSet<IpAddr> = seen
        .services
        .iter()
        .filter(|s| s.needs_address())
        .filter_map(|s| s.destination().known())
        .collect();
    seen.facts
        .addresses
        .iter()
        .filter(|a| wanted.contains(&a.address.addr()))
        .filter(|a| seen.facts.is_loopback(&a.interface) && a.address.prefix_len() != a.address.max_prefix_len())
        .map(|a| {
            let own = seen
                .facts
                .addresses
                .iter()
                .find(|own| !seen.facts.is_loopback(&own.interface) && a.address.contains(&own.address.addr()));
            let (code, what) = match own {
                Some(own) => (
                    &codes::SWALLOWED_SUBNET,
                    format!("{} on {} swallows the subnet of {}", a.address, a.interface, own.interface),
                ),
                None => (
                    &codes::WRONG_NETMASK,
                    format!("{} on {} has the wrong netmask", a.address, a.interface),
                ),
            };
            finding(seen.addr, code, what).note(
                format!(
                    "every address of {} counts as this guest itself, so it cannot reach them; it should be /{}",
                    a.address.trunc(),
                    a.address.max_prefix_len()
                ),
            )
        })
        .collect()
}

pub(super) fn not_persistent(guest: &GuestPlan, facts: &GuestFacts) -> Option<Finding> {
    (!facts.keeps_settings() && !guest.ensure.is_empty()).then(|| {
        finding(
            &guest.addr,
            &codes::NOT_SYSTEMD,
            format!("the guest boots with {}, not systemd", facts.init),
        )
        .note("what plimsoll sets there now will not survive a reboot".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{codes_of, facts, hold, with};
    use super::*;

    #[test]
    fn a_frontends_address_is_one_address() {
        for (address, interface, fires) in [
            ("10.0.0.7/24", "lo", true),
            ("10.0.0.7/32", "lo", false),
            ("10.0.0.7/24", "eth0", false),
            ("10.0.0.9/24", "lo", false),
        ] {
            let mut facts = facts();
            hold(&mut facts, address, interface);
            let found = with(&facts, |seen| codes_of(wrong_prefixes(seen)));
            assert_eq!(!found.is_empty(), fires, "{address} {interface}");
        }
    }

    #[test]
    fn an_internal_frontends_netmask_takes_the_gateway_away() {
        for (own, found) in [("10.0.0.11/24", "PL0323"), ("10.0.1.11/24", "PL0303")] {
            let mut facts = facts();
            facts.addresses.retain(|a| a.interface == "lo");
            hold(&mut facts, own, "eth0");
            hold(&mut facts, "10.0.0.7/24", "lo");
            assert_eq!(with(&facts, |seen| codes_of(wrong_prefixes(seen))), [found]);
        }
    }
}
