//! The whole way: facts → plan → script → facts → an empty plan, and back again.

use crate::machine::{Machine, Way, profile};
use crate::world::{self, World};
use plimsoll_core::apply::{self, GuestOrder, observe};
use plimsoll_core::model::guest::{BY_SCRIPT, Claim, GuestFacts};
use plimsoll_core::model::{ArmId, IpConfiguration, NetworkInterface};
use plimsoll_core::plan::{Action, How, Mode, Plan, Question, demand, needed, plan};
use plimsoll_core::state::{State, Writer};
use plimsoll_guest::transport::{RunCommand, Transport};
use plimsoll_guest::{Guests, Limits};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const CONFIGURATION: &str = include_str!("../../testdata/windows.plim.hcl");

/// A Windows machine, Azure around it, and a way to the machine.
pub(crate) struct Scene {
    pub(crate) azure: World,
    pub(crate) machine: Arc<Mutex<Machine>>,
    pub(crate) guests: Guests,
    text: String,
}

impl Scene {
    pub(crate) fn of(machine: Machine) -> Self {
        let azure = World::default();
        let id = ArmId::network(
            "00000000-0000-0000-0000-000000000000",
            "rg-web",
            "networkInterfaces",
            "sql1-nic",
        );
        let configurations = [("ipconfig1", "10.0.0.4"), ("ipconfig6", "fd10::4")];
        let nic = NetworkInterface {
            id: id.clone(),
            ip_configurations: configurations
                .into_iter()
                .map(|(name, own)| {
                    let configuration = IpConfiguration {
                        private_address: Some(own.parse().unwrap()),
                        primary: name == "ipconfig1",
                        backend_pools: Vec::new(),
                    };
                    (name.to_owned(), configuration)
                })
                .collect(),
            virtual_machine: None,
            failed: false,
            rest: serde_json::Map::new(),
        };
        azure.with(|w| w.nics.insert(id, nic));
        let machine = Arc::new(Mutex::new(machine));
        let way = Way {
            machine: Arc::clone(&machine),
            cut: None,
        };
        Self {
            azure,
            machine,
            guests: Guests::new(Limits::default()).instead(Box::new(way)),
            text: CONFIGURATION.to_owned(),
        }
    }

    pub(crate) fn english() -> Self {
        Self::of(Machine::new(
            &["10.0.0.4/24", "fd10::4/64"],
            "Loopback Pseudo-Interface 1",
            "Ethernet",
        ))
    }

    fn by_run_command(mut self) -> Self {
        let way = Way {
            machine: Arc::clone(&self.machine),
            cut: None,
        };
        let transport = RunCommand::new(Box::new(way), Duration::from_secs(60));
        self.guests = Guests::new(Limits::default()).with_run_command(Box::new(transport));
        let (before, after) = self.text.split_once("  connection \"ssh\"").unwrap();
        let after = after.split_once("}\n").unwrap().1;
        self.text = format!("{before}  connection \"run_command\" {{}}\n{after}");
        self
    }

    pub(crate) fn machine(&self) -> Machine {
        self.machine.lock().unwrap().clone()
    }

    pub(crate) async fn plan(&self, mode: Mode) -> Plan {
        let configuration = world::configuration(&self.text);
        let state = self.azure.state();
        let wanted = needed(&configuration.desired, state.as_ref());
        let observed = observe(&wanted, &self.azure, &self.guests).await;
        plan(&Question {
            configuration: &configuration,
            prior: state.as_ref(),
            observed: &observed,
            mode,
            lab: true,
            now: "2026-01-01T00:00:00Z".to_owned(),
            fresh_lineage: "11111111-1111-1111-1111-111111111111".to_owned(),
            release_addresses: false,
            refinements: plimsoll_core::plan::Refinements::default(),
        })
    }

    pub(crate) async fn run(&self, plan: &Plan) -> Result<(), String> {
        let state = self
            .azure
            .state()
            .unwrap_or_else(|| State::new(plan.deployment.clone(), plan.lineage.clone()));
        let world = apply::World {
            read_azure: &self.azure,
            write_azure: &self.azure,
            read_guests: &self.guests,
            write_guests: &self.guests,
            store: &self.azure,
            clock: &self.azure,
        };
        let said = Mutex::new(String::new());
        let stop = AtomicBool::new(false);
        let outcome = apply::run(
            plan,
            state,
            Writer {
                at: String::new(),
                by: "test".to_owned(),
                plimsoll_version: "0".to_owned(),
                commit: None,
            },
            &world,
            &|event| said.lock().unwrap().push_str(&format!("{event:?}\n")),
            apply::Halt {
                asked: &stop,
                after: None,
            },
        )
        .await;
        match outcome.is_complete() {
            true => Ok(()),
            false => Err(said.into_inner().unwrap()),
        }
    }

    pub(crate) async fn apply(&self) -> Plan {
        let plan = self.plan(Mode::Apply).await;
        assert!(plan.applyable, "{:#?} {:#?}", plan.blocked, plan.findings);
        self.run(&plan).await.unwrap();
        plan
    }

    pub(crate) async fn facts(&self) -> GuestFacts {
        let plan = self.plan(Mode::Apply).await;
        let configuration = world::configuration(&self.text);
        let wanted = needed(&configuration.desired, self.azure.state().as_ref());
        let observed = observe(&wanted, &self.azure, &self.guests).await;
        let found = observed.guests.values().next().unwrap();
        found
            .present()
            .unwrap_or_else(|| panic!("{found:?} {:#?}", plan.blocked))
            .clone()
    }
}

impl Scene {
    /// Someone runs what `guest script` prints.
    async fn runs_by_hand(&self, how: How) {
        let configuration = world::configuration(&self.text);
        let state = self.azure.state();
        let wanted = needed(&configuration.desired, state.as_ref());
        let observed = observe(&wanted, &self.azure, &self.guests).await;
        let (addr, guest) = wanted.guests.first_key_value().unwrap();
        let facts = observed.guests[addr].present().unwrap();
        let demand = demand(&configuration.desired, None, &observed, addr).unwrap();
        assert!(demand.unknown.is_empty(), "{demand:?}");
        let claim = Claim {
            deployment: "sql-prod".to_owned(),
            lineage: BY_SCRIPT.to_owned(),
        };
        let script = plimsoll_guest::show_script(&GuestOrder {
            step: &demand.step(guest, facts, &claim, how),
            facts,
            claim: &claim,
            run: 0,
        });
        let way = Way {
            machine: Arc::clone(&self.machine),
            cut: None,
        };
        let output = Transport::run(&way, guest, &script.unwrap()).await.unwrap();
        assert_eq!(output.status, Some(0));
    }
}

/// What is handed over does what an apply does, on a machine that nothing was done to, and takes it back.
#[tokio::test]
async fn what_is_handed_over_does_what_an_apply_does() {
    let scene = Scene::english();
    let before = scene.machine();
    scene.apply().await;
    let applied = scene.machine();
    *scene.machine.lock().unwrap() = before.clone();
    // Neither who did it nor the run is the same.
    let settled = |machine: Machine| Machine {
        record: None,
        calls: Vec::new(),
        ..machine
    };
    scene.runs_by_hand(How::Hold).await;
    let claimed = scene.machine().record.unwrap();
    assert_eq!(settled(scene.machine()), settled(applied));
    assert!(claimed.contains("\"guest script\""), "{claimed}");
    scene.runs_by_hand(How::Undo).await;
    assert_eq!(settled(scene.machine()), settled(before));
}

const RULES: [&str; 4] = [
    "plimsoll-tcp-8080-to-65.52.0.1",
    "plimsoll-tcp-8081-from-168.63.129.16-to-10.0.0.4",
    "plimsoll-tcp-8081-to-fd10__4",
    "plimsoll-udp-53-to-fd00_f1__1",
];

async fn there_and_back(scene: Scene) {
    let before = scene.machine();
    scene.apply().await;
    let held = scene.machine();
    for (address, index) in [("65.52.0.1/32", 1), ("fd00:f1::1/128", 1)] {
        let held = held
            .addresses
            .iter()
            .filter(|a| a.net == address.parse().unwrap());
        assert!(held.clone().all(|a| a.hidden && a.index == index));
        assert_eq!(held.count(), 2, "{address}, now and after a reboot");
    }
    let on = |index: u32, direction| {
        let interface = held.interfaces.iter().find(|i| i.index == index).unwrap();
        ["IPv4", "IPv6"].map(|family| interface.weak[&(family, direction)])
    };
    assert_eq!(on(6, "Receive"), [[true; 2]; 2]);
    assert_eq!(on(1, "Receive"), [[true; 2]; 2]);
    assert_eq!(on(1, "Send"), [[true; 2]; 2]);
    assert_eq!(on(6, "Send"), [[false; 2]; 2], "nobody needs that one");
    let names: Vec<&String> = held
        .rules
        .keys()
        .filter(|k| k.starts_with("plimsoll"))
        .collect();
    assert_eq!(names, RULES);

    let again = scene.plan(Mode::Apply).await;
    assert!(
        !again.has_changes() && again.steps.is_empty(),
        "{:#?}",
        again.changes
    );
    assert!(again.drift.is_empty(), "{:#?}", again.drift);

    let undo = scene.plan(Mode::Destroy).await;
    scene.run(&undo).await.unwrap();
    let mut after = scene.machine();
    // The run numbers stay, so that a script which was sent earlier is still refused.
    let record: serde_json::Value = serde_json::from_str(&after.record.take().unwrap()).unwrap();
    assert_eq!(record["entries"], serde_json::json!({}));
    after.calls.clear();
    assert_eq!(
        after,
        Machine {
            calls: Vec::new(),
            ..before
        }
    );
}

#[tokio::test]
async fn there_and_back_over_ssh() {
    there_and_back(Scene::english()).await;
}

#[tokio::test]
async fn there_and_back_through_run_command() {
    there_and_back(Scene::english().by_run_command()).await;
}

fn with_rules(number: u32) -> Scene {
    let mut machine = Machine::new(&["10.0.0.4/24", "fd10::4/64"], "Loopback", "Ethernet");
    for n in 0..number {
        let id = format!("{{{}}}", &crate::machine::digest(&n.to_be_bytes())[..32]);
        let text = format!(
            "v2.32|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort={}|Name=rule {n}|",
            1000 + n * 7 % 60_000
        );
        machine.rules.insert(id, ("local", text));
    }
    Scene::of(machine).by_run_command()
}

/// Many rules of an admin make an answer of several windows.
#[tokio::test]
async fn a_guest_with_much_to_tell_answers_run_command_in_windows() {
    there_and_back(with_rules(600)).await;
}

/// An answer that would take a quarter of an hour to fetch is none: nothing is guessed from its beginning.
#[tokio::test]
async fn a_guest_with_too_much_to_tell_is_not_believed_in_part() {
    let scene = with_rules(10_000);
    let plan = scene.plan(Mode::Apply).await;
    assert!(!plan.applyable && !plan.complete);
    let why = plan.blocked.join("\n");
    assert!(
        why.contains("are too many for Run Command; use a connection \"ssh\" block"),
        "{why}"
    );
}

#[tokio::test]
async fn what_was_on_before_stays_on_and_a_failed_run_is_taken_back() {
    let mut machine = Machine::new(&["10.0.0.4/24", "fd10::4/64"], "Loopback", "Ethernet");
    machine
        .interface(6)
        .weak
        .insert(("IPv4", "Receive"), [true; 2]);
    machine.failing = Some("Set-Opening");
    let scene = Scene::of(machine.clone());
    let plan = scene.plan(Mode::Apply).await;
    let said = scene.run(&plan).await.unwrap_err();
    assert!(said.contains("Zugriff verweigert"), "{said}");
    // What was made before the failure is in the record, with what it was.
    let record = scene.machine().record.unwrap();
    assert!(
        record.contains("\"weak host send on the ipv4 loopback interface\""),
        "{record}"
    );
    scene.machine.lock().unwrap().failing = None;
    scene.apply().await;
    let undo = scene.plan(Mode::Destroy).await;
    scene.run(&undo).await.unwrap();
    assert_eq!(scene.machine().interfaces, machine.interfaces);
    assert_eq!(scene.machine().addresses, machine.addresses);
}

/// Cuts a script at every `step`th byte, and at each of its last hundred.
async fn cut_everywhere(step: usize) {
    let scene = Scene::english();
    let before = scene.machine();
    let facts = scene.facts().await;
    let script = crate::scripts::script(&facts, "sql-prod", "l", "a").unwrap();
    let whole = script.trim_end().len();
    for cut in (0..whole - 100).step_by(step).chain(whole - 100..whole) {
        let way = Way {
            machine: Arc::clone(&scene.machine),
            cut: Some(cut),
        };
        let guests = Guests::new(Limits::default()).instead(Box::new(way));
        let result = crate::scripts::enact(&guests, &facts).await;
        assert!(result.is_err(), "cut at {cut}");
    }
    let idle = |machine: Machine| Machine {
        calls: Vec::new(),
        ..machine
    };
    assert_eq!(idle(scene.machine()), idle(before));
}

#[tokio::test]
async fn a_script_that_was_cut_does_nothing() {
    cut_everywhere(211).await;
}

#[tokio::test]
#[ignore = "reads the script some ten thousand times; part of cargo xtask nightly"]
async fn a_script_that_was_cut_at_any_byte_does_nothing() {
    cut_everywhere(1).await;
}

#[tokio::test]
async fn an_older_script_that_comes_late_is_refused() {
    let scene = Scene::english();
    let facts = scene.facts().await;
    scene.apply().await;
    let undo = scene.plan(Mode::Destroy).await;
    scene.run(&undo).await.unwrap();
    let before = scene.machine();
    let error = crate::scripts::enact(&scene.guests, &facts)
        .await
        .unwrap_err();
    assert!(
        error.contains("has seen run 2 of sql-prod, this is run 1"),
        "{error}"
    );
    assert_eq!(
        Machine {
            calls: Vec::new(),
            ..scene.machine()
        },
        Machine {
            calls: Vec::new(),
            ..before
        }
    );
}

#[tokio::test]
async fn an_admin_s_block_is_named_and_nothing_is_written() {
    let scene = Scene::english();
    let block =
        "v2.32|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=8079-8080|Name=No test ports|";
    scene
        .machine
        .lock()
        .unwrap()
        .rules
        .insert("{1}".into(), ("policy", block.into()));
    let plan = scene.plan(Mode::Apply).await;
    // The address of a new frontend is not known at the first plan; after it the deciding rule is named.
    let before = scene.machine();
    let said = scene.run(&plan).await.unwrap_err();
    assert!(
        said.contains("block rule \\\"No test ports\\\" of the group policy"),
        "{said}"
    );
    assert_eq!(scene.machine().rules, before.rules);
    let plan = scene.plan(Mode::Apply).await;
    let refused = plan
        .findings
        .iter()
        .find(|f| f.what.contains("65.52.0.1:8080"))
        .unwrap();
    assert!(
        refused.notes.join(" ").contains("No test ports"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn profiles_decide_which_rules_count() {
    let scene = Scene::english();
    scene.machine.lock().unwrap().profiles[2]["local"] = "False".into();
    let plan = scene.plan(Mode::Apply).await;
    let said = scene.run(&plan).await.unwrap_err();
    assert!(
        said.contains("profile Public takes rules of the group policy only"),
        "{said}"
    );
    // A firewall that is off lets everything in: there is nothing to open.
    let scene = Scene::english();
    scene.machine.lock().unwrap().profiles = vec![profile("Public", "False", "Block")];
    scene.apply().await;
    assert!(scene.machine().rules.is_empty());
    // One whose profile is not in force here does not count either.
    let scene = Scene::english();
    scene.machine.lock().unwrap().profiles = vec![profile("Domain", "True", "Block")];
    scene.apply().await;
    assert!(scene.machine().rules.is_empty());
}

#[tokio::test]
async fn a_km_test_adapter_that_someone_chose_holds_the_addresses() {
    let mut machine = Machine::new(&["10.0.0.4/24", "fd10::4/64"], "Loopback", "Ethernet");
    let mut adapter = machine.interfaces[1].clone();
    (
        adapter.index,
        adapter.name,
        adapter.component,
        adapter.category,
    ) = (11, "Ethernet 3".into(), "*msloop", None);
    machine.interfaces.push(adapter);
    for store in crate::machine::STORES {
        machine.hold(store, 11, "65.52.0.9/32".parse().unwrap(), false);
    }
    let scene = Scene::of(machine.clone());
    scene.apply().await;
    let held = scene.machine();
    assert!(
        held.addresses
            .iter()
            .filter(|a| a.hidden)
            .all(|a| a.index == 11)
    );
    assert!(
        held.interfaces[2].weak[&("IPv4", "Send")][0]
            && !held.interfaces[0].weak[&("IPv4", "Send")][0]
    );
    let undo = scene.plan(Mode::Destroy).await;
    scene.run(&undo).await.unwrap();
    assert_eq!(scene.machine().interfaces, machine.interfaces);
    assert_eq!(scene.machine().addresses, machine.addresses);
}

#[tokio::test]
async fn what_only_runs_now_or_only_comes_back_is_seen() {
    let scene = Scene::english();
    scene.apply().await;
    {
        let mut machine = scene.machine.lock().unwrap();
        machine
            .addresses
            .retain(|a| !(a.store == "PersistentStore" && a.net.addr().is_ipv4()));
        machine
            .interface(1)
            .weak
            .insert(("IPv6", "Send"), [true, false]);
        machine
            .interface(6)
            .weak
            .insert(("IPv6", "Receive"), [false, true]);
    }
    let plan = scene.plan(Mode::Apply).await;
    let said: Vec<&str> = plan.drift.iter().map(|d| &*d.what).collect();
    assert_eq!(
        said,
        [
            "weak host receive (ipv6) on the NIC is off",
            "address 65.52.0.1/32 would not survive a reboot",
            "weak host send (ipv6) on the loopback interface would not survive a reboot",
        ]
    );
    scene.apply().await;
    assert!(scene.plan(Mode::Apply).await.drift.is_empty());
}

#[tokio::test]
async fn a_record_that_anybody_could_write_and_facts_of_a_user_are_not_believed() {
    let scene = Scene::english();
    scene.apply().await;
    scene.machine.lock().unwrap().owner = "S-1-5-21-1-2-3-1001";
    let plan = scene.plan(Mode::Apply).await;
    assert!(
        plan.blocked
            .iter()
            .any(|b| format!("{b:?}").contains("S-1-5-21-1-2-3-1001")),
        "{:#?}",
        plan.blocked
    );
    scene.machine.lock().unwrap().administrator = false;
    let plan = scene.plan(Mode::Apply).await;
    let unread = plan
        .findings
        .iter()
        .find(|f| f.what.contains("could not be read"))
        .unwrap();
    assert!(
        unread.notes.concat().contains("administrator"),
        "{unread:?}"
    );
}

#[tokio::test]
async fn nothing_is_forgotten_to_be_listed_as_a_change() {
    // What a plan shows of a Windows guest, in the words of its entries.
    let scene = Scene::english();
    let plan = scene.plan(Mode::Apply).await;
    let guest = plan
        .changes
        .iter()
        .find(|c| c.addr.name() == "sql1")
        .unwrap();
    let shown: Vec<String> = guest
        .entries
        .iter()
        .filter(|e| e.action == Action::Create)
        .map(|e| e.key.to_string())
        .collect();
    assert_eq!(
        shown.iter().filter(|k| k.starts_with("weak host")).count(),
        6,
        "{shown:#?}"
    );
}
