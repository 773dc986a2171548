//! What must be read before anything can be planned.

use super::past::{moved, pending_moves};
use crate::config::Desired;
use crate::model::guest::GuestRef;
use crate::model::schema::{Shape, Target};
use crate::model::{Addr, ArmId, ItemKind, Kind};
use crate::state::{Recorded, State};
use std::collections::{BTreeMap, BTreeSet};

/// The reads of a plan: one GET for each id, one round trip for each guest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    pub load_balancers: BTreeSet<ArmId>,
    pub public_ips: BTreeSet<ArmId>,
    pub public_ip_prefixes: BTreeSet<ArmId>,
    pub network_interfaces: BTreeSet<ArmId>,
    pub guests: BTreeMap<Addr, GuestRef>,
    /// Frontends that rules name and nobody here declares: their addresses come with the load balancer's GET.
    pub frontends: BTreeSet<ArmId>,
    /// Pools that guests are in: the frontends of their rules matter too.
    pub pools: BTreeSet<ArmId>,
    /// Network interfaces of which it matters what network security groups let through to them.
    pub guarded: BTreeSet<ArmId>,
}

/// What is declared, and what the state knows and the configuration no longer does: also what a run that was cut off may have
/// made.
pub fn needed(desired: &Desired, prior: Option<&State>) -> Wanted {
    let unfinished = prior.filter(|prior| prior.journal.is_some());
    let settled = unfinished.map(State::settled);
    let prior = settled.as_ref().or(prior);
    let renamed = prior.and_then(|prior| {
        let moves = pending_moves(prior, &desired.moves);
        (!moves.is_empty()).then(|| moved(prior, &moves))
    });
    let prior = renamed.as_ref().or(prior);
    let mut wanted = Wanted::default();
    wanted
        .public_ips
        .extend(desired.data_public_ips.values().cloned());
    wanted
        .public_ip_prefixes
        .extend(desired.data_public_ip_prefixes.values().cloned());
    let expected = desired.data_load_balancers.values().map(|d| &d.expected);
    for prefix in desired.public_ip_prefixes.values() {
        wanted.public_ip_prefixes.insert(prefix.id.clone());
    }
    for public_ip in desired.public_ips.values() {
        wanted.public_ips.insert(public_ip.id.clone());
    }
    for load_balancer in desired.load_balancers.values().chain(expected) {
        wanted.load_balancers.insert(load_balancer.id.clone());
        for item in load_balancer
            .items
            .iter()
            .filter(|i| i.kind == ItemKind::Frontend)
        {
            for attribute in item.kind.attributes() {
                if attribute.shape == Shape::Id(Target::PublicIp)
                    && let Some(id) = item
                        .attributes
                        .get(attribute.name)
                        .and_then(|a| a.as_text())
                {
                    wanted.public_ips.insert(ArmId::new(id));
                }
            }
            let prefix = item.attributes.get("public_ip_prefix");
            let prefix = prefix.and_then(|prefix| prefix.as_text()).map(ArmId::new);
            wanted.public_ip_prefixes.extend(prefix);
        }
    }
    for (addr, guest) in &desired.guests {
        for interface in &guest.interfaces {
            wanted.pools.extend(interface.backend_pools.iter().cloned());
            wanted.network_interfaces.insert(interface.id.clone());
            wanted.guarded.insert(interface.id.clone());
        }
        let reference = GuestRef {
            addr: addr.clone(),
            os: guest.os,
            connection: guest.connection.clone(),
        };
        wanted.guests.insert(addr.clone(), reference);
    }
    for (addr, recorded) in prior.into_iter().flat_map(|state| &state.resources) {
        match recorded {
            Recorded::PublicIpPrefix { id, .. } => {
                wanted.public_ip_prefixes.insert(id.clone());
            }
            Recorded::PublicIp { id, .. } => {
                wanted.public_ips.insert(id.clone());
            }
            Recorded::LoadBalancer { id, .. } => {
                wanted.load_balancers.insert(id.clone());
            }
            Recorded::Guest {
                os,
                connection,
                interfaces,
                ..
            } => {
                debug_assert_eq!(addr.kind, Kind::Guest);
                wanted
                    .network_interfaces
                    .extend(interfaces.iter().map(|i| i.id.clone()));
                wanted
                    .guests
                    .entry(addr.clone())
                    .or_insert_with(|| GuestRef {
                        addr: addr.clone(),
                        os: *os,
                        connection: connection.clone(),
                    });
            }
        }
    }
    wanted
}
