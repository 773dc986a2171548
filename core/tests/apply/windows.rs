//! Windows guests in the simulated world: what they need beside an address, and that it is taken back.

use crate::world::{self, World, configuration};
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{
    EntryKey, FirewallKind, GuestFacts, InterfaceRole, IpFamily, SystemInterface, WeakHostSettings,
};
use plimsoll_core::plan::{Action, DriftKind, Mode};

/// The example with one guest of each system.
fn example() -> String {
    let text = include_str!("../../../examples/floating-ip/web.plim.hcl");
    let (before, after) = text.split_once("guest \"vm2\"").unwrap();
    let after = after.replacen("os = \"linux\"", "os = \"windows\"", 1);
    format!("{before}guest \"vm2\"{after}")
}

fn world() -> World {
    let world = World::of_the_example();
    world.with(|w| {
        let ports: Vec<(Protocol, u16)> = w.guests["vm2"]
            .listeners
            .iter()
            .map(|l| (l.protocol, l.port))
            .collect();
        let windows = windows("10.0.0.12", &ports);
        w.guests.insert("vm2".to_owned(), windows);
    });
    world
}

/// A guest under Windows, as it comes: no interface is a weak host.
fn windows(own: &str, ports: &[(Protocol, u16)]) -> GuestFacts {
    let mut facts = world::guest(own, ports);
    facts.init = "windows".to_owned();
    facts.firewall.kind = FirewallKind::Windows;
    let names = [
        (1, "Loopback-Pseudoschnittstelle 1", InterfaceRole::Loopback),
        (6, "Ethernet", InterfaceRole::Network),
    ];
    facts.interfaces = names
        .map(|(index, name, role)| SystemInterface {
            index,
            name: name.to_owned(),
            role,
            weak_host: [IpFamily::Ipv4, IpFamily::Ipv6]
                .map(|family| (family, WeakHostSettings::default()))
                .into(),
        })
        .to_vec();
    for held in &mut facts.addresses {
        let at = usize::from(held.interface != "lo");
        held.interface = facts.interfaces[at].name.clone();
    }
    facts
}

fn destroy(world: &World, text: &str) {
    let plan = world.plan(&configuration(text), Mode::Destroy);
    assert_eq!(world.run(&plan).0.failed, 0);
}

fn on(facts: &GuestFacts, key: &str) -> bool {
    facts.state_of(&key.parse().unwrap()).live
}

const SETTINGS: [&str; 3] = [
    "weak host receive on the interface of 10.0.0.12",
    "weak host receive on the ipv4 loopback interface",
    "weak host send on the ipv4 loopback interface",
];

#[test]
fn a_windows_guest_serves_after_apply_and_is_as_before_after_destroy() {
    let (world, example) = (world(), example());
    let before = world.with(|w| w.guests["vm2"].clone());
    world.apply(&example);
    let answers = world.with(|w| w.connect("65.52.0.1", 80, Protocol::Tcp));
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|(_, a)| a.is_ok()), "{answers:?}");
    let after = world.with(|w| w.guests["vm2"].clone());
    for key in SETTINGS {
        assert!(on(&after, key), "{key}");
    }
    // Nobody asked for it, and other families are as they were.
    assert!(!on(&after, "weak host send on the interface of 10.0.0.12"));
    assert!(!on(&after, "weak host send on the ipv6 loopback interface"));

    let again = world.plan(&configuration(&example), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);
    assert!(again.drift.is_empty(), "{:#?}", again.drift);

    destroy(&world, &example);
    assert_eq!(
        world.with(|w| world::without_runs(&w.guests["vm2"])),
        before
    );
}

#[test]
fn a_weak_host_setting_that_someone_turned_off_is_drift() {
    let (world, example) = (world(), example());
    world.apply(&example);
    let key: EntryKey = SETTINGS[0].parse().unwrap();
    world.with(|w| world::set(w.guests.get_mut("vm2").unwrap(), &key, false));
    let plan = world.plan(&configuration(&example), Mode::Apply);
    assert_eq!(plan.drift.len(), 1, "{:#?}", plan.drift);
    let drift = &plan.drift[0];
    assert_eq!(drift.kind, DriftKind::Changed);
    assert_eq!(&*drift.what, "weak host receive (ipv4) on the NIC is off");
    assert!(
        drift
            .impact
            .iter()
            .any(|i| i
                .starts_with("green 65.52.0.1:80/tcp: connections that Azure sends to vm2 die")),
        "{:#?}",
        drift.impact
    );
    world.apply(&example);
    assert!(on(&world.with(|w| w.guests["vm2"].clone()), SETTINGS[0]));
}

#[test]
fn what_an_admin_turned_on_stays_on() {
    let (world, example) = (world(), example());
    let key: EntryKey = SETTINGS[1].parse().unwrap();
    world.with(|w| world::set(w.guests.get_mut("vm2").unwrap(), &key, true));
    let plan = world.apply(&example);
    let guest = plan.changes.iter().find(|c| c.addr.name() == "vm2");
    assert!(guest.unwrap().entries.iter().all(|e| e.key != key));
    destroy(&world, &example);
    assert!(on(&world.with(|w| w.guests["vm2"].clone()), SETTINGS[1]));
}

#[test]
fn a_setting_stays_while_one_address_needs_it() {
    let (world, example) = (world(), example());
    world.apply(&example);
    // The rules of the other address no longer arrive at it.
    let fewer: String = example
        .split_inclusive("  rule ")
        .map(
            |part| match part.starts_with("\"purple\"") || part.starts_with("\"dns\"") {
                true => part.replacen("floating_ip   = true", "floating_ip   = false", 1),
                false => part.to_owned(),
            },
        )
        .collect();
    assert_ne!(fewer, example);
    let plan = world.plan(&configuration(&fewer), Mode::Apply);
    let guest = plan.changes.iter().find(|c| c.addr.name() == "vm2");
    let gone: Vec<String> = guest
        .unwrap()
        .entries
        .iter()
        .filter(|e| e.action == Action::Delete)
        .map(|e| e.key.to_string())
        .collect();
    assert!(gone.contains(&"address 65.52.0.2".to_owned()), "{gone:?}");
    assert!(
        !gone.iter().any(|key| key.starts_with("weak host")),
        "{gone:?}"
    );
}
