//! What one read of a guest found.

use super::firewall::{Firewall, Packet, Verdict};
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
    /// How the guest starts things at boot: `systemd`, or what it is instead.
    pub init: String,
    pub addresses: Vec<InterfaceAddress>,
    pub firewall: Firewall,
    pub listeners: Vec<Listener>,
    /// Entries that files of ours will put back at the next boot: judged from the files, never from `is-active`.
    pub survives: BTreeSet<EntryKey>,
    pub record: RecordFact,
    /// Kernel settings that decide whether packets arrive, by name.
    pub settings: BTreeMap<String, String>,
    /// What could not be read and why, for example a command that is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
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

    /// The address on an interface whose packets it takes in: any interface serves under Linux's weak-host model.
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
        };
        EntryState {
            live,
            survives: self.survives.contains(key),
            claims: entry.map(|e| e.claims.clone()).unwrap_or_default(),
        }
    }
}
