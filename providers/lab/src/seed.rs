//! What a configuration asks of the lab, and what the lab made of it.
//!
//! In: a [`Seed`], sent with every command that uses the lab. Out: the [`Inventory`], which only
//! grows: a guest that has gone from the configuration keeps running, because its cleanup (undoing
//! what was applied in it) may still be due, and an address once given to a NIC stays its own.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::layout::GuestName;

/// What a configuration refers to but does not manage; the lab makes it up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seed {
    pub subscription: String,
    pub location: String,
    pub resource_groups: Vec<String>,
    pub public_addresses: Vec<PublicAddress>,
    /// Ids of public IP prefixes; those that do not exist get 16 addresses.
    pub public_ip_prefixes: Vec<String>,
    /// Private addresses that frontends ask for: no NIC gets one of them.
    pub private_addresses: Vec<IpAddr>,
    pub guests: Vec<SeedGuest>,
}

/// The address that a public IP shall get when it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAddress {
    pub id: String,
    pub address: IpAddr,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedGuest {
    pub name: GuestName,
    /// `linux` or `windows`.
    pub os: String,
    /// The virtual machine's ARM id, where the configuration names one (Run Command needs it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_machine: Option<String>,
    #[serde(default)]
    pub network_interfaces: Vec<SeedNetworkInterface>,
    /// The ports on which the guest's responder answers, beside those that its rules name.
    #[serde(default)]
    pub listen: Vec<Port>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedNetworkInterface {
    pub id: String,
    #[serde(default)]
    pub ip_configurations: Vec<SeedIpConfiguration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedIpConfiguration {
    pub name: String,
    /// Left out: the address that it already has, or else the next free one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

/// A transport protocol of the lab's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    #[serde(alias = "Tcp", alias = "TCP")]
    Tcp,
    #[serde(alias = "Udp", alias = "UDP")]
    Udp,
}

impl Protocol {
    /// As nft and the responder's answers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    pub protocol: Protocol,
    pub port: u16,
}

/// A user-defined route of a guest's subnet whose next hop is a load balancer's frontend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub guest: GuestName,
    pub prefix: IpNet,
    pub next_hop: IpAddr,
}

/// Which ports of a guest the responder leaves alone, or takes back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub ports: Vec<Port>,
    pub undo: bool,
}

/// All guests that the lab has ever been asked for, until it is reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    pub guests: Vec<Guest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// The number that the next NIC gets; numbers are never used twice.
    #[serde(default)]
    interfaces_made: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    pub name: GuestName,
    /// What other configurations call the machine that has its NICs.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also: BTreeSet<GuestName>,
    pub windows: bool,
    #[serde(default)]
    pub virtual_machine: Option<String>,
    pub network_interfaces: Vec<NetworkInterface>,
    pub listen: Vec<Port>,
    /// Ports that the responder leaves to an application in the guest.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub silent: BTreeSet<Port>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    pub id: String,
    /// Names the link (`n7`), its hardware address, its packet mark and its routing table.
    pub number: u16,
    pub ip_configurations: Vec<IpConfiguration>,
    /// An IPv6 address inside the guest even where Azure's model of the NIC has none.
    pub companion: Ipv6Addr,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpConfiguration {
    pub name: String,
    pub address: IpAddr,
}

impl Guest {
    fn is_called(&self, name: &str) -> bool {
        self.name.as_str() == name || self.also.iter().any(|also| also.as_str() == name)
    }

    /// A machine is who it is whatever a configuration calls it: the one that has all of a guest's NICs.
    fn has_all(&self, wanted: &SeedGuest) -> bool {
        let mut all = wanted.network_interfaces.iter();
        !wanted.network_interfaces.is_empty()
            && all.all(|nic| position(&self.network_interfaces, &nic.id).is_some())
    }
}

impl NetworkInterface {
    /// The link's end in the fabric. Interface names are limited to 15 characters, so NICs are
    /// numbered instead of named.
    pub fn link(&self) -> String {
        format!("n{}", self.number)
    }

    /// A fixed hardware address, so that a rebooted guest is not hidden behind a stale neighbour entry.
    pub fn hardware_address(&self) -> String {
        let [high, low] = self.number.to_be_bytes();
        format!("02:00:00:00:{high:02x}:{low:02x}")
    }

    /// Every address that the NIC has in the guest, the primary one first.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = self
            .ip_configurations
            .iter()
            .map(|configuration| configuration.address)
            .collect();
        if !addresses.contains(&IpAddr::V6(self.companion)) {
            addresses.push(IpAddr::V6(self.companion));
        }
        addresses
    }
}

impl Inventory {
    /// Takes in a seed. `known` says which address the emulator already has for a NIC's IP
    /// configuration (loaded documents bring their own), `taken` which addresses are in use there.
    pub fn take_in(
        &mut self,
        seed: &Seed,
        known: &dyn Fn(&str, &str) -> Option<IpAddr>,
        taken: &BTreeSet<IpAddr>,
    ) -> Result<(), LabError> {
        let mut used = taken.clone();
        used.extend(&seed.private_addresses);
        for interface in self
            .guests
            .iter()
            .flat_map(|guest| &guest.network_interfaces)
        {
            used.extend(interface.addresses());
        }
        // Given addresses first, so that a made-up one cannot land on them.
        for guest in &seed.guests {
            for interface in &guest.network_interfaces {
                used.extend(
                    interface
                        .ip_configurations
                        .iter()
                        .filter_map(|it| it.address),
                );
            }
        }
        for wanted in &seed.guests {
            match self.known_otherwise(wanted, seed) {
                Some(machine) => {
                    machine.also.insert(wanted.name.clone());
                    for port in &wanted.listen {
                        if !machine.listen.contains(port) {
                            machine.listen.push(*port);
                        }
                    }
                    let beside = wanted.virtual_machine.clone();
                    machine.virtual_machine = machine.virtual_machine.take().or(beside);
                }
                None => self.take_in_guest(wanted, known, &mut used)?,
            }
        }
        Ok(())
    }

    /// The machine that a guest of the seed is, where no guest of the seed has the name by which that is known.
    fn known_otherwise(&mut self, wanted: &SeedGuest, seed: &Seed) -> Option<&mut Guest> {
        let has_own = self.guests.iter().any(|guest| guest.name == wanted.name);
        let is_free = |guest: &Guest| seed.guests.iter().all(|other| other.name != guest.name);
        self.guests
            .iter_mut()
            .find(|guest| !has_own && is_free(guest) && guest.has_all(wanted))
    }

    fn take_in_guest(
        &mut self,
        wanted: &SeedGuest,
        known: &dyn Fn(&str, &str) -> Option<IpAddr>,
        used: &mut BTreeSet<IpAddr>,
    ) -> Result<(), LabError> {
        let known_guest = self.guests.iter().find(|guest| guest.name == wanted.name);
        let (mut interfaces, silent, also) = match known_guest {
            Some(guest) => (
                guest.network_interfaces.clone(),
                guest.silent.clone(),
                guest.also.clone(),
            ),
            None => (Vec::new(), BTreeSet::new(), BTreeSet::new()),
        };
        for nic in &wanted.network_interfaces {
            // A NIC is attached to one machine: it goes from the guest that had it to the one that names it.
            for other in self
                .guests
                .iter_mut()
                .filter(|guest| guest.name != wanted.name)
            {
                if let Some(at) = position(&other.network_interfaces, &nic.id) {
                    interfaces.push(other.network_interfaces.remove(at));
                }
            }
            let at = match position(&interfaces, &nic.id) {
                Some(at) => at,
                None => {
                    self.interfaces_made = self.interfaces_made.saturating_add(1);
                    interfaces.push(NetworkInterface {
                        id: nic.id.clone(),
                        number: self.interfaces_made,
                        ip_configurations: Vec::new(),
                        companion: companion(used),
                    });
                    interfaces.len() - 1
                }
            };
            for wanted in &nic.ip_configurations {
                take_in_configuration(&mut interfaces[at], wanted, known, used);
            }
        }
        let guest = Guest {
            name: wanted.name.clone(),
            also,
            windows: wanted.os.eq_ignore_ascii_case("windows"),
            virtual_machine: wanted.virtual_machine.clone(),
            network_interfaces: interfaces,
            listen: wanted.listen.clone(),
            silent,
        };
        match self
            .guests
            .iter_mut()
            .find(|existing| existing.name == guest.name)
        {
            Some(existing) => *existing = guest,
            None => self.guests.push(guest),
        }
        Ok(())
    }

    /// A second route of a guest to the same prefix takes the place of the first, as in a route table.
    pub fn route(&mut self, route: Route) -> Result<(), LabError> {
        self.guest(route.guest.as_str())?;
        self.routes
            .retain(|known| (&known.guest, known.prefix) != (&route.guest, route.prefix));
        self.routes.push(route);
        Ok(())
    }

    /// From now on an application in the guest answers on these ports, or the responder does again.
    pub fn silence(&mut self, name: &str, order: &Silence) -> Result<(), LabError> {
        self.guest(name)?;
        for guest in &mut self.guests {
            if guest.is_called(name) {
                for port in &order.ports {
                    if order.undo {
                        guest.silent.remove(port);
                    } else {
                        guest.silent.insert(*port);
                    }
                }
            }
        }
        Ok(())
    }

    pub fn guest(&self, name: &str) -> Result<&Guest, LabError> {
        self.guests
            .iter()
            .find(|guest| guest.name.as_str() == name)
            .or_else(|| self.guests.iter().find(|guest| guest.is_called(name)))
            .ok_or_else(|| {
                let names: Vec<&str> = self
                    .guests
                    .iter()
                    .map(|guest| guest.name.as_str())
                    .collect();
                LabError::UnknownGuest {
                    name: name.to_owned(),
                    known: if names.is_empty() {
                        "It has none yet: run a command with `--lab` that reads the configuration, \
                         for example `plimsoll --lab plan`."
                            .to_owned()
                    } else {
                        format!("It has: {}.", names.join(", "))
                    },
                }
            })
    }
}

fn take_in_configuration(
    interface: &mut NetworkInterface,
    wanted: &SeedIpConfiguration,
    known: &dyn Fn(&str, &str) -> Option<IpAddr>,
    used: &mut BTreeSet<IpAddr>,
) {
    let existing = interface
        .ip_configurations
        .iter()
        .position(|it| it.name.eq_ignore_ascii_case(&wanted.name));
    let address = wanted
        .address
        .or_else(|| known(&interface.id, &wanted.name))
        .or_else(|| existing.map(|at| interface.ip_configurations[at].address))
        .unwrap_or_else(|| {
            // Azure states the version on the IP configuration; a configuration of ours only names it.
            if wanted.name.to_ascii_lowercase().contains("v6") {
                IpAddr::V6(interface.companion)
            } else {
                next_address(used)
            }
        });
    used.insert(address);
    match existing {
        Some(at) => interface.ip_configurations[at].address = address,
        None => interface.ip_configurations.push(IpConfiguration {
            name: wanted.name.clone(),
            address,
        }),
    }
}

fn position(interfaces: &[NetworkInterface], id: &str) -> Option<usize> {
    // ARM ids compare without case.
    interfaces
        .iter()
        .position(|it| it.id.eq_ignore_ascii_case(id))
}

/// 10.0.0.11, 10.0.0.12, …: below .11 is for gateways and frontends that a person writes down.
fn next_address(used: &BTreeSet<IpAddr>) -> IpAddr {
    (0..=u8::MAX)
        .flat_map(|third| {
            (11..=250).map(move |fourth| IpAddr::V4(Ipv4Addr::new(10, 0, third, fourth)))
        })
        .find(|address| !used.contains(address))
        .unwrap_or(IpAddr::V4(Ipv4Addr::new(10, 0, 255, 254)))
}

/// fd10::11, fd10::12, …: written with the digits of the IPv4 address that is given at the same time.
fn companion(used: &mut BTreeSet<IpAddr>) -> Ipv6Addr {
    let address = (11..=u16::MAX)
        .filter_map(|number| u16::from_str_radix(&number.to_string(), 16).ok())
        .map(|last| Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, last))
        .find(|address| !used.contains(&IpAddr::V6(*address)))
        .unwrap_or(Ipv6Addr::new(0xfd10, 0, 0, 0, 0, 0, 0, 0xffff));
    used.insert(IpAddr::V6(address));
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A NIC's id, and its address if it is given.
    type Nic<'a> = (&'a str, Option<&'a str>);

    fn seed(guests: &[(&str, &[Nic<'_>])]) -> Seed {
        Seed {
            guests: guests
                .iter()
                .map(|(name, interfaces)| SeedGuest {
                    name: GuestName::parse(name).unwrap(),
                    os: "linux".into(),
                    virtual_machine: None,
                    network_interfaces: interfaces
                        .iter()
                        .map(|(id, address)| SeedNetworkInterface {
                            id: (*id).into(),
                            ip_configurations: vec![SeedIpConfiguration {
                                name: "ipconfig1".into(),
                                address: address.map(|it| it.parse().unwrap()),
                            }],
                        })
                        .collect(),
                    listen: vec![],
                })
                .collect(),
            ..Seed::default()
        }
    }

    fn first_addresses(inventory: &Inventory) -> Vec<String> {
        inventory
            .guests
            .iter()
            .flat_map(|guest| &guest.network_interfaces)
            .map(|nic| nic.addresses()[0].to_string())
            .collect()
    }

    fn take_in(inventory: &mut Inventory, seed: &Seed) {
        inventory
            .take_in(seed, &|_, _| None, &BTreeSet::new())
            .unwrap();
    }

    #[test]
    fn addresses_are_given_in_order_of_appearance_and_kept() {
        let mut inventory = Inventory::default();
        take_in(
            &mut inventory,
            &seed(&[("vm1", &[("/n1", None)]), ("vm2", &[("/n2", None)])]),
        );
        assert_eq!(first_addresses(&inventory), ["10.0.0.11", "10.0.0.12"]);
        assert_eq!(
            inventory.guests[1].network_interfaces[0]
                .companion
                .to_string(),
            "fd10::12"
        );
        let before = inventory.clone();
        take_in(&mut inventory, &seed(&[("vm2", &[("/N2", None)])]));
        assert_eq!(
            inventory, before,
            "idempotent, and a guest that left the seed stays"
        );
    }

    #[test]
    fn a_made_up_address_avoids_given_loaded_and_asked_for_ones() {
        let mut inventory = Inventory::default();
        let taken = BTreeSet::from(["10.0.0.12".parse().unwrap()]);
        let mut seed = seed(&[
            ("a", &[("/n1", None)]),
            ("b", &[("/n2", Some("10.0.0.11"))]),
        ]);
        seed.private_addresses = vec!["10.0.0.13".parse().unwrap()];
        inventory.take_in(&seed, &|_, _| None, &taken).unwrap();
        assert_eq!(first_addresses(&inventory), ["10.0.0.14", "10.0.0.11"]);
    }

    #[test]
    fn a_machine_stays_who_it_is_under_another_name() {
        let mut inventory = Inventory::default();
        let both: &[Nic<'_>] = &[("/n1", None), ("/n2", None)];
        take_in(&mut inventory, &seed(&[("vm.old", both)]));
        take_in(&mut inventory, &seed(&[("new", &[("/N2", None)])]));
        let machine = inventory.guest("new").unwrap().clone();
        assert_eq!(machine.name.as_str(), "vm.old");
        assert_eq!(machine.network_interfaces.len(), 2);
        let before = inventory.clone();
        take_in(&mut inventory, &seed(&[("new", &[("/N2", None)])]));
        assert_eq!(inventory, before);
    }

    #[test]
    fn a_nic_goes_to_the_guest_that_names_it_beside_the_one_that_had_it() {
        let mut inventory = Inventory::default();
        let both: &[Nic<'_>] = &[("/n1", None), ("/n2", None)];
        take_in(&mut inventory, &seed(&[("old", both)]));
        let parted: &[(&str, &[Nic<'_>])] = &[("old", &[("/n1", None)]), ("new", &[("/n2", None)])];
        take_in(&mut inventory, &seed(parted));
        let nics = |name| &inventory.guest(name).unwrap().network_interfaces;
        assert_eq!((nics("old").len(), nics("new").len()), (1, 1));
        assert_eq!(nics("new")[0].number, 2);
    }

    #[test]
    fn an_unknown_guest_is_answered_with_the_known_ones() {
        let mut inventory = Inventory::default();
        take_in(&mut inventory, &seed(&[("vm1", &[])]));
        assert!(
            inventory
                .guest("vm9")
                .unwrap_err()
                .to_string()
                .contains("It has: vm1.")
        );
    }
}
