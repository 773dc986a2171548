//! Writes of load balancers: one ahead where it is forced, the main one, one behind, and deletions.

use super::{Draft, Index, Work};
use crate::model::{ArmId, ItemKind, LoadBalancer};
use crate::plan::guest::GuestPlan;
use crate::plan::load_balancer::LoadBalancerPlan;
use crate::plan::stages::Stages;
use crate::plan::{Action, AwaitedService, Phase, StepAction, StepId, title};
use crate::state::StateEdit;
use std::collections::BTreeMap;

fn put(before: Option<&LoadBalancer>, resource: &LoadBalancer) -> StepAction {
    StepAction::PutLoadBalancer {
        before: before.map(LoadBalancer::fingerprint).unwrap_or_default(),
        after: resource.fingerprint(),
        resource: resource.clone(),
    }
}

pub(super) fn ahead(
    draft: &mut Draft,
    index: &mut Index,
    staged: &[(&LoadBalancerPlan, Option<Stages>)],
) {
    for (plan, stages) in staged {
        let Some((resource, reason)) = stages.as_ref().and_then(|s| s.ahead.as_ref()) else {
            continue;
        };
        let added = plan.record.iter().filter(|edit| match edit {
            StateEdit::LoadBalancer { .. } => true,
            StateEdit::Item { kind, name, .. } => {
                resource.item(*kind, name).is_some()
                    && plan
                        .observed
                        .as_ref()
                        .is_none_or(|o| o.item(*kind, name).is_none())
            }
            _ => false,
        });
        let id = draft.push(
            Phase::Expand,
            &plan.addr,
            format!("a write ahead: {reason}"),
            put(plan.observed.as_ref(), resource),
            added.cloned().collect(),
        );
        wait_for_addresses(draft, index, id, resource);
        index.ahead.insert(plan.id.clone(), id);
        index.last.insert(plan.id.clone(), id);
    }
}

fn wait_for_addresses(draft: &mut Draft, index: &Index, step: StepId, resource: &LoadBalancer) {
    for frontend in resource.of_kind(ItemKind::Frontend) {
        if let Some(id) = frontend.text("public_ip") {
            let public_ip = index.public_ip.get(&ArmId::new(id)).copied();
            draft.wait(step, public_ip, "the frontend stands on this address");
        }
        if let Some(id) = frontend.text("public_ip_prefix") {
            let prefix = index.public_ip_prefix.get(&ArmId::new(id)).copied();
            draft.wait(
                step,
                prefix,
                "the frontend takes its addresses from this prefix",
            );
        }
    }
}

pub(super) fn main(
    draft: &mut Draft,
    index: &mut Index,
    work: &Work<'_>,
    staged: &[(&LoadBalancerPlan, Option<Stages>)],
    first_nics: &BTreeMap<ArmId, Vec<StepId>>,
) {
    for (plan, stages) in staged {
        let Some(stages) = stages else {
            continue;
        };
        let before = stages
            .ahead
            .as_ref()
            .map(|(resource, _)| resource)
            .or(plan.observed.as_ref());
        let id = draft.push(
            Phase::Switch,
            &plan.addr,
            title::load_balancer(&plan.change),
            put(before, &stages.main),
            plan.record
                .iter()
                .filter(|edit| !goes_behind(edit, plan, stages))
                .cloned()
                .collect(),
        );
        draft.wait(
            id,
            index.ahead.get(&plan.id).copied(),
            "it builds on the write ahead",
        );
        wait_for_addresses(draft, index, id, &stages.main);
        let listeners = wait_for_listeners(draft, index, work.guests, plan);
        draft.wait(id, listeners, "applications listen first");
        for guest in work.guests {
            let reached = guest.load_balancers.contains(&plan.id);
            let holds_up = reached && !guest.accepted_unready;
            let expand = index.expand.get(&guest.addr).copied().filter(|_| holds_up);
            let why = "a rule goes live only on members that are ready for it";
            draft.wait(id, expand, why);
        }
        for nic in first_nics.get(&plan.id).into_iter().flatten() {
            draft.wait(id, Some(*nic), "members move first");
        }
        index.main.insert(plan.id.clone(), id);
        index.last.insert(plan.id.clone(), id);
    }
}

/// Waits, once guests are ready, for the applications that rules with `wait_for_listener` lead to. Where an address is known
/// only after the write, nothing can listen on it before.
fn wait_for_listeners(
    draft: &mut Draft,
    index: &Index,
    guests: &[GuestPlan],
    plan: &LoadBalancerPlan,
) -> Option<StepId> {
    let mut seconds = 0;
    let mut services = Vec::new();
    let mut ready = Vec::new();
    for guest in guests
        .iter()
        .filter(|g| !g.accepted_unready && !index.late.contains_key(&g.addr))
    {
        for service in guest.silent.iter().filter(|s| *s.load_balancer == plan.id) {
            let Some(wait) = plan.waits.get(&service.rule.to_ascii_lowercase()) else {
                continue;
            };
            seconds = seconds.max(*wait);
            services.push(AwaitedService {
                guest: guest.reference.clone(),
                rule: service.rule.to_string(),
                protocol: service.protocol,
                destination: service.destination(),
                port: service.port,
            });
            ready.extend(index.expand.get(&guest.addr).copied());
        }
    }
    if services.is_empty() {
        return None;
    }
    let title = title::listeners(&services, seconds);
    let action = StepAction::WaitForListeners { seconds, services };
    let id = draft.push(Phase::Switch, &plan.addr, title, action, Vec::new());
    for step in ready {
        let why = "an application binds to an address once it is there";
        draft.wait(id, Some(step), why);
    }
    Some(id)
}

/// Whether the edit forgets a pool that only the write behind deletes: until then it is there, and ours.
fn goes_behind(edit: &StateEdit, plan: &LoadBalancerPlan, stages: &Stages) -> bool {
    match edit {
        StateEdit::RemoveItem {
            kind: ItemKind::BackendPool,
            name,
            ..
        } => stages
            .deleted_behind
            .contains(&plan.id.child(ItemKind::BackendPool.arm(), name)),
        _ => false,
    }
}

pub(super) fn behind(
    draft: &mut Draft,
    index: &mut Index,
    guests: &[GuestPlan],
    staged: &[(&LoadBalancerPlan, Option<Stages>)],
) {
    for (plan, stages) in staged {
        let Some((stages, resource)) = stages
            .as_ref()
            .and_then(|s| s.behind.as_ref().map(|r| (s, r)))
        else {
            continue;
        };
        let id = draft.push(
            Phase::Contract,
            &plan.addr,
            "a write behind: pools go once their NICs have left".to_owned(),
            put(Some(&stages.main), resource),
            plan.record
                .iter()
                .filter(|edit| goes_behind(edit, plan, stages))
                .cloned()
                .collect(),
        );
        draft.wait(
            id,
            index.main.get(&plan.id).copied(),
            "rules have moved away",
        );
        wait_for_leaves(draft, index, id, &plan.id, guests);
        index.last.insert(plan.id.clone(), id);
    }
}

fn wait_for_leaves(
    draft: &mut Draft,
    index: &Index,
    step: StepId,
    load_balancer: &ArmId,
    guests: &[GuestPlan],
) {
    for guest in guests {
        let leaves = guest
            .leaves
            .values()
            .flatten()
            .any(|e| e.pool.parent().as_ref() == Some(load_balancer));
        if leaves {
            for nic in index.leave.get(&guest.addr).into_iter().flatten() {
                draft.wait(step, Some(*nic), "NICs leave before a pool goes");
            }
        }
    }
}

pub(super) fn deletions(
    draft: &mut Draft,
    index: &mut Index,
    plans: &[LoadBalancerPlan],
    guests: &[GuestPlan],
) {
    for plan in plans
        .iter()
        .filter(|p| p.after.is_none() && p.change.action == Action::Delete)
    {
        let before = plan
            .observed
            .as_ref()
            .map(LoadBalancer::fingerprint)
            .unwrap_or_default();
        let action = StepAction::DeleteLoadBalancer {
            id: plan.id.clone(),
            before,
        };
        let id = draft.push(
            Phase::Switch,
            &plan.addr,
            "delete".to_owned(),
            action,
            plan.record.clone(),
        );
        wait_for_leaves(draft, index, id, &plan.id, guests);
        index.last.insert(plan.id.clone(), id);
    }
}
