//! Checks that need live facts: what would drop packets although nothing is out of place.

mod azure;
mod clashes;
mod cluster;
mod kernel;
mod security;

use super::Finding;
use super::codes;
use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::needs::{Flow, Service};
use crate::config::checks::{Accepted, may_be_meant};
use crate::config::{Desired, GuestMode};
use crate::model::guest::{EntryKey, Firewall, FirewallKind, GuestFacts, Opening, Packet, Verdict};
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, Code, Protocol, Where};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// Every finding, less what the configuration accepts.
pub fn findings(
    load_balancers: &[LoadBalancerPlan],
    guests: &[GuestPlan],
    desired: &Desired,
    observed: &Observed,
    accepted: &[Accepted],
) -> Vec<Finding> {
    let mut all = azure::findings(desired, observed);
    all.extend(clashes::findings(load_balancers, guests, desired, observed));
    let mut read = Vec::new();
    let mut said = Said::default();
    for guest in guests {
        all.extend(security::findings(
            &guest.addr,
            &guest.needs.services,
            desired,
            observed,
        ));
        if let Some(Observation::Present(facts)) = observed.guests.get(&guest.addr) {
            let seen = Seen {
                addr: &guest.addr,
                services: &guest.needs.services,
                facts,
                interfaces: desired
                    .guests
                    .get(&guest.addr)
                    .map_or(0, |g| g.interfaces.len()),
            };
            all.extend(silent_services(&seen, &mut said));
            all.extend(silent_switches(guest, facts));
            all.extend(silent_probes(&seen));
            all.extend(wrong_prefixes(&seen));
            all.extend(not_persistent(guest, facts));
            all.extend(denied(guest, facts));
            all.extend(kernel::findings(&seen));
            read.push(seen);
        }
        if let Some(why) = &guest.unreadable {
            all.push(
                finding(
                    &guest.addr,
                    &codes::UNREADABLE_GUEST,
                    "the guest could not be read",
                )
                .note(why.clone()),
            );
        }
    }
    // Who holds a cluster's address is known only where every member was read.
    if guests.iter().all(|guest| guest.unreadable.is_none()) {
        all.extend(cluster::findings(&read));
    }
    all.retain(|finding| {
        let address = finding
            .addr
            .as_ref()
            .map(Addr::to_string)
            .unwrap_or_default();
        // What a guest or Azure refuses is refused, accepted or not.
        let refused = finding.severity == crate::model::Severity::Error;
        (refused && !may_be_meant(&finding.code))
            || !accepted.iter().any(|a| a.covers(&finding.code, &address))
    });
    all
}

/// One guest as a check sees it.
#[derive(Clone, Copy)]
struct Seen<'a> {
    addr: &'a Addr,
    services: &'a [Service],
    facts: &'a GuestFacts,
    /// How many network interfaces it declares.
    interfaces: usize,
}

fn finding(addr: &Addr, code: &Code, what: impl Into<Arc<str>>) -> Finding {
    Finding {
        code: Cow::Borrowed(code.code),
        severity: code.severity,
        addr: Some(addr.clone()),
        what: what.into(),
        notes: Vec::new(),
    }
}

impl Finding {
    #[must_use]
    fn note(mut self, note: impl Into<Arc<str>>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// An application bound to a frontend address that is not there yet cannot listen yet: that is no news before apply.
fn silent_services(seen: &Seen<'_>, words: &mut Said) -> Vec<Finding> {
    let mut said: BTreeSet<(Protocol, IpAddr, Option<u16>)> = BTreeSet::new();
    let mut all = Vec::new();
    for service in seen
        .services
        .iter()
        .filter(|s| s.mode == GuestMode::Loopback)
    {
        let Where::Known(destination) = service.destination() else {
            continue;
        };
        if seen
            .facts
            .listens(service.protocol, destination, service.port)
            .is_some()
            || !said.insert((service.protocol, destination, service.port))
        {
            continue;
        }
        let (what, note) = words.silent(destination, service);
        all.push(finding(seen.addr, &codes::SILENT_SERVICE, what).note(note));
    }
    all
}

/// What was said already: the members of a pool are silent at the same places.
#[derive(Default)]
struct Said(HashMap<Silent, (Arc<str>, Arc<str>)>);

/// Where nothing listens, and the rule that sends there.
type Silent = (IpAddr, Option<u16>, Protocol, Arc<str>);

impl Said {
    fn silent(&mut self, destination: IpAddr, service: &Service) -> (Arc<str>, Arc<str>) {
        let Flow {
            rule,
            protocol,
            port,
            ..
        } = &**service;
        let words = self
            .0
            .entry((destination, *port, *protocol, Arc::clone(rule)))
            .or_insert_with(|| {
                let place = place(destination, *port, *protocol);
                let consequence = match protocol {
                    Protocol::Udp => "will lose its datagrams until something does",
                    Protocol::Tcp | Protocol::All => "will refuse connections until something does",
                };
                let what = format!("nothing listens on {place}");
                (what.into(), format!("rule {rule:?} {consequence}").into())
            });
        words.clone()
    }
}

/// What a guest serves now and would not serve after the switch: the packets arrive where nothing listens.
fn silent_switches(guest: &GuestPlan, facts: &GuestFacts) -> Vec<Finding> {
    let answers = |s: &Service| facts.answers(s.protocol, &s.destination(), s.port);
    let same_flow = |a: &Service, b: &Service| {
        a.load_balancer == b.load_balancer
            && a.protocol == b.protocol
            && a.frontend == b.frontend
            && a.frontend_port == b.frontend_port
            && (a.frontend_port.is_some() || a.rule == b.rule)
    };
    let mut all = Vec::new();
    for after in guest
        .silent
        .iter()
        .filter(|s| s.mode == GuestMode::Loopback || (s.mode == GuestMode::Cluster && !s.floating))
    {
        let mut served = guest.serving.iter().filter(|now| same_flow(now, after));
        let Some(now) = served.find(|now| answers(now)) else {
            continue;
        };
        let words = |s: &Service| match s.destination() {
            Where::Known(address) => place(address, s.port, s.protocol),
            unknown @ Where::AfterApply(_) => unknown.to_string(),
        };
        let (from, to) = (words(now), words(after));
        all.push(
            finding(
                &guest.addr,
                &codes::SILENT_SWITCH,
                format!(
                    "rule {:?} would move from {from} to {to}, where nothing listens",
                    after.rule
                ),
            )
            .note("clients that it serves now would be refused"),
        );
    }
    all
}

fn silent_probes(seen: &Seen<'_>) -> Vec<Finding> {
    let mut probes: BTreeSet<(Arc<str>, IpAddr, u16)> = BTreeSet::new();
    for service in seen.services {
        if let (Some(probe), GuestMode::Loopback) = (service.probe(), service.mode) {
            probes.insert((probe.name, probe.destination, probe.port));
        }
    }
    probes
        .into_iter()
        .filter(|(_, destination, port)| seen.facts.listens(Protocol::Tcp, *destination, Some(*port)).is_none())
        .map(|(name, destination, port)| {
            let place = place(destination, Some(port), Protocol::Tcp);
            finding(seen.addr, &codes::SILENT_PROBE, format!("nothing answers the health probe on {place}"))
                .note(format!(
                    "probe {name:?} asks the VM's own address, also for floating IP rules; without an answer Azure sends this guest nothing"
                ))
        })
        .collect()
}

/// The Microsoft page's own example uses /24, which makes the guest swallow the whole subnet.
fn wrong_prefixes(seen: &Seen<'_>) -> Vec<Finding> {
    let wanted: BTreeSet<IpAddr> = seen
        .services
        .iter()
        .filter(|s| s.needs_address())
        .filter_map(|s| s.destination().known())
        .collect();
    seen.facts
        .addresses
        .iter()
        .filter(|a| wanted.contains(&a.address.addr()))
        .filter(|a| seen.facts.is_loopback(&a.interface) && a.address.prefix_len() != a.address.max_prefix_len())
        .map(|a| {
            let own = seen
                .facts
                .addresses
                .iter()
                .find(|own| !seen.facts.is_loopback(&own.interface) && a.address.contains(&own.address.addr()));
            let (code, what) = match own {
                Some(own) => (
                    &codes::SWALLOWED_SUBNET,
                    format!("{} on {} swallows the subnet of {}", a.address, a.interface, own.interface),
                ),
                None => (
                    &codes::WRONG_NETMASK,
                    format!("{} on {} has the wrong netmask", a.address, a.interface),
                ),
            };
            finding(seen.addr, code, what).note(
                format!(
                    "every address of {} counts as this guest itself, so it cannot reach them; it should be /{}",
                    a.address.trunc(),
                    a.address.max_prefix_len()
                ),
            )
        })
        .collect()
}

fn not_persistent(guest: &GuestPlan, facts: &GuestFacts) -> Option<Finding> {
    (!facts.keeps_settings() && !guest.ensure.is_empty()).then(|| {
        finding(
            &guest.addr,
            &codes::NOT_SYSTEMD,
            format!("the guest boots with {}, not systemd", facts.init),
        )
        .note("what plimsoll sets there now will not survive a reboot".to_owned())
    })
}

/// An admin's deny before our allow is found and named, never bypassed.
fn denied(guest: &GuestPlan, facts: &GuestFacts) -> Vec<Finding> {
    let openings = guest.needs.entries().filter_map(|(key, _)| match key {
        EntryKey::Firewall(opening) => Some(opening),
        EntryKey::Address(_) | EntryKey::WeakHost(_) => None,
    });
    refused(&guest.addr, openings, &facts.firewall)
}

fn refused<'o>(
    addr: &Addr,
    openings: impl Iterator<Item = &'o Opening>,
    firewall: &Firewall,
) -> Vec<Finding> {
    let mut all = Vec::new();
    if firewall.kind == FirewallKind::None {
        return all;
    }
    for opening in openings {
        let Where::Known(destination) = opening.destination else {
            continue;
        };
        let packet = Packet {
            protocol: opening.protocol,
            source: opening.source,
            destination,
            port: opening.port,
        };
        let place = place(destination, opening.port, opening.protocol);
        match firewall.judge(&packet) {
            // What is refused by default gives way to the opening that we add.
            Verdict::Refused {
                rule,
                by_default: false,
                ..
            } => {
                let (code, what) = if opening.source.is_some() {
                    (
                        &codes::PROBE_BLOCKED,
                        format!("the firewall refuses the health probe to {place}"),
                    )
                } else {
                    (
                        &codes::FIREWALL_REFUSES,
                        format!("a firewall rule refuses {place}"),
                    )
                };
                all.push(finding(addr, code, what).note(format!(
                    "{rule}: an admin put it there; remove it, or take the rule out of the configuration"
                )));
            }
            Verdict::Unclear { rule, .. } => all.push(
                finding(
                    addr,
                    &codes::FIREWALL_UNCLEAR,
                    format!("a firewall rule that plimsoll cannot judge may refuse {place}"),
                )
                .note(rule),
            ),
            Verdict::Refused { .. } | Verdict::Admitted { .. } => {}
        }
    }
    all
}

pub fn place(address: IpAddr, port: Option<u16>, protocol: Protocol) -> String {
    let address = if address.is_ipv6() {
        format!("[{address}]")
    } else {
        address.to_string()
    };
    let port = port.map(|p| format!(":{p}")).unwrap_or_default();
    let protocol = if protocol == Protocol::Udp {
        "/udp"
    } else {
        ""
    };
    format!("{address}{port}{protocol}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Inputs, SourceSet, load};
    use crate::lang::NoFiles;
    use crate::model::guest::{
        Chain, Firewall, FirewallRule, InterfaceAddress, Listener, RecordFact, Target,
    };
    use crate::model::{ArmId, Kind};

    pub(super) fn addr(name: &str) -> Addr {
        Addr::new(Kind::Guest, name)
    }

    /// A guest with nothing but its own address.
    pub(super) fn facts() -> GuestFacts {
        let mut facts = GuestFacts {
            hostname: "vm1".to_owned(),
            boot_id: "1".to_owned(),
            init: "systemd".to_owned(),
            addresses: Vec::new(),
            interfaces: Vec::new(),
            firewall: Firewall::none(),
            listeners: Vec::new(),
            survives: BTreeSet::new(),
            record: RecordFact::Absent,
            settings: std::collections::BTreeMap::new(),
            network: crate::model::guest::NetworkFacts::default(),
            unread: Vec::new(),
        };
        hold(&mut facts, "10.0.0.11/24", "eth0");
        facts
    }

    pub(super) fn hold(facts: &mut GuestFacts, address: &str, interface: &str) {
        facts.addresses.push(InterfaceAddress {
            interface: interface.to_owned(),
            address: address.parse().unwrap(),
        });
    }

    pub(super) fn listen(facts: &mut GuestFacts, address: &str, port: u16) {
        facts.listeners.push(Listener {
            protocol: Protocol::Tcp,
            address: address.parse().unwrap(),
            port,
            process: None,
        });
    }

    /// A floating rule for 10.0.0.7:443 whose probe asks 10.0.0.11.
    pub(super) fn service(mode: GuestMode, probe_port: u16) -> Service {
        service_of(ArmId::new("/x"), mode, probe_port)
    }

    pub(super) fn service_of(load_balancer: ArmId, mode: GuestMode, probe_port: u16) -> Service {
        let frontend = Where::Known("10.0.0.7".parse().unwrap());
        let flow = Flow {
            rule: "green".into(),
            load_balancer: Arc::new(load_balancer),
            protocol: Protocol::Tcp,
            port: Some(443),
            floating: true,
            mode,
            frontend: Some(frontend),
            frontend_port: Some(443),
            probe: Some(("health".into(), probe_port)),
        };
        Service::new(Arc::new(flow), "10.0.0.11".parse().ok()).unwrap()
    }

    /// One guest behind one rule and one inbound NAT rule.
    pub(super) fn configuration(floating: bool) -> Desired {
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
                private_ip_address = "10.0.0.7"
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
                backend_port  = 443
                floating_ip   = {floating}
              }}
              inbound_nat_rule "ssh" {{
                frontend      = frontend.a
                protocol      = "Tcp"
                frontend_port = 2201
                backend_port  = 22
              }}
            }}
            guest "vm1" {{
              os = "linux"
              network_interface "main" {{
                id            = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/vm1"
                backend_pools = [load_balancer.web.backend_pool.vms]
              }}
              connection "local" {{}}
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

    fn codes_of(all: Vec<Finding>) -> Vec<String> {
        all.into_iter().map(|f| f.code.into_owned()).collect()
    }

    fn with<T>(facts: &GuestFacts, ask: impl Fn(&Seen<'_>) -> T) -> T {
        let services = [service(GuestMode::Loopback, 8080)];
        let addr = addr("vm1");
        ask(&Seen {
            addr: &addr,
            services: &services,
            facts,
            interfaces: 1,
        })
    }

    #[test]
    fn a_service_needs_a_listener_on_the_frontends_address_or_on_all() {
        for (address, fires) in [("10.0.0.11", true), ("10.0.0.7", false), ("0.0.0.0", false)] {
            let mut facts = facts();
            listen(&mut facts, address, 443);
            let found = with(&facts, |seen| {
                codes_of(silent_services(seen, &mut Said::default()))
            });
            assert_eq!(found == ["PL0301"], fires, "{address}");
        }
    }

    #[test]
    fn a_probe_needs_a_listener_on_the_guests_own_address() {
        for (address, fires) in [("10.0.0.7", true), ("10.0.0.11", false), ("0.0.0.0", false)] {
            let mut facts = facts();
            listen(&mut facts, address, 8080);
            let found = with(&facts, |seen| codes_of(silent_probes(seen)));
            assert_eq!(found == ["PL0302"], fires, "{address}");
        }
    }

    #[test]
    fn a_frontends_address_is_one_address() {
        for (address, interface, fires) in [
            ("10.0.0.7/24", "lo", true),
            ("10.0.0.7/32", "lo", false),
            ("10.0.0.7/24", "eth0", false),
            ("10.0.0.9/24", "lo", false),
        ] {
            let mut facts = facts();
            hold(&mut facts, address, interface);
            let found = with(&facts, |seen| codes_of(wrong_prefixes(seen)));
            assert_eq!(!found.is_empty(), fires, "{address} {interface}");
        }
    }

    #[test]
    fn an_internal_frontends_netmask_takes_the_gateway_away() {
        for (own, found) in [("10.0.0.11/24", "PL0323"), ("10.0.1.11/24", "PL0303")] {
            let mut facts = facts();
            facts.addresses.retain(|a| a.interface == "lo");
            hold(&mut facts, own, "eth0");
            hold(&mut facts, "10.0.0.7/24", "lo");
            assert_eq!(with(&facts, |seen| codes_of(wrong_prefixes(seen))), [found]);
        }
    }

    fn firewall(rule: FirewallRule) -> Firewall {
        Firewall {
            kind: FirewallKind::Nftables,
            active: true,
            base: vec![Chain {
                name: "inet filter input".to_owned(),
                policy: Target::Drop,
                ipv4: true,
                ipv6: true,
                rules: vec![rule],
            }],
            other: Vec::new(),
        }
    }

    #[test]
    fn a_rule_that_denies_is_named_and_a_policy_is_not() {
        let deny = |port: u16, uncertain: bool| FirewallRule {
            protocol: Some(Protocol::Tcp),
            sources: Vec::new(),
            destinations: Vec::new(),
            ports: vec![(port, port)],
            uncertain,
            target: Target::Drop,
            ours: false,
            text: format!("tcp dport {port} drop"),
            name: None,
        };
        let service = service(GuestMode::Loopback, 8080);
        let opening = |port: u16, source: Option<IpAddr>| crate::model::guest::Opening {
            protocol: Protocol::Tcp,
            destination: service.destination(),
            port: Some(port),
            source,
        };
        let probe = Some(crate::model::guest::AZURE_PROBE_SOURCE);
        for (denied_port, uncertain, code) in [
            (443, false, Some("PL0305")),
            (443, true, Some("PL0306")),
            (8080, false, Some("PL0315")),
            (22, false, None),
        ] {
            let firewall = firewall(deny(denied_port, uncertain));
            let openings = [opening(443, None), opening(8080, probe)];
            let found = codes_of(refused(&addr("vm1"), openings.iter(), &firewall));
            assert_eq!(found.first().map(String::as_str), code, "{denied_port}");
        }
    }
}
