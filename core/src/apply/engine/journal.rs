//! The journal: opened with the run, kept with every step, closed with the last one.

use super::Run;
use crate::apply::{Event, Moved};
use crate::plan::{Plan, Step, StepId};
use crate::state::{Journal, State, StateEdit, StepStatus};

/// The state may have moved since the plan was made, unless it was this very plan that moved it.
pub(super) fn state_moved(plan: &Plan, state: &State) -> Vec<Moved> {
    let resumes = state
        .journal
        .as_ref()
        .is_some_and(|j| j.plan == plan.digest());
    let what = if state.lineage != plan.lineage {
        "it is another state than the plan was made from"
    } else if state.serial != plan.serial && !resumes {
        "another run has written it since"
    } else {
        return Vec::new();
    };
    vec![Moved {
        target: "the state".to_owned(),
        what: vec![what.to_owned()],
    }]
}

impl Run<'_> {
    pub(super) async fn open_journal(&mut self) {
        let digest = self.plan.digest();
        // What another, interrupted plan was about to make stays ours after its journal is gone.
        let resumes = self
            .state
            .journal
            .as_ref()
            .is_some_and(|j| j.plan == digest);
        if !resumes {
            self.state = self.state.settled();
        }
        let steps = match self.state.journal.take() {
            Some(journal) if resumes => journal.steps,
            Some(_) | None => std::collections::BTreeMap::new(),
        };
        for (id, status) in &steps {
            if let (StepStatus::Done { .. }, Some(step)) = (status, self.plan.step(*id)) {
                self.ended.done.insert(*id);
                (self.events)(Event::AlreadyDone {
                    step: *id,
                    addr: step.addr.clone(),
                    title: step.title.clone(),
                });
            }
        }
        self.state.run = self.plan.run;
        self.state.deployment.clone_from(&self.plan.deployment);
        self.state.predecessors.clone_from(&self.plan.predecessors);
        let started = self.world.clock.now();
        self.state
            .begin(self.plan, digest.clone(), started.clone(), &self.writer);
        self.state.journal = Some(Journal {
            plan: digest,
            run: self.plan.run,
            started,
            steps,
        });
        self.save().await;
    }

    pub(super) async fn close_journal(&mut self) {
        if self.state_lost.is_some() {
            return;
        }
        let steps = &self.plan.steps;
        let complete = steps.iter().all(|s| self.ended.done.contains(&s.id));
        self.state.end(self.world.clock.now(), complete);
        if complete {
            self.state.journal = None;
        }
        self.save().await;
    }

    pub(super) async fn save(&mut self) {
        self.state.serial += 1;
        let mut writer = self.writer.clone();
        writer.at = self.world.clock.now();
        self.state.written = Some(writer);
        if let Err(error) = self.world.store.save(&self.state.text()).await {
            self.state_lost = Some(error.to_string());
        }
    }

    /// What the step makes ours. Once it has started the journal says it, with every address filled in.
    pub(super) fn intent(&self, step: &Step) -> Vec<StateEdit> {
        let journal = self.state.journal.as_ref();
        match journal.and_then(|j| j.steps.get(&step.id)) {
            Some(StepStatus::InFlight { intent, .. }) => intent.clone(),
            Some(StepStatus::Done { .. } | StepStatus::Failed { .. }) | None => step.record.clone(),
        }
    }

    pub(super) fn note(&mut self, id: StepId, status: StepStatus) {
        if let Some(journal) = &mut self.state.journal {
            journal.steps.insert(id, status);
        }
    }
}
