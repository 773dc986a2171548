//! Reading the world: one GET for each id, one round trip for each guest, concurrently.

use super::{Clock, ObserveAzure, ObserveGuests};
use crate::model::Addr;
use crate::model::guest::{GuestFacts, GuestRef};
use crate::model::observed::{Observation, Observed};
use crate::model::{ArmId, ItemKind, LoadBalancer};
use crate::plan::Wanted;
use futures::stream::{self, StreamExt};
use std::collections::BTreeSet;
use std::time::Duration;

/// ARM allows 25 reads a second for each principal; latency hides behind a few at a time.
const GETS_AT_ONCE: usize = 8;

/// How long a cluster gets between two looks at it. Long enough that its resources follow each other to the other member
/// (an address, then the probe's port), short enough that nobody minds.
const SETTLES: Duration = Duration::from_secs(3);

/// Reads some guests once more, a little later: a cluster may have moved an address from a guest that was not read yet to
/// one that was, or the other way round.
pub async fn observe_again(
    observed: &mut Observed,
    wanted: &Wanted,
    unsettled: &BTreeSet<Addr>,
    guests: &dyn ObserveGuests,
    clock: &dyn Clock,
) {
    if unsettled.is_empty() {
        return;
    }
    clock.sleep(SETTLES).await;
    let again = wanted
        .guests
        .values()
        .filter(|g| unsettled.contains(&g.addr));
    observed.guests.extend(facts(again, guests).await);
}

pub async fn observe(
    wanted: &Wanted,
    azure: &dyn ObserveAzure,
    guests: &dyn ObserveGuests,
) -> Observed {
    let (mut observed, facts) = futures::join!(
        azure_first(wanted, azure),
        facts(wanted.guests.values(), guests)
    );
    observed.guests.extend(facts);
    azure_second(wanted, azure, &mut observed).await;
    observed
}

/// Reads the guests that are wanted, after the rest of the world.
pub async fn observe_guests(observed: &mut Observed, wanted: &Wanted, guests: &dyn ObserveGuests) {
    let found = facts(wanted.guests.values(), guests).await;
    observed.guests.extend(found);
}

/// The provider bounds how many guests it talks to at once: it knows the transports.
pub(super) async fn facts<'a>(
    wanted: impl Iterator<Item = &'a GuestRef>,
    guests: &dyn ObserveGuests,
) -> Vec<(Addr, Observation<GuestFacts>)> {
    let reads: Vec<_> = wanted
        .map(|guest| async move { (guest.addr.clone(), guests.facts(guest).await) })
        .collect();
    let at_once = reads.len().max(1);
    stream::iter(reads)
        .buffer_unordered(at_once)
        .collect()
        .await
}

async fn azure_first(wanted: &Wanted, azure: &dyn ObserveAzure) -> Observed {
    let mut observed = Observed::default();
    let (load_balancers, public_ips, prefixes, network_interfaces) = futures::join!(
        all(&wanted.load_balancers, |id| azure.load_balancer(id)),
        all(&wanted.public_ips, |id| azure.public_ip(id)),
        all(&wanted.public_ip_prefixes, |id| azure.public_ip_prefix(id)),
        all(&wanted.network_interfaces, |id| azure.network_interface(id)),
    );
    observed.load_balancers.extend(load_balancers);
    observed.public_ips.extend(public_ips);
    observed.public_ip_prefixes.extend(prefixes);
    observed.network_interfaces.extend(network_interfaces);
    observed
}

/// What only the first answers tell: load balancers that a NIC is in beside the declared ones, and the addresses of
/// frontends that nobody here declares.
async fn azure_second(wanted: &Wanted, azure: &dyn ObserveAzure, observed: &mut Observed) {
    let joined: BTreeSet<ArmId> = observed
        .network_interfaces
        .values()
        .filter_map(Observation::present)
        .flat_map(|nic| nic.ip_configurations.values())
        .flat_map(|c| c.backend_pools.iter().cloned())
        .collect();
    let others: BTreeSet<ArmId> = joined
        .iter()
        .filter_map(ArmId::parent)
        .filter(|id| !observed.load_balancers.contains_key(id))
        .collect();
    observed
        .load_balancers
        .extend(all(&others, |id| azure.load_balancer(id)).await);
    let pools: BTreeSet<&ArmId> = joined.iter().chain(&wanted.pools).collect();
    let addresses: BTreeSet<ArmId> = observed
        .load_balancers
        .values()
        .filter_map(Observation::present)
        .flat_map(|lb| frontend_addresses(lb, &pools, &wanted.frontends))
        .filter(|id| !observed.public_ips.contains_key(id))
        .collect();
    observed
        .public_ips
        .extend(all(&addresses, |id| azure.public_ip(id)).await);
    guards(wanted, azure, observed).await;
}

/// The network security groups in front of the interfaces that matter. Each subnet and each group is read once, however
/// many interfaces share it.
async fn guards(wanted: &Wanted, azure: &dyn ObserveAzure, observed: &mut Observed) {
    let mut subnets = BTreeSet::new();
    let mut groups = BTreeSet::new();
    for id in &wanted.guarded {
        let seen = observed.network_interfaces.get(id);
        let Some(nic) = seen.and_then(Observation::present) else {
            continue;
        };
        let configurations = nic.ip_configurations.keys();
        subnets.extend(configurations.filter_map(|name| nic.subnet(name)));
        groups.extend(nic.security_group());
    }
    let subnets = all(&subnets, |id| azure.subnet(id)).await;
    observed.subnets.extend(subnets);
    let of_subnets = observed.subnets.values().filter_map(Observation::present);
    groups.extend(of_subnets.filter_map(|subnet| subnet.security_group.clone()));
    let groups = all(&groups, |id| azure.security_group(id)).await;
    observed.security_groups.extend(groups);
}

/// Guests may be in it without their NICs saying so.
fn has_addresses(load_balancer: &LoadBalancer, pool: &ArmId) -> bool {
    load_balancer
        .by_id(ItemKind::BackendPool, pool.as_str())
        .is_some_and(|pool| pool.addresses().next().is_some())
}

fn frontend_addresses(
    load_balancer: &LoadBalancer,
    pools: &BTreeSet<&ArmId>,
    named: &BTreeSet<ArmId>,
) -> BTreeSet<ArmId> {
    let reaching = load_balancer
        .rules()
        .filter(|rule| {
            rule.pools()
                .any(|pool| pools.contains(&pool) || has_addresses(load_balancer, &pool))
        })
        .filter_map(|rule| rule.frontend());
    let translating = load_balancer
        .of_kind(ItemKind::InboundNatRule)
        .filter_map(|item| item.text("frontend").map(ArmId::new));
    reaching
        .chain(translating)
        .chain(named.iter().cloned())
        .filter_map(|id| load_balancer.by_id(ItemKind::Frontend, id.as_str()))
        .filter_map(|frontend| frontend.text("public_ip").map(ArmId::new))
        .collect()
}

/// Asks for each of them, a few at a time.
pub(super) async fn all<'a, T, F>(
    ids: &'a BTreeSet<ArmId>,
    get: impl Fn(&'a ArmId) -> F,
) -> Vec<(ArmId, T)>
where
    F: Future<Output = T>,
{
    stream::iter(ids)
        .map(|id| {
            let answer = get(id);
            async move { (id.clone(), answer.await) }
        })
        .buffer_unordered(GETS_AT_ONCE)
        .collect()
        .await
}
