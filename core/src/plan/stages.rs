//! How many PUTs a load balancer needs: one, unless a new pool, a leaving member or an address that Azure has yet to
//! choose forces more.

use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use crate::model::{ArmId, ItemKind, LoadBalancer, Rule, Where};
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
pub fn stages(plan: &LoadBalancerPlan, guests: &[GuestPlan]) -> Option<Stages> {
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
    // What has to exist before something else can happen; everything else travels with the main write.
    let mut awaited: BTreeSet<(ItemKind, String)> = BTreeSet::new();
    for rule in after.rules() {
        let before = observed
            .item(ItemKind::Rule, rule.name())
            .map(|item| Rule { item });
        let Some(before) = before.filter(serves) else {
            continue;
        };
        let old: BTreeSet<ArmId> = before.pools().collect();
        for pool in rule
            .pools()
            .filter(|p| !old.contains(p) && joining.contains(p))
        {
            if is_new(&pool) {
                awaited.insert((ItemKind::BackendPool, pool.name().to_owned()));
                reasons.push(format!(
                    "pool {:?} must exist before NICs join it and rule {:?} moves to it",
                    pool.name(),
                    rule.name()
                ));
            }
            stages.join_first.insert(pool);
        }
    }
    for guest in guests {
        // A guest that serves already, or joins before the main write, must be ready before that write; so the frontend
        // whose address it has to hold comes ahead of it.
        let serves = guest.pools.iter().any(|pool| {
            pool.parent().as_ref() == Some(&plan.id)
                && (!observed.members_of(pool.name()).is_empty()
                    || stages.join_first.contains(pool))
        });
        for source in guest
            .ensure
            .iter()
            .filter_map(|touch| match touch.key.destination() {
                Some(Where::AfterApply(source)) if source.parent().as_ref() == Some(&plan.id) => {
                    Some(source)
                }
                Some(Where::AfterApply(_) | Where::Known(_)) | None => None,
            })
        {
            if serves && awaited.insert((ItemKind::Frontend, source.name().to_owned())) {
                reasons.push(format!(
                    "frontend {:?} must exist before guests can hold the address that Azure chooses for it",
                    source.name()
                ));
            }
        }
    }
    if !reasons.is_empty() {
        let mut ahead = observed.clone();
        for (kind, name) in &awaited {
            if let Some(item) = after.item(*kind, name) {
                ahead.set(*kind, item.clone());
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
        // A rule that only changes its name serves on: what clients see is its frontend, port and protocol.
        let same = |a: &Rule<'_>, b: &Rule<'_>| {
            a.name().eq_ignore_ascii_case(b.name())
                || (a.frontend() == b.frontend()
                    && a.frontend_port() == b.frontend_port()
                    && a.protocol() == b.protocol())
        };
        let survives = observed.rules().any(|rule| {
            rule.pools().any(|p| p == id) && after.rules().any(|kept| same(&rule, &kept))
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
