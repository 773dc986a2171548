//! The order of work: expand → switch → contract. What is sent, in which order, and why each step waits.

use super::guest::{GuestPlan, join, leave};
use super::load_balancer::LoadBalancerPlan;
use super::public_ip::PublicIpPlan;
use super::stages::{Moves, Stages, stages};
use super::title;
use super::{
    Action, AwaitedService, Edge, GuestStep, MembershipEdit, Phase, Step, StepAction, StepId,
};
use crate::model::guest::Touch;
use crate::model::{Addr, ArmId, ItemKind, LoadBalancer, Shared, Where};
use crate::state::StateEdit;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Everything that is going to happen, before it is put in order.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    pub public_ips: &'a [PublicIpPlan],
    pub load_balancers: &'a [LoadBalancerPlan],
    pub guests: &'a [GuestPlan],
    pub moves: &'a Moves,
}

#[derive(Default)]
struct Draft {
    steps: Vec<Step>,
    /// Who waits for whom: a second reason to wait adds nothing.
    edges: HashSet<(StepId, StepId)>,
    /// The steps of each resource.
    of_addr: HashMap<Addr, Vec<StepId>>,
}

impl Draft {
    fn push(
        &mut self,
        phase: Phase,
        addr: &Addr,
        title: String,
        action: StepAction,
        record: Vec<StateEdit>,
    ) -> StepId {
        let id =
            StepId(u32::try_from(self.steps.len() + 1).expect("a plan has fewer than 2^32 steps"));
        self.of_addr.entry(addr.clone()).or_default().push(id);
        self.steps.push(Step {
            id,
            phase,
            addr: addr.clone(),
            title,
            action,
            after: Vec::new(),
            record,
        });
        id
    }

    fn wait(&mut self, step: StepId, for_step: Option<StepId>, why: impl Into<String>) {
        let Some(for_step) = for_step else {
            return;
        };
        if step != for_step && self.edges.insert((step, for_step)) {
            // Steps are numbered from 1 as they are pushed, and only waited for once pushed.
            let at = step.0 as usize - 1;
            self.steps[at].after.push(Edge {
                step: for_step,
                why: why.into(),
            });
        }
    }
}

/// Which step does what, to draw edges between them.
#[derive(Default)]
struct Index {
    public_ip: BTreeMap<ArmId, StepId>,
    ahead: BTreeMap<ArmId, StepId>,
    main: BTreeMap<ArmId, StepId>,
    /// The last step of each load balancer.
    last: BTreeMap<ArmId, StepId>,
    expand: BTreeMap<Addr, StepId>,
    /// The script that waits for an address that the main write makes known.
    late: BTreeMap<Addr, StepId>,
    leave: BTreeMap<Addr, Vec<StepId>>,
    /// The newest write of each NIC.
    nic: BTreeMap<ArmId, StepId>,
}

pub fn steps(work: &Work<'_>) -> Vec<Step> {
    let mut draft = Draft::default();
    let mut index = Index::default();
    let staged: Vec<(&LoadBalancerPlan, Option<Stages>)> = work
        .load_balancers
        .iter()
        .map(|plan| (plan, stages(plan, work.guests, work.moves)))
        .collect();

    public_ips(&mut draft, &mut index, work.public_ips);
    ahead(&mut draft, &mut index, &staged);
    let late = expand(&mut draft, &mut index, work.guests, &staged);
    let first_nics = nics(&mut draft, &mut index, work, &staged, When::Before);
    main(&mut draft, &mut index, work, &staged, &first_nics);
    expand_late(&mut draft, &mut index, &late);
    nics(&mut draft, &mut index, work, &staged, When::After);
    behind(&mut draft, &mut index, work.guests, &staged);
    deletions(&mut draft, &mut index, work.load_balancers, work.guests);
    contract(&mut draft, &index, work);
    release_addresses(&mut draft, &index, work.public_ips);
    records(&mut draft, work);
    renumber(draft.steps)
}

fn public_ips(draft: &mut Draft, index: &mut Index, plans: &[PublicIpPlan]) {
    for plan in plans {
        if let Some(resource) = &plan.put {
            let action = StepAction::PutPublicIp {
                before: plan.before.clone(),
                after: resource.fingerprint(),
                resource: resource.clone(),
            };
            let title = title::public_ip(plan.change.action);
            let id = draft.push(
                Phase::Expand,
                &plan.addr,
                title,
                action,
                plan.record.clone(),
            );
            index.public_ip.insert(plan.id.clone(), id);
        }
    }
}

fn put(before: Option<&LoadBalancer>, resource: &LoadBalancer) -> StepAction {
    StepAction::PutLoadBalancer {
        before: before.map(LoadBalancer::fingerprint).unwrap_or_default(),
        after: resource.fingerprint(),
        resource: resource.clone(),
    }
}

fn ahead(draft: &mut Draft, index: &mut Index, staged: &[(&LoadBalancerPlan, Option<Stages>)]) {
    for (plan, stages) in staged {
        let Some((resource, reason)) = stages.as_ref().and_then(|s| s.ahead.as_ref()) else {
            continue;
        };
        let added = plan.record.iter().filter(|edit| match edit {
            StateEdit::LoadBalancer { .. } => true,
            StateEdit::Item { kind, name, .. } => {
                resource.item(*kind, name).is_some()
                    && plan
                        .observed
                        .as_ref()
                        .is_none_or(|o| o.item(*kind, name).is_none())
            }
            _ => false,
        });
        let id = draft.push(
            Phase::Expand,
            &plan.addr,
            format!("a write ahead: {reason}"),
            put(plan.observed.as_ref(), resource),
            added.cloned().collect(),
        );
        wait_for_addresses(draft, index, id, resource);
        index.ahead.insert(plan.id.clone(), id);
        index.last.insert(plan.id.clone(), id);
    }
}

fn wait_for_addresses(draft: &mut Draft, index: &Index, step: StepId, resource: &LoadBalancer) {
    for frontend in resource.of_kind(ItemKind::Frontend) {
        if let Some(id) = frontend.text("public_ip") {
            let public_ip = index.public_ip.get(&ArmId::new(id)).copied();
            draft.wait(step, public_ip, "the frontend stands on this address");
        }
    }
}

fn guest_edits(plan: &GuestPlan) -> Vec<StateEdit> {
    vec![StateEdit::Guest {
        addr: plan.addr.clone(),
        os: plan.reference.os,
        connection: plan.reference.connection.clone(),
    }]
}

/// What guests gain, one script each. Answers what has to wait for a main write: addresses that only it makes known, for
/// guests that become members after it.
fn expand<'a>(
    draft: &mut Draft,
    index: &mut Index,
    guests: &'a [GuestPlan],
    staged: &[(&LoadBalancerPlan, Option<Stages>)],
) -> Vec<(&'a GuestPlan, Shared<Touch>)> {
    let ahead: BTreeSet<&ArmId> = staged
        .iter()
        .filter_map(|(_, stages)| stages.as_ref())
        .flat_map(|stages| &stages.frontends_ahead)
        .collect();
    let waits = |touch: &Touch| match touch.key.destination() {
        // A public IP has its address before the load balancer is written.
        Some(Where::AfterApply(source)) => is_frontend(source) && !ahead.contains(source),
        Some(Where::Known(_)) | None => false,
    };
    let mut all_late = Vec::new();
    for plan in guests.iter().filter(|g| !g.ensure.is_empty()) {
        let (mut late, mut early): (Shared<Touch>, Shared<Touch>) = plan
            .ensure
            .shared()
            .cloned()
            .partition(|touch| waits(touch));
        if !late.is_empty() && !early.iter().any(|touch| plan.holds_between(&touch.key)) {
            // Nothing of it is needed before: one script is enough.
            late = plan.ensure.clone();
            early = Shared::default();
        }
        if !late.is_empty() {
            all_late.push((plan, late));
        }
        if early.is_empty() {
            continue;
        }
        let id = gain(draft, plan, &early);
        for touch in &early {
            if let Some(Where::AfterApply(source)) = touch.key.destination() {
                let why = "its address is known only then";
                draft.wait(id, index.public_ip.get(source).copied(), why);
                let owner = source.parent().and_then(|p| index.ahead.get(&p).copied());
                draft.wait(id, owner, why);
            }
        }
        index.expand.insert(plan.addr.clone(), id);
    }
    all_late
}

fn is_frontend(id: &ArmId) -> bool {
    id.kind().eq_ignore_ascii_case(ItemKind::Frontend.arm())
}

fn expand_late(draft: &mut Draft, index: &mut Index, late: &[(&GuestPlan, Shared<Touch>)]) {
    for (plan, touches) in late {
        let id = gain(draft, plan, touches);
        for touch in touches {
            if let Some(Where::AfterApply(source)) = touch.key.destination() {
                let why = "its address is known only then";
                draft.wait(id, index.public_ip.get(source).copied(), why);
                let owner = source.parent().and_then(|p| index.main.get(&p).copied());
                draft.wait(id, owner, why);
            }
        }
        let earlier = index.expand.get(&plan.addr).copied();
        draft.wait(id, earlier, "one script at a time in a guest");
        index.late.insert(plan.addr.clone(), id);
    }
}

fn gain(draft: &mut Draft, plan: &GuestPlan, touches: &Shared<Touch>) -> StepId {
    let mut record = guest_edits(plan);
    record.extend(plan.record.iter().cloned());
    record.extend(touches.iter().map(|t| entry(&plan.addr, t)));
    let step = GuestStep {
        guest: plan.reference.clone(),
        ensure: touches.clone(),
        release: Shared::default(),
    };
    let title = title::gain(touches);
    draft.push(
        Phase::Expand,
        &plan.addr,
        title,
        StepAction::Guest(step),
        record,
    )
}

fn entry(addr: &Addr, touch: &Touch) -> StateEdit {
    StateEdit::Entry {
        addr: addr.clone(),
        key: touch.key.clone(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
}

/// NIC writes, one for each NIC and moment. Answers the steps by load balancer.
fn nics(
    draft: &mut Draft,
    index: &mut Index,
    work: &Work<'_>,
    staged: &[(&LoadBalancerPlan, Option<Stages>)],
    when: When,
) -> BTreeMap<ArmId, Vec<StepId>> {
    let deleted: BTreeSet<&ArmId> = staged
        .iter()
        .filter(|(p, _)| p.after.is_none())
        .map(|(p, _)| &p.id)
        .collect();
    let written: BTreeSet<&ArmId> = staged
        .iter()
        .filter(|(_, s)| s.is_some())
        .map(|(p, _)| &p.id)
        .collect();
    let is_first = |edit: &MembershipEdit| {
        let load_balancer = edit.pool.parent();
        let is_in =
            |set: &BTreeSet<&ArmId>| load_balancer.as_ref().is_some_and(|lb| set.contains(lb));
        if edit.join {
            work.moves.to.contains(&edit.pool)
        } else {
            // A new rule must not go live on a member that is about to leave: nobody made that member ready for it.
            is_in(&deleted) || (is_in(&written) && !work.moves.from.contains(&edit.pool))
        }
    };
    let guests = work.guests;
    let mut by_load_balancer: BTreeMap<ArmId, Vec<StepId>> = BTreeMap::new();
    for plan in guests {
        let nics: BTreeSet<&ArmId> = plan.joins.keys().chain(plan.leaves.keys()).collect();
        for nic in nics {
            let all = plan
                .joins
                .get(nic)
                .into_iter()
                .chain(plan.leaves.get(nic))
                .flatten();
            let edits: Vec<MembershipEdit> = all
                .filter(|e| is_first(e) == (when == When::Before))
                .cloned()
                .collect();
            if edits.is_empty() {
                continue;
            }
            let mut record = guest_edits(plan);
            record.extend(edits.iter().map(|edit| {
                let of = if edit.join { join } else { leave };
                of(&plan.addr, nic, &edit.ip_configuration, &edit.pool)
            }));
            let action = StepAction::PutNetworkInterface {
                id: nic.clone(),
                edits: edits.clone(),
            };
            let id = draft.push(
                Phase::Switch,
                &plan.addr,
                title::membership(nic, &edits),
                action,
                record,
            );
            let joins = edits.iter().any(|e| e.join);
            for ready in [&index.expand, &index.late].into_iter().filter(|_| joins) {
                let why = "the guest must be ready before packets come";
                draft.wait(id, ready.get(&plan.addr).copied(), why);
            }
            for edit in &edits {
                let Some(load_balancer) = edit.pool.parent() else {
                    continue;
                };
                let why = if edit.join {
                    "the pool must exist"
                } else {
                    "its rules have moved away"
                };
                let earlier = match when {
                    When::Before => index.ahead.get(&load_balancer),
                    When::After => index.main.get(&load_balancer),
                };
                draft.wait(id, earlier.copied(), why);
                if when == When::Before && !edit.join {
                    // What replaces the member is ready before it leaves.
                    for guest in guests
                        .iter()
                        .filter(|g| g.load_balancers.contains(&load_balancer))
                    {
                        let ready = index.expand.get(&guest.addr).copied();
                        draft.wait(id, ready, "the other members are ready first");
                    }
                }
                by_load_balancer.entry(load_balancer).or_default().push(id);
            }
            let earlier = index.nic.insert(nic.clone(), id);
            draft.wait(id, earlier, "one write at a time to a NIC");
            if edits.iter().any(|e| !e.join) {
                index.leave.entry(plan.addr.clone()).or_default().push(id);
            }
        }
    }
    by_load_balancer
}

fn main(
    draft: &mut Draft,
    index: &mut Index,
    work: &Work<'_>,
    staged: &[(&LoadBalancerPlan, Option<Stages>)],
    first_nics: &BTreeMap<ArmId, Vec<StepId>>,
) {
    for (plan, stages) in staged {
        let Some(stages) = stages else {
            continue;
        };
        let before = stages
            .ahead
            .as_ref()
            .map(|(resource, _)| resource)
            .or(plan.observed.as_ref());
        let id = draft.push(
            Phase::Switch,
            &plan.addr,
            title::load_balancer(&plan.change),
            put(before, &stages.main),
            plan.record
                .iter()
                .filter(|edit| !goes_behind(edit, plan, stages))
                .cloned()
                .collect(),
        );
        draft.wait(
            id,
            index.ahead.get(&plan.id).copied(),
            "it builds on the write ahead",
        );
        wait_for_addresses(draft, index, id, &stages.main);
        let listeners = wait_for_listeners(draft, index, work.guests, plan);
        draft.wait(id, listeners, "applications listen first");
        for guest in work.guests {
            let reached = guest.load_balancers.contains(&plan.id);
            let holds_up = reached && !guest.accepted_unready;
            let expand = index.expand.get(&guest.addr).copied().filter(|_| holds_up);
            let why = "a rule goes live only on members that are ready for it";
            draft.wait(id, expand, why);
        }
        for nic in first_nics.get(&plan.id).into_iter().flatten() {
            draft.wait(id, Some(*nic), "members move first");
        }
        index.main.insert(plan.id.clone(), id);
        index.last.insert(plan.id.clone(), id);
    }
}

/// Waits, once guests are ready, for the applications that rules with `wait_for_listener` lead to. Where an address is known
/// only after the write, nothing can listen on it before.
fn wait_for_listeners(
    draft: &mut Draft,
    index: &Index,
    guests: &[GuestPlan],
    plan: &LoadBalancerPlan,
) -> Option<StepId> {
    let mut seconds = 0;
    let mut services = Vec::new();
    let mut ready = Vec::new();
    for guest in guests
        .iter()
        .filter(|g| !g.accepted_unready && !index.late.contains_key(&g.addr))
    {
        for service in guest.silent.iter().filter(|s| *s.load_balancer == plan.id) {
            let Some(wait) = plan.waits.get(&service.rule.to_ascii_lowercase()) else {
                continue;
            };
            seconds = seconds.max(*wait);
            services.push(AwaitedService {
                guest: guest.reference.clone(),
                rule: service.rule.to_string(),
                protocol: service.protocol,
                destination: service.destination(),
                port: service.port,
            });
            ready.extend(index.expand.get(&guest.addr).copied());
        }
    }
    if services.is_empty() {
        return None;
    }
    let title = title::listeners(&services, seconds);
    let action = StepAction::WaitForListeners { seconds, services };
    let id = draft.push(Phase::Switch, &plan.addr, title, action, Vec::new());
    for step in ready {
        let why = "an application binds to an address once it is there";
        draft.wait(id, Some(step), why);
    }
    Some(id)
}

/// Whether the edit forgets a pool that only the write behind deletes: until then it is there, and ours.
fn goes_behind(edit: &StateEdit, plan: &LoadBalancerPlan, stages: &Stages) -> bool {
    match edit {
        StateEdit::RemoveItem {
            kind: ItemKind::BackendPool,
            name,
            ..
        } => stages
            .deleted_behind
            .contains(&plan.id.child(ItemKind::BackendPool.arm(), name)),
        _ => false,
    }
}

fn behind(
    draft: &mut Draft,
    index: &mut Index,
    guests: &[GuestPlan],
    staged: &[(&LoadBalancerPlan, Option<Stages>)],
) {
    for (plan, stages) in staged {
        let Some((stages, resource)) = stages
            .as_ref()
            .and_then(|s| s.behind.as_ref().map(|r| (s, r)))
        else {
            continue;
        };
        let id = draft.push(
            Phase::Contract,
            &plan.addr,
            "a write behind: pools go once their NICs have left".to_owned(),
            put(Some(&stages.main), resource),
            plan.record
                .iter()
                .filter(|edit| goes_behind(edit, plan, stages))
                .cloned()
                .collect(),
        );
        draft.wait(
            id,
            index.main.get(&plan.id).copied(),
            "rules have moved away",
        );
        wait_for_leaves(draft, index, id, &plan.id, guests);
        index.last.insert(plan.id.clone(), id);
    }
}

fn wait_for_leaves(
    draft: &mut Draft,
    index: &Index,
    step: StepId,
    load_balancer: &ArmId,
    guests: &[GuestPlan],
) {
    for guest in guests {
        let leaves = guest
            .leaves
            .values()
            .flatten()
            .any(|e| e.pool.parent().as_ref() == Some(load_balancer));
        if leaves {
            for nic in index.leave.get(&guest.addr).into_iter().flatten() {
                draft.wait(step, Some(*nic), "NICs leave before a pool goes");
            }
        }
    }
}

fn deletions(
    draft: &mut Draft,
    index: &mut Index,
    plans: &[LoadBalancerPlan],
    guests: &[GuestPlan],
) {
    for plan in plans
        .iter()
        .filter(|p| p.after.is_none() && p.change.action == Action::Delete)
    {
        let before = plan
            .observed
            .as_ref()
            .map(LoadBalancer::fingerprint)
            .unwrap_or_default();
        let action = StepAction::DeleteLoadBalancer {
            id: plan.id.clone(),
            before,
        };
        let id = draft.push(
            Phase::Switch,
            &plan.addr,
            "delete".to_owned(),
            action,
            plan.record.clone(),
        );
        wait_for_leaves(draft, index, id, &plan.id, guests);
        index.last.insert(plan.id.clone(), id);
    }
}

fn contract(draft: &mut Draft, index: &Index, work: &Work<'_>) {
    let mut drains: BTreeMap<ArmId, StepId> = BTreeMap::new();
    for plan in work.guests.iter().filter(|g| !g.release.is_empty()) {
        let mut waits: Vec<StepId> = Vec::new();
        for load_balancer in plan.load_balancers.iter().cloned() {
            let last = index.last.get(&load_balancer).copied();
            let owner = work.load_balancers.iter().find(|p| p.id == load_balancer);
            match owner.filter(|p| p.drain_seconds > 0) {
                Some(owner) => {
                    let drain = *drains.entry(load_balancer).or_insert_with(|| {
                        let seconds = owner.drain_seconds;
                        let title = format!("let connections end for {seconds} s");
                        let id = draft.push(
                            Phase::Contract,
                            &owner.addr,
                            title,
                            StepAction::Drain { seconds },
                            vec![],
                        );
                        draft.wait(id, last, "Azure sends nothing new from then on");
                        for nic in index.leave.values().flatten() {
                            draft.wait(id, Some(*nic), "Azure sends nothing new from then on");
                        }
                        id
                    });
                    waits.push(drain);
                }
                None => waits.extend(last),
            }
        }
        let mut record = if plan.declared {
            guest_edits(plan)
        } else {
            Vec::new()
        };
        record.extend(plan.release.iter().map(|touch| StateEdit::RemoveEntry {
            addr: plan.addr.clone(),
            key: touch.key.clone(),
        }));
        if !plan.declared {
            record.push(StateEdit::Remove {
                addr: plan.addr.clone(),
            });
        }
        let step = GuestStep {
            guest: plan.reference.clone(),
            ensure: Shared::default(),
            release: plan.release.clone(),
        };
        let title = title::lose(&plan.release);
        let id = draft.push(
            Phase::Contract,
            &plan.addr,
            title,
            StepAction::Guest(step),
            record,
        );
        for wait in waits {
            draft.wait(
                id,
                Some(wait),
                "nothing is taken away while Azure may still send",
            );
        }
        for nic in index.leave.get(&plan.addr).into_iter().flatten() {
            draft.wait(id, Some(*nic), "the guest is out of the pool");
        }
        for earlier in [&index.expand, &index.late] {
            let why = "one script at a time in a guest";
            draft.wait(id, earlier.get(&plan.addr).copied(), why);
        }
    }
}

fn release_addresses(draft: &mut Draft, index: &Index, plans: &[PublicIpPlan]) {
    for plan in plans.iter().filter(|p| p.delete) {
        let action = StepAction::DeletePublicIp {
            id: plan.id.clone(),
            before: plan.before.clone(),
        };
        let title = "give the address up".to_owned();
        let id = draft.push(
            Phase::Contract,
            &plan.addr,
            title,
            action,
            plan.record.clone(),
        );
        for last in index.last.values().copied().collect::<Vec<_>>() {
            draft.wait(id, Some(last), "no frontend stands on it any more");
        }
    }
}

/// What is only written down: adoptions, forgettings, guests that are gone.
fn records(draft: &mut Draft, work: &Work<'_>) {
    for plan in work
        .public_ips
        .iter()
        .filter(|p| p.put.is_none() && !p.delete)
    {
        if plan.change.action != Action::NoOp {
            let title = title::record(plan.change.action);
            draft.push(
                Phase::Contract,
                &plan.addr,
                title,
                StepAction::Record,
                plan.record.clone(),
            );
        }
    }
    for plan in work.load_balancers.iter().filter(|p| !p.writes()) {
        if plan.change.action != Action::NoOp {
            let title = title::record(plan.change.action);
            draft.push(
                Phase::Contract,
                &plan.addr,
                title,
                StepAction::Record,
                plan.record.clone(),
            );
        }
    }
    for plan in work.guests {
        let mut record = Vec::new();
        // Any other step of the guest records the guest itself.
        let silent = plan.ensure.is_empty()
            && plan.release.is_empty()
            && plan.joins.is_empty()
            && plan.leaves.is_empty();
        if plan.declared && plan.ensure.is_empty() {
            if (silent && plan.change.action != Action::NoOp) || !plan.record.is_empty() {
                record.extend(guest_edits(plan));
            }
            record.extend(plan.record.iter().cloned());
        }
        record.extend(plan.forget.iter().map(|key| StateEdit::RemoveEntry {
            addr: plan.addr.clone(),
            key: key.clone(),
        }));
        if !plan.declared && plan.release.is_empty() {
            record.push(match &plan.unreadable {
                Some(_) => StateEdit::Pending {
                    addr: plan.addr.clone(),
                },
                None => StateEdit::Remove {
                    addr: plan.addr.clone(),
                },
            });
        }
        if !record.is_empty() {
            let title = title::record(plan.change.action);
            let id = draft.push(
                Phase::Contract,
                &plan.addr,
                title,
                StepAction::Record,
                record,
            );
            let earlier = draft.of_addr.get(&plan.addr).cloned().unwrap_or_default();
            for step in earlier {
                draft.wait(id, Some(step), "the state learns of it last");
            }
        }
    }
}

/// Numbers steps so that a step's number is greater than those of the steps it waits for, and otherwise in the order in
/// which they were drafted.
pub fn renumber(steps: Vec<Step>) -> Vec<Step> {
    let mut waiters: HashMap<StepId, Vec<usize>> = HashMap::new();
    let mut open: Vec<usize> = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        open.push(step.after.len());
        for edge in &step.after {
            waiters.entry(edge.step).or_default().push(at);
        }
    }
    let mut left: BTreeSet<usize> = (0..steps.len()).collect();
    let mut ready: BTreeSet<usize> = left.iter().copied().filter(|at| open[*at] == 0).collect();
    let mut order: Vec<usize> = Vec::with_capacity(steps.len());
    // A circle would be a bug of the planner; the engine refuses a step that waits for a later one.
    while let Some(next) = ready.pop_first().or_else(|| left.first().copied()) {
        left.remove(&next);
        order.push(next);
        for waiter in waiters.get(&steps[next].id).into_iter().flatten() {
            open[*waiter] -= 1;
            if open[*waiter] == 0 && left.contains(waiter) {
                ready.insert(*waiter);
            }
        }
    }
    let number: HashMap<StepId, StepId> = order
        .iter()
        .zip(1..)
        .map(|(at, number)| (steps[*at].id, StepId(number)))
        .collect();
    let mut drafted: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    let mut ordered: Vec<Step> = order
        .into_iter()
        .filter_map(|at| drafted[at].take())
        .collect();
    for step in &mut ordered {
        step.id = number[&step.id];
        for edge in &mut step.after {
            edge.step = number[&edge.step];
        }
        step.after.sort_by_key(|e| e.step);
    }
    ordered
}
