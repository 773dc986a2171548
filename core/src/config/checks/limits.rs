//! Azure's limits, where they can be counted.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, Scene, name_of};
use crate::model::Attr;
use std::collections::{BTreeMap, BTreeSet};

/// IP configurations behind one frontend.
const CONFIGURATIONS_OF_A_FRONTEND: usize = 10_000;

pub(super) fn check(balancer: &Balancer<'_>, scene: &Scene<'_>, found: &mut Vec<Found>) {
    let sku = balancer
        .wanted
        .attributes
        .get("sku")
        .and_then(Attr::as_text);
    let basic = sku == Some("Basic");
    let (frontends, rules, members) = if basic {
        (200, 250, 300)
    } else {
        (600, 1500, 5000)
    };
    let counts = [
        (balancer.frontends.len(), frontends, "frontends"),
        (
            balancer.rules.len() + balancer.nat_rules.len(),
            rules,
            "load-balancing and inbound NAT rules",
        ),
        (balancer.outbound_rules.len(), 600, "outbound rules"),
    ];
    for (number, limit, what) in counts {
        if number > limit {
            found.push(
                Found::new(&codes::LIMIT, balancer.addr.to_string())
                    .at(balancer.wanted.span.clone(), format!("{number} {what}"))
                    .note(format!("Azure allows {limit} on one load balancer"))
                    .help("spread them over several load balancers"),
            );
        }
    }
    for pool in &balancer.pools {
        let number = scene
            .members_of(&balancer.wanted.id_of(pool).folded())
            .len();
        if number > members {
            found.push(
                Found::on(&codes::LIMIT, balancer, pool)
                    .at(pool.span.clone(), format!("{number} members"))
                    .note(format!("Azure allows {members} members in a pool"))
                    .help("spread them over several pools"),
            );
        }
    }
    let mut of_frontend: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for rule in &balancer.rules {
        let pools = rule.pools.iter().map(String::as_str);
        of_frontend
            .entry(&rule.frontend_id)
            .or_default()
            .extend(pools);
    }
    for (frontend, pools) in of_frontend {
        let number: usize = pools.iter().map(|pool| scene.members_of(pool).len()).sum();
        if number > CONFIGURATIONS_OF_A_FRONTEND {
            found.push(
                Found::new(&codes::LIMIT, balancer.addr.to_string())
                    .at(
                        balancer.wanted.span.clone(),
                        format!(
                            "{number} IP configurations behind frontend {:?}",
                            name_of(frontend)
                        ),
                    )
                    .note(format!("Azure allows {CONFIGURATIONS_OF_A_FRONTEND}"))
                    .help("spread the rules over several frontends"),
            );
        }
    }
}
