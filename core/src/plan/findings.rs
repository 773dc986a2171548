//! Checks that need live facts: what would drop packets although nothing is out of place.

mod addresses;
mod azure;
mod clashes;
mod cluster;
mod firewall;
mod kernel;
mod listeners;
mod security;

use super::Finding;
use super::codes;
use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::needs::Service;
use crate::config::Desired;
use crate::config::checks::{Accepted, may_be_meant};
use crate::model::guest::GuestFacts;
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, Code, Protocol};
use addresses::{not_persistent, wrong_prefixes};
use firewall::{denied, unconfirmed};
use listeners::{Said, silent_probes, silent_services, silent_switches};
use std::borrow::Cow;
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
            all.extend(unconfirmed(&guest.addr, facts));
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
    use crate::config::{GuestMode, Inputs, SourceSet, load};
    use crate::lang::NoFiles;
    use crate::model::guest::{Firewall, InterfaceAddress, Listener, RecordFact};
    use crate::model::{ArmId, Kind, Where};
    use crate::plan::needs::Flow;
    use std::collections::BTreeSet;

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
            unconfirmed: None,
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

    pub(super) fn codes_of(all: Vec<Finding>) -> Vec<String> {
        all.into_iter().map(|f| f.code.into_owned()).collect()
    }

    pub(super) fn with<T>(facts: &GuestFacts, ask: impl Fn(&Seen<'_>) -> T) -> T {
        let services = [service(GuestMode::Loopback, 8080)];
        let addr = addr("vm1");
        ask(&Seen {
            addr: &addr,
            services: &services,
            facts,
            interfaces: 1,
        })
    }
}
