//! What Azure refuses of a load balancer, told at once: the planner must never send it.

use super::Inner;
use plimsoll_core::model::*;

pub fn check(w: &Inner, resource: &LoadBalancer) {
    let name = resource.id.name();
    for frontend in resource.of_kind(ItemKind::Frontend) {
        if let Some(public) = frontend.text("public_ip").map(ArmId::new) {
            assert!(
                w.public_ips.contains_key(&public),
                "{name}: frontend {:?} stands on {public}, which is not there",
                frontend.name
            );
        }
    }
    let mut all = Vec::new();
    for kind in [ItemKind::Rule, ItemKind::InboundNatRule] {
        for item in resource.of_kind(kind) {
            all.extend(
                item.text("frontend")
                    .map(|id| (ItemKind::Frontend, item, id)),
            );
            all.extend(item.text("probe").map(|id| (ItemKind::Probe, item, id)));
            let pools = item.list("backend_pools").iter().map(String::as_str);
            let pools = pools.chain(item.text("backend_pool"));
            all.extend(pools.map(|id| (ItemKind::BackendPool, item, id)));
        }
    }
    for (kind, item, id) in all {
        assert!(
            resource.by_id(kind, id).is_some(),
            "{name}: {:?} dangles: {id}",
            item.name
        );
    }
    let before = w
        .load_balancers
        .get(&resource.id)
        .map(|lb| w.with_members(lb));
    for (pool, members) in before.iter().flat_map(|lb| &lb.members) {
        assert!(
            resource.item(ItemKind::BackendPool, pool).is_some() || members.is_empty(),
            "{name}: pool {pool:?} goes while {members:?} are in it"
        );
    }
    apart(resource);
}

/// No two rules may give one flow two meanings (FACTS 5), whoever made them.
fn apart(resource: &LoadBalancer) {
    let name = resource.id.name();
    let all: Vec<(&Item, Vec<&str>)> = [ItemKind::Rule, ItemKind::InboundNatRule]
        .into_iter()
        .flat_map(|kind| resource.of_kind(kind))
        .map(|item| {
            let pools = item.list("backend_pools").iter().map(String::as_str);
            (item, pools.chain(item.text("backend_pool")).collect())
        })
        .collect();
    let same = |one: &Item, other: &Item, attribute: &str| {
        one.attributes.get(attribute) == other.attributes.get(attribute)
    };
    for (index, (one, pools)) in all.iter().enumerate() {
        for (other, others) in &all[..index] {
            if !same(one, other, "protocol") {
                continue;
            }
            let (frontend, floating) = (
                same(one, other, "frontend"),
                (one.flag("floating_ip"), other.flag("floating_ip")),
            );
            let ((low, high), (first, last)) = (ports(one), ports(other));
            assert!(
                !frontend || high < first || last < low,
                "{name}: Azure refuses {:?} beside {:?}: one port of one frontend",
                one.name,
                other.name
            );
            let pool = pools.iter().any(|pool| others.contains(pool));
            let meet = match floating {
                (true, true) => frontend,
                (false, false) => true,
                (true, false) | (false, true) => false,
            };
            assert!(
                !(pool && meet && same(one, other, "backend_port")),
                "{name}: Azure refuses {:?} beside {:?}: one flow in one pool",
                one.name,
                other.name
            );
        }
    }
}

fn ports(item: &Item) -> (i64, i64) {
    let range = item
        .int("frontend_port_range_start")
        .zip(item.int("frontend_port_range_end"));
    let single = item.int("frontend_port").map(|port| (port, port));
    range.or(single).expect("it takes a port of its frontend")
}
