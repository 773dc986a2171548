//! Which steps may start: those whose predecessors are done and for which there is room.

use super::{Answer, Run};
use crate::apply::Event;
use crate::apply::fill::filled;
use crate::apply::perform::Word;
use crate::model::{Addr, ArmId};
use crate::plan::{Phase, Plan, Step, StepAction, StepId};
use crate::state::{StateEdit, StepStatus};
use futures::channel::mpsc::UnboundedSender;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use std::collections::BTreeSet;

/// Azure takes 10 writes a second of one principal, each followed by polls; more at once only wait.
const AZURE_AT_ONCE: usize = 8;

/// Guests are far apart and each has its own connection.
const GUESTS_AT_ONCE: usize = 16;

/// What a step keeps busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Azure,
    Guests,
    /// Nothing is sent: it may be left at any moment.
    Waiting,
}

impl Lane {
    fn of(action: &StepAction) -> Self {
        match action {
            StepAction::PutPublicIpPrefix { .. }
            | StepAction::DeletePublicIpPrefix { .. }
            | StepAction::PutPublicIp { .. }
            | StepAction::DeletePublicIp { .. }
            | StepAction::PutLoadBalancer { .. }
            | StepAction::DeleteLoadBalancer { .. }
            | StepAction::PutNetworkInterface { .. } => Self::Azure,
            StepAction::Guest(_) => Self::Guests,
            StepAction::WaitForListeners { .. } | StepAction::Drain { .. } | StepAction::Record => {
                Self::Waiting
            }
        }
    }
}

/// The steps behind the phase: its own run as far as they wait for no later one.
pub(super) fn held(plan: &Plan, after: Option<Phase>) -> BTreeSet<StepId> {
    let mut held = BTreeSet::new();
    for step in plan.steps.iter().filter(|_| after.is_some()) {
        let waits = step.after.iter().any(|edge| held.contains(&edge.step));
        if waits || after.is_some_and(|phase| step.phase > phase) {
            held.insert(step.id);
        }
    }
    held
}

impl<'a> Run<'a> {
    /// Starts every step whose predecessors are done and for which there is room, after it is in the journal; skips those that
    /// cannot come any more.
    pub(super) async fn start_ready(
        &mut self,
        running: &mut FuturesUnordered<LocalBoxFuture<'a, Answer>>,
        say: &UnboundedSender<Word>,
    ) {
        let plan = self.plan;
        let mut ready: Vec<(&'a Step, StepAction, Vec<StateEdit>)> = Vec::new();
        for step in &plan.steps {
            if self.running.contains_key(&step.id)
                || self.ended.has(step.id)
                || self.held.contains(&step.id)
            {
                continue;
            }
            let lost =
                |id: &StepId| self.ended.failed.contains(id) || self.ended.skipped.contains(id);
            if let Some(edge) = step.after.iter().find(|e| lost(&e.step)) {
                let because = match plan.step(edge.step) {
                    Some(earlier) => format!("{} was not done ({})", earlier.addr, edge.why),
                    None => edge.why.clone(),
                };
                self.skip(step, because);
                continue;
            }
            if !step.after.iter().all(|e| self.ended.done.contains(&e.step)) {
                continue;
            }
            if !self.has_room(step) {
                continue;
            }
            match filled(step, self.plan, &self.known, &self.claim) {
                Ok((action, record)) => {
                    self.running.insert(step.id, Lane::of(&action));
                    ready.push((step, action, record));
                }
                Err(because) => self.fail(step, &because, false),
            }
        }
        if ready.is_empty() {
            return;
        }
        for (step, _, record) in &ready {
            let status = StepStatus::InFlight {
                operation: None,
                intent: record.clone(),
            };
            self.note(step.id, status);
        }
        self.save().await;
        if self.state_lost.is_some() {
            return;
        }
        for (step, action, _) in ready {
            (self.events)(Event::Started {
                step: step.id,
                addr: step.addr.clone(),
                title: step.title.clone(),
            });
            running.push(self.enact(step.id, action, say.clone()));
        }
    }

    /// Whether one more step of its kind may run beside those that do.
    fn has_room(&self, step: &Step) -> bool {
        let lane = Lane::of(&step.action);
        let rollout = &self.plan.rollout;
        let most = match lane {
            Lane::Azure => AZURE_AT_ONCE,
            Lane::Guests => rollout
                .max_parallel
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or(GUESTS_AT_ONCE),
            Lane::Waiting => return true,
        };
        let beside = self.running.values().filter(|other| **other == lane);
        if beside.count() >= most {
            return false;
        }
        lane != Lane::Guests || self.crowded(step).is_none()
    }

    /// The pool, if there is one, of which as many members are in work or have failed as `max_unavailable` allows.
    fn crowded(&self, step: &Step) -> Option<&'a ArmId> {
        let rollout = &self.plan.rollout;
        let most = usize::try_from(rollout.max_unavailable?).ok()?;
        let is_guest = |id: &StepId| {
            let step = self.plan.step(*id)?;
            matches!(step.action, StepAction::Guest(_)).then_some(&step.addr)
        };
        let busy: BTreeSet<&Addr> = self
            .running
            .keys()
            .chain(&self.ended.failed)
            .filter_map(is_guest)
            .filter(|addr| **addr != step.addr)
            .collect();
        let pools = rollout.pools.get(&step.addr).into_iter().flatten();
        pools.into_iter().find(|pool| {
            let members = busy
                .iter()
                .filter(|addr| rollout.pools.get(**addr).is_some_and(|p| p.contains(*pool)));
            members.count() >= most
        })
    }

    /// Nothing runs and nothing can start. Members of a pool that has too many failed ones wait for a person; anything else
    /// waits in a circle.
    pub(super) fn give_up_the_rest(&mut self) {
        let plan = self.plan;
        let is_left =
            |run: &Self, step: &Step| !run.ended.has(step.id) && !run.held.contains(&step.id);
        for step in &plan.steps {
            let is_ready = step.after.iter().all(|e| self.ended.done.contains(&e.step));
            if is_left(self, step)
                && is_ready
                && let Some(pool) = self.crowded(step)
            {
                let name = pool.name();
                let because = format!(
                    "as many members of pool {name:?} as max_unavailable allows have failed"
                );
                self.skip(step, because);
            }
        }
        loop {
            let lost = plan.steps.iter().find_map(|step| {
                let lost =
                    |id: &StepId| self.ended.failed.contains(id) || self.ended.skipped.contains(id);
                let edge = step.after.iter().find(|e| lost(&e.step))?;
                is_left(self, step).then_some((step, edge))
            });
            let Some((step, edge)) = lost else {
                break;
            };
            let because = match plan.step(edge.step) {
                Some(earlier) => format!("{} was not done ({})", earlier.addr, edge.why),
                None => edge.why.clone(),
            };
            self.skip(step, because);
        }
        for step in &plan.steps {
            if is_left(self, step) {
                let why = "its steps wait for each other in a circle. This is a bug in plimsoll.";
                self.fail(step, why, false);
            }
        }
    }
}
