//! The order of work: expand → switch → contract. What is sent, in which order, and why each step waits.

mod given;
mod guests;
mod load_balancers;
mod nics;
mod numbers;

pub use numbers::renumber;

use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::public_ip::{PublicIpPlan, PublicIpPrefixPlan};
use super::stages::{Moves, Stages, stages};
use super::title;
use super::{Action, Edge, Phase, Step, StepAction, StepId};
use crate::model::{Addr, ArmId};
use crate::state::StateEdit;
use given::{give_up, given};
use guests::{contract, expand, expand_late, guest_edits};
use load_balancers::{ahead, behind, deletions, main};
use nics::{When, nics};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Everything that is going to happen, before it is put in order.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    pub public_ip_prefixes: &'a [PublicIpPrefixPlan],
    pub public_ips: &'a [PublicIpPlan],
    pub load_balancers: &'a [LoadBalancerPlan],
    pub guests: &'a [GuestPlan],
    pub moves: &'a Moves,
}

#[derive(Default)]
struct Draft {
    steps: Vec<Step>,
    /// Who waits for whom: a second reason to wait adds nothing.
    edges: HashSet<(StepId, StepId)>,
    /// The steps of each resource.
    of_addr: HashMap<Addr, Vec<StepId>>,
}

impl Draft {
    fn push(
        &mut self,
        phase: Phase,
        addr: &Addr,
        title: String,
        action: StepAction,
        record: Vec<StateEdit>,
    ) -> StepId {
        let id =
            StepId(u32::try_from(self.steps.len() + 1).expect("a plan has fewer than 2^32 steps"));
        self.of_addr.entry(addr.clone()).or_default().push(id);
        self.steps.push(Step {
            id,
            phase,
            addr: addr.clone(),
            title,
            action,
            after: Vec::new(),
            record,
        });
        id
    }

    fn wait(&mut self, step: StepId, for_step: Option<StepId>, why: impl Into<String>) {
        let Some(for_step) = for_step else {
            return;
        };
        if step != for_step && self.edges.insert((step, for_step)) {
            // Steps are numbered from 1 as they are pushed, and only waited for once pushed.
            let at = step.0 as usize - 1;
            self.steps[at].after.push(Edge {
                step: for_step,
                why: why.into(),
            });
        }
    }
}

/// Which step does what, to draw edges between them.
#[derive(Default)]
struct Index {
    public_ip_prefix: BTreeMap<ArmId, StepId>,
    public_ip: BTreeMap<ArmId, StepId>,
    ahead: BTreeMap<ArmId, StepId>,
    main: BTreeMap<ArmId, StepId>,
    /// The last step of each load balancer.
    last: BTreeMap<ArmId, StepId>,
    expand: BTreeMap<Addr, StepId>,
    /// The script that waits for an address that the main write makes known.
    late: BTreeMap<Addr, StepId>,
    leave: BTreeMap<Addr, Vec<StepId>>,
    /// The newest write of each NIC.
    nic: BTreeMap<ArmId, StepId>,
}

pub fn steps(work: &Work<'_>) -> Vec<Step> {
    let mut draft = Draft::default();
    let mut index = Index::default();
    let staged: Vec<(&LoadBalancerPlan, Option<Stages>)> = work
        .load_balancers
        .iter()
        .map(|plan| (plan, stages(plan, work.guests, work.moves)))
        .collect();

    given(&mut draft, &mut index, work);
    ahead(&mut draft, &mut index, &staged);
    let late = expand(&mut draft, &mut index, work.guests, &staged);
    let first_nics = nics(&mut draft, &mut index, work, &staged, When::Before);
    main(&mut draft, &mut index, work, &staged, &first_nics);
    expand_late(&mut draft, &mut index, &late);
    nics(&mut draft, &mut index, work, &staged, When::After);
    behind(&mut draft, &mut index, work.guests, &staged);
    deletions(&mut draft, &mut index, work.load_balancers, work.guests);
    contract(&mut draft, &index, work);
    give_up(&mut draft, &index, work);
    records(&mut draft, work);
    renumber(draft.steps)
}

/// What is only written down: adoptions, forgettings, guests that are gone.
fn records(draft: &mut Draft, work: &Work<'_>) {
    given::record(draft, work.public_ip_prefixes);
    given::record(draft, work.public_ips);
    for plan in work.load_balancers.iter().filter(|p| !p.writes()) {
        if plan.change.action != Action::NoOp {
            let title = title::record(plan.change.action);
            draft.push(
                Phase::Contract,
                &plan.addr,
                title,
                StepAction::Record,
                plan.record.clone(),
            );
        }
    }
    for plan in work.guests {
        let mut record = Vec::new();
        // Any other step of the guest records the guest itself.
        let silent = plan.ensure.is_empty()
            && plan.release.is_empty()
            && plan.joins.is_empty()
            && plan.leaves.is_empty();
        if plan.declared && plan.ensure.is_empty() {
            if (silent && plan.change.action != Action::NoOp) || !plan.record.is_empty() {
                record.extend(guest_edits(plan));
            }
            record.extend(plan.record.iter().cloned());
        }
        record.extend(plan.forget.iter().map(|key| StateEdit::RemoveEntry {
            addr: plan.addr.clone(),
            key: key.clone(),
        }));
        if !plan.declared && !plan.kept.is_empty() {
            if !plan.record.is_empty() {
                record.extend(guest_edits(plan));
            }
            record.extend(plan.record.iter().cloned());
        } else if !plan.declared && plan.release.is_empty() {
            record.push(match &plan.unreadable {
                Some(_) => StateEdit::Pending {
                    addr: plan.addr.clone(),
                },
                None => StateEdit::Remove {
                    addr: plan.addr.clone(),
                },
            });
        }
        if !record.is_empty() {
            let title = title::record(plan.change.action);
            let id = draft.push(
                Phase::Contract,
                &plan.addr,
                title,
                StepAction::Record,
                record,
            );
            let earlier = draft.of_addr.get(&plan.addr).cloned().unwrap_or_default();
            for step in earlier {
                draft.wait(id, Some(step), "the state learns of it last");
            }
        }
    }
}
