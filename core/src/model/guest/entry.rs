//! What a guest must hold for a rule to work, one entry each, keyed by what it is and never by a rule's name.

use super::record::Claim;
use super::weak_host::WeakHost;
use crate::model::{Protocol, Where};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where Azure's health probes come from (IPv4).
pub const AZURE_PROBE_SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16));

/// Stands for a machine's own IPv4 address in what is written for machines that nobody has read. IANA's dummy address
/// (RFC 7600): no machine has it.
pub const OWN_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 0, 8));
/// The same for IPv6, from the discard-only prefix (RFC 6666).
pub const OWN_IPV6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8));

/// A hole in the host firewall, as narrow as the rule that needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Opening {
    pub protocol: Protocol,
    pub destination: Where,
    /// `None` is every port.
    pub port: Option<u16>,
    /// `None` is every source.
    pub source: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKey {
    /// A frontend address as /32 or /128 on the loopback interface.
    Address(Where),
    Firewall(Opening),
    /// Windows only: packets to an address of the loopback interface pass the interface that they came through.
    WeakHost(WeakHost),
}

impl EntryKey {
    /// The address that packets are sent to; a weak host setting has none of its own.
    pub fn destination(&self) -> Option<&Where> {
        match self {
            Self::Address(address) => Some(address),
            Self::Firewall(opening) => Some(&opening.destination),
            Self::WeakHost(_) => None,
        }
    }

    /// The same entry with its address filled in.
    #[must_use]
    pub fn resolved(&self, address: IpAddr) -> Self {
        match self {
            Self::Address(_) => Self::Address(Where::Known(address)),
            Self::Firewall(opening) => Self::Firewall(Opening {
                destination: Where::Known(address),
                ..opening.clone()
            }),
            Self::WeakHost(weak_host) => Self::WeakHost(*weak_host),
        }
    }
}

const AFTER_APPLY: &str = "known after apply: ";

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |place: &Where| match place {
            Where::Known(address) => address.to_string(),
            Where::AfterApply(id) => format!("{AFTER_APPLY}{id}"),
        };
        match self {
            Self::Address(address) => write!(f, "address {}", place(address)),
            Self::Firewall(opening) => {
                write!(f, "firewall {}", opening.protocol)?;
                if let Some(port) = opening.port {
                    write!(f, " port {port}")?;
                }
                if let Some(source) = opening.source {
                    write!(f, " from {source}")?;
                }
                write!(f, " to {}", place(&opening.destination))
            }
            Self::WeakHost(weak_host) => weak_host.fmt(f),
        }
    }
}

/// The text does not name an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an entry such as \"address 65.52.0.1\" or \"firewall tcp port 80 to 65.52.0.1\""
)]
pub struct NotAnEntry(pub String);

impl std::str::FromStr for EntryKey {
    type Err = NotAnEntry;

    fn from_str(text: &str) -> Result<Self, NotAnEntry> {
        let wrong = || NotAnEntry(text.to_owned());
        let place = |text: &str| match text.strip_prefix(AFTER_APPLY) {
            Some(id) => Ok(Where::AfterApply(crate::model::ArmId::new(id))),
            None => text.parse().map(Where::Known).map_err(|_| wrong()),
        };
        if let Some(address) = text.strip_prefix("address ") {
            return place(address).map(Self::Address);
        }
        if let Some(setting) = text.strip_prefix("weak host ") {
            return WeakHost::parse(setting)
                .map(Self::WeakHost)
                .ok_or_else(wrong);
        }
        let rest = text.strip_prefix("firewall ").ok_or_else(wrong)?;
        let (what, destination) = rest.split_once(" to ").ok_or_else(wrong)?;
        let mut words = what.split(' ');
        let protocol = words.next().and_then(Protocol::parse).ok_or_else(wrong)?;
        let (mut port, mut source) = (None, None);
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(wrong)?;
            match word {
                "port" => port = Some(value.parse().map_err(|_| wrong())?),
                "from" => source = Some(value.parse().map_err(|_| wrong())?),
                _ => return Err(wrong()),
            }
        }
        Ok(Self::Firewall(Opening {
            protocol,
            destination: place(destination)?,
            port,
            source,
        }))
    }
}

impl Serialize for EntryKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// One entry as it is in a guest: *running now* and *survives reboot* are two facts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryState {
    /// Running now: the address is on the interface, the firewall admits the packet.
    pub live: bool,
    /// It will be there after a reboot because of files of ours.
    pub survives: bool,
    /// Who wants it, from the guest's record; empty where it is not ours.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub claims: BTreeSet<Claim>,
}

/// One entry that a step reads or writes, with what it was and what it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    pub key: EntryKey,
    pub before: EntryState,
    pub after: EntryState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_print_and_parse_back() {
        for text in [
            "address 65.52.0.1",
            "address fd00:f1::1",
            "firewall tcp port 80 to 65.52.0.1",
            "firewall udp port 53 to known after apply: /subscriptions/s/x",
            "firewall tcp port 8080 from 168.63.129.16 to 10.0.0.11",
            "firewall all to 10.0.0.4",
            "weak host receive on the interface of 10.0.0.4",
            "weak host receive on the interface of fd00:10::4",
            "weak host send on the ipv4 loopback interface",
            "weak host receive on the ipv6 loopback interface",
        ] {
            assert_eq!(text.parse::<EntryKey>().unwrap().to_string(), text);
        }
        for text in [
            "address",
            "address x",
            "firewall tcp 80",
            "firewall tcp port x to 1.2.3.4",
            "weak host on the ipv4 loopback interface",
            "weak host send on the loopback interface",
            "weak host receive on the interface of eth0",
        ] {
            assert!(text.parse::<EntryKey>().is_err(), "{text}");
        }
    }
}
