//! One scenario: a world with others in it, some configurations one after the other, and things that go wrong.

use super::caught;
use super::others::{admin_holds, admin_opens, meddle, other_deployment, stranger, terraform};
use super::promises::{Run, check_foreign, check_gaps, check_writes, foreign, modes};
use super::rest::check_end;
use super::scenario::{GUESTS, Mode, Setup};
use super::tape::Tape;
use super::writes::{Picture, forced};
use crate::world::{Fault, Inner, Moment, World, network};
use plimsoll_core::config::{Configuration, Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::*;
use plimsoll_core::plan::{Drift, DriftKind, Mode as Way, Plan};
use std::collections::{BTreeMap, BTreeSet};

pub fn web() -> ArmId {
    network("loadBalancers", "web")
}

/// A configuration without errors: rules that would collide are left out.
fn valid(mut setup: Setup) -> (Setup, Configuration) {
    loop {
        let mut sources = SourceSet::default();
        sources
            .files
            .insert("web.plim.hcl".into(), setup.text().into());
        let inputs = Inputs {
            lab: true,
            ..Inputs::default()
        };
        let (configuration, problems) = load(&sources, &inputs, &NoFiles);
        match configuration {
            Some(configuration) => return (setup, configuration),
            None => assert!(
                setup.nat.pop_last().is_some() || setup.rules.pop_last().is_some(),
                "{problems:#?}"
            ),
        }
    }
}

#[derive(Clone)]
struct Stage {
    world: World,
    /// Modes that a frontend ever had.
    modes: BTreeMap<String, BTreeSet<Mode>>,
    lost: bool,
    /// Others did something since the plan was made.
    meddled: bool,
    /// What happened, for people.
    story: Vec<String>,
    /// Effects of worlds that went another way.
    elsewhere: usize,
}

/// How many writes and saves there were, unless a promise was broken.
pub fn play(tape: &mut Tape) -> Result<usize, String> {
    let mut stage = Stage {
        world: world(tape),
        modes: BTreeMap::new(),
        lost: false,
        meddled: false,
        story: Vec::new(),
        elsewhere: 0,
    };
    let played = caught(|| stage.play(tape));
    played
        .map(|()| stage.world.with(|w| w.faults.effects) + stage.elsewhere)
        .map_err(|why| format!("{why}\n{}", stage.story.join("\n")))
}

/// What others do in the middle of a run; nothing of theirs may have changed until then.
fn interrupt(w: &mut Inner, number: usize) -> Option<String> {
    if let Err(why) = check_foreign(w) {
        panic!("{why}");
    }
    let did = meddle(w, number);
    w.theirs = foreign(w);
    did
}

fn world(tape: &mut Tape) -> World {
    let world = World::default();
    world.with(|w| {
        w.traced = true;
        w.meddler = Some(interrupt);
        for (index, name) in GUESTS.into_iter().enumerate() {
            let deaf = tape.once_in(8);
            let ports: Vec<(Protocol, u16)> = [22, 23, 80, 81, 8080, 8081]
                .into_iter()
                .filter(|port| !(deaf && *port == 81))
                .flat_map(|port| [(Protocol::Tcp, port), (Protocol::Udp, port)])
                .collect();
            let own = format!("10.0.0.{}", 11 + index);
            w.add_machine(name, &own, &ports);
            if tape.once_in(8) {
                // Its applications are bound to the machine's own address.
                for listener in &mut w.guests.get_mut(name).unwrap().listeners {
                    listener.address = own.parse().unwrap();
                }
            }
        }
        // Someone's own rules and addresses, some of them just what ours will need.
        if tape.once_in(3) {
            admin_opens(w, GUESTS[tape.pick(3)], "65.52.0.1", 80);
        }
        if tape.once_in(4) {
            admin_holds(w, GUESTS[tape.pick(3)], "65.52.0.2");
        }
        if tape.once_in(3) {
            stranger(w);
        }
        terraform(w);
        if tape.pick(2) == 1 {
            w.faults.shuffle = 1 + tape.pick(1000) as u64;
        }
    });
    world
}

impl Stage {
    fn say(&mut self, what: impl Into<String>) {
        self.story.push(what.into());
    }

    fn play(&mut self, tape: &mut Tape) -> Result<(), String> {
        let mut setup = Setup::random(tape);
        let rounds = 1 + tape.pick(3);
        let mut last = None;
        for round in 0..rounds {
            if round > 0 {
                setup = setup.changed(tape);
            }
            let (tried, configuration) = valid(setup.clone());
            setup = tried;
            modes(&mut self.modes, &setup);
            self.say(format!("--- configuration {round}:\n{}", setup.text()));
            if tape.once_in(4) {
                self.meddle(tape);
            }
            if tape.once_in(4)
                && let Some(what) = other_deployment(&self.world, tape.pick(2) == 1)
            {
                self.say(what);
            }
            self.round(tape, &setup, &configuration)?;
            if tape.once_in(8) {
                self.say("the state is lost");
                self.world.with(|w| w.saved = None);
                self.lost = true;
            }
            last = Some((setup.clone(), configuration));
        }
        let (setup, configuration) = last.expect("there is a round");
        self.converge(&setup, &configuration)
    }

    fn plan(&mut self, configuration: &Configuration) -> Plan {
        self.meddled = false;
        self.world.plan(configuration, Way::Apply)
    }

    fn round(
        &mut self,
        tape: &mut Tape,
        setup: &Setup,
        configuration: &Configuration,
    ) -> Result<(), String> {
        if tape.once_in(10) {
            let name = GUESTS[tape.pick(3)];
            self.say(format!("{name} cannot be reached"));
            self.world.with(|w| w.unreachable.insert(name.to_owned()));
        }
        let plan = self.plan(configuration);
        if !plan.applyable {
            self.blocked(&plan)?;
            self.world.with(|w| w.unreachable.clear());
            return Ok(());
        }
        if tape.once_in(6) {
            self.sweep(tape, &plan, setup, configuration)?;
        }
        if tape.once_in(6) {
            self.meddled |= self.meddle(tape);
        }
        if tape.once_in(5) {
            let name = GUESTS[tape.pick(3)];
            self.say(format!("scripts fail in {name}"));
            self.world.with(|w| w.failing.insert(name.to_owned()));
        }
        for _ in 0..tape.pick(3) {
            let fault = [
                Fault::Refuse,
                Fault::LoseAnswer,
                Fault::DieBefore,
                Fault::DieAfter,
                Fault::Stop,
            ][tape.pick(5)];
            self.fault(fault, tape.pick(24));
        }
        if tape.once_in(5) {
            let (at, number) = (tape.pick(16), tape.pick(27));
            self.meddled = true;
            self.world
                .with(|w| w.faults.meddling.insert(w.faults.effects + at, number));
        }
        let clean = !self.meddled
            && self
                .world
                .with(|w| w.faults.at.is_empty() && w.failing.is_empty());
        self.apply(&plan, setup, clean)?;
        self.calm();
        if tape.pick(3) == 2 {
            self.say("the same plan once more");
            self.apply(&plan, setup, false)?;
        }
        self.world.with(|w| w.unreachable.clear());
        Ok(())
    }

    fn fault(&mut self, fault: Fault, at: usize) {
        self.say(format!("{fault:?} at effect {at} from here"));
        self.world
            .with(|w| w.faults.at.insert(w.faults.effects + at, fault));
    }

    fn calm(&mut self) {
        self.world.with(|w| {
            w.failing.clear();
            w.faults.at.clear();
            w.faults.meddling.clear();
        });
    }

    /// The same plan in as many worlds as it has effects: in each, something else goes wrong at the next one.
    fn sweep(
        &mut self,
        tape: &mut Tape,
        plan: &Plan,
        setup: &Setup,
        configuration: &Configuration,
    ) -> Result<(), String> {
        let fault = [
            Fault::DieAfter,
            Fault::DieBefore,
            Fault::LoseAnswer,
            Fault::Stop,
        ][tape.pick(4)];
        let begin = self.world.with(|w| w.faults.effects);
        for at in 0.. {
            let mut stage = self.clone();
            stage.fault(fault, at);
            let unharmed = |stage: &Self| stage.world.with(|w| !w.faults.at.is_empty());
            let went = stage.apply(plan, setup, false).and_then(|_| {
                if unharmed(&stage) {
                    return Ok(());
                }
                stage.calm();
                stage.world.with(|w| w.unreachable.clear());
                if tape.pick(2) == 1 {
                    stage.say("the same plan once more");
                    stage.apply(plan, setup, false)?;
                }
                stage.converge(setup, configuration)
            });
            self.elsewhere += stage.world.with(|w| w.faults.effects) - begin;
            if went.is_err() {
                self.story = stage.story;
                return went;
            }
            if stage.world.with(|w| !w.faults.at.is_empty()) {
                break;
            }
        }
        Ok(())
    }

    /// Only what is not ours may be in the way.
    fn blocked(&mut self, plan: &Plan) -> Result<(), String> {
        self.say(format!("blocked: {:?}", plan.blocked));
        let strange = self.world.with(|w| {
            w.load_balancers
                .get(&web())
                .is_some_and(|lb| lb.item(ItemKind::Rule, "x-rule").is_some())
        });
        let unreachable = self.world.with(|w| !w.unreachable.is_empty());
        let errors = plan.findings.iter().any(|f| f.severity == Severity::Error);
        if strange || unreachable || self.lost || errors {
            Ok(())
        } else {
            Err(format!("blocked for nothing: {:?}", plan.blocked))
        }
    }

    /// Whether all of it was done.
    fn apply(&mut self, plan: &Plan, setup: &Setup, clean: bool) -> Result<bool, String> {
        let (before, picture) = self.world.with(|w| {
            w.trace.clear();
            w.waits.clear();
            w.writes.clear();
            w.theirs = foreign(w);
            (w.paths(), Picture::of(w))
        });
        let ran = self.world.run_or_die(plan);
        let trace = self.world.with(|w| std::mem::take(&mut w.trace));
        let happened: Vec<&str> = trace.iter().map(|m| m.what.as_str()).collect();
        self.say(format!("happened: {happened:?}"));
        let wrote = trace.iter().any(|m| m.ours);
        let complete = match &ran {
            None => {
                self.say("died");
                false
            }
            Some((outcome, _)) => {
                if !outcome.stale.is_empty() && outcome.done == 0 && outcome.failed == 0 && wrote {
                    return Err(format!("stale, and yet: {happened:?}"));
                }
                self.say(format!(
                    "done {}, failed {}, skipped {}, stale {:?}",
                    outcome.done, outcome.failed, outcome.skipped, outcome.stale
                ));
                outcome.is_complete()
            }
        };
        let run = Run {
            before: &before,
            trace: &trace,
            setup,
            modes: &self.modes,
            meddled: self.meddled,
            lost: self.lost,
        };
        check_writes(&run)?;
        self.world.with(|w| check_foreign(w))?;
        if clean {
            if !complete {
                return Err(format!(
                    "nothing went wrong, and yet: {:#?}",
                    ran.map(|(_, events)| events)
                ));
            }
            check_gaps(&run)?;
            self.puts(&picture, &trace, setup)?;
        }
        Ok(complete)
    }

    /// As many writes of the load balancer as are forced, and no more.
    fn puts(&self, before: &Picture, trace: &[Moment], setup: &Setup) -> Result<(), String> {
        let after = self.world.with(|w| Picture::of(w));
        let puts = trace.iter().filter(|m| m.what == "PUT web").count();
        let least = forced(before, &after, setup);
        if puts == least {
            Ok(())
        } else {
            Err(format!(
                "{puts} PUTs of the load balancer, and {least} are forced"
            ))
        }
    }

    fn converge(&mut self, setup: &Setup, configuration: &Configuration) -> Result<(), String> {
        for turn in 0..4 {
            let plan = self.plan(configuration);
            if !plan.applyable {
                return self.blocked(&plan);
            }
            if !plan.has_changes() && plan.steps.is_empty() {
                // No cluster runs here, and where its address is is not ours to mend.
                let ours = |drift: &&Drift| drift.kind != DriftKind::Cluster;
                if let Some(drift) = plan.drift.iter().find(ours) {
                    return Err(format!("nothing to do, and yet drift: {drift:#?}"));
                }
                return self.rest(&plan, setup);
            }
            self.say(format!(
                "converging, turn {turn}: {:?}",
                plan.steps
                    .iter()
                    .map(|s| s.title.as_str())
                    .collect::<Vec<_>>()
            ));
            if !self.apply(&plan, setup, true)? {
                return Err(
                    "nothing goes wrong any more, and yet the run does not complete".to_owned(),
                );
            }
            if turn > 0 && !self.lost {
                return Err(format!("a second plan had to be made: {:#?}", plan.changes));
            }
        }
        Err("it never ends".to_owned())
    }

    /// The empty plan, applied: only reads.
    fn rest(&mut self, plan: &Plan, setup: &Setup) -> Result<(), String> {
        self.apply(plan, setup, true)?;
        if self.world.with(|w| !w.writes.is_empty()) {
            return Err("an empty plan wrote".to_owned());
        }
        self.world.with(|w| check_end(w, setup, self.lost))
    }

    /// Someone else does something. Whether it was something at all.
    fn meddle(&mut self, tape: &mut Tape) -> bool {
        let number = tape.pick(27);
        let did = self.world.with(|w| meddle(w, number));
        if let Some(what) = &did {
            self.story.push(format!("someone else: {what}"));
        }
        did.is_some()
    }
}
