//! The running lab: its root, its client, its guests, and the fabric that is kept in step with the
//! emulator's documents and the members' health.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Mutex, Notify};

use super::AgentLink;
use super::agent_link::HealthReport;
use crate::LabError;
use crate::agent::wire::Order;
use crate::agent::{ProbeAnswer, ProbeOrder};
use crate::fabric::{self, Fabric, Health};
use crate::layout::{GuestName, Layout, write_private};
use crate::namespaces::{self, Root, Tools};
use crate::seed::{Guest, Inventory, Port, Route, Seed, Silence};

/// How long a reboot waits for the guest's probes: a probe gives up after a second, and begins anew every second.
const SETTLE_ROUND: Duration = Duration::from_millis(25);
const SETTLE_ROUNDS: usize = 160;

/// The emulator's documents that the fabric is made from.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub load_balancers: Vec<Value>,
    pub network_interfaces: Vec<Value>,
    pub public_ips: Vec<Value>,
    pub virtual_networks: Vec<Value>,
    pub security_groups: Vec<Value>,
}

#[derive(Debug)]
pub(crate) struct World {
    tools: Tools,
    layout: Layout,
    program: PathBuf,
    root: Root,
    client: AgentLink,
    state: Mutex<State>,
    /// Told when something changed that the fabric depends on.
    pub(crate) stale: Notify,
}

#[derive(Debug, Default)]
struct State {
    inventory: Inventory,
    running: BTreeMap<GuestName, Running>,
    /// NICs whose mark leads to their routing table.
    marked: BTreeSet<u16>,
    health: Health,
    /// The health that the kernel's rules follow; what `status` shows.
    followed: Health,
    fabric: Fabric,
    /// The script that the kernel has; none yet.
    script: Option<String>,
}

#[derive(Debug)]
struct Running {
    agent: AgentLink,
    boots: u32,
    /// The NICs that it has, by number.
    attached: BTreeSet<u16>,
    listening: BTreeSet<Port>,
}

/// One guest as `lab status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GuestStatus {
    pub name: GuestName,
    pub os: String,
    /// The guest's process 1 as the host numbers it; none if it runs no system here.
    pub pid: Option<u32>,
    /// Why there is no process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Each NIC's addresses, the primary one first.
    pub nics: Vec<Vec<IpAddr>>,
    pub boots: u32,
}

impl World {
    /// Starts root, fabric network and client, and boots every guest of the inventory.
    pub(crate) async fn start(
        tools: Tools,
        layout: Layout,
        program: PathBuf,
    ) -> Result<Self, LabError> {
        let inventory = read_inventory(&layout)?;
        let root = namespaces::start_root(&tools, &layout, &program).await?;
        namespaces::run_in_root(&tools, root.pid, &[], &namespaces::fabric_network()).await?;
        namespaces::run_in_root(
            &tools,
            root.pid,
            &["-n", "client"],
            &namespaces::client_network(),
        )
        .await?;
        let client = namespaces::start_client(&tools, root.pid).await?;
        write_private(&layout.root_pid(), root.pid.to_string().as_bytes())?;
        let world = Self {
            tools,
            layout,
            program,
            root,
            client,
            state: Mutex::new(State {
                inventory,
                ..State::default()
            }),
            stale: Notify::new(),
        };
        world.run_guests(&mut *world.state.lock().await).await?;
        Ok(world)
    }

    pub(crate) fn health_reports(
        &self,
    ) -> Option<tokio::sync::mpsc::UnboundedReceiver<HealthReport>> {
        self.root.agent.health()
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.root.agent.is_alive() && self.client.is_alive()
    }

    /// Takes in a seed; answers the inventory, from which the emulator's NICs are made.
    pub(crate) async fn seed(
        &self,
        seed: &Seed,
        known: &(dyn Fn(&str, &str) -> Option<IpAddr> + Sync),
        taken: &BTreeSet<IpAddr>,
    ) -> Result<Inventory, LabError> {
        let mut state = self.state.lock().await;
        let mut inventory = state.inventory.clone();
        inventory.take_in(seed, &|id, name| known(id, name), taken)?;
        self.keep(&mut state, inventory)?;
        self.run_guests(&mut state).await?;
        self.stale.notify_one();
        Ok(state.inventory.clone())
    }

    fn keep(&self, state: &mut State, inventory: Inventory) -> Result<(), LabError> {
        if inventory != state.inventory {
            let text = serde_json::to_vec_pretty(&inventory).expect("the inventory is plain data");
            write_private(&self.layout.inventory(), &text)?;
            state.inventory = inventory;
        }
        Ok(())
    }

    pub(crate) async fn route(&self, route: Route) -> Result<(), LabError> {
        let mut state = self.state.lock().await;
        let mut inventory = state.inventory.clone();
        inventory.route(route)?;
        self.keep(&mut state, inventory)?;
        drop(state);
        self.stale.notify_one();
        Ok(())
    }

    /// Answers once the ports are free.
    pub(crate) async fn silence(&self, name: &str, order: &Silence) -> Result<(), LabError> {
        let mut state = self.state.lock().await;
        let mut inventory = state.inventory.clone();
        inventory.silence(name, order)?;
        self.keep(&mut state, inventory)?;
        drop(state);
        self.stale.notify_one();
        for _ in 0..SETTLE_ROUNDS {
            let state = self.state.lock().await;
            let running = state
                .running
                .iter()
                .find(|(guest, _)| guest.as_str() == name);
            let held = running.is_some_and(|(_, running)| {
                order
                    .ports
                    .iter()
                    .any(|port| running.listening.contains(port))
            });
            if order.undo || !held {
                return Ok(());
            }
            drop(state);
            tokio::time::sleep(SETTLE_ROUND).await;
        }
        Ok(())
    }

    /// Boots guests that do not run, and gives running ones the NICs that they lack.
    async fn run_guests(&self, state: &mut State) -> Result<(), LabError> {
        let guests = state.inventory.guests.clone();
        for (index, guest) in guests
            .iter()
            .enumerate()
            .filter(|(_, guest)| !guest.windows)
        {
            match state.running.get(&guest.name) {
                Some(running) if running.agent.is_alive() => {
                    let fresh: Vec<usize> = guest
                        .network_interfaces
                        .iter()
                        .enumerate()
                        .filter(|(_, nic)| !running.attached.contains(&nic.number))
                        .map(|(index, _)| index)
                        .collect();
                    if !fresh.is_empty() {
                        self.attach(state, guest, &namespaces::guest_namespace(index), &fresh)
                            .await?;
                    }
                }
                _ => self.boot(state, guest, index).await?,
            }
        }
        Ok(())
    }

    async fn boot(&self, state: &mut State, guest: &Guest, index: usize) -> Result<(), LabError> {
        let boots = match state.running.remove(&guest.name) {
            Some(running) => {
                running.agent.kill().await;
                running.boots
            }
            None => 0,
        };
        namespaces::prepare_guest_directory(&self.layout, &guest.name, &self.tools)?;
        let namespace = namespaces::guest_namespace(index);
        // A boot starts with a new network: addresses, rules and settings of the old one are gone.
        let clear = format!("netns del {namespace}\n");
        let _ = namespaces::run_in_root(&self.tools, self.root.pid, &["-force"], &clear).await;
        let make = format!("netns add {namespace}\n");
        namespaces::run_in_root(&self.tools, self.root.pid, &[], &make).await?;
        let all: Vec<usize> = (0..guest.network_interfaces.len()).collect();
        self.attach(state, guest, &namespace, &all).await?;
        let names = (&guest.name, namespace.as_str());
        let agent = namespaces::start_guest(
            &self.tools,
            self.root.pid,
            &self.layout,
            names,
            &self.program,
        )
        .await?;
        write_private(
            &self.layout.guest_pid(&guest.name),
            agent.pid().to_string().as_bytes(),
        )?;
        let running = Running {
            agent,
            boots: boots + 1,
            attached: guest
                .network_interfaces
                .iter()
                .map(|nic| nic.number)
                .collect(),
            listening: BTreeSet::new(),
        };
        state.running.insert(guest.name.clone(), running);
        Ok(())
    }

    async fn attach(
        &self,
        state: &mut State,
        guest: &Guest,
        namespace: &str,
        fresh: &[usize],
    ) -> Result<(), LabError> {
        let mut detach = String::new();
        let mut attach = String::new();
        let mut marks = String::new();
        for index in fresh {
            let nic = &guest.network_interfaces[*index];
            detach.push_str(&namespaces::detach_interface(nic));
            attach.push_str(&namespaces::guest_routing(
                nic,
                namespace,
                &format!("eth{index}"),
            ));
            if state.marked.insert(nic.number) {
                marks.push_str(&namespaces::mark_rule(nic));
            }
            for running in state.running.values_mut() {
                running.attached.remove(&nic.number);
            }
        }
        // Its end in a network namespace that is just being torn down may still be there, or not.
        let _ = namespaces::run_in_root(&self.tools, self.root.pid, &["-force"], &detach).await;
        namespaces::run_in_root(&self.tools, self.root.pid, &[], &attach).await?;
        if !marks.is_empty() {
            namespaces::run_in_root(&self.tools, self.root.pid, &["-4"], &marks).await?;
            namespaces::run_in_root(&self.tools, self.root.pid, &["-6"], &marks).await?;
        }
        let inside = namespaces::guest_network(guest, fresh);
        namespaces::run_in_root(&self.tools, self.root.pid, &["-n", namespace], &inside).await?;
        if let Some(running) = state.running.get_mut(&guest.name) {
            running.attached.extend(
                fresh
                    .iter()
                    .map(|index| guest.network_interfaces[*index].number),
            );
        }
        Ok(())
    }

    /// Turns a guest off and on again.
    pub(crate) async fn reboot(&self, name: &str) -> Result<(), LabError> {
        let mut state = self.state.lock().await;
        let guest = state.inventory.guest(name)?.clone();
        if guest.windows {
            return Err(LabError::NotLinux {
                name: name.to_owned(),
            });
        }
        let index = state
            .inventory
            .guests
            .iter()
            .position(|it| it.name == guest.name)
            .unwrap_or_default();
        self.boot(&mut state, &guest, index).await?;
        drop(state);
        self.stale.notify_one();
        let addresses = guest
            .network_interfaces
            .iter()
            .flat_map(crate::seed::NetworkInterface::addresses)
            .collect();
        self.settle(name, &addresses).await
    }

    /// Waits until what clients see of a freshly booted guest is what it is: its responders answer, and each health probe
    /// of it has a result from after the boot. A probe that was under way during the boot may report late.
    async fn settle(&self, name: &str, addresses: &BTreeSet<IpAddr>) -> Result<(), LabError> {
        let mut asked_again = false;
        for _ in 0..SETTLE_ROUNDS {
            tokio::time::sleep(SETTLE_ROUND).await;
            let mut state = self.state.lock().await;
            let targets = state.fabric.targets.clone();
            let (of_guest, others): (Vec<_>, Vec<_>) = targets
                .iter()
                .cloned()
                .partition(|target| addresses.contains(&target.address));
            let answers = state
                .running
                .iter()
                .any(|(guest, running)| guest.as_str() == name && !running.listening.is_empty());
            if of_guest.is_empty() {
                return Ok(());
            }
            if !answers {
                continue;
            }
            if !asked_again {
                // A watch that begins anew reports its first result, whatever the last one was.
                for target in &of_guest {
                    state.health.0.remove(&target.key());
                }
                self.root.agent.order(Order::Watch(others)).await?;
                self.root.agent.order(Order::Watch(targets)).await?;
                asked_again = true;
                continue;
            }
            let known = of_guest
                .iter()
                .all(|target| state.health.0.contains_key(&target.key()));
            if known && state.followed == state.health {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Brings responders, health probes and the kernel's rules in step with the documents.
    pub(crate) async fn reprogram(&self, documents: &Documents) -> Result<(), LabError> {
        let mut state = self.state.lock().await;
        let fabric = fabric::program(&fabric::World {
            load_balancers: &documents.load_balancers,
            network_interfaces: &documents.network_interfaces,
            public_ips: &documents.public_ips,
            virtual_networks: &documents.virtual_networks,
            security_groups: &documents.security_groups,
            numbers: &numbers(&state.inventory),
            health: &state.health,
            routes: &routes(&state.inventory),
        });
        // Responders first, so that a rule does not go live before somebody answers.
        let State {
            inventory, running, ..
        } = &mut *state;
        for guest in &inventory.guests {
            let mut ports: BTreeSet<Port> = guest.listen.iter().copied().collect();
            for nic in &guest.network_interfaces {
                ports.extend(fabric.ports_of(nic.number, &nic.addresses()));
            }
            ports.retain(|port| !guest.silent.contains(port));
            if let Some(running) = running.get_mut(&guest.name)
                && running.agent.is_alive()
                && running.listening != ports
            {
                running
                    .agent
                    .order(Order::Listen(ports.iter().copied().collect()))
                    .await?;
                running.listening = ports;
            }
        }
        if fabric.targets != state.fabric.targets {
            let keys: BTreeSet<String> = fabric
                .targets
                .iter()
                .map(fabric::ProbeTarget::key)
                .collect();
            // A probe that comes back later starts without a past.
            state.health.0.retain(|key, _| keys.contains(key));
            self.root
                .agent
                .order(Order::Watch(fabric.targets.clone()))
                .await?;
        }
        let script = fabric::render(&fabric);
        if state.script.as_ref() != Some(&script) {
            self.root
                .agent
                .order(Order::Program(script.clone()))
                .await?;
            state.script = Some(script);
        }
        state.fabric = fabric;
        state.followed = state.health.clone();
        Ok(())
    }

    pub(crate) async fn record_health(&self, key: String, up: bool) {
        let mut state = self.state.lock().await;
        // A late report of a probe that is no longer sent must not count for one that comes back.
        if state
            .fabric
            .targets
            .iter()
            .any(|target| target.key() == key)
        {
            state.health.0.insert(key, up);
        }
        drop(state);
        self.stale.notify_one();
    }

    pub(crate) async fn probe(&self, order: ProbeOrder) -> Result<Vec<ProbeAnswer>, LabError> {
        let result = self.client.order(Order::Probe(order)).await?;
        serde_json::from_value(result).map_err(|error| LabError::Agent {
            role: "client".to_owned(),
            detail: error.to_string(),
        })
    }

    pub(crate) async fn status(&self) -> (Vec<GuestStatus>, BTreeMap<String, bool>) {
        let state = self.state.lock().await;
        let guests = state
            .inventory
            .guests
            .iter()
            .map(|guest| {
                let running = state.running.get(&guest.name);
                let pid = running.filter(|it| it.agent.is_alive()).map(|it| it.agent.pid());
                let note = match (guest.windows, pid) {
                    (true, _) => Some("Windows guests exist in the emulator only; the lab runs no system for them."),
                    (false, None) => Some("It is down; start it with `plimsoll lab reboot`."),
                    (false, Some(_)) => None,
                };
                GuestStatus {
                    name: guest.name.clone(),
                    os: if guest.windows { "windows" } else { "linux" }.to_owned(),
                    pid,
                    note: note.map(str::to_owned),
                    nics: guest.network_interfaces.iter().map(crate::seed::NetworkInterface::addresses).collect(),
                    boots: running.map_or(0, |running| running.boots),
                }
            })
            .collect();
        (guests, state.followed.0.clone())
    }

    /// Finds the guest of a virtual machine, for Run Command.
    pub(crate) async fn guest_of_machine(&self, id: &str) -> Option<(GuestName, Option<u32>)> {
        let state = self.state.lock().await;
        let guest = state.inventory.guests.iter().find(|guest| {
            guest
                .virtual_machine
                .as_deref()
                .is_some_and(|own| own.eq_ignore_ascii_case(id))
        })?;
        let running = state
            .running
            .get(&guest.name)
            .filter(|it| it.agent.is_alive());
        Some((guest.name.clone(), running.map(|it| it.agent.pid())))
    }

    pub(crate) fn tools(&self) -> &Tools {
        &self.tools
    }

    /// Ends everything: process 1 of the root takes all namespaces with it.
    pub(crate) async fn stop(&self) {
        let state = self.state.lock().await;
        for running in state.running.values() {
            running.agent.kill().await;
        }
        self.root.agent.kill().await;
    }
}

/// Each route with the addresses of the guest that sends by it.
fn routes(inventory: &Inventory) -> Vec<(Vec<IpAddr>, Route)> {
    let of = |route: &Route| {
        let guest = inventory.guest(route.guest.as_str()).ok()?;
        let addresses = guest
            .network_interfaces
            .iter()
            .flat_map(crate::seed::NetworkInterface::addresses);
        Some((addresses.collect(), route.clone()))
    };
    inventory.routes.iter().filter_map(of).collect()
}

fn numbers(inventory: &Inventory) -> BTreeMap<String, u16> {
    inventory
        .guests
        .iter()
        .filter(|guest| !guest.windows)
        .flat_map(|guest| &guest.network_interfaces)
        .map(|nic| (nic.id.to_ascii_lowercase(), nic.number))
        .collect()
}

fn read_inventory(layout: &Layout) -> Result<Inventory, LabError> {
    let path = layout.inventory();
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| LabError::NotStarted {
            detail: format!(
                "{} is damaged ({error}). `plimsoll lab reset` starts afresh.",
                path.display()
            ),
            log: layout.log(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Inventory::default()),
        Err(error) => Err(LabError::file("read", path)(error)),
    }
}
