//! Where packets go: the oracle. It reads Azure's own attributes and the raw content of the guests, and shares no judgement
//! with what it judges.

use super::Inner;
use plimsoll_core::model::guest::{EntryKey, FirewallRule, GuestFacts, Target, WeakHost};
use plimsoll_core::model::*;
use std::net::IpAddr;

/// One way from a client to one member that Azure may choose, and what the client would see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub load_balancer: String,
    pub rule: String,
    pub frontend: String,
    pub floating: bool,
    pub address: IpAddr,
    pub protocol: Protocol,
    pub port: u16,
    pub guest: String,
    /// Address and port of the packet as it arrives inside the guest.
    pub destination: (IpAddr, u16),
    pub held: bool,
    pub admitted: bool,
    pub heard: bool,
}

impl Path {
    /// A missing listener is the application's affair, not ours.
    pub fn is_ready(&self) -> bool {
        self.held && self.admitted
    }

    pub fn serves(&self) -> bool {
        self.held && self.admitted && self.heard
    }

    /// The same flow to the same member.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.address, self.protocol, self.port, &self.guest)
            == (other.address, other.protocol, other.port, &other.guest)
    }

    fn answer(self) -> (String, Result<String, &'static str>) {
        let answer = if !self.held {
            Err("no such address")
        } else if !self.admitted {
            Err("firewall")
        } else if !self.heard {
            Err("no listener")
        } else {
            Ok(format!("{}:{}", self.destination.0, self.destination.1))
        };
        (self.guest, answer)
    }
}

/// A rule or a NAT rule, as Azure's attributes say it.
struct Flow<'a> {
    item: &'a Item,
    frontend: &'a str,
    address: IpAddr,
    protocol: Protocol,
    floating: bool,
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
            .map(Path::answer)
            .collect()
    }

    /// Every path there is.
    pub fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        for load_balancer in self.load_balancers.values() {
            for kind in [ItemKind::Rule, ItemKind::InboundNatRule] {
                for item in load_balancer.of_kind(kind) {
                    if let Some(flow) = self.flow(load_balancer, item) {
                        self.deliver(load_balancer, kind, &flow, &mut paths);
                    }
                }
            }
        }
        paths
    }

    fn flow<'a>(&self, load_balancer: &'a LoadBalancer, item: &'a Item) -> Option<Flow<'a>> {
        let id = item.text("frontend").expect("Azure wants a frontend");
        let name = id.rsplit('/').next().unwrap_or(id);
        let frontend = load_balancer
            .of_kind(ItemKind::Frontend)
            .find(|f| f.name == name)
            .expect("Azure checks references");
        let address = match frontend.text("public_ip") {
            Some(public) => self.public_ips.get(&ArmId::new(public))?.address?,
            None => match load_balancer.dynamic_addresses.get(&frontend.name) {
                Some(chosen) => *chosen,
                None => frontend.text("private_ip_address")?.parse().ok()?,
            },
        };
        let protocol = match item.text("protocol")? {
            "Tcp" => Protocol::Tcp,
            "Udp" => Protocol::Udp,
            _ => return None,
        };
        Some(Flow {
            item,
            frontend: &frontend.name,
            address,
            protocol,
            floating: item.flag("floating_ip"),
        })
    }

    fn deliver(
        &self,
        load_balancer: &LoadBalancer,
        kind: ItemKind,
        flow: &Flow<'_>,
        paths: &mut Vec<Path>,
    ) {
        let pools: Vec<&str> = match kind {
            ItemKind::Rule => flow
                .item
                .list("backend_pools")
                .iter()
                .map(String::as_str)
                .collect(),
            _ => flow.item.text("backend_pool").into_iter().collect(),
        };
        let target = self
            .nat_targets
            .get(&(load_balancer.id.clone(), flow.item.name.clone()))
            .filter(|_| kind == ItemKind::InboundNatRule);
        let port_of = |name: &str| flow.item.int(name).and_then(|p| u16::try_from(p).ok());
        for (index, (id, nic)) in self.nics.iter().enumerate() {
            for (name, configuration) in &nic.ip_configurations {
                let is_member = configuration
                    .backend_pools
                    .iter()
                    .any(|p| pools.contains(&p.as_str()));
                if !is_member && target != Some(&id.child("ipConfigurations", name)) {
                    continue;
                }
                let guest = id.name().trim_end_matches("-nic").to_owned();
                let Some(facts) = self.guests.get(&guest) else {
                    continue;
                };
                let own = configuration.private_address.unwrap();
                let destination = if flow.floating { flow.address } else { own };
                // A NAT rule for a range gives each member a port of its own.
                let port = port_of("frontend_port").unwrap_or_else(|| {
                    let place = u16::try_from(index).expect("a few NICs");
                    port_of("frontend_port_range_start").unwrap_or(0) + place
                });
                let arrives = port_of("backend_port").unwrap_or(0);
                paths.push(Path {
                    load_balancer: load_balancer.id.name().to_owned(),
                    rule: flow.item.name.clone(),
                    frontend: flow.frontend.to_owned(),
                    floating: flow.floating,
                    address: flow.address,
                    protocol: flow.protocol,
                    port,
                    guest,
                    destination: (destination, arrives),
                    held: holds(facts, destination, own),
                    admitted: admits(facts, flow.protocol, destination, arrives),
                    heard: hears(facts, flow.protocol, destination, arrives),
                });
            }
        }
    }
}

/// The kernel takes in what is for an address of any interface. Windows drops what comes in by one interface for an address
/// of another, unless it is told not to.
fn holds(facts: &GuestFacts, destination: IpAddr, own: IpAddr) -> bool {
    let held = facts
        .addresses
        .iter()
        .any(|a| a.address.addr() == destination);
    let strong = facts.init == "windows"
        && destination != own
        && !WeakHost::all_for(own)
            .into_iter()
            .all(|setting| facts.state_of(&EntryKey::WeakHost(setting)).live);
    held && !strong
}

/// The first rule that matches decides, in every chain; a client comes from anywhere.
fn admits(facts: &GuestFacts, protocol: Protocol, destination: IpAddr, port: u16) -> bool {
    let matches = |rule: &FirewallRule| {
        rule.protocol
            .is_none_or(|p| p == protocol || p == Protocol::All)
            && rule.sources.is_empty()
            && (rule.destinations.is_empty()
                || rule
                    .destinations
                    .iter()
                    .any(|net| net.contains(&destination)))
            && (rule.ports.is_empty()
                || rule
                    .ports
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&port)))
    };
    facts.firewall.base.iter().all(|chain| {
        let decided = chain.rules.iter().find(|rule| matches(rule));
        *decided.map_or(&chain.policy, |rule| &rule.target) == Target::Accept
    })
}

fn hears(facts: &GuestFacts, protocol: Protocol, destination: IpAddr, port: u16) -> bool {
    facts.listeners.iter().any(|listener| {
        let everywhere = listener.address.is_unspecified()
            && listener.address.is_ipv4() == destination.is_ipv4();
        listener.protocol == protocol
            && listener.port == port
            && (everywhere || listener.address == destination)
    })
}
