//! Who is in a pool that someone else fills: read before the configuration that asks for it can be evaluated.

use super::ObserveAzure;
use super::observe::all;
use crate::model::guest::Os;
use crate::model::member::{PoolMembers, members};
use crate::model::observed::Observation;
use crate::model::{ArmId, ItemKind};
use std::collections::{BTreeMap, BTreeSet};

/// Why the members of a pool are not known. Guessing would let guests go that are still there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undiscovered {
    #[error(
        "load balancer {load_balancer} does not exist, so nobody is in its pool {pool:?}; create it first, or name the guests yourself"
    )]
    NoLoadBalancer { load_balancer: ArmId, pool: String },
    #[error("load balancer {load_balancer} has no pool {pool:?}; it has {}", known.join(", "))]
    NoPool {
        load_balancer: ArmId,
        pool: String,
        known: Vec<String>,
    },
    #[error("{id} cannot be read: {why}")]
    Unreadable { id: ArmId, why: String },
}

/// The members of each pool: one GET for each load balancer, for each network interface in a pool, and for each machine.
pub async fn discover(
    pools: &BTreeSet<ArmId>,
    azure: &dyn ObserveAzure,
) -> Result<BTreeMap<ArmId, PoolMembers>, Undiscovered> {
    let balancers: BTreeSet<ArmId> = pools.iter().filter_map(ArmId::parent).collect();
    let balancers = all(&balancers, |id| azure.load_balancer(id)).await;
    let mut asked = Vec::new();
    for (id, seen) in &balancers {
        let pools = pools
            .iter()
            .filter(|pool| pool.parent().as_ref() == Some(id));
        match seen {
            Observation::Present(load_balancer) => {
                asked.extend(pools.map(|pool| (pool, load_balancer)));
            }
            Observation::Absent => {
                let load_balancer = id.clone();
                let pool = pools.map(ArmId::name).next().unwrap_or_default().to_owned();
                return Err(Undiscovered::NoLoadBalancer {
                    load_balancer,
                    pool,
                });
            }
            Observation::Unreadable { why } => return Err(unreadable(id, why)),
        }
    }
    let mut interfaces = BTreeSet::new();
    for (pool, load_balancer) in &asked {
        if load_balancer
            .item(ItemKind::BackendPool, pool.name())
            .is_none()
        {
            let known = load_balancer.of_kind(ItemKind::BackendPool);
            return Err(Undiscovered::NoPool {
                load_balancer: load_balancer.id.clone(),
                pool: pool.name().to_owned(),
                known: known.map(|pool| format!("{:?}", pool.name)).collect(),
            });
        }
        let members = load_balancer.members_of(pool.name());
        interfaces.extend(members.iter().filter_map(ArmId::parent));
    }
    let interfaces: BTreeMap<ArmId, _> = all(&interfaces, |id| azure.network_interface(id))
        .await
        .into_iter()
        .collect();
    for (id, seen) in &interfaces {
        if let Observation::Unreadable { why } = seen {
            return Err(unreadable(id, why));
        }
    }
    let read = |id: &ArmId| interfaces.get(id).and_then(Observation::present);
    let mut found: BTreeMap<ArmId, PoolMembers> = asked
        .into_iter()
        .map(|(pool, load_balancer)| (pool.clone(), members(load_balancer, pool.name(), read)))
        .collect();
    let in_pools = found.values().flat_map(PoolMembers::values);
    let machines: BTreeSet<ArmId> = in_pools.filter_map(|m| m.machine.clone()).collect();
    let systems = all(&machines, |id| azure.operating_system(id)).await;
    let systems: BTreeMap<ArmId, Option<Os>> = systems.into_iter().collect();
    for member in found.values_mut().flat_map(PoolMembers::values_mut) {
        let machine = member.machine.as_ref();
        member.os = machine.and_then(|id| *systems.get(id)?);
    }
    Ok(found)
}

fn unreadable(id: &ArmId, why: &str) -> Undiscovered {
    Undiscovered::Unreadable {
        id: id.clone(),
        why: why.to_owned(),
    }
}
