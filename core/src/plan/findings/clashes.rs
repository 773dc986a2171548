//! Rules that only Azure's answer tells of, and that take what a declared rule takes: Azure would refuse the whole write.
//!
//! Two declared rules are compared where the configuration is read (`config/checks`). What clashes in Azure as it is now is
//! left alone: Azure has judged it.

use super::super::Finding;
use super::super::codes;
use super::super::guest::GuestPlan;
use super::super::load_balancer::LoadBalancerPlan;
use super::finding;
use crate::config::Desired;
use crate::model::observed::{Observation, Observed};
use crate::model::{ArmId, Item, ItemKind, LoadBalancer, Protocol, Rule};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub(super) fn findings(
    plans: &[LoadBalancerPlan],
    guests: &[GuestPlan],
    desired: &Desired,
    observed: &Observed,
) -> Vec<Finding> {
    let mut together: Option<Members> = None;
    let read_only: Vec<Taker<'_>> = read_only(desired, observed).flat_map(takers).collect();
    let mut all = Vec::new();
    for plan in plans {
        let (Some(after), Some(wanted)) = (&plan.after, desired.load_balancers.get(&plan.addr))
        else {
            continue;
        };
        let key = |kind: ItemKind, name: &str| (kind, name.to_ascii_lowercase());
        let declared: HashSet<_> = wanted.items.iter().map(|i| key(i.kind, &i.name)).collect();
        let (ours, beside): (Vec<_>, Vec<_>) =
            takers(after).partition(|taker| declared.contains(&key(taker.kind, taker.name)));
        if beside.is_empty() && read_only.is_empty() {
            continue;
        }
        let now: HashMap<_, _> = plan
            .observed
            .iter()
            .flat_map(takers)
            .map(|taker| (key(taker.kind, taker.name), taker))
            .collect();
        let members =
            together.get_or_insert_with(|| Members::new(plans, guests, desired, observed));
        for our in &ours {
            let is_as_now = now.get(&key(our.kind, our.name)) == Some(our);
            let of_rules = |other: &Taker<'_>| our.clash(other).filter(|_| !is_as_now);
            let of_members = |other: &Taker<'_>| {
                let is_new = !is_as_now || !our.meets(other, &members.before);
                our.clashes_where_they_meet(other, &members.after)
                    .filter(|_| is_new)
            };
            for other in &beside {
                if let Some(clash) = of_rules(other).or_else(|| of_members(other)) {
                    let found = said(plan, our, other, &clash);
                    all.push(found.note(our.or_is(other)).note(other.or_goes()));
                }
            }
            for other in &read_only {
                if let Some(clash) = of_members(other) {
                    let next =
                        "give this one another port, or talk to whoever manages that load balancer";
                    all.push(said(plan, our, other, &clash).note(next));
                }
            }
        }
    }
    all
}

fn said(plan: &LoadBalancerPlan, our: &Taker<'_>, other: &Taker<'_>, clash: &Clash<'_>) -> Finding {
    let elsewhere = if other.load_balancer == &plan.id {
        String::new()
    } else {
        format!(" of load balancer {:?}", other.load_balancer.name())
    };
    let what = format!(
        "{} {:?} clashes with {} {:?}{elsewhere}, which is in Azure and not declared here",
        our.kind.word(),
        our.name,
        other.kind.word(),
        other.name
    );
    finding(&plan.addr, &codes::FOREIGN_CLASH, what).note(clash.why(our))
}

fn read_only<'a>(
    desired: &'a Desired,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a LoadBalancer> {
    let data = desired.data_load_balancers.values();
    data.filter_map(|data| {
        let found = observed.load_balancers.get(&data.id);
        found.and_then(Observation::present)
    })
}

/// A rule or an inbound NAT rule: the ports of a frontend that it takes, and where its packets arrive.
#[derive(Debug, PartialEq)]
struct Taker<'a> {
    load_balancer: &'a ArmId,
    kind: ItemKind,
    name: &'a str,
    /// Folded.
    frontend: String,
    /// Folded.
    pools: Vec<String>,
    protocol: Protocol,
    /// First and last.
    ports: Option<(i64, i64)>,
    backend_port: u16,
    floating: bool,
}

fn takers(load_balancer: &LoadBalancer) -> impl Iterator<Item = Taker<'_>> {
    let of = |kind| load_balancer.of_kind(kind).map(move |item| (kind, item));
    of(ItemKind::Rule)
        .chain(of(ItemKind::InboundNatRule))
        .filter_map(|(kind, item)| Taker::of(&load_balancer.id, kind, item))
}

impl<'a> Taker<'a> {
    fn of(load_balancer: &'a ArmId, kind: ItemKind, item: &'a Item) -> Option<Self> {
        let rule = Rule { item };
        let range = item.int("frontend_port_range_start");
        let range = range.zip(item.int("frontend_port_range_end"));
        let pool = item.text("backend_pool").map(ArmId::new);
        Some(Self {
            load_balancer,
            kind,
            name: &item.name,
            frontend: rule.frontend()?.folded(),
            pools: rule.pools().chain(pool).map(|id| id.folded()).collect(),
            protocol: rule.protocol()?,
            ports: range.or_else(|| item.int("frontend_port").map(|port| (port, port))),
            backend_port: rule.backend_port(),
            floating: rule.floating(),
        })
    }

    /// How the two contradict each other on one load balancer, whoever their members are.
    fn clash<'t>(&'t self, other: &Taker<'_>) -> Option<Clash<'t>> {
        let same_frontend = self.frontend == other.frontend;
        let mut shared = self.pools.iter().filter(|pool| other.pools.contains(pool));
        let shared = shared.next().map(|pool| last(pool));
        let of_every_port = |taker: &Taker<'_>| taker.protocol == Protocol::All;
        if of_every_port(self) || of_every_port(other) {
            let is_alone = |taker: &Taker<'_>| of_every_port(taker) && !taker.floating;
            return if self.kind != ItemKind::Rule || other.kind != ItemKind::Rule {
                None
            } else if is_alone(self) || is_alone(other) {
                Some(Clash::HaAlone)
            } else if !same_frontend {
                None
            } else if of_every_port(self) && of_every_port(other) {
                Some(Clash::HaTwice)
            } else {
                let mixed = !self.floating || !other.floating;
                shared.filter(|_| mixed).map(Clash::HaMixed)
            };
        }
        if self.protocol != other.protocol {
            return None;
        }
        if let (true, Some(mine), Some(theirs)) = (same_frontend, self.ports, other.ports)
            && mine.0 <= theirs.1
            && theirs.0 <= mine.1
        {
            return Some(Clash::FrontendPort(mine.0.max(theirs.0)));
        }
        let same_port = self.backend_port == other.backend_port;
        match (self.floating, other.floating) {
            (true, true) if same_port && same_frontend => shared.map(Clash::FloatingFlow),
            (false, false) if same_port => shared.map(Clash::Flow),
            (true | false, true | false) => None,
        }
    }

    /// Without floating IP, at a member that both send to.
    fn clashes_where_they_meet<'t>(
        &'t self,
        other: &Taker<'_>,
        members: &Together,
    ) -> Option<Clash<'t>> {
        let same_flow = !self.floating
            && !other.floating
            && self.protocol != Protocol::All
            && self.protocol == other.protocol
            && self.backend_port == other.backend_port;
        (same_flow && self.meets(other, members)).then_some(Clash::Member)
    }

    fn meets(&self, other: &Taker<'_>, members: &Together) -> bool {
        members
            .iter()
            .any(|member| self.reaches(member) && other.reaches(member))
    }

    fn reaches(&self, member: &BTreeSet<String>) -> bool {
        self.pools.iter().any(|pool| member.contains(pool)) || member.contains(&self.id())
    }

    fn id(&self) -> String {
        let id = self.load_balancer.child(self.kind.arm(), self.name);
        id.folded()
    }

    /// They may be one rule under two names: that of a state that was lost, and today's.
    fn or_is(&self, other: &Taker<'_>) -> String {
        if self.kind == other.kind {
            format!(
                "if they are the same rule, write name = {:?} into its block: plimsoll takes over the one in Azure",
                other.name
            )
        } else {
            format!(
                "to keep {:?}, declare it too (plimsoll import writes the block) and give one of them another port",
                other.name
            )
        }
    }

    fn or_goes(&self) -> String {
        let command = if self.kind == ItemKind::InboundNatRule {
            "inbound-nat-rule"
        } else {
            "rule"
        };
        format!(
            "otherwise delete that one: az network lb {command} delete --resource-group {} --lb-name {} --name {}",
            self.load_balancer.resource_group().unwrap_or("GROUP"),
            self.load_balancer.name(),
            self.name
        )
    }
}

/// What cannot be true of two rules at once.
#[derive(Debug)]
enum Clash<'a> {
    /// Of the frontend they share.
    FrontendPort(i64),
    /// In this pool, at the members' own addresses.
    Flow(&'a str),
    /// In this pool, at the frontend's address.
    FloatingFlow(&'a str),
    /// At a member that several pools or NAT rules lead to.
    Member,
    HaAlone,
    HaTwice,
    /// In this pool.
    HaMixed(&'a str),
}

impl Clash<'_> {
    fn why(&self, our: &Taker<'_>) -> String {
        let Taker {
            protocol,
            backend_port,
            frontend,
            ..
        } = our;
        let frontend = last(frontend);
        match self {
            Self::FrontendPort(port) => format!(
                "both take {protocol} port {port} of frontend {frontend:?}, so Azure could not tell to which of them a packet belongs"
            ),
            Self::Flow(pool) => format!(
                "both arrive at {protocol} port {backend_port} of the members' own addresses in pool {pool:?}: Azure refuses \
                 that (RulesUseSameBackendPortProtocolAndPool)"
            ),
            Self::FloatingFlow(pool) => format!(
                "both arrive at {protocol} port {backend_port} of frontend {frontend:?} in pool {pool:?}: Azure refuses that \
                 (RulesUseSameBackendPortProtocolAndPoolAndFrontendIPWithFloatingIPEnabled)"
            ),
            Self::Member => format!(
                "both arrive at {protocol} port {backend_port} of the own address of one member: Azure refuses that \
                 (RulesUseSameBackendPortProtocolAndIPConfig)"
            ),
            Self::HaAlone => {
                "an HA-ports rule without floating IP takes every flow, so Azure allows no other rule beside it".to_owned()
            }
            Self::HaTwice => {
                format!("both take every port of frontend {frontend:?}, and Azure allows one HA-ports rule on a frontend")
            }
            Self::HaMixed(pool) => format!(
                "one of them takes every port of frontend {frontend:?}; Azure lets the other share pool {pool:?} only if both \
                 have floating IP"
            ),
        }
    }
}

fn last(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or_default()
}

/// For each ip configuration, the folded ids of the pools that it is in and of the NAT rules that are tied to it. Many members
/// are alike, and each kind is kept once.
type Together = BTreeSet<BTreeSet<String>>;

/// Who is together with whom, now and when all is done.
struct Members {
    before: Together,
    after: Together,
}

impl Members {
    fn new(
        plans: &[LoadBalancerPlan],
        guests: &[GuestPlan],
        desired: &Desired,
        observed: &Observed,
    ) -> Self {
        let mut of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let written = plans.iter().filter_map(|plan| plan.observed.as_ref());
        for seen in written.chain(read_only(desired, observed)) {
            for (pool, members) in &seen.members {
                let pool = seen.id_of(ItemKind::BackendPool, pool).folded();
                for member in members {
                    of.entry(member.folded()).or_default().insert(pool.clone());
                }
            }
            for (rule, target) in &seen.nat_targets {
                let rule = seen.id_of(ItemKind::InboundNatRule, rule).folded();
                of.entry(target.folded()).or_default().insert(rule);
            }
        }
        let before = of.values().cloned().collect();
        let joins = guests.iter().flat_map(|guest| &guest.joins);
        let leaves = guests.iter().flat_map(|guest| &guest.leaves);
        for (nic, edits) in leaves.chain(joins) {
            for edit in edits {
                let member = nic.child("ipConfigurations", &edit.ip_configuration);
                let pools = of.entry(member.folded()).or_default();
                if edit.join {
                    pools.insert(edit.pool.folded());
                } else {
                    pools.remove(&edit.pool.folded());
                }
            }
        }
        Self {
            before,
            after: of.into_values().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Attr;

    /// `frontend protocol frontend-ports pool:backend-port`, and ` floating` behind it.
    fn item(words: &str) -> Item {
        let mut words = words.split(' ');
        let mut next = || words.next().unwrap();
        let id = |kind: &str, name: &str| ArmId::new(format!("/lb/{kind}/{name}")).to_string();
        let frontend = id("frontendIPConfigurations", next());
        let protocol = next().to_owned();
        let ports = next();
        let (pool, port) = next().split_once(':').unwrap();
        let pool = id("backendAddressPools", pool);
        let floating = words.next().is_some();
        let number = |text: &str| Attr::Int(text.parse().unwrap());
        let item = Item::new("x")
            .with("frontend", Attr::Text(frontend))
            .with("protocol", Attr::Text(protocol))
            .with("backend_port", number(port))
            .with("floating_ip", Attr::Bool(floating));
        match ports.split_once('-') {
            Some((low, high)) => item
                .with("backend_pool", Attr::Text(pool))
                .with("frontend_port_range_start", number(low))
                .with("frontend_port_range_end", number(high)),
            None => item
                .with("backend_pools", Attr::List(vec![pool]))
                .with("frontend_port", number(ports)),
        }
    }

    fn clash(one: &str, other: &str) -> String {
        let id = ArmId::new("/lb");
        let kind = |words: &str| {
            if words.contains('-') {
                ItemKind::InboundNatRule
            } else {
                ItemKind::Rule
            }
        };
        let (first, second) = (item(one), item(other));
        let first = Taker::of(&id, kind(one), &first).unwrap();
        let second = Taker::of(&id, kind(other), &second).unwrap();
        let words = |clash: Option<Clash<'_>>| clash.map_or("-".to_owned(), |c| format!("{c:?}"));
        let found = words(first.clash(&second));
        assert_eq!(found, words(second.clash(&first)), "{one} | {other}");
        found
    }

    #[test]
    fn what_azure_refuses_of_two_rules_and_what_it_takes() {
        for (one, other, found) in [
            ("a Tcp 80 p:80", "a Tcp 80 q:81", "FrontendPort(80)"),
            ("a Tcp 80 p:80", "a Udp 80 p:80", "-"),
            ("a Tcp 80 p:80", "b Tcp 80 p:81", "-"),
            ("a Tcp 80 p:80", "b Tcp 81 p:80", "Flow(\"p\")"),
            ("a Tcp 80 p:80", "b Tcp 81 q:80", "-"),
            ("a Tcp 80 p:80 floating", "b Tcp 80 p:80 floating", "-"),
            ("a Tcp 80 p:80 floating", "b Tcp 81 p:80", "-"),
            (
                "a Tcp 80 p:80 floating",
                "a Tcp 81 p:80 floating",
                "FloatingFlow(\"p\")",
            ),
            ("a Tcp 80 p:80 floating", "a Tcp 81 q:80 floating", "-"),
            ("a Tcp 85 p:80", "a Tcp 80-89 q:22", "FrontendPort(85)"),
            ("a Tcp 80-89 p:22", "a Tcp 90-99 q:22", "-"),
            ("a Tcp 80-89 p:22", "b Tcp 90-99 p:22", "Flow(\"p\")"),
            ("a All 0 p:0", "b Tcp 80 q:80 floating", "HaAlone"),
            ("a All 0 p:0 floating", "a All 0 q:0 floating", "HaTwice"),
            ("a All 0 p:0 floating", "b All 0 p:0 floating", "-"),
            ("a All 0 p:0 floating", "a Tcp 80 p:80", "HaMixed(\"p\")"),
            ("a All 0 p:0 floating", "a Tcp 80 q:80", "-"),
            ("a All 0 p:0 floating", "a Tcp 80 p:80 floating", "-"),
            ("a All 0 p:0 floating", "a Tcp 80-89 p:22", "-"),
        ] {
            assert_eq!(clash(one, other), found, "{one} | {other}");
        }
    }

    #[test]
    fn two_pools_of_one_member_are_one_place() {
        let id = ArmId::new("/lb");
        let (one, other) = (item("a Tcp 80 p:80"), item("b Tcp 81 q:80"));
        let one = Taker::of(&id, ItemKind::Rule, &one).unwrap();
        let other = Taker::of(&id, ItemKind::Rule, &other).unwrap();
        let pool = |name: &str| format!("/lb/backendaddresspools/{name}");
        let apart = [[pool("p")].into(), [pool("q")].into()].into();
        let together = [[pool("p"), pool("q")].into()].into();
        assert!(one.clashes_where_they_meet(&other, &apart).is_none());
        assert!(one.clashes_where_they_meet(&other, &together).is_some());
    }
}
