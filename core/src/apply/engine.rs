//! Runs a plan's steps as concurrently as their edges allow. Every step is conditional, read back and recorded; a failure
//! stops only what depends on it.

use super::check::{Moved, moved, touched};
use super::fill::{Known, filled};
use super::resume::wait_for_unfinished;
use super::{
    Clock, EnactAzure, EnactGuests, Event, GuestOrder, KeepState, ObserveAzure, ObserveGuests,
    Progress, WorldError, observe,
};
use crate::model::guest::Claim;
use crate::plan::{Plan, Step, StepAction, StepId};
use crate::state::{Journal, State, StateEdit, StepStatus, Writer};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, select_biased};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything outside that the engine uses.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub read_azure: &'a dyn ObserveAzure,
    pub write_azure: &'a dyn EnactAzure,
    pub read_guests: &'a dyn ObserveGuests,
    pub write_guests: &'a dyn EnactGuests,
    pub store: &'a dyn KeepState,
    pub clock: &'a dyn Clock,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub done: usize,
    pub failed: usize,
    pub skipped: usize,
    /// Something moved since the plan was made. If nothing is done, nothing was written.
    pub stale: Vec<Moved>,
    pub interrupted: bool,
    /// The state could not be written; the run stopped at once.
    pub state_lost: Option<String>,
    pub state: State,
}

impl Outcome {
    pub fn is_complete(&self) -> bool {
        self.failed == 0
            && self.skipped == 0
            && self.stale.is_empty()
            && !self.interrupted
            && self.state_lost.is_none()
    }
}

struct Run<'a> {
    plan: &'a Plan,
    world: &'a World<'a>,
    events: &'a (dyn Fn(Event) + Send + Sync),
    writer: Writer,
    state: State,
    known: Known,
    claim: Claim,
    ended: Ended,
    stale: Vec<Moved>,
    state_lost: Option<String>,
}

#[derive(Default)]
struct Ended {
    done: BTreeSet<StepId>,
    failed: BTreeSet<StepId>,
    skipped: BTreeSet<StepId>,
}

impl Ended {
    fn has(&self, id: StepId) -> bool {
        self.done.contains(&id) || self.failed.contains(&id) || self.skipped.contains(&id)
    }
}

/// What a finished step answers.
struct Answer {
    step: StepId,
    milliseconds: u64,
    result: Result<Found, WorldError>,
}

/// What the step read back.
enum Found {
    LoadBalancer(Box<crate::model::LoadBalancer>),
    PublicIp(crate::model::PublicIp),
    Guest(Box<crate::model::guest::GuestFacts>),
    Nothing,
}

/// A message of a step under way.
enum Word {
    Operation(StepId, String),
    Note(StepId, String),
}

/// Applies the plan. `state` is the newest one, read under the lock that `world.store` stands for.
pub async fn run(
    plan: &Plan,
    state: State,
    writer: Writer,
    world: &World<'_>,
    events: &(dyn Fn(Event) + Send + Sync),
    stop: &AtomicBool,
) -> Outcome {
    let began = world.clock.monotonic();
    let since = |began: std::time::Duration| {
        u64::try_from(world.clock.monotonic().saturating_sub(began).as_millis()).unwrap_or(u64::MAX)
    };
    let mut run = Run {
        plan,
        world,
        events,
        writer,
        known: Known::default(),
        claim: Claim {
            deployment: plan.deployment.clone(),
            lineage: plan.lineage.clone(),
        },
        ended: Ended::default(),
        stale: state_moved(plan, &state),
        state_lost: None,
        state,
    };
    if run.stale.is_empty() {
        (events)(Event::Checking);
        let journal = run.state.journal.as_ref();
        wait_for_unfinished(plan, journal, world.write_azure, events).await;
        let wanted = touched(plan);
        let now = observe(&wanted, world.read_azure, world.read_guests).await;
        run.stale = moved(plan, &now, run.state.journal.as_ref());
        run.known.learn(&now);
    }
    if run.stale.is_empty() {
        (events)(Event::Checked {
            milliseconds: since(began),
        });
        run.open_journal().await;
        run.steps(stop).await;
        run.close_journal().await;
    }
    let interrupted =
        stop.load(Ordering::SeqCst) && run.plan.steps.iter().any(|s| !run.ended.has(s.id));
    (events)(Event::Finished {
        done: run.ended.done.len(),
        failed: run.ended.failed.len(),
        skipped: run.ended.skipped.len(),
        milliseconds: since(began),
    });
    Outcome {
        done: run.ended.done.len(),
        failed: run.ended.failed.len(),
        skipped: run.ended.skipped.len(),
        stale: run.stale,
        interrupted,
        state_lost: run.state_lost,
        state: run.state,
    }
}

/// The state may have moved since the plan was made, unless it was this very plan that moved it.
fn state_moved(plan: &Plan, state: &State) -> Vec<Moved> {
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

impl<'a> Run<'a> {
    async fn open_journal(&mut self) {
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

    async fn close_journal(&mut self) {
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

    async fn save(&mut self) {
        self.state.serial += 1;
        let mut writer = self.writer.clone();
        writer.at = self.world.clock.now();
        self.state.written = Some(writer);
        if let Err(error) = self.world.store.save(&self.state.text()).await {
            self.state_lost = Some(error.to_string());
        }
    }

    async fn steps(&mut self, stop: &AtomicBool) {
        let (say, mut words) = unbounded();
        let mut running: FuturesUnordered<LocalBoxFuture<'a, Answer>> = FuturesUnordered::new();
        let mut started: BTreeSet<StepId> = self.ended.done.clone();
        loop {
            let halted = stop.load(Ordering::SeqCst) || self.state_lost.is_some();
            if !halted {
                self.start_ready(&mut started, &mut running, &say).await;
            }
            if running.is_empty() {
                if !halted {
                    self.fail_the_rest();
                }
                break;
            }
            self.next(&mut running, &mut words).await;
        }
    }

    /// Starts every step whose predecessors are done, after it is in the journal; skips those that cannot come any more.
    async fn start_ready(
        &mut self,
        started: &mut BTreeSet<StepId>,
        running: &mut FuturesUnordered<LocalBoxFuture<'a, Answer>>,
        say: &UnboundedSender<Word>,
    ) {
        let plan = self.plan;
        let mut ready: Vec<(&'a Step, StepAction, Vec<StateEdit>)> = Vec::new();
        for step in &plan.steps {
            if started.contains(&step.id) || self.ended.has(step.id) {
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
            match filled(step, &self.known) {
                Ok((action, record)) => ready.push((step, action, record)),
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
            started.insert(step.id);
            (self.events)(Event::Started {
                step: step.id,
                addr: step.addr.clone(),
                title: step.title.clone(),
            });
            running.push(self.enact(step.id, action, say.clone()));
        }
    }

    /// Nothing runs and nothing can start: what is left waits in a circle.
    fn fail_the_rest(&mut self) {
        let plan = self.plan;
        for step in plan
            .steps
            .iter()
            .filter(|s| !self.ended.has(s.id))
            .collect::<Vec<_>>()
        {
            self.fail(
                step,
                "its steps wait for each other in a circle. This is a bug in plimsoll.",
                false,
            );
        }
    }

    fn note(&mut self, id: StepId, status: StepStatus) {
        if let Some(journal) = &mut self.state.journal {
            journal.steps.insert(id, status);
        }
    }

    fn skip(&mut self, step: &Step, because: String) {
        self.ended.skipped.insert(step.id);
        (self.events)(Event::Skipped {
            step: step.id,
            addr: step.addr.clone(),
            title: step.title.clone(),
            because,
        });
    }

    fn fail(&mut self, step: &Step, error: &str, retryable: bool) {
        self.ended.failed.insert(step.id);
        let intent = step.record.clone();
        self.note(
            step.id,
            StepStatus::Failed {
                error: error.to_owned(),
                intent,
            },
        );
        (self.events)(Event::Failed {
            step: step.id,
            addr: step.addr.clone(),
            title: step.title.clone(),
            error: error.to_owned(),
            retryable,
        });
    }

    /// Waits for the next thing to happen, takes in all that happened with it, and writes the state once.
    async fn next(
        &mut self,
        running: &mut FuturesUnordered<LocalBoxFuture<'a, Answer>>,
        words: &mut UnboundedReceiver<Word>,
    ) {
        let mut worth_saving = false;
        select_biased! {
            answer = running.select_next_some() => {
                self.take(answer);
                worth_saving = true;
            }
            word = words.select_next_some() => worth_saving |= self.hear(word),
        }
        while let Some(Some(answer)) = running.next().now_or_never() {
            self.take(answer);
            worth_saving = true;
        }
        while let Some(Some(word)) = words.next().now_or_never() {
            worth_saving |= self.hear(word);
        }
        if worth_saving && self.state_lost.is_none() {
            self.save().await;
        }
    }

    /// Whether the journal has to be written.
    fn hear(&mut self, word: Word) -> bool {
        match word {
            Word::Operation(id, url) => {
                let status = self
                    .state
                    .journal
                    .as_mut()
                    .and_then(|j| j.steps.get_mut(&id));
                match status {
                    Some(StepStatus::InFlight { operation, .. }) => {
                        *operation = Some(url);
                        true
                    }
                    Some(StepStatus::Done { .. } | StepStatus::Failed { .. }) | None => false,
                }
            }
            Word::Note(id, note) => {
                if let Some(step) = self.plan.step(id) {
                    (self.events)(Event::Progress {
                        step: id,
                        addr: step.addr.clone(),
                        note,
                    });
                }
                false
            }
        }
    }

    fn take(&mut self, answer: Answer) {
        let Some(step) = self.plan.step(answer.step) else {
            return;
        };
        match answer.result {
            Ok(found) => {
                let fingerprint = match &found {
                    Found::LoadBalancer(found) => Some(found.fingerprint()),
                    Found::PublicIp(found) => Some(found.fingerprint()),
                    Found::Guest(_) | Found::Nothing => None,
                };
                match found {
                    Found::LoadBalancer(found) => self.known.load_balancer(&found),
                    Found::PublicIp(found) => self.known.public_ip(&found),
                    Found::Guest(facts) => self.known.guest(&step.addr, *facts),
                    Found::Nothing => {}
                }
                let intent = match self
                    .state
                    .journal
                    .as_ref()
                    .and_then(|j| j.steps.get(&step.id))
                {
                    Some(StepStatus::InFlight { intent, .. }) => intent.clone(),
                    Some(StepStatus::Done { .. } | StepStatus::Failed { .. }) | None => {
                        step.record.clone()
                    }
                };
                for edit in &intent {
                    self.state.edit(edit);
                }
                self.ended.done.insert(step.id);
                self.note(step.id, StepStatus::Done { found: fingerprint });
                (self.events)(Event::Verified {
                    step: step.id,
                    addr: step.addr.clone(),
                    title: step.title.clone(),
                    milliseconds: answer.milliseconds,
                });
            }
            Err(WorldError::Stale { target, moved }) => {
                let what = moved.join(", ");
                self.stale.push(Moved {
                    target,
                    what: moved,
                });
                self.fail(
                    step,
                    &format!("it moved since it was planned: {what}"),
                    false,
                );
            }
            Err(error) => {
                let retryable = matches!(error, WorldError::Unavailable { .. });
                self.fail(step, &error.to_string(), retryable);
            }
        }
    }

    fn enact(
        &self,
        id: StepId,
        action: StepAction,
        say: UnboundedSender<Word>,
    ) -> LocalBoxFuture<'a, Answer> {
        let world = self.world;
        let run = self.plan.run;
        let claim = self.claim.clone();
        let facts = match &action {
            StepAction::Guest(step) => self.known.facts(&step.guest.addr).cloned(),
            _ => None,
        };
        async move {
            let began = world.clock.monotonic();
            let progress = Speaker { id, say };
            let result = perform(world, &action, facts.as_ref(), &claim, run, &progress).await;
            let took = world.clock.monotonic().saturating_sub(began).as_millis();
            Answer {
                step: id,
                milliseconds: u64::try_from(took).unwrap_or(u64::MAX),
                result,
            }
        }
        .boxed_local()
    }
}

async fn perform(
    world: &World<'_>,
    action: &StepAction,
    facts: Option<&crate::model::guest::GuestFacts>,
    claim: &Claim,
    run: u64,
    progress: &Speaker,
) -> Result<Found, WorldError> {
    let azure = world.write_azure;
    match action {
        StepAction::PutLoadBalancer {
            before,
            after,
            resource,
        } => {
            let found = azure
                .put_load_balancer(resource, before, after, progress)
                .await?;
            Ok(Found::LoadBalancer(Box::new(found)))
        }
        StepAction::PutPublicIp {
            before,
            after,
            resource,
        } => azure
            .put_public_ip(resource, before, after, progress)
            .await
            .map(Found::PublicIp),
        StepAction::DeleteLoadBalancer { id, before } => azure
            .delete_load_balancer(id, before, progress)
            .await
            .map(|()| Found::Nothing),
        StepAction::DeletePublicIp { id, before } => azure
            .delete_public_ip(id, before, progress)
            .await
            .map(|()| Found::Nothing),
        StepAction::PutNetworkInterface { id, edits } => azure
            .put_network_interface(id, edits, progress)
            .await
            .map(|_| Found::Nothing),
        StepAction::Guest(step) => {
            if step.ensure.is_empty() && step.release.is_empty() {
                return Ok(Found::Nothing);
            }
            let Some(facts) = facts else {
                let message = format!(
                    "{} was never read. This is a bug in plimsoll.",
                    step.guest.addr
                );
                return Err(WorldError::Refused { message });
            };
            let order = GuestOrder {
                step,
                facts,
                claim,
                run,
            };
            let facts = world.write_guests.enact(&order).await?;
            Ok(Found::Guest(Box::new(facts)))
        }
        StepAction::Drain { seconds } => {
            world
                .clock
                .sleep(std::time::Duration::from_secs(*seconds))
                .await;
            Ok(Found::Nothing)
        }
        StepAction::Record => Ok(Found::Nothing),
    }
}

/// Carries a step's words to the engine, which alone writes the journal.
struct Speaker {
    id: StepId,
    say: UnboundedSender<Word>,
}

impl Progress for Speaker {
    fn operation(&self, url: &str) {
        // The engine is gone only when the run has ended: nobody is left to tell.
        let _ = self
            .say
            .unbounded_send(Word::Operation(self.id, url.to_owned()));
    }

    fn note(&self, text: &str) {
        let _ = self
            .say
            .unbounded_send(Word::Note(self.id, text.to_owned()));
    }
}
