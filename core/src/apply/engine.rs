//! Runs a plan's steps as concurrently as their edges allow. Every step is conditional, read back and recorded; a failure
//! stops only what depends on it.

mod answers;
mod journal;
mod room;

use super::check::{Moved, moved, touched};
use super::fill::Known;
use super::perform::{Found, Speaker, Word, perform};
use super::resume::wait_for_unfinished;
use super::{
    Clock, EnactAzure, EnactGuests, Event, KeepState, ObserveAzure, ObserveGuests, WorldError,
    observe,
};
use crate::model::guest::Claim;
use crate::plan::{Phase, Plan, Step, StepAction, StepId};
use crate::state::{State, StepStatus, Writer};
use futures::FutureExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use journal::state_moved;
use room::{Lane, held};
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

impl<'a> Run<'a> {
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
