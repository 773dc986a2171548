//! What the lab must make up for a configuration: all that it refers to and does not manage.

use plimsoll_core::config::{Configuration, Desired, DesiredGuest};
use plimsoll_core::model::guest::Os;
use plimsoll_core::model::{Addr, ArmId, Attr, Protocol};
use plimsoll_core::plan::lab_listeners;
use plimsoll_lab::LabError;
use plimsoll_lab::layout::GuestName;
use plimsoll_lab::seed::{
    self, Port, PublicAddress, Seed, SeedGuest, SeedIpConfiguration, SeedNetworkInterface,
};
use std::collections::{BTreeMap, BTreeSet};

/// Where nothing says where: the lab needs some place.
const SOMEWHERE: &str = "westeurope";

pub(crate) fn seed(configuration: &Configuration) -> Result<Seed, LabError> {
    let desired = &configuration.desired;
    let listeners = lab_listeners(desired);
    let guests = desired
        .guests
        .iter()
        .map(|(addr, guest)| seed_guest(addr, guest, &listeners))
        .collect::<Result<_, _>>()?;
    Ok(Seed {
        subscription: configuration
            .settings
            .subscription_id
            .clone()
            .unwrap_or_default(),
        location: location(desired),
        resource_groups: resource_groups(desired),
        public_addresses: desired
            .public_ips
            .values()
            .filter_map(|ip| {
                Some(PublicAddress {
                    id: ip.id.to_string(),
                    address: ip.lab_address?,
                })
            })
            .collect(),
        public_ip_prefixes: prefixes(desired),
        private_addresses: private_addresses(desired),
        guests,
    })
}

fn seed_guest(
    addr: &Addr,
    guest: &DesiredGuest,
    listeners: &BTreeMap<Addr, BTreeSet<(Protocol, u16)>>,
) -> Result<SeedGuest, LabError> {
    // One NIC may appear with several IP configurations, each in a block of its own.
    let mut interfaces: Vec<SeedNetworkInterface> = Vec::new();
    for interface in &guest.interfaces {
        let configuration = SeedIpConfiguration {
            name: interface.ip_configuration.clone(),
            address: None,
        };
        let same = |nic: &&mut SeedNetworkInterface| ArmId::new(nic.id.as_str()) == interface.id;
        match interfaces.iter_mut().find(same) {
            Some(nic) => nic.ip_configurations.push(configuration),
            None => interfaces.push(SeedNetworkInterface {
                id: interface.id.to_string(),
                ip_configurations: vec![configuration],
            }),
        }
    }
    let listen = listeners
        .get(addr)
        .into_iter()
        .flatten()
        .flat_map(|(protocol, port)| {
            let protocols: &[seed::Protocol] = match protocol {
                Protocol::Tcp => &[seed::Protocol::Tcp],
                Protocol::Udp => &[seed::Protocol::Udp],
                Protocol::All => &[seed::Protocol::Tcp, seed::Protocol::Udp],
            };
            protocols.iter().map(|protocol| Port {
                protocol: *protocol,
                port: *port,
            })
        });
    let virtual_machine = match &guest.connection {
        // Without an id the machine is found by its network interface, so there has to be one.
        plimsoll_core::model::guest::Connection::RunCommand {
            virtual_machine, ..
        } => {
            let beside = guest.interfaces.first().map(|nic| &nic.id);
            let made_up = beside.and_then(|nic| machine_beside(nic, &guest_name(addr)));
            virtual_machine
                .as_ref()
                .map(ToString::to_string)
                .or(made_up)
        }
        plimsoll_core::model::guest::Connection::Ssh { .. }
        | plimsoll_core::model::guest::Connection::Local => None,
    };
    Ok(SeedGuest {
        name: GuestName::parse(&guest_name(addr))?,
        os: match guest.os {
            Os::Linux => "linux".to_owned(),
            Os::Windows => "windows".to_owned(),
        },
        virtual_machine,
        network_interfaces: interfaces,
        listen: listen.collect(),
    })
}

fn machine_beside(interface: &ArmId, name: &str) -> Option<String> {
    if interface.is_of_scale_set() {
        return interface.parent().map(|instance| instance.to_string());
    }
    let (scope, _) = interface.as_str().split_once("/providers/")?;
    Some(format!(
        "{scope}/providers/Microsoft.Compute/virtualMachines/{name}"
    ))
}

/// What a guest is called in the lab: its label, and its key where it has one.
pub(crate) fn guest_name(addr: &Addr) -> String {
    let tame = |text: &str| -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        text.chars()
            .map(|c| if fits(c) { c } else { '_' })
            .collect()
    };
    match &addr.key {
        None => tame(&addr.label),
        Some(key) => format!("{}.{}", tame(&addr.label), tame(key)),
    }
}

fn prefixes(desired: &Desired) -> Vec<String> {
    let items = desired.load_balancers.values().flat_map(|lb| &lb.items);
    let named = items.filter_map(|item| item.attributes.get("public_ip_prefix")?.as_text());
    let of_addresses = desired.public_ips.values();
    let of_addresses =
        of_addresses.filter_map(|ip| ip.attributes.get("public_ip_prefix")?.as_text());
    let mut named: BTreeSet<ArmId> = named
        .chain(of_addresses)
        .map(ArmId::new)
        .chain(desired.data_public_ip_prefixes.values().cloned())
        .collect();
    // What is declared is made by apply, and by nothing else.
    for declared in desired.public_ip_prefixes.values() {
        named.remove(&declared.id);
    }
    named.iter().map(ArmId::to_string).collect()
}

fn private_addresses(desired: &Desired) -> Vec<std::net::IpAddr> {
    let expected = desired.data_load_balancers.values().map(|d| &d.expected);
    desired
        .load_balancers
        .values()
        .chain(expected)
        .flat_map(|lb| lb.items.iter())
        .filter_map(|item| item.attributes.get("private_ip_address")?.as_text())
        .filter_map(|address| address.parse().ok())
        .collect()
}

fn location(desired: &Desired) -> String {
    let balancers = desired.load_balancers.values().map(|lb| &lb.attributes);
    let addresses = desired.public_ips.values().map(|ip| &ip.attributes);
    balancers
        .chain(addresses)
        .find_map(|attributes| attributes.get("location").and_then(Attr::as_text))
        .unwrap_or(SOMEWHERE)
        .to_owned()
}

fn resource_groups(desired: &Desired) -> Vec<String> {
    let balancers = desired.load_balancers.values().map(|lb| &lb.id);
    let addresses = desired.public_ips.values().map(|ip| &ip.id);
    let prefixes = desired.public_ip_prefixes.values().map(|p| &p.id);
    let interfaces = desired
        .guests
        .values()
        .flat_map(|g| &g.interfaces)
        .map(|i| &i.id);
    // Azure compares the names without case.
    let groups: BTreeMap<String, String> = balancers
        .chain(addresses)
        .chain(prefixes)
        .chain(interfaces)
        .filter_map(ArmId::resource_group)
        .map(|group| (group.to_ascii_lowercase(), group.to_owned()))
        .collect();
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::model::Kind;

    #[test]
    fn guests_have_names_that_the_lab_takes() {
        for (addr, name) in [
            (Addr::new(Kind::Guest, "vm1"), "vm1"),
            (Addr::keyed(Kind::Guest, "vm", "a b"), "vm.a_b"),
        ] {
            assert_eq!(guest_name(&addr), name);
            assert!(GuestName::parse(name).is_ok());
        }
    }
}
