//! What happens to each destination that clients use: begins, ends, changes, or is not interrupted.

use super::addresses::{PublicAddresses, frontend_address};
use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::needs::Service;
use super::{Effect, Lost, Phase, Step, StepAction, StepId, Traffic};
use crate::config::{Desired, GuestMode};
use crate::model::guest::EntryKey;
use crate::model::item::diff;
use crate::model::{Addr, ArmId, Item, ItemKind, Kind, LoadBalancer, Protocol, Rule, Where};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Everything that decides what clients notice.
#[derive(Clone, Copy, Debug)]
pub struct Flows<'a> {
    pub desired: &'a Desired,
    pub load_balancers: &'a [LoadBalancerPlan],
    pub guests: &'a [GuestPlan],
    pub steps: &'a [Step],
    pub public: &'a PublicAddresses,
}

pub fn traffic(flows: &Flows<'_>) -> Vec<Traffic> {
    let mut all = Vec::new();
    let public = flows.public;
    let members = Members::new(flows.guests);
    let answering = Answering::new(flows.guests);
    let first = Moves::new(flows.steps);
    for plan in flows.load_balancers {
        let write = main_write(flows.steps, &plan.id);
        let moments = Moments::new(flows.steps, &first, plan, write);
        if write.is_none() && moments.memberships.is_empty() {
            continue;
        }
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
            all.extend(of_rule(plan, public, &members, &answering, name, &moments));
        }
        all.extend(left_behind(plan, public, &members, &moments));
    }
    for handed in handed_over(flows, &answering) {
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

/// How many guests were seen to have an application where packets of a rule arrive, by load balancer and rule. For an address
/// that is not known yet only an application counts that listens on every address.
struct Answering<'a>(HashMap<(&'a ArmId, &'a str), usize>);

impl<'a> Answering<'a> {
    fn new(guests: &'a [GuestPlan]) -> Self {
        // A rule's name is one text, which all its services share, so its place in memory stands for it.
        let mut count: HashMap<*const u8, (&Service, usize)> = HashMap::new();
        for guest in guests.iter().filter(|g| g.unreadable.is_none() && !g.gone) {
            let of = |services: &'a [Service]| -> HashMap<*const u8, &'a Service> {
                services.iter().map(|s| (s.rule.as_ptr(), s)).collect()
            };
            let silent = of(&guest.silent);
            for (rule, service) in of(&guest.needs.services) {
                if !silent.contains_key(&rule) {
                    count.entry(rule).or_insert((service, 0)).1 += 1;
                }
            }
        }
        let mut named: HashMap<(&ArmId, &str), usize> = HashMap::new();
        for (service, number) in count.into_values() {
            *named
                .entry((&service.load_balancer, &service.rule))
                .or_default() += number;
        }
        Self(named)
    }

    fn of(&self, load_balancer: &ArmId, rule: &str) -> usize {
        self.0.get(&(load_balancer, rule)).copied().unwrap_or(0)
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
fn handed_over(flows: &Flows<'_>, answering: &Answering<'_>) -> Vec<Traffic> {
    let Flows {
        desired,
        guests,
        steps,
        ..
    } = *flows;
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
            .filter(|s| s.floating && s.mode == GuestMode::Cluster && loses(&s.destination()));
        for service in clustered {
            let Some(owner) = owners.get(&*service.load_balancer) else {
                continue;
            };
            let traffic = all
                .entry((owner, &service.rule))
                .or_insert_with(|| Traffic {
                    destination: service.destination(),
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
                    answering: answering.of(&service.load_balancer, &service.rule),
                    lost: None,
                });
            traffic.members += 1;
        }
    }
    all.into_values().collect()
}

/// When things happen to the rules of one load balancer.
struct Moments<'a> {
    first: &'a Moves<'a>,
    plan: &'a LoadBalancerPlan,
    /// Rules of the same pools lose the same members.
    losses: RefCell<HashMap<[Vec<ArmId>; 2], Option<Lost>>>,
    /// The write that changes its rules, or the deletion.
    write: Option<StepId>,
    /// Who joins or leaves a pool of it, and when.
    memberships: Vec<Joining<'a>>,
}

struct Joining<'a> {
    step: StepId,
    pool: &'a ArmId,
    member: ArmId,
    join: bool,
}

impl<'a> Moments<'a> {
    fn new(
        steps: &'a [Step],
        first: &'a Moves<'a>,
        plan: &'a LoadBalancerPlan,
        write: Option<StepId>,
    ) -> Self {
        let mut memberships = Vec::new();
        for step in steps {
            let StepAction::PutNetworkInterface { id, edits } = &step.action else {
                continue;
            };
            let here = edits
                .iter()
                .filter(|e| e.pool.parent().as_ref() == Some(&plan.id));
            memberships.extend(here.map(|edit| Joining {
                step: step.id,
                pool: &edit.pool,
                member: id.child("ipConfigurations", &edit.ip_configuration),
                join: edit.join,
            }));
        }
        Self {
            first,
            plan,
            losses: RefCell::default(),
            write,
            memberships,
        }
    }

    /// The first time that a member joins one of the pools, or leaves one.
    fn first(&self, pools: &[ArmId], join: bool) -> Option<StepId> {
        let steps = pools
            .iter()
            .filter_map(|pool| self.first.0.get(&(pool, join)));
        steps.min().copied()
    }

    /// A rule serves once it is written and the first member is in its pool.
    fn begins(&self, write: StepId, pools: &[ArmId], has_members: bool) -> StepId {
        let first = self.first(pools, true).filter(|_| !has_members);
        first.map_or(write, |joined| joined.max(write))
    }

    /// A rule ends when it is deleted, or before that when its members leave.
    fn ends(&self, write: StepId, pools: &[ArmId]) -> StepId {
        self.first(pools, false)
            .map_or(write, |left| left.min(write))
    }

    /// Goes through the steps that move members or rules, and counts who serves now and does not after one of them.
    fn lost(&self, before: &[ArmId], after: &[ArmId]) -> Option<Lost> {
        let stays = before.iter().all(|pool| after.contains(pool));
        if stays && self.first(before, false).is_none() {
            return None;
        }
        let key = [before.to_vec(), after.to_vec()];
        if let Some(known) = self.losses.borrow().get(&key) {
            return *known;
        }
        let lost = self.count_lost(before, after);
        self.losses.borrow_mut().insert(key, lost);
        lost
    }

    fn count_lost(&self, before: &[ArmId], after: &[ArmId]) -> Option<Lost> {
        let mut members: BTreeMap<&ArmId, BTreeSet<ArmId>> = BTreeMap::new();
        let observed = self.plan.observed.as_ref();
        for pool in before.iter().chain(after) {
            let now = observed
                .map(|lb| lb.members_of(pool.name()))
                .unwrap_or_default();
            members.insert(pool, now.iter().cloned().collect());
        }
        let serving = |members: &BTreeMap<&ArmId, BTreeSet<ArmId>>, pools: &[ArmId]| {
            let of = pools.iter().filter_map(|pool| members.get(pool));
            of.flatten().cloned().collect::<BTreeSet<ArmId>>()
        };
        let at_first = serving(&members, before);
        let mut moments: Vec<StepId> = self
            .memberships
            .iter()
            .filter(|m| before.contains(m.pool) || after.contains(m.pool))
            .map(|m| m.step)
            .chain(self.write)
            .collect();
        moments.sort();
        moments.dedup();
        let mut lost: Option<Lost> = None;
        for step in moments {
            for edit in self.memberships.iter().filter(|m| m.step == step) {
                if let Some(pool) = members.get_mut(edit.pool) {
                    if edit.join {
                        pool.insert(edit.member.clone());
                    } else {
                        pool.remove(&edit.member);
                    }
                }
            }
            let is_written = self.write.is_some_and(|write| write <= step);
            let now = serving(&members, if is_written { after } else { before });
            let gone = at_first.difference(&now).count();
            match &mut lost {
                None if gone > 0 => {
                    lost = Some(Lost {
                        members: gone,
                        of: at_first.len(),
                        from: step,
                        until: None,
                    });
                }
                Some(lost) if gone > 0 => {
                    lost.members = lost.members.max(gone);
                    lost.until = None;
                }
                Some(lost) if lost.until.is_none() => lost.until = Some(step),
                Some(_) | None => {}
            }
        }
        lost
    }
}

/// The write that changes rules, not one ahead of it that only adds or one behind it that only deletes pools.
fn main_write(steps: &[Step], id: &ArmId) -> Option<StepId> {
    let writes = |step: &&Step| match &step.action {
        StepAction::PutLoadBalancer { resource, .. } => resource.id == *id,
        StepAction::DeleteLoadBalancer { id: deleted, .. } => deleted == id,
        StepAction::PutPublicIpPrefix { .. }
        | StepAction::DeletePublicIpPrefix { .. }
        | StepAction::PutPublicIp { .. }
        | StepAction::DeletePublicIp { .. }
        | StepAction::PutNetworkInterface { .. }
        | StepAction::Guest(_)
        | StepAction::WaitForListeners { .. }
        | StepAction::Drain { .. }
        | StepAction::Record => false,
    };
    let of = steps.iter().filter(writes);
    of.filter(|step| step.phase == Phase::Switch)
        .map(|s| s.id)
        .next()
}

fn of_rule(
    plan: &LoadBalancerPlan,
    public: &PublicAddresses,
    members: &Members<'_>,
    answering: &Answering<'_>,
    name: &str,
    moments: &Moments<'_>,
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
    let pools = |item: Option<&Item>| -> Vec<ArmId> {
        item.into_iter()
            .flat_map(|item| Rule { item }.pools().collect::<Vec<_>>())
            .collect()
    };
    let (old, new) = (pools(before), pools(after));
    let moves = moments.first(&new, true).or(moments.first(&new, false));
    if moments.write.is_none() && moves.is_none() {
        return None;
    }
    let lost = before.and_then(|_| moments.lost(&old, &new));
    let (members, ready) = members.count(if after.is_some() { &new } else { &old });
    let effect = match (before, after, moments.write) {
        (None, Some(_), Some(write)) => {
            let already =
                |lb: &LoadBalancer| new.iter().any(|p| !lb.members_of(p.name()).is_empty());
            let has_members = plan.observed.as_ref().is_some_and(already);
            Effect::Begins {
                after: moments.begins(write, &new, has_members),
                ready,
            }
        }
        (Some(_), None, Some(write)) => Effect::Ends {
            after: moments.ends(write, &old),
        },
        (Some(before), Some(after), write) => {
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
            match (write.filter(|_| !words.is_empty()), lost) {
                (Some(write), _) => Effect::Changes {
                    after: write,
                    what: words.join(", "),
                },
                (None, Some(lost)) if lost.until.is_none() => Effect::Changes {
                    after: lost.from,
                    what: format!("{} of {} members leave", lost.members, lost.of),
                },
                (None, _) => Effect::NotInterrupted,
            }
        }
        (None, Some(_) | None, _) | (Some(_), None, None) => return None,
    };
    Some(Traffic {
        destination: destination(side, &rule, public)?,
        port: (rule.protocol() != Some(Protocol::All)).then(|| rule.frontend_port()),
        protocol: rule.protocol()?,
        rule: item.name.clone(),
        load_balancer: plan.addr.clone(),
        effect,
        members,
        answering: answering.of(&plan.id, &item.name),
        lost,
    })
}

/// Destinations that a rule leaves for another one and that no rule serves any more: whoever uses them is cut off.
fn left_behind(
    plan: &LoadBalancerPlan,
    public: &PublicAddresses,
    members: &Members<'_>,
    moments: &Moments<'_>,
) -> Vec<Traffic> {
    let (Some(observed), Some(after), Some(write)) = (&plan.observed, &plan.after, moments.write)
    else {
        return Vec::new();
    };
    let place = |side: &LoadBalancer, rule: &Rule<'_>| {
        let protocol = rule.protocol()?;
        let port = (protocol != Protocol::All).then(|| rule.frontend_port());
        Some((destination(side, rule, public)?, protocol, port))
    };
    let served: BTreeSet<_> = after
        .rules()
        .filter_map(|rule| place(after, &rule))
        .collect();
    let stays = |rule: &Rule<'_>| after.item(ItemKind::Rule, rule.name()).is_some();
    let left = observed.rules().filter(stays).filter_map(|rule| {
        let left = place(observed, &rule)?;
        (!served.contains(&left)).then_some((rule, left))
    });
    left.map(|(rule, (destination, protocol, port))| {
        let pools: Vec<ArmId> = rule.pools().collect();
        Traffic {
            destination,
            port,
            protocol,
            rule: rule.name().to_owned(),
            load_balancer: plan.addr.clone(),
            effect: Effect::Ends {
                after: moments.ends(write, &pools),
            },
            members: members.count(&pools).0,
            answering: 0,
            lost: None,
        }
    })
    .collect()
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
