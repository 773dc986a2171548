//! What a guest must hold, derived from the rules that reach it: nobody writes it twice.

use super::addresses::{PublicAddresses, frontend_address};
use crate::config::{DataLoadBalancer, DesiredLoadBalancer, GuestMode};
use crate::model::guest::{AZURE_PROBE_SOURCE, EntryKey, Opening, Os, WeakHost};
use crate::model::{ArmId, ItemKind, LoadBalancer, Protocol, Rule, Where};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// One ip configuration of a guest and the pools it is in.
#[derive(Clone, Debug)]
pub struct Member {
    /// The id of the ip configuration.
    pub id: ArmId,
    /// Of the guest that it belongs to.
    pub os: Os,
    /// The VM's own address (DIP), where it could be read.
    pub own_address: Option<IpAddr>,
    pub pools: BTreeSet<ArmId>,
}

/// What the rules demand of one guest.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// What is at the frontends, the same for every guest that the same rules reach, and kept once for all of them.
    common: Arc<Entries>,
    /// What is at the guest's own addresses. No key is in both.
    own: Entries,
    /// Where applications have to listen.
    pub services: Vec<Service>,
    /// Destinations of HA-ports rules, which may use any port.
    pub every_port: BTreeSet<Where>,
}

/// Entry → the names of the rules it is for.
pub type Entries = BTreeMap<EntryKey, BTreeSet<Arc<str>>>;

/// Packets of one rule as they arrive inside one guest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    flow: Arc<Flow>,
    /// The VM's own address, where it makes a difference and could be read.
    own_address: Option<IpAddr>,
}

/// What is the same of a rule's packets in every member, and kept once for all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    pub rule: Arc<str>,
    pub load_balancer: Arc<ArmId>,
    pub protocol: Protocol,
    /// `None` is every port.
    pub port: Option<u16>,
    pub floating: bool,
    pub mode: GuestMode,
    pub frontend: Option<Where>,
    pub frontend_port: Option<u16>,
    /// The probe's name and port.
    pub probe: Option<(Arc<str>, u16)>,
}

impl std::ops::Deref for Service {
    type Target = Flow;

    fn deref(&self) -> &Flow {
        &self.flow
    }
}

impl Service {
    /// `None` where nobody knows to which address the packets go.
    pub fn new(flow: Arc<Flow>, own_address: Option<IpAddr>) -> Option<Self> {
        let arrives = if flow.floating {
            flow.frontend.is_some()
        } else {
            own_address.is_some()
        };
        let differs = !flow.floating || flow.probe.is_some();
        arrives.then_some(Self {
            flow,
            own_address: own_address.filter(|_| differs),
        })
    }

    /// Whether every member holds the frontend's address.
    pub fn needs_address(&self) -> bool {
        self.floating && self.mode == GuestMode::Loopback
    }

    /// The address that the packets have inside the guest.
    pub fn destination(&self) -> Where {
        let own = self.own_address.map(Where::Known);
        let arrives = if self.floating {
            self.frontend.clone()
        } else {
            own
        };
        arrives.expect("a service without a destination is never made")
    }

    pub fn probe(&self) -> Option<Probe> {
        let ((name, port), destination) = self.flow.probe.as_ref().zip(self.own_address)?;
        Some(Probe {
            name: Arc::clone(name),
            destination,
            port: *port,
        })
    }
}

/// Who Azure asks whether the member is healthy: always the VM's own address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    pub name: Arc<str>,
    pub destination: IpAddr,
    pub port: u16,
}

/// What is known of a rule beyond Azure's own properties.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// The configuration declares the load balancer.
    Declared(&'a DesiredLoadBalancer),
    /// The configuration reads it, and demands what its rules need.
    Data(&'a DataLoadBalancer),
    /// It is going to be written: our rules as they are now, as the state recorded them.
    Past(&'a Past),
    /// Nobody here speaks of it: each rule is taken at its strongest.
    Nobody,
}

/// What the state knows of the rules of a load balancer that a body in Azure does not say.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Rules and NAT rules that are ours, by folded name.
    pub rules: BTreeSet<(ItemKind, String)>,
    /// Frontends that are not held on the loopback interface, by folded name.
    pub modes: BTreeMap<String, GuestMode>,
    /// The longest time that connections of it were given.
    pub drain_seconds: u64,
}

impl Owner<'_> {
    /// Whose frontend it is inside the guests, and the ports behind an HA-ports rule; `None` where nobody declares the rule.
    fn settings(
        &self,
        kind: ItemKind,
        rule: &Rule<'_>,
    ) -> Option<(GuestMode, Vec<(Protocol, u16)>)> {
        let frontend = rule.frontend();
        match self {
            Self::Declared(declared) => {
                let item = declared.item(kind, rule.name())?;
                let mode = frontend
                    .and_then(|id| declared.item(ItemKind::Frontend, id.name()))
                    .map(|frontend| frontend.guest.mode)
                    .unwrap_or_default();
                Some((mode, item.guest.ports.clone()))
            }
            Self::Data(data) => {
                let mode = frontend
                    .and_then(|id| {
                        data.guest_modes
                            .get(&id.name().to_ascii_lowercase())
                            .copied()
                    })
                    .unwrap_or_default();
                let mut ports = data
                    .guest_ports
                    .get(&rule.name().to_ascii_lowercase())
                    .cloned()
                    .unwrap_or_default();
                if let Some(expected) = data.expected.item(kind, rule.name()) {
                    ports.extend(expected.guest.ports.iter().copied());
                }
                Some((mode, ports))
            }
            Self::Past(past) => {
                let ours = past
                    .rules
                    .contains(&(kind, rule.name().to_ascii_lowercase()));
                let mode = frontend
                    .and_then(|id| past.modes.get(&id.name().to_ascii_lowercase()).copied())
                    .unwrap_or_default();
                ours.then_some((mode, Vec::new()))
            }
            Self::Nobody => None,
        }
    }
}

/// Which rules count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// Only what the configuration declares: what guests shall gain.
    Declared,
    /// Every other rule: what guests must not lose.
    Others,
}

/// The rules of one load balancer, read once, and found by the pool or the ip configuration that they lead to. A guest then
/// costs what its own rules cost, however many others there are.
#[derive(Debug)]
pub struct Reach {
    load_balancer: Arc<ArmId>,
    rules: Vec<Read>,
    by_pool: HashMap<String, Vec<usize>>,
    by_target: HashMap<String, Vec<usize>>,
}

/// One rule, with everything that does not depend on the member.
#[derive(Debug)]
struct Read {
    name: Arc<str>,
    declared: bool,
    mode: GuestMode,
    /// One for each protocol and port that arrive.
    flows: Vec<Arc<Flow>>,
    every_port: bool,
    floating: bool,
    frontend: Option<Where>,
    /// The name of the probe and its port.
    probe: Option<(Arc<str>, u16)>,
}

impl Reach {
    pub fn new(load_balancer: &LoadBalancer, owner: Owner<'_>, public: &PublicAddresses) -> Self {
        let mut reach = Self {
            load_balancer: Arc::new(load_balancer.id.clone()),
            rules: Vec::new(),
            by_pool: HashMap::new(),
            by_target: HashMap::new(),
        };
        for rule in load_balancer.rules() {
            let pools = rule.pools();
            let id = &reach.load_balancer;
            if let Some(read) = read(load_balancer, id, ItemKind::Rule, &rule, owner, public) {
                reach.add(read, pools, None);
            }
        }
        // A NAT rule leads to one NIC, which only Azure's answer tells, or with a range of ports to a pool.
        for item in load_balancer.of_kind(ItemKind::InboundNatRule) {
            let rule = Rule { item };
            let pools = item.text("backend_pool").map(ArmId::new).into_iter();
            let target = load_balancer.nat_targets.get(&item.name);
            if let Some(read) = read(
                load_balancer,
                &reach.load_balancer,
                ItemKind::InboundNatRule,
                &rule,
                owner,
                public,
            ) {
                reach.add(read, pools, target);
            }
        }
        reach
    }

    fn add(&mut self, rule: Read, pools: impl Iterator<Item = ArmId>, target: Option<&ArmId>) {
        let at = self.rules.len();
        for pool in pools {
            self.by_pool.entry(pool.folded()).or_default().push(at);
        }
        if let Some(target) = target {
            self.by_target.entry(target.folded()).or_default().push(at);
        }
        self.rules.push(rule);
    }

    pub fn load_balancer(&self) -> &ArmId {
        &self.load_balancer
    }

    /// Whether a NAT rule leads to this member.
    pub fn targets(&self, member: &Member) -> bool {
        !self.by_target.is_empty() && self.by_target.contains_key(&member.id.folded())
    }

    /// The selected rules that lead to the member, in the order of the load balancer.
    fn reaching(&self, member: &Member, select: &[Select]) -> BTreeSet<usize> {
        let mut reached: BTreeSet<usize> = BTreeSet::new();
        if !self.by_pool.is_empty() {
            for pool in &member.pools {
                reached.extend(self.by_pool.get(&pool.folded()).into_iter().flatten());
            }
        }
        if !self.by_target.is_empty() {
            reached.extend(
                self.by_target
                    .get(&member.id.folded())
                    .into_iter()
                    .flatten(),
            );
        }
        reached.retain(|at| {
            self.rules.get(*at).is_some_and(|rule| {
                let is = if rule.declared {
                    Select::Declared
                } else {
                    Select::Others
                };
                rule.mode != GuestMode::None && select.contains(&is)
            })
        });
        reached
    }

    /// What a rule demands at its frontend's address, whoever the member is.
    fn at_frontend(rule: &Read, entries: &mut Entries) {
        let Some(destination) = rule.frontend.as_ref().filter(|_| rule.floating) else {
            return;
        };
        if rule.mode == GuestMode::Loopback {
            demand(entries, EntryKey::Address(destination.clone()), &rule.name);
        }
        for flow in &rule.flows {
            demand(entries, opening(flow, destination), &rule.name);
        }
    }

    /// What a rule demands at the member's own address, and where applications have to listen.
    fn at_member(rule: &Read, member: &Member, needs: &mut Needs) {
        let destination = if rule.floating {
            rule.frontend.clone()
        } else {
            member.own_address.map(Where::Known)
        };
        let Some(destination) = destination else {
            return;
        };
        let probe =
            rule.probe
                .as_ref()
                .zip(member.own_address)
                .map(|((name, port), destination)| Probe {
                    name: Arc::clone(name),
                    destination,
                    port: *port,
                });
        if rule.floating && rule.mode == GuestMode::Loopback {
            let settings = member.own_address.filter(|_| member.os == Os::Windows);
            for setting in settings.into_iter().flat_map(WeakHost::all_for) {
                demand(&mut needs.own, EntryKey::WeakHost(setting), &rule.name);
            }
        }
        if rule.every_port {
            needs.every_port.insert(destination.clone());
        }
        for flow in &rule.flows {
            if !rule.floating {
                demand(&mut needs.own, opening(flow, &destination), &rule.name);
            }
            let service = Service::new(Arc::clone(flow), member.own_address);
            needs.services.extend(service);
        }
        if let Some(probe) = &probe {
            demand(&mut needs.own, probe_opening(probe), &rule.name);
        }
    }
}

fn demand(entries: &mut Entries, key: EntryKey, because: &Arc<str>) {
    entries.entry(key).or_default().insert(Arc::clone(because));
}

fn opening(flow: &Flow, destination: &Where) -> EntryKey {
    EntryKey::Firewall(Opening {
        protocol: flow.protocol,
        destination: destination.clone(),
        port: flow.port,
        source: None,
    })
}

/// What guests need in common, by the rules that reach them: a thousand guests of five pools need five such sets.
#[derive(Debug, Default)]
pub struct Common(RefCell<HashMap<Vec<BTreeSet<usize>>, Arc<Entries>>>);

impl Common {
    fn of(&self, all: &[Reach], reached: Vec<BTreeSet<usize>>) -> Arc<Entries> {
        let mut known = self.0.borrow_mut();
        if let Some(entries) = known.get(&reached) {
            return Arc::clone(entries);
        }
        let mut entries = Entries::new();
        for (reach, rules) in all.iter().zip(&reached) {
            for rule in rules.iter().filter_map(|at| reach.rules.get(*at)) {
                Reach::at_frontend(rule, &mut entries);
            }
        }
        let entries = Arc::new(entries);
        known.insert(reached, Arc::clone(&entries));
        entries
    }
}

/// What the selected rules demand of a guest. `common` belongs to `all` and to nothing else.
pub fn needs(all: &[Reach], members: &[Member], select: &[Select], common: &Common) -> Needs {
    let mut needs = Needs::default();
    let mut reached = Vec::with_capacity(all.len());
    for reach in all {
        let mut by_any = BTreeSet::new();
        for member in members {
            let rules = reach.reaching(member, select);
            for rule in rules.iter().filter_map(|at| reach.rules.get(*at)) {
                Reach::at_member(rule, member, &mut needs);
            }
            by_any.extend(rules);
        }
        reached.push(by_any);
    }
    needs.services.sort();
    needs.services.dedup();
    needs.services.shrink_to_fit();
    needs.common = common.of(all, reached);
    needs.keep_apart();
    needs
}

fn read(
    load_balancer: &LoadBalancer,
    id: &Arc<ArmId>,
    kind: ItemKind,
    rule: &Rule<'_>,
    owner: Owner<'_>,
    public: &PublicAddresses,
) -> Option<Read> {
    let protocol = rule.protocol()?;
    let settings = owner.settings(kind, rule);
    let declared = settings.is_some();
    let (mode, ports) = settings.unwrap_or_default();
    let every_port = protocol == Protocol::All;
    let probe = rule.probe().and_then(|id| {
        let item = load_balancer.by_id(ItemKind::Probe, id.as_str())?;
        let port = item.int("port").and_then(|p| u16::try_from(p).ok())?;
        Some((Arc::from(item.name.as_str()), port))
    });
    let frontend = rule
        .frontend()
        .and_then(|id| frontend_address(load_balancer, id.name(), public))
        // No step of ours makes someone else's frontend, so there is nothing to wait for.
        .filter(|f| !matches!((owner, f), (Owner::Data(_), Where::AfterApply(_))));
    let name: Arc<str> = Arc::from(rule.name());
    let flow = |(protocol, port)| {
        Arc::new(Flow {
            rule: Arc::clone(&name),
            load_balancer: Arc::clone(id),
            protocol,
            port: Some(port),
            floating: rule.floating(),
            mode,
            frontend: frontend.clone(),
            // A NAT rule for a range of ports has no single one.
            frontend_port: (!every_port && rule.item.int("frontend_port").is_some())
                .then(|| rule.frontend_port()),
            probe: probe.clone(),
        })
    };
    let flows = if every_port {
        ports.into_iter().map(flow).collect()
    } else {
        vec![flow((protocol, rule.backend_port()))]
    };
    Some(Read {
        name,
        declared,
        mode,
        flows,
        every_port,
        floating: rule.floating(),
        frontend,
        probe,
    })
}

/// The hole for a probe: from Azure's probe address to the VM's own.
pub fn probe_opening(probe: &Probe) -> EntryKey {
    EntryKey::Firewall(Opening {
        protocol: Protocol::Tcp,
        destination: Where::Known(probe.destination),
        port: Some(probe.port),
        source: probe.destination.is_ipv4().then_some(AZURE_PROBE_SOURCE),
    })
}

impl Needs {
    /// A frontend's address that is a guest's own as well: such a guest holds everything by itself.
    fn keep_apart(&mut self) {
        if self.own.keys().any(|key| self.common.contains_key(key)) {
            for (key, because) in self.common.iter() {
                let all = self.own.entry(key.clone()).or_default();
                all.extend(because.iter().cloned());
            }
            self.common = Arc::default();
        }
    }

    /// Every entry with the rules it is for, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&EntryKey, &BTreeSet<Arc<str>>)> {
        let (mut common, mut own) = (self.common.iter().peekable(), self.own.iter().peekable());
        std::iter::from_fn(move || match (common.peek(), own.peek()) {
            (Some((a, _)), Some((b, _))) if b < a => own.next(),
            (Some(_), _) => common.next(),
            (None, _) => own.next(),
        })
    }

    /// The entries that the other needs do not have.
    pub fn beyond(&self, other: &Self) -> impl Iterator<Item = (&EntryKey, &BTreeSet<Arc<str>>)> {
        let differ = !Arc::ptr_eq(&self.common, &other.common);
        let common = differ.then(|| self.common.iter()).into_iter().flatten();
        let all = common.chain(&self.own);
        all.filter(|(key, _)| other.because(key).is_none())
    }

    /// The rules that an entry is for; `None` where none demands it.
    pub fn because(&self, key: &EntryKey) -> Option<&BTreeSet<Arc<str>>> {
        self.common.get(key).or_else(|| self.own.get(key))
    }

    /// Whether any of the rules uses this entry.
    pub fn uses(&self, key: &EntryKey) -> bool {
        let through_ha = match key {
            EntryKey::Firewall(opening) => self.every_port.contains(&opening.destination),
            EntryKey::Address(_) | EntryKey::WeakHost(_) => false,
        };
        through_ha || self.because(key).is_some()
    }
}
