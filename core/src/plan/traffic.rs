//! What happens to each destination that clients use: begins, ends, changes, or is not interrupted.

use super::addresses::{PublicAddresses, frontend_address};
use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::{Effect, Step, StepAction, StepId, Traffic};
use crate::config::{Desired, GuestMode};
use crate::model::guest::EntryKey;
use crate::model::item::diff;
use crate::model::{Addr, ArmId, ItemKind, Kind, LoadBalancer, Protocol, Rule, Where};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub fn traffic(
    desired: &Desired,
    plans: &[LoadBalancerPlan],
    guests: &[GuestPlan],
    steps: &[Step],
    public: &PublicAddresses,
) -> Vec<Traffic> {
    let mut all = Vec::new();
    let members = Members::new(guests);
    let moves = Moves::new(steps);
    for plan in plans.iter().filter(|p| p.writes()) {
        let Some(write) = last_write(steps, &plan.id) else {
            continue;
        };
        let mut names: Vec<&str> = Vec::new();
        let mut seen: HashSet<String> = HashSet::new();
        for side in [plan.after.as_ref(), plan.observed.as_ref()]
            .into_iter()
            .flatten()
        {
            for rule in side.rules() {
                if seen.insert(rule.name().to_ascii_lowercase()) {
                    names.push(rule.name());
                }
            }
        }
        for name in names {
            all.extend(of_rule(
                plan,
                &members,
                name,
                &Moments {
                    moves: &moves,
                    write,
                },
                public,
            ));
        }
    }
    for handed in handed_over(desired, guests, steps) {
        all.retain(|t| !(t.load_balancer == handed.load_balancer && t.rule == handed.rule));
        all.push(handed);
    }
    all.sort_by_key(|t| match t.effect {
        Effect::Ends { .. } => 0,
        Effect::Changes { .. } => 1,
        Effect::Begins { .. } => 2,
        Effect::NotInterrupted => 3,
    });
    all
}

/// The guests of each pool.
struct Members<'a>(HashMap<&'a ArmId, Vec<(&'a Addr, &'a GuestPlan)>>);

impl<'a> Members<'a> {
    fn new(guests: &'a [GuestPlan]) -> Self {
        let mut of_pool: HashMap<&ArmId, Vec<_>> = HashMap::new();
        for guest in guests {
            for pool in &guest.pools {
                of_pool.entry(pool).or_default().push((&guest.addr, guest));
            }
        }
        Self(of_pool)
    }

    /// How many guests are in one of the pools, and how many of them are ready.
    fn count(&self, pools: &[ArmId]) -> (usize, usize) {
        let is_ready = |g: &GuestPlan| g.unreadable.is_none() && !g.gone && g.blocked.is_empty();
        let of = |pool: &ArmId| self.0.get(pool).into_iter().flatten().copied();
        let guests: BTreeMap<&Addr, &GuestPlan> = match pools {
            // The common case, without sorting.
            [pool] => {
                let ready = of(pool).filter(|(_, guest)| is_ready(guest)).count();
                return (of(pool).count(), ready);
            }
            pools => pools.iter().flat_map(of).collect(),
        };
        let ready = guests.values().filter(|guest| is_ready(guest)).count();
        (guests.len(), ready)
    }
}

/// The first step in which a NIC joins each pool, and the first in which one leaves it.
struct Moves<'a>(HashMap<(&'a ArmId, bool), StepId>);

impl<'a> Moves<'a> {
    fn new(steps: &'a [Step]) -> Self {
        let mut first: HashMap<(&ArmId, bool), StepId> = HashMap::new();
        for step in steps {
            if let StepAction::PutNetworkInterface { edits, .. } = &step.action {
                for edit in edits {
                    let known = first.entry((&edit.pool, edit.join)).or_insert(step.id);
                    *known = step.id.min(*known);
                }
            }
        }
        Self(first)
    }
}

/// Rules whose address the members lose because a cluster holds it from now on: who does not hold it then serves no more.
fn handed_over(desired: &Desired, guests: &[GuestPlan], steps: &[Step]) -> Vec<Traffic> {
    let declared = desired.load_balancers.iter();
    let declared = declared.map(|(addr, lb)| (&lb.id, addr.clone()));
    let read = desired.data_load_balancers.iter();
    let read = read.map(|(label, data)| (&data.id, Addr::new(Kind::LoadBalancer, label)));
    let owners: BTreeMap<&ArmId, Addr> = declared.chain(read).collect();
    let mut all: BTreeMap<(&Addr, &str), Traffic> = BTreeMap::new();
    for guest in guests.iter().filter(|g| !g.release.is_empty()) {
        let loses = |destination: &Where| {
            let key = EntryKey::Address(destination.clone());
            guest.release.iter().any(|touch| touch.key == key)
        };
        let releases = |step: &&Step| match &step.action {
            StepAction::Guest(step) => step.guest.addr == guest.addr && !step.release.is_empty(),
            _ => false,
        };
        let Some(after) = steps.iter().find(releases).map(|step| step.id) else {
            continue;
        };
        let clustered = guest
            .needs
            .services
            .iter()
            .filter(|s| s.floating && s.mode == GuestMode::Cluster && loses(&s.destination));
        for service in clustered {
            let Some(owner) = owners.get(&*service.load_balancer) else {
                continue;
            };
            let traffic = all
                .entry((owner, &service.rule))
                .or_insert_with(|| Traffic {
                    destination: service.destination.clone(),
                    port: service.frontend_port,
                    protocol: service.protocol,
                    rule: service.rule.to_string(),
                    load_balancer: owner.clone(),
                    effect: Effect::Changes {
                        after,
                        what: "members lose the address; it serves where the cluster holds it"
                            .to_owned(),
                    },
                    members: 0,
                });
            traffic.members += 1;
        }
    }
    all.into_values().collect()
}

/// When things happen to the rules of one load balancer.
struct Moments<'a> {
    moves: &'a Moves<'a>,
    /// The write (or the deletion) of the load balancer itself.
    write: StepId,
}

impl Moments<'_> {
    fn first(&self, rule: &Rule<'_>, join: bool) -> Option<StepId> {
        rule.pools()
            .filter_map(|pool| self.moves.0.get(&(&pool, join)).copied())
            .min()
    }

    /// A rule serves once it is written and the first member is in its pool.
    fn begins(&self, rule: &Rule<'_>, has_members: bool) -> StepId {
        let first = self.first(rule, true).filter(|_| !has_members);
        first.map_or(self.write, |joined| joined.max(self.write))
    }

    /// A rule ends when it is deleted, or before that when its members leave.
    fn ends(&self, rule: &Rule<'_>) -> StepId {
        self.first(rule, false)
            .map_or(self.write, |left| left.min(self.write))
    }
}

fn last_write(steps: &[Step], id: &ArmId) -> Option<StepId> {
    let writes = |step: &&Step| match &step.action {
        StepAction::PutLoadBalancer { resource, .. } => resource.id == *id,
        StepAction::DeleteLoadBalancer { id: deleted, .. } => deleted == id,
        StepAction::PutPublicIp { .. }
        | StepAction::DeletePublicIp { .. }
        | StepAction::PutNetworkInterface { .. }
        | StepAction::Guest(_)
        | StepAction::Drain { .. }
        | StepAction::Record => false,
    };
    steps.iter().rev().find(writes).map(|s| s.id)
}

fn of_rule(
    plan: &LoadBalancerPlan,
    members: &Members<'_>,
    name: &str,
    moments: &Moments<'_>,
    public: &PublicAddresses,
) -> Option<Traffic> {
    let before = plan
        .observed
        .as_ref()
        .and_then(|lb| lb.item(ItemKind::Rule, name));
    let after = plan
        .after
        .as_ref()
        .and_then(|lb| lb.item(ItemKind::Rule, name));
    let (side, item) = match (&plan.after, after, &plan.observed, before) {
        (Some(lb), Some(item), _, _) | (_, _, Some(lb), Some(item)) => (lb, item),
        (_, _, _, _) => return None,
    };
    let rule = Rule { item };
    let (members, ready) = members.count(&rule.pools().collect::<Vec<_>>());
    let effect = match (before, after) {
        (None, Some(_)) => {
            let already =
                |lb: &LoadBalancer| rule.pools().any(|p| !lb.members_of(p.name()).is_empty());
            let has_members = plan.observed.as_ref().is_some_and(already);
            Effect::Begins {
                after: moments.begins(&rule, has_members),
                ready,
            }
        }
        (Some(_), None) => Effect::Ends {
            after: moments.ends(&rule),
        },
        (Some(before), Some(after)) => {
            let changed = diff(
                ItemKind::Rule.attributes(),
                &before.attributes,
                &after.attributes,
            );
            let serving: BTreeSet<&str> = [
                "frontend",
                "backend_pools",
                "probe",
                "protocol",
                "frontend_port",
                "backend_port",
                "floating_ip",
            ]
            .into();
            let words: Vec<String> = changed
                .iter()
                .filter(|field| serving.contains(field.name.as_str()))
                .map(|field| {
                    let text = |v: &Option<crate::model::Attr>| {
                        v.as_ref().map_or("none".to_owned(), short)
                    };
                    format!(
                        "{} {} → {}",
                        field.name,
                        text(&field.before),
                        text(&field.after)
                    )
                })
                .collect();
            if words.is_empty() {
                Effect::NotInterrupted
            } else {
                Effect::Changes {
                    after: moments.write,
                    what: words.join(", "),
                }
            }
        }
        (None, None) => return None,
    };
    Some(Traffic {
        destination: destination(side, &rule, public)?,
        port: (rule.protocol() != Some(Protocol::All)).then(|| rule.frontend_port()),
        protocol: rule.protocol()?,
        rule: item.name.clone(),
        load_balancer: plan.addr.clone(),
        effect,
        members,
    })
}

/// Ids by their last word.
fn short(value: &crate::model::Attr) -> String {
    let last = |text: &str| text.rsplit('/').next().unwrap_or(text).to_owned();
    match value {
        crate::model::Attr::Text(text) => last(text),
        crate::model::Attr::List(list) => {
            list.iter().map(|t| last(t)).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn destination(
    load_balancer: &LoadBalancer,
    rule: &Rule<'_>,
    public: &PublicAddresses,
) -> Option<Where> {
    frontend_address(load_balancer, rule.frontend()?.name(), public)
}
