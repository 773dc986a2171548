//! What the daemon and its agents say to each other: one JSON object a line, orders on the agent's
//! standard input, reports on its standard output.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fabric::ProbeTarget;
use crate::seed::{Port, Protocol};

/// An order with the number under which its answer comes back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Numbered {
    pub number: u64,
    pub order: Order,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// The responder: answer on exactly these ports from now on.
    Listen(Vec<Port>),
    /// The client: send these probes and say how each ended.
    Probe(ProbeOrder),
    /// The fabric: run one nft script as one transaction.
    Program(String),
    /// The fabric: probe exactly these members from now on.
    Watch(Vec<ProbeTarget>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    Ready,
    Done {
        number: u64,
        result: Value,
    },
    Failed {
        number: u64,
        error: String,
    },
    /// A member's health changed, or became known.
    Health {
        key: String,
        up: bool,
        detail: String,
    },
}

/// Attempts from the client's namespace to one address and port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeOrder {
    pub address: IpAddr,
    pub port: u16,
    pub protocol: Protocol,
    /// How many attempts, each a connection (or datagram) of its own.
    #[serde(default = "one")]
    pub count: u32,
    /// The pause between the starts of two attempts. 0: each starts when the one before has ended.
    #[serde(default)]
    pub interval_milliseconds: u64,
    #[serde(default = "one_second")]
    pub timeout_milliseconds: u64,
}

impl ProbeOrder {
    /// One TCP connection with a limit of one second.
    pub fn tcp(address: IpAddr, port: u16) -> Self {
        Self {
            address,
            port,
            protocol: Protocol::Tcp,
            count: one(),
            interval_milliseconds: 0,
            timeout_milliseconds: one_second(),
        }
    }
}

fn one() -> u32 {
    1
}

fn one_second() -> u64 {
    1000
}

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeAnswer {
    /// Who answered; none if it was not one of the lab's responders.
    pub guest: Option<String>,
    /// The destination `address:port` which the guest saw.
    pub seen: Option<String>,
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub microseconds: u64,
}

/// The line with which a responder answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub guest: String,
    /// The local address that the packet really had.
    pub destination: IpAddr,
    pub port: u16,
}
