//! One healthy world, one fault at a time: the trace names the hop that drops the packets.

use super::*;
use crate::config::{Inputs, SourceSet, load};
use crate::lang::NoFiles;
use crate::model::guest::{
    Chain, Firewall, FirewallKind, FirewallRule, GuestFacts, InterfaceAddress, Listener,
    RecordFact, Target,
};
use crate::model::guest::{InterfaceRole, IpFamily, ReplyPath, SystemInterface, WeakHostSettings};
use crate::model::observed::Observation;
use crate::model::security::{Access, Prefix, SecurityGroup, SecurityRule, Transport};
use crate::model::{IpConfiguration, Kind, LoadBalancer, NetworkInterface, Protocol};
use std::collections::{BTreeMap, BTreeSet};

const NIC: &str =
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces";
const FIP: &str = "10.0.0.7";

/// Two guests behind a floating rule 443 → 8443, an HA-ports rule of a cluster, and a NAT rule.
fn desired(guest_mode: &str) -> Desired {
    let text = format!(
        r#"
        provider "azure" {{
          subscription_id = "00000000-0000-0000-0000-000000000000"
        }}
        load_balancer "web" {{
          resource_group = "rg"
          location       = "westeurope"
          frontend "a" {{
            subnet             = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
            private_ip_address = "{FIP}"
            guest_mode         = "{guest_mode}"
          }}
          backend_pool "vms" {{}}
          probe "p" {{
            protocol = "Tcp"
            port     = 8080
          }}
          rule "green" {{
            frontend      = frontend.a
            backend_pools = [backend_pool.vms]
            probe         = probe.p
            protocol      = "Tcp"
            frontend_port = 443
            backend_port  = 8443
            floating_ip   = true
          }}
        }}
        guest "vm" {{
          for_each = toset(["1", "2"])
          os = "linux"
          network_interface "main" {{
            id            = "{NIC}/vm${{each.key}}"
            backend_pools = [load_balancer.web.backend_pool.vms]
          }}
          connection "ssh" {{ host = "vm${{each.key}}" }}
        }}
        "#
    );
    let mut sources = SourceSet::default();
    sources.files.insert("web.plim.hcl".into(), text.into());
    let (configuration, problems) = load(&sources, &Inputs::default(), &NoFiles);
    configuration
        .unwrap_or_else(|| panic!("{problems:#?}"))
        .desired
}

fn guest(n: u8) -> Addr {
    Addr::keyed(Kind::Guest, "vm", n.to_string())
}

fn rule(destination: &str, port: u16, target: Target, text: &str) -> FirewallRule {
    FirewallRule {
        protocol: Some(Protocol::Tcp),
        sources: vec![],
        destinations: vec![destination.parse().unwrap()],
        ports: vec![(port, port)],
        uncertain: false,
        target,
        ours: false,
        text: text.to_owned(),
        name: None,
    }
}

/// All that the rule needs of a guest.
fn healthy(n: u8) -> GuestFacts {
    let own = format!("10.0.0.1{n}");
    let held = |interface: &str, address: &str| InterfaceAddress {
        interface: interface.to_owned(),
        address: address.parse().unwrap(),
    };
    let listener = |address: &str, port: u16| Listener {
        protocol: Protocol::Tcp,
        address: address.parse().unwrap(),
        port,
        process: Some("nginx".to_owned()),
    };
    GuestFacts {
        hostname: format!("vm{n}"),
        boot_id: "1".to_owned(),
        init: "systemd".to_owned(),
        addresses: vec![
            held("eth0", &format!("{own}/24")),
            held("lo", &format!("{FIP}/32")),
        ],
        firewall: Firewall {
            kind: FirewallKind::Nftables,
            active: true,
            base: vec![Chain {
                name: "inet filter input".into(),
                policy: Target::Drop,
                ipv4: true,
                ipv6: true,
                rules: vec![
                    rule(&format!("{FIP}/32"), 8443, Target::Accept, "service"),
                    rule(&format!("{own}/32"), 8080, Target::Accept, "probe"),
                ],
            }],
            other: vec![],
        },
        listeners: vec![listener(FIP, 8443), listener(&own, 8080)],
        survives: BTreeSet::new(),
        record: RecordFact::Absent,
        settings: BTreeMap::new(),
        interfaces: Vec::new(),
        network: crate::model::guest::NetworkFacts::default(),
        unconfirmed: None,
        unread: Vec::new(),
    }
}

struct World {
    desired: Desired,
    observed: Observed,
}

fn world(guest_mode: &str) -> World {
    let desired = desired(guest_mode);
    let mut observed = Observed::default();
    let wanted = desired.load_balancers.values().next().unwrap();
    let mut load_balancer = wanted.over(None);
    let mut members = Vec::new();
    for n in [1, 2] {
        let interface = &desired.guests[&guest(n)].interfaces[0];
        members.push(interface.ip_configuration_id());
        let configuration = IpConfiguration {
            private_address: Some(format!("10.0.0.1{n}").parse().unwrap()),
            primary: true,
            backend_pools: interface.backend_pools.clone(),
        };
        let nic = NetworkInterface {
            id: interface.id.clone(),
            ip_configurations: [("ipconfig1".to_owned(), configuration)]
                .into_iter()
                .collect(),
            virtual_machine: None,
            failed: false,
            rest: serde_json::Map::new(),
        };
        observed
            .network_interfaces
            .insert(interface.id.clone(), Observation::Present(nic));
        observed
            .guests
            .insert(guest(n), Observation::Present(healthy(n)));
    }
    load_balancer.members.insert("vms".to_owned(), members);
    observed.load_balancers.insert(
        load_balancer.id.clone(),
        Observation::Present(load_balancer),
    );
    World { desired, observed }
}

impl World {
    fn facts(&mut self, n: u8) -> &mut GuestFacts {
        match self.observed.guests.get_mut(&guest(n)) {
            Some(Observation::Present(facts)) => facts,
            other => panic!("{other:?}"),
        }
    }

    fn balancer(&mut self) -> &mut LoadBalancer {
        match self.observed.load_balancers.values_mut().next() {
            Some(Observation::Present(found)) => found,
            other => panic!("{other:?}"),
        }
    }

    fn trace(&self, destination: &str, basis: Basis) -> Trace {
        trace(&TraceQuestion {
            desired: &self.desired,
            observed: &self.observed,
            prior: None,
            destination: destination.parse().unwrap(),
            basis,
        })
    }
}

fn of_vm2(trace: &Trace) -> &MemberTrace {
    let members = &trace.routes[0].members;
    members
        .iter()
        .find(|m| m.guest == Some(guest(2)))
        .unwrap_or_else(|| panic!("{members:#?}"))
}

#[test]
fn a_healthy_world_serves() {
    let trace = world("loopback").trace("10.0.0.7:443", Basis::Observed);
    assert!(trace.serves() && trace.is_complete(), "{trace:#?}");
    assert_eq!(trace.routes[0].receivers(), 2);
    let whats: Vec<&str> = of_vm2(&trace)
        .hops
        .iter()
        .map(|h| h.what.as_str())
        .collect();
    assert_eq!(
        whats,
        [
            "member by vm2/ipconfig1",
            "none",
            "10.0.0.12:8080: nginx listens",
            "10.0.0.7/32 on lo",
            "nftables inet filter input: service",
            "nginx on 10.0.0.7:8443",
            "eth0, source 10.0.0.7",
        ]
    );
}

/// A fault in vm2, the hop that it breaks, whether apply mends it, and whether Azure still sends packets there.
type Fault = (fn(&mut World), HopKind, bool, bool);

#[test]
fn each_fault_is_found_at_its_hop() {
    let faults: [(&str, Fault); 14] = [
        (
            "a network security group denies it, and the probe with it",
            (
                |w| guard(w, "vm2", Access::Deny),
                HopKind::SecurityGroup,
                false,
                false,
            ),
        ),
        (
            "replies leave by another interface, and rp_filter is strict",
            (
                |w| {
                    let facts = w.facts(2);
                    let strict = ("net.ipv4.conf.all.rp_filter".to_owned(), "1".to_owned());
                    facts.settings.extend([strict]);
                    facts.network.replies = vec![ReplyPath {
                        source: FIP.parse().unwrap(),
                        interface: "eth1".to_owned(),
                        via: None,
                    }];
                },
                HopKind::Reply,
                false,
                true,
            ),
        ),
        (
            "the way to the platform's address is by another interface, and rp_filter is strict",
            (
                |w| {
                    let facts = w.facts(2);
                    let strict = ("net.ipv4.conf.eth0.rp_filter".to_owned(), "1".to_owned());
                    facts.settings.extend([strict]);
                    facts.network.probe_replies = vec![ReplyPath {
                        source: "10.0.0.12".parse().unwrap(),
                        interface: "eth1".to_owned(),
                        via: None,
                    }];
                },
                HopKind::Probe,
                false,
                false,
            ),
        ),
        (
            "a network security group denies the probe",
            (
                |w| {
                    guard(w, "vm2", Access::Deny);
                    let groups = w.observed.security_groups.values_mut();
                    for group in groups {
                        let Observation::Present(group) = group else {
                            continue;
                        };
                        for rule in &mut group.inbound {
                            rule.sources = vec![Prefix::Tag("AzureLoadBalancer".to_owned())];
                        }
                        let others = SecurityRule {
                            priority: 200,
                            access: Access::Allow,
                            sources: vec![Prefix::Any],
                            ..group.inbound[0].clone()
                        };
                        group.inbound.push(others);
                    }
                },
                HopKind::Probe,
                false,
                false,
            ),
        ),
        (
            "Windows does not take packets for another interface's address",
            (
                |w| {
                    let interface = |index, name: &str, role| SystemInterface {
                        index,
                        name: name.to_owned(),
                        role,
                        weak_host: [(IpFamily::Ipv4, WeakHostSettings::default())].into(),
                    };
                    w.facts(2).interfaces = vec![
                        interface(6, "eth0", InterfaceRole::Network),
                        interface(1, "lo", InterfaceRole::Loopback),
                    ];
                },
                HopKind::WeakHost,
                true,
                true,
            ),
        ),
        (
            "the address is missing",
            (
                |w| w.facts(2).addresses.retain(|a| a.interface != "lo"),
                HopKind::Address,
                true,
                true,
            ),
        ),
        (
            "the firewall is shut",
            (
                |w| {
                    w.facts(2).firewall.base[0]
                        .rules
                        .retain(|r| r.text != "service");
                },
                HopKind::Firewall,
                true,
                true,
            ),
        ),
        (
            "an administrator's deny stands before the allow",
            (
                |w| {
                    let deny = rule("0.0.0.0/0", 8443, Target::Drop, "deny tcp 8443");
                    w.facts(2).firewall.base[0].rules.insert(0, deny);
                },
                HopKind::Firewall,
                false,
                true,
            ),
        ),
        (
            "the application listens on the VM's own address",
            (
                |w| w.facts(2).listeners[0].address = "10.0.0.12".parse().unwrap(),
                HopKind::Listener,
                false,
                true,
            ),
        ),
        (
            "the application listens on the frontend's port instead of the backend's",
            (
                |w| w.facts(2).listeners[0].port = 443,
                HopKind::Listener,
                false,
                true,
            ),
        ),
        (
            "nothing answers the probe",
            (
                |w| w.facts(2).listeners.retain(|l| l.port != 8080),
                HopKind::Probe,
                false,
                false,
            ),
        ),
        (
            "the probe's service is bound to the frontend's address",
            (
                |w| w.facts(2).listeners[1].address = FIP.parse().unwrap(),
                HopKind::Probe,
                false,
                false,
            ),
        ),
        (
            "the firewall refuses the probe",
            (
                |w| {
                    w.facts(2).firewall.base[0]
                        .rules
                        .retain(|r| r.text != "probe");
                },
                HopKind::Probe,
                true,
                false,
            ),
        ),
        (
            "the NIC is not in the pool",
            (
                |w| {
                    w.balancer().members.get_mut("vms").unwrap().pop();
                },
                HopKind::Pool,
                true,
                false,
            ),
        ),
    ];
    for (name, (plant, at, apply_mends, receives)) in faults {
        let mut world = world("loopback");
        plant(&mut world);
        let trace = world.trace("10.0.0.7:443", Basis::Observed);
        let member = of_vm2(&trace);
        assert_eq!(
            member.verdict,
            MemberVerdict::Broken { at },
            "{name}: {member:#?}"
        );
        assert_eq!(member.receives, receives, "{name}");
        assert!(!trace.serves(), "{name}");
        let first = member.hops.iter().find(|h| h.state == HopState::Broken);
        let fix = first.and_then(|h| h.fix.clone());
        assert_eq!(
            fix == Some(Fix::Apply { guest: guest(2) }),
            apply_mends,
            "{name}: {fix:?}"
        );
        let desired = world.trace("10.0.0.7:443", Basis::Desired);
        assert_eq!(desired.serves(), apply_mends, "{name}: {desired:#?}");
    }
}

/// A group on one NIC that decides about everything.
fn guard(world: &mut World, nic: &str, access: Access) {
    let group = ArmId::network("s", "rg", "networkSecurityGroups", "nsg");
    let rule = SecurityRule {
        name: "everything".to_owned(),
        priority: 100,
        access,
        transport: Transport::Any,
        sources: vec![Prefix::Any],
        source_ports: vec![],
        destinations: vec![Prefix::Any],
        ports: vec![],
        default: false,
    };
    let properties = serde_json::json!({ "networkSecurityGroup": { "id": group.as_str() } });
    let id = ArmId::new(format!("{NIC}/{nic}"));
    if let Some(Observation::Present(nic)) = world.observed.network_interfaces.get_mut(&id) {
        nic.rest.insert("properties".to_owned(), properties);
    }
    let read = SecurityGroup {
        id: group.clone(),
        inbound: vec![rule],
    };
    let groups = &mut world.observed.security_groups;
    groups.insert(group, Observation::Present(read));
}

#[test]
fn a_network_security_group_that_allows_is_named() {
    let mut world = world("loopback");
    guard(&mut world, "vm2", Access::Allow);
    let trace = world.trace("10.0.0.7:443", Basis::Observed);
    assert!(trace.serves());
    let hop = of_vm2(&trace)
        .hops
        .iter()
        .find(|h| h.kind == HopKind::SecurityGroup);
    assert_eq!(
        hop.map(|h| h.what.as_str()),
        Some("everything of nsg allows it")
    );
}

#[test]
fn what_cannot_be_read_is_not_called_broken() {
    let mut world = world("loopback");
    let unreadable = Observation::Unreadable {
        why: "no route".to_owned(),
    };
    world.observed.guests.insert(guest(2), unreadable);
    let trace = world.trace("10.0.0.7:443", Basis::Observed);
    let at = HopKind::Address;
    assert_eq!(of_vm2(&trace).verdict, MemberVerdict::Unknown { at });
    assert!(!trace.serves() && !trace.is_complete());
}

#[test]
fn a_wide_netmask_passes_and_is_named() {
    let mut world = world("loopback");
    world.facts(2).addresses[1].address = "10.0.0.7/24".parse().unwrap();
    let trace = world.trace("10.0.0.7:443", Basis::Observed);
    assert!(trace.serves());
    let notes: Vec<_> = of_vm2(&trace).hops.iter().flat_map(|h| &h.notes).collect();
    assert!(notes.iter().any(|n| n.contains("PL0303")), "{notes:?}");
}

/// The active member serves; the passive one refuses the probe and holds no address, for ever.
#[test]
fn of_a_cluster_one_member_serves() {
    let mut world = world("cluster");
    world.facts(2).addresses.retain(|a| a.interface != "lo");
    world.facts(2).listeners.clear();
    let trace = world.trace("10.0.0.7:443", Basis::Observed);
    assert_eq!(of_vm2(&trace).verdict, MemberVerdict::Passive);
    assert!(trace.serves(), "{trace:#?}");
    // It answers the probe without the address: Azure sends it what it drops.
    world.facts(2).listeners = healthy(2).listeners;
    let trace = world.trace("10.0.0.7:443", Basis::Observed);
    let at = HopKind::Address;
    assert_eq!(of_vm2(&trace).verdict, MemberVerdict::Broken { at });
    // Nobody holds it, and apply is not what mends that.
    world.facts(1).addresses.retain(|a| a.interface != "lo");
    assert!(!world.trace("10.0.0.7:443", Basis::Desired).serves());
}

#[test]
fn what_the_configuration_leaves_alone_is_not_judged() {
    let mut world = world("none");
    world.facts(2).addresses.clear();
    let trace = world.trace("10.0.0.7:443", Basis::Observed);
    assert_eq!(of_vm2(&trace).verdict, MemberVerdict::NotJudged);
    assert!(trace.serves());
}

#[test]
fn a_destination_that_no_rule_takes_names_what_is_near() {
    let trace = world("loopback").trace("10.0.0.7:80", Basis::Observed);
    assert!(trace.routes.is_empty() && !trace.serves());
    assert_eq!(trace.near, ["rule \"green\" takes 10.0.0.7:443/tcp"]);
    let udp = world("loopback").trace("10.0.0.7:443/udp", Basis::Observed);
    assert!(udp.routes.is_empty());
}

/// A member that is no guest of the configuration is shown, and nobody looks inside it.
#[test]
fn a_foreign_member_is_named() {
    let mut world = world("loopback");
    let foreign = ArmId::new(format!("{NIC}/stranger/ipConfigurations/ipconfig1"));
    let members = world.balancer().members.get_mut("vms").unwrap();
    members.push(foreign);
    let trace = world.trace("10.0.0.7:443", Basis::Observed);
    let found = trace.routes[0]
        .members
        .iter()
        .find(|m| m.name == "stranger");
    assert_eq!(found.map(|m| m.verdict), Some(MemberVerdict::NotJudged));
    assert!(trace.serves());
}
