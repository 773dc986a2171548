//! When only a part of the steps is taken: what the plans of load balancers and guests come to then. Traffic, topology and
//! changes are told of that part, not of all that was wanted.

use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::{Action, Change, Step, StepAction};
use crate::model::guest::EntryKey;
use crate::model::{ArmId, LoadBalancer};
use std::collections::BTreeSet;

/// Takes out of the plans what none of the steps does.
pub fn keep(steps: &[Step], load_balancers: &mut [LoadBalancerPlan], guests: &mut [GuestPlan]) {
    for plan in load_balancers {
        keep_written(plan, steps);
    }
    let moves = Moved::of(steps);
    for plan in guests {
        keep_done(plan, steps, &moves);
    }
}

/// The load balancer is as the last of the writes leaves it, or stays as it is.
fn keep_written(plan: &mut LoadBalancerPlan, steps: &[Step]) {
    let last = steps.iter().rev().find_map(|step| match &step.action {
        StepAction::PutLoadBalancer { resource, .. } if resource.id == plan.id => {
            Some(Some(resource))
        }
        StepAction::DeleteLoadBalancer { id, .. } if *id == plan.id => Some(None),
        _ => None,
    });
    let reached = match last {
        Some(written) => written.cloned(),
        None => plan.observed.clone(),
    };
    if reached == plan.after {
        return;
    }
    let attributes = |side: &Option<LoadBalancer>| side.as_ref().map(|lb| lb.attributes.clone());
    let same_fields = attributes(&reached) == attributes(&plan.after);
    let change = &mut plan.change;
    change.items.retain(|item| {
        let of = |side: &Option<LoadBalancer>| {
            side.as_ref()
                .and_then(|lb| lb.item(item.kind, &item.name).cloned())
        };
        item.action == Action::NoOp || of(&reached) == of(&plan.after)
    });
    if !same_fields {
        change.fields.clear();
    }
    settle(change, last.is_some());
    plan.after = reached;
}

fn keep_done(plan: &mut GuestPlan, steps: &[Step], moved: &Moved<'_>) {
    for (nic, edits) in &mut plan.joins {
        edits.retain(|edit| {
            let stays = moved.has(nic, &edit.ip_configuration, &edit.pool);
            if !stays {
                plan.pools.remove(&edit.pool);
            }
            stays
        });
    }
    for (nic, edits) in &mut plan.leaves {
        edits.retain(|edit| moved.has(nic, &edit.ip_configuration, &edit.pool));
    }
    plan.joins.retain(|_, edits| !edits.is_empty());
    plan.leaves.retain(|_, edits| !edits.is_empty());
    let scripts = steps.iter().filter_map(|step| match &step.action {
        StepAction::Guest(script) if script.guest.addr == plan.addr => Some(script),
        _ => None,
    });
    let touched: BTreeSet<&EntryKey> = scripts
        .flat_map(|script| script.ensure.iter().chain(script.release.iter()))
        .map(|touch| &touch.key)
        .collect();
    let change = &mut plan.change;
    change
        .memberships
        .retain(|m| moved.has(&m.interface, &m.ip_configuration, &m.pool));
    change
        .entries
        .retain(|entry| entry.action == Action::NoOp || touched.contains(&entry.key));
    settle(change, steps.iter().any(|step| step.addr == plan.addr));
}

/// A change of which nothing is left is none.
fn settle(change: &mut Change, is_written: bool) {
    let is_empty = change.items.iter().all(|i| i.action == Action::NoOp)
        && change.entries.iter().all(|e| e.action == Action::NoOp)
        && change.memberships.is_empty()
        && change.fields.is_empty();
    if !is_written || (is_empty && change.action == Action::Update) {
        change.action = Action::NoOp;
    }
}

/// The pool memberships that the steps change.
struct Moved<'a>(BTreeSet<(&'a ArmId, &'a str, &'a ArmId)>);

impl<'a> Moved<'a> {
    fn of(steps: &'a [Step]) -> Self {
        let edits = steps.iter().filter_map(|step| match &step.action {
            StepAction::PutNetworkInterface { id, edits } => Some((id, edits)),
            _ => None,
        });
        Self(
            edits
                .flat_map(|(id, edits)| {
                    edits
                        .iter()
                        .map(move |e| (id, e.ip_configuration.as_str(), &e.pool))
                })
                .collect(),
        )
    }

    fn has(&self, nic: &ArmId, ip_configuration: &str, pool: &ArmId) -> bool {
        self.0.contains(&(nic, ip_configuration, pool))
    }
}
