//! The table of the Microsoft page, from the configuration: where each rule's packets arrive inside the guests.

use crate::model::{Addr, Protocol};
use serde::{Deserialize, Serialize};

/// One rule as a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapRow {
    pub load_balancer: Addr,
    pub rule: String,
    pub frontend: String,
    /// `None` while nobody knows it yet.
    pub frontend_address: Option<std::net::IpAddr>,
    pub protocol: Protocol,
    /// `None` is every port.
    pub port: Option<u16>,
    pub floating_ip: bool,
    pub destinations: Vec<MapDestination>,
    pub guests: Vec<String>,
}

/// Where packets arrive inside a guest: for a floating rule one destination that all guests share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapDestination {
    pub address: Option<std::net::IpAddr>,
    pub port: Option<u16>,
    pub same_address_as_frontend: bool,
    pub same_port_as_frontend: bool,
    /// The guests that take it there.
    pub guests: Vec<String>,
}
