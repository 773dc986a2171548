//! Frontends: their addresses, families and zones, and what is declared without being used.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, Family, Frontend, Rule, place, text};
use crate::config::GuestMode;
use crate::config::desired::DesiredItem;
use crate::model::Code;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) fn check(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    for frontend in &balancer.frontends {
        address(balancer, frontend, found);
        zones(balancer, frontend, found);
    }
    let mut dynamic: BTreeSet<&str> = BTreeSet::new();
    for rule in &balancer.rules {
        let Some(frontend) = balancer.frontend_of(rule) else {
            continue;
        };
        prefix(balancer, frontend, rule, found);
        ipv6_internal(balancer, frontend, rule, found);
        let loopback = frontend.item.guest.mode == GuestMode::Loopback;
        if rule.floating && loopback && frontend.dynamic() && dynamic.insert(&frontend.id) {
            found.push(
                Found::on(&codes::DYNAMIC_FLOATING, balancer, frontend.item)
                    .and_on(balancer, rule.item)
                    .at(
                        frontend.item.span.clone(),
                        "Azure chooses this address when it makes the frontend",
                    )
                    .at(
                        rule.item.span.clone(),
                        "every member has to hold it for this rule",
                    )
                    .help("choose a free address of the subnet: private_ip_address = \"…\""),
            );
        }
    }
    families(balancer, found);
    unused(balancer, found);
}

/// What only internal frontends have.
const PRIVATE: [(&str, &str); 3] = [
    ("private_ip_address", ""),
    ("private_ip_allocation", "Dynamic"),
    ("private_ip_address_version", "IPv4"),
];

fn wrong(
    balancer: &Balancer<'_>,
    frontend: &Frontend<'_>,
    attribute: &str,
    label: String,
) -> Found {
    Found::on(&codes::FRONTEND_ADDRESS, balancer, frontend.item)
        .at(place(frontend.item, attribute), label)
}

fn address(balancer: &Balancer<'_>, frontend: &Frontend<'_>, found: &mut Vec<Found>) {
    let item = frontend.item;
    let given = text(item, "private_ip_address");
    let is_static = !frontend.dynamic();
    if !frontend.internal {
        for (attribute, default) in PRIVATE {
            let written = item.attribute_spans.contains_key(attribute);
            // Said as Azure's own templates say it, it changes nothing.
            if written && text(item, attribute) != Some(default) {
                found.push(
                    wrong(
                        balancer,
                        frontend,
                        attribute,
                        "this frontend has a public address".to_owned(),
                    )
                    .note("Azure drops what a public frontend says of a private address, so every later plan would differ")
                    .help(format!("take {attribute} out, or name a subnet instead of the public address")),
                );
            }
        }
        return;
    }
    let Some(given) = given else {
        if is_static {
            found.push(
                wrong(
                    balancer,
                    frontend,
                    "private_ip_allocation",
                    "a static address must be named".to_owned(),
                )
                .help("add private_ip_address = \"…\", or take private_ip_allocation out"),
            );
        }
        return;
    };
    if !is_static {
        found.push(
            wrong(
                balancer,
                frontend,
                "private_ip_address",
                "with dynamic allocation Azure chooses another address".to_owned(),
            )
            .set(
                item,
                "private_ip_allocation",
                "\"Static\"",
                "fix the address",
            ),
        );
    }
    let Ok(parsed) = given.parse::<IpAddr>() else {
        return;
    };
    let (version, says) = if parsed.is_ipv6() {
        (Family::Ipv6, "\"IPv6\"")
    } else {
        (Family::Ipv4, "\"IPv4\"")
    };
    // Without the attribute Azure takes it for IPv4.
    let declared = text(item, "private_ip_address_version")
        .map_or(Family::Ipv4, |_| frontend.family.unwrap_or(Family::Ipv4));
    if declared != version {
        found.push(
            wrong(
                balancer,
                frontend,
                "private_ip_address",
                format!(
                    "this is an address of the other family than {}",
                    family(declared)
                ),
            )
            .set(item, "private_ip_address_version", says, "name the family"),
        );
    }
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

fn zones(balancer: &Balancer<'_>, frontend: &Frontend<'_>, found: &mut Vec<Found>) {
    let item = frontend.item;
    if frontend.public && !frontend.internal && item.attributes.contains_key("zones") {
        found.push(
            Found::on(&codes::ZONES_ON_PUBLIC, balancer, item)
                .at(place(item, "zones"), "a public frontend has the zones of its address")
                .note(
                    "Azure refuses it (LoadBalancerFrontendIPConfigCannotHaveZoneWhenReferencingPublicIPAddress)",
                )
                .help("set zones on the public_ip block instead"),
        );
    }
}

fn prefix(
    balancer: &Balancer<'_>,
    frontend: &Frontend<'_>,
    rule: &Rule<'_>,
    found: &mut Vec<Found>,
) {
    let item = frontend.item;
    if item.attributes.contains_key("public_ip_prefix") {
        found.push(
            Found::on(&codes::PREFIX_INBOUND, balancer, rule.item)
                .and_on(balancer, item)
                .at(
                    place(rule.item, "frontend"),
                    "a prefix serves outbound rules only",
                )
                .at(
                    place(item, "public_ip_prefix"),
                    "this frontend has a prefix",
                )
                .help("give the rule a frontend with one public_ip"),
        );
    }
}

fn ipv6_internal(
    balancer: &Balancer<'_>,
    frontend: &Frontend<'_>,
    rule: &Rule<'_>,
    found: &mut Vec<Found>,
) {
    if rule.floating && frontend.internal && frontend.family == Some(Family::Ipv6) {
        found.push(
            Found::on(&codes::IPV6_INTERNAL_FLOATING, balancer, rule.item)
                .and_on(balancer, frontend.item)
                .at(place(rule.item, "floating_ip"), "not on an internal IPv6 frontend")
                .at(frontend.item.span.clone(), "internal and IPv6")
                .note("Microsoft says that floating IP for IPv6 does not work for internal load balancers")
                .set(rule.item, "floating_ip", "false", "deliver to the VMs' own addresses"),
        );
    }
}

/// One pool, one family, whatever leads to it.
fn families(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    let of_frontend: BTreeMap<&str, Family> = balancer
        .frontends
        .iter()
        .filter_map(|frontend| Some((frontend.id.as_str(), frontend.family?)))
        .collect();
    let rules = balancer.rules.iter().flat_map(|rule| {
        let to = move |pool| (rule.item, "backend_pools", rule.frontend_id.as_str(), pool);
        rule.pools.iter().map(String::as_str).map(to)
    });
    let ranges = balancer.nat_rules.iter().filter_map(|nat| {
        let pool = nat.pool.as_deref()?;
        Some((nat.item, "backend_pool", nat.frontend_id.as_str(), pool))
    });
    let outbound = balancer.outbound_rules.iter().flat_map(|rule| {
        let from = move |id| (rule.item, "backend_pool", id, rule.pool.as_str());
        rule.frontend_ids.iter().map(String::as_str).map(from)
    });
    let mut of_pool: BTreeMap<&str, (&DesiredItem, &str, Family)> = BTreeMap::new();
    for (item, attribute, frontend, pool) in rules.chain(ranges).chain(outbound) {
        let Some(this) = of_frontend.get(frontend).copied() else {
            continue;
        };
        match of_pool.get(pool) {
            Some((first, of_first, other)) if *other != this => found.push(
                Found::on(&codes::TWO_FAMILIES, balancer, item)
                    .and_on(balancer, first)
                    .at(
                        place(item, attribute),
                        format!("the frontend of this rule is {}", family(this)),
                    )
                    .at(
                        place(first, of_first),
                        format!("the same pool, for an {} frontend", family(*other)),
                    )
                    .note("a pool holds IP configurations of one family, so one of the rules would reach nobody")
                    .help("make a second backend_pool and join the VMs' IP configurations of the other family to it"),
            ),
            Some(_) => {}
            None => {
                of_pool.insert(pool, (item, attribute, this));
            }
        }
    }
}

fn unused(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for rule in &balancer.rules {
        used.insert(&rule.frontend_id);
        used.extend(rule.pools.iter().map(String::as_str));
    }
    for nat in &balancer.nat_rules {
        used.insert(&nat.frontend_id);
        used.extend(nat.pool.as_deref());
    }
    for outbound in &balancer.outbound_rules {
        used.extend(outbound.frontend_ids.iter().map(String::as_str));
        used.insert(&outbound.pool);
    }
    let probes: BTreeSet<&str> = balancer
        .rules
        .iter()
        .filter_map(|rule| rule.probe)
        .map(|probe| probe.name.as_str())
        .collect();
    for frontend in balancer
        .frontends
        .iter()
        .filter(|f| !used.contains(f.id.as_str()))
    {
        found.push(idle(
            &codes::UNUSED,
            balancer,
            frontend.item,
            "no rule uses this frontend",
        ));
    }
    for pool in &balancer.pools {
        if !used.contains(balancer.wanted.id_of(pool).folded().as_str()) {
            found.push(idle(
                &codes::UNUSED,
                balancer,
                pool,
                "no rule sends anything to this pool",
            ));
        }
    }
    for probe in balancer
        .probes
        .iter()
        .filter(|p| !probes.contains(p.name.as_str()))
    {
        found.push(idle(
            &codes::UNUSED,
            balancer,
            probe,
            "no rule asks this probe",
        ));
    }
}

fn idle(code: &Code, balancer: &Balancer<'_>, item: &DesiredItem, label: &str) -> Found {
    Found::on(code, balancer, item)
        .at(item.span.clone(), label)
        .help("take it out, or name it in a rule")
}
