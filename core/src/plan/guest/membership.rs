//! Which pools a guest's NICs are in, and which they join and leave.

use super::{GuestPlan, forgotten};
use crate::config::{Desired, DesiredGuest};
use crate::model::guest::GuestRef;
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId};
use crate::plan::addressed::Addressed;
use crate::plan::needs::Member;
use crate::plan::past::let_go;
use crate::plan::stages::Moves;
use crate::plan::{Action, MembershipChange, MembershipEdit};
use crate::state::{Recorded, RecordedInterface, State, StateEdit};
use std::collections::{BTreeMap, BTreeSet};

/// The pools that a guest's NICs are in and shall be in.
pub struct Membership {
    pub(super) observed: Vec<Member>,
    pub(super) after: Vec<Member>,
    pub(super) joins: BTreeMap<ArmId, Vec<MembershipEdit>>,
    pub(super) leaves: BTreeMap<ArmId, Vec<MembershipEdit>>,
    pub(super) record: Vec<StateEdit>,
    pub(super) missing: Vec<(ArmId, ArmId)>,
    pub(super) blocked: Vec<String>,
}

/// Where the guest's NICs go, or the plan of one that is let go as it is.
pub fn placed(
    reference: &GuestRef,
    desired: &Desired,
    observed: &Observed,
    prior: Option<&State>,
) -> Result<Membership, Box<GuestPlan>> {
    let addr = &reference.addr;
    let declared = desired.guests.get(addr);
    let recorded = match prior.and_then(|p| p.resources.get(addr)) {
        Some(Recorded::Guest { interfaces, .. }) => interfaces.as_slice(),
        Some(
            Recorded::PublicIpPrefix { .. }
            | Recorded::PublicIp { .. }
            | Recorded::LoadBalancer { .. },
        )
        | None => &[],
    };
    if declared.is_none() && let_go(addr, &desired.removed) {
        let note = "it keeps what it holds; plimsoll no longer looks after it";
        return Err(Box::new(forgotten(addr, reference, note.to_owned())));
    }
    if declared.is_none()
        && let Some(heir) = heir(recorded, desired)
    {
        let note = format!("its NIC belongs to {heir} now, which keeps what it holds");
        return Err(Box::new(forgotten(addr, reference, note)));
    }
    Ok(membership(reference, declared, recorded, desired, observed))
}

impl Membership {
    /// Pools of addresses have no NICs: whoever has the address is in them.
    pub fn by_address(&mut self, addressed: &Addressed, observed: &Observed) {
        addressed.complete(&mut self.observed, &mut self.after, observed);
    }

    pub fn joining(&self) -> impl Iterator<Item = &ArmId> {
        self.joins.values().flatten().map(|edit| &edit.pool)
    }

    /// Where the NICs are when the main writes come.
    pub(super) fn between(&self, moves: &Moves) -> Vec<Member> {
        let mut members = self.observed.clone();
        for (member, after) in members.iter_mut().zip(&self.after) {
            let joined = after.pools.difference(&member.pools);
            let first: Vec<ArmId> = joined.filter(|p| moves.to.contains(p)).cloned().collect();
            member
                .pools
                .retain(|p| after.pools.contains(p) || moves.from.contains(p));
            member.pools.extend(first);
        }
        members
    }
}

/// The declared guest that has a NIC of one that left: the same machine under another name, which must not lose anything.
fn heir<'a>(recorded: &[RecordedInterface], desired: &'a Desired) -> Option<&'a Addr> {
    let has = |guest: &DesiredGuest| {
        guest
            .interfaces
            .iter()
            .any(|i| recorded.iter().any(|r| r.id == i.id))
    };
    desired
        .guests
        .iter()
        .find(|(_, guest)| has(guest))
        .map(|(addr, _)| addr)
}

fn membership(
    guest: &GuestRef,
    declared: Option<&DesiredGuest>,
    recorded: &[RecordedInterface],
    desired: &Desired,
    observed: &Observed,
) -> Membership {
    let addr = &guest.addr;
    let mut out = Membership {
        observed: Vec::new(),
        after: Vec::new(),
        joins: BTreeMap::new(),
        leaves: BTreeMap::new(),
        record: Vec::new(),
        missing: Vec::new(),
        blocked: Vec::new(),
    };
    let read_only: BTreeSet<&ArmId> = desired
        .data_load_balancers
        .values()
        .map(|data| &data.id)
        .collect();
    let is_read_only = |pool: &ArmId| {
        !read_only.is_empty() && pool.parent().is_some_and(|lb| read_only.contains(&lb))
    };
    let mut places: BTreeMap<(ArmId, String), BTreeSet<ArmId>> = BTreeMap::new();
    for interface in declared.into_iter().flat_map(|d| &d.interfaces) {
        places
            .entry((interface.id.clone(), interface.ip_configuration.clone()))
            .or_default()
            .extend(interface.backend_pools.iter().cloned());
    }
    for known in recorded {
        places
            .entry((known.id.clone(), known.ip_configuration.clone()))
            .or_default();
    }
    for ((nic, name), wanted) in places {
        let is_known =
            |r: &RecordedInterface| r.id == nic && r.ip_configuration.eq_ignore_ascii_case(&name);
        if declared.is_some() && !recorded.iter().any(is_known) {
            out.record.push(StateEdit::Interface {
                addr: addr.clone(),
                interface: nic.clone(),
                ip_configuration: name.clone(),
            });
        }
        let ours: BTreeSet<ArmId> = recorded
            .iter()
            .filter(|r| r.id == nic && r.ip_configuration.eq_ignore_ascii_case(&name))
            .flat_map(|r| r.backend_pools.iter().cloned())
            .collect();
        let (configuration, failed) = match observed.network_interfaces.get(&nic) {
            Some(Observation::Present(found)) => {
                let configuration = found
                    .ip_configurations
                    .iter()
                    .find(|(n, _)| n.eq_ignore_ascii_case(&name))
                    .map(|(_, c)| c);
                (configuration, found.failed)
            }
            Some(Observation::Unreadable { why }) => {
                out.blocked.push(format!(
                    "network interface {} of {addr} could not be read: {why}",
                    nic.name()
                ));
                continue;
            }
            Some(Observation::Absent) | None => {
                if declared.is_some() {
                    out.blocked.push(format!(
                        "network interface {nic} of {addr} does not exist; put the id of the VM's NIC into the guest block"
                    ));
                }
                continue;
            }
        };
        let Some(configuration) = configuration else {
            out.blocked.push(format!(
                "network interface {} of {addr} has no ip configuration {name:?}",
                nic.name()
            ));
            continue;
        };
        let now: BTreeSet<ArmId> = configuration.backend_pools.iter().cloned().collect();
        let edit = |pool: &ArmId, join: bool| MembershipEdit {
            ip_configuration: name.clone(),
            pool: pool.clone(),
            join,
        };
        let mut after = now.clone();
        for pool in wanted.difference(&now) {
            // Its owner makes it join; the guest is made ready for that.
            after.insert(pool.clone());
            if is_read_only(pool) || nic.is_of_scale_set() {
                out.missing.push((nic.clone(), pool.clone()));
                continue;
            }
            out.joins
                .entry(nic.clone())
                .or_default()
                .push(edit(pool, true));
        }
        for pool in ours.difference(&wanted) {
            if (now.contains(pool) || failed) && !is_read_only(pool) && !nic.is_of_scale_set() {
                out.leaves
                    .entry(nic.clone())
                    .or_default()
                    .push(edit(pool, false));
                after.remove(pool);
            } else {
                out.record.push(leave(addr, &nic, &name, pool));
            }
        }
        let ours_to_write = |pool: &&ArmId| !is_read_only(pool) && !nic.is_of_scale_set();
        for pool in wanted.intersection(&now).filter(ours_to_write) {
            // What failed is written again, even if it reads as asked: Azure did not bring it about.
            if failed {
                let joins = out.joins.entry(nic.clone()).or_default();
                joins.push(edit(pool, true));
            } else if !ours.contains(pool) {
                out.record.push(join(addr, &nic, &name, pool));
            }
        }
        let own_address = configuration.private_address;
        let id = nic.child("ipConfigurations", &name);
        out.observed.push(Member {
            id: id.clone(),
            os: guest.os,
            own_address,
            pools: now,
        });
        out.after.push(Member {
            id,
            os: guest.os,
            own_address,
            pools: after,
        });
    }
    out
}

pub fn join(addr: &Addr, nic: &ArmId, ip_configuration: &str, pool: &ArmId) -> StateEdit {
    StateEdit::Join {
        addr: addr.clone(),
        interface: nic.clone(),
        ip_configuration: ip_configuration.to_owned(),
        pool: pool.clone(),
    }
}

pub fn leave(addr: &Addr, nic: &ArmId, ip_configuration: &str, pool: &ArmId) -> StateEdit {
    StateEdit::Leave {
        addr: addr.clone(),
        interface: nic.clone(),
        ip_configuration: ip_configuration.to_owned(),
        pool: pool.clone(),
    }
}

pub(super) fn membership_changes(plan: &GuestPlan) -> Vec<MembershipChange> {
    let edits = plan.joins.iter().chain(&plan.leaves);
    edits
        .flat_map(|(nic, edits)| edits.iter().map(move |edit| (nic, edit)))
        .map(|(nic, edit)| MembershipChange {
            interface: nic.clone(),
            ip_configuration: edit.ip_configuration.clone(),
            pool: edit.pool.clone(),
            action: if edit.join {
                Action::Create
            } else {
                Action::Delete
            },
        })
        .collect()
}
