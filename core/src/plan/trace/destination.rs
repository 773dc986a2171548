//! The destination that clients use, as a person types it: `65.52.0.1:80`, `[2001:db8::1]:53/udp`.

use crate::model::Protocol;
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    pub socket: SocketAddr,
    /// TCP or UDP: a packet has one of them.
    pub protocol: Protocol,
}

/// The text names no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADestination {
    #[error("{0:?} is neither tcp nor udp")]
    Protocol(String),
    #[error("{0:?} is not an address with a port")]
    Socket(String),
}

impl FromStr for Destination {
    type Err = NotADestination;

    fn from_str(text: &str) -> Result<Self, NotADestination> {
        let (place, word) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match Protocol::parse(word) {
            Some(protocol @ (Protocol::Tcp | Protocol::Udp)) => protocol,
            Some(Protocol::All) | None => return Err(NotADestination::Protocol(word.to_owned())),
        };
        // No packet has port 0, and an IPv4 address may be written in the form of IPv6.
        let socket = place.parse().ok().filter(|s: &SocketAddr| s.port() != 0);
        let socket = socket.ok_or_else(|| NotADestination::Socket(place.to_owned()))?;
        Ok(Self {
            socket: SocketAddr::new(socket.ip().to_canonical(), socket.port()),
            protocol,
        })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.socket, self.protocol)
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        for (text, shown) in [
            ("65.52.0.1:80", "65.52.0.1:80/tcp"),
            ("65.52.0.2:53/UDP", "65.52.0.2:53/udp"),
            ("[fd00::1]:80/tcp", "[fd00::1]:80/tcp"),
            ("[::ffff:65.52.0.1]:80", "65.52.0.1:80/tcp"),
        ] {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), shown);
        }
        for text in [
            "65.52.0.1",
            "65.52.0.1:80/icmp",
            "65.52.0.1:80/all",
            "web:80",
            "65.52.0.1:0",
            "fd00::1:80",
            "",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }
}
