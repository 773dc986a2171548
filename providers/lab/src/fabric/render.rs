//! From flows to one nft script.
//!
//! The script replaces the table in one transaction: packets meet the old rules or the new ones,
//! never none. Connection tracking is not touched, so what is established stays where it is.
//!
//! A packet's mark is its member's NIC number; policy routing (set up with the NIC) sends each mark
//! to its NIC. With floating IP nothing but the mark changes, so the guest sees the frontend's address.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::{Distribution, Fabric, Flow, FlowPorts, Member, Routed};
use crate::seed::{Port, Protocol};

/// The link on which the guests are.
const BRIDGE: &str = "br0";

/// Writes the script that makes the kernel deliver as `fabric` says.
pub fn render(fabric: &Fabric) -> String {
    let mut script = String::from(
        "table inet azlb\n\
         delete table inet azlb\n\
         table inet azlb {\n\
         chain deliver {\n\
         type filter hook prerouting priority mangle; policy accept;\n\
         meta mark set 0\n",
    );
    for (family, members) in [
        ("ip", addresses(fabric, IpAddr::is_ipv4)),
        ("ip6", addresses(fabric, IpAddr::is_ipv6)),
    ] {
        if !members.is_empty() {
            // Azure does not rewrite outbound flows whose source is a floating frontend: they fail
            // (learn.microsoft.com/azure/load-balancer/load-balancer-floating-ip, Limitations).
            line(
                &mut script,
                format_args!(
                    "iifname \"{BRIDGE}\" ct state new {family} saddr {{ {members} }} drop"
                ),
            );
        }
    }
    // Replies are routed like any packet; a mark would send them back to the member.
    line(&mut script, format_args!("ct direction reply return"));
    // A connection keeps its member for as long as it lives, also when the member's probe fails
    // (learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview, "Probe down behavior").
    line(
        &mut script,
        format_args!("ct mark != 0 meta mark set ct mark return"),
    );
    for routed in &fabric.routed {
        let selector = routed_selector(routed);
        let hashed = hashed(routed.distribution, FlowPorts::All, routed.prefix.addr());
        choose(&mut script, &selector, &routed.members, &hashed);
    }
    for flow in &fabric.flows {
        let hashed = hashed(flow.distribution, flow.ports, flow.frontend);
        choose(&mut script, &selector(flow), &flow.members, &hashed);
    }
    line(
        &mut script,
        format_args!("meta mark != 0 ct mark set meta mark return"),
    );
    for (family, members) in [
        ("ip", addresses(fabric, IpAddr::is_ipv4)),
        ("ip6", addresses(fabric, IpAddr::is_ipv6)),
    ] {
        if !members.is_empty() {
            // No rule for this port: Azure drops without an answer.
            line(
                &mut script,
                format_args!("{family} daddr {{ {members} }} drop"),
            );
        }
    }
    script
        .push_str("}\nchain rewrite {\ntype nat hook prerouting priority dstnat; policy accept;\n");
    for flow in &fabric.flows {
        rewrite(&mut script, flow);
    }
    script.push_str("}\n");
    script.push_str(&super::guard::render(&fabric.guards, BRIDGE));
    script.push_str("}\n");
    script
}

fn line(script: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(script, "{text}").expect("writing to a string cannot fail");
}

fn addresses(fabric: &Fabric, of_family: impl Fn(&IpAddr) -> bool) -> String {
    let addresses: Vec<String> = fabric
        .frontends
        .iter()
        .filter(|it| of_family(it))
        .map(ToString::to_string)
        .collect();
    addresses.join(", ")
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

/// What a packet must be to belong to a flow.
fn selector(flow: &Flow) -> String {
    let destination = format!("{} daddr {}", family(flow.frontend), flow.frontend);
    match flow.ports {
        FlowPorts::One(Port { protocol, port }) => {
            format!("{destination} {} dport {port}", protocol.as_str())
        }
        FlowPorts::Both(port) => {
            format!("{destination} meta l4proto {{ tcp, udp }} th dport {port}")
        }
        FlowPorts::All => format!("{destination} meta l4proto {{ tcp, udp }}"),
    }
}

/// What a guest sends by a route; its address tells who sent it.
fn routed_selector(routed: &Routed) -> String {
    let family = family(routed.prefix.addr());
    let sources: Vec<String> = routed.sources.iter().map(ToString::to_string).collect();
    format!(
        "iifname \"{BRIDGE}\" {family} saddr {{ {} }} {family} daddr {} meta l4proto {{ tcp, udp }}",
        sources.join(", "),
        routed.prefix
    )
}

/// What a connection's member is chosen by.
fn hashed(distribution: Distribution, ports: FlowPorts, address: IpAddr) -> String {
    let family = family(address);
    match (distribution, ports) {
        (Distribution::SourceIp, _) => format!("{family} saddr . {family} daddr"),
        (Distribution::SourceIpProtocol, _) => {
            format!("{family} saddr . {family} daddr . meta l4proto")
        }
        (Distribution::FiveTuple, FlowPorts::One(Port { protocol, .. })) => {
            let protocol: Protocol = protocol;
            let protocol = protocol.as_str();
            format!("{family} saddr . {family} daddr . {protocol} sport . {protocol} dport")
        }
        (Distribution::FiveTuple, FlowPorts::Both(_) | FlowPorts::All) => {
            format!("{family} saddr . {family} daddr . th sport . th dport")
        }
    }
}

/// Marks a new connection with one of the healthy members, or drops it if there is none.
fn choose(script: &mut String, selector: &str, members: &[Member], hashed: &str) {
    let marks: Vec<u16> = members
        .iter()
        .filter(|member| member.healthy)
        .map(|member| member.number)
        .collect();
    if marks.is_empty() {
        // No healthy member: new connections of the rule get nothing
        // (learn.microsoft.com/azure/load-balancer/load-balancer-custom-probe-overview).
        line(script, format_args!("meta mark 0 {selector} drop"));
        return;
    }
    let choices: Vec<String> = marks
        .iter()
        .enumerate()
        .map(|(index, mark)| format!("{index} : {mark}"))
        .collect();
    // A fixed seed, so that the same fabric is the same script.
    line(
        script,
        format_args!(
            "meta mark 0 {selector} meta mark set jhash {hashed} mod {} seed 0x706c696d map {{ {} }}",
            marks.len(),
            choices.join(", ")
        ),
    );
}

/// Rewrites the destination of a new connection where the rule asks for it.
fn rewrite(script: &mut String, flow: &Flow) {
    let selector = selector(flow);
    if flow.floating {
        match flow.backend_port {
            Some(port) => {
                let to = endpoint(flow.frontend, Some(port));
                let family = family(flow.frontend);
                line(
                    script,
                    format_args!("{selector} meta mark != 0 dnat {family} to {to}"),
                );
            }
            // Said aloud, so that an HA-ports rule further down does not rewrite it after all.
            None => line(script, format_args!("{selector} accept")),
        }
        return;
    }
    for member in &flow.members {
        let to = endpoint(member.address, flow.backend_port);
        let family = family(member.address);
        line(
            script,
            format_args!(
                "{selector} meta mark {} dnat {family} to {to}",
                member.number
            ),
        );
    }
}

fn endpoint(address: IpAddr, port: Option<u16>) -> String {
    match (address, port) {
        (_, None) => address.to_string(),
        (IpAddr::V4(address), Some(port)) => format!("{address}:{port}"),
        (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
    }
}
