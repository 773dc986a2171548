//! What the configuration asks for, evaluated, with defaults still unfilled and with every place kept.

use crate::model::guest::{Connection, GuestRef, Interface, Os};
use crate::model::{Addr, ArmId, Attributes, Digest, ItemKind, LoadBalancer, Protocol, Span};
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A configuration that has no errors.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub settings: Settings,
    pub desired: Desired,
    pub outputs: BTreeMap<String, serde_json::Value>,
    /// Of the sources and of the variables' values.
    pub digest: Digest,
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
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Backend {
    Local { path: String },
}

/// Everything that is to exist.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    pub public_ips: BTreeMap<Addr, DesiredPublicIp>,
    pub load_balancers: BTreeMap<Addr, DesiredLoadBalancer>,
    pub guests: BTreeMap<Addr, DesiredGuest>,
}

#[derive(Clone, Debug)]
pub struct DesiredPublicIp {
    pub id: ArmId,
    pub attributes: Attributes,
    /// The address that the lab will give it: known before it exists. Never set outside the lab.
    pub lab_address: Option<IpAddr>,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct DesiredLoadBalancer {
    pub id: ArmId,
    pub attributes: Attributes,
    pub items: Vec<DesiredItem>,
    /// How long connections may go on after a switch before guests lose what it used.
    pub drain_seconds: u64,
    pub span: Span,
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
        self.items
            .iter()
            .find(|i| i.kind == kind && i.name.eq_ignore_ascii_case(name))
    }

    /// Overlays what is declared on what is there: ours are set whole, everything else stays as it is.
    pub fn over(&self, observed: Option<&LoadBalancer>) -> LoadBalancer {
        let mut after = observed
            .cloned()
            .unwrap_or_else(|| LoadBalancer::new(self.id.clone()));
        for (name, value) in &self.attributes {
            after.attributes.insert(name.clone(), value.clone());
        }
        for item in &self.items {
            let mut whole = after
                .item(item.kind, &item.name)
                .cloned()
                .unwrap_or_else(|| crate::model::Item::new(item.name.clone()));
            for attribute in item.kind.attributes() {
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
            after.set(item.kind, whole);
        }
        after
    }
}
