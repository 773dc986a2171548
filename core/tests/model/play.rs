//! One scenario: a world with others in it, some configurations one after the other, and things that go wrong.

use super::promises::{Foreign, check_end, check_writes, modes};
use super::scenario::{GUESTS, Mode, SUBSCRIPTION, Setup};
use super::tape::Tape;
use super::world::{Fault, Path, World, guest, set};
use plimsoll_core::config::{Configuration, Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::guest::{Claim, Entry, EntryKey, FirewallRule, RecordFact, Target};
use plimsoll_core::model::*;
use plimsoll_core::plan::{Mode as Way, Plan};
use std::collections::{BTreeMap, BTreeSet};

pub fn web() -> ArmId {
    ArmId::network(SUBSCRIPTION, "rg-web", "loadBalancers", "web")
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
            None => assert!(setup.rules.pop_last().is_some(), "{problems:#?}"),
        }
    }
}

struct Stage {
    world: World,
    /// Modes that a frontend ever had.
    modes: BTreeMap<String, BTreeSet<Mode>>,
    foreign: Foreign,
    lost: bool,
    /// What happened, for people.
    story: Vec<String>,
}

pub fn play(tape: &mut Tape) -> Result<usize, String> {
    let mut stage = Stage {
        world: world(tape),
        modes: BTreeMap::new(),
        foreign: Foreign::default(),
        lost: false,
        story: Vec::new(),
    };
    let played = stage.play(tape);
    let effects = stage.world.with(|w| w.faults.effects);
    played
        .map(|()| effects)
        .map_err(|why| format!("{why}\n{}", stage.story.join("\n")))
}

fn world(tape: &mut Tape) -> World {
    let world = World::default();
    world.with(|w| {
        w.traced = true;
        for (index, name) in GUESTS.into_iter().enumerate() {
            let own = format!("10.0.0.{}", 11 + index);
            let deaf = tape.once_in(8);
            let ports: Vec<(Protocol, u16)> = [80, 81, 8080, 8081]
                .into_iter()
                .filter(|port| !(deaf && *port == 81))
                .flat_map(|port| [(Protocol::Tcp, port), (Protocol::Udp, port)])
                .collect();
            w.guests.insert(name.to_owned(), guest(&own, &ports));
            let id = ArmId::network(
                SUBSCRIPTION,
                "rg-web",
                "networkInterfaces",
                &format!("{name}-nic"),
            );
            let configuration = IpConfiguration {
                private_address: Some(own.parse().unwrap()),
                primary: true,
                backend_pools: Vec::new(),
            };
            let ip_configurations = [("ipconfig1".to_owned(), configuration)]
                .into_iter()
                .collect();
            let nic = NetworkInterface {
                id: id.clone(),
                ip_configurations,
                virtual_machine: None,
                rest: serde_json::Map::new(),
            };
            w.nics.insert(id, nic);
        }
        // Someone's own rules and addresses, some of them just what ours will need.
        if tape.once_in(3) {
            admin_opens(w, GUESTS[tape.pick(3)], "65.52.0.1", 80);
        }
        if tape.once_in(4) {
            let name = GUESTS[tape.pick(3)];
            let key: EntryKey = "address 65.52.0.2".parse().unwrap();
            set(w.guests.get_mut(name).unwrap(), &key, true);
            w.admins.insert((name.to_owned(), key.to_string()));
        }
        if tape.once_in(4) {
            // Another deployment holds an address that ours may want too.
            let facts = w.guests.get_mut(GUESTS[tape.pick(3)]).unwrap();
            let key: EntryKey = "address 65.52.0.1".parse().unwrap();
            set(facts, &key, true);
            facts.survives.insert(key.clone());
            let mut record = plimsoll_core::model::guest::GuestRecord::default();
            let claim = Claim {
                deployment: "other".to_owned(),
                lineage: "theirs".to_owned(),
            };
            record.entries.insert(
                key,
                Entry {
                    claims: [claim].into(),
                    prior: None,
                },
            );
            facts.record = RecordFact::Present {
                record,
                sha256: String::new(),
            };
        }
        if tape.once_in(3) {
            stranger(w);
        }
        if tape.pick(2) == 1 {
            w.faults.shuffle = 1 + tape.pick(1000) as u64;
        }
    });
    world
}

fn admin_opens(w: &mut super::world::Inner, name: &str, destination: &str, port: u16) {
    let destination: std::net::IpAddr = destination.parse().unwrap();
    let rules = &mut w.guests.get_mut(name).unwrap().firewall.base[0].rules;
    rules.push(FirewallRule {
        protocol: Some(Protocol::Tcp),
        sources: Vec::new(),
        destinations: vec![destination.into()],
        ports: vec![(port, port)],
        uncertain: false,
        target: Target::Accept,
        ours: false,
        text: format!("tcp dport {port} ip daddr {destination} accept"),
        name: None,
    });
}

fn text(value: &str) -> Attr {
    Attr::Text(value.to_owned())
}

/// Another load balancer that the same machines serve, with floating IP.
fn stranger(w: &mut super::world::Inner) {
    let public = ArmId::network(SUBSCRIPTION, "rg-web", "publicIPAddresses", "x-ip");
    w.public_ips.insert(
        public.clone(),
        PublicIp {
            id: public.clone(),
            attributes: Attributes::new(),
            address: Some("65.52.0.9".parse().unwrap()),
            rest: serde_json::Map::new(),
        },
    );
    let id = ArmId::network(SUBSCRIPTION, "rg-web", "loadBalancers", "x-lb");
    let mut lb = LoadBalancer::new(id.clone());
    lb.set(
        ItemKind::Frontend,
        Item::new("x-front").with("public_ip", text(public.as_str())),
    );
    lb.set(ItemKind::BackendPool, Item::new("x-pool"));
    let pool = lb.id_of(ItemKind::BackendPool, "x-pool");
    let rule = Item::new("x-rule")
        .with(
            "frontend",
            text(lb.id_of(ItemKind::Frontend, "x-front").as_str()),
        )
        .with("backend_pools", Attr::List(vec![pool.to_string()]))
        .with("protocol", text("Tcp"))
        .with("frontend_port", Attr::Int(80))
        .with("backend_port", Attr::Int(8080));
    lb.set(ItemKind::Rule, rule);
    w.load_balancers.insert(id, lb);
    for nic in w.nics.values_mut() {
        nic.ip_configurations["ipconfig1"]
            .backend_pools
            .push(pool.clone());
    }
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
            if round > 0 && tape.once_in(4) {
                self.edit(tape);
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

    fn plan(&self, configuration: &Configuration) -> Plan {
        self.world.plan(configuration, Way::Apply)
    }

    fn round(
        &mut self,
        tape: &mut Tape,
        setup: &Setup,
        configuration: &Configuration,
    ) -> Result<(), String> {
        let plan = self.plan(configuration);
        if !plan.applyable {
            return self.blocked(&plan);
        }
        let edited = tape.once_in(6) && self.edit(tape);
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
            ][tape.pick(4)];
            let at = tape.pick(24);
            self.say(format!("{fault:?} at effect {at} from here"));
            self.world
                .with(|w| w.faults.at.insert(w.faults.effects + at, fault));
        }
        let clean = self
            .world
            .with(|w| w.faults.at.is_empty() && w.failing.is_empty())
            && !edited;
        self.apply(&plan, setup, edited, clean)?;
        self.world.with(|w| {
            w.failing.clear();
            w.faults.at.clear();
        });
        if tape.pick(3) == 2 {
            self.say("the same plan once more");
            self.apply(&plan, setup, edited, false)?;
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
        let errors: Vec<_> = plan
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .collect();
        if strange || self.lost || !errors.is_empty() {
            Ok(())
        } else {
            Err(format!("blocked for nothing: {:?}", plan.blocked))
        }
    }

    fn apply(
        &mut self,
        plan: &Plan,
        setup: &Setup,
        edited: bool,
        clean: bool,
    ) -> Result<bool, String> {
        let (before, members) = self.world.with(|w| {
            w.trace.clear();
            let pools = w
                .nics
                .values()
                .flat_map(|nic| nic.ip_configurations.values())
                .flat_map(|c| &c.backend_pools);
            (
                w.paths(),
                pools.filter(|pool| pool.parent() == Some(web())).count(),
            )
        });
        self.foreign = self.world.with(|w| Foreign::of(w));
        let ran = self.world.run_or_die(plan);
        let trace = self.world.with(|w| std::mem::take(&mut w.trace));
        let writes: Vec<&str> = trace.iter().map(|(what, _)| what.as_str()).collect();
        self.say(format!("writes: {writes:?}"));
        let complete = match &ran {
            None => {
                self.say("died");
                false
            }
            Some((outcome, _)) => {
                if !outcome.stale.is_empty()
                    && outcome.done == 0
                    && outcome.failed == 0
                    && !trace.is_empty()
                {
                    return Err(format!("stale, and yet wrote {writes:?}"));
                }
                self.say(format!(
                    "done {}, failed {}, skipped {}, stale {:?}",
                    outcome.done, outcome.failed, outcome.skipped, outcome.stale
                ));
                outcome.is_complete()
            }
        };
        check_writes(&before, &trace, setup, &self.modes, edited, self.lost)?;
        let foreign = self.world.with(|w| Foreign::of(w));
        if foreign != self.foreign {
            return Err(format!(
                "something foreign changed: {:?}",
                foreign.difference(&self.foreign)
            ));
        }
        if clean {
            if !complete {
                return Err(format!(
                    "nothing went wrong, and yet: {:#?}",
                    ran.map(|(_, events)| events)
                ));
            }
            self.gaps(&before, &trace)?;
            puts(plan, &writes, members)?;
        }
        Ok(complete)
    }

    /// What serves before and after a run serves all the time.
    fn gaps(&self, before: &[Path], trace: &[(String, Vec<Path>)]) -> Result<(), String> {
        let Some((_, end)) = trace.last() else {
            return Ok(());
        };
        let same = |a: &Path, b: &Path| {
            (a.address, a.protocol, a.port, &a.guest) == (b.address, b.protocol, b.port, &b.guest)
        };
        for path in before.iter().filter(|path| path.answer.is_ok()) {
            if !end
                .iter()
                .any(|other| same(path, other) && other.answer.is_ok())
            {
                continue;
            }
            for (what, paths) in trace {
                if !paths
                    .iter()
                    .any(|other| same(path, other) && other.answer.is_ok())
                {
                    return Err(format!(
                        "{path:?} does not serve after {what:?}, but before and after the run"
                    ));
                }
            }
        }
        Ok(())
    }

    fn converge(&mut self, setup: &Setup, configuration: &Configuration) -> Result<(), String> {
        for turn in 0..4 {
            let plan = self.plan(configuration);
            if !plan.applyable {
                return self.blocked(&plan);
            }
            if !plan.has_changes() && plan.steps.is_empty() {
                if !plan.drift.is_empty() {
                    return Err(format!("nothing to do, and yet drift: {:#?}", plan.drift));
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
            if !self.apply(&plan, setup, false, true)? {
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
        self.apply(plan, setup, false, true)?;
        let wrote = self
            .story
            .last()
            .is_some_and(|line| line.contains("writes: [\""));
        if wrote {
            return Err("an empty plan wrote".to_owned());
        }
        self.world.with(|w| check_end(w, setup, self.lost))
    }

    /// Someone else does something. Whether it was something at all.
    fn edit(&mut self, tape: &mut Tape) -> bool {
        let name = GUESTS[tape.pick(3)];
        let kind = tape.pick(7);
        let did = self.world.with(|w| edit(w, kind, name));
        if let Some(what) = &did {
            self.story.push(format!("someone else: {what}"));
        }
        did.is_some()
    }
}

/// One PUT of the load balancer, and more only where it is forced: a pool without members forces nothing.
fn puts(plan: &Plan, writes: &[&str], members: usize) -> Result<(), String> {
    let puts = writes.iter().filter(|write| **write == "PUT web").count();
    let announced = plan
        .steps
        .iter()
        .filter(|s| s.title.starts_with("a write "))
        .count();
    let most = if members > 0 { 1 + announced } else { 1 };
    if puts > most || announced > 2 {
        return Err(format!(
            "{puts} PUTs of the load balancer where {most} are enough: {writes:?}"
        ));
    }
    Ok(())
}

fn edit(w: &mut super::world::Inner, kind: usize, name: &str) -> Option<String> {
    let facts = w.guests.get_mut(name)?;
    match kind {
        0 => {
            let ours = facts.record()?.entries.iter();
            let mine = ours
                .filter(|(_, e)| e.claims.iter().all(|c| c.deployment == "model"))
                .map(|(key, _)| key.clone());
            let key = mine.into_iter().next()?;
            set(facts, &key, false);
            Some(format!("takes {key} away in {name}"))
        }
        1 => {
            admin_opens(w, name, "65.52.0.2", 80);
            Some(format!("opens a port in {name}"))
        }
        2 => {
            let lb = w.load_balancers.get_mut(&web())?;
            let rule = lb.items.get_mut(&ItemKind::Rule)?.values_mut().next()?;
            rule.attributes
                .insert("idle_timeout_in_minutes".to_owned(), Attr::Int(15));
            Some(format!("changes rule {:?}", rule.name))
        }
        3 => {
            let lb = w.load_balancers.get_mut(&web())?;
            let (rule, _) = lb.items.get_mut(&ItemKind::Rule)?.shift_remove_index(0)?;
            Some(format!("deletes rule {rule:?}"))
        }
        4 => {
            let nic = w
                .nics
                .values_mut()
                .find(|nic| nic.id.name().starts_with(name))?;
            let pools = &mut nic.ip_configurations["ipconfig1"].backend_pools;
            let index = pools.iter().position(|pool| pool.parent() == Some(web()))?;
            let pool = pools.remove(index);
            Some(format!("takes {name} out of {}", pool.name()))
        }
        5 => {
            stranger(w);
            let public = ArmId::network(SUBSCRIPTION, "rg-web", "publicIPAddresses", "x-ip");
            let lb = w.load_balancers.get_mut(&web())?;
            let pool = lb.of_kind(ItemKind::BackendPool).next()?.name.clone();
            let pool = lb.id_of(ItemKind::BackendPool, &pool);
            lb.set(
                ItemKind::Frontend,
                Item::new("x-front").with("public_ip", text(public.as_str())),
            );
            let rule = Item::new("x-rule")
                .with(
                    "frontend",
                    text(lb.id_of(ItemKind::Frontend, "x-front").as_str()),
                )
                .with("backend_pools", Attr::List(vec![pool.to_string()]))
                .with("protocol", text("Tcp"))
                .with("frontend_port", Attr::Int(443))
                .with("backend_port", Attr::Int(81))
                .with("floating_ip", Attr::Bool(true));
            lb.set(ItemKind::Rule, rule);
            Some(format!("adds a rule on pool {}", pool.name()))
        }
        _ => {
            let key: EntryKey = "address 65.52.0.3".parse().unwrap();
            if facts.state_of(&key).live || !facts.state_of(&key).claims.is_empty() {
                return None;
            }
            set(facts, &key, true);
            w.admins.insert((name.to_owned(), key.to_string()));
            Some(format!("gives {name} {key}"))
        }
    }
}
