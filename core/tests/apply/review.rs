//! What reviews and the model tests found, each as the shortest story that shows it.

use crate::example::{EXAMPLE, applied, plan, without_rules, writes};
use crate::model::others::stranger;
use crate::world::{Fault, Path, World, configuration, set, without_runs};
use plimsoll_core::apply::Event;
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{BY_SCRIPT, EntryKey, GuestFacts, RecordFact};
use plimsoll_core::plan::{DriftKind, Edge, Effect, Mode, Plan, StepAction};
use plimsoll_core::state::StepStatus;
use std::collections::BTreeSet;

/// Two pools that stay, two rules, three machines by their pools.
fn two_pools(first: &str, second: &str, machines: [&str; 3]) -> String {
    let rule = |name: &str, pool: &str, port: u16| {
        format!(
            "  rule \"{name}\" {{\n    frontend = frontend.green\n    backend_pools = [backend_pool.{pool}]\n    \
             protocol = \"Tcp\"\n    frontend_port = {port}\n    backend_port = {port}\n    floating_ip = true\n  }}\n"
        )
    };
    let before = EXAMPLE.find("  backend_pool \"vms\" {}").unwrap();
    let mut text = EXAMPLE[..before].to_owned();
    text.push_str("  backend_pool \"a\" {}\n  backend_pool \"b\" {}\n");
    text.push_str(&rule("one", first, 80));
    text.push_str(&rule("two", second, 8080));
    text.push_str("}\n");
    for (number, pools) in (1..).zip(machines) {
        let pools: Vec<String> = pools
            .chars()
            .map(|pool| format!("load_balancer.web.backend_pool.{pool}"))
            .collect();
        let id = crate::world::network("networkInterfaces", &format!("vm{number}-nic"));
        text.push_str(&format!(
            "guest \"vm{number}\" {{\n  os = \"linux\"\n  network_interface \"main\" {{\n    id = \"{id}\"\n    \
             ip_configuration = \"ipconfig1\"\n    backend_pools = [{}]\n  }}\n  connection \"ssh\" {{\n    host = \"vm{number}\"\n  }}\n}}\n",
            pools.join(", ")
        ));
    }
    text
}

fn of_three() -> World {
    let world = World::of_the_example();
    let ports = [(Protocol::Tcp, 80), (Protocol::Tcp, 8080)];
    world.with(|w| w.add_machine("vm3", "10.0.0.13", &ports));
    world
}

/// A guest holds what its rules need, whatever they are called.
#[test]
fn a_rule_under_another_name_touches_no_guest() {
    let world = applied();
    world.apply(&EXAMPLE.replace("rule \"purple\"", "rule \"violet\""));
    assert_eq!(writes(&world), ["PUT web"]);
}

/// Found by the model: the NIC joined the new pool and left the old one in one write, before the rule had moved.
#[test]
fn a_machine_that_moves_with_its_rule_serves_all_the_time() {
    let world = of_three();
    world.apply(&two_pools("a", "b", ["a", "a", "b"]));
    world.with(|w| {
        w.watch = Some(|w| {
            let answers = w.connect("65.52.0.1", 80, Protocol::Tcp);
            let serves = |name: &str| answers.iter().any(|(n, a)| n == name && a.is_ok());
            assert!(
                serves("vm1") && serves("vm2"),
                "{answers:?} after {:?}",
                w.writes
            );
        });
    });
    // Rule one moves to pool b, and its machines with it.
    world.apply(&two_pools("b", "b", ["b", "b", "b"]));
}

/// Found by the model: a machine that joins a pool ahead of the write is sent what the pool's old rules send.
#[test]
fn a_machine_that_joins_early_is_ready_for_the_rules_that_are_about_to_leave() {
    let world = of_three();
    world.apply(&two_pools("a", "b", ["a", "", "b"]));
    world.with(|w| {
        w.watch = Some(|w| {
            for port in [80, 8080] {
                for (name, answer) in w.connect("65.52.0.1", port, Protocol::Tcp) {
                    assert!(
                        answer.is_ok(),
                        "{port} on {name}: {answer:?} after {:?}",
                        w.writes
                    );
                }
            }
        });
    });
    // The rules change places; vm1 goes to b with rule one, where rule two still is.
    let swapped = two_pools("b", "a", ["b", "", "a"]);
    world.apply(&swapped);
    let again = world.plan(&configuration(&swapped), Mode::Apply);
    assert!(!again.has_changes(), "{:#?}", again.changes);
    world.with(|w| {
        let record = w.guests["vm1"].record().unwrap();
        assert!(
            record
                .entries
                .keys()
                .all(|key| !key.to_string().contains(" port 8080 "))
        );
    });
}

/// Found by the model: an opening of the lost state was taken for one that is held for the switch alone, and it went although
/// somebody else's load balancer sends to the same port of the machines' own addresses.
#[test]
fn what_a_stranger_uses_too_stays_when_the_state_was_lost() {
    let plain = EXAMPLE.replace(
        "backend_port  = 8080\n    floating_ip   = true",
        "backend_port  = 8080",
    );
    let world = World::of_the_example();
    world.with(stranger);
    world.apply(&plain);
    assert_eq!(served_for_the_stranger(&world, &plain), 2);
    world.with(|w| w.saved = None);
    let moved = plain.replace("backend_port  = 8080", "backend_port  = 80");
    assert_eq!(served_for_the_stranger(&world, &moved), 2);
}

/// What is held for the switch alone stays where a stranger's clients found it meanwhile.
#[test]
fn what_a_stranger_comes_to_use_in_the_switch_stays() {
    let world = of_three();
    world.with(stranger);
    let plain = |text: String| text.replace("floating_ip = true", "floating_ip = false");
    world.apply(&plain(two_pools("a", "b", ["a", "", "b"])));
    let swapped = plain(two_pools("b", "a", ["b", "", "a"]));
    assert_eq!(served_for_the_stranger(&world, &swapped), 2);
    assert!(!plan(&world, &swapped).has_changes());
}

/// Found by the model: what only a stranger still uses was recorded although somebody had taken it away, so that drift spoke
/// of it for ever and no apply could heal it.
#[test]
fn what_only_a_stranger_uses_is_kept_whole_or_given_up() {
    let plain = EXAMPLE.replace(
        "backend_port  = 8080\n    floating_ip   = true",
        "backend_port  = 8080",
    );
    let world = World::of_the_example();
    world.with(stranger);
    world.apply(&plain);
    let without = plain.replace("backend_port  = 8080", "backend_port  = 80");
    assert_eq!(served_for_the_stranger(&world, &without), 2);
    let quiet = |world: &World| {
        let plan = plan(world, &without);
        !plan.has_changes() && plan.drift.is_empty()
    };
    assert!(quiet(&world));
    let key: EntryKey = "firewall tcp port 8080 to 10.0.0.11".parse().unwrap();
    let facts = |change: &dyn Fn(&mut GuestFacts)| {
        world.with(|w| change(w.guests.get_mut("vm1").unwrap()));
    };
    // It is there and would not be after a reboot: mended.
    facts(&|vm1| {
        vm1.survives.remove(&key);
    });
    assert_eq!(served_for_the_stranger(&world, &without), 2);
    assert!(quiet(&world));
    assert!(world.with(|w| w.guests["vm1"].state_of(&key).survives));
    // Somebody closed it: nobody is served by it, and it is no longer ours.
    facts(&|vm1| set(vm1, &key, false));
    assert!(!plan(&world, &without).drift.is_empty());
    assert_eq!(served_for_the_stranger(&world, &without), 1);
    assert!(quiet(&world));
}

/// Found by the model: a guest that only the journal of a run that died knows was not read, so that the next run called it
/// unreachable and only the one after it took back what it had been given.
#[test]
fn what_a_dead_run_may_have_made_is_taken_back_by_the_next() {
    let fresh = World::of_the_example();
    let before = fresh.with(|w| w.guests["vm2"].clone());
    let plan_of_all = plan(&fresh, EXAMPLE);
    let second = EXAMPLE.find("guest \"vm2\"").unwrap();
    let without = &EXAMPLE[..second];
    for at in 0.. {
        let world = World::of_the_example();
        world.with(|w| w.faults.at.insert(at, Fault::DieAfter));
        if world.run_or_die(&plan_of_all).is_some() {
            assert!(at > 10, "it died {at} times");
            break;
        }
        world.apply(without);
        let again = plan(&world, without);
        assert!(
            !again.has_changes(),
            "died after {at}: {:#?}",
            again.changes
        );
        let now = world.with(|w| without_runs(&w.guests["vm2"]));
        assert_eq!(now, before, "died after {at}");
    }
}

/// Found by the model: what is held for the switch at an address that Azure has yet to choose was to be taken away again
/// under no address at all.
#[test]
fn an_address_that_azure_chooses_is_held_for_the_switch_and_goes_again() {
    let world = of_three();
    world.apply(&two_pools("b", "b", ["b", "", ""]));
    // Both rules leave pool b, and vm1 with them; a new one comes to b, where vm1 is until they have left.
    let frontend = "  frontend \"inner\" {\n    subnet = \"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/\
                    virtualNetworks/v/subnets/s\"\n  }\n";
    let rule = "  rule \"three\" {\n    frontend = frontend.inner\n    backend_pools = [backend_pool.b]\n    \
                protocol = \"Tcp\"\n    frontend_port = 81\n    backend_port = 81\n    floating_ip = true\n  }\n";
    let pool = "  backend_pool \"a\" {}\n";
    let text = two_pools("a", "a", ["a", "", ""]);
    let text = text.replace(pool, &format!("{frontend}{pool}{rule}"));
    world.apply(&text);
    assert!(!plan(&world, &text).has_changes());
    let (writes, record) = world.with(|w| {
        let record = w.guests["vm1"].record().unwrap();
        (w.writes.clone(), record.entries.clone())
    });
    let scripts = writes.iter().filter(|write| *write == "script vm1").count();
    assert_eq!(scripts, 3, "{writes:?}");
    assert!(
        record
            .keys()
            .all(|key| !key.to_string().contains("10.0.0.2")),
        "{record:#?}"
    );
}

/// Found by the model: what a script that failed was to set, and an admin set since, was taken for what the script had made.
#[test]
fn what_an_admin_sets_after_a_script_failed_is_not_ours() {
    let world = World::of_the_example();
    world.with(|w| w.failing.insert("vm2".to_owned()));
    let (outcome, _) = world.run(&plan(&world, EXAMPLE));
    assert_eq!(outcome.failed, 1);
    let key: EntryKey = "address 65.52.0.2".parse().unwrap();
    world.with(|w| {
        w.failing.clear();
        set(w.guests.get_mut("vm2").unwrap(), &key, true);
    });
    world.apply(EXAMPLE);
    world.apply(&without_rules(EXAMPLE, &["purple", "dns"]));
    let live = |name: &str| world.with(|w| w.guests[name].state_of(&key).live);
    assert!(live("vm2") && !live("vm1"));
}

/// Applies it, and says how many machines then serve the rule of the load balancer beside ours: none that did before stopped.
fn served_for_the_stranger(world: &World, text: &str) -> usize {
    let serving = |paths: &[Path]| -> BTreeSet<String> {
        let theirs = paths.iter().filter(|path| path.load_balancer == "x-lb");
        let serving = theirs.filter(|path| path.serves());
        serving.map(|path| path.guest.clone()).collect()
    };
    world.with(|w| (w.traced, w.trace) = (true, Vec::new()));
    let mut earlier = world.with(|w| serving(&w.paths()));
    world.apply(text);
    for moment in world.with(|w| std::mem::take(&mut w.trace)) {
        let now = serving(&moment.paths);
        assert!(
            earlier.is_subset(&now),
            "{:?}: {earlier:?} {now:?}",
            moment.what
        );
        earlier = now;
    }
    earlier.len()
}

/// A member that leaves is not made ready for new rules, so it is out before they come.
#[test]
fn a_member_leaves_before_new_rules_come() {
    let world = of_three();
    world.apply(&two_pools("a", "b", ["a", "a", "b"]));
    world.with(|w| {
        w.watch = Some(|w| {
            for (name, answer) in w.connect("65.52.0.1", 8080, Protocol::Tcp) {
                assert!(answer.is_ok(), "{name}: {answer:?} after {:?}", w.writes);
            }
        });
    });
    let text = two_pools("a", "a", ["a", "a", "b"]);
    let shrunk = text[..text.find("guest \"vm2\"").unwrap()].to_owned()
        + &text[text.find("guest \"vm3\"").unwrap()..];
    world.apply(&shrunk);
}

/// Found by the model: what an admin set in the meantime was taken for ours, and taken away later.
#[test]
fn what_appears_between_plan_and_script_is_not_ours() {
    let world = World::of_the_example();
    let plan = plan(&world, EXAMPLE);
    world.with(|w| {
        w.meddler = Some(|w, _| {
            let key = "address 65.52.0.1".parse().unwrap();
            crate::world::set(w.guests.get_mut("vm1").unwrap(), &key, true);
            Some("holds 65.52.0.1".to_owned())
        });
        w.faults.meddling.insert(2, 0);
    });
    let (outcome, _) = world.run(&plan);
    assert!(!outcome.stale.is_empty());
    assert!(world.with(|w| w.guests["vm1"].record().is_none()));
}

/// The drain of a rule is in the configuration, and the rule is not in it any more.
#[test]
fn connections_of_a_deleted_rule_have_the_time_that_it_gave_them() {
    let patient = EXAMPLE.replace(
        "rule \"purple\" {",
        "rule \"purple\" {\n    drain = \"30s\"",
    );
    let world = World::of_the_example();
    world.apply(&patient);
    world.with(|w| {
        w.writes.clear();
        w.waits.clear();
    });
    world.apply(&without_rules(EXAMPLE, &["purple"]).replace("rule \"dns\"", "rule \"names\""));
    let (writes, waits) = world.with(|w| (w.writes.clone(), w.waits.clone()));
    assert_eq!(writes[0], "PUT web");
    assert!(waits.contains(&(1, 30)), "{waits:?} among {writes:?}");
    assert!(writes.len() > 1, "{writes:?}");
}

#[test]
fn a_rule_does_not_move_to_where_nothing_listens() {
    let world = applied();
    let moved = EXAMPLE.replace("backend_port  = 8080", "backend_port  = 9090");
    let refused = world.plan(&configuration(&moved), Mode::Apply);
    assert!(!refused.applyable);
    let codes: Vec<&str> = refused.findings.iter().map(|f| &*f.code).collect();
    assert!(codes.contains(&"PL0318"), "{codes:?}");
    let meant =
        format!("{moved}\naccept \"PL0318\" {{\n  reason = \"A maintenance window.\"\n}}\n");
    let plan = plan(&world, &meant);
    let flow = plan.traffic.iter().find(|t| t.rule == "alt").unwrap();
    assert!(matches!(flow.effect, Effect::Changes { .. }));
    assert_eq!((flow.answering, flow.members), (0, 2));
}

/// An application that listens at 9090, too.
fn also_listens(world: &World, name: &str) {
    world.with(|w| {
        let listeners = &mut w.guests.get_mut(name).unwrap().listeners;
        let mut new = listeners[0].clone();
        new.port = 9090;
        listeners.push(new);
    });
}

/// The guests for which the rule must not move from port 8080 to 9090, where they are silent.
fn silent_at_9090(world: &World, text: &str, rule: &str) -> Vec<String> {
    let plan = world.plan(&configuration(text), Mode::Apply);
    let silent = plan.findings.iter().filter(|f| f.code == "PL0318");
    let said = format!(
        "rule {rule:?} would move from 65.52.0.1:8080 to 65.52.0.1:9090, where nothing listens"
    );
    let of = silent.inspect(|f| assert_eq!(*f.what, *said));
    let of: Vec<String> = of.map(|f| f.addr.as_ref().unwrap().to_string()).collect();
    assert_eq!(plan.applyable, of.is_empty());
    of
}

/// Applies it; whoever is sent anything at port 8080 answers all the time.
fn apply_without_refusals(world: &World, text: &str) {
    world.with(|w| {
        w.watch = Some(|w| {
            for (name, answer) in w.connect("65.52.0.1", 8080, Protocol::Tcp) {
                assert!(answer.is_ok(), "{name}: {answer:?} after {:?}", w.writes);
            }
        });
    });
    world.apply(text);
}

/// Found by the model: a machine that joined a pool ahead of the write served the pool's old rule until then, refused its
/// clients from then on, and the plan had not said so.
#[test]
fn a_rule_does_not_move_to_where_nothing_listens_on_a_machine_that_joins_early() {
    let world = of_three();
    also_listens(&world, "vm3");
    world.apply(&two_pools("a", "b", ["a", "", "b"]));
    // Rule one comes to pool b, so machines join b before it does. Until then rule two is there, which gives way to a third.
    let text = two_pools("b", "b", ["b", "b", "b"])
        .replace("rule \"two\"", "rule \"three\"")
        .replace("backend_port = 8080", "backend_port = 9090");
    let silent = silent_at_9090(&world, &text, "three");
    assert_eq!(silent, ["guest.vm1", "guest.vm2"]);
    also_listens(&world, "vm1");
    also_listens(&world, "vm2");
    assert!(silent_at_9090(&world, &text, "three").is_empty());
    apply_without_refusals(&world, &text);
}

/// Found by the model: a machine that leaves a pool only after the write, because a rule of it moves away with that write,
/// refused the clients of another rule that the write sent elsewhere in the machine.
#[test]
fn a_rule_does_not_move_to_where_nothing_listens_on_a_machine_that_leaves_late() {
    let world = of_three();
    also_listens(&world, "vm1");
    world.apply(&two_pools("a", "a", ["a", "a", "b"]));
    // Rule one goes to pool b and vm2 with it, and vm2 is in pool a until then.
    let text =
        two_pools("b", "a", ["ab", "b", "b"]).replace("backend_port = 8080", "backend_port = 9090");
    assert_eq!(silent_at_9090(&world, &text, "two"), ["guest.vm2"]);
    also_listens(&world, "vm2");
    assert!(silent_at_9090(&world, &text, "two").is_empty());
    apply_without_refusals(&world, &text);
}

/// A bug of the planner must not hang a pipeline at night.
#[test]
fn steps_that_wait_in_a_circle_fail() {
    let world = World::of_the_example();
    let mut plan = plan(&world, EXAMPLE);
    let last = plan.steps.last().unwrap().id;
    for step in &mut plan.steps {
        let why = "a circle".to_owned();
        step.after.push(Edge { step: last, why });
    }
    let (outcome, events) = world.run(&plan);
    assert!(!outcome.is_complete() && outcome.done == 0);
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::Failed { error, .. } if error.contains("circle")))
    );
}

/// A PUT's answer may hold more than was sent. What was read back then is as good as what was planned.
#[test]
fn a_plan_goes_on_after_azure_added_something() {
    let world = World::of_the_example();
    let plan = plan(&world, EXAMPLE);
    world.with(|w| {
        w.adds = true;
        w.failing.insert("vm3".to_owned());
        // The NICs are not written any more.
        let after = plan
            .steps
            .iter()
            .filter(|s| matches!(s.action, StepAction::Guest(_)))
            .count();
        assert_eq!(after, 2);
    });
    // It dies as soon as the NICs are about to be written.
    let mut at = 0;
    loop {
        let tried = world.clone();
        tried.with(|w| w.faults.at.insert(at, Fault::DieBefore));
        assert!(tried.run_or_die(&plan).is_none(), "it always dies");
        let done = writes(&tried);
        let journal = tried.state().and_then(|state| state.journal);
        let recorded = journal.is_some_and(|j| {
            let found = |s: &StepStatus| matches!(s, StepStatus::Done { found: Some(_) });
            j.steps.values().filter(|s| found(s)).count() == 3
        });
        at += 1;
        if done.contains(&"PUT web".to_owned()) && recorded {
            let (outcome, events) = tried.run(&plan);
            assert!(outcome.is_complete(), "{:#?} {events:#?}", outcome.stale);
            break;
        }
    }
}

#[test]
fn a_plan_says_what_members_lose_and_what_it_costs() {
    let world = applied();
    let shrunk = EXAMPLE[..EXAMPLE.find("guest \"vm2\"").unwrap()].to_owned();
    let plan = plan(&world, &shrunk);
    let green = plan.traffic.iter().find(|t| t.rule == "green").unwrap();
    let lost = green.lost.unwrap();
    assert_eq!((lost.members, lost.of, lost.until), (1, 2, None));
    assert!(
        matches!(&green.effect, Effect::Changes { what, .. } if what == "1 of 2 members leave")
    );
    let cost = plan.cost();
    // vm2 leaves and is undone: one NIC, one script; the load balancer is only read.
    assert_eq!((cost.writes, cost.scripts), (1, 1));
    assert_eq!(cost.requests, plan_gets(&plan) + 4);
    assert!(cost.seconds >= 5 && cost.drain_seconds == 0);
}

fn plan_gets(plan: &Plan) -> usize {
    let nics = plan
        .steps
        .iter()
        .filter(|s| matches!(s.action, StepAction::PutNetworkInterface { .. }));
    let mut relied: Vec<String> = plan
        .relies_on
        .iter()
        .filter_map(|r| {
            serde_json::to_value(r).unwrap()["id"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    relied.sort();
    relied.dedup();
    nics.count() + relied.len()
}

#[test]
fn a_rule_that_moves_to_a_new_pool_is_lost_by_nobody() {
    let world = applied();
    let moved = EXAMPLE
        .replace("backend_pool \"vms\"", "backend_pool \"new\"")
        .replace("backend_pool.vms", "backend_pool.new");
    let plan = plan(&world, &moved);
    assert!(
        plan.traffic.iter().all(|t| t.lost.is_none()),
        "{:#?}",
        plan.traffic
    );
}

/// The id is of the thing, not of its value today: a ticket that names it stays right.
#[test]
fn a_finding_of_drift_keeps_its_id() {
    let world = applied();
    let minutes = |value: i64| {
        world.with(|w| {
            let lb = w.load_balancers.values_mut().next().unwrap();
            let rules = lb
                .items
                .get_mut(&plimsoll_core::model::ItemKind::Rule)
                .unwrap();
            let name = "idle_timeout_in_minutes".to_owned();
            rules["green"]
                .attributes
                .insert(name, plimsoll_core::model::Attr::Int(value));
        });
        let drift = plan(&world, EXAMPLE).drift;
        assert_eq!(drift.len(), 1, "{drift:#?}");
        drift[0].clone()
    };
    let (first, second) = (minutes(15), minutes(20));
    assert_eq!(first.id, second.id);
    assert_ne!(first.what, second.what);
}

#[test]
fn what_the_configuration_asks_for_since_is_no_drift() {
    let world = applied();
    let plan = plan(
        &world,
        &EXAMPLE.replace("frontend_port = 8000", "frontend_port = 8001"),
    );
    assert!(plan.drift.is_empty());
    let pending: Vec<&str> = plan.not_yet_applied.iter().map(|d| &*d.what).collect();
    assert_eq!(pending, ["rule \"alt\": frontend_port is to change"]);
    assert!(
        plan.not_yet_applied
            .iter()
            .all(|d| d.kind == DriftKind::NotYetApplied)
    );
}

/// `guest script` on a machine that had no state yet, and was applied to meanwhile.
#[test]
fn what_a_script_by_hand_made_is_taken_over_and_what_another_state_made_is_not() {
    let world = applied();
    let relabel = |lineage: &str| {
        world.with(|w| {
            let facts = w.guests.get_mut("vm1").unwrap();
            let RecordFact::Present { record, .. } = &mut facts.record else {
                panic!("vm1 has a record");
            };
            for entry in record.entries.values_mut() {
                let mut claim = entry.claims.pop_first().unwrap();
                claim.lineage = lineage.to_owned();
                entry.claims.insert(claim);
            }
        });
    };
    relabel("of someone else");
    let theirs = world.plan(&configuration(EXAMPLE), Mode::Apply);
    assert!(!theirs.applyable, "{:#?}", theirs.blocked);
    relabel(BY_SCRIPT);
    let takes_over = plan(&world, EXAMPLE);
    assert!(takes_over.has_changes());
    world.run(&takes_over);
    assert!(!plan(&world, EXAMPLE).has_changes());
    let record = world.with(|w| w.guests["vm1"].record().cloned().unwrap());
    let state = world.state().unwrap();
    for claim in record.entries.values().flat_map(|entry| &entry.claims) {
        assert_eq!(claim.lineage, state.lineage);
    }
}

/// Found by the lab's client: the plan spoke of the new destination alone.
#[test]
fn a_destination_that_a_rule_leaves_ends() {
    let world = applied();
    let moved = EXAMPLE.replace(
        "rule \"alt\" {\n    frontend      = frontend.green",
        "rule \"alt\" {\n    frontend      = frontend.purple",
    );
    let plan = plan(&world, &moved);
    let of_alt: Vec<String> = plan
        .traffic
        .iter()
        .filter(|flow| flow.rule == "alt")
        .map(|flow| format!("{:?} {:?}", flow.destination, flow.effect))
        .collect();
    assert_eq!(of_alt.len(), 2, "{of_alt:#?}");
    assert!(of_alt[0].contains("65.52.0.1") && of_alt[0].contains("Ends"));
    assert!(of_alt[1].contains("65.52.0.2") && of_alt[1].contains("Changes"));
}

/// Found by the model: with the state lost a rule under its old name is nobody's, and one write held both.
#[test]
fn a_rule_whose_flow_somebody_else_has_is_said_before_anything_is_written() {
    let world = applied();
    world.with(|w| w.saved = None);
    let renamed = EXAMPLE.replace("rule \"purple\"", "rule \"violet\"");
    let refused = world.plan(&configuration(&renamed), Mode::Apply);
    assert!(!refused.applyable);
    let clash: Vec<_> = refused
        .findings
        .iter()
        .filter(|f| f.code == "PL0324")
        .collect();
    assert_eq!(clash.len(), 1, "{:#?}", refused.findings);
    assert_eq!(
        &*clash[0].what,
        "rule \"violet\" clashes with rule \"purple\", which is in Azure and not declared here"
    );
    // What it says helps: the name makes it ours, and without the other nothing is in the way.
    let named = renamed.replace(
        "rule \"violet\" {",
        "rule \"violet\" {\n    name = \"purple\"",
    );
    assert!(plan(&world, &named).has_changes());
    world.with(|w| {
        let rules = w.load_balancers.values_mut().next().unwrap();
        rules.remove(plimsoll_core::model::ItemKind::Rule, "purple");
    });
    world.apply(&renamed);
    assert!(!plan(&world, &renamed).has_changes());
}

/// Found by the model: a rule that somebody tied to the machine by hand still reaches one that left the configuration. The
/// state forgot the machine with the opening in it, which nobody took away any more.
#[test]
fn what_a_machine_that_left_keeps_for_a_rule_goes_with_the_rule() {
    let world = applied();
    let tied = EXAMPLE.replace(
        "  rule \"green\" {",
        "  inbound_nat_rule \"ssh\" {\n    frontend = frontend.green\n    protocol = \"Tcp\"\n    frontend_port = 2222\n    \
         backend_port = 22\n  }\n\n  rule \"green\" {",
    );
    world.apply(&tied);
    let opening: EntryKey = "firewall tcp port 22 to 10.0.0.12".parse().unwrap();
    world.with(|w| {
        let nic = crate::world::network("networkInterfaces", "vm2-nic");
        let web = w.load_balancers.keys().next().unwrap().clone();
        let target = nic.child("ipConfigurations", "ipconfig1");
        w.nat_targets.insert((web, "ssh".to_owned()), target);
    });
    let without_vm2 = |text: &str| {
        let from = text.find("guest \"vm2\" {").unwrap();
        let to = from + text[from..].find("\n}\n").unwrap() + 3;
        format!("{}{}", &text[..from], &text[to..])
    };
    let is_open = || world.with(|w| w.guests["vm2"].state_of(&opening).live);
    let is_known = || {
        let mut known = world.state().unwrap().resources.into_keys();
        known.any(|addr| addr.to_string() == "guest.vm2")
    };
    world.apply(&without_vm2(&tied));
    assert!(is_open() && is_known());
    assert!(!plan(&world, &without_vm2(&tied)).has_changes());
    world.apply(&without_vm2(EXAMPLE));
    assert!(!is_open() && !is_known());
    world.with(|w| {
        let record = w.guests["vm2"].record();
        assert!(record.is_none_or(|record| record.entries.is_empty()));
    });
}
