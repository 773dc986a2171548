//! Steps of public IP addresses and of blocks of them: first made, last given up.

use super::{Draft, Index, Work};
use crate::model::ArmId;
use crate::plan::public_ip::{Given, GivenPlan};
use crate::plan::{Action, Phase, StepAction, StepId, title};

/// What takes its address from a prefix waits for it.
pub(super) fn given(draft: &mut Draft, index: &mut Index, work: &Work<'_>) {
    for plan in work.public_ip_prefixes {
        if let Some(resource) = &plan.put {
            let action = StepAction::PutPublicIpPrefix {
                before: plan.before.clone(),
                after: resource.fingerprint(),
                resource: resource.clone(),
            };
            let id = make(draft, plan, action);
            index.public_ip_prefix.insert(plan.id.clone(), id);
        }
    }
    for plan in work.public_ips {
        if let Some(resource) = &plan.put {
            let action = StepAction::PutPublicIp {
                before: plan.before.clone(),
                after: resource.fingerprint(),
                resource: resource.clone(),
            };
            let id = make(draft, plan, action);
            let prefix = resource.attributes.get("public_ip_prefix");
            let prefix = prefix.and_then(|id| id.as_text()).map(ArmId::new);
            let made = prefix.and_then(|id| index.public_ip_prefix.get(&id).copied());
            draft.wait(id, made, "it takes its address from this prefix");
            index.public_ip.insert(plan.id.clone(), id);
        }
    }
}

fn make<T: Given>(draft: &mut Draft, plan: &GivenPlan<T>, action: StepAction) -> StepId {
    let title = title::given(plan.change.action);
    let record = plan.record.clone();
    draft.push(Phase::Expand, &plan.addr, title, action, record)
}

pub(super) fn give_up(draft: &mut Draft, index: &Index, work: &Work<'_>) {
    let mut addresses = Vec::new();
    for plan in work.public_ips.iter().filter(|p| p.delete) {
        let action = StepAction::DeletePublicIp {
            id: plan.id.clone(),
            before: plan.before.clone(),
        };
        addresses.push(release(draft, index, plan, "give the address up", action));
    }
    for plan in work.public_ip_prefixes.iter().filter(|p| p.delete) {
        let action = StepAction::DeletePublicIpPrefix {
            id: plan.id.clone(),
            before: plan.before.clone(),
        };
        let id = release(draft, index, plan, "give the addresses up", action);
        for address in &addresses {
            draft.wait(id, Some(*address), "an address may be of this prefix");
        }
    }
}

fn release<T: Given>(
    draft: &mut Draft,
    index: &Index,
    plan: &GivenPlan<T>,
    title: &str,
    action: StepAction,
) -> StepId {
    let record = plan.record.clone();
    let id = draft.push(
        Phase::Contract,
        &plan.addr,
        title.to_owned(),
        action,
        record,
    );
    for last in index.last.values() {
        draft.wait(id, Some(*last), "no frontend stands on it any more");
    }
    id
}

/// What is only written down.
pub(super) fn record<T: Given>(draft: &mut Draft, plans: &[GivenPlan<T>]) {
    let unwritten = plans.iter().filter(|p| p.put.is_none() && !p.delete);
    for plan in unwritten.filter(|p| p.change.action != Action::NoOp) {
        let title = title::record(plan.change.action);
        let record = plan.record.clone();
        draft.push(
            Phase::Contract,
            &plan.addr,
            title,
            StepAction::Record,
            record,
        );
    }
}
