//! How many PUTs a load balancer needs: one, unless a new pool, a leaving member or an address that Azure has yet to
//! choose forces more. And which NICs move before that PUT and which after it.

use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use crate::model::{ArmId, Item, ItemKind, LoadBalancer, Rule, Where};
use std::collections::{BTreeSet, HashMap};

/// The bodies to PUT, in order.
#[derive(Debug)]
pub struct Stages {
    /// Only adds frontends and pools that something has to wait for; the reason is for people.
    pub ahead: Option<(LoadBalancer, String)>,
    /// Everything but what members still have to leave.
    pub main: LoadBalancer,
    /// Deletes pools once their members have left for the pools that `main` put in place.
    pub behind: Option<LoadBalancer>,
    /// Pools that only `behind` deletes.
    pub deleted_behind: BTreeSet<ArmId>,
    /// Frontends whose addresses are known before `main`.
    pub frontends_ahead: BTreeSet<ArmId>,
}

/// Pools between which rules that serve move with the main write of their load balancer.
#[derive(Debug, Default)]
pub struct Moves {
    /// NICs join these before it, so that the rule is served at once.
    pub to: BTreeSet<ArmId>,
    /// NICs leave these only after it.
    pub from: BTreeSet<ArmId>,
}

/// What clients see of a rule, or of a NAT rule that leads to a pool.
struct Flow<'a> {
    kind: ItemKind,
    item: &'a Item,
    pools: Vec<ArmId>,
}

/// What clients use: a rule under another name that has the same frontend, port and protocol serves on.
type Use = (ItemKind, String, Option<i64>, Option<i64>, String);

impl Flow<'_> {
    fn name(&self) -> (ItemKind, String) {
        (self.kind, self.item.name.to_ascii_lowercase())
    }

    fn what(&self) -> Use {
        let text = |name: &str| {
            self.item
                .text(name)
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        let (port, start) = ("frontend_port", "frontend_port_range_start");
        let int = |name: &str| self.item.int(name);
        (
            self.kind,
            text("frontend"),
            int(port),
            int(start),
            text("protocol"),
        )
    }
}

fn flows(load_balancer: &LoadBalancer) -> Vec<Flow<'_>> {
    let rules = load_balancer.of_kind(ItemKind::Rule).map(|item| Flow {
        kind: ItemKind::Rule,
        item,
        pools: Rule { item }.pools().collect(),
    });
    let nat = load_balancer
        .of_kind(ItemKind::InboundNatRule)
        .map(|item| Flow {
            kind: ItemKind::InboundNatRule,
            item,
            pools: item
                .text("backend_pool")
                .map(ArmId::new)
                .into_iter()
                .collect(),
        });
    rules.chain(nat).collect()
}

/// `joining` are the pools that some NIC is going to join.
pub fn moves(plans: &[LoadBalancerPlan], joining: &BTreeSet<ArmId>) -> Moves {
    let mut moves = Moves::default();
    for plan in plans.iter().filter(|plan| plan.writes()) {
        let (Some(observed), Some(after)) = (&plan.observed, &plan.after) else {
            continue;
        };
        let has_members = |pool: &ArmId| !observed.members_of(pool.name()).is_empty();
        let before: Vec<Flow<'_>> = flows(observed)
            .into_iter()
            .filter(|flow| flow.pools.iter().any(has_members))
            .collect();
        let by_name: HashMap<_, &Flow<'_>> = before.iter().map(|f| (f.name(), f)).collect();
        let by_use: HashMap<_, &Flow<'_>> = before.iter().map(|f| (f.what(), f)).collect();
        for flow in flows(after) {
            let goes_on = [by_name.get(&flow.name()), by_use.get(&flow.what())];
            for was in goes_on.into_iter().flatten() {
                let new = flow.pools.iter().filter(|pool| !was.pools.contains(pool));
                moves
                    .to
                    .extend(new.filter(|pool| joining.contains(*pool)).cloned());
                let is_served = |pool: &ArmId| has_members(pool) || joining.contains(pool);
                if flow.pools.iter().any(is_served) {
                    let old = was.pools.iter().filter(|pool| !flow.pools.contains(pool));
                    moves
                        .from
                        .extend(old.filter(|pool| has_members(pool)).cloned());
                }
            }
        }
    }
    moves
}

/// `None` where the load balancer is deleted or nothing is written.
pub fn stages(plan: &LoadBalancerPlan, guests: &[GuestPlan], moves: &Moves) -> Option<Stages> {
    let after = plan.after.as_ref().filter(|_| plan.writes())?;
    let mut stages = Stages {
        ahead: None,
        main: after.clone(),
        behind: None,
        deleted_behind: BTreeSet::new(),
        frontends_ahead: BTreeSet::new(),
    };
    let Some(observed) = &plan.observed else {
        return Some(stages);
    };
    let mut reasons = Vec::new();
    // What has to exist before something else can happen; everything else travels with the main write.
    let mut awaited: BTreeSet<(ItemKind, String)> = BTreeSet::new();
    for pool in after.of_kind(ItemKind::BackendPool) {
        let id = after.id_of(ItemKind::BackendPool, &pool.name);
        if moves.to.contains(&id) && observed.item(ItemKind::BackendPool, &pool.name).is_none() {
            awaited.insert((ItemKind::BackendPool, pool.name.clone()));
            let moving = flows(after)
                .into_iter()
                .find(|flow| flow.pools.contains(&id));
            reasons.push(format!(
                "pool {:?} must exist before NICs join it and rule {:?} moves to it",
                pool.name,
                moving.map_or("", |flow| &flow.item.name)
            ));
        }
    }
    for guest in guests {
        // Who is a member when the main write comes must be ready by then; so the frontend whose address it has to hold
        // comes ahead of it.
        for touch in guest
            .ensure
            .iter()
            .filter(|touch| guest.holds_between(&touch.key))
        {
            let Some(Where::AfterApply(source)) = touch.key.destination() else {
                continue;
            };
            if source.parent().as_ref() == Some(&plan.id)
                && stages.frontends_ahead.insert(source.clone())
            {
                awaited.insert((ItemKind::Frontend, source.name().to_owned()));
                reasons.push(format!(
                    "frontend {:?} must exist before guests can hold the address that Azure chooses for it",
                    source.name()
                ));
            }
        }
    }
    if !reasons.is_empty() {
        let mut ahead = observed.clone();
        ahead.failed = false;
        for (kind, name) in &awaited {
            if let Some(item) = after.item(*kind, name) {
                ahead.set(*kind, item.clone());
            }
        }
        stages.ahead = Some((ahead, reasons.join("; ")));
    }
    for pool in observed.of_kind(ItemKind::BackendPool) {
        let id = observed.id_of(ItemKind::BackendPool, &pool.name);
        let goes = after.item(ItemKind::BackendPool, &pool.name).is_none();
        if goes && moves.from.contains(&id) {
            stages.deleted_behind.insert(id);
            stages.main.set(ItemKind::BackendPool, pool.clone());
        }
    }
    if !stages.deleted_behind.is_empty() {
        stages.behind = Some(after.clone());
    }
    Some(stages)
}
