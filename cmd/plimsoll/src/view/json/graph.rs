//! The way of the packets, for those who draw it themselves.

use super::noticed::{SeverityWord, severity};
use super::plan::text;
use plimsoll_core::model::Protocol;
use plimsoll_core::plan::{self, Mark};
use schemars::JsonSchema;
use serde::Serialize;

/// Frontends, rules, backend pools and guests; they name each other by their place in these lists, from 0.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Graph {
    frontends: Vec<Frontend>,
    rules: Vec<Rule>,
    pools: Vec<Pool>,
    guests: Vec<Guest>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MarkWord {
    Same,
    Created,
    Changed,
    Deleted,
    /// Neither in the configuration nor in the state: kept.
    Foreign,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Frontend {
    load_balancer: String,
    name: String,
    /// An address, or `known after apply: ` and the id of what will have it.
    address: Option<String>,
    mark: MarkWord,
    troubles: Vec<Trouble>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Rule {
    load_balancer: String,
    name: String,
    frontend: Option<usize>,
    pools: Vec<usize>,
    protocol: Option<&'static str>,
    /// `null` is every port.
    port: Option<u16>,
    backend_port: Option<u16>,
    floating_ip: bool,
    mark: MarkWord,
    troubles: Vec<Trouble>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Pool {
    load_balancer: String,
    name: String,
    members: Vec<Member>,
    /// Members that are no guests of this configuration.
    others: usize,
    mark: MarkWord,
    troubles: Vec<Trouble>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Member {
    guest: usize,
    /// The VM's own address there, as far as it is known.
    address: Option<String>,
    mark: MarkWord,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Guest {
    address: String,
    about: String,
    mark: MarkWord,
    troubles: Vec<Trouble>,
}

/// Drift or a finding.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Trouble {
    severity: SeverityWord,
    what: String,
}

fn mark(mark: Mark) -> MarkWord {
    match mark {
        Mark::Same => MarkWord::Same,
        Mark::Created => MarkWord::Created,
        Mark::Changed => MarkWord::Changed,
        Mark::Deleted => MarkWord::Deleted,
        Mark::Foreign => MarkWord::Foreign,
    }
}

fn troubles(troubles: &[plan::Trouble]) -> Vec<Trouble> {
    troubles
        .iter()
        .map(|trouble| Trouble {
            severity: severity(trouble.severity),
            what: trouble.what.to_string(),
        })
        .collect()
}

pub(super) fn graph(topology: &plan::Topology) -> Graph {
    Graph {
        frontends: topology
            .frontends
            .iter()
            .map(|node| Frontend {
                load_balancer: node.load_balancer.to_string(),
                name: node.name.clone(),
                address: node.address.as_ref().map(text),
                mark: mark(node.mark),
                troubles: troubles(&node.troubles),
            })
            .collect(),
        rules: topology
            .rules
            .iter()
            .map(|node| Rule {
                load_balancer: node.load_balancer.to_string(),
                name: node.name.clone(),
                frontend: node.frontend,
                pools: node.pools.clone(),
                protocol: node.protocol.map(Protocol::word),
                port: node.port,
                backend_port: node.backend_port,
                floating_ip: node.floating_ip,
                mark: mark(node.mark),
                troubles: troubles(&node.troubles),
            })
            .collect(),
        pools: topology
            .pools
            .iter()
            .map(|node| Pool {
                load_balancer: node.load_balancer.to_string(),
                name: node.name.clone(),
                members: node
                    .members
                    .iter()
                    .map(|member| Member {
                        guest: member.guest,
                        address: member.address.map(|a| a.to_string()),
                        mark: mark(member.mark),
                    })
                    .collect(),
                others: node.others,
                mark: mark(node.mark),
                troubles: troubles(&node.troubles),
            })
            .collect(),
        guests: topology
            .guests
            .iter()
            .map(|node| Guest {
                address: node.addr.to_string(),
                about: node.about.clone(),
                mark: mark(node.mark),
                troubles: troubles(&node.troubles),
            })
            .collect(),
    }
}
