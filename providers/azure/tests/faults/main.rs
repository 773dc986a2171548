//! Every fault that the emulator knows, at every request of an apply, a change, a move and a destroy.
//!
//! Whatever goes wrong: the run ends converged, or says what was not done, and then both the same plan and a new one go on
//! to the same end. Nothing is lost, nothing is made twice, and no guest is ever sent what it does not hold.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

mod guests;
mod scene;
mod wire;

use guests::Guests;
use plimsoll_core::config::{Configuration, Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::plan::{Mode, Plan};
use plimsoll_lab::arm::{ArmRequest, Method, Settings, Store};
use scene::{Goal, Scene, Writes, complaints};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const EXAMPLE: &str = include_str!("../../../../examples/floating-ip/web.plim.hcl");
const NETWORK: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network";

/// Each befalls one request; `skip` is added, so that each befalls every request once.
const AT_ONE_REQUEST: &[&str] = &[
    "429;retry-after=600",
    "409;code=ReferencedResourceNotProvisioned",
    "412",
    "500",
    "fail-operation",
    "cancel-operation",
    "superseded",
    "superseded=silently",
    "slow=40m;count=1",
    "drop-connection=before",
    "drop-connection=after",
    "stale-reads=90s;count=1",
];

/// Much like those above; with `PLIMSOLL_EVERY_FAULT` set, as `cargo xtask nightly` does.
const MORE_AT_ONE_REQUEST: &[&str] = &[
    "429",
    "429;retry-after=10",
    "429;code=SubscriptionRequestsThrottled;retry-after=7",
    "429;code=ReferencedResourceNotProvisioned",
    "409;code=AnotherOperationInProgress",
    "502",
    "503",
    "504",
    "slow=45s;count=1",
    "stale-reads=3s;count=1",
];

/// These last for the whole run.
const FOR_THE_WHOLE_RUN: &[&str] = &[
    "slow=20s",
    "stale-reads=3s",
    "stale-reads=90s",
    "429;count=always",
    "429;retry-after=3600;count=always",
    "503;count=always",
    "500;count=always",
    "409;count=always",
    "412;count=always",
    "drop-connection=before;count=always",
    "drop-connection=after;count=always",
    "fail-operation;count=always",
    "superseded;count=always",
    "superseded=silently;count=always",
    "nic-if-match=ignored",
    "nic-if-match=refused",
];

fn configuration(text: &str) -> Arc<Configuration> {
    let mut sources = SourceSet::default();
    sources.files.insert("web.plim.hcl".into(), text.into());
    let inputs = Inputs {
        lab: true,
        ..Inputs::default()
    };
    let (configuration, problems) = load(&sources, &inputs, &NoFiles);
    Arc::new(configuration.unwrap_or_else(|| panic!("{problems:#?}")))
}

fn goal(text: &str) -> Goal {
    Goal {
        configuration: configuration(text),
        mode: Mode::Apply,
    }
}

/// The example without these rules.
fn without_rules(names: &[&str]) -> String {
    let mut kept = String::new();
    let mut skipping = false;
    for line in EXAMPLE.lines() {
        skipping |= names
            .iter()
            .any(|name| line.trim() == format!("rule \"{name}\" {{"));
        if !skipping {
            kept.push_str(line);
            kept.push('\n');
        }
        skipping &= line != "  }";
    }
    kept
}

/// Runs on a clock of its own that jumps from wait to wait.
fn timeless<T>(run: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(run)
}

/// Two interfaces that someone made, with things on them that are not ours.
fn bare() -> Scene {
    let store = Store::in_memory(wire::clock(0));
    let settings = Settings {
        updating_for: Duration::from_secs(4),
        ..store.settings()
    };
    store.change_settings(settings).unwrap();
    let names = [("vm1", "10.0.0.11"), ("vm2", "10.0.0.12")];
    for (name, own) in names {
        let own: IpAddr = own.parse().unwrap();
        let id = format!("{NETWORK}/networkInterfaces/{name}-nic");
        store
            .ensure_network_interface(&id, "ipconfig1", own, "westeurope")
            .unwrap();
    }
    for (name, address) in [("green", "65.52.0.1"), ("purple", "65.52.0.2")] {
        let id = format!("{NETWORK}/publicIPAddresses/{name}");
        store.prefer_address(&id, address.parse().unwrap()).unwrap();
    }
    by_hand(
        &store,
        "networkSecurityGroups/web",
        &json!({"location": "westeurope"}),
    );
    let mut nic = store
        .document(&format!("{NETWORK}/networkInterfaces/vm1-nic"))
        .unwrap();
    nic["tags"] = json!({"owner": "someone"});
    nic["properties"]["enableIPForwarding"] = json!(true);
    nic["properties"]["networkSecurityGroup"] =
        json!({"id": format!("{NETWORK}/networkSecurityGroups/web")});
    by_hand(&store, "networkInterfaces/vm1-nic", &nic);
    Scene::new(store, Guests::new(&names), None)
}

/// What a person does in the portal.
fn by_hand(store: &Store, path: &str, document: &Value) {
    let url = format!("{NETWORK}/{path}?api-version=2024-01-01");
    let answer = store.answer(&ArmRequest::new(Method::Put, &url, Some(document)));
    assert!(answer.status < 300, "{}", answer.text());
}

/// A rule beside ours.
fn add_foreign_rule(store: &Store) {
    let id = format!("{NETWORK}/loadBalancers/web");
    let mut balancer = store.document(&id).unwrap();
    let rule = json!({"name": "legacy", "properties": {
        "frontendIPConfiguration": {"id": format!("{id}/frontendIPConfigurations/green")},
        "backendAddressPool": {"id": format!("{id}/backendAddressPools/vms")},
        "protocol": "Tcp", "frontendPort": 9999, "backendPort": 9999,
    }});
    let pools = balancer.pointer_mut("/properties/backendAddressPools");
    for pool in pools.unwrap().as_array_mut().unwrap() {
        // Read-only, and Azure refuses it.
        let properties = pool["properties"].as_object_mut().unwrap();
        properties.shift_remove("loadBalancerBackendAddresses");
    }
    let rules = balancer
        .pointer_mut("/properties/loadBalancingRules")
        .unwrap();
    rules.as_array_mut().unwrap().push(rule);
    by_hand(store, "loadBalancers/web", &balancer);
}

struct Case<'a> {
    start: &'a Scene,
    goal: &'a Goal,
    /// How it ends when nothing goes wrong.
    picture: &'a Value,
    writes: &'a BTreeMap<String, Writes>,
}

/// What a person was told, or what was wrong, each once.
type Told = Mutex<BTreeSet<String>>;

impl Case<'_> {
    /// Whether the fault befell a request; or what is wrong in the end.
    fn under(&self, fault: &str, told: &Told) -> Result<bool, String> {
        timeless(async {
            let scene = self.start.branch(2);
            scene.store.set_fault(fault).unwrap();
            let first = scene.attempt(self.goal).await;
            let befell = scene.store.faults().is_empty();
            scene.store.set_fault("off").unwrap();
            if !first.complete {
                if first.told.is_empty() {
                    return Err("it failed without a word".to_owned());
                }
                told.lock().unwrap().extend(first.told.iter().cloned());
                if first.plan.applyable {
                    let resumed = self.resume(scene.branch(3), &first.plan).await;
                    resumed.map_err(|why| format!("resumed after {:#?}: {why}", first.told))?;
                }
                let second = scene.attempt(self.goal).await;
                if !second.complete {
                    let told = (first.told, second.told);
                    return Err(format!("first and then: {told:#?}"));
                }
            }
            self.arrived(&scene, fault).await?;
            Ok(befell)
        })
    }

    /// The same saved plan goes on, or refuses because something really moved; then a new plan does.
    async fn resume(&self, scene: Scene, plan: &Plan) -> Result<(), String> {
        let (outcome, events) = scene.apply(plan).await;
        if outcome.is_complete() {
            return self.arrived(&scene, "").await;
        }
        let said = complaints(&outcome, &events);
        if outcome.stale.is_empty() {
            return Err(format!("{said:#?}"));
        }
        let again = scene.attempt(self.goal).await;
        if !again.complete {
            return Err(format!("{said:#?}, planned anew: {:#?}", again.told));
        }
        self.arrived(&scene, "").await
    }

    async fn arrived(&self, scene: &Scene, fault: &str) -> Result<(), String> {
        // What was still under way by itself ends.
        tokio::time::sleep(Duration::from_secs(3600)).await;
        scene.store.settle().unwrap();
        let mut wrong = scene.dead();
        differences("", &scene.picture(), self.picture, &mut wrong);
        let again = scene.plan(self.goal).await;
        wrong.extend(
            again
                .steps
                .iter()
                .map(|step| format!("to do: {}", step.title)),
        );
        wrong.extend(
            again
                .drift
                .iter()
                .map(|drift| format!("drift: {}", drift.what)),
        );
        for (path, writes) in scene.writes() {
            let ordinary = self.writes.get(&path).copied().unwrap_or_default();
            // What was superseded before it ended never was.
            if writes.made > ordinary.made && !fault.contains("superseded") {
                wrong.push(format!("{path} was made {} times", writes.made));
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("\n    "))
        }
    }
}

/// Where two documents are not the same.
fn differences(at: &str, is: &Value, should: &Value, found: &mut Vec<String>) {
    match (is, should) {
        (Value::Object(is), Value::Object(should)) => {
            let names: BTreeSet<&String> = is.keys().chain(should.keys()).collect();
            for name in names {
                let of = |members: &serde_json::Map<String, Value>| {
                    members.get(name).cloned().unwrap_or_default()
                };
                differences(&format!("{at} {name}"), &of(is), &of(should), found);
            }
        }
        _ if is == should => {}
        (Value::Array(is), Value::Array(should)) if is.len() == should.len() => {
            for (index, (is, should)) in is.iter().zip(should).enumerate() {
                differences(&format!("{at} {index}"), is, should, found);
            }
        }
        _ => found.push(format!("{at} is {is}, should be {should}")),
    }
}

/// What is stale is followed by the advice to plan anew, whatever it is.
fn says_the_next_step(said: &str) -> bool {
    let steps = ["run the same command again", "make a new plan"];
    said.contains("stale: ")
        || said.contains("it moved since it was planned")
        || steps.iter().any(|step| said.contains(step))
}

/// Goes through all faults, each at every request; returns how many cases that were.
fn every_fault(start: &Scene, goal: &Goal) -> usize {
    let end = timeless(async {
        let scene = start.branch(2);
        let attempt = scene.attempt(goal).await;
        assert!(
            attempt.complete,
            "{:#?} {:#?}",
            attempt.told, attempt.plan.blocked
        );
        assert_eq!(scene.dead(), Vec::<String>::new());
        scene
    });
    let (picture, writes) = (end.picture(), end.writes());
    let case = Case {
        start,
        goal,
        picture: &picture,
        writes: &writes,
    };
    let (cases, told, wrong) = (AtomicUsize::new(0), Told::default(), Told::default());
    let more = std::env::var_os("PLIMSOLL_EVERY_FAULT").map_or(&[][..], |_| MORE_AT_ONE_REQUEST);
    let all: Vec<(&str, bool)> = AT_ONE_REQUEST
        .iter()
        .chain(more)
        .map(|fault| (*fault, true))
        .chain(FOR_THE_WHOLE_RUN.iter().map(|fault| (*fault, false)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((fault, each)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            for skip in 0.. {
                let text = if *each {
                    format!("{fault};skip={skip}")
                } else {
                    (*fault).to_owned()
                };
                cases.fetch_add(1, Ordering::Relaxed);
                let befell = case.under(&text, &told).unwrap_or_else(|why| {
                    wrong.lock().unwrap().insert(format!("{text}: {why}"));
                    true
                });
                if !each || !befell || skip > 300 {
                    break;
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for thread in running {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let unclear: Vec<String> = told
        .into_inner()
        .unwrap()
        .into_iter()
        .filter(|said| !says_the_next_step(said))
        .collect();
    assert!(unclear.is_empty(), "{}", unclear.join("\n"));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", Vec::from_iter(wrong).join("\n"));
    cases.into_inner()
}

#[test]
fn a_first_apply_arrives_whatever_befalls_it() {
    let start = timeless(async { bare() });
    let cases = every_fault(&start, &goal(EXAMPLE));
    assert!(cases > 200, "{cases}");
}

/// The example in place, and a rule beside it that is not ours.
fn in_place() -> Scene {
    timeless(async {
        let scene = bare().branch(1);
        let attempt = scene.attempt(&goal(EXAMPLE)).await;
        assert!(attempt.complete, "{:#?}", attempt.told);
        add_foreign_rule(&scene.store);
        tokio::time::sleep(Duration::from_secs(60)).await;
        scene.store.settle().unwrap();
        scene
    })
}

#[test]
fn a_change_arrives_whatever_befalls_it() {
    let text =
        without_rules(&["purple", "dns"]).replace("frontend_port = 8000", "frontend_port = 8001");
    let cases = every_fault(&in_place(), &goal(&text));
    assert!(cases > 100, "{cases}");
}

#[test]
fn a_move_to_another_pool_arrives_whatever_befalls_it() {
    let text = EXAMPLE
        .replace("backend_pool \"vms\"", "backend_pool \"new\"")
        .replace("backend_pool.vms", "backend_pool.new");
    let scene = timeless(async {
        let scene = bare().branch(1);
        let attempt = scene.attempt(&goal(EXAMPLE)).await;
        assert!(attempt.complete, "{:#?}", attempt.told);
        scene
    });
    let cases = every_fault(&scene, &goal(&text));
    assert!(cases > 200, "{cases}");
}

#[test]
fn a_destroy_arrives_whatever_befalls_it() {
    let scene = timeless(async {
        let scene = bare().branch(1);
        let attempt = scene.attempt(&goal(EXAMPLE)).await;
        assert!(attempt.complete, "{:#?}", attempt.told);
        scene
    });
    let destroy = Goal {
        mode: Mode::Destroy,
        ..goal(EXAMPLE)
    };
    let cases = every_fault(&scene, &destroy);
    assert!(cases > 200, "{cases}");
}
