//! The main job against a simulated world: plan, apply, drift, heal, contract, destroy.

use crate::example::without_rules;
use crate::world::{self, Fault, World, configuration, without_runs};
use plimsoll_core::model::guest::EntryKey;
use plimsoll_core::model::{Protocol, Where};
use plimsoll_core::plan::{Action, DriftKind, Effect, Mode, Plan, PlanError, StepAction};
use plimsoll_core::state::{StateEdit, StepStatus};

const EXAMPLE: &str = include_str!("../../../examples/floating-ip/web.plim.hcl");

fn served(
    world: &World,
    address: &str,
    port: u16,
    protocol: Protocol,
) -> Vec<(String, Result<String, &'static str>)> {
    world.with(|w| w.connect(address, port, protocol))
}

#[test]
fn an_apply_makes_every_rule_serve_on_both_guests_and_the_next_plan_is_empty() {
    let world = World::of_the_example();
    let plan = world.apply(EXAMPLE);
    for (address, port, protocol, seen) in [
        ("65.52.0.1", 80, Protocol::Tcp, "65.52.0.1:80"),
        ("65.52.0.2", 80, Protocol::Tcp, "65.52.0.2:80"),
        ("65.52.0.1", 8000, Protocol::Tcp, "65.52.0.1:8080"),
        ("65.52.0.2", 53, Protocol::Udp, "65.52.0.2:53"),
    ] {
        let answers = served(&world, address, port, protocol);
        assert_eq!(answers.len(), 2, "{answers:?}");
        assert!(
            answers.iter().all(|(_, a)| a.as_deref() == Ok(seen)),
            "{answers:?}"
        );
    }
    let plain = served(&world, "65.52.0.1", 81, Protocol::Tcp);
    assert_eq!(plain[0].1.as_deref(), Ok("10.0.0.11:81"));
    let writes = world.with(|w| std::mem::take(&mut w.writes));
    assert_eq!(
        writes.iter().filter(|w| *w == "PUT web").count(),
        1,
        "{writes:?}"
    );
    assert!(plan.changes.iter().any(|c| c.action == Action::Create));

    let again = world.plan(&configuration(EXAMPLE), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);
    assert!(
        again.steps.is_empty() && again.drift.is_empty(),
        "{:#?} {:#?}",
        again.steps,
        again.drift
    );
}

#[test]
fn a_deleted_address_is_drift_with_its_true_impact_and_the_next_apply_heals_it() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let address: EntryKey = "address 65.52.0.1".parse().unwrap();
    world.with(|w| world::set(w.guests.get_mut("vm1").unwrap(), &address, false));
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    assert_eq!(plan.drift.len(), 1, "{:#?}", plan.drift);
    let drift = &plan.drift[0];
    assert_eq!(drift.addr.to_string(), "guest.vm1");
    assert_eq!(drift.kind, DriftKind::Changed);
    assert_eq!(&*drift.what, "address 65.52.0.1/32 is missing on lo");
    assert!(
        drift.impact.iter().any(|i| i
            .starts_with("green 65.52.0.1:80/tcp: connections that Azure sends to vm1 die")
            && i.ends_with("still passes")),
        "{:#?}",
        drift.impact
    );
    world.apply(EXAMPLE);
    assert!(
        served(&world, "65.52.0.1", 80, Protocol::Tcp)
            .iter()
            .all(|(_, a)| a.is_ok())
    );
}

#[test]
fn guests_lose_an_address_only_after_the_load_balancer_stopped_using_it() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let shrunk = without_rules(EXAMPLE, &["purple", "dns"]);
    world.with(|w| {
        w.writes.clear();
        // The promise, at every point: whatever Azure sends is served.
        w.watch = Some(|w| {
            for (address, port, protocol) in [
                ("65.52.0.1", 80, Protocol::Tcp),
                ("65.52.0.2", 80, Protocol::Tcp),
                ("65.52.0.2", 53, Protocol::Udp),
            ] {
                for (guest, answer) in w.connect(address, port, protocol) {
                    assert!(
                        answer.is_ok(),
                        "{address}:{port} on {guest}: {answer:?} after {:?}",
                        w.writes
                    );
                }
            }
        });
    });
    let plan = world.apply(&shrunk);
    assert_eq!(
        world.with(|w| w.writes.clone()),
        ["PUT web", "script vm1", "script vm2"]
    );
    assert!(
        plan.traffic
            .iter()
            .any(|t| t.rule == "purple" && matches!(t.effect, Effect::Ends { .. }))
    );
    assert!(
        plan.traffic
            .iter()
            .any(|t| t.rule == "green" && t.effect == Effect::NotInterrupted)
    );
    world.with(|w| {
        assert!(
            w.guests["vm1"]
                .holds("65.52.0.2".parse().unwrap())
                .is_none()
        );
        assert!(
            w.guests["vm1"]
                .holds("65.52.0.1".parse().unwrap())
                .is_some()
        );
    });
}

/// Every write takes its time, and another time in each round: what has to come first waits for nothing but the plan's edges.
#[test]
fn the_order_of_writes_is_no_luck() {
    let shrunk = without_rules(EXAMPLE, &["purple"]);
    for shuffle in 1..=24 {
        let world = World::of_the_example();
        world.with(|w| {
            w.faults.shuffle = shuffle;
            w.watch = Some(|w| {
                for (address, port) in [("65.52.0.1", 80), ("65.52.0.2", 80)] {
                    for (guest, answer) in w.connect(address, port, Protocol::Tcp) {
                        assert!(
                            answer.is_ok(),
                            "{address}:{port} on {guest}: {answer:?} after {:?}",
                            w.writes
                        );
                    }
                }
            });
        });
        world.apply(EXAMPLE);
        world.apply(&shrunk);
    }
}

#[test]
fn with_a_lost_state_a_rule_that_left_the_file_is_foreign_and_keeps_its_traffic() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| w.saved = None);
    let shrunk = without_rules(EXAMPLE, &["purple"]);
    let plan = world.plan(&configuration(&shrunk), Mode::Apply);
    let web = plan
        .changes
        .iter()
        .find(|c| c.addr.to_string() == "load_balancer.web")
        .unwrap();
    assert_eq!(web.action, Action::Adopt);
    assert_eq!(
        web.foreign
            .iter()
            .map(|f| f.name.as_str())
            .collect::<Vec<_>>(),
        ["purple"]
    );
    world.apply(&shrunk);
    let purple = served(&world, "65.52.0.2", 80, Protocol::Tcp);
    assert_eq!(purple.len(), 2);
    assert!(purple.iter().all(|(_, a)| a.is_ok()), "{purple:?}");
    let again = world.plan(&configuration(&shrunk), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);
}

#[test]
fn a_guest_that_fails_keeps_the_rule_from_going_live_and_the_next_run_goes_on() {
    let world = World::of_the_example();
    world.with(|w| w.failing.insert("vm2".to_owned()));
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    let (outcome, _) = world.run(&plan);
    assert_eq!((outcome.failed, outcome.is_complete()), (1, false));
    assert!(outcome.skipped >= 1);
    assert!(
        world.with(|w| w.load_balancers.is_empty()),
        "the load balancer is never written in part"
    );
    world.with(|w| w.failing.clear());
    // The very same plan goes on.
    let (outcome, _) = world.run(&plan);
    assert!(outcome.is_complete(), "{outcome:#?}");
    assert!(
        served(&world, "65.52.0.1", 80, Protocol::Tcp)
            .iter()
            .all(|(_, a)| a.is_ok())
    );
}

/// A script that failed may have done its part, at an address that Azure chose after the plan was made.
#[test]
fn what_a_failed_step_may_have_made_is_kept_with_its_address() {
    let world = World::of_the_example();
    world.with(|w| w.failing.insert("vm2".to_owned()));
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    let (outcome, _) = world.run(&plan);
    assert_eq!(outcome.failed, 1);
    let journal = outcome.state.journal.unwrap();
    let failed = journal.steps.values().find_map(|status| match status {
        StepStatus::Failed { intent, .. } => Some(intent),
        StepStatus::InFlight { .. } | StepStatus::Done { .. } => None,
    });
    let keys: Vec<&EntryKey> = failed
        .unwrap()
        .iter()
        .filter_map(|edit| match edit {
            StateEdit::Entry { key, .. } => Some(key),
            _ => None,
        })
        .collect();
    let address: EntryKey = "address 65.52.0.1".parse().unwrap();
    assert!(keys.contains(&&address), "{keys:?}");
    let open = |key: &&EntryKey| matches!(key.destination(), Some(Where::AfterApply(_)));
    assert!(!keys.iter().any(open), "{keys:?}");
}

#[test]
fn destroy_takes_everything_back_and_keeps_the_addresses() {
    let world = World::of_the_example();
    world.with(|w| {
        let foreign: EntryKey = "address 9.9.9.9".parse().unwrap();
        world::set(w.guests.get_mut("vm1").unwrap(), &foreign, true);
    });
    let before = world.with(|w| w.guests.clone());
    world.apply(EXAMPLE);
    let plan = world.plan(&configuration(EXAMPLE), Mode::Destroy);
    assert!(plan.applyable, "{:?}", plan.blocked);
    let (outcome, events) = world.run(&plan);
    assert!(outcome.is_complete(), "{events:#?}");
    world.with(|w| {
        for (name, facts) in &w.guests {
            assert_eq!(without_runs(facts), before[name], "{name}");
        }
        assert!(w.load_balancers.is_empty());
        assert_eq!(w.public_ips.len(), 2, "public addresses are kept");
        assert!(w.nics.values().all(|n| {
            n.ip_configurations
                .values()
                .all(|c| c.backend_pools.is_empty())
        }));
    });
    assert!(world.state().unwrap().resources.is_empty());
}

#[test]
fn an_edit_between_plan_and_apply_is_stale_before_the_first_write() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    // Guests open another port before the load balancer is written: its own condition would come too late for them.
    let changed = EXAMPLE.replace("backend_port  = 8080", "backend_port  = 8090");
    let plan = world.plan(&configuration(&changed), Mode::Apply);
    world.with(|w| {
        w.writes.clear();
        let web = w.load_balancers.values_mut().next().unwrap();
        let rules = web
            .items
            .get_mut(&plimsoll_core::model::ItemKind::Rule)
            .unwrap();
        rules["green"].attributes.insert(
            "idle_timeout_in_minutes".into(),
            plimsoll_core::model::Attr::Int(15),
        );
    });
    let (outcome, _) = world.run(&plan);
    assert_eq!(outcome.stale.len(), 1, "{:#?}", outcome.stale);
    assert_eq!(outcome.stale[0].what, ["rule \"green\" changed"]);
    assert!(world.with(|w| w.writes.is_empty()));
}

/// Observed equals desired and differs from prior: without a record of it, drift would report it for ever.
#[test]
fn an_edit_by_hand_that_matches_the_configuration_is_adopted() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let id = plimsoll_core::model::ItemKind::Rule;
    world.with(|w| {
        let web = w.load_balancers.values_mut().next().unwrap();
        let rules = web.items.get_mut(&id).unwrap();
        rules["alt"].attributes.insert(
            "frontend_port".into(),
            plimsoll_core::model::Attr::Int(8001),
        );
        rules.shift_remove("dns");
    });
    let changed = without_rules(
        &EXAMPLE.replace("frontend_port = 8000", "frontend_port = 8001"),
        &["dns"],
    );
    world.with(|w| w.writes.clear());
    let plan = world.plan(&configuration(&changed), Mode::Apply);
    assert!(plan.has_changes() && !plan.drift.is_empty());
    world.apply(&changed);
    assert!(!world.with(|w| w.writes.iter().any(|w| w == "PUT web")));
    let again = world.plan(&configuration(&changed), Mode::Apply);
    assert!(
        !again.has_changes() && again.drift.is_empty(),
        "{:#?} {:#?}",
        again.changes,
        again.drift
    );
}

#[test]
fn a_replaced_pool_moves_without_a_gap() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| {
        w.writes.clear();
        w.watch = Some(|w| {
            let answers = w.connect("65.52.0.1", 80, Protocol::Tcp);
            assert!(
                !answers.is_empty() && answers.iter().all(|(_, a)| a.is_ok()),
                "{answers:?} after {:?}",
                w.writes
            );
        });
    });
    let moved = EXAMPLE
        .replace("backend_pool \"vms\"", "backend_pool \"new\"")
        .replace("backend_pool.vms", "backend_pool.new");
    world.apply(&moved);
    let writes = world.with(|w| w.writes.clone());
    assert_eq!(
        writes.iter().filter(|w| *w == "PUT web").count(),
        3,
        "{writes:?}"
    );
    let again = world.plan(&configuration(&moved), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);
}

/// Wherever the run died, what it made is ours: `destroy` finds all of it.
#[test]
fn a_run_that_dies_anywhere_leaves_nothing_that_destroy_misses() {
    let before = World::of_the_example().with(|w| w.guests.clone());
    let mut died = 0;
    loop {
        let world = World::of_the_example();
        let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
        world.with(|w| w.faults.at.insert(died, Fault::DieAfter));
        if world.run_or_die(&plan).is_some() {
            break;
        }
        died += 1;
        let destroy = world.plan(&configuration(EXAMPLE), Mode::Destroy);
        assert!(destroy.applyable, "effect {died}: {:?}", destroy.blocked);
        let (outcome, events) = world.run(&destroy);
        assert!(outcome.is_complete(), "effect {died}: {events:#?}");
        world.with(|w| {
            assert!(w.load_balancers.is_empty(), "effect {died}");
            for (name, facts) in &w.guests {
                assert_eq!(without_runs(facts), before[name], "effect {died}: {name}");
            }
            let joined = w
                .nics
                .values()
                .flat_map(|nic| nic.ip_configurations.values());
            assert!(
                joined.into_iter().all(|c| c.backend_pools.is_empty()),
                "effect {died}"
            );
        });
    }
    assert!(died >= 15, "{died} writes and saves");
}

#[test]
fn a_pool_whose_deletion_failed_is_still_ours_and_deleted_by_the_next_run() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let moved = EXAMPLE
        .replace("backend_pool \"vms\"", "backend_pool \"new\"")
        .replace("backend_pool.vms", "backend_pool.new");
    let plan = world.plan(&configuration(&moved), Mode::Apply);
    // The third write of the load balancer fails.
    world.with(|w| w.puts_left = Some(2));
    let (outcome, _) = world.run(&plan);
    assert!(!outcome.is_complete());
    world.with(|w| w.puts_left = None);
    world.apply(&moved);
    let pools: Vec<String> = world.with(|w| {
        let web = w.load_balancers.values().next().unwrap();
        web.of_kind(plimsoll_core::model::ItemKind::BackendPool)
            .map(|p| p.name.clone())
            .collect()
    });
    assert_eq!(pools, ["new"]);
    assert!(
        !world
            .plan(&configuration(&moved), Mode::Apply)
            .has_changes()
    );
}

/// Azure chooses the address of a public IP, which is there before the load balancer is written.
#[test]
fn a_rule_on_a_new_public_ip_waits_for_guests_that_hold_its_address() {
    let world = World::of_the_example();
    world.apply(&without_rules(EXAMPLE, &["purple", "dns"]));
    let text = EXAMPLE.replace("  lab_address    = \"65.52.0.2\"\n", "");
    let blue = text
        .replace("public_ip \"purple\"", "public_ip \"blue\"")
        .replace("public_ip.purple", "public_ip.blue");
    let plan = world.plan(&configuration(&blue), Mode::Apply);
    let switch = plan
        .steps
        .iter()
        .find(|s| matches!(s.action, StepAction::PutLoadBalancer { .. }))
        .unwrap();
    let gains: Vec<_> = plan
        .steps
        .iter()
        .filter(|s| matches!(&s.action, StepAction::Guest(g) if !g.ensure.is_empty()))
        .collect();
    assert_eq!(gains.len(), 2, "{:#?}", plan.steps);
    for gain in gains {
        assert!(
            switch.after.iter().any(|edge| edge.step == gain.id),
            "{} does not wait for {}",
            switch.title,
            gain.title
        );
    }
}

/// An address that cannot be read is not an address that nobody uses.
#[test]
fn nothing_is_taken_away_while_a_rule_that_reaches_the_guest_cannot_be_read() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| w.saved = None);
    // Purple is foreign now, on a public IP that is no longer declared and cannot be read.
    let shrunk = without_rules(EXAMPLE, &["purple", "dns", "alt"])
        .replace("  frontend \"purple\" {\n    public_ip = public_ip.purple\n  }\n", "")
        .replace("public_ip \"purple\" {\n  resource_group = \"rg-web\"\n  location       = \"westeurope\"\n  lab_address    = \"65.52.0.2\"\n}\n", "");
    world.apply(&shrunk);
    world.with(|w| {
        w.hidden.extend(
            w.public_ips
                .keys()
                .filter(|id| id.name() == "purple")
                .cloned()
                .collect::<Vec<_>>(),
        );
    });
    let gone = without_rules(&shrunk, &["plain"]);
    let plan = world.plan(&configuration(&gone), Mode::Apply);
    assert!(!plan.applyable, "{:#?}", plan.steps);
    assert!(
        plan.blocked
            .iter()
            .any(|b| b.contains("purple could not be read") || b.contains("purple of rule")),
        "{:#?}",
        plan.blocked
    );
}

#[test]
fn a_guest_that_cannot_be_read_does_not_join() {
    let world = World::of_the_example();
    world.apply(&EXAMPLE.replacen(
        "backend_pools    = [load_balancer.web.backend_pool.vms]",
        "backend_pools    = []",
        1,
    ));
    world.with(|w| w.unreachable.insert("vm1".to_owned()));
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    assert!(
        !plan.applyable
            && plan
                .blocked
                .iter()
                .any(|b| b.contains("guest.vm1 cannot join")),
        "{:#?}",
        plan.blocked
    );
}

#[test]
fn another_name_is_another_load_balancer() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    let renamed = EXAMPLE.replace(
        "load_balancer \"web\" {\n",
        "load_balancer \"web\" {\n  name           = \"other\"\n",
    );
    let plan = world.plan(&configuration(&renamed), Mode::Apply);
    assert!(
        !plan.applyable && plan.blocked.iter().any(|b| b.contains("cannot rename")),
        "{:#?}",
        plan.blocked
    );
}

/// The same machine under another label: nothing of it may be undone for the old one.
#[test]
fn a_guest_under_another_label_keeps_serving() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| {
        let facts = w.guests["vm1"].clone();
        w.guests.insert("one".to_owned(), facts);
        w.writes.clear();
    });
    let relabelled = EXAMPLE.replace("guest \"vm1\"", "guest \"one\"");
    world.apply(&relabelled);
    let answers = served(&world, "65.52.0.1", 80, Protocol::Tcp);
    assert!(
        answers.len() == 2 && answers.iter().all(|(_, a)| a.is_ok()),
        "{answers:?}"
    );
    assert!(
        !world
            .plan(&configuration(&relabelled), Mode::Apply)
            .has_changes()
    );
}

/// A failed write may read as it was sent; only Azure's word tells that it did not come about.
#[test]
fn what_azure_says_has_failed_is_written_once_more() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| {
        w.load_balancers
            .values_mut()
            .for_each(|lb| lb.failed = true);
        w.public_ips.values_mut().for_each(|ip| ip.failed = true);
        w.nics.values_mut().for_each(|nic| nic.failed = true);
    });
    let plan = world.plan(&configuration(EXAMPLE), Mode::Apply);
    assert!(plan.applyable, "{:#?}", plan.blocked);
    let count = |is: fn(&StepAction) -> bool| plan.steps.iter().filter(|s| is(&s.action)).count();
    assert_eq!(
        count(|a| matches!(a, StepAction::PutLoadBalancer { .. })),
        1
    );
    assert_eq!(count(|a| matches!(a, StepAction::PutPublicIp { .. })), 2);
    assert_eq!(
        count(|a| matches!(a, StepAction::PutNetworkInterface { .. })),
        2
    );
    let web = plan
        .changes
        .iter()
        .find(|c| c.addr.to_string() == "load_balancer.web");
    let fields = &web.unwrap().fields;
    assert_eq!(fields[0].name, "provisioning_state", "{fields:#?}");
}

/// The journal knows a plan by its digest, and whoever goes on with it has read it from a file.
#[test]
fn a_plan_that_was_saved_is_the_same_plan() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| {
        let found = w.load_balancers.values_mut().next().unwrap();
        for name in ["zone", "alpha"] {
            let value = serde_json::json!({ "z": 1, "a": null });
            found.rest.insert(name.to_owned(), value);
        }
    });
    let changed = EXAMPLE.replace("frontend_port = 8000", "frontend_port = 8001");
    let plan = world.plan(&configuration(&changed), Mode::Apply);
    let text = plan.text();
    let read = Plan::parse(&text).unwrap();
    assert_eq!(read, plan);
    assert_eq!(read.digest(), plan.digest());
    let other = Plan::parse(&text.replace("8001", "8002"));
    assert!(matches!(other, Err(PlanError::Damaged)), "{other:?}");
}

/// It leaves the configuration while it does not answer, and is deleted before it ever does.
#[test]
fn a_guest_that_never_comes_back_is_forgotten_once_azure_has_none_of_its_interfaces() {
    let world = World::of_the_example();
    world.apply(EXAMPLE);
    world.with(|w| w.unreachable.insert("vm2".to_owned()));
    let text = EXAMPLE.split("\nguest \"vm2\"").next().unwrap();
    let vm2 = "guest.vm2".parse().unwrap();
    let knows = |world: &World| {
        world
            .state()
            .is_some_and(|s| s.resources.contains_key(&vm2))
    };
    let apply = || drop(world.run(&world.plan(&configuration(text), Mode::Apply)));
    for _ in 0..2 {
        // Azure still has the interface, so the machine may come back.
        apply();
        assert!(knows(&world), "it is pending");
    }
    let nic = world::network("networkInterfaces", "vm2-nic");
    world.with(|w| w.nics.remove(&nic));
    apply();
    assert!(!knows(&world));
    let again = world.plan(&configuration(text), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);
}
