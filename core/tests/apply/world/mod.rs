//! A simulated world: Azure and guests in memory, honest about what the engine may assume, with packets.

use async_trait::async_trait;
use plimsoll_core::apply::*;
use plimsoll_core::config::{Configuration, Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::guest::*;
use plimsoll_core::model::*;
use plimsoll_core::plan::*;
use plimsoll_core::state::{State, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

mod azure;
mod faults;
mod guests;
mod packets;
mod refusals;

pub use faults::{Fault, Faults};
pub use guests::{guest, set, without_runs};
pub use packets::Path;

pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// Everything there is, behind one lock.
#[derive(Default)]
pub struct World {
    pub inner: Mutex<Inner>,
}

impl Clone for World {
    fn clone(&self) -> Self {
        Self {
            inner: Mutex::new(self.with(|w| w.clone())),
        }
    }
}

#[derive(Clone, Default)]
pub struct Inner {
    pub load_balancers: BTreeMap<ArmId, LoadBalancer>,
    pub public_ip_prefixes: BTreeMap<ArmId, PublicIpPrefix>,
    pub public_ips: BTreeMap<ArmId, PublicIp>,
    pub nics: BTreeMap<ArmId, NetworkInterface>,
    pub guests: BTreeMap<String, GuestFacts>,
    /// Which ip configuration someone tied to an inbound NAT rule, by load balancer and rule.
    pub nat_targets: BTreeMap<(ArmId, String), ArmId>,
    /// Every write in order, for people.
    pub writes: Vec<String>,
    pub reads: usize,
    /// Reads of guests, begun so far, and how many have to be under way before any of them ends; 0 is no matter how many.
    pub reads_begun: usize,
    pub reads_together: usize,
    /// Guests whose scripts fail.
    pub failing: BTreeSet<String>,
    pub unreachable: BTreeSet<String>,
    /// Public IP addresses whose GET is refused.
    pub hidden: BTreeSet<ArmId>,
    /// How many load balancer PUTs succeed before one fails.
    pub puts_left: Option<usize>,
    /// Azure's answers hold more than was sent.
    pub adds: bool,
    pub saved: Option<String>,
    /// Every state that was written, oldest first.
    pub saves: Vec<String>,
    /// The state of another deployment while it is not the one that acts.
    pub elsewhere: Option<String>,
    /// Guest and entry: what someone put there by hand.
    pub admins: BTreeSet<(String, String)>,
    /// Addresses that Azure chose so far.
    pub chosen: u8,
    /// Called after each write; a promise that is broken panics there.
    pub watch: Option<fn(&Inner)>,
    /// After each write, where packets go: kept where `traced`.
    pub traced: bool,
    pub trace: Vec<Moment>,
    pub faults: Faults,
    /// Everything that is not ours, in words, as it was when somebody else last touched it.
    pub theirs: BTreeSet<String>,
    /// What others do, by number; called in the middle of a run.
    pub meddler: Option<fn(&mut Inner, usize) -> Option<String>>,
    /// Lineages given out so far: a lost state is followed by another one.
    pub lineages: usize,
    /// When something waited, in seconds, after so many writes.
    pub waits: Vec<(usize, u64)>,
    /// Goes on only while something waits.
    pub clock: Duration,
    /// What the command line says of the next plan, and of the next run.
    pub refinements: Refinements,
    pub until: Option<Phase>,
}

/// Where packets go after something happened.
#[derive(Clone, Debug)]
pub struct Moment {
    pub what: String,
    pub ours: bool,
    pub paths: Vec<Path>,
}

pub fn configuration(text: &str) -> Configuration {
    let mut sources = SourceSet::default();
    sources.files.insert("web.plim.hcl".into(), text.into());
    let inputs = Inputs {
        lab: true,
        ..Inputs::default()
    };
    let (configuration, problems) = load(&sources, &inputs, &NoFiles);
    configuration.unwrap_or_else(|| panic!("{problems:#?}"))
}

pub fn network(kind: &str, name: &str) -> ArmId {
    ArmId::network(SUBSCRIPTION, "rg-web", kind, name)
}

impl Inner {
    fn happened(&mut self, what: String, ours: bool) {
        if self.traced {
            let paths = self.paths();
            self.trace.push(Moment {
                what: what.clone(),
                ours,
                paths,
            });
        }
        if ours {
            self.writes.push(what);
        }
        if let Some(watch) = self.watch {
            watch(self);
        }
    }

    fn wrote(&mut self, what: String) {
        self.happened(what, true);
    }

    /// A machine with one NIC, in no pool.
    pub fn add_machine(&mut self, name: &str, own: &str, ports: &[(Protocol, u16)]) {
        self.guests.insert(name.to_owned(), guest(own, ports));
        let id = network("networkInterfaces", &format!("{name}-nic"));
        let configuration = IpConfiguration {
            private_address: Some(own.parse().unwrap()),
            primary: true,
            backend_pools: Vec::new(),
        };
        let nic = NetworkInterface {
            id: id.clone(),
            ip_configurations: [("ipconfig1".to_owned(), configuration)]
                .into_iter()
                .collect(),
            virtual_machine: None,
            failed: false,
            rest: serde_json::Map::new(),
        };
        self.nics.insert(id, nic);
    }

    /// As Azure answers a GET: with its back-references.
    fn with_members(&self, load_balancer: &LoadBalancer) -> LoadBalancer {
        let mut seen = load_balancer.clone();
        seen.members.clear();
        for (id, nic) in &self.nics {
            for (name, configuration) in &nic.ip_configurations {
                for pool in &configuration.backend_pools {
                    if pool.parent().as_ref() == Some(&load_balancer.id) {
                        let member = id.child("ipConfigurations", name);
                        seen.members
                            .entry(pool.name().to_owned())
                            .or_default()
                            .push(member);
                    }
                }
            }
        }
        for ((id, rule), target) in &self.nat_targets {
            if *id == load_balancer.id && seen.item(ItemKind::InboundNatRule, rule).is_some() {
                seen.nat_targets.insert(rule.clone(), target.clone());
            }
        }
        seen
    }
}

impl World {
    /// Two guests as the example names them.
    pub fn of_the_example() -> Self {
        let world = Self::default();
        let ports = [
            (Protocol::Tcp, 80),
            (Protocol::Tcp, 8080),
            (Protocol::Tcp, 81),
            (Protocol::Udp, 53),
            (Protocol::Tcp, 8081),
        ];
        world.with(|w| {
            w.add_machine("vm1", "10.0.0.11", &ports);
            w.add_machine("vm2", "10.0.0.12", &ports);
        });
        world
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.inner.lock().unwrap())
    }

    pub fn state(&self) -> Option<State> {
        self.with(|w| w.saved.clone())
            .map(|text| State::parse(&text).unwrap())
    }

    pub fn plan(&self, configuration: &Configuration, mode: Mode) -> Plan {
        let state = self.state();
        let wanted = needed(&configuration.desired, state.as_ref());
        let observed = futures::executor::block_on(observe(&wanted, self, self));
        plan(&Question {
            configuration,
            prior: state.as_ref(),
            observed: &observed,
            mode,
            lab: true,
            now: "2026-01-01T00:00:00Z".to_owned(),
            fresh_lineage: self.with(|w| {
                w.lineages += usize::from(state.is_none());
                format!("lineage-{}", w.lineages)
            }),
            release_addresses: false,
            refinements: self.with(|w| w.refinements.clone()),
        })
    }

    pub fn run(&self, plan: &Plan) -> (Outcome, Vec<Event>) {
        self.run_or_die(plan).expect("no death was asked for")
    }

    /// `None` where the process died on the way: nothing of it happens any more.
    pub fn run_or_die(&self, plan: &Plan) -> Option<(Outcome, Vec<Event>)> {
        let state = self
            .state()
            .unwrap_or_else(|| State::new(plan.deployment.clone(), plan.lineage.clone()));
        let writer = Writer {
            at: String::new(),
            by: "test".to_owned(),
            plimsoll_version: "0".to_owned(),
            commit: None,
        };
        let events = Mutex::new(Vec::new());
        let outside = plimsoll_core::apply::World {
            read_azure: self,
            write_azure: self,
            read_guests: self,
            write_guests: self,
            store: self,
            clock: self,
        };
        let stop = self.with(|w| {
            w.faults.stop = Arc::default();
            Arc::clone(&w.faults.stop)
        });
        let say = |event| events.lock().unwrap().push(event);
        let outcome = {
            let halt = Halt {
                asked: &stop,
                after: self.with(|w| w.until),
            };
            let mut running = Box::pin(run(plan, state, writer, &outside, &say, halt));
            let mut context = Context::from_waker(Waker::noop());
            let mut polls = 0;
            loop {
                match running.as_mut().poll(&mut context) {
                    Poll::Ready(outcome) => break outcome,
                    Poll::Pending if self.with(|w| std::mem::take(&mut w.faults.dead)) => {
                        return None;
                    }
                    Poll::Pending => polls += 1,
                }
                assert!(
                    polls < 100_000,
                    "the engine waits for something that never comes"
                );
            }
        };
        Some((outcome, events.into_inner().unwrap()))
    }

    pub fn apply(&self, text: &str) -> Plan {
        let configuration = configuration(text);
        let plan = self.plan(&configuration, Mode::Apply);
        assert!(plan.applyable, "{:#?} {:#?}", plan.blocked, plan.findings);
        let (outcome, events) = self.run(&plan);
        assert!(outcome.is_complete(), "{events:#?}");
        plan
    }
}

#[async_trait]
impl KeepState for World {
    async fn save(&self, text: &str) -> Result<(), WorldError> {
        self.with(|w| w.faults.spare_the_state());
        self.effect(|w| {
            w.saved = Some(text.to_owned());
            w.saves.push(text.to_owned());
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> String {
        "2026-01-01T00:00:00Z".to_owned()
    }

    fn monotonic(&self) -> Duration {
        self.with(|w| w.clock)
    }

    /// Everything else gets its turn meanwhile.
    async fn sleep(&self, time: Duration) {
        let mut slept = false;
        poll_fn(|context| {
            if std::mem::replace(&mut slept, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.with(|w| {
            w.clock += time;
            if time >= Duration::from_secs(1) {
                let after = w.writes.len();
                w.waits.push((after, time.as_secs()));
            }
        });
    }
}
