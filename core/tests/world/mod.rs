//! A simulated world: Azure and guests in memory, honest about what the engine may assume, with packets.

use async_trait::async_trait;
use plimsoll_core::apply::*;
use plimsoll_core::config::{Configuration, Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::guest::*;
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::security::{SecurityGroup, Subnet};
use plimsoll_core::model::*;
use plimsoll_core::plan::*;
use plimsoll_core::state::{State, Writer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

/// Everything there is, behind one lock.
#[derive(Default)]
pub struct World {
    pub inner: Mutex<Inner>,
}

#[derive(Default)]
pub struct Inner {
    pub load_balancers: BTreeMap<ArmId, LoadBalancer>,
    pub public_ips: BTreeMap<ArmId, PublicIp>,
    pub nics: BTreeMap<ArmId, NetworkInterface>,
    pub guests: BTreeMap<String, GuestFacts>,
    /// Every write in order, for people.
    pub writes: Vec<String>,
    pub reads: usize,
    /// Guests whose scripts fail.
    pub failing: BTreeSet<String>,
    pub unreachable: BTreeSet<String>,
    pub saved: Option<String>,
    /// Every state that was written, oldest first.
    pub saves: Vec<String>,
    /// Public IP addresses whose GET is refused.
    pub hidden: BTreeSet<ArmId>,
    /// How many load balancer PUTs succeed before one fails.
    pub puts_left: Option<usize>,
    /// Called after each write; a promise that is broken panics there.
    pub watch: Option<fn(&Inner)>,
}

pub fn configuration(text: &str) -> Configuration {
    let mut sources = SourceSet::default();
    sources.files.insert("web.plim.hcl".into(), text.into());
    let inputs = Inputs {
        lab: true,
        ..Inputs::default()
    };
    let (configuration, problems) = load(&sources, &inputs, &NoFiles);
    configuration.unwrap_or_else(|| panic!("{problems:#?}"))
}

impl Inner {
    fn wrote(&mut self, what: String) {
        self.writes.push(what);
        if let Some(watch) = self.watch {
            watch(self);
        }
    }

    fn with_members(&self, load_balancer: &LoadBalancer) -> LoadBalancer {
        let mut seen = load_balancer.clone();
        seen.members.clear();
        for (id, nic) in &self.nics {
            for (name, configuration) in &nic.ip_configurations {
                for pool in &configuration.backend_pools {
                    if pool.parent().as_ref() == Some(&load_balancer.id) {
                        let member = id.child("ipConfigurations", name);
                        seen.members
                            .entry(pool.name().to_owned())
                            .or_default()
                            .push(member);
                    }
                }
            }
        }
        seen
    }

    /// What a client sees that connects: the guests that would answer, one entry for each member that Azure may choose.
    pub fn connect(
        &self,
        address: &str,
        port: u16,
        protocol: Protocol,
    ) -> Vec<(String, Result<String, &'static str>)> {
        let address: IpAddr = address.parse().unwrap();
        let mut answers = Vec::new();
        for load_balancer in self.load_balancers.values() {
            for rule in load_balancer.rules() {
                let frontend = rule.frontend().unwrap();
                let frontend = load_balancer
                    .by_id(ItemKind::Frontend, frontend.as_str())
                    .expect("Azure checks references");
                let public = frontend
                    .text("public_ip")
                    .and_then(|id| self.public_ips.get(&ArmId::new(id)));
                let matches = public.and_then(|p| p.address) == Some(address)
                    && rule.protocol() == Some(protocol)
                    && rule.frontend_port() == port;
                if matches {
                    answers.extend(self.deliver(&rule, address, protocol));
                }
            }
        }
        answers
    }

    fn deliver(
        &self,
        rule: &Rule<'_>,
        address: IpAddr,
        protocol: Protocol,
    ) -> Vec<(String, Result<String, &'static str>)> {
        let mut answers = Vec::new();
        let pools: Vec<ArmId> = rule.pools().collect();
        for (id, nic) in &self.nics {
            for configuration in nic.ip_configurations.values() {
                if !configuration
                    .backend_pools
                    .iter()
                    .any(|p| pools.contains(p))
                {
                    continue;
                }
                let name = id.name().trim_end_matches("-nic").to_owned();
                let destination = if rule.floating() {
                    address
                } else {
                    configuration.private_address.unwrap()
                };
                let Some(facts) = self.guests.get(&name) else {
                    continue;
                };
                let packet = Packet {
                    protocol,
                    source: None,
                    destination,
                    port: Some(rule.backend_port()),
                };
                let result = if facts.holds(destination).is_none() {
                    Err("no such address")
                } else if !passes(facts, destination, configuration.private_address) {
                    Err("weak host")
                } else if !matches!(facts.firewall.judge(&packet), Verdict::Admitted { .. }) {
                    Err("firewall")
                } else if facts
                    .listens(protocol, destination, Some(rule.backend_port()))
                    .is_none()
                {
                    Err("no listener")
                } else {
                    Ok(format!("{destination}:{}", rule.backend_port()))
                };
                answers.push((name, result));
            }
        }
        answers
    }
}

/// Windows drops what comes in by one interface for an address of another, unless it is told not to.
fn passes(facts: &GuestFacts, destination: IpAddr, own: Option<IpAddr>) -> bool {
    facts.init != "windows"
        || Some(destination) == own
        || WeakHost::all_for(own.unwrap())
            .into_iter()
            .all(|setting| facts.state_of(&EntryKey::WeakHost(setting)).live)
}

/// A guest with a firewall that drops, and applications that listen on every address.
pub fn guest(own: &str, ports: &[(Protocol, u16)]) -> GuestFacts {
    let address = |interface: &str, address: &str| InterfaceAddress {
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
    };
    GuestFacts {
        hostname: own.to_owned(),
        boot_id: "1".to_owned(),
        init: "systemd".to_owned(),
        addresses: vec![
            address("lo", "127.0.0.1/8"),
            address("eth0", &format!("{own}/24")),
        ],
        interfaces: Vec::new(),
        firewall: Firewall {
            kind: FirewallKind::Nftables,
            active: true,
            base: vec![Chain {
                name: "inet filter input".to_owned(),
                policy: Target::Drop,
                ipv4: true,
                ipv6: true,
                rules: Vec::new(),
            }],
            other: Vec::new(),
        },
        listeners: ports
            .iter()
            .map(|(protocol, port)| Listener {
                protocol: *protocol,
                address: "0.0.0.0".parse().unwrap(),
                port: *port,
                process: None,
            })
            .collect(),
        survives: BTreeSet::new(),
        record: RecordFact::Absent,
        settings: BTreeMap::new(),
        network: plimsoll_core::model::guest::NetworkFacts::default(),
        unread: Vec::new(),
    }
}

impl World {
    /// Two guests as the example names them.
    pub fn of_the_example() -> Self {
        let world = Self::default();
        let mut inner = world.inner.lock().unwrap();
        for (name, own) in [("vm1", "10.0.0.11"), ("vm2", "10.0.0.12")] {
            let ports = [
                (Protocol::Tcp, 80),
                (Protocol::Tcp, 8080),
                (Protocol::Tcp, 81),
                (Protocol::Udp, 53),
                (Protocol::Tcp, 8081),
            ];
            inner.guests.insert(name.to_owned(), guest(own, &ports));
            let id = ArmId::network(
                "00000000-0000-0000-0000-000000000000",
                "rg-web",
                "networkInterfaces",
                &format!("{name}-nic"),
            );
            let configuration = IpConfiguration {
                private_address: Some(own.parse().unwrap()),
                primary: true,
                backend_pools: vec![],
            };
            inner.nics.insert(
                id.clone(),
                NetworkInterface {
                    id,
                    ip_configurations: [("ipconfig1".to_owned(), configuration)]
                        .into_iter()
                        .collect(),
                    virtual_machine: None,
                    rest: serde_json::Map::new(),
                },
            );
        }
        drop(inner);
        world
    }

    pub fn with<T>(&self, look: impl FnOnce(&mut Inner) -> T) -> T {
        look(&mut self.inner.lock().unwrap())
    }

    pub fn state(&self) -> Option<State> {
        self.with(|w| w.saved.clone())
            .map(|text| State::parse(&text).unwrap())
    }

    pub fn plan(&self, configuration: &Configuration, mode: Mode) -> Plan {
        let state = self.state();
        let wanted = needed(&configuration.desired, state.as_ref());
        let observed = futures::executor::block_on(observe(&wanted, self, self));
        plan(&Question {
            configuration,
            prior: state.as_ref(),
            observed: &observed,
            mode,
            lab: true,
            now: "2026-01-01T00:00:00Z".to_owned(),
            fresh_lineage: "lineage-1".to_owned(),
            release_addresses: false,
        })
    }

    pub fn run(&self, plan: &Plan) -> (Outcome, Vec<Event>) {
        let state = self
            .state()
            .unwrap_or_else(|| State::new(plan.deployment.clone(), plan.lineage.clone()));
        let writer = Writer {
            at: String::new(),
            by: "test".to_owned(),
            plimsoll_version: "0".to_owned(),
            commit: None,
        };
        let events = Mutex::new(Vec::new());
        let outside = plimsoll_core::apply::World {
            read_azure: self,
            write_azure: self,
            read_guests: self,
            write_guests: self,
            store: self,
            clock: self,
        };
        let stop = AtomicBool::new(false);
        let outcome = futures::executor::block_on(run(
            plan,
            state,
            writer,
            &outside,
            &|event| events.lock().unwrap().push(event),
            &stop,
        ));
        (outcome, events.into_inner().unwrap())
    }

    pub fn apply(&self, text: &str) -> Plan {
        let configuration = configuration(text);
        let plan = self.plan(&configuration, Mode::Apply);
        assert!(plan.applyable, "{:#?} {:#?}", plan.blocked, plan.findings);
        let (outcome, events) = self.run(&plan);
        assert!(outcome.is_complete(), "{events:#?}");
        plan
    }
}

#[async_trait]
impl ObserveAzure for World {
    async fn load_balancer(&self, id: &ArmId) -> Observation<LoadBalancer> {
        self.with(|w| {
            w.reads += 1;
            match w.load_balancers.get(id) {
                Some(found) => Observation::Present(w.with_members(found)),
                None => Observation::Absent,
            }
        })
    }

    async fn public_ip(&self, id: &ArmId) -> Observation<PublicIp> {
        self.with(|w| {
            if w.hidden.contains(id) {
                return Observation::Unreadable {
                    why: "403".to_owned(),
                };
            }
            w.public_ips
                .get(id)
                .cloned()
                .map_or(Observation::Absent, Observation::Present)
        })
    }

    async fn network_interface(&self, id: &ArmId) -> Observation<NetworkInterface> {
        self.with(|w| {
            w.nics
                .get(id)
                .cloned()
                .map_or(Observation::Absent, Observation::Present)
        })
    }

    async fn subnet(&self, _id: &ArmId) -> Observation<Subnet> {
        Observation::Absent
    }

    async fn security_group(&self, _id: &ArmId) -> Observation<SecurityGroup> {
        Observation::Absent
    }
}

fn stale(target: &ArmId, before: &Fingerprint, now: &Fingerprint) -> WorldError {
    WorldError::Stale {
        target: target.to_string(),
        moved: before.moved(now),
    }
}

#[async_trait]
impl EnactAzure for World {
    async fn put_load_balancer(
        &self,
        resource: &LoadBalancer,
        before: &Fingerprint,
        after: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<LoadBalancer, WorldError> {
        self.with(|w| {
            let now = w
                .load_balancers
                .get(&resource.id)
                .map(LoadBalancer::fingerprint)
                .unwrap_or_default();
            match &mut w.puts_left {
                Some(0) => {
                    return Err(WorldError::Unavailable {
                        message: "503".to_owned(),
                    });
                }
                Some(left) => *left -= 1,
                None => {}
            }
            if now == *after {
                return Ok(w.with_members(&w.load_balancers[&resource.id].clone()));
            }
            if now != *before {
                return Err(stale(&resource.id, before, &now));
            }
            w.load_balancers
                .insert(resource.id.clone(), resource.clone());
            w.wrote(format!("PUT {}", resource.id.name()));
            Ok(w.with_members(resource))
        })
    }

    async fn put_public_ip(
        &self,
        resource: &PublicIp,
        _before: &Fingerprint,
        _after: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<PublicIp, WorldError> {
        self.with(|w| {
            let mut made = resource.clone();
            made.address = Some(
                match made.id.name() {
                    "green" => "65.52.0.1",
                    "six" => "fd00:f1::1",
                    _ => "65.52.0.2",
                }
                .parse()
                .unwrap(),
            );
            w.public_ips.insert(made.id.clone(), made.clone());
            w.wrote(format!("PUT {}", made.id.name()));
            Ok(made)
        })
    }

    async fn delete_load_balancer(
        &self,
        id: &ArmId,
        _before: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        self.with(|w| {
            w.load_balancers.remove(id);
            w.wrote(format!("DELETE {}", id.name()));
        });
        Ok(())
    }

    async fn delete_public_ip(
        &self,
        id: &ArmId,
        _before: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        self.with(|w| {
            w.public_ips.remove(id);
            w.wrote(format!("DELETE {}", id.name()));
        });
        Ok(())
    }

    async fn put_network_interface(
        &self,
        id: &ArmId,
        edits: &[MembershipEdit],
        _progress: &dyn Progress,
    ) -> Result<NetworkInterface, WorldError> {
        self.with(|w| {
            for edit in edits.iter().filter(|e| e.join) {
                let load_balancer = edit.pool.parent().and_then(|p| w.load_balancers.get(&p));
                let exists = load_balancer.is_some_and(|lb| {
                    lb.by_id(ItemKind::BackendPool, edit.pool.as_str())
                        .is_some()
                });
                assert!(exists, "a NIC joins {}, which does not exist", edit.pool);
            }
            let nic = w.nics.get_mut(id).expect("the NIC exists");
            for edit in edits {
                let pools = &mut nic.ip_configurations[&edit.ip_configuration].backend_pools;
                pools.retain(|p| *p != edit.pool);
                if edit.join {
                    pools.push(edit.pool.clone());
                }
            }
            let made = nic.clone();
            w.wrote(format!("PUT {}", id.name()));
            Ok(made)
        })
    }
}

#[async_trait]
impl ObserveGuests for World {
    async fn facts(&self, guest: &GuestRef) -> Observation<GuestFacts> {
        self.with(|w| match w.guests.get(guest.addr.name()) {
            _ if w.unreachable.contains(guest.addr.name()) => Observation::Unreadable {
                why: "no route to host".to_owned(),
            },
            Some(facts) => Observation::Present(facts.clone()),
            None => Observation::Absent,
        })
    }
}

#[async_trait]
impl EnactGuests for World {
    async fn enact(&self, order: &GuestOrder<'_>) -> Result<GuestFacts, WorldError> {
        let name = order.step.guest.addr.name();
        self.with(|w| {
            if w.failing.contains(name) || w.unreachable.contains(name) {
                return Err(WorldError::Refused {
                    message: "nft refused".to_owned(),
                });
            }
            let facts = w.guests.get_mut(name).expect("the guest exists");
            let mut record = facts.record().cloned().unwrap_or_default();
            record
                .runs
                .insert(order.claim.deployment.clone(), order.run);
            for touch in &order.step.ensure {
                set(facts, &touch.key, true);
                facts.survives.insert(touch.key.clone());
                record.entries.insert(
                    touch.key.clone(),
                    Entry {
                        claims: touch.after.claims.clone(),
                        prior: None,
                    },
                );
            }
            for touch in &order.step.release {
                if touch.after.claims.is_empty() {
                    set(facts, &touch.key, false);
                    facts.survives.remove(&touch.key);
                    record.entries.remove(&touch.key);
                } else if let Some(entry) = record.entries.get_mut(&touch.key) {
                    entry.claims = touch.after.claims.clone();
                }
            }
            facts.record = if record.is_empty() {
                RecordFact::Absent
            } else {
                RecordFact::Present {
                    record,
                    sha256: String::new(),
                }
            };
            let after = facts.clone();
            w.wrote(format!("script {name}"));
            Ok(after)
        })
    }
}

/// Makes an entry live or takes it away, only what is ours.
pub fn set(facts: &mut GuestFacts, key: &EntryKey, live: bool) {
    match key {
        EntryKey::Address(place) => {
            let address = place.known().expect("resolved before it is sent");
            let loopback = facts.loopback_name().to_owned();
            facts
                .addresses
                .retain(|a| !(a.interface == loopback && a.address.addr() == address));
            if live {
                facts.addresses.push(InterfaceAddress {
                    interface: loopback,
                    address: address.into(),
                });
            }
        }
        EntryKey::Firewall(opening) => {
            let destination = opening
                .destination
                .known()
                .expect("resolved before it is sent");
            let text = key.to_string();
            let rules = &mut facts.firewall.base[0].rules;
            rules.retain(|r| !(r.ours && r.text == text));
            if live {
                rules.push(FirewallRule {
                    protocol: Some(opening.protocol),
                    sources: opening.source.into_iter().map(Into::into).collect(),
                    destinations: vec![destination.into()],
                    ports: opening.port.into_iter().map(|p| (p, p)).collect(),
                    uncertain: false,
                    target: Target::Accept,
                    ours: true,
                    text,
                    name: None,
                });
            }
        }
        EntryKey::WeakHost(setting) => {
            let name = facts
                .interface_of(setting)
                .expect("it has one")
                .name
                .clone();
            let mut interfaces = facts.interfaces.iter_mut();
            let interface = interfaces.find(|i| i.name == name).expect("just found");
            let settings = interface.weak_host.entry(setting.on.family()).or_default();
            settings.set(
                setting.direction,
                Setting {
                    now: live,
                    after_reboot: live,
                },
            );
        }
    }
}

#[async_trait]
impl KeepState for World {
    async fn save(&self, text: &str) -> Result<(), WorldError> {
        self.with(|w| {
            w.saved = Some(text.to_owned());
            w.saves.push(text.to_owned());
        });
        Ok(())
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> String {
        "2026-01-01T00:00:00Z".to_owned()
    }

    fn monotonic(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    async fn sleep(&self, _time: std::time::Duration) {}
}
