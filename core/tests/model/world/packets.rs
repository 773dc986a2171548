//! Where packets go: the oracle, which knows nothing of plans.

use super::Inner;
use plimsoll_core::model::guest::{Packet, Verdict};
use plimsoll_core::model::*;
use std::net::IpAddr;

/// One way from a client to one member that Azure may choose, and what the client would see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub rule: String,
    pub frontend: String,
    pub floating: bool,
    pub address: IpAddr,
    pub protocol: Protocol,
    pub port: u16,
    pub guest: String,
    /// Address and port of the packet as it arrives inside the guest.
    pub destination: (IpAddr, u16),
    pub answer: Result<String, &'static str>,
}

impl Path {
    /// A missing listener is the application's affair, not ours.
    pub fn is_ready(&self) -> bool {
        !matches!(self.answer, Err("no such address" | "firewall"))
    }
}

impl Inner {
    /// What a client sees that connects: the guests that would answer, one entry for each member that Azure may choose.
    pub fn connect(
        &self,
        address: &str,
        port: u16,
        protocol: Protocol,
    ) -> Vec<(String, Result<String, &'static str>)> {
        let address: IpAddr = address.parse().unwrap();
        let paths = self.paths().into_iter();
        paths
            .filter(|path| {
                path.address == address && path.port == port && path.protocol == protocol
            })
            .map(|path| (path.guest, path.answer))
            .collect()
    }

    /// Every path there is.
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        for load_balancer in self.load_balancers.values() {
            for rule in load_balancer.rules() {
                if let Some(address) = self.frontend_address(load_balancer, &rule) {
                    self.deliver(&rule, address, &mut paths);
                }
            }
        }
        paths
    }

    fn frontend_address(&self, load_balancer: &LoadBalancer, rule: &Rule<'_>) -> Option<IpAddr> {
        let id = rule.frontend().unwrap();
        let frontend = load_balancer
            .by_id(ItemKind::Frontend, id.as_str())
            .expect("Azure checks references");
        match frontend.text("public_ip") {
            Some(public) => self.public_ips.get(&ArmId::new(public))?.address,
            None => match load_balancer.dynamic_addresses.get(&frontend.name) {
                Some(chosen) => Some(*chosen),
                None => frontend.text("private_ip_address")?.parse().ok(),
            },
        }
    }

    fn deliver(&self, rule: &Rule<'_>, address: IpAddr, paths: &mut Vec<Path>) {
        let pools: Vec<ArmId> = rule.pools().collect();
        for (id, nic) in &self.nics {
            for configuration in nic.ip_configurations.values() {
                if !configuration
                    .backend_pools
                    .iter()
                    .any(|p| pools.contains(p))
                {
                    continue;
                }
                let name = id.name().trim_end_matches("-nic").to_owned();
                let Some(facts) = self.guests.get(&name) else {
                    continue;
                };
                let protocol = rule.protocol().expect("a rule has a protocol");
                let (own, port) = (configuration.private_address.unwrap(), rule.backend_port());
                let destination = if rule.floating() { address } else { own };
                let packet = Packet {
                    protocol,
                    source: None,
                    destination,
                    port: Some(port),
                };
                let answer = if facts.holds(destination).is_none() {
                    Err("no such address")
                } else if !matches!(facts.firewall.judge(&packet), Verdict::Admitted { .. }) {
                    Err("firewall")
                } else if facts.listens(protocol, destination, Some(port)).is_none() {
                    Err("no listener")
                } else {
                    Ok(format!("{destination}:{port}"))
                };
                paths.push(Path {
                    rule: rule.name().to_owned(),
                    frontend: rule.frontend().unwrap().name().to_owned(),
                    floating: rule.floating(),
                    address,
                    protocol,
                    port: rule.frontend_port(),
                    guest: name,
                    destination: (destination, port),
                    answer,
                });
            }
        }
    }
}
