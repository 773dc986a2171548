//! Why a plan may not be applied.

use super::Action;
use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::prefixes;
use super::public_ip::{PublicIpPlan, PublicIpPrefixPlan};
use crate::config::Desired;
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, ItemKind};

/// One reason, with the resource that it is about.
#[derive(Clone, Debug)]
pub struct Block {
    /// `None` is the whole plan.
    pub addr: Option<Addr>,
    pub why: String,
}

impl Block {
    pub fn new(addr: &Addr, why: String) -> Self {
        Self {
            addr: Some(addr.clone()),
            why,
        }
    }
}

/// A member that cannot be read blocks the writes that need it, never only its part of them.
pub fn blocks(
    public_ip_prefixes: &[PublicIpPrefixPlan],
    public_ips: &[PublicIpPlan],
    load_balancers: &[LoadBalancerPlan],
    guests: &[GuestPlan],
    observed: &Observed,
) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let of = |addr: &Addr, whys: &[String]| {
        let block = |why: &String| Block::new(addr, why.clone());
        whys.iter().map(block).collect::<Vec<_>>()
    };
    all.extend(
        public_ip_prefixes
            .iter()
            .flat_map(|p| of(&p.addr, &p.blocked)),
    );
    all.extend(public_ips.iter().flat_map(|p| of(&p.addr, &p.blocked)));
    all.extend(load_balancers.iter().flat_map(|p| of(&p.addr, &p.blocked)));
    all.extend(guests.iter().flat_map(|p| of(&p.addr, &p.blocked)));
    for guest in guests.iter().filter(|guest| !guest.accepted_unready) {
        let Some(why) = guest.unreadable.as_ref().filter(|_| guest.declared) else {
            continue;
        };
        if let Some(edit) = guest.joins.values().flatten().next() {
            all.push(Block::new(&guest.addr, format!(
                "{} cannot join pool {:?}: it could not be read ({why}), and a member that is not ready loses what Azure sends it",
                guest.addr,
                edit.pool.name()
            )));
        }
        for plan in load_balancers.iter().filter(|p| p.writes()) {
            if guest.load_balancers.contains(&plan.id) {
                let member = &guest.addr;
                all.push(Block::new(
                    &plan.addr,
                    format!(
                        "{} cannot be written: its member {member} could not be read: {why}; \
                     apply --accept-unready {member} goes on without it",
                        plan.addr
                    ),
                ));
            }
        }
    }
    for plan in load_balancers {
        all.extend(of(&plan.addr, &stranded(plan, guests, observed)));
        let made = |id: &ArmId| {
            public_ip_prefixes
                .iter()
                .any(|p| p.id == *id && p.put.is_some())
        };
        all.extend(of(&plan.addr, &prefixes::refused(plan, observed, made)));
    }
    all
}

/// NICs of others in a pool that would be deleted: only their owner may take them out.
fn stranded(plan: &LoadBalancerPlan, guests: &[GuestPlan], seen: &Observed) -> Vec<String> {
    let Some(observed) = &plan.observed else {
        return Vec::new();
    };
    if plan.after.is_none() && plan.change.action != Action::Delete {
        return Vec::new();
    }
    let mut all = Vec::new();
    for pool in observed.of_kind(ItemKind::BackendPool) {
        let stays = plan
            .after
            .as_ref()
            .is_some_and(|after| after.item(ItemKind::BackendPool, &pool.name).is_some());
        if stays {
            continue;
        }
        let id = observed.id_of(ItemKind::BackendPool, &pool.name);
        for member in observed.members_of(&pool.name) {
            let nic = member.parent();
            let leaves = guests.iter().any(|g| {
                nic.as_ref()
                    .and_then(|nic| g.leaves.get(nic))
                    .is_some_and(|edits| edits.iter().any(|e| e.pool == id))
            });
            // Nothing is known of a NIC that could not be read; that it could not is said already.
            let unread = nic.as_ref().is_some_and(|nic| {
                let found = seen.network_interfaces.get(nic);
                matches!(found, Some(Observation::Unreadable { .. }))
            });
            if !leaves && !unread {
                all.push(format!(
                    "{}: pool {:?} would be deleted, and {} is in it without being a guest of this configuration; take it out of the pool first",
                    plan.addr,
                    pool.name,
                    nic.as_ref().map_or(member.as_str(), |nic| nic.name())
                ));
            }
        }
    }
    all
}

pub fn complete(
    load_balancers: &[LoadBalancerPlan],
    public_ip_prefixes: &[PublicIpPrefixPlan],
    public_ips: &[PublicIpPlan],
    guests: &[GuestPlan],
) -> bool {
    load_balancers.iter().all(|p| p.readable)
        && guests
            .iter()
            .filter(|g| !g.accepted_unready)
            .all(|g| g.unreadable.is_none() && g.blocked.is_empty())
        && public_ip_prefixes.iter().all(|p| p.readable)
        && public_ips.iter().all(|p| p.readable)
}

/// Someone else's load balancer that could not be read: what guests need is not known then.
pub fn unreadable_data(desired: &Desired, observed: &Observed) -> Vec<Block> {
    let mut all = Vec::new();
    for (label, data) in &desired.data_load_balancers {
        if let Some(Observation::Unreadable { why }) = observed.load_balancers.get(&data.id) {
            all.push(Block {
                addr: None,
                why: format!("data.load_balancer.{label} could not be read: {why}"),
            });
        }
    }
    for (label, id) in &desired.data_public_ip_prefixes {
        if let Some(Observation::Unreadable { why }) = observed.public_ip_prefixes.get(id) {
            all.push(Block {
                addr: None,
                why: format!("data.public_ip_prefix.{label} could not be read: {why}"),
            });
        }
    }
    all
}
