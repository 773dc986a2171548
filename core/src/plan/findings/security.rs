//! Network security groups that drop what rules send. A doubt is no finding: many groups let in some clients only, and mean
//! it.

use super::super::needs::Service;
use super::super::{Finding, codes};
use super::{finding, place};
use crate::config::Desired;
use crate::model::observed::{Observation, Observed};
use crate::model::security::{Guard, Packet, Source, Verdict};
use crate::model::{Addr, Protocol, Where};
use std::collections::BTreeSet;
use std::net::IpAddr;

pub(super) fn findings(
    addr: &Addr,
    services: &[Service],
    desired: &Desired,
    observed: &Observed,
) -> Vec<Finding> {
    let Some(declared) = desired.guests.get(addr) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    // One word for each rule of a group and destination, however many load-balancing rules it stops.
    let mut said = BTreeSet::new();
    for interface in &declared.interfaces {
        let Some(guard) = observed.guard(&interface.id, &interface.ip_configuration) else {
            continue;
        };
        for service in services {
            let mut pools = interface.backend_pools.iter();
            if !pools.any(|pool| pool.parent().as_ref() == Some(&*service.load_balancer)) {
                continue;
            }
            all.extend(traffic(addr, service, &guard, observed, &mut said));
            all.extend(probe(addr, service, &guard, &mut said));
        }
    }
    all
}

type Said = BTreeSet<(String, IpAddr, Option<u16>, Protocol)>;

fn traffic(
    addr: &Addr,
    service: &Service,
    guard: &Guard<'_>,
    observed: &Observed,
    said: &mut Said,
) -> Option<Finding> {
    let destination = service.destination().known()?;
    let from_internet =
        matches!(&service.frontend, Some(Where::Known(frontend)) if is_public(observed, *frontend));
    let packet = Packet {
        protocol: service.protocol,
        source: match from_internet {
            true => Source::Internet(None),
            false => Source::VirtualNetwork(None),
        },
        destination,
        destination_is_public: from_internet && service.floating,
        port: service.port,
    };
    let Verdict::Denied { by } = guard.judge(&packet) else {
        return None;
    };
    let place = place(destination, service.port, service.protocol);
    if !said.insert((by.to_string(), destination, service.port, service.protocol)) {
        return None;
    }
    let found = finding(
        addr,
        &codes::SECURITY_GROUP,
        format!("{by} drops what clients send to {place}"),
    );
    let found = match service.floating {
        true => found.note(
            "with floating IP a group sees the frontend's address as destination, not the VM's own",
        ),
        false => found,
    };
    Some(found.note(format!(
        "rule {:?}: allow {} to {destination}, destination port {}",
        service.rule,
        service.protocol,
        service.port.map_or_else(|| "*".to_owned(), |port| port.to_string())
    )))
}

fn probe(addr: &Addr, service: &Service, guard: &Guard<'_>, said: &mut Said) -> Option<Finding> {
    let probe = service.probe()?;
    let packet = Packet {
        protocol: Protocol::Tcp,
        source: Source::Probe,
        destination: probe.destination,
        destination_is_public: false,
        port: Some(probe.port),
    };
    let Verdict::Denied { by } = guard.judge(&packet) else {
        return None;
    };
    let place = place(probe.destination, Some(probe.port), Protocol::Tcp);
    let key = (
        format!("probe {by}"),
        probe.destination,
        Some(probe.port),
        Protocol::Tcp,
    );
    said.insert(key).then(|| {
        finding(
            addr,
            &codes::SECURITY_GROUP_PROBE,
            format!("{by} drops the health probe to {place}"),
        )
        .note("allow the service tag AzureLoadBalancer before that rule")
    })
}

/// The address of a public IP address that was read, rather than one of a subnet.
fn is_public(observed: &Observed, address: IpAddr) -> bool {
    let seen = observed.public_ips.values();
    seen.filter_map(Observation::present)
        .any(|ip| ip.address == Some(address))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{addr, configuration, service_of};
    use super::*;
    use crate::config::GuestMode;
    use crate::model::security::{Access, Prefix, SecurityGroup, SecurityRule, Transport};
    use crate::model::{ArmId, IpConfiguration, NetworkInterface};
    use serde_json::json;

    fn rule(priority: u16, access: Access, sources: Prefix, destinations: Prefix) -> SecurityRule {
        SecurityRule {
            name: format!("r{priority}"),
            priority,
            access,
            transport: Transport::Any,
            sources: vec![sources],
            source_ports: Vec::new(),
            destinations: vec![destinations],
            ports: Vec::new(),
            default: priority >= 65000,
        }
    }

    /// The rule is for 10.0.0.7:443 with floating IP, its probe asks 10.0.0.11.
    fn codes_with(rules: Vec<SecurityRule>) -> Vec<String> {
        let desired = configuration(true);
        let (_, declared) = desired.guests.iter().next().unwrap();
        let interface = &declared.interfaces[0];
        let group = SecurityGroup {
            id: ArmId::network("s", "rg", "networkSecurityGroups", "nsg"),
            inbound: rules,
        };
        let rest = json!({ "properties": { "networkSecurityGroup": { "id": group.id.as_str() } } });
        let nic = NetworkInterface {
            id: interface.id.clone(),
            ip_configurations: [(
                interface.ip_configuration.clone(),
                IpConfiguration {
                    private_address: Some("10.0.0.11".parse().unwrap()),
                    primary: true,
                    backend_pools: Vec::new(),
                },
            )]
            .into_iter()
            .collect(),
            virtual_machine: None,
            failed: false,
            rest: rest.as_object().unwrap().clone(),
        };
        let mut observed = Observed::default();
        observed
            .network_interfaces
            .insert(nic.id.clone(), Observation::Present(nic));
        observed
            .security_groups
            .insert(group.id.clone(), Observation::Present(group));
        let balancer = interface.backend_pools[0].parent().unwrap();
        let service = service_of(balancer, GuestMode::Loopback, 8080);
        let found = findings(&addr("vm1"), &[service], &desired, &observed);
        found
            .into_iter()
            .map(|finding| finding.code.into_owned())
            .collect()
    }

    #[test]
    fn an_allowance_for_the_vms_own_address_is_not_one_for_the_frontends() {
        let deny = || rule(65500, Access::Deny, Prefix::Any, Prefix::Any);
        let network = || Prefix::Tag("VirtualNetwork".to_owned());
        let to = |net: &str| Prefix::Net(net.parse().unwrap());
        let own = rule(100, Access::Allow, Prefix::Any, to("10.0.0.11/32"));
        assert_eq!(codes_with(vec![own.clone(), deny()]), ["PL0321"]);
        let frontend = rule(110, Access::Allow, network(), to("10.0.0.7/32"));
        assert!(codes_with(vec![own, frontend.clone(), deny()]).is_empty());
        // Nothing lets the probe in.
        assert_eq!(codes_with(vec![frontend, deny()]), ["PL0322"]);
    }
}
