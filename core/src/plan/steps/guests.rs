//! Scripts: what guests gain before the switch, or once an address is known, and what they lose in the end.

use super::{Draft, Index, Work};
use crate::model::guest::Touch;
use crate::model::{Addr, ArmId, ItemKind, Shared, Where};
use crate::plan::guest::GuestPlan;
use crate::plan::load_balancer::LoadBalancerPlan;
use crate::plan::stages::Stages;
use crate::plan::{GuestStep, Phase, StepAction, StepId, title};
use crate::state::StateEdit;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn guest_edits(plan: &GuestPlan) -> Vec<StateEdit> {
    vec![StateEdit::Guest {
        addr: plan.addr.clone(),
        os: plan.reference.os,
        connection: plan.reference.connection.clone(),
    }]
}

/// What guests gain, one script each. Answers what has to wait for a main write: addresses that only it makes known, for
/// guests that become members after it.
pub(super) fn expand<'a>(
    draft: &mut Draft,
    index: &mut Index,
    guests: &'a [GuestPlan],
    staged: &[(&LoadBalancerPlan, Option<Stages>)],
) -> Vec<(&'a GuestPlan, Shared<Touch>)> {
    let ahead: BTreeSet<&ArmId> = staged
        .iter()
        .filter_map(|(_, stages)| stages.as_ref())
        .flat_map(|stages| &stages.frontends_ahead)
        .collect();
    let waits = |touch: &Touch| match touch.key.destination() {
        // A public IP has its address before the load balancer is written.
        Some(Where::AfterApply(source)) => is_frontend(source) && !ahead.contains(source),
        Some(Where::Known(_)) | None => false,
    };
    let mut all_late = Vec::new();
    for plan in guests.iter().filter(|g| !g.ensure.is_empty()) {
        let (mut late, mut early): (Shared<Touch>, Shared<Touch>) = plan
            .ensure
            .shared()
            .cloned()
            .partition(|touch| waits(touch));
        if !late.is_empty() && !early.iter().any(|touch| plan.holds_between(&touch.key)) {
            // Nothing of it is needed before: one script is enough.
            late = plan.ensure.clone();
            early = Shared::default();
        }
        if !late.is_empty() {
            all_late.push((plan, late));
        }
        if early.is_empty() {
            continue;
        }
        let id = gain(draft, plan, &early);
        for touch in &early {
            if let Some(Where::AfterApply(source)) = touch.key.destination() {
                let why = "its address is known only then";
                draft.wait(id, index.public_ip.get(source).copied(), why);
                let owner = source.parent().and_then(|p| index.ahead.get(&p).copied());
                draft.wait(id, owner, why);
            }
        }
        index.expand.insert(plan.addr.clone(), id);
    }
    all_late
}

fn is_frontend(id: &ArmId) -> bool {
    id.kind().eq_ignore_ascii_case(ItemKind::Frontend.arm())
}

pub(super) fn expand_late(
    draft: &mut Draft,
    index: &mut Index,
    late: &[(&GuestPlan, Shared<Touch>)],
) {
    for (plan, touches) in late {
        let id = gain(draft, plan, touches);
        for touch in touches {
            if let Some(Where::AfterApply(source)) = touch.key.destination() {
                let why = "its address is known only then";
                draft.wait(id, index.public_ip.get(source).copied(), why);
                let owner = source.parent().and_then(|p| index.main.get(&p).copied());
                draft.wait(id, owner, why);
            }
        }
        let earlier = index.expand.get(&plan.addr).copied();
        draft.wait(id, earlier, "one script at a time in a guest");
        index.late.insert(plan.addr.clone(), id);
    }
}

fn gain(draft: &mut Draft, plan: &GuestPlan, touches: &Shared<Touch>) -> StepId {
    let mut record = guest_edits(plan);
    record.extend(plan.record.iter().cloned());
    record.extend(touches.iter().map(|t| entry(&plan.addr, t)));
    let step = GuestStep {
        guest: plan.reference.clone(),
        ensure: touches.clone(),
        release: Shared::default(),
    };
    let title = title::gain(touches);
    draft.push(
        Phase::Expand,
        &plan.addr,
        title,
        StepAction::Guest(step),
        record,
    )
}

fn entry(addr: &Addr, touch: &Touch) -> StateEdit {
    StateEdit::Entry {
        addr: addr.clone(),
        key: touch.key.clone(),
    }
}

pub(super) fn contract(draft: &mut Draft, index: &Index, work: &Work<'_>) {
    let mut drains: BTreeMap<ArmId, StepId> = BTreeMap::new();
    for plan in work.guests.iter().filter(|g| !g.release.is_empty()) {
        let mut waits: Vec<StepId> = Vec::new();
        for load_balancer in plan.load_balancers.iter().cloned() {
            let last = index.last.get(&load_balancer).copied();
            let owner = work.load_balancers.iter().find(|p| p.id == load_balancer);
            match owner.filter(|p| p.drain_seconds > 0) {
                Some(owner) => {
                    let drain = *drains.entry(load_balancer).or_insert_with(|| {
                        let seconds = owner.drain_seconds;
                        let title = format!("let connections end for {seconds} s");
                        let id = draft.push(
                            Phase::Contract,
                            &owner.addr,
                            title,
                            StepAction::Drain { seconds },
                            vec![],
                        );
                        draft.wait(id, last, "Azure sends nothing new from then on");
                        for nic in index.leave.values().flatten() {
                            draft.wait(id, Some(*nic), "Azure sends nothing new from then on");
                        }
                        id
                    });
                    waits.push(drain);
                }
                None => waits.extend(last),
            }
        }
        let mut record = if plan.declared {
            guest_edits(plan)
        } else {
            Vec::new()
        };
        record.extend(plan.release.iter().map(|touch| StateEdit::RemoveEntry {
            addr: plan.addr.clone(),
            key: touch.key.clone(),
        }));
        if !plan.declared && plan.kept.is_empty() {
            record.push(StateEdit::Remove {
                addr: plan.addr.clone(),
            });
        }
        let step = GuestStep {
            guest: plan.reference.clone(),
            ensure: Shared::default(),
            release: plan.release.clone(),
        };
        let title = title::lose(&plan.release);
        let id = draft.push(
            Phase::Contract,
            &plan.addr,
            title,
            StepAction::Guest(step),
            record,
        );
        for wait in waits {
            draft.wait(
                id,
                Some(wait),
                "nothing is taken away while Azure may still send",
            );
        }
        for nic in index.leave.get(&plan.addr).into_iter().flatten() {
            draft.wait(id, Some(*nic), "the guest is out of the pool");
        }
        for earlier in [&index.expand, &index.late] {
            let why = "one script at a time in a guest";
            draft.wait(id, earlier.get(&plan.addr).copied(), why);
        }
    }
}
