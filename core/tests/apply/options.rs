//! What an operator asks of one run: to wait, to stop, to spare members, to do a part of it.

use crate::example::{EXAMPLE, addr, applied, plan, writes};
use crate::world::{Fault, World, configuration};
use plimsoll_core::apply::{Event, GRACE};
use plimsoll_core::model::{Addr, Protocol};
use plimsoll_core::plan::{Mode, Phase, Refinements};
use plimsoll_core::state::StepStatus;

#[test]
fn a_rule_waits_for_its_listeners() {
    let patient = EXAMPLE.replace(
        "rule \"purple\" {",
        "rule \"purple\" {\n    wait_for_listener = \"20s\"",
    );
    let world = World::of_the_example();
    let taken = world.with(|w| std::mem::take(&mut w.guests.get_mut("vm2").unwrap().listeners));
    let plan = plan(&world, &patient);
    let (outcome, events) = world.run(&plan);
    assert!(!outcome.is_complete());
    assert!(
        !writes(&world).contains(&"PUT web".to_owned()),
        "{:?}",
        writes(&world)
    );
    assert!(world.with(|w| w.clock.as_secs()) >= 20);
    let said = events.iter().find_map(|event| match event {
        Event::Failed { error, .. } => Some(error.clone()),
        _ => None,
    });
    let said = said.unwrap();
    assert!(
        said.contains("nothing listens on tcp port 80 of 65.52.0.2 in guest.vm2"),
        "{said}"
    );
    // Someone starts it; the same plan goes on.
    world.with(|w| w.guests.get_mut("vm2").unwrap().listeners = taken);
    let (outcome, events) = world.run(&plan);
    assert!(outcome.is_complete(), "{events:#?}");
}

/// Guests that hang were waited for one after the other, so that many of them took many times what the rule allows.
#[test]
fn guests_that_are_silent_are_read_at_once() {
    let patient = EXAMPLE.replace(
        "rule \"purple\" {",
        "rule \"purple\" {\n    wait_for_listener = \"20s\"",
    );
    let world = World::of_the_example();
    world.with(|w| w.guests.values_mut().for_each(|g| g.listeners.clear()));
    let plan = plan(&world, &patient);
    // Neither answers before the other is asked, too.
    world.with(|w| (w.reads_begun, w.reads_together) = (0, 2));
    let (outcome, _) = world.run(&plan);
    assert_eq!(outcome.failed, 1);
    assert!(world.with(|w| w.reads_begun) > 4);
}

#[test]
fn no_more_members_are_away_than_may_be() {
    let careful = EXAMPLE.replace(
        "  backend \"local\" {",
        "  rollout {\n    max_unavailable = 1\n  }\n\n  backend \"local\" {",
    );
    let world = World::of_the_example();
    world.with(|w| w.failing.insert("vm1".to_owned()));
    let (outcome, events) = world.run(&plan(&world, &careful));
    assert!(!outcome.is_complete());
    assert!(
        !writes(&world).contains(&"script vm2".to_owned()),
        "{:?}",
        writes(&world)
    );
    let told = events.iter().any(|event| {
        matches!(event, Event::Skipped { because, .. } if because.contains("max_unavailable"))
    });
    assert!(told, "{events:#?}");
}

#[test]
fn as_many_guests_as_allowed_are_worked_on_at_once() {
    let one_by_one = EXAMPLE.replace(
        "  backend \"local\" {",
        "  rollout {\n    max_parallel = 1\n  }\n\n  backend \"local\" {",
    );
    let world = World::of_the_example();
    let (outcome, events) = world.run(&plan(&world, &one_by_one));
    assert!(outcome.is_complete());
    let mut at_work = 0;
    for event in events {
        let is_guest = |addr: &Addr, title: &str| {
            addr.to_string().starts_with("guest.") && title.contains("firewall")
        };
        match event {
            Event::Started { addr, title, .. } if is_guest(&addr, &title) => at_work += 1,
            Event::Verified { addr, title, .. } if is_guest(&addr, &title) => at_work -= 1,
            _ => {}
        }
        assert!(at_work <= 1);
    }
}

#[test]
fn a_run_that_is_asked_to_stop_starts_nothing_more_and_ends_in_time() {
    for at in 0..12 {
        let world = World::of_the_example();
        let plan = plan(&world, EXAMPLE);
        world.with(|w| w.faults.at.insert(at, Fault::Hang));
        let (outcome, events) = world.run(&plan);
        assert!(outcome.interrupted, "{at}: {outcome:#?}");
        assert!(world.with(|w| w.clock) <= GRACE * 2, "{at}");
        // After the request nothing starts: the writes are those that were in flight.
        let started = events
            .iter()
            .filter(|e| matches!(e, Event::Started { .. }))
            .count();
        // The last writes are in flight together.
        assert!(started < plan.steps.len() || at > 7, "{at}");
        world.with(|w| w.faults.at.clear());
        let (outcome, events) = world.run(&plan);
        assert!(outcome.is_complete(), "{at}: {events:#?}");
    }
}

/// One guest at a time: the second is ready to start as soon as the first is done, while Azure is still at work.
#[test]
fn room_that_comes_free_after_a_request_to_stop_stays_free() {
    let world = World::of_the_example();
    let one = "plimsoll {\n  rollout {\n    max_parallel = 1\n  }\n";
    let plan = plan(&world, &EXAMPLE.replacen("plimsoll {\n", one, 1));
    // The first write, that of a public IP address, gets no answer.
    world.with(|w| w.faults.at.insert(2, Fault::Hang));
    let (outcome, _) = world.run(&plan);
    assert!(outcome.interrupted);
    assert_eq!(writes(&world), ["PUT purple", "script vm1"]);
}

#[test]
fn what_is_in_flight_when_time_is_up_stays_in_the_journal() {
    let world = World::of_the_example();
    let plan = plan(&world, EXAMPLE);
    // The first effect is the save that opens the journal, the second the one before the first steps.
    world.with(|w| w.faults.at.insert(2, Fault::Hang));
    let (outcome, _) = world.run(&plan);
    assert!(outcome.interrupted);
    let journal = world.state().unwrap().journal.unwrap();
    let in_flight = |status: &StepStatus| matches!(status, StepStatus::InFlight { .. });
    assert!(journal.steps.values().any(in_flight), "{journal:#?}");
}

#[test]
fn until_expand_readies_guests_and_leaves_rules_alone() {
    let world = World::of_the_example();
    let plan = plan(&world, EXAMPLE);
    world.with(|w| w.until = Some(Phase::Expand));
    let (outcome, _) = world.run(&plan);
    assert_eq!(outcome.failed + outcome.skipped, 0);
    assert!(outcome.held > 0);
    let done = writes(&world);
    assert!(done.contains(&"script vm1".to_owned()) && done.contains(&"script vm2".to_owned()));
    assert!(
        !done
            .iter()
            .any(|write| write == "PUT web" || write.ends_with("-nic")),
        "{done:?}"
    );
    // The same plan goes on with the rest.
    world.with(|w| w.until = None);
    let (outcome, events) = world.run(&plan);
    assert!(outcome.is_complete(), "{events:#?}");
    assert_eq!(
        writes(&world).iter().filter(|w| *w == "script vm1").count(),
        1
    );
}

#[test]
fn a_guest_that_may_be_unready_holds_nothing_up() {
    let world = World::of_the_example();
    world.with(|w| {
        w.unreachable.insert("vm2".to_owned());
        w.refinements.accept_unready.insert(addr("guest.vm2"));
    });
    let plan = plan(&world, EXAMPLE);
    assert_eq!(plan.accepted_unready, [addr("guest.vm2")]);
    let (outcome, events) = world.run(&plan);
    assert!(outcome.is_complete(), "{events:#?}");
    let served = world.with(|w| w.connect("65.52.0.1", 80, Protocol::Tcp));
    assert_eq!(
        served.len(),
        1,
        "vm2 joins nothing while nobody knows what is in it: {served:?}"
    );
    // It comes back: the next plan is about it alone.
    world.with(|w| {
        w.unreachable.clear();
        w.refinements = Refinements::default();
        w.writes.clear();
    });
    world.apply(EXAMPLE);
    assert_eq!(writes(&world), ["script vm2", "PUT vm2-nic"]);
}

#[test]
fn a_guest_whose_script_fails_holds_nothing_up_where_that_is_accepted() {
    let world = World::of_the_example();
    world.with(|w| {
        w.failing.insert("vm2".to_owned());
        w.refinements.accept_unready.insert(addr("guest.vm2"));
    });
    let (outcome, _) = world.run(&plan(&world, EXAMPLE));
    assert!(!outcome.is_complete());
    let served = world.with(|w| w.connect("65.52.0.1", 80, Protocol::Tcp));
    assert!(
        served.len() == 1 && served.iter().all(|(_, a)| a.is_ok()),
        "{served:?}"
    );
}

#[test]
fn a_target_takes_what_it_needs_and_nothing_else() {
    let world = applied();
    let address = "address 65.52.0.1".parse().unwrap();
    world.with(|w| {
        for name in ["vm1", "vm2"] {
            crate::world::set(w.guests.get_mut(name).unwrap(), &address, false);
        }
        w.refinements.targets.push(addr("guest.vm1"));
    });
    let plan = world.apply(EXAMPLE);
    assert_eq!(writes(&world), ["script vm1"]);
    let left: Vec<String> = plan.left_out.iter().map(|l| l.addr.to_string()).collect();
    assert_eq!(left, ["guest.vm2"]);
    assert!(
        plan.changes
            .iter()
            .all(|c| c.addr.to_string() != "guest.vm2")
    );
}

#[test]
fn what_waits_for_something_excluded_goes_with_it() {
    let world = World::of_the_example();
    world.with(|w| w.refinements.excludes.push(addr("guest.vm2")));
    let plan = world.apply(EXAMPLE);
    let done = writes(&world);
    assert!(done.contains(&"script vm1".to_owned()), "{done:?}");
    assert!(
        !done.iter().any(|w| w == "PUT web" || w == "script vm2"),
        "{done:?}"
    );
    let why = plan
        .left_out
        .iter()
        .find(|l| l.addr.to_string() == "load_balancer.web");
    assert!(why.unwrap().why.contains("guest.vm2"), "{why:?}");
}

/// The load balancer waits for both guests; only one of them joins the pool then.
#[test]
fn a_part_of_a_plan_promises_no_more_than_it_does() {
    let world = World::of_the_example();
    world.with(|w| w.refinements.targets.push(addr("guest.vm1")));
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    let change = |name: &str| {
        let found = plan.changes.iter().find(|c| c.addr == addr(name));
        found.unwrap_or_else(|| panic!("{name} is not in the plan"))
    };
    assert_eq!(change("guest.vm1").memberships.len(), 1);
    assert!(change("guest.vm2").memberships.is_empty());
    assert!(!change("guest.vm2").entries.is_empty());
    for traffic in &plan.traffic {
        assert_eq!(traffic.members, 1, "{traffic:?}");
    }
    assert!(plan.left_out.iter().any(|l| l.addr == addr("guest.vm2")));
}

#[test]
fn a_load_balancer_that_is_left_out_stays_as_it_is() {
    let world = World::of_the_example();
    world.with(|w| w.refinements.excludes.push(addr("load_balancer.web")));
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    let joins = plan.changes.iter().flat_map(|c| &c.memberships).count();
    assert_eq!((joins, plan.traffic.len()), (0, 0));
    assert!(plan.changes.iter().all(|c| c.items.is_empty()));
}

#[test]
fn a_target_that_is_not_there_is_said() {
    let world = World::of_the_example();
    world.with(|w| w.refinements.targets.push(addr("guest.vm9")));
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    assert!(!plan.applyable);
    assert!(
        plan.blocked
            .iter()
            .any(|b| b.contains("--target guest.vm9") && b.contains("guest.vm"))
    );
}
