//! Plans that do not read every guest.

use crate::world::{World, configuration};
use plimsoll_core::apply::{observe, observe_guests};
use plimsoll_core::config::Configuration;
use plimsoll_core::model::Addr;
use plimsoll_core::model::observed::Observed;
use plimsoll_core::plan::{Mode, Plan, Question, Refinements, affected, needed, plan};
use plimsoll_core::state::State;
use std::collections::BTreeSet;

const EXAMPLE: &str = include_str!("../../../examples/floating-ip/web.plim.hcl");

fn about<'a>(
    configuration: &'a Configuration,
    prior: Option<&'a State>,
    observed: &'a Observed,
) -> Question<'a> {
    Question {
        configuration,
        prior,
        observed,
        mode: Mode::Apply,
        lab: true,
        now: "2026-01-01T00:00:00Z".to_owned(),
        fresh_lineage: "lineage".to_owned(),
        release_addresses: false,
        refinements: Refinements::default(),
    }
}

/// The guests that such a plan asks, and the plan.
fn sparing(world: &World, text: &str, asks: bool) -> (BTreeSet<String>, Plan) {
    let configuration = configuration(text);
    let state = world.state();
    let mut wanted = needed(&configuration.desired, state.as_ref());
    let mut asked = std::mem::take(&mut wanted.guests);
    let mut observed = futures::executor::block_on(observe(&wanted, world, world));
    let of_them: BTreeSet<Addr> = affected(&about(&configuration, state.as_ref(), &observed));
    asked.retain(|addr, _| asks && of_them.contains(addr));
    wanted.guests = asked;
    futures::executor::block_on(observe_guests(&mut observed, &wanted, world));
    let names = wanted.guests.keys().map(|addr| addr.name().to_owned());
    (
        names.collect(),
        plan(&about(&configuration, state.as_ref(), &observed)),
    )
}

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_plan_that_changes_nothing_for_guests_asks_none() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    for asks in [true, false] {
        let (asked, plan) = sparing(&world, EXAMPLE, asks);
        assert_eq!((asked, plan.unasked), (names(&[]), 2));
        assert!(plan.complete && plan.applyable && !plan.has_changes());
        assert!(plan.drift.is_empty(), "{:#?}", plan.drift);
    }
}

#[test]
fn guests_whose_load_balancer_is_written_are_asked() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let text = EXAMPLE.replace("frontend_port = 8000", "frontend_port = 8001");
    let (asked, plan) = sparing(&world, &text, true);
    assert_eq!(asked, names(&["vm1", "vm2"]));
    assert!(plan.complete && plan.applyable && plan.has_changes());
    // Who asks nobody is told what that leaves open.
    let (_, plan) = sparing(&world, &text, false);
    assert!(!plan.complete && !plan.applyable);
    let why = plan.blocked.join("\n");
    assert!(
        why.contains("guest.vm1") && why.contains("not asked"),
        "{why}"
    );
}

#[test]
fn only_the_guest_for_which_something_changes_is_asked() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    // vm2 leaves the pool; the load balancer itself stays as it is.
    let at = EXAMPLE.find("guest \"vm2\"").unwrap();
    let pools = "backend_pools    = [load_balancer.web.backend_pool.vms]";
    let text = format!(
        "{}{}",
        &EXAMPLE[..at],
        EXAMPLE[at..].replace(pools, "backend_pools    = []")
    );
    let (asked, plan) = sparing(&world, &text, true);
    assert_eq!(asked, names(&["vm2"]));
    assert!(plan.complete && plan.applyable, "{:#?}", plan.blocked);
    let (outcome, events) = world.run(&plan);
    assert!(outcome.is_complete(), "{events:#?}");
    let again = world.plan(&configuration(&text), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);
}

#[test]
fn with_a_lost_state_every_guest_is_asked() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| w.saved = None);
    let (asked, _) = sparing(&world, EXAMPLE, true);
    assert_eq!(asked, names(&["vm1", "vm2"]));
}
