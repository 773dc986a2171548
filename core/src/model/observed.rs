//! What was read from Azure and from guests. Possibly stale, possibly partial: planning says so instead of guessing.

use super::guest::GuestFacts;
use super::security::{SecurityGroup, Subnet};
use super::{Addr, ArmId, LoadBalancer, NetworkInterface, PublicIp, PublicIpPrefix};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation<T> {
    Present(T),
    Absent,
    /// It could not be read, with the reason in words.
    Unreadable {
        why: String,
    },
}

impl<T> Observation<T> {
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Unreadable { .. } => None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    pub load_balancers: BTreeMap<ArmId, Observation<LoadBalancer>>,
    pub public_ips: BTreeMap<ArmId, Observation<PublicIp>>,
    /// A snapshot of an older version has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub public_ip_prefixes: BTreeMap<ArmId, Observation<PublicIpPrefix>>,
    pub network_interfaces: BTreeMap<ArmId, Observation<NetworkInterface>>,
    /// Of the interfaces whose security matters; a snapshot of an older version has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subnets: BTreeMap<ArmId, Observation<Subnet>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub security_groups: BTreeMap<ArmId, Observation<SecurityGroup>>,
    pub guests: BTreeMap<Addr, Observation<GuestFacts>>,
}
