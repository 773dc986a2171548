//! The pipeline that most commands share: load, observe, plan, apply. Each step is core's; here they are only joined.

use crate::args::Ask;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::view::{self, Ending, GuestScript, Places, Story, Told};
use crate::world::{self, World};
use crate::{clock, files, inputs, scripts, sources, state, who};
use plimsoll_core::apply::{self, Event, Outcome, Undiscovered};
use plimsoll_core::config::{self, Configuration, Inputs};
use plimsoll_core::model::member::PoolMembers;
use plimsoll_core::model::observed::Observed;
use plimsoll_core::model::{ArmId, Diagnostic};
use plimsoll_core::plan::{self, Mode, Phase, Plan, Question, Refinements, StepId};
use plimsoll_core::snapshot::Snapshot;
use plimsoll_core::state::{State, StateEdit};
use plimsoll_store::HeldState;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A configuration without errors, and what else was said about it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) configuration: Configuration,
    pub(crate) told: Told,
    pub(crate) files: usize,
    /// What was read of pools to evaluate it.
    pub(crate) members: BTreeMap<ArmId, PoolMembers>,
}

/// The configuration alone. Blocks that wait for members of pools are left out.
pub(crate) fn load(context: &Context) -> Result<Loaded, Failure> {
    load_with(context, inputs::gather(context)?)
}

/// The configuration with all its blocks: who is in the pools that it makes guests of is read first.
pub(crate) async fn load_and_discover(context: &Context) -> Result<Loaded, Failure> {
    let mut inputs = inputs::gather(context)?;
    loop {
        let loaded = load_with(context, inputs.clone())?;
        let pools = &loaded.configuration.undiscovered.pools;
        if pools.is_empty() {
            return Ok(loaded);
        }
        // Members may lead to further pools; each is asked for once.
        let world = world::build(context, &loaded.configuration).await?;
        let found = apply::discover(pools, &world.read_azure).await;
        inputs.members.extend(found.map_err(|error| {
            let exit = match error {
                Undiscovered::Unreadable { .. } => Exit::Unread,
                Undiscovered::NoLoadBalancer { .. } | Undiscovered::NoPool { .. } => Exit::Error,
            };
            Failure::of(&error).exiting(exit)
        })?);
    }
}

/// The configuration with the members of pools that a snapshot recorded.
pub(crate) fn load_recorded(context: &Context, facts: &Snapshot) -> Result<Loaded, Failure> {
    let mut inputs = inputs::gather(context)?;
    inputs.members.clone_from(&facts.members);
    let loaded = load_with(context, inputs)?;
    match loaded.configuration.undiscovered.pools.first() {
        None => Ok(loaded),
        Some(pool) => Err(
            Failure::new(format!("the snapshot does not say who is in pool {pool}"))
                .next("Take one with this configuration."),
        ),
    }
}

fn load_with(context: &Context, inputs: Inputs) -> Result<Loaded, Failure> {
    let (set, mut told) = sources::gather(context.directory());
    if set.files.is_empty() {
        return Err(Failure::refused(told));
    }
    let beside = files::Beside {
        directory: context.directory().to_path_buf(),
    };
    let (configuration, diagnostics) = config::load(&set, &inputs, &beside);
    told.diagnostics.extend(diagnostics);
    match configuration {
        Some(configuration) if !told.diagnostics.iter().any(Diagnostic::is_error) => Ok(Loaded {
            configuration,
            told,
            files: set.files.len(),
            members: inputs.members,
        }),
        Some(_) | None => Err(Failure::refused(told)),
    }
}

/// A plan and all that applying it takes.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// What its guests would be sent, where that was asked for.
    pub(crate) scripts: Vec<GuestScript>,
    pub(crate) prior: Option<State>,
    pub(crate) world: World,
    pub(crate) took: Duration,
    /// The last phase to apply; `None` is all of them.
    pub(crate) until: Option<Phase>,
}

/// What to plan for.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    pub(crate) mode: Mode,
    pub(crate) release_addresses: bool,
    pub(crate) refinements: Refinements,
    /// The guests to read.
    pub(crate) guests: Ask,
    /// The last phase to go through; `None` is all of them.
    pub(crate) until: Option<Phase>,
    /// Whether a person wants to see what guests are sent.
    pub(crate) show_scripts: bool,
}

impl Goal {
    /// All of the configuration, to the end.
    pub(crate) fn apply() -> Self {
        Self {
            mode: Mode::Apply,
            release_addresses: false,
            refinements: Refinements::default(),
            guests: Ask::All,
            until: None,
            show_scripts: false,
        }
    }
}

/// Reads the state and the world, and plans. Under a lock only if the caller holds one.
pub(crate) async fn plan(
    context: &Context,
    loaded: &Loaded,
    goal: Goal,
) -> Result<Planned, Failure> {
    let configuration = &loaded.configuration;
    let prior = state::read(context, &configuration.settings).await?;
    let world = world::build(context, configuration).await?;
    let started = Instant::now();
    let mut wanted = plan::needed(&configuration.desired, prior.as_ref());
    let (before, lab) = (prior.as_ref(), context.global.lab);
    let plan_for =
        |observed: &Observed| plan::plan(&question(configuration, before, observed, &goal, lab));
    let guests = &world.guests;
    let all = wanted.guests.len();
    let mut observed = match goal.guests {
        Ask::All => apply::observe(&wanted, &world.read_azure, guests).await,
        Ask::Affected => {
            let mut asked = std::mem::take(&mut wanted.guests);
            let mut observed = apply::observe(&wanted, &world.read_azure, guests).await;
            let question = question(configuration, before, &observed, &goal, lab);
            let affected = plan::affected(&question);
            asked.retain(|addr, _| affected.contains(addr));
            wanted.guests = asked;
            apply::observe_guests(&mut observed, &wanted, guests).await;
            observed
        }
        Ask::None => {
            wanted.guests.clear();
            apply::observe(&wanted, &world.read_azure, guests).await
        }
    };
    let unasked = all - observed.guests.len();
    if unasked > 0 {
        let unasked = view::count(unasked, "guest");
        context.view.note(&format!(
            "{unasked} not read: what changed inside is not seen. Leave out --guests to read every guest."
        ));
    }
    let mut plan = plan_for(&observed);
    let unsettled = plan::unsettled(&plan, &configuration.desired);
    if !unsettled.is_empty() {
        let clock = clock::SystemClock::start();
        apply::observe_again(&mut observed, &wanted, &unsettled, guests, &clock).await;
        plan = plan_for(&observed);
    }
    if let Some(most) = context.global.parallelism.map(u32::from) {
        let bound = plan.rollout.max_parallel.map_or(most, |by| by.min(most));
        plan.rollout.max_parallel = Some(bound);
    }
    let took = started.elapsed();
    let scripts = if goal.show_scripts {
        scripts::of_plan(&plan, &observed)
    } else {
        Vec::new()
    };
    Ok(Planned {
        plan,
        scripts,
        prior,
        world,
        took,
        until: goal.until,
    })
}

/// Plans from recorded facts; nothing is read but the configuration.
pub(crate) fn plan_offline(loaded: &Loaded, goal: &Goal, facts: &Snapshot) -> Plan {
    let configuration = &loaded.configuration;
    let prior = facts.state.as_ref();
    let wanted = plan::needed(&configuration.desired, prior);
    let observed = facts.observe(&wanted);
    plan::plan(&question(configuration, prior, &observed, goal, facts.lab))
}

fn question<'a>(
    configuration: &'a Configuration,
    prior: Option<&'a State>,
    observed: &'a Observed,
    goal: &Goal,
    lab: bool,
) -> Question<'a> {
    Question {
        configuration,
        prior,
        observed,
        mode: goal.mode,
        lab,
        now: clock::now(),
        fresh_lineage: uuid::Uuid::new_v4().to_string(),
        release_addresses: goal.release_addresses,
        refinements: goal.refinements.clone(),
    }
}

/// Applies a plan under the lock and shows how it goes.
pub(crate) async fn apply(
    context: &Context,
    planned: &Planned,
    under: (&dyn HeldState, &Interrupt),
    calls: &Calls,
    report: &dyn Fn(&Story<'_>) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let plan = &planned.plan;
    let state = match &planned.prior {
        Some(state) => state.clone(),
        None => State::new(plan.deployment.clone(), plan.lineage.clone()),
    };
    let (store, interrupt) = under;
    let clock = clock::SystemClock::start();
    let world = apply::World {
        read_azure: &planned.world.read_azure,
        write_azure: &planned.world.write_azure,
        read_guests: &planned.world.guests,
        write_guests: &planned.world.guests,
        store,
        clock: &clock,
    };
    let shown: Arc<dyn crate::view::Applying> = Arc::from(context.view.applying(plan));
    let stopping = Arc::clone(&shown);
    let stop = interrupt.before_writing(move || stopping.stopping());
    let started = Instant::now();
    let outcomes = Mutex::new(BTreeMap::new());
    let events = |event: Event| {
        if let Some((step, outcome)) = fate(&event) {
            let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
            outcomes.insert(step, outcome);
        }
        shown.event(&clock::now(), &event);
    };
    let halt = apply::Halt {
        asked: stop,
        after: planned.until,
    };
    let outcome = apply::run(plan, state, who::writer(), &world, &events, halt).await;
    // A guest that left the configuration and could not be undone stays to be done.
    let pending = plan
        .steps
        .iter()
        .flat_map(|step| &step.record)
        .any(|edit| matches!(edit, StateEdit::Pending { .. }));
    let exit = exit_of(&outcome)
        .max(Exit::Unread.when(!plan.complete))
        .max(Exit::Partial.when(pending));
    let stale: Vec<(String, Vec<String>)> = outcome
        .stale
        .iter()
        .map(|moved| (moved.target.clone(), moved.what.clone()))
        .collect();
    let complete = exit == Exit::Done || (outcome.failed == 0 && outcome.skipped == 0);
    let go_on = [("Go on from here".to_owned(), calls.again.clone())];
    let ending = Ending {
        done: outcome.done,
        failed: outcome.failed,
        skipped: outcome.skipped,
        total: plan.steps.len(),
        stale: &stale,
        interrupted: outcome.interrupted,
        state_lost: outcome.state_lost.as_deref(),
        took: started.elapsed(),
        exit,
        again: &calls.again,
        replan: &calls.replan,
        next: &calls.next,
    };
    shown.end(&ending);
    report(&Story {
        ending: &ending,
        outcomes: &outcomes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner),
        next: if complete { &calls.next } else { &go_on },
    })?;
    Ok(exit)
}

/// What an event says of how a step ended.
fn fate(event: &Event) -> Option<(StepId, view::Outcome)> {
    match event {
        Event::Verified {
            step, milliseconds, ..
        } => Some((
            *step,
            view::Outcome::Done {
                milliseconds: *milliseconds,
            },
        )),
        Event::AlreadyDone { step, .. } => Some((*step, view::Outcome::DoneBefore)),
        Event::Failed { step, error, .. } => Some((
            *step,
            view::Outcome::Failed {
                error: error.clone(),
            },
        )),
        Event::Skipped { step, because, .. } => Some((
            *step,
            view::Outcome::Skipped {
                because: because.clone(),
            },
        )),
        Event::Checking
        | Event::Checked { .. }
        | Event::Started { .. }
        | Event::Progress { .. }
        | Event::Finished { .. } => None,
    }
}

/// Where the things of this configuration stand in its files.
pub(crate) fn places<'a>(context: &'a Context, loaded: &'a Loaded) -> Places<'a> {
    Places {
        known: Some((&loaded.configuration.desired, &loaded.told)),
        host: &context.host,
    }
}

/// The commands that the last words name.
#[derive(Clone, Debug)]
pub(crate) struct Calls {
    pub(crate) again: String,
    pub(crate) replan: String,
    pub(crate) next: Vec<(String, String)>,
}

fn exit_of(outcome: &Outcome) -> Exit {
    let broken = outcome.failed > 0 || outcome.skipped > 0;
    // A step that found its target moved has failed too, but nothing is wrong with it.
    let wrong = outcome.failed > outcome.stale.len();
    Exit::Stale
        .when(!outcome.stale.is_empty())
        .max(Exit::Partial.when(broken && outcome.done > 0))
        .max(Exit::Error.when(wrong && outcome.done == 0))
        .max(Exit::Error.when(outcome.state_lost.is_some()))
        .max(Exit::Interrupted.when(outcome.interrupted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::apply::Moved;

    fn outcome(done: usize, failed: usize, stale: bool) -> Outcome {
        let moved = Moved {
            target: "load_balancer.web".into(),
            what: vec![],
        };
        Outcome {
            done,
            failed,
            skipped: 0,
            held: 0,
            stale: if stale { vec![moved] } else { vec![] },
            interrupted: false,
            state_lost: None,
            state: State::new("d", "l"),
        }
    }

    #[test]
    fn how_an_apply_ends_is_how_the_program_ends() {
        assert_eq!(exit_of(&outcome(3, 0, false)), Exit::Done);
        assert_eq!(exit_of(&outcome(2, 1, false)), Exit::Partial);
        assert_eq!(exit_of(&outcome(0, 1, false)), Exit::Error);
        assert_eq!(exit_of(&outcome(0, 0, true)), Exit::Stale);
        assert_eq!(exit_of(&outcome(1, 1, true)), Exit::Stale);
        assert_eq!(exit_of(&outcome(0, 1, true)), Exit::Stale);
        assert_eq!(exit_of(&outcome(0, 2, true)), Exit::Error);
        let interrupted = Outcome {
            interrupted: true,
            ..outcome(1, 0, false)
        };
        assert_eq!(exit_of(&interrupted), Exit::Interrupted);
    }
}
