//! Small closed types that many places share.

use super::ArmId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;

/// What a rule carries. `All` is Azure's word for an HA-ports rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    All,
}

impl Protocol {
    /// Azure writes `Tcp`, templates write `TCP` and `tcp`: all are the same.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            "all" | "*" => Some(Self::All),
            _ => None,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::All => "all",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// An address that is known now, or that Azure will give when it makes the resource named here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Where {
    Known(IpAddr),
    AfterApply(ArmId),
}

impl Where {
    pub fn known(&self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => Some(*address),
            Self::AfterApply(_) => None,
        }
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(address) => write!(f, "{address}"),
            Self::AfterApply(id) => write!(f, "(address of {}, known after apply)", id.name()),
        }
    }
}

const AFTER_APPLY: &str = "known after apply: ";

impl Serialize for Where {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(address) => serializer.collect_str(address),
            Self::AfterApply(id) => serializer.collect_str(&format_args!("{AFTER_APPLY}{id}")),
        }
    }
}

impl<'de> Deserialize<'de> for Where {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix(AFTER_APPLY) {
            Some(id) => Ok(Self::AfterApply(ArmId::new(id))),
            None => text
                .parse()
                .map(Self::Known)
                .map_err(serde::de::Error::custom),
        }
    }
}
