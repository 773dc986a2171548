//! Who owns an address inside the guests: every member, the cluster, or nobody whom we know.

use crate::world::{World, configuration};
use async_trait::async_trait;
use plimsoll_core::apply::{ObserveGuests, observe, observe_again};
use plimsoll_core::model::guest::{EntryKey, GuestFacts, GuestRef, InterfaceAddress, Listener};
use plimsoll_core::model::observed::{Observation, Observed};
use plimsoll_core::model::{Attr, FieldDiff, Protocol};
use plimsoll_core::plan::{
    Action, DriftKind, Effect, Mode, Plan, Question, Step, StepAction, needed, plan, unsettled,
};

const EXAMPLE: &str = include_str!("../../../examples/floating-ip/web.plim.hcl");
const ADDRESS: &str = "65.52.0.1/24";

/// The example with the green frontend in another mode.
fn with_mode(mode: &str) -> String {
    let declared = "    public_ip = public_ip.green\n";
    EXAMPLE.replacen(
        declared,
        &format!("{declared}    guest_mode = \"{mode}\"\n"),
        1,
    )
}

/// As `IPaddr2` does it: on the NIC, with the subnet's prefix. The probe's port goes with it.
fn holds(facts: &mut GuestFacts, holds: bool) {
    facts.addresses.retain(|a| a.address.to_string() != ADDRESS);
    facts.listeners.retain(|l| l.port != 8081);
    if holds {
        facts.addresses.push(InterfaceAddress {
            interface: "eth0".to_owned(),
            address: ADDRESS.parse().unwrap(),
        });
        facts.listeners.push(Listener {
            protocol: Protocol::Tcp,
            address: "0.0.0.0".parse().unwrap(),
            port: 8081,
            process: Some("nc".to_owned()),
        });
    }
}

fn cluster_is_on(world: &World, members: &[&str]) {
    world.with(|w| {
        for (name, facts) in &mut w.guests {
            holds(facts, members.contains(&name.as_str()));
        }
    });
}

fn cluster_drift(plan: &Plan) -> Vec<String> {
    let of_cluster = plan.drift.iter().filter(|d| d.kind == DriftKind::Cluster);
    of_cluster
        .map(|d| format!("{}: {}", d.addr, d.what))
        .collect()
}

#[test]
fn a_cluster_s_address_is_judged_per_pool_and_never_written() {
    let (world, text) = (World::of_the_example(), with_mode("cluster"));
    cluster_is_on(&world, &["vm1"]);
    let plan = world.apply(&text);
    let keys: Vec<String> = plan
        .changes
        .iter()
        .flat_map(|c| &c.entries)
        .map(|e| e.key.to_string())
        .collect();
    assert!(!keys.contains(&"address 65.52.0.1".to_owned()), "{keys:?}");
    // The firewall is ours on every member, for the passive one as well, and so is the probe's opening.
    for key in [
        "firewall tcp port 80 to 65.52.0.1",
        "firewall tcp port 8081 from 168.63.129.16 to 10.0.0.12",
    ] {
        assert!(keys.contains(&key.to_owned()), "{keys:?}");
    }
    let quiet = |members: &[&str]| {
        cluster_is_on(&world, members);
        let plan = world.plan(&configuration(&text), Mode::Apply);
        assert!(
            !plan.has_changes() && plan.steps.is_empty(),
            "{:#?}",
            plan.changes
        );
        assert_eq!(
            plan.drift.len(),
            cluster_drift(&plan).len(),
            "{:#?}",
            plan.drift
        );
        cluster_drift(&plan)
    };
    // A passive member that refuses the probe is healthy, whichever it is.
    assert!(quiet(&["vm1"]).is_empty() && quiet(&["vm2"]).is_empty());
    assert_eq!(
        quiet(&[]),
        ["guest.vm1: no member holds the cluster's address 65.52.0.1"]
    );
    assert_eq!(
        quiet(&["vm1", "vm2"]),
        ["guest.vm2: 2 members hold the cluster's address 65.52.0.1"]
    );
    world.with(|w| {
        w.guests
            .get_mut("vm2")
            .unwrap()
            .listeners
            .retain(|l| l.port != 8081);
    });
    cluster_is_on(&world, &["vm1"]);
    world.with(|w| {
        w.guests
            .get_mut("vm1")
            .unwrap()
            .listeners
            .retain(|l| l.port != 8081);
    });
    let plan = world.plan(&configuration(&text), Mode::Apply);
    let said = cluster_drift(&plan);
    assert_eq!(
        said,
        ["guest.vm1: it holds 65.52.0.1 and nothing answers the probe on 10.0.0.11:8081"]
    );
}

/// A cluster that moves the address to the other member after the first was read.
struct Failover<'a> {
    world: &'a World,
    reads: std::sync::Mutex<usize>,
    then: &'static [&'static str],
}

#[async_trait]
impl ObserveGuests for Failover<'_> {
    async fn facts(&self, guest: &GuestRef) -> Observation<GuestFacts> {
        let facts = self.world.facts(guest).await;
        let mut reads = self.reads.lock().unwrap();
        *reads += 1;
        if *reads == 1 {
            cluster_is_on(self.world, self.then);
        }
        facts
    }
}

#[test]
fn a_failover_between_two_reads_alarms_nobody() {
    let (world, text) = (World::of_the_example(), with_mode("cluster"));
    let configuration = configuration(&text);
    cluster_is_on(&world, &["vm1"]);
    world.apply(&text);
    for (from, then, first, settled) in [
        ("vm1", &["vm2"][..], "2 members hold", 0),
        ("vm2", &["vm1"][..], "no member holds", 0),
        // One that does not end well is still there at the second look.
        ("vm1", &["vm1", "vm2"][..], "2 members hold", 1),
    ] {
        cluster_is_on(&world, &[from]);
        let cluster = Failover {
            world: &world,
            reads: std::sync::Mutex::new(0),
            then,
        };
        let state = world.state();
        let plan_for = |observed: &Observed| {
            plan(&Question {
                configuration: &configuration,
                prior: state.as_ref(),
                observed,
                mode: Mode::Apply,
                lab: true,
                now: String::new(),
                fresh_lineage: String::new(),
                release_addresses: false,
                refinements: Default::default(),
            })
        };
        futures::executor::block_on(async {
            let wanted = needed(&configuration.desired, state.as_ref());
            let mut observed = observe(&wanted, &world, &cluster).await;
            let plan = plan_for(&observed);
            assert!(
                cluster_drift(&plan)[0].contains(first),
                "{:?}",
                cluster_drift(&plan)
            );
            let again = unsettled(&plan, &configuration.desired);
            assert_eq!(again.len(), 2);
            observe_again(&mut observed, &wanted, &again, &cluster, &world).await;
            let plan = plan_for(&observed);
            assert_eq!(
                cluster_drift(&plan).len(),
                settled,
                "{:?}",
                cluster_drift(&plan)
            );
            assert_eq!(*cluster.reads.lock().unwrap(), 4);
        });
    }
    // Where nothing looks wrong nobody is read twice.
    cluster_is_on(&world, &["vm2"]);
    let plan = world.plan(&configuration, Mode::Apply);
    assert!(unsettled(&plan, &configuration.desired).is_empty());
}

fn shown(field: &FieldDiff) -> String {
    let text = |value: &Option<Attr>| {
        value
            .as_ref()
            .and_then(Attr::as_text)
            .unwrap_or("-")
            .to_owned()
    };
    format!(
        "{} {} {}",
        field.name,
        text(&field.before),
        text(&field.after)
    )
}

#[test]
fn from_loopback_to_cluster_is_an_announced_interruption() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let text = with_mode("cluster");
    let plan = world.plan(&configuration(&text), Mode::Apply);
    let told: Vec<&str> = plan
        .traffic
        .iter()
        .filter(|t| matches!(&t.effect, Effect::Changes { what, .. } if what.contains("cluster")))
        .map(|t| t.rule.as_str())
        .collect();
    assert_eq!(told, ["alt", "green"]);
    // It is ours already, so that nothing of it is adopted; and Azure knows nothing of who holds an address.
    let items = || plan.changes.iter().flat_map(|change| &change.items);
    let resources = plan.changes.iter().map(|change| change.action);
    let mut actions = resources.chain(items().map(|item| item.action));
    assert!(
        !actions.any(|action| action == Action::Adopt),
        "{:#?}",
        plan.changes
    );
    let changed: Vec<(&str, Vec<String>)> = items()
        .filter(|item| item.action == Action::Update)
        .map(|item| (item.name.as_str(), item.fields.iter().map(shown).collect()))
        .collect();
    assert_eq!(
        changed,
        [("green", vec!["guest_mode loopback cluster".to_owned()])]
    );
    let writes = |step: &Step| matches!(step.action, StepAction::PutLoadBalancer { .. });
    assert!(!plan.steps.iter().any(writes), "{:#?}", plan.steps);
    world.apply(&text);
    let again = world.plan(&configuration(&text), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);
    let address: EntryKey = "address 65.52.0.1".parse().unwrap();
    let opening: EntryKey = "firewall tcp port 80 to 65.52.0.1".parse().unwrap();
    world.with(|w| {
        for facts in w.guests.values() {
            assert!(!facts.state_of(&address).live && facts.state_of(&opening).live);
        }
    });
    // And back: every member holds it again, beside the cluster's, which is not ours to take.
    cluster_is_on(&world, &["vm1"]);
    world.apply(EXAMPLE);
    world.with(|w| assert!(w.guests["vm2"].state_of(&address).survives));
    world.with(|w| {
        assert!(
            w.guests["vm1"]
                .addresses
                .iter()
                .any(|a| a.address.to_string() == ADDRESS)
        );
    });
}

#[test]
fn an_appliance_is_asked_for_nothing_and_warned_of_nothing() {
    let world = World::of_the_example();
    world.with(|w| {
        for facts in w.guests.values_mut() {
            facts.listeners.clear();
        }
    });
    let text = EXAMPLE
        .replacen(
            "    public_ip = public_ip.green\n",
            "    public_ip = public_ip.green\n    guest_mode = \"none\"\n",
            1,
        )
        .replacen(
            "    public_ip = public_ip.purple\n",
            "    public_ip = public_ip.purple\n    guest_mode = \"none\"\n",
            1,
        );
    let plan = world.apply(&text);
    let entries: Vec<_> = plan.changes.iter().flat_map(|c| &c.entries).collect();
    assert!(entries.is_empty(), "{entries:#?}");
    assert!(plan.findings.is_empty(), "{:#?}", plan.findings);
    let again = world.plan(&configuration(&text), Mode::Apply);
    assert!(!again.has_changes() && again.drift.is_empty());
}
