//! Frontends whose address a cluster (WSFC, Pacemaker) moves between members.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, Frontend, Rule, Scene, int, place, text};
use crate::config::GuestMode;
use crate::model::Protocol;
use crate::model::guest::Os;
use std::collections::{BTreeMap, BTreeSet};

/// Where Windows takes ports for outgoing connections from, by default.
const WINDOWS_DYNAMIC: i64 = 49_152;

pub(super) fn check(balancer: &Balancer<'_>, scene: &Scene<'_>, found: &mut Vec<Found>) {
    let is_cluster = |frontend: &&Frontend<'_>| frontend.item.guest.mode == GuestMode::Cluster;
    for frontend in balancer.frontends.iter().filter(is_cluster) {
        if frontend.dynamic() {
            found.push(
                Found::on(&codes::CLUSTER_DYNAMIC, balancer, frontend.item)
                    .at(frontend.item.span.clone(), "Azure chooses this address")
                    .note("the cluster resource in the guests needs the address as a parameter, and a new one makes the listener dead")
                    .help("choose a free address of the subnet: private_ip_address = \"…\""),
            );
        }
    }
    let mut probes: BTreeMap<i64, &Rule<'_>> = BTreeMap::new();
    let mut said: BTreeSet<(&str, i64)> = BTreeSet::new();
    let mut counted: BTreeSet<&str> = BTreeSet::new();
    for rule in &balancer.rules {
        if balancer.mode_of(rule) != GuestMode::Cluster {
            continue;
        }
        rule_of_cluster(balancer, rule, found);
        all_up(balancer, rule, &mut counted, found);
        dynamic_range(balancer, rule, scene, found);
        let Some(port) = rule.probe.and_then(|probe| int(probe, "port")) else {
            continue;
        };
        match probes.get(&port) {
            Some(first) if first.frontend_id != rule.frontend_id => {
                if said.insert((&rule.frontend_id, port)) {
                    found.push(shared_probe(balancer, rule, first, port));
                }
            }
            Some(_) => {}
            None => {
                probes.insert(port, rule);
            }
        }
    }
}

/// Said once for each probe.
fn all_up<'a>(
    balancer: &Balancer<'_>,
    rule: &Rule<'a>,
    said: &mut BTreeSet<&'a str>,
    found: &mut Vec<Found>,
) {
    const ATTRIBUTE: &str = "no_healthy_backends_behavior";
    let Some(probe) = rule.probe else {
        return;
    };
    if text(probe, ATTRIBUTE) == Some("AllProbedUp") && said.insert(&probe.name) {
        found.push(
            Found::on(&codes::CLUSTER_ALL_UP, balancer, probe)
                .and_on(balancer, rule.item)
                .at(place(probe, ATTRIBUTE), "while the role moves, every member counts as healthy")
                .at(rule.item.span.clone(), "its frontend's address is on one member only")
                .note("Azure sends new connections to members that do not hold the address, and they are lost")
                .set(probe, ATTRIBUTE, "\"AllProbedDown\"", "let clients try again until the role is up"),
        );
    }
}

fn shared_probe(balancer: &Balancer<'_>, rule: &Rule<'_>, first: &Rule<'_>, port: i64) -> Found {
    Found::on(&codes::CLUSTER_SHARED_PROBE, balancer, rule.item)
        .and_on(balancer, first.item)
        .at(
            place(rule.item, "probe"),
            format!("port {port} says which member holds this frontend's address"),
        )
        .at(
            place(first.item, "probe"),
            format!("port {port} says it of another frontend"),
        )
        .note("once the two roles run on two members, each of them answers for both and half of the connections die")
        .help("give each cluster frontend a probe with a port of its own, in the cluster's resource as well")
}

fn rule_of_cluster(balancer: &Balancer<'_>, rule: &Rule<'_>, found: &mut Vec<Found>) {
    if !rule.floating {
        found.push(
            Found::on(&codes::CLUSTER_NOT_FLOATING, balancer, rule.item)
                .at(rule.item.span.clone(), "arrives at the VM's own address")
                .note("the cluster moves the frontend's address between members, and the service listens there")
                .set(rule.item, "floating_ip", "true", "let it arrive at the cluster's address"),
        );
    }
    if rule.protocol != Protocol::All && rule.frontend_port != rule.backend_port {
        found.push(
            Found::on(&codes::CLUSTER_OTHER_PORT, balancer, rule.item)
                .at(
                    place(rule.item, "backend_port"),
                    format!("clients use port {}", rule.frontend_port),
                )
                .set(
                    rule.item,
                    "backend_port",
                    &rule.frontend_port.to_string(),
                    "write both equal",
                ),
        );
    }
    if rule.protocol == Protocol::All
        && rule.floating
        && !rule.item.attributes.contains_key("idle_timeout_in_minutes")
    {
        found.push(
            Found::on(&codes::CLUSTER_IDLE, balancer, rule.item)
                .at(rule.item.span.clone(), "4 minutes, the default")
                .set(
                    rule.item,
                    "idle_timeout_in_minutes",
                    "30",
                    "what Microsoft's guides for clusters write",
                ),
        );
    }
    if let Some(probe) = rule.probe
        && rule.protocol == Protocol::Tcp
        && int(probe, "port") == Some(rule.backend_port)
    {
        found.push(
            Found::on(&codes::PROBE_ON_SERVICE_PORT, balancer, rule.item)
                .and_on(balancer, probe)
                .at(place(probe, "port"), "every member where the service runs answers here")
                .at(place(rule.item, "backend_port"), "the service's own port")
                .note("Azure would send connections to members that do not hold the address")
                .help("use a port that only the active member answers, such as 59999 for SQL Server or 62000 for SAP"),
        );
    }
}

fn dynamic_range(
    balancer: &Balancer<'_>,
    rule: &Rule<'_>,
    scene: &Scene<'_>,
    found: &mut Vec<Found>,
) {
    let Some((probe, port)) = rule
        .probe
        .and_then(|probe| Some((probe, int(probe, "port")?)))
        .filter(|(_, port)| *port >= WINDOWS_DYNAMIC)
    else {
        return;
    };
    let windows = rule
        .pools
        .iter()
        .flat_map(|pool| scene.members_of(pool))
        .find(|member| member.guest.os == Os::Windows);
    if let Some(member) = windows {
        found.push(
            Found::on(&codes::EPHEMERAL_PROBE, balancer, probe)
                .at(place(probe, "port"), "Windows may give this port to an outgoing connection")
                .at(member.guest.span.clone(), "a Windows member")
                .help(format!(
                    "on every node: netsh int ipv4 add excludedportrange tcp startport={port} numberofports=1 store=persistent"
                ))
                .help("then accept this advice: accept \"PL0155\" { reason = \"excluded on all nodes\" }"),
        );
    }
}
