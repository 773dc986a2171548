//! Azure, guests and the state together, and what must be true of them in the end.

use crate::guests::Guests;
use crate::wire::{Wire, client, clock};
use async_trait::async_trait;
use plimsoll_azure::{Client, Quiet, Reader, Writer};
use plimsoll_core::apply::{Clock, Event, KeepState, Outcome, World, WorldError, observe, run};
use plimsoll_core::config::Configuration;
use plimsoll_core::plan::{Mode, Plan, Question, needed, plan};
use plimsoll_core::state::State;
use plimsoll_lab::arm::Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is asked for.
#[derive(Clone)]
pub(crate) struct Goal {
    pub(crate) configuration: Arc<Configuration>,
    pub(crate) mode: Mode,
}

pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) guests: Guests,
    client: Client,
    saved: Mutex<Option<String>>,
    /// Each moment at which Azure would have sent packets to a guest without their address.
    dead: Arc<Mutex<Vec<String>>>,
}

/// How one `plimsoll apply` went.
pub(crate) struct Attempt {
    pub(crate) plan: Plan,
    pub(crate) complete: bool,
    /// What a person is told about what was not done.
    pub(crate) told: Vec<String>,
}

impl Scene {
    pub(crate) fn new(store: Store, guests: Guests, saved: Option<String>) -> Self {
        let dead = Arc::new(Mutex::new(Vec::new()));
        let (watched, members, found) = (store.clone(), guests.clone(), Arc::clone(&dead));
        let watch = move || found.lock().unwrap().extend(unserved(&watched, &members));
        let wire = Wire {
            store: store.clone(),
            watch: Arc::new(watch),
        };
        Self {
            client: client(wire),
            store,
            guests,
            saved: Mutex::new(saved),
            dead,
        }
    }

    /// The same world once more, some hours later by its own clock.
    pub(crate) fn branch(&self, hour: i64) -> Self {
        Self::new(
            self.store.branch(clock(hour)),
            self.guests.branch(),
            self.saved.lock().unwrap().clone(),
        )
    }

    fn state(&self) -> Option<State> {
        let saved = self.saved.lock().unwrap();
        saved.as_deref().map(|text| State::parse(text).unwrap())
    }

    pub(crate) async fn plan(&self, goal: &Goal) -> Plan {
        let state = self.state();
        let reader = Reader::new(self.client.clone(), Arc::new(Quiet));
        let wanted = needed(&goal.configuration.desired, state.as_ref());
        let observed = observe(&wanted, &reader, &self.guests).await;
        plan(&Question {
            configuration: &goal.configuration,
            prior: state.as_ref(),
            observed: &observed,
            mode: goal.mode,
            lab: true,
            now: "2026-01-01T00:00:00Z".to_owned(),
            fresh_lineage: "lineage-1".to_owned(),
            release_addresses: true,
            refinements: plimsoll_core::plan::Refinements::default(),
        })
    }

    pub(crate) async fn apply(&self, plan: &Plan) -> (Outcome, Vec<Event>) {
        let state = self
            .state()
            .unwrap_or_else(|| State::new(plan.deployment.clone(), plan.lineage.clone()));
        let by = plimsoll_core::state::Writer {
            at: String::new(),
            by: "test".to_owned(),
            plimsoll_version: "0".to_owned(),
            commit: None,
        };
        let reader = Reader::new(self.client.clone(), Arc::new(Quiet));
        let writer = Writer::new(self.client.clone());
        let world = World {
            read_azure: &reader,
            write_azure: &writer,
            read_guests: &self.guests,
            write_guests: &self.guests,
            store: self,
            clock: self,
        };
        let events = Mutex::new(Vec::new());
        let keep = |event| events.lock().unwrap().push(event);
        let never = AtomicBool::new(false);
        let halt = plimsoll_core::apply::Halt {
            asked: &never,
            after: None,
        };
        let outcome = run(plan, state, by, &world, &keep, halt).await;
        (outcome, events.into_inner().unwrap())
    }

    /// `plimsoll apply`: plans, and applies if the plan may be applied.
    pub(crate) async fn attempt(&self, goal: &Goal) -> Attempt {
        let plan = self.plan(goal).await;
        if !plan.applyable {
            let told = plan.blocked.clone();
            return Attempt {
                plan,
                complete: false,
                told,
            };
        }
        let (outcome, events) = self.apply(&plan).await;
        Attempt {
            plan,
            complete: outcome.is_complete(),
            told: complaints(&outcome, &events),
        }
    }

    /// What has to be the same in the end, however it came about.
    pub(crate) fn picture(&self) -> Value {
        let kinds = [
            "loadBalancers",
            "publicIPAddresses",
            "networkInterfaces",
            "networkSecurityGroups",
            "virtualNetworks",
        ];
        let documents: BTreeMap<String, Value> = kinds
            .iter()
            .flat_map(|kind| self.store.documents(&format!("Microsoft.Network/{kind}")))
            .map(|mut document| {
                forget_guids(&mut document);
                (
                    document["id"].as_str().unwrap_or_default().to_owned(),
                    document,
                )
            })
            .collect();
        let guests: BTreeMap<String, Value> = self
            .guests
            .all()
            .into_iter()
            .map(|(name, facts)| {
                let mut entries = facts.record().cloned().unwrap_or_default();
                // A run that had to be repeated has a higher number.
                entries.runs.clear();
                let seen = json!({
                    "addresses": facts.addresses, "firewall": facts.firewall,
                    "survives": facts.survives, "entries": entries,
                });
                (name, seen)
            })
            .collect();
        let state = self.state();
        json!({
            "documents": documents,
            "guests": guests,
            "recorded": state.as_ref().map(|state| json!(state.resources)),
            "journal": state.is_some_and(|state| state.journal.is_some()),
        })
    }

    /// How often each resource was made, and how often it was written, by path.
    pub(crate) fn writes(&self) -> BTreeMap<String, Writes> {
        let mut all: BTreeMap<String, Writes> = BTreeMap::new();
        for entry in self.store.requests() {
            if entry.method != "GET" && (200..300).contains(&entry.status) {
                let writes = all.entry(entry.path.to_lowercase()).or_default();
                writes.made += u32::from(entry.status == 201);
                writes.all += 1;
            }
        }
        all
    }

    pub(crate) fn dead(&self) -> Vec<String> {
        self.dead.lock().unwrap().clone()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Writes {
    pub(crate) made: u32,
    pub(crate) all: u32,
}

/// What the views would show of a run that was not complete.
pub(crate) fn complaints(outcome: &Outcome, events: &[Event]) -> Vec<String> {
    let moved = outcome
        .stale
        .iter()
        .map(|moved| format!("stale: {}: {}", moved.target, moved.what.join(", ")));
    let failed = events.iter().filter_map(|event| match event {
        Event::Failed { addr, error, .. } => Some(format!("{addr}: {error}")),
        _ => None,
    });
    moved.chain(failed).collect()
}

/// Etags and guids differ from run to run.
fn forget_guids(document: &mut Value) {
    match document {
        Value::Object(members) => {
            members.shift_remove("etag");
            members.shift_remove("resourceGuid");
            members.values_mut().for_each(forget_guids);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_guids),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Members that Azure sends a floating rule's packets to and that do not hold the address they are for.
fn unserved(store: &Store, guests: &Guests) -> Vec<String> {
    let mut found = Vec::new();
    for balancer in store.documents("Microsoft.Network/loadBalancers") {
        let parts = |name: &str| -> Vec<Value> {
            let at = format!("/properties/{name}");
            let list = balancer.pointer(&at).and_then(Value::as_array);
            list.cloned().unwrap_or_default()
        };
        let id_at = |value: &Value, at: &str| -> Option<String> {
            Some(value.pointer(at)?.as_str()?.to_lowercase())
        };
        for rule in parts("loadBalancingRules") {
            if rule.pointer("/properties/enableFloatingIP") != Some(&json!(true)) {
                continue;
            }
            let frontend = id_at(&rule, "/properties/frontendIPConfiguration/id");
            let pool = id_at(&rule, "/properties/backendAddressPool/id");
            let address = parts("frontendIPConfigurations")
                .iter()
                .find(|part| id_at(part, "/id") == frontend)
                .and_then(|part| id_at(part, "/properties/publicIPAddress/id"))
                .and_then(|id| store.document(&id))
                .and_then(|document| id_at(&document, "/properties/ipAddress"))
                .and_then(|text| text.parse::<IpAddr>().ok());
            let pools = parts("backendAddressPools");
            let members = pools
                .iter()
                .filter(|part| id_at(part, "/id") == pool)
                .filter_map(|part| {
                    part.pointer("/properties/backendIPConfigurations")?
                        .as_array()
                })
                .flatten();
            for member in members {
                let id = id_at(member, "/id").unwrap_or_default();
                let nic = id.split('/').nth(8).unwrap_or_default();
                let guest = nic.trim_end_matches("-nic");
                if !address.is_some_and(|address| guests.hold(guest, address)) {
                    found.push(format!(
                        "{} is sent to {guest}, which lacks {address:?}",
                        rule["name"]
                    ));
                }
            }
        }
    }
    found
}

#[async_trait]
impl KeepState for Scene {
    async fn save(&self, text: &str) -> Result<(), WorldError> {
        *self.saved.lock().unwrap() = Some(text.to_owned());
        Ok(())
    }
}

#[async_trait]
impl Clock for Scene {
    fn now(&self) -> String {
        "2026-01-01T00:00:00Z".to_owned()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}
