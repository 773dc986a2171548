//! The lab's network as `ip -batch` scripts; pure text.
//!
//! ```text
//! client 203.0.113.9 -- p-cl | fabric: router and load balancer | br0 10.0.0.1 -- eth0 guest 10.0.0.11
//!        fd20::9             | 168.63.129.16 on its lo          |     fd10::1     …
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::seed::{Guest, NetworkInterface};

/// From where the prober sends; documentation prefixes, so that nothing real is meant.
pub const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
pub const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd20, 0, 0, 0, 0, 0, 0, 9);

/// Routing tables of the NICs; 253 to 255 are the kernel's own.
const FIRST_TABLE: u32 = 1000;

macro_rules! lines {
    ($script:ident, $($line:literal);+ $(;)?) => {
        $(writeln!($script, $line).expect("writing to a string cannot fail");)+
    };
}

/// The fabric's own links; run once in the lab's root namespace.
pub(crate) fn fabric_network() -> String {
    let mut script = String::new();
    lines! { script,
        "link set lo up";
        // The platform's address: health probes come from here.
        "addr add 168.63.129.16/32 dev lo";
        // No learning delay and no multicast filter: a guest's port forwards from its first packet.
        "link add br0 address 02:00:00:ff:00:01 type bridge forward_delay 0 mcast_snooping 0";
        "addr add 10.0.0.1/24 dev br0";
        "addr add fd10::1/64 dev br0 nodad";
        "addr add fe80::1234:5678:9abc/64 dev br0 nodad";
        "link set br0 up";
        "netns add client";
        "link add p-cl type veth peer name eth0 netns client";
        "addr add 203.0.113.1/24 dev p-cl";
        "addr add fd20::1/64 dev p-cl nodad";
        "link set p-cl up";
    }
    script
}

/// The client's side; run with `ip -n client`.
pub(crate) fn client_network() -> String {
    let mut script = String::new();
    lines! { script,
        "link set lo up";
        "addr add {CLIENT_V4}/24 dev eth0";
        "addr add {CLIENT_V6}/64 dev eth0 nodad";
        "link set eth0 addrgenmode none";
        "addr add fe80::ff:9/64 dev eth0 nodad";
        "link set eth0 up";
        "route add default via 203.0.113.1";
        "route add default via fd20::1";
    }
    script
}

/// Takes a NIC's link away, if it is there; run with `-force`.
pub(crate) fn detach_interface(interface: &NetworkInterface) -> String {
    format!("link del {}\n", interface.link())
}

/// The fabric's side of one NIC: its link, and the way that packets with its mark take.
pub(crate) fn guest_routing(interface: &NetworkInterface, namespace: &str, device: &str) -> String {
    let mut script = String::new();
    let (link, hardware) = (interface.link(), interface.hardware_address());
    let table = FIRST_TABLE + u32::from(interface.number);
    lines! { script,
        "link add {link} type veth peer name {device} address {hardware} netns {namespace}";
        "link set {link} master br0 up";
    }
    let mut families = BTreeSet::new();
    for address in interface.addresses() {
        let (gateway, prefix) = subnet(address);
        lines! { script,
            "addr replace {gateway}/{prefix} dev br0";
            // Permanent, so that a NIC's packets reach its own link even where another NIC of the
            // same guest would answer for the address.
            "neigh replace {address} lladdr {hardware} dev br0 nud permanent";
        }
        if families.insert(address.is_ipv4()) {
            lines! { script,
                "route replace default via {address} dev br0 onlink table {table}";
            }
        }
    }
    script
}

/// Sends packets with a NIC's mark to its routing table; run once for each NIC and family.
pub(crate) fn mark_rule(interface: &NetworkInterface) -> String {
    let (mark, table) = (interface.number, FIRST_TABLE + u32::from(interface.number));
    format!("rule add pref {table} fwmark {mark} lookup {table}\n")
}

/// The guest's side of all its NICs; run with `ip -n NAMESPACE`.
pub(crate) fn guest_network(guest: &Guest, fresh: &[usize]) -> String {
    let mut script = String::from("link set lo up\n");
    for (index, interface) in guest.network_interfaces.iter().enumerate() {
        if !fresh.contains(&index) {
            continue;
        }
        let mut families = BTreeSet::new();
        // Given, not generated: a generated link-local address is on trial for its first second, and
        // until it has passed, replies from a frontend's IPv6 address find no gateway.
        let link_local = interface.number;
        lines! { script,
            "link set eth{index} addrgenmode none";
            "addr add fe80::ff:fe00:{link_local:x}/64 dev eth{index} nodad";
            "link set eth{index} up";
        }
        for address in interface.addresses() {
            let (gateway, prefix) = subnet(address);
            let nodad = if address.is_ipv6() { " nodad" } else { "" };
            lines! { script, "addr add {address}/{prefix} dev eth{index}{nodad}" }
            if families.insert(address.is_ipv4()) {
                // As Azure's images do it: every NIC has a default route, the first is preferred.
                let metric = 100 * (index + 1);
                lines! { script, "route add default via {gateway} dev eth{index} metric {metric}" }
            }
        }
    }
    script
}

/// The gateway of an address's subnet, and the subnet's length.
fn subnet(address: IpAddr) -> (IpAddr, u8) {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            let gateway = if d == 1 { 254 } else { 1 };
            (Ipv4Addr::new(a, b, c, gateway).into(), 24)
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            let gateway = Ipv6Addr::new(a, b, c, d, 0, 0, 0, 1);
            let gateway = if gateway == address {
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0xfffe)
            } else {
                gateway
            };
            (gateway.into(), 64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::GuestName;
    use crate::seed::IpConfiguration;

    fn guest(addresses: &[&str]) -> Guest {
        Guest {
            name: GuestName::parse("vm1").unwrap(),
            also: std::collections::BTreeSet::new(),
            windows: false,
            virtual_machine: None,
            network_interfaces: addresses
                .iter()
                .zip(1..)
                .map(|(address, number)| NetworkInterface {
                    id: format!("/n{number}"),
                    number,
                    ip_configurations: vec![IpConfiguration {
                        name: "ipconfig1".into(),
                        address: address.parse().unwrap(),
                    }],
                    companion: format!("fd10::{number}1").parse().unwrap(),
                })
                .collect(),
            listen: vec![],
            silent: BTreeSet::new(),
        }
    }

    #[test]
    fn a_mark_leads_to_its_nic() {
        let guest = guest(&["10.0.0.11"]);
        let script = guest_routing(&guest.network_interfaces[0], "g1", "eth0");
        assert!(
            script.contains("route replace default via 10.0.0.11 dev br0 onlink table 1001\n"),
            "{script}"
        );
        let rules = mark_rule(&guest.network_interfaces[0]);
        assert!(
            rules.contains("rule add pref 1001 fwmark 1 lookup 1001\n"),
            "{rules}"
        );
        assert!(
            script.contains("route replace default via fd10::11 dev br0 onlink table 1001\n"),
            "{script}"
        );
    }

    #[test]
    fn a_second_nic_has_a_default_route_that_comes_second() {
        let script = guest_network(&guest(&["10.0.0.11", "10.1.0.1"]), &[0, 1]);
        assert!(
            script.contains("route add default via 10.0.0.1 dev eth0 metric 100\n"),
            "{script}"
        );
        assert!(
            script.contains("route add default via 10.1.0.254 dev eth1 metric 200\n"),
            "{script}"
        );
    }
}
