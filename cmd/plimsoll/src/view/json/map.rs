//! The table of the Microsoft page.

use plimsoll_core::plan::MapRow;
use schemars::JsonSchema;
use serde::Serialize;

/// Where each rule's packets arrive inside the guests.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Map {
    rules: Vec<Row>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Row {
    load_balancer: String,
    rule: String,
    frontend: String,
    /// `null` while nobody knows it yet.
    frontend_address: Option<String>,
    protocol: &'static str,
    /// `null` is every port.
    port: Option<u16>,
    floating_ip: bool,
    destinations: Vec<Destination>,
    guests: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Destination {
    address: Option<String>,
    /// `null` is every port.
    port: Option<u16>,
    same_address_as_frontend: bool,
    same_port_as_frontend: bool,
    /// The guests that take it there.
    guests: Vec<String>,
}

pub(super) fn map(rows: &[MapRow]) -> Map {
    Map {
        rules: rows
            .iter()
            .map(|row| Row {
                load_balancer: row.load_balancer.to_string(),
                rule: row.rule.clone(),
                frontend: row.frontend.clone(),
                frontend_address: row.frontend_address.map(|a| a.to_string()),
                protocol: row.protocol.word(),
                port: row.port,
                floating_ip: row.floating_ip,
                destinations: row
                    .destinations
                    .iter()
                    .map(|d| Destination {
                        address: d.address.map(|a| a.to_string()),
                        port: d.port,
                        same_address_as_frontend: d.same_address_as_frontend,
                        same_port_as_frontend: d.same_port_as_frontend,
                        guests: d.guests.clone(),
                    })
                    .collect(),
                guests: row.guests.clone(),
            })
            .collect(),
    }
}
