//! Writes of network interfaces, which join and leave pools before the main write of a load balancer or after it.

use super::guests::guest_edits;
use super::{Draft, Index, Work};
use crate::model::ArmId;
use crate::plan::guest::{join, leave};
use crate::plan::load_balancer::LoadBalancerPlan;
use crate::plan::stages::Stages;
use crate::plan::{MembershipEdit, Phase, StepAction, StepId, title};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// NIC writes, one for each NIC and moment. Answers the steps by load balancer.
pub(super) fn nics(
    draft: &mut Draft,
    index: &mut Index,
    work: &Work<'_>,
    staged: &[(&LoadBalancerPlan, Option<Stages>)],
    when: When,
) -> BTreeMap<ArmId, Vec<StepId>> {
    let deleted: BTreeSet<&ArmId> = staged
        .iter()
        .filter(|(p, _)| p.after.is_none())
        .map(|(p, _)| &p.id)
        .collect();
    let written: BTreeSet<&ArmId> = staged
        .iter()
        .filter(|(_, s)| s.is_some())
        .map(|(p, _)| &p.id)
        .collect();
    let is_first = |edit: &MembershipEdit| {
        let load_balancer = edit.pool.parent();
        let is_in =
            |set: &BTreeSet<&ArmId>| load_balancer.as_ref().is_some_and(|lb| set.contains(lb));
        if edit.join {
            work.moves.to.contains(&edit.pool)
        } else {
            // A new rule must not go live on a member that is about to leave: nobody made that member ready for it.
            is_in(&deleted) || (is_in(&written) && !work.moves.from.contains(&edit.pool))
        }
    };
    let guests = work.guests;
    let mut by_load_balancer: BTreeMap<ArmId, Vec<StepId>> = BTreeMap::new();
    for plan in guests {
        let nics: BTreeSet<&ArmId> = plan.joins.keys().chain(plan.leaves.keys()).collect();
        for nic in nics {
            let all = plan
                .joins
                .get(nic)
                .into_iter()
                .chain(plan.leaves.get(nic))
                .flatten();
            let edits: Vec<MembershipEdit> = all
                .filter(|e| is_first(e) == (when == When::Before))
                .cloned()
                .collect();
            if edits.is_empty() {
                continue;
            }
            let mut record = guest_edits(plan);
            record.extend(edits.iter().map(|edit| {
                let of = if edit.join { join } else { leave };
                of(&plan.addr, nic, &edit.ip_configuration, &edit.pool)
            }));
            let action = StepAction::PutNetworkInterface {
                id: nic.clone(),
                edits: edits.clone(),
            };
            let id = draft.push(
                Phase::Switch,
                &plan.addr,
                title::membership(nic, &edits),
                action,
                record,
            );
            let joins = edits.iter().any(|e| e.join);
            for ready in [&index.expand, &index.late].into_iter().filter(|_| joins) {
                let why = "the guest must be ready before packets come";
                draft.wait(id, ready.get(&plan.addr).copied(), why);
            }
            for edit in &edits {
                let Some(load_balancer) = edit.pool.parent() else {
                    continue;
                };
                let why = if edit.join {
                    "the pool must exist"
                } else {
                    "its rules have moved away"
                };
                let earlier = match when {
                    When::Before => index.ahead.get(&load_balancer),
                    When::After => index.main.get(&load_balancer),
                };
                draft.wait(id, earlier.copied(), why);
                if when == When::Before && !edit.join {
                    // What replaces the member is ready before it leaves.
                    for guest in guests
                        .iter()
                        .filter(|g| g.load_balancers.contains(&load_balancer))
                    {
                        let ready = index.expand.get(&guest.addr).copied();
                        draft.wait(id, ready, "the other members are ready first");
                    }
                }
                by_load_balancer.entry(load_balancer).or_default().push(id);
            }
            let earlier = index.nic.insert(nic.clone(), id);
            draft.wait(id, earlier, "one write at a time to a NIC");
            if edits.iter().any(|e| !e.join) {
                index.leave.entry(plan.addr.clone()).or_default().push(id);
            }
        }
    }
    by_load_balancer
}
