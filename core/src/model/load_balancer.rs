//! A load balancer and its sub-resources, as observed or as planned.

use super::item::{Attributes, Item};
use super::schema::ItemKind;
use super::{ArmId, Protocol};
use indexmap::IndexMap;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// A load balancer: everything one PUT carries, and the membership that Azure reports with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    pub id: ArmId,
    pub attributes: Attributes,
    /// In Azure's order, so that a PUT keeps it.
    pub items: BTreeMap<ItemKind, IndexMap<String, Item>>,
    /// Per pool, the ids of the NIC ip configurations that Azure reports as members. Read-only: membership lives on the NIC.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Vec<ArmId>>,
    /// Per inbound NAT rule, the NIC ip configuration that it leads to, as Azure reports it. Read-only: the NIC says so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nat_targets: BTreeMap<String, ArmId>,
    /// Per internal frontend with a dynamic address, the address that Azure chose. Read-only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dynamic_addresses: BTreeMap<String, IpAddr>,
    /// Azure says that its last change did not come about: written again even where it reads as asked. Read-only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

impl LoadBalancer {
    pub fn new(id: ArmId) -> Self {
        Self {
            id,
            attributes: Attributes::new(),
            items: BTreeMap::new(),
            members: BTreeMap::new(),
            nat_targets: BTreeMap::new(),
            dynamic_addresses: BTreeMap::new(),
            failed: false,
            rest: serde_json::Map::new(),
        }
    }

    pub fn of_kind(&self, kind: ItemKind) -> impl Iterator<Item = &Item> {
        self.items.get(&kind).into_iter().flat_map(IndexMap::values)
    }

    pub fn item(&self, kind: ItemKind, name: &str) -> Option<&Item> {
        let items = self.items.get(&kind)?;
        items
            .get(name)
            .or_else(|| items.values().find(|i| i.name.eq_ignore_ascii_case(name)))
    }

    /// Kind and folded name → the name as Azure spells it: to find many items, where looking for each would take long.
    pub fn names(&self) -> HashMap<(ItemKind, String), String> {
        let of = |(kind, items): (&ItemKind, &IndexMap<String, Item>)| {
            let kind = *kind;
            let names = items.keys();
            names
                .map(|name| ((kind, name.to_ascii_lowercase()), name.clone()))
                .collect::<Vec<_>>()
        };
        self.items.iter().flat_map(of).collect()
    }

    /// The item that an id of this load balancer points at.
    pub fn by_id(&self, kind: ItemKind, id: &str) -> Option<&Item> {
        let id = ArmId::new(id);
        let item = self.item(kind, id.name())?;
        (self.id_of(kind, &item.name) == id).then_some(item)
    }

    /// Puts the item in the place of one of the same name, or at the end.
    pub fn set(&mut self, kind: ItemKind, item: Item) {
        let items = self.items.entry(kind).or_default();
        let name = items
            .keys()
            .find(|n| n.eq_ignore_ascii_case(&item.name))
            .cloned()
            .unwrap_or_else(|| item.name.clone());
        items.insert(name, item);
    }

    pub fn remove(&mut self, kind: ItemKind, name: &str) {
        if let Some(items) = self.items.get_mut(&kind) {
            items.retain(|n, _| !n.eq_ignore_ascii_case(name));
        }
    }

    pub fn id_of(&self, kind: ItemKind, name: &str) -> ArmId {
        self.id.child(kind.arm(), name)
    }

    /// Load-balancing rules as the planner reads them.
    pub fn rules(&self) -> impl Iterator<Item = Rule<'_>> {
        self.of_kind(ItemKind::Rule).map(|item| Rule { item })
    }

    /// The ip configurations that are members of a pool, by Azure's own back-references.
    pub fn members_of(&self, pool: &str) -> &[ArmId] {
        self.members
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(pool))
            .map(|(_, members)| members.as_slice())
            .unwrap_or_default()
    }

    /// An internal frontend without a fixed address gets one from Azure when it is created.
    pub fn is_dynamic(frontend: &Item) -> bool {
        frontend.text("subnet").is_some()
            && !frontend
                .text("private_ip_allocation")
                .is_some_and(|m| m.eq_ignore_ascii_case("Static"))
    }
}

/// A load-balancing rule, read.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    pub item: &'a Item,
}

impl<'a> Rule<'a> {
    pub fn name(&self) -> &'a str {
        &self.item.name
    }

    pub fn frontend(&self) -> Option<ArmId> {
        self.item.text("frontend").map(ArmId::new)
    }

    pub fn pools(&self) -> impl Iterator<Item = ArmId> + 'a {
        self.item.list("backend_pools").iter().map(ArmId::new)
    }

    pub fn probe(&self) -> Option<ArmId> {
        self.item.text("probe").map(ArmId::new)
    }

    pub fn protocol(&self) -> Option<Protocol> {
        self.item.text("protocol").and_then(Protocol::parse)
    }

    pub fn frontend_port(&self) -> u16 {
        self.item
            .int("frontend_port")
            .and_then(|p| u16::try_from(p).ok())
            .unwrap_or(0)
    }

    pub fn backend_port(&self) -> u16 {
        self.item
            .int("backend_port")
            .and_then(|p| u16::try_from(p).ok())
            .unwrap_or(0)
    }

    pub fn floating(&self) -> bool {
        self.item.flag("floating_ip")
    }
}

/// A public IP address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicIp {
    pub id: ArmId,
    pub attributes: Attributes,
    /// What Azure allocated. Read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Azure says that its last change did not come about: written again even where it reads as asked. Read-only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// A block of public IP addresses: outbound frontends and public IP addresses take theirs from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicIpPrefix {
    pub id: ArmId,
    #[serde(default)]
    pub attributes: Attributes,
    /// What Azure allocated, once it has. Read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<IpNet>,
    /// Azure says that its last change did not come about: written again even where it reads as asked. Read-only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// A network interface, as far as pool membership goes; the rest travels back unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    pub id: ArmId,
    pub ip_configurations: IndexMap<String, IpConfiguration>,
    /// The id of the virtual machine it is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_machine: Option<ArmId>,
    /// Azure says that its last change did not come about: written again even where it reads as asked. Read-only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// The whole document as Azure sent it, less what is read-only, with the pools taken out of each ip configuration.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpConfiguration {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_address: Option<IpAddr>,
    pub primary: bool,
    pub backend_pools: Vec<ArmId>,
}

impl IpConfiguration {
    /// Floating IP does not work there, says Microsoft. A secondary IPv6 configuration is how a dual-stack NIC looks, which
    /// the limitation leaves out.
    pub fn is_secondary(&self) -> bool {
        !self.primary && !self.private_address.is_some_and(|a| a.is_ipv6())
    }
}
