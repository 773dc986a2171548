//! Runs a plan's steps as concurrently as their edges allow. Every step is conditional, read back and recorded; a failure
//! stops only what depends on it.

use super::check::{Moved, moved, touched};
use super::fill::{Known, filled};
use super::perform::{Found, Speaker, Word, perform};
use super::resume::wait_for_unfinished;
use super::{
    Clock, EnactAzure, EnactGuests, Event, KeepState, ObserveAzure, ObserveGuests, WorldError,
    observe,
};
use crate::model::guest::Claim;
use crate::model::{Addr, ArmId};
use crate::plan::{Phase, Plan, Step, StepAction, StepId};
use crate::state::{Journal, State, StateEdit, StepStatus, Writer};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, select_biased};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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

/// When a run ends before its last step.
#[derive(Clone, Copy, Debug)]
pub struct Halt<'a> {
    /// Someone asks it to: no step starts any more, and what is in flight has `GRACE` to end.
    pub asked: &'a AtomicBool,
    /// After the steps of this phase that wait for no later one.
    pub after: Option<Phase>,
}

/// How long a step in flight may go on once someone asked to stop. GitHub's runner sends SIGINT, SIGTERM 7.5 s after it and
/// kills 2.5 s after that (docs.github.com: workflow cancellation); the state has still to be written and the lock released.
pub const GRACE: Duration = Duration::from_secs(6);

/// Whether a stop was asked for is a flag that a signal sets, so it is looked at; five times a second is soon enough.
const LOOK: Duration = Duration::from_millis(200);

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub done: usize,
    pub failed: usize,
    pub skipped: usize,
    /// Steps that `Halt::after` held back: the plan stays good for them.
    pub held: usize,
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
            && self.held == 0
            && self.stale.is_empty()
            && !self.interrupted
            && self.state_lost.is_none()
    }
}

/// Azure takes 10 writes a second of one principal, each followed by polls; more at once only wait.
const AZURE_AT_ONCE: usize = 8;
/// Guests are far apart and each has its own connection.
const GUESTS_AT_ONCE: usize = 16;

/// What a step keeps busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Azure,
    Guests,
    /// Nothing is sent: it may be left at any moment.
    Waiting,
}

impl Lane {
    fn of(action: &StepAction) -> Self {
        match action {
            StepAction::PutPublicIp { .. }
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
fn held(plan: &Plan, after: Option<Phase>) -> BTreeSet<StepId> {
    let mut held = BTreeSet::new();
    for step in plan.steps.iter().filter(|_| after.is_some()) {
        let waits = step.after.iter().any(|edge| held.contains(&edge.step));
        if waits || after.is_some_and(|phase| step.phase > phase) {
            held.insert(step.id);
        }
    }
    held
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
    /// Steps that a later phase holds back.
    held: BTreeSet<StepId>,
    running: BTreeMap<StepId, Lane>,
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

/// Applies the plan. `state` is the newest one, read under the lock that `world.store` stands for.
pub async fn run(
    plan: &Plan,
    state: State,
    writer: Writer,
    world: &World<'_>,
    events: &(dyn Fn(Event) + Send + Sync),
    halt: Halt<'_>,
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
        held: held(plan, halt.after),
        running: BTreeMap::new(),
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
        run.steps(halt.asked).await;
        run.close_journal().await;
    }
    let left = |s: &Step| !run.ended.has(s.id) && !run.held.contains(&s.id);
    let interrupted = halt.asked.load(Ordering::SeqCst) && run.plan.steps.iter().any(left);
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
        held: run.held.iter().filter(|id| !run.ended.has(**id)).count(),
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
        let mut asked_at: Option<Duration> = None;
        loop {
            let now = self.world.clock.monotonic();
            if stop.load(Ordering::SeqCst) {
                let asked_at = *asked_at.get_or_insert(now);
                let is_late = now.saturating_sub(asked_at) >= GRACE;
                if is_late || self.running.values().all(|lane| *lane == Lane::Waiting) {
                    // What is still in flight stays so in the journal: the next run asks how it went.
                    break;
                }
            }
            let halted = asked_at.is_some() || self.state_lost.is_some();
            if !halted {
                self.start_ready(&mut running, &say).await;
            }
            if running.is_empty() {
                if !halted {
                    self.give_up_the_rest();
                }
                break;
            }
            self.next(&mut running, &mut words).await;
        }
    }

    /// Starts every step whose predecessors are done and for which there is room, after it is in the journal; skips those that
    /// cannot come any more.
    async fn start_ready(
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
    fn give_up_the_rest(&mut self) {
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

    /// What the step makes ours. Once it has started the journal says it, with every address filled in.
    fn intent(&self, step: &Step) -> Vec<StateEdit> {
        let journal = self.state.journal.as_ref();
        match journal.and_then(|j| j.steps.get(&step.id)) {
            Some(StepStatus::InFlight { intent, .. }) => intent.clone(),
            Some(StepStatus::Done { .. } | StepStatus::Failed { .. }) | None => step.record.clone(),
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
        let intent = self.intent(step);
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
        let mut look = self.world.clock.sleep(LOOK).fuse();
        select_biased! {
            answer = running.select_next_some() => {
                self.take(answer);
                worth_saving = true;
            }
            word = words.select_next_some() => worth_saving |= self.hear(word),
            () = look => {}
        }
        drop(look);
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
        self.running.remove(&answer.step);
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
                let intent = self.intent(step);
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
