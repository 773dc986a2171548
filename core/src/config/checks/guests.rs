//! Guests and their network interfaces: what several load balancers together do to one NIC.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, Member, Rule, Scene, name_of};
use crate::config::{DesiredGuest, GuestMode};
use crate::model::guest::Connection;
use crate::model::{Addr, ArmId, Protocol};
use std::collections::{BTreeMap, BTreeSet};

/// The port where none is written; a client configuration may say otherwise, for both guests alike.
const SSH: u16 = 22;

/// Rules of all kinds that may reach one NIC.
const RULES_OF_A_NIC: usize = 300;

pub(super) fn check(scene: &Scene<'_>, found: &mut Vec<Found>) {
    owners(scene, found);
    machines(scene, found);
    no_guest(scene, found);
    let rules = rules_by_pool(scene);
    // Guests of one kind are in the same pools: each combination is judged once, and named by its first guest.
    let mut combinations: BTreeMap<BTreeSet<String>, Vec<Member<'_>>> = BTreeMap::new();
    for (addr, guest) in &scene.desired.guests {
        let mut nics: BTreeMap<String, (Member<'_>, BTreeSet<String>)> = BTreeMap::new();
        for interface in &guest.interfaces {
            let member = Member {
                addr,
                guest,
                interface,
            };
            let pools = interface.backend_pools.iter().map(ArmId::folded);
            nics.entry(interface.id.folded())
                .or_insert_with(|| (member, BTreeSet::new()))
                .1
                .extend(pools);
        }
        for (member, pools) in nics.into_values() {
            combinations.entry(pools).or_default().push(member);
        }
    }
    for (pools, members) in &combinations {
        let Some(member) = members.first() else {
            continue;
        };
        one_of_each_type(scene, pools, member, found);
        flows(pools, &rules, member, found);
        count(pools, &rules, member, found);
    }
}

type Rules<'s, 'a> = BTreeMap<&'s str, Vec<(&'s Balancer<'a>, &'s Rule<'a>)>>;

fn rules_by_pool<'s, 'a>(scene: &'s Scene<'a>) -> Rules<'s, 'a> {
    let mut rules: Rules<'s, 'a> = BTreeMap::new();
    for balancer in &scene.balancers {
        for rule in &balancer.rules {
            for pool in &rule.pools {
                rules.entry(pool).or_default().push((balancer, rule));
            }
        }
    }
    rules
}

/// A NIC belongs to one guest.
fn owners(scene: &Scene<'_>, found: &mut Vec<Found>) {
    let mut owners: BTreeMap<String, Member<'_>> = BTreeMap::new();
    for (addr, guest) in &scene.desired.guests {
        for interface in &guest.interfaces {
            let this = Member {
                addr,
                guest,
                interface,
            };
            match owners.get(&interface.id.folded()) {
                Some(first) if first.addr != addr => found.push(
                    Found::new(&codes::SAME_NIC, addr.to_string())
                        .at(
                            guest.span.clone(),
                            format!(
                                "network interface {:?} is this guest's",
                                interface.id.name()
                            ),
                        )
                        .at(first.guest.span.clone(), "and this one's")
                        .help("give each guest the id of its own network interface"),
                ),
                Some(_) => {}
                None => {
                    owners.insert(interface.id.folded(), this);
                }
            }
        }
    }
}

/// What is reached in one way is one machine.
fn machines(scene: &Scene<'_>, found: &mut Vec<Found>) {
    let mut first: BTreeMap<String, (&Addr, &DesiredGuest)> = BTreeMap::new();
    for (addr, guest) in &scene.desired.guests {
        let machine = match &guest.connection {
            Connection::Ssh { host, port, .. } => match port.unwrap_or(SSH) {
                SSH => format!("ssh {}", host.to_ascii_lowercase()),
                port => format!("ssh {} port {port}", host.to_ascii_lowercase()),
            },
            Connection::RunCommand {
                virtual_machine: Some(id),
                ..
            } => format!("virtual machine {}", id.folded()),
            Connection::RunCommand {
                virtual_machine: None,
                ..
            } => continue,
            Connection::Local => "this machine".to_owned(),
        };
        match first.get(&machine) {
            Some((other, earlier)) => found.push(
                Found::new(&codes::SAME_MACHINE, addr.to_string())
                    .at(guest.span.clone(), format!("{addr} is reached by {}", guest.connection.describe()))
                    .at(earlier.span.clone(), format!("so is {other}"))
                    .note("each would take away what the other needs")
                    .help("give each guest its own connection, or one guest several network_interface blocks"),
            ),
            None => {
                first.insert(machine, (addr, guest));
            }
        }
    }
}

fn no_guest(scene: &Scene<'_>, found: &mut Vec<Found>) {
    for balancer in &scene.balancers {
        for rule in balancer.rules.iter().filter(|rule| rule.floating) {
            let reaches = rule
                .pools
                .iter()
                .any(|pool| scene.members.contains_key(pool));
            if rule.pools.is_empty() || reaches || balancer.mode_of(rule) == GuestMode::None {
                continue;
            }
            found.push(
                Found::on(&codes::NO_GUEST, balancer, rule.item)
                    .at(rule.item.span.clone(), "no guest joins its pool")
                    .note("packets arrive with the frontend's address, and VMs that do not hold it drop them")
                    .help("declare the members as guest blocks with a network_interface in the pool"),
            );
        }
    }
}

fn one_of_each_type(
    scene: &Scene<'_>,
    pools: &BTreeSet<String>,
    member: &Member<'_>,
    found: &mut Vec<Found>,
) {
    let of_pool: BTreeSet<String> = pools
        .iter()
        .filter_map(|pool| ArmId::new(pool.as_str()).parent())
        .map(|id| id.folded())
        .collect();
    let mut seen: BTreeMap<bool, &Balancer<'_>> = BTreeMap::new();
    for balancer in &scene.balancers {
        let Some(internal) = balancer.internal() else {
            continue;
        };
        if !of_pool.contains(&balancer.wanted.id.folded()) {
            continue;
        }
        let Some(first) = seen.insert(internal, balancer) else {
            continue;
        };
        let kind = if internal { "internal" } else { "public" };
        found.push(
            Found::new(&codes::SAME_TYPE_TWICE, member.addr.to_string())
                .at(
                    member.guest.span.clone(),
                    format!("its network interface {:?} is in pools of both", member.interface.label),
                )
                .at(first.wanted.span.clone(), format!("one {kind} load balancer"))
                .at(balancer.wanted.span.clone(), format!("another {kind} load balancer"))
                .note("Azure refuses the second (NetworkInterfaceUsesMultipleLoadBalancersOfSameType)")
                .help("put the rules on one load balancer, which can have up to 600 frontends")
                .help("or give the VM a second network interface"),
        );
    }
}

fn flows(
    pools: &BTreeSet<String>,
    rules: &Rules<'_, '_>,
    member: &Member<'_>,
    found: &mut Vec<Found>,
) {
    let mut seen: BTreeMap<(Protocol, i64), (&str, &Balancer<'_>, &Rule<'_>)> = BTreeMap::new();
    for pool in pools {
        for (balancer, rule) in rules.get(pool.as_str()).into_iter().flatten() {
            if rule.floating || rule.protocol == Protocol::All {
                continue;
            }
            let key = (rule.protocol, rule.backend_port);
            let Some((first_pool, first_balancer, first)) = seen.get(&key) else {
                seen.insert(key, (pool, balancer, rule));
                continue;
            };
            // Within one pool the flow check of the load balancer has said it.
            if first_pool == pool {
                continue;
            }
            let (protocol, port) = key;
            let guest = member.addr.name();
            found.push(
                Found::on(&codes::SAME_FLOW_ON_NIC, balancer, rule.item)
                    .and_on(first_balancer, first.item)
                    .at(
                        rule.item.span.clone(),
                        format!(
                            "{protocol} to port {port} of the VM's own address, pool {:?}",
                            name_of(pool)
                        ),
                    )
                    .at(
                        first.item.span.clone(),
                        format!("the same, pool {:?}", name_of(first_pool)),
                    )
                    .at(
                        member.guest.span.clone(),
                        format!("guest {guest:?} is in both pools"),
                    )
                    .note(
                        "Azure refuses when the network interface joins the second pool \
                         (RulesUseSameBackendPortProtocolAndIPConfig)",
                    )
                    .set(
                        rule.item,
                        "floating_ip",
                        "true",
                        "let this rule arrive at its frontend's address",
                    ),
            );
        }
    }
}

fn count(
    pools: &BTreeSet<String>,
    rules: &Rules<'_, '_>,
    member: &Member<'_>,
    found: &mut Vec<Found>,
) {
    let number: usize = pools
        .iter()
        .filter_map(|pool| rules.get(pool.as_str()))
        .map(Vec::len)
        .sum();
    if number > RULES_OF_A_NIC {
        found.push(
            Found::new(&codes::LIMIT, member.addr.to_string())
                .at(
                    member.guest.span.clone(),
                    format!("{number} rules reach one network interface of this guest"),
                )
                .note("Azure allows 300 (LoadBalancerRuleCountLimitReachedForNic)")
                .help("spread the rules over several pools, or use an HA-ports rule on an internal frontend"),
        );
    }
}
