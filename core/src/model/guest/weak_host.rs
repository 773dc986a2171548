//! The weak host model of Windows: whether an interface takes in, or sends, packets of an address that another one holds.
//!
//! Linux always does. Windows does not unless it is told to, one interface, address family and direction at a time.
//! Source: <https://learn.microsoft.com/azure/load-balancer/load-balancer-floating-ip>.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpFamily {
    Ipv4,
    Ipv6,
}

impl IpFamily {
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

impl fmt::Display for IpFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    Receive,
    Send,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Receive => "receive",
            Self::Send => "send",
        })
    }
}

/// Which interface a setting is for. Indexes and names are a machine's own; these two hold wherever a rule leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SettingOn {
    /// The one that holds the VM's own address (DIP); its family is the setting's.
    Nic(IpAddr),
    Loopback(IpFamily),
}

impl SettingOn {
    pub fn family(self) -> IpFamily {
        match self {
            Self::Nic(own) => IpFamily::of(own),
            Self::Loopback(family) => family,
        }
    }
}

/// One weak host setting, which shall be enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WeakHost {
    pub direction: Direction,
    pub on: SettingOn,
}

impl WeakHost {
    /// What packets to a frontend address need that arrive at a VM under its own one.
    pub fn all_for(own: IpAddr) -> [Self; 3] {
        let loopback = SettingOn::Loopback(IpFamily::of(own));
        [
            (Direction::Receive, SettingOn::Nic(own)),
            (Direction::Receive, loopback),
            (Direction::Send, loopback),
        ]
        .map(|(direction, on)| Self { direction, on })
    }

    /// The text after `weak host `.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (direction, on) = text.split_once(" on the ")?;
        let direction = match direction {
            "receive" => Direction::Receive,
            "send" => Direction::Send,
            _ => return None,
        };
        let on = match on {
            "ipv4 loopback interface" => SettingOn::Loopback(IpFamily::Ipv4),
            "ipv6 loopback interface" => SettingOn::Loopback(IpFamily::Ipv6),
            _ => SettingOn::Nic(on.strip_prefix("interface of ")?.parse().ok()?),
        };
        Some(Self { direction, on })
    }
}

impl fmt::Display for WeakHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weak host {} on the ", self.direction)?;
        match self.on {
            SettingOn::Nic(own) => write!(f, "interface of {own}"),
            SettingOn::Loopback(family) => write!(f, "{family} loopback interface"),
        }
    }
}

/// A network interface as a guest's system knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemInterface {
    pub index: u32,
    /// Its alias, in whatever language the system speaks.
    pub name: String,
    pub role: InterfaceRole,
    /// Empty where every interface is a weak host, as on Linux.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weak_host: BTreeMap<IpFamily, WeakHostSettings>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceRole {
    /// The system's own, which is always there.
    Loopback,
    /// Microsoft's KM-TEST loopback adapter, which someone installed.
    LoopbackAdapter,
    Network,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeakHostSettings {
    pub receive: Setting,
    pub send: Setting,
}

/// A setting that is on or off: now, and once the guest has booted again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    pub now: bool,
    pub after_reboot: bool,
}

impl WeakHostSettings {
    pub fn get(&self, direction: Direction) -> Setting {
        match direction {
            Direction::Receive => self.receive,
            Direction::Send => self.send,
        }
    }

    pub fn set(&mut self, direction: Direction, setting: Setting) {
        match direction {
            Direction::Receive => self.receive = setting,
            Direction::Send => self.send = setting,
        }
    }
}
