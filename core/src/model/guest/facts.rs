//! What one read of a guest found.

use super::firewall::{Firewall, Packet, Verdict};
use super::weak_host::{InterfaceRole, Setting, SettingOn, SystemInterface, WeakHost};
use super::{EntryKey, EntryState, GuestRecord};
use crate::model::{Protocol, Where};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Everything that planning knows about the inside of a guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuestFacts {
    pub hostname: String,
    /// Tells a reboot from tampering.
    pub boot_id: String,
    /// How the guest starts things at boot: `systemd`, `windows`, or what it is instead.
    pub init: String,
    pub addresses: Vec<InterfaceAddress>,
    /// Interfaces with settings of their own (Windows); empty where only their names are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<SystemInterface>,
    pub firewall: Firewall,
    pub listeners: Vec<Listener>,
    /// Entries that files of ours will put back at the next boot: judged from the files, never from `is-active`.
    pub survives: BTreeSet<EntryKey>,
    pub record: RecordFact,
    /// Kernel settings that decide whether packets arrive, by name.
    pub settings: BTreeMap<String, String>,
    /// What interfaces are made of, the way of answers, and who else keeps addresses.
    #[serde(default, skip_serializing_if = "NetworkFacts::is_empty")]
    pub network: NetworkFacts,
    /// A change that could have cut the guest off, and that nobody confirmed over a new connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<Unconfirmed>,
    /// What could not be read and why, for example a command that is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
}

/// The setting that names the firewall's chain which drops IPv6 packets that would not be answered by the interface they came
/// through: the kernel has such a filter, `rp_filter`, for IPv4 alone.
pub const STRICT_IPV6: &str = "firewall.ipv6.rpfilter";

/// A change that the guest takes back by itself unless it is confirmed over a connection that was made after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    pub fate: Fate,
    /// Who did what: `run 7: firewalld was loaded anew`.
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It stands until its time is over.
    Waits,
    TakenBack,
}

/// The record as it was found, with a digest of its exact text for compare-and-set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RecordFact {
    Absent,
    Present { record: GuestRecord, sha256: String },
    Unusable { why: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    pub interface: String,
    pub address: IpNet,
}

/// What surrounds the addresses. A part that could not be read is empty, and a reader says "unknown" of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkFacts {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hardware: Vec<InterfaceHardware>,
    /// Addresses that files of the machine name, whoever wrote them: a reboot may bring them back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub persisted: Vec<PersistedAddress>,
    /// Which way an answer to an outside client leaves, for each address of the guest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<ReplyPath>,
    /// Which way an answer to Azure's health probe leaves, for each IPv4 address. The kernel's reverse path filter asks it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probe_replies: Vec<ReplyPath>,
}

impl NetworkFacts {
    pub fn is_empty(&self) -> bool {
        let Self {
            hardware,
            persisted,
            replies,
            probe_replies,
        } = self;
        hardware.is_empty()
            && persisted.is_empty()
            && replies.is_empty()
            && probe_replies.is_empty()
    }

    /// The way an answer from this address leaves.
    pub fn reply_from(&self, source: IpAddr) -> Option<&ReplyPath> {
        self.replies.iter().find(|reply| reply.source == source)
    }

    /// The way the answer to a health probe leaves that was sent to this address.
    pub fn probe_reply_from(&self, source: IpAddr) -> Option<&ReplyPath> {
        self.probe_replies
            .iter()
            .find(|reply| reply.source == source)
    }

    /// Files that name this address.
    pub fn keepers_of(&self, address: IpAddr) -> impl Iterator<Item = &PersistedAddress> {
        self.persisted
            .iter()
            .filter(move |kept| kept.address == address)
    }
}

/// What one network interface is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceHardware {
    /// `eth0`; on Windows the alias.
    pub name: String,
    /// In lower case with colons: `00:0d:3a:12:34:56`. Azure writes the same as `00-0D-3A-12-34-56` on the NIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware_address: Option<String>,
    /// The kernel's driver: `hv_netvsc` is the synthetic NIC that Azure's host gives; a virtual function of accelerated
    /// networking has the same hardware address and stands under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    pub up: bool,
}

/// The synthetic NIC of Hyper-V.
const AZURE_DRIVER: &str = "hv_netvsc";

impl InterfaceHardware {
    /// Whether Azure's host manages it; `None` where the guest does not tell.
    pub fn is_of_azure(&self) -> Option<bool> {
        self.driver.as_deref().map(|driver| driver == AZURE_DRIVER)
    }
}

/// An address in a file that the machine reads when it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersistedAddress {
    pub address: IpAddr,
    /// Where the file gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u8>,
    /// `netplan`, `networkd`, `plimsoll` …
    pub owner: String,
    pub file: String,
}

/// What the guest's routing says of an answer that begins at one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyPath {
    pub source: IpAddr,
    pub interface: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<IpAddr>,
}

/// A socket that accepts connections or datagrams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    pub protocol: Protocol,
    /// The unspecified address (`0.0.0.0`, `::`) is every address.
    pub address: IpAddr,
    pub port: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

impl Listener {
    /// Whether a packet to this destination reaches the socket. A `::` socket takes IPv4 too unless it is v6-only;
    /// the reader of facts lists such a socket once for each family.
    pub fn hears(&self, protocol: Protocol, destination: IpAddr, port: Option<u16>) -> bool {
        let family = self.address.is_ipv4() == destination.is_ipv4();
        self.protocol == protocol
            && port.is_none_or(|port| port == self.port)
            && family
            && (self.address.is_unspecified() || self.address == destination)
    }
}

impl GuestFacts {
    pub fn record(&self) -> Option<&GuestRecord> {
        match &self.record {
            RecordFact::Present { record, .. } => Some(record),
            RecordFact::Absent | RecordFact::Unusable { .. } => None,
        }
    }

    /// Whether a change waits to be confirmed.
    pub fn waits(&self) -> bool {
        let unconfirmed = self.unconfirmed.as_ref();
        unconfirmed.is_some_and(|change| change.fate == Fate::Waits)
    }

    /// Whether what is set in it can be made to survive a reboot.
    pub fn keeps_settings(&self) -> bool {
        matches!(self.init.as_str(), "systemd" | "windows")
    }

    /// The interface that frontend addresses live on. On Windows: the one where we put some already, or else a KM-TEST
    /// adapter that someone gave an address, or else the system's own loopback interface. `None` on Linux, where it is `lo`.
    pub fn loopback(&self) -> Option<&SystemInterface> {
        let candidates = || {
            self.interfaces
                .iter()
                .filter(|i| i.role != InterfaceRole::Network)
        };
        let holds = |interface: &SystemInterface, wanted: &dyn Fn(IpAddr) -> bool| {
            self.addresses
                .iter()
                .any(|a| a.interface == interface.name && wanted(a.address.addr()))
        };
        let is_ours = |address: IpAddr| {
            let key = EntryKey::Address(Where::Known(address));
            self.record().is_some_and(|r| r.entries.contains_key(&key))
        };
        candidates()
            .find(|i| holds(i, &is_ours))
            .or_else(|| {
                candidates().find(|i| {
                    i.role == InterfaceRole::LoopbackAdapter && holds(i, &|a| !is_link_local(a))
                })
            })
            .or_else(|| candidates().find(|i| i.role == InterfaceRole::Loopback))
    }

    /// What its people call the interface that frontend addresses live on.
    pub fn loopback_name(&self) -> &str {
        self.loopback().map_or("lo", |i| i.name.as_str())
    }

    /// Whether an address of this interface never leaves the guest.
    pub fn is_loopback(&self, interface: &str) -> bool {
        match self.interfaces.iter().find(|i| i.name == interface) {
            Some(found) => found.role != InterfaceRole::Network,
            None => interface == "lo",
        }
    }

    /// The interface that a weak host setting is about.
    pub fn interface_of(&self, setting: &WeakHost) -> Option<&SystemInterface> {
        match setting.on {
            SettingOn::Nic(own) => {
                let name = &self.holds(own)?.interface;
                self.interfaces.iter().find(|i| i.name == *name)
            }
            SettingOn::Loopback(_) => self.loopback(),
        }
    }

    /// Off where it is not known.
    fn weak_host(&self, setting: &WeakHost) -> Setting {
        self.interface_of(setting)
            .and_then(|i| i.weak_host.get(&setting.on.family()))
            .map(|settings| settings.get(setting.direction))
            .unwrap_or_default()
    }

    /// The address, on whichever interface: any of them serves, on Windows once the weak host settings are made.
    pub fn holds(&self, address: IpAddr) -> Option<&InterfaceAddress> {
        self.addresses.iter().find(|a| a.address.addr() == address)
    }

    pub fn listens(
        &self,
        protocol: Protocol,
        destination: IpAddr,
        port: Option<u16>,
    ) -> Option<&Listener> {
        self.listeners
            .iter()
            .find(|l| l.hears(protocol, destination, port))
    }

    /// Whether an application takes packets for this destination; for an address that is not known yet, one that listens on
    /// every address.
    pub fn answers(&self, protocol: Protocol, destination: &Where, port: Option<u16>) -> bool {
        match destination {
            Where::Known(address) => self.listens(protocol, *address, port).is_some(),
            Where::AfterApply(_) => self.listeners.iter().any(|l| {
                l.protocol == protocol
                    && l.address.is_unspecified()
                    && port.is_none_or(|port| port == l.port)
            }),
        }
    }

    /// The state of one entry; an address that is not known yet is not there yet.
    pub fn state_of(&self, key: &EntryKey) -> EntryState {
        let entry = self.record().and_then(|r| r.entries.get(key));
        let live = match key {
            EntryKey::Address(Where::Known(address)) => self.holds(*address).is_some(),
            EntryKey::Firewall(opening) => match opening.destination {
                Where::Known(destination) => {
                    let packet = Packet {
                        protocol: opening.protocol,
                        source: opening.source,
                        destination,
                        port: opening.port,
                    };
                    matches!(self.firewall.judge(&packet), Verdict::Admitted { .. })
                }
                Where::AfterApply(_) => false,
            },
            EntryKey::Address(Where::AfterApply(_)) => false,
            EntryKey::WeakHost(setting) => self.weak_host(setting).now,
        };
        let survives = match key {
            EntryKey::WeakHost(setting) => self.weak_host(setting).after_reboot,
            EntryKey::Address(_) => self.survives.contains(key),
            // What may be taken back any moment is nothing to rely on.
            EntryKey::Firewall(_) => self.survives.contains(key) && !self.waits(),
        };
        EntryState {
            live,
            survives,
            claims: entry.map(|e| e.claims.clone()).unwrap_or_default(),
        }
    }
}

/// An address that an interface gives itself says nothing about what it is for.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, FirewallKind, IpFamily, WeakHostSettings};
    use super::*;

    fn windows(addresses: &[(&str, &str)]) -> GuestFacts {
        let interface = |index, name: &str, role| SystemInterface {
            index,
            name: name.to_owned(),
            role,
            weak_host: [(IpFamily::Ipv4, WeakHostSettings::default())].into(),
        };
        let held = addresses
            .iter()
            .map(|(interface, address)| InterfaceAddress {
                interface: (*interface).to_owned(),
                address: address.parse().unwrap(),
            });
        let mut firewall = Firewall::none();
        firewall.kind = FirewallKind::Windows;
        GuestFacts {
            hostname: String::new(),
            boot_id: String::new(),
            init: "windows".to_owned(),
            addresses: held.collect(),
            interfaces: vec![
                interface(6, "Ethernet", InterfaceRole::Network),
                interface(11, "KM", InterfaceRole::LoopbackAdapter),
                interface(1, "Loopback", InterfaceRole::Loopback),
            ],
            firewall,
            listeners: Vec::new(),
            survives: BTreeSet::new(),
            record: RecordFact::Absent,
            settings: BTreeMap::new(),
            network: NetworkFacts::default(),
            unconfirmed: None,
            unread: Vec::new(),
        }
    }

    #[test]
    fn frontend_addresses_live_where_someone_put_them_first() {
        let own = ("Ethernet", "10.0.0.4/24");
        assert_eq!(windows(&[own]).loopback_name(), "Loopback");
        // A KM-TEST adapter without an address of its own is nobody's choice.
        let idle = windows(&[own, ("KM", "169.254.7.7/16")]);
        assert_eq!(idle.loopback_name(), "Loopback");
        let chosen = [own, ("KM", "65.52.0.9/32")];
        assert_eq!(windows(&chosen).loopback_name(), "KM");
        // What we put elsewhere before that stays the choice.
        let mut ours = windows(&[own, chosen[1], ("Loopback", "65.52.0.1/32")]);
        let mut record = GuestRecord::default();
        let key = "address 65.52.0.1".parse().unwrap();
        record.entries.insert(key, Entry::default());
        ours.record = RecordFact::Present {
            record,
            sha256: String::new(),
        };
        assert_eq!(ours.loopback_name(), "Loopback");
        assert!(ours.is_loopback("KM") && !ours.is_loopback("Ethernet"));
    }

    #[test]
    fn a_weak_host_setting_is_that_of_its_interface() {
        let mut facts = windows(&[("Ethernet", "10.0.0.4/24")]);
        let settings = facts.interfaces[0].weak_host.values_mut().next().unwrap();
        settings.receive.now = true;
        let state = |facts: &GuestFacts, key: &str| facts.state_of(&key.parse().unwrap());
        let receive = state(&facts, "weak host receive on the interface of 10.0.0.4");
        assert!(receive.live && !receive.survives);
        assert!(!state(&facts, "weak host send on the interface of 10.0.0.4").live);
        assert!(!state(&facts, "weak host receive on the interface of 10.0.0.5").live);
        assert!(!state(&facts, "weak host receive on the ipv4 loopback interface").live);
    }
}
