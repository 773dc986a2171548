//! Whose an entry in a guest is: it goes with its last claim, and a deployment that lost its state has one claim and not two.

use crate::world::{World, configuration, network};
use plimsoll_core::model::guest::{Claim, Entry, RecordFact};
use plimsoll_core::plan::Mode;

const EXAMPLE: &str = include_str!("../../../examples/floating-ip/web.plim.hcl");

/// The claims on an entry of vm1, or none where it has no such entry.
fn claims(world: &World, key: &str) -> Vec<Claim> {
    world.with(|w| {
        let record = w.guests["vm1"].record();
        let entry = record.and_then(|record| record.entries.get(&key.parse().unwrap()));
        entry
            .map(|entry| entry.claims.iter().cloned().collect())
            .unwrap_or_default()
    })
}

fn edit(world: &World, key: &str, edit: impl FnOnce(&mut Entry)) {
    world.with(|w| {
        let RecordFact::Present { record, .. } = &mut w.guests.get_mut("vm1").unwrap().record
        else {
            panic!("vm1 has no record");
        };
        edit(record.entries.get_mut(&key.parse().unwrap()).unwrap());
    });
}

#[test]
fn what_another_deployment_claims_stays() {
    let key = "address 65.52.0.2";
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let other = Claim {
        deployment: "other".to_owned(),
        lineage: "elsewhere".to_owned(),
    };
    edit(&world, key, |entry| {
        entry.claims.insert(other.clone());
    });
    let plan = world.plan(&configuration(EXAMPLE), Mode::Destroy);
    let (outcome, events) = world.run(&plan);
    assert!(outcome.is_complete(), "{events:#?}");
    let holds =
        |address: &str| world.with(|w| w.guests["vm1"].holds(address.parse().unwrap()).is_some());
    assert!(holds("65.52.0.2"), "the other deployment uses it");
    assert!(!holds("65.52.0.1"), "nobody uses it");
    assert_eq!(claims(&world, key), [other]);
}

/// `vm1` again, in a deployment that only reads the load balancer.
fn beside() -> String {
    let (head, rest) = EXAMPLE.split_once("public_ip \"green\"").unwrap();
    let (_, guests) = rest.split_once("guest \"vm1\"").unwrap();
    let (vm1, _) = guests.split_once("guest \"vm2\"").unwrap();
    let vm1 = vm1.replace("[load_balancer.web", "[data.load_balancer.web");
    format!(
        "{}data \"load_balancer\" \"web\" {{\n  resource_group = \"rg-web\"\n}}\n\nguest \"vm1\"{vm1}",
        head.replace("\"floating-ip\"", "\"beside\"")
    )
}

/// The rules that use an entry are the other deployment's, and it is there to hold it.
#[test]
fn a_deployment_beside_another_goes_with_its_claims() {
    let key = "address 65.52.0.2";
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let first = claims(&world, key);
    let state = world.with(|w| w.saved.take());
    world.apply(&beside());
    assert_eq!(claims(&world, key).len(), 2);
    let plan = world.plan(&configuration(&beside()), Mode::Destroy);
    let (outcome, events) = world.run(&plan);
    assert!(outcome.is_complete(), "{events:#?}");
    assert_eq!(claims(&world, key), first);
    world.with(|w| w.saved = state);
    let plan = world.plan(&configuration(EXAMPLE), Mode::Destroy);
    let (outcome, events) = world.run(&plan);
    assert!(outcome.is_complete(), "{events:#?}");
    let held = world.with(|w| {
        w.guests["vm1"]
            .holds("65.52.0.2".parse().unwrap())
            .is_some()
    });
    assert!(!held, "nobody claims it any more");
}

/// The address is not known while the plan is made, so whose it is turns out in the middle of the run.
#[test]
fn a_claim_under_a_lost_state_is_taken_over_with_an_address_that_azure_chose() {
    let key = "address 65.52.0.2";
    let world = World::of_the_example();
    let text: String = EXAMPLE
        .lines()
        .filter(|line| !line.contains("lab_address"))
        .flat_map(|line| [line, "\n"])
        .collect();
    world.apply(&text);
    let [before] = &claims(&world, key)[..] else {
        panic!("one claim");
    };
    // Everything in Azure is gone, and so is the state; the guests know what they held, and Azure gives the same address.
    world.with(|w| {
        w.saved = None;
        w.load_balancers.clear();
        w.public_ips.remove(&network("publicIPAddresses", "purple"));
        for nic in w.nics.values_mut() {
            nic.ip_configurations["ipconfig1"].backend_pools.clear();
        }
    });
    world.apply(&text);
    let after = claims(&world, key);
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!(after[0].deployment, before.deployment);
    assert_ne!(after[0].lineage, before.lineage);
}
