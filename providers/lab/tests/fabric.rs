//! What the fabric makes of ARM documents: flows, and the script that the kernel gets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use plimsoll_lab::fabric::{Distribution, Fabric, FlowPorts, Health, World, program, render};
use plimsoll_lab::seed::{Port, Protocol};
use serde_json::{Value, json};

const LB: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/loadBalancers/web";
const NIC: &str =
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/vm";
const GREEN: &str =
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/publicIPAddresses/green";

fn child(collection: &str, name: &str) -> Value {
    json!({ "id": format!("{LB}/{collection}/{name}") })
}

/// A floating rule of the frontend `green` to the pool `vms`; `extra` overrides its properties.
fn rule(name: &str, frontend_port: u16, backend_port: u16, extra: &Value) -> Value {
    let mut properties = json!({
        "frontendIPConfiguration": child("frontendIPConfigurations", "green"),
        "backendAddressPool": child("backendAddressPools", "vms"),
        "protocol": "Tcp",
        "frontendPort": frontend_port,
        "backendPort": backend_port,
        "enableFloatingIP": true,
    });
    for (key, value) in extra.as_object().into_iter().flatten() {
        properties[key] = value.clone();
    }
    json!({ "name": name, "properties": properties })
}

fn load_balancer(rules: &[Value]) -> Value {
    json!({
        "id": LB,
        "properties": {
            "frontendIPConfigurations": [
                { "name": "green", "properties": { "publicIPAddress": { "id": GREEN.to_uppercase() } } },
                { "name": "six", "properties": { "privateIPAddress": "fd00:f1::1" } },
            ],
            "backendAddressPools": [{ "name": "vms", "properties": {} }],
            "probes": [{ "name": "http", "properties": {
                "protocol": "Http", "port": 8080, "requestPath": "/healthz", "intervalInSeconds": 5 } }],
            "loadBalancingRules": rules,
        }
    })
}

fn nic(number: u16, configurations: &[(&str, &str)]) -> Value {
    let configurations: Vec<Value> = configurations
        .iter()
        .map(|(name, address)| {
            json!({ "id": format!("{NIC}{number}/ipConfigurations/{name}"), "name": name, "properties": {
                "privateIPAddress": address,
                // As Azure often answers: another case than in the load balancer's own document.
                "loadBalancerBackendAddressPools": [{ "id": format!("{}/backendAddressPools/VMS", LB.to_lowercase()) }],
            }})
        })
        .collect();
    json!({ "id": format!("{NIC}{number}"), "properties": { "ipConfigurations": configurations } })
}

fn fabric(load_balancer: Value, health: &Health) -> Fabric {
    let numbers: BTreeMap<String, u16> = [1, 2]
        .map(|it| (format!("{NIC}{it}").to_lowercase(), it))
        .into();
    program(&World {
        load_balancers: &[load_balancer],
        network_interfaces: &[
            nic(1, &[("ipconfig1", "10.0.0.11"), ("v6", "fd10::11")]),
            nic(2, &[("ipconfig1", "10.0.0.12")]),
            // Of a guest that does not run here.
            nic(9, &[("ipconfig1", "10.0.0.19")]),
        ],
        public_ips: &[json!({ "id": GREEN, "properties": { "ipAddress": "65.52.0.1" } })],
        numbers: &numbers,
        health,
        routes: &[],
        virtual_networks: &[],
        security_groups: &[],
    })
}

fn members(fabric: &Fabric, flow: usize) -> Vec<(u16, String, bool)> {
    let members = &fabric.flows[flow].members;
    members
        .iter()
        .map(|it| (it.number, it.address.to_string(), it.healthy))
        .collect()
}

#[test]
fn a_floating_rule_marks_and_rewrites_nothing() {
    let fabric = fabric(
        load_balancer(&[rule("green", 80, 80, &json!({}))]),
        &Health::default(),
    );
    assert_eq!(
        members(&fabric, 0),
        [(1, "10.0.0.11".into(), true), (2, "10.0.0.12".into(), true)]
    );
    let script = render(&fabric);
    assert!(script.contains(
        "ip daddr 65.52.0.1 tcp dport 80 meta mark set jhash ip saddr . ip daddr . tcp sport . tcp dport mod 2"
    ), "{script}");
    assert!(script.contains("map { 0 : 1, 1 : 2 }"), "{script}");
    assert!(!script.contains("dnat"), "{script}");
    // Other ports of the frontend, and new outbound flows from its address, are dropped.
    assert!(script.contains("ip daddr { 65.52.0.1 } drop"), "{script}");
    assert!(
        script.contains("iifname \"br0\" ct state new ip saddr { 65.52.0.1 } drop"),
        "{script}"
    );
}

#[test]
fn a_changed_port_keeps_the_frontend_s_address_when_floating() {
    let fabric = fabric(
        load_balancer(&[rule("green", 8000, 8080, &json!({}))]),
        &Health::default(),
    );
    let script = render(&fabric);
    assert!(
        script.contains("tcp dport 8000 meta mark != 0 dnat ip to 65.52.0.1:8080"),
        "{script}"
    );
}

#[test]
fn without_floating_the_destination_becomes_the_member_s_own() {
    let plain = json!({ "enableFloatingIP": false });
    let fabric = fabric(
        load_balancer(&[rule("green", 81, 8081, &plain)]),
        &Health::default(),
    );
    let script = render(&fabric);
    assert!(
        script.contains("tcp dport 81 meta mark 1 dnat ip to 10.0.0.11:8081"),
        "{script}"
    );
    assert!(
        script.contains("tcp dport 81 meta mark 2 dnat ip to 10.0.0.12:8081"),
        "{script}"
    );
}

#[test]
fn a_member_is_out_until_its_probe_succeeds() {
    let probed = rule(
        "green",
        80,
        80,
        &json!({ "probe": child("probes", "http") }),
    );
    let document = load_balancer(&[probed]);
    let mut health = Health::default();
    let nobody = fabric(document.clone(), &health);
    assert!(render(&nobody).contains("meta mark 0 ip daddr 65.52.0.1 tcp dport 80 drop"));
    // To the members' own addresses, although the rule floats.
    let keys: Vec<String> = nobody
        .targets
        .iter()
        .map(plimsoll_lab::fabric::ProbeTarget::key)
        .collect();
    assert_eq!(
        keys,
        [
            "http 10.0.0.11 8080 /healthz",
            "http 10.0.0.12 8080 /healthz"
        ]
    );
    assert!(
        nobody
            .targets
            .iter()
            .all(|target| target.interval_milliseconds <= 1000)
    );
    health.0.insert(keys[1].clone(), true);
    let one = fabric(document, &health);
    assert_eq!(
        members(&one, 0),
        [
            (1, "10.0.0.11".into(), false),
            (2, "10.0.0.12".into(), true)
        ]
    );
    assert!(render(&one).contains("mod 1 seed 0x706c696d map { 0 : 2 }"));
}

#[test]
fn an_ha_ports_rule_comes_last_and_takes_both_protocols() {
    let ha = rule("ha", 0, 0, &json!({ "protocol": "All" }));
    let fabric = fabric(
        load_balancer(&[ha, rule("green", 80, 80, &json!({}))]),
        &Health::default(),
    );
    assert_eq!(fabric.flows[1].ports, FlowPorts::All);
    let script = render(&fabric);
    assert!(
        script.contains("ip daddr 65.52.0.1 meta l4proto { tcp, udp } meta mark set"),
        "{script}"
    );
}

#[test]
fn distribution_is_hashed_over_what_azure_hashes() {
    for (mode, expected, text) in [
        (
            "Default",
            Distribution::FiveTuple,
            "jhash ip saddr . ip daddr . tcp sport . tcp dport mod",
        ),
        (
            "SourceIP",
            Distribution::SourceIp,
            "jhash ip saddr . ip daddr mod",
        ),
        (
            "SourceIPProtocol",
            Distribution::SourceIpProtocol,
            "jhash ip saddr . ip daddr . meta l4proto mod",
        ),
    ] {
        let with = rule("green", 80, 80, &json!({ "loadDistribution": mode }));
        let fabric = fabric(load_balancer(&[with]), &Health::default());
        assert_eq!(fabric.flows[0].distribution, expected);
        assert!(render(&fabric).contains(text), "{mode}");
    }
}

#[test]
fn an_ipv6_frontend_reaches_only_members_with_an_ipv6_configuration() {
    let six = json!({ "frontendIPConfiguration": child("frontendIPConfigurations", "six") });
    let fabric = fabric(
        load_balancer(&[rule("six", 80, 8080, &six)]),
        &Health::default(),
    );
    assert_eq!(members(&fabric, 0), [(1, "fd10::11".into(), true)]);
    let script = render(&fabric);
    assert!(
        script.contains(
            "ip6 daddr fd00:f1::1 tcp dport 80 meta mark != 0 dnat ip6 to [fd00:f1::1]:8080"
        ),
        "{script}"
    );
}

#[test]
fn an_inbound_nat_rule_reaches_its_one_nic() {
    let mut document = load_balancer(&[]);
    document["properties"]["inboundNatRules"] = json!([
        { "name": "ssh", "properties": {
            "frontendIPConfiguration": child("frontendIPConfigurations", "green"),
            "backendIPConfiguration": { "id": format!("{NIC}2/ipConfigurations/ipconfig1") },
            "protocol": "Tcp", "frontendPort": 2222, "backendPort": 22 } },
        { "name": "range", "properties": {
            "frontendIPConfiguration": child("frontendIPConfigurations", "green"),
            "backendAddressPool": child("backendAddressPools", "vms"),
            "protocol": "Tcp", "frontendPortRangeStart": 500, "frontendPortRangeEnd": 509, "backendPort": 22 } },
    ]);
    let script = render(&fabric(document, &Health::default()));
    assert!(
        script.contains("tcp dport 2222 meta mark 2 dnat ip to 10.0.0.12:22"),
        "{script}"
    );
    assert!(
        script.contains("tcp dport 500 meta mark 1 dnat ip to 10.0.0.11:22"),
        "{script}"
    );
    assert!(
        script.contains("tcp dport 501 meta mark 2 dnat ip to 10.0.0.12:22"),
        "{script}"
    );
}

#[test]
fn a_pool_may_name_members_by_address_and_override_their_probe() {
    let mut document = load_balancer(&[rule(
        "green",
        80,
        80,
        &json!({ "probe": child("probes", "http") }),
    )]);
    document["properties"]["backendAddressPools"][0]["properties"] = json!({ "loadBalancerBackendAddresses": [
        { "name": "a", "properties": { "ipAddress": "10.0.0.11", "adminState": "Up" } },
        { "name": "b", "properties": { "ipAddress": "10.9.9.9" } },
    ]});
    let fabric = fabric(document, &Health::default());
    assert_eq!(
        members(&fabric, 0),
        [
            (1, "10.0.0.11".into(), true),
            (2, "10.0.0.12".into(), false)
        ]
    );
}

#[test]
fn a_guest_answers_where_its_rules_and_probes_point() {
    let probed = json!({ "probe": child("probes", "http"), "protocol": "Udp" });
    let fabric = fabric(
        load_balancer(&[rule("dns", 53, 5353, &probed)]),
        &Health::default(),
    );
    let own: [IpAddr; 1] = ["10.0.0.11".parse().unwrap()];
    let expected = BTreeSet::from([
        Port {
            protocol: Protocol::Udp,
            port: 5353,
        },
        Port {
            protocol: Protocol::Tcp,
            port: 8080,
        },
    ]);
    assert_eq!(fabric.ports_of(1, &own), expected);
    assert!(fabric.ports_of(7, &[]).is_empty());
}

#[test]
fn a_broken_document_makes_no_flow_and_no_panic() {
    for properties in [
        json!(null),
        json!({ "frontendPort": -1 }),
        json!({ "frontendPort": 70000, "protocol": "Tcp" }),
        json!({ "frontendIPConfiguration": { "id": "elsewhere" }, "frontendPort": 80, "protocol": "Tcp" }),
        json!({ "frontendIPConfiguration": child("frontendIPConfigurations", "green"), "frontendPort": 0, "protocol": "Tcp" }),
    ] {
        let document = load_balancer(&[json!({ "name": "broken", "properties": properties })]);
        assert!(fabric(document, &Health::default()).flows.is_empty());
    }
}

/// With floating IP a group sees the frontend's address; the subnet's group comes before the NIC's, and default rules last.
#[test]
fn groups_of_the_subnet_and_of_the_nic_are_chains_of_their_own() {
    let scope = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network";
    let subnet = format!("{scope}/virtualNetworks/v/subnets/s");
    let rule = |name: &str, priority: u32, access: &str, source: &str, destination: &str| {
        json!({ "name": name, "properties": {
            "direction": "Inbound", "priority": priority, "access": access, "protocol": "Tcp",
            "sourceAddressPrefix": source, "destinationAddressPrefix": destination, "destinationPortRange": "80"
        }})
    };
    let group = |name: &str, rules: Value| {
        json!({ "id": format!("{scope}/networkSecurityGroups/{name}"), "properties": {
            "securityRules": rules, "defaultSecurityRules": [rule("DenyAll", 65500, "Deny", "*", "*")]
        }})
    };
    let mut guarded = nic(1, &[("ipconfig1", "10.0.0.11")]);
    guarded["properties"]["networkSecurityGroup"] =
        json!({ "id": format!("{scope}/networkSecurityGroups/own") });
    guarded["properties"]["ipConfigurations"][0]["properties"]["subnet"] = json!({ "id": subnet });
    let fabric = program(&World {
        load_balancers: &[],
        network_interfaces: &[guarded, nic(2, &[("ipconfig1", "10.0.0.12")])],
        public_ips: &[],
        virtual_networks: &[
            json!({ "id": format!("{scope}/virtualNetworks/v"), "properties": {
                "subnets": [{ "id": subnet, "properties": { "networkSecurityGroup": { "id": format!("{scope}/networkSecurityGroups/all") } } }]
            }}),
        ],
        security_groups: &[
            group("all", json!([rule("web", 100, "Allow", "Internet", "*")])),
            group(
                "own",
                json!([
                    rule("late", 200, "Allow", "*", "65.52.0.1"),
                    rule("first", 100, "Deny", "203.0.113.0/24", "65.52.0.1")
                ]),
            ),
        ],
        numbers: &[1, 2]
            .map(|it| (format!("{NIC}{it}").to_lowercase(), it))
            .into(),
        health: &Health::default(),
        routes: &[],
    });
    assert_eq!(fabric.guards.len(), 1, "only one NIC has groups");
    let script = render(&fabric);
    let own: Vec<&str> = script
        .split("chain group_1_1 {\n")
        .nth(1)
        .and_then(|rest| rest.split("\n}").next())
        .unwrap_or_default()
        .lines()
        .collect();
    assert_eq!(
        own[..2],
        [
            "ip saddr 203.0.113.0/24 ip daddr 65.52.0.1/32 meta l4proto tcp meta l4proto { tcp, udp } th dport { 80-80 } drop",
            "meta nfproto ipv4 ip daddr 65.52.0.1/32 meta l4proto tcp meta l4proto { tcp, udp } th dport { 80-80 } return",
        ]
    );
    assert_eq!(own.last(), Some(&"drop"));
    assert!(script.contains("ip saddr != { 10.0.0.0/8,"), "{script}");
    assert!(
        script.contains("meta mark 1 jump group_1_0\noifname \"br0\" meta mark 1 jump group_1_1")
    );
    assert!(script.contains("ip daddr 10.0.0.11 jump group_1_0"));
}
