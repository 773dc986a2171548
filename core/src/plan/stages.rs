//! How many PUTs a load balancer needs: one, unless a new pool, a leaving member or an address that Azure has yet to
//! choose forces more.

use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use crate::config::{Desired, GuestMode};
use crate::model::{ArmId, ItemKind, LoadBalancer, Rule};
use std::collections::BTreeSet;

/// The bodies to PUT, in order, and where NICs join and leave between them.
#[derive(Debug)]
pub struct Stages {
    /// Only adds frontends, pools and probes that something has to wait for; the reason is for people.
    pub ahead: Option<(LoadBalancer, String)>,
    /// Everything but what members still have to leave.
    pub main: LoadBalancer,
    /// Deletes pools once their members have left for the pools that `main` put in place.
    pub behind: Option<LoadBalancer>,
    /// NICs join these pools before `main`, because a rule that serves now moves to them.
    pub join_first: BTreeSet<ArmId>,
    /// NICs leave these pools only after `main`.
    pub leave_after: BTreeSet<ArmId>,
    /// NICs leave these pools before `main`, which deletes them.
    pub leave_before: BTreeSet<ArmId>,
}

/// `None` where the load balancer is deleted or nothing is written.
pub fn stages(plan: &LoadBalancerPlan, desired: &Desired, guests: &[GuestPlan]) -> Option<Stages> {
    let after = plan.after.as_ref().filter(|_| plan.writes())?;
    let mut stages = Stages {
        ahead: None,
        main: after.clone(),
        behind: None,
        join_first: BTreeSet::new(),
        leave_after: BTreeSet::new(),
        leave_before: BTreeSet::new(),
    };
    let Some(observed) = &plan.observed else {
        return Some(stages);
    };
    let joining = pools_in(guests, |g| {
        g.joins.values().flatten().map(|e| e.pool.clone()).collect()
    });
    let leaving = pools_in(guests, |g| {
        g.leaves
            .values()
            .flatten()
            .map(|e| e.pool.clone())
            .collect()
    });
    let is_new = |pool: &ArmId| {
        observed
            .by_id(ItemKind::BackendPool, pool.as_str())
            .is_none()
    };
    let serves = |rule: &Rule<'_>| {
        rule.pools()
            .any(|p| !observed.members_of(p.name()).is_empty())
    };

    let mut reasons = Vec::new();
    for rule in after.rules() {
        let before = observed
            .item(ItemKind::Rule, rule.name())
            .map(|item| Rule { item });
        if let Some(before) = before.filter(serves) {
            let old: BTreeSet<ArmId> = before.pools().collect();
            for pool in rule
                .pools()
                .filter(|p| !old.contains(p) && joining.contains(p))
            {
                if is_new(&pool) {
                    reasons.push(format!(
                        "pool {:?} must exist before NICs join it and rule {:?} moves to it",
                        pool.name(),
                        rule.name()
                    ));
                }
                stages.join_first.insert(pool);
            }
            continue;
        }
        if before.is_none() && waits_for_address(plan, desired, observed, after, &rule) {
            let frontend = rule
                .frontend()
                .map(|f| f.name().to_owned())
                .unwrap_or_default();
            reasons.push(format!(
                "frontend {frontend:?} must exist before guests can hold the address that Azure chooses for it"
            ));
        }
    }
    if !reasons.is_empty() {
        let mut ahead = observed.clone();
        for kind in [ItemKind::Frontend, ItemKind::BackendPool, ItemKind::Probe] {
            for item in after.of_kind(kind) {
                if observed.item(kind, &item.name).is_none() {
                    ahead.set(kind, item.clone());
                }
            }
        }
        reasons.dedup();
        stages.ahead = Some((ahead, reasons.join("; ")));
    }
    for pool in observed.of_kind(ItemKind::BackendPool) {
        let id = observed.id_of(ItemKind::BackendPool, &pool.name);
        if after.item(ItemKind::BackendPool, &pool.name).is_some() || !leaving.contains(&id) {
            continue;
        }
        let survives = observed.rules().any(|rule| {
            rule.pools().any(|p| p == id) && after.item(ItemKind::Rule, rule.name()).is_some()
        });
        if survives {
            stages.leave_after.insert(id);
            stages.main.set(ItemKind::BackendPool, pool.clone());
        } else {
            stages.leave_before.insert(id);
        }
    }
    if !stages.leave_after.is_empty() {
        stages.behind = Some(after.clone());
    }
    Some(stages)
}

fn pools_in(guests: &[GuestPlan], of: impl Fn(&GuestPlan) -> Vec<ArmId>) -> BTreeSet<ArmId> {
    guests.iter().flat_map(of).collect()
}

/// A new rule on a new internal frontend whose address Azure chooses, with members that serve already.
fn waits_for_address(
    plan: &LoadBalancerPlan,
    desired: &Desired,
    observed: &LoadBalancer,
    after: &LoadBalancer,
    rule: &Rule<'_>,
) -> bool {
    let Some(frontend) = rule
        .frontend()
        .and_then(|id| after.by_id(ItemKind::Frontend, id.as_str()))
    else {
        return false;
    };
    let mode = desired
        .load_balancers
        .get(&plan.addr)
        .and_then(|lb| lb.item(ItemKind::Frontend, &frontend.name))
        .map(|item| item.guest.mode)
        .unwrap_or_default();
    rule.floating()
        && mode == GuestMode::Loopback
        && LoadBalancer::is_dynamic(frontend)
        && observed.item(ItemKind::Frontend, &frontend.name).is_none()
        && rule
            .pools()
            .any(|p| !observed.members_of(p.name()).is_empty())
}
