//! Who sends what where: frontends, rules, backend pools and guests as one picture of before and after, with what is wrong
//! on the way. Views draw it; they look nothing up.

use super::addresses::{PublicAddresses, frontend_address};
use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::{Action, Change, Drift, Finding};
use crate::config::Desired;
use crate::model::guest::Interface;
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, ItemKind, Kind, LoadBalancer, Protocol, Rule, Severity, Where};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// The picture. Parts name each other by their place in these lists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    pub frontends: Vec<FrontendNode>,
    pub rules: Vec<RuleNode>,
    pub pools: Vec<PoolNode>,
    pub guests: Vec<GuestNode>,
}

/// What the plan does with one part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    #[default]
    Same,
    Created,
    Changed,
    Deleted,
    /// Neither in the configuration nor in the state: kept.
    Foreign,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontendNode {
    pub load_balancer: Addr,
    pub name: String,
    /// `None` where it has none of its own (a prefix, a Gateway chain).
    pub address: Option<Where>,
    pub mark: Mark,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleNode {
    pub load_balancer: Addr,
    pub name: String,
    pub frontend: Option<usize>,
    pub pools: Vec<usize>,
    pub protocol: Option<Protocol>,
    /// `None` is every port.
    pub port: Option<u16>,
    /// Where it arrives inside the guests; `None` is every port.
    pub backend_port: Option<u16>,
    pub floating_ip: bool,
    pub mark: Mark,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolNode {
    pub load_balancer: Addr,
    pub name: String,
    pub members: Vec<MemberNode>,
    /// Members that are no guests of this configuration.
    pub others: usize,
    pub mark: Mark,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
}

/// One ip configuration of a guest in a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberNode {
    pub guest: usize,
    /// The VM's own address there, as far as it is known.
    pub address: Option<IpAddr>,
    pub mark: Mark,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuestNode {
    pub addr: Addr,
    pub about: String,
    pub mark: Mark,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
}

/// Something that is wrong with a part: drift, or a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    pub severity: Severity,
    /// Shared with the drift or finding that it is from.
    pub what: Arc<str>,
}

/// What the picture is drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub public: &'a PublicAddresses,
    pub load_balancers: &'a [LoadBalancerPlan],
    pub guests: &'a [GuestPlan],
    pub drift: &'a [Drift],
    pub findings: &'a [Finding],
}

pub fn topology(scene: &Scene<'_>) -> Topology {
    let mut troubles = Troubles::new(scene);
    let mut picture = Topology {
        guests: scene
            .guests
            .iter()
            .map(|g| guest(g, troubles.take(&g.addr)))
            .collect(),
        ..Topology::default()
    };
    let around = Around {
        members: Members::new(scene),
        troubles,
        public: scene.public,
    };
    for plan in scene.load_balancers {
        let marks = Marks::of(&plan.change, plan.observed.is_none(), plan.after.is_none());
        let sides: Vec<&LoadBalancer> = [plan.after.as_ref(), plan.observed.as_ref()]
            .into_iter()
            .flatten()
            .collect();
        draw(&plan.addr, &sides, &marks, &around, &mut picture);
    }
    for (label, data) in &scene.desired.data_load_balancers {
        let found = scene.observed.load_balancers.get(&data.id);
        let load_balancer = data.expected.over(found.and_then(Observation::present));
        let addr = Addr::new(Kind::LoadBalancer, label.clone());
        let marks = Marks::default();
        draw(&addr, &[&load_balancer], &marks, &around, &mut picture);
    }
    picture
}

/// The picture of a configuration alone: nothing was read, so nothing changes and nothing is wrong.
pub fn declared(desired: &Desired) -> Topology {
    let public = PublicAddresses::new(desired, None);
    let around = Around {
        members: Members::declared(desired),
        troubles: Troubles::default(),
        public: &public,
    };
    let mut picture = Topology::default();
    for addr in desired.guests.keys() {
        picture.guests.push(GuestNode {
            addr: addr.clone(),
            about: String::new(),
            mark: Mark::Same,
            troubles: Vec::new(),
        });
    }
    for (addr, wanted) in &desired.load_balancers {
        let load_balancer = wanted.over(None);
        draw(
            addr,
            &[&load_balancer],
            &Marks::default(),
            &around,
            &mut picture,
        );
    }
    for (label, data) in &desired.data_load_balancers {
        let load_balancer = data.expected.over(None);
        let addr = Addr::new(Kind::LoadBalancer, label.clone());
        draw(
            &addr,
            &[&load_balancer],
            &Marks::default(),
            &around,
            &mut picture,
        );
    }
    picture
}

/// What all load balancers are drawn with.
struct Around<'a> {
    members: Members<'a>,
    troubles: Troubles<'a>,
    public: &'a PublicAddresses,
}

/// What happens to each part of one load balancer, by kind and folded name.
#[derive(Default)]
struct Marks {
    known: HashMap<(ItemKind, String), Mark>,
    all: Option<Mark>,
}

impl Marks {
    fn of(change: &Change, is_new: bool, goes: bool) -> Self {
        let folded = |kind: ItemKind, name: &str| (kind, name.to_ascii_lowercase());
        let items = change.items.iter().map(|item| {
            let mark = match item.action {
                Action::Create => Mark::Created,
                Action::Update | Action::Replace => Mark::Changed,
                Action::Adopt if !item.fields.is_empty() => Mark::Changed,
                Action::Delete => Mark::Deleted,
                Action::Forget => Mark::Foreign,
                Action::Adopt | Action::NoOp => Mark::Same,
            };
            (folded(item.kind, &item.name), mark)
        });
        let foreign = change
            .foreign
            .iter()
            .map(|item| (folded(item.kind, &item.name), Mark::Foreign));
        let all = if goes && change.action == Action::Delete {
            Some(Mark::Deleted)
        } else if is_new && change.action == Action::Create {
            Some(Mark::Created)
        } else {
            None
        };
        Self {
            known: items.chain(foreign).collect(),
            all,
        }
    }

    fn find(&self, kind: ItemKind, name: &str) -> Mark {
        let of_item = self.known.get(&(kind, name.to_ascii_lowercase())).copied();
        self.all.or(of_item).unwrap_or_default()
    }
}

/// Who is in which pool, before or after, among the guests.
struct Members<'a> {
    by_pool: BTreeMap<&'a ArmId, Vec<MemberNode>>,
    /// Ip configurations of guests: whoever else is in a pool is not ours.
    ours: BTreeSet<ArmId>,
}

impl<'a> Members<'a> {
    fn declared(desired: &'a Desired) -> Self {
        let mut members = Self {
            by_pool: BTreeMap::new(),
            ours: BTreeSet::new(),
        };
        for (at, guest) in desired.guests.values().enumerate() {
            for pool in guest.interfaces.iter().flat_map(|i| &i.backend_pools) {
                members.by_pool.entry(pool).or_default().push(MemberNode {
                    guest: at,
                    address: None,
                    mark: Mark::Same,
                });
            }
        }
        members
    }

    fn new(scene: &Scene<'a>) -> Self {
        let mut members = Self {
            by_pool: BTreeMap::new(),
            ours: BTreeSet::new(),
        };
        for (at, plan) in scene.guests.iter().enumerate() {
            let declared = scene.desired.guests.get(&plan.addr);
            let interfaces = declared.map_or(&[][..], |d| d.interfaces.as_slice());
            members
                .ours
                .extend(interfaces.iter().map(Interface::ip_configuration_id));
            for pool in &plan.pools {
                let within = interfaces.iter().find(|i| i.backend_pools.contains(pool));
                let address = within.and_then(|interface| {
                    let nic = scene.observed.network_interfaces.get(&interface.id)?;
                    let wanted = &interface.ip_configuration;
                    let found = nic.present()?.ip_configurations.iter();
                    let mut found = found.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
                    found.next()?.1.private_address
                });
                let edits = |of: &BTreeMap<ArmId, Vec<super::MembershipEdit>>| {
                    of.values().flatten().any(|e| e.pool == *pool)
                };
                let mark = if edits(&plan.joins) {
                    Mark::Created
                } else if edits(&plan.leaves) {
                    Mark::Deleted
                } else {
                    Mark::Same
                };
                members.by_pool.entry(pool).or_default().push(MemberNode {
                    guest: at,
                    address,
                    mark,
                });
            }
        }
        members
    }
}

/// Adds one load balancer: what it shall be, and of what it is now whatever goes.
fn draw(
    addr: &Addr,
    sides: &[&LoadBalancer],
    marks: &Marks,
    around: &Around<'_>,
    picture: &mut Topology,
) {
    let mut frontends: HashMap<String, usize> = HashMap::new();
    let mut pools: HashMap<String, usize> = HashMap::new();
    let mut rules: HashMap<String, usize> = HashMap::new();
    let Around {
        members,
        troubles,
        public,
    } = around;
    for side in sides {
        for item in side.of_kind(ItemKind::Frontend) {
            frontends
                .entry(item.name.to_ascii_lowercase())
                .or_insert_with(|| {
                    picture.frontends.push(FrontendNode {
                        load_balancer: addr.clone(),
                        name: item.name.clone(),
                        address: frontend_address(side, &item.name, public),
                        mark: marks.find(ItemKind::Frontend, &item.name),
                        troubles: troubles.of_item(addr, ItemKind::Frontend, &item.name),
                    });
                    picture.frontends.len() - 1
                });
        }
        for item in side.of_kind(ItemKind::BackendPool) {
            pools
                .entry(item.name.to_ascii_lowercase())
                .or_insert_with(|| {
                    let id = side.id_of(ItemKind::BackendPool, &item.name);
                    let reported = sides.iter().flat_map(|s| s.members_of(&item.name));
                    let others: BTreeSet<&ArmId> =
                        reported.filter(|m| !members.ours.contains(m)).collect();
                    picture.pools.push(PoolNode {
                        load_balancer: addr.clone(),
                        name: item.name.clone(),
                        members: members.by_pool.get(&id).cloned().unwrap_or_default(),
                        others: others.len(),
                        mark: marks.find(ItemKind::BackendPool, &item.name),
                        troubles: troubles.of_item(addr, ItemKind::BackendPool, &item.name),
                    });
                    picture.pools.len() - 1
                });
        }
        for rule in side.rules() {
            if rules.contains_key(&rule.name().to_ascii_lowercase()) {
                continue;
            }
            rules.insert(rule.name().to_ascii_lowercase(), picture.rules.len());
            picture.rules.push(RuleNode {
                load_balancer: addr.clone(),
                frontend: rule
                    .frontend()
                    .and_then(|f| frontends.get(&f.name().to_ascii_lowercase()).copied()),
                pools: rule
                    .pools()
                    .filter_map(|p| pools.get(&p.name().to_ascii_lowercase()).copied())
                    .collect(),
                troubles: troubles.of_item(addr, ItemKind::Rule, rule.name()),
                mark: marks.find(ItemKind::Rule, rule.name()),
                ..rule_node(&rule, addr)
            });
        }
    }
}

fn rule_node(rule: &Rule<'_>, addr: &Addr) -> RuleNode {
    let every = rule.protocol() == Some(Protocol::All);
    RuleNode {
        load_balancer: addr.clone(),
        name: rule.name().to_owned(),
        frontend: None,
        pools: Vec::new(),
        protocol: rule.protocol(),
        port: (!every).then(|| rule.frontend_port()),
        backend_port: (!every).then(|| rule.backend_port()),
        floating_ip: rule.floating(),
        mark: Mark::Same,
        troubles: Vec::new(),
    }
}

fn guest(plan: &GuestPlan, mut troubles: Vec<Trouble>) -> GuestNode {
    let writes = plan.change.entries.iter().any(|e| e.action != Action::NoOp);
    let mark = match plan.change.action {
        Action::Create => Mark::Created,
        Action::Delete => Mark::Deleted,
        Action::Update | Action::Replace => Mark::Changed,
        Action::NoOp | Action::Adopt | Action::Forget if writes => Mark::Changed,
        Action::NoOp | Action::Adopt | Action::Forget => Mark::Same,
    };
    if let Some(why) = &plan.unreadable {
        // The finding that says it holds no more than this.
        troubles.retain(|t| *t.what != *"the guest could not be read");
        troubles.push(Trouble {
            severity: Severity::Warning,
            what: format!("could not be read: {why}").into(),
        });
    }
    GuestNode {
        addr: plan.addr.clone(),
        about: plan.change.about.clone(),
        mark,
        troubles,
    }
}

/// Drift and findings by resource.
#[derive(Default)]
struct Troubles<'a> {
    by_addr: HashMap<&'a Addr, Vec<Trouble>>,
}

impl<'a> Troubles<'a> {
    fn new(scene: &Scene<'a>) -> Self {
        let mut by_addr: HashMap<&Addr, Vec<Trouble>> = HashMap::new();
        for moved in scene.drift.iter().filter(|d| d.kind.is_news()) {
            by_addr.entry(&moved.addr).or_default().push(Trouble {
                severity: moved.severity,
                what: Arc::clone(&moved.what),
            });
        }
        for found in scene
            .findings
            .iter()
            .filter(|f| f.severity != Severity::Advice)
        {
            let Some(addr) = &found.addr else { continue };
            by_addr.entry(addr).or_default().push(Trouble {
                severity: found.severity,
                what: Arc::clone(&found.what),
            });
        }
        Self { by_addr }
    }

    /// Those of a guest, which no other part shows.
    fn take(&mut self, addr: &Addr) -> Vec<Trouble> {
        self.by_addr.remove(addr).unwrap_or_default()
    }

    fn of(&self, addr: &Addr) -> &[Trouble] {
        self.by_addr.get(addr).map_or(&[], Vec::as_slice)
    }

    /// Those that begin with the part's kind and name, as drift of a load balancer does.
    fn of_item(&self, addr: &Addr, kind: ItemKind, name: &str) -> Vec<Trouble> {
        let all = self.of(addr);
        if all.is_empty() {
            return Vec::new();
        }
        let title = format!("{} {name:?}", kind.word());
        all.iter()
            .filter(|t| t.what.starts_with(&title))
            .cloned()
            .collect()
    }
}
