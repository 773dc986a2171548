//! A (sub-)resource as a set of attributes, beside whatever else Azure says of it.

use super::ArmId;
use super::schema::{Attribute, Fallback, Shape};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The value of one attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Attr {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
}

impl Attr {
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(_) | Self::Int(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    pub fn as_list(&self) -> &[String] {
        match self {
            Self::List(list) => list,
            Self::Bool(_) | Self::Int(_) | Self::Text(_) | Self::Map(_) => &[],
        }
    }

    /// Equal as Azure sees it: ids and choices without case, lists without order.
    pub fn same(&self, other: &Self, shape: Shape) -> bool {
        self.folded(shape) == other.folded(shape)
    }

    /// The form in which equal values are identical.
    pub fn folded(&self, shape: Shape) -> Self {
        let fold = matches!(shape, Shape::Id(_) | Shape::Ids(_) | Shape::Choice(_));
        let one = |text: &str| {
            if fold {
                text.to_ascii_lowercase()
            } else {
                text.to_owned()
            }
        };
        match self {
            Self::Text(text) => Self::Text(one(text)),
            Self::List(list) => {
                let mut list: Vec<String> = list.iter().map(|t| one(t)).collect();
                list.sort();
                Self::List(list)
            }
            Self::Bool(_) | Self::Int(_) | Self::Map(_) => self.clone(),
        }
    }
}

impl std::fmt::Display for Attr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::List(list) => write!(f, "[{}]", list.join(", ")),
            Self::Map(map) => {
                let parts: Vec<String> = map.iter().map(|(k, v)| format!("{k} = {v}")).collect();
                write!(f, "{{{}}}", parts.join(", "))
            }
        }
    }
}

/// Attribute name → value; absent means "nothing there".
pub type Attributes = BTreeMap<String, Attr>;

/// One ARM (sub-)resource: what we model, and the rest as Azure sent it, without what is read-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub name: String,
    pub attributes: Attributes,
    /// Properties that we do not model, in the shape of the ARM document; every PUT carries them back.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// One member of a pool that is an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolAddress<'a> {
    pub name: &'a str,
    pub address: IpAddr,
    /// Where the address means something: its own virtual network, or else the pool's.
    pub network: Option<ArmId>,
}

impl Item {
    /// Members of a backend pool that are addresses; whatever Azure holds that is none is left out.
    pub fn addresses(&self) -> impl Iterator<Item = PoolAddress<'_>> {
        let all = match self.attributes.get("addresses") {
            Some(Attr::Map(all)) => Some(all),
            Some(Attr::Bool(_) | Attr::Int(_) | Attr::Text(_) | Attr::List(_)) | None => None,
        };
        let of_pool = self.text("virtual_network");
        all.into_iter().flatten().filter_map(move |(name, text)| {
            let (address, own) = match text.split_once(' ') {
                Some((address, network)) => (address, Some(network)),
                None => (text.as_str(), None),
            };
            Some(PoolAddress {
                name,
                address: address.parse().ok()?,
                network: own.or(of_pool).map(ArmId::new),
            })
        })
    }

    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            attributes: Attributes::new(),
            rest: serde_json::Map::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: Attr) -> Self {
        self.attributes.insert(name.to_owned(), value);
        self
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Attr::as_text)
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        self.attributes.get(name).and_then(Attr::as_int)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.attributes.get(name) == Some(&Attr::Bool(true))
    }

    pub fn list(&self, name: &str) -> &[String] {
        self.attributes
            .get(name)
            .map(Attr::as_list)
            .unwrap_or_default()
    }
}

/// The value that Azure fills in for an attribute that is left out.
pub fn default_of(attribute: &Attribute) -> Option<Attr> {
    match attribute.default {
        Fallback::Bool(value) => Some(Attr::Bool(value)),
        Fallback::Int(value) => Some(Attr::Int(value)),
        Fallback::Text(value) => Some(Attr::Text(value.to_owned())),
        Fallback::Required | Fallback::Absent | Fallback::Kept => None,
    }
}

/// The attribute's value with its default filled in.
pub fn effective(attributes: &Attributes, attribute: &Attribute) -> Option<Attr> {
    attributes
        .get(attribute.name)
        .cloned()
        .or_else(|| default_of(attribute))
}

/// One attribute that differs, as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDiff {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Attr>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Attr>,
}

impl FieldDiff {
    /// What Azure says of a change that did not come about: it is made once more.
    pub fn failed_before() -> Self {
        Self {
            name: "provisioning_state".to_owned(),
            before: Some(Attr::Text("Failed".to_owned())),
            after: Some(Attr::Text("Succeeded".to_owned())),
        }
    }
}

/// What differs between two sets of attributes, defaults filled in on both sides.
pub fn diff(table: &[Attribute], before: &Attributes, after: &Attributes) -> Vec<FieldDiff> {
    table
        .iter()
        .filter_map(|attribute| {
            let old = effective(before, attribute);
            let new = effective(after, attribute);
            let same = match (&old, &new) {
                (Some(old), Some(new)) if attribute.name == "location" => same_region(old, new),
                (Some(old), Some(new)) => old.same(new, attribute.shape),
                (None, None) => true,
                (Some(Attr::List(list)), None) | (None, Some(Attr::List(list))) => list.is_empty(),
                (Some(Attr::Map(map)), None) | (None, Some(Attr::Map(map))) => map.is_empty(),
                (Some(_), None) | (None, Some(_)) => false,
            };
            (!same).then(|| FieldDiff {
                name: attribute.name.to_owned(),
                before: old,
                after: new,
            })
        })
        .collect()
}

/// Azure writes `West Europe` and `westeurope` for one region.
fn same_region(a: &Attr, b: &Attr) -> bool {
    let fold = |value: &Attr| {
        value
            .as_text()
            .map(|t| t.replace(' ', "").to_ascii_lowercase())
    };
    fold(a) == fold(b)
}
