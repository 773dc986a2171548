//! What the configuration asks for, evaluated, with defaults still unfilled and with every place kept.

pub use super::pointed::{Pointed, PointedItem};
use crate::model::guest::{Connection, GuestRef, Interface, Os};
use crate::model::{Addr, ArmId, Attributes, Digest, ItemKind, LoadBalancer, Protocol, Span};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;

/// A configuration that has no errors.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub settings: Settings,
    pub desired: Desired,
    pub outputs: BTreeMap<String, serde_json::Value>,
    /// Findings that are meant, each with its reason.
    pub accepted: Vec<super::checks::Accepted>,
    /// Of the sources and of the variables' values.
    pub digest: Digest,
    pub undiscovered: Undiscovered,
}

/// What waits for members of pools to be read: until [`Inputs::members`](super::Inputs::members) has them, it is as if it
/// were not written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undiscovered {
    pub pools: BTreeSet<ArmId>,
    /// Blocks whose `for_each` waits: `guest.vm`.
    pub blocks: BTreeSet<String>,
}

/// The `plimsoll` and `provider` blocks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    pub deployment: String,
    pub backend: Backend,
    pub subscription_id: Option<String>,
    pub tenant_id: Option<String>,
    /// Another Azure than the public one, or a custom endpoint.
    pub endpoint: Option<String>,
    pub rollout: Rollout,
}

/// Where the state lives.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Backend {
    Local {
        path: String,
    },
    /// A blob; who we are to it comes from the environment, never from the configuration.
    Azblob(Blob),
}

/// The blob that holds a state: names that Azure Storage accepts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blob {
    /// Name of the storage account.
    pub account: String,
    pub container: String,
    /// Name of the blob within the container.
    pub key: String,
    /// Another service than `https://ACCOUNT.blob.core.windows.net`, without a slash at the end.
    pub endpoint: Option<String>,
}

/// `rollout { … }`: how many guests are touched at once; `None` leaves it to the engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rollout {
    /// Guests worked on at the same time.
    pub max_parallel: Option<NonZeroU32>,
    /// Members of one pool that may be in work or have failed at the same time.
    pub max_unavailable: Option<NonZeroU32>,
}

/// Everything that is to exist.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    pub public_ip_prefixes: BTreeMap<Addr, DesiredPublicIpPrefix>,
    pub public_ips: BTreeMap<Addr, DesiredPublicIp>,
    pub load_balancers: BTreeMap<Addr, DesiredLoadBalancer>,
    pub guests: BTreeMap<Addr, DesiredGuest>,
    /// Load balancers that someone else manages, by their `data` blocks.
    pub data_load_balancers: BTreeMap<String, DataLoadBalancer>,
    /// Public IP addresses that someone else manages.
    pub data_public_ips: BTreeMap<String, ArmId>,
    /// Blocks of public IP addresses, which someone else manages too.
    pub data_public_ip_prefixes: BTreeMap<String, ArmId>,
    pub moves: Vec<Move>,
    pub removed: Vec<Removed>,
    pub imports: Vec<Import>,
    /// Assertions of `check` blocks that are false.
    pub failed_checks: Vec<FailedCheck>,
    /// Top-level blocks that exist, with instances or without: `guest.vm`.
    pub blocks: BTreeMap<String, Lifecycle>,
}

/// `lifecycle { … }`
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lifecycle {
    pub prevent_destroy: bool,
    pub ignore_changes: Ignore,
}

/// Attributes that keep the value that Azure has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignore {
    These(BTreeSet<String>),
    All,
}

impl Default for Ignore {
    fn default() -> Self {
        Self::These(BTreeSet::new())
    }
}

impl Ignore {
    pub fn ignores(&self, attribute: &str) -> bool {
        match self {
            Self::These(names) => names.contains(attribute),
            Self::All => true,
        }
    }
}

/// `moved { from, to }`: the same thing under another address.
#[derive(Clone, Debug)]
pub struct Move {
    pub from: Pointed,
    pub to: Pointed,
}

/// `removed { from, lifecycle { destroy } }`
#[derive(Clone, Debug)]
pub struct Removed {
    pub from: Pointed,
    pub destroy: bool,
}

/// `import { to, id }`: it must exist.
#[derive(Clone, Debug)]
pub struct Import {
    pub to: Pointed,
    pub id: ArmId,
}

#[derive(Clone, Debug)]
pub struct FailedCheck {
    pub name: String,
    pub message: String,
}

/// Someone else's load balancer: read, never written.
#[derive(Clone, Debug)]
pub struct DataLoadBalancer {
    pub id: ArmId,
    /// What its owner is going to add.
    pub expected: DesiredLoadBalancer,
    /// Who owns a frontend's address inside the guests, by the frontend's folded name.
    pub guest_modes: BTreeMap<String, GuestMode>,
    /// What guests serve behind an HA-ports rule, by the rule's folded name.
    pub guest_ports: BTreeMap<String, Vec<(Protocol, u16)>>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct DesiredPublicIp {
    pub id: ArmId,
    pub attributes: Attributes,
    /// The address that the lab will give it: known before it exists. Never set outside the lab.
    pub lab_address: Option<IpAddr>,
    pub lifecycle: Lifecycle,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct DesiredPublicIpPrefix {
    pub id: ArmId,
    pub attributes: Attributes,
    pub lifecycle: Lifecycle,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct DesiredLoadBalancer {
    pub id: ArmId,
    pub attributes: Attributes,
    pub items: Items,
    pub lifecycle: Lifecycle,
    /// How long connections may go on after a switch before guests lose what it used.
    pub drain_seconds: u64,
    pub span: Span,
}

/// Sub-resources in the order of the configuration, found by name without looking at the others.
#[derive(Clone, Debug, Default)]
pub struct Items {
    all: Vec<DesiredItem>,
    /// By folded name: Azure compares names without case.
    index: HashMap<(ItemKind, String), usize>,
}

impl Items {
    /// `false` where there is one of this kind and name already.
    pub fn push(&mut self, item: DesiredItem) -> bool {
        let key = (item.kind, item.name.to_ascii_lowercase());
        if self.index.contains_key(&key) {
            return false;
        }
        self.index.insert(key, self.all.len());
        self.all.push(item);
        true
    }

    pub fn find(&self, kind: ItemKind, name: &str) -> Option<&DesiredItem> {
        let at = self.index.get(&(kind, name.to_ascii_lowercase()))?;
        self.all.get(*at)
    }
}

impl std::ops::Deref for Items {
    type Target = [DesiredItem];

    fn deref(&self) -> &[DesiredItem] {
        &self.all
    }
}

impl<'a> IntoIterator for &'a Items {
    type Item = &'a DesiredItem;
    type IntoIter = std::slice::Iter<'a, DesiredItem>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

#[derive(Clone, Debug)]
pub struct DesiredItem {
    pub kind: ItemKind,
    /// Azure's name: the label or the key, unless `name` says otherwise.
    pub name: String,
    /// Address within the load balancer: `rule.green`, `rule["k"]`.
    pub address: String,
    pub attributes: Attributes,
    pub guest: GuestSettings,
    pub lifecycle: Lifecycle,
    /// The block's header.
    pub span: Span,
    /// The value of each attribute that was written.
    pub attribute_spans: BTreeMap<String, Span>,
}

/// What an item says about guests; none of it is sent to Azure.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuestSettings {
    /// On a frontend.
    pub mode: GuestMode,
    /// On an HA-ports rule: what the guests serve.
    pub ports: Vec<(Protocol, u16)>,
    pub drain_seconds: u64,
    /// On a rule: how long apply waits, before the switch, for listeners of guests that it readies; 0 does not wait.
    pub wait_for_listener_seconds: u64,
}

/// Who owns a frontend's address inside the guests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GuestMode {
    /// Every member holds it.
    #[default]
    Loopback,
    /// WSFC or Pacemaker moves it: never written by us.
    Cluster,
    /// An appliance or Kubernetes: nothing is demanded.
    None,
}

#[derive(Clone, Debug)]
pub struct DesiredGuest {
    pub os: Os,
    pub interfaces: Vec<Interface>,
    pub connection: Connection,
    pub lifecycle: Lifecycle,
    pub span: Span,
}

impl Desired {
    pub fn guest_ref(&self, addr: &Addr) -> Option<GuestRef> {
        let guest = self.guests.get(addr)?;
        Some(GuestRef {
            addr: addr.clone(),
            os: guest.os,
            connection: guest.connection.clone(),
        })
    }

    pub fn load_balancer_by_id(&self, id: &ArmId) -> Option<(&Addr, &DesiredLoadBalancer)> {
        self.load_balancers.iter().find(|(_, lb)| lb.id == *id)
    }
}

impl DesiredLoadBalancer {
    pub fn item(&self, kind: ItemKind, name: &str) -> Option<&DesiredItem> {
        self.items.find(kind, name)
    }

    /// Overlays what is declared on what is there: ours are set whole, everything else stays as it is.
    pub fn over(&self, observed: Option<&LoadBalancer>) -> LoadBalancer {
        let mut after = observed
            .cloned()
            .unwrap_or_else(|| LoadBalancer::new(self.id.clone()));
        after.failed = false;
        for (name, value) in &self.attributes {
            if observed.is_some() && self.lifecycle.ignore_changes.ignores(name) {
                continue;
            }
            after.attributes.insert(name.clone(), value.clone());
        }
        let mut names = after.names();
        for item in &self.items {
            let folded = (item.kind, item.name.to_ascii_lowercase());
            let there = names
                .get(&folded)
                .and_then(|name| after.items.get(&item.kind)?.get(name));
            let exists = there.is_some();
            let mut whole = there
                .cloned()
                .unwrap_or_else(|| crate::model::Item::new(item.name.clone()));
            for attribute in item.kind.attributes() {
                if exists && item.lifecycle.ignore_changes.ignores(attribute.name) {
                    continue;
                }
                let keeps = attribute.default == crate::model::schema::Fallback::Kept;
                match item.attributes.get(attribute.name) {
                    Some(value) => {
                        whole
                            .attributes
                            .insert(attribute.name.to_owned(), value.clone());
                    }
                    None if keeps => {}
                    None => {
                        whole.attributes.remove(attribute.name);
                    }
                }
            }
            let name = names
                .entry(folded)
                .or_insert_with(|| item.name.clone())
                .clone();
            after
                .items
                .entry(item.kind)
                .or_default()
                .insert(name, whole);
        }
        after
    }
}
