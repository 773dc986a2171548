//! How many writes of the load balancer are forced: counted from what was there before and after a run, by the list of
//! DESIGN section 5, without looking at the plan.

use super::play::web;
use super::scenario::{Mode, Setup};
use crate::world::Inner;
use plimsoll_core::model::*;
use std::collections::{BTreeMap, BTreeSet};

/// The load balancer and who is in its pools, as it was at one moment.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    load_balancer: Option<LoadBalancer>,
    /// Pool → NICs.
    members: BTreeMap<String, BTreeSet<String>>,
}

impl Picture {
    pub fn of(w: &Inner) -> Self {
        let mut members: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for nic in w.nics.values() {
            for pool in nic
                .ip_configurations
                .values()
                .flat_map(|c| &c.backend_pools)
            {
                if pool.parent() == Some(web()) {
                    let names = members.entry(pool.name().to_owned()).or_default();
                    names.insert(nic.id.name().to_owned());
                }
            }
        }
        Self {
            load_balancer: w.load_balancers.get(&web()).cloned(),
            members,
        }
    }

    fn in_pool(&self, pool: &str) -> BTreeSet<String> {
        self.members.get(pool).cloned().unwrap_or_default()
    }

    fn pools(&self) -> BTreeSet<&str> {
        let pools = self
            .load_balancer
            .iter()
            .flat_map(|lb| lb.of_kind(ItemKind::BackendPool));
        pools.map(|pool| pool.name.as_str()).collect()
    }

    /// Rules, and NAT rules that lead to a pool.
    fn rules(&self) -> Vec<&Item> {
        let kinds = [ItemKind::Rule, ItemKind::InboundNatRule];
        let of = |lb| {
            kinds
                .into_iter()
                .flat_map(move |kind| LoadBalancer::of_kind(lb, kind))
        };
        self.load_balancer.iter().flat_map(of).collect()
    }

    /// What a PUT carries.
    fn body(&self) -> String {
        self.load_balancer.as_ref().map_or(String::new(), |lb| {
            let mut body = lb.clone();
            body.dynamic_addresses.clear();
            format!("{:?}", body.fingerprint())
        })
    }
}

fn pools_of(rule: &Item) -> BTreeSet<&str> {
    let ids = rule.list("backend_pools").iter().map(String::as_str);
    let ids = ids.chain(rule.text("backend_pool"));
    ids.filter_map(|id| id.rsplit('/').next()).collect()
}

/// What clients see of a rule.
fn flow(rule: &Item) -> (Option<&str>, Option<i64>, Option<&str>) {
    let port = rule
        .int("frontend_port")
        .or(rule.int("frontend_port_range_start"));
    (rule.text("frontend"), port, rule.text("protocol"))
}

/// The same rule, or the same rule to clients, whatever its name is.
fn goes_on<'a>(rule: &'a Item, among: &'a [&'a Item]) -> impl Iterator<Item = &'a Item> {
    let same = |other: &&&Item| other.name == rule.name || flow(other) == flow(rule);
    among.iter().filter(same).copied()
}

/// The least number of PUTs.
pub fn forced(before: &Picture, after: &Picture, setup: &Setup) -> usize {
    if before.body() == after.body() {
        return 0;
    }
    let (old, new) = (before.rules(), after.rules());
    let serves = |rule: &Item| {
        pools_of(rule)
            .iter()
            .any(|pool| !before.in_pool(pool).is_empty())
    };
    let mut ahead = false;
    // NICs that are in the pool of a rule when the main write comes: they must be ready by then.
    let mut early: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for rule in &new {
        for pool in pools_of(rule) {
            early.entry(pool).or_default().extend(before.in_pool(pool));
        }
        let moves = goes_on(rule, &old).filter(|was| serves(was));
        let new_pools = moves.flat_map(|was| {
            let (now, then) = (pools_of(rule), pools_of(was));
            now.difference(&then).copied().collect::<Vec<_>>()
        });
        for pool in new_pools {
            let joining: BTreeSet<String> = after
                .in_pool(pool)
                .difference(&before.in_pool(pool))
                .cloned()
                .collect();
            // A rule that serves moves to a pool that has yet to be there.
            ahead |= !joining.is_empty() && !before.pools().contains(pool);
            early.entry(pool).or_default().extend(joining);
        }
    }
    // An address that Azure has yet to choose, for members that are there already.
    let is_new = |name: &str| {
        !before
            .load_balancer
            .iter()
            .any(|lb| lb.item(ItemKind::Frontend, name).is_some())
    };
    // With the state lost, a guest that left the configuration is in its pool for ever, and nobody can make it ready.
    let is_known = |nic: &str| {
        let guest = nic.strip_suffix("-nic");
        guest.is_some_and(|guest| setup.guests.contains_key(guest))
    };
    if before.load_balancer.is_some() && is_new("inner") && setup.mode("inner").is_some() {
        let asks = |rule: &&Item| {
            rule.text("frontend")
                .is_some_and(|id| id.ends_with("/inner"))
                && rule.flag("floating_ip")
        };
        let needs = new.iter().copied().filter(asks).any(|rule| {
            pools_of(rule).iter().any(|pool| {
                let early = early.get(pool).into_iter().flatten();
                early
                    .into_iter()
                    .any(|nic| after.in_pool(pool).contains(nic) && is_known(nic))
            })
        });
        ahead |= needs && setup.mode("inner") != Some(Mode::None);
    }
    // Members of a pool that goes leave it only once its rules have moved to others that serve.
    let behind = before.pools().difference(&after.pools()).any(|pool| {
        !before.in_pool(pool).is_empty()
            && old
                .iter()
                .filter(|rule| pools_of(rule).contains(pool))
                .any(|rule| {
                    goes_on(rule, &new).any(|kept| {
                        pools_of(kept)
                            .iter()
                            .any(|pool| early.get(pool).is_some_and(|nics| !nics.is_empty()))
                    })
                })
    });
    1 + usize::from(ahead) + usize::from(behind)
}
