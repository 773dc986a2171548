//! Addresses: what a declared thing is called in the configuration, and what Azure calls it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The kinds of top-level blocks that become something real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    PublicIpPrefix,
    PublicIp,
    LoadBalancer,
    Guest,
}

impl Kind {
    pub const ALL: [Self; 4] = [
        Self::PublicIpPrefix,
        Self::PublicIp,
        Self::LoadBalancer,
        Self::Guest,
    ];

    /// The word of the configuration language.
    pub fn word(self) -> &'static str {
        match self {
            Self::PublicIpPrefix => "public_ip_prefix",
            Self::PublicIp => "public_ip",
            Self::LoadBalancer => "load_balancer",
            Self::Guest => "guest",
        }
    }
}

/// The address of a top-level resource: `guest.vm1`, or `guest.vm["a"]` under `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Addr {
    pub kind: Kind,
    /// Shared, as the key is: a plan names its thousand guests several hundred times each.
    pub label: Arc<str>,
    pub key: Option<Arc<str>>,
}

impl Addr {
    pub fn new(kind: Kind, label: impl AsRef<str>) -> Self {
        Self {
            kind,
            label: label.as_ref().into(),
            key: None,
        }
    }

    pub fn keyed(kind: Kind, label: impl AsRef<str>, key: impl AsRef<str>) -> Self {
        Self {
            kind,
            label: label.as_ref().into(),
            key: Some(key.as_ref().into()),
        }
    }

    /// What a person calls it where the kind is clear: the key, or else the label.
    pub fn name(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.label)
    }
}

impl PartialOrd for Addr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Addr {
    /// What is shared is the same: most of what is put in order is about few resources.
    fn cmp(&self, other: &Self) -> Ordering {
        let text = |a: &Arc<str>, b: &Arc<str>| {
            if Arc::ptr_eq(a, b) {
                Ordering::Equal
            } else {
                a.cmp(b)
            }
        };
        let label = || text(&self.label, &other.label);
        let key = || match (&self.key, &other.key) {
            (Some(a), Some(b)) => text(a, b),
            (a, b) => a.cmp(b),
        };
        self.kind.cmp(&other.kind).then_with(label).then_with(key)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.word(), self.label)?;
        match &self.key {
            Some(key) => write!(f, "[{key:?}]"),
            None => Ok(()),
        }
    }
}

/// The text is not an address of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address such as load_balancer.web or guest.vm[\"a\"]")]
pub struct NotAnAddr(pub String);

impl std::str::FromStr for Addr {
    type Err = NotAnAddr;

    fn from_str(text: &str) -> Result<Self, NotAnAddr> {
        let wrong = || NotAnAddr(text.to_owned());
        let (word, rest) = text.split_once('.').ok_or_else(wrong)?;
        let kind = Kind::ALL
            .into_iter()
            .find(|k| k.word() == word)
            .ok_or_else(wrong)?;
        let (label, key) = match rest.split_once('[') {
            None => (rest, None),
            Some((label, quoted)) => {
                let quoted = quoted.strip_suffix(']').ok_or_else(wrong)?;
                let key: String = serde_json::from_str(quoted).map_err(|_| wrong())?;
                (label, Some(key))
            }
        };
        let is_label = !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if !is_label {
            return Err(wrong());
        }
        Ok(Self {
            kind,
            label: label.into(),
            key: key.map(Arc::from),
        })
    }
}

impl Serialize for Addr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Addr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// An Azure Resource Manager id. Azure compares ids without case and answers with whatever case it likes
/// (`resourcegroups`, `RG-WEB`), so equality ignores case while the text stays as it was written.
#[derive(Clone)]
pub struct ArmId(Arc<str>);

impl ArmId {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().into())
    }

    /// `/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Network/{kind}/{name}`
    pub fn network(subscription: &str, resource_group: &str, kind: &str, name: &str) -> Self {
        Self::new(format!(
            "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/Microsoft.Network/{kind}/{name}"
        ))
    }

    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        Self::new(format!("{}/{kind}/{name}", self.0))
    }

    /// The resource that this sub-resource is part of: the id without its last type and name.
    pub fn parent(&self) -> Option<Self> {
        let mut parts = self.0.rsplitn(3, '/');
        parts.next()?;
        parts.next()?;
        parts.next().filter(|p| !p.is_empty()).map(Self::new)
    }

    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The segment before the name: `loadBalancers`, `frontendIPConfigurations`.
    pub fn kind(&self) -> &str {
        self.0.rsplit('/').nth(1).unwrap_or_default()
    }

    /// An instance of a virtual machine scale set, or a part of one: the set's model decides what it is, nobody else can.
    pub fn is_of_scale_set(&self) -> bool {
        self.segment_after("virtualMachineScaleSets").is_some()
    }

    pub fn resource_group(&self) -> Option<&str> {
        self.segment_after("resourceGroups")
    }

    pub fn subscription(&self) -> Option<&str> {
        self.segment_after("subscriptions")
    }

    fn segment_after(&self, word: &str) -> Option<&str> {
        let mut segments = self.0.split('/');
        segments.find(|s| s.eq_ignore_ascii_case(word))?;
        segments.next().filter(|s| !s.is_empty())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form to compare and to hash.
    pub fn folded(&self) -> String {
        self.0.trim_end_matches('/').to_ascii_lowercase()
    }
}

impl PartialEq for ArmId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self
                .0
                .trim_end_matches('/')
                .eq_ignore_ascii_case(other.0.trim_end_matches('/'))
    }
}

impl Eq for ArmId {}

impl std::hash::Hash for ArmId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // Without copies, as when they are compared.
        for part in self.0.trim_end_matches('/').as_bytes().chunks(64) {
            let mut folded = [0; 64];
            for (to, from) in folded.iter_mut().zip(part) {
                *to = from.to_ascii_lowercase();
            }
            state.write(&folded);
        }
    }
}

impl PartialOrd for ArmId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ArmId {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        // Without copies: sets of ids are compared a great many times.
        let theirs = other.0.trim_end_matches('/').bytes();
        let mine = self.0.trim_end_matches('/').bytes();
        mine.map(|b| b.to_ascii_lowercase())
            .cmp(theirs.map(|b| b.to_ascii_lowercase()))
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Serialize for ArmId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ArmId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_print_and_parse_back() {
        for text in [
            "load_balancer.web",
            "guest.vm[\"a b\\\"c\"]",
            "public_ip.green",
        ] {
            assert_eq!(text.parse::<Addr>().unwrap().to_string(), text);
        }
        for text in [
            "web",
            "lb.web",
            "guest.",
            "guest.a b",
            "guest.vm[a]",
            "guest.vm[\"a\"",
        ] {
            assert!(text.parse::<Addr>().is_err(), "{text}");
        }
    }

    #[test]
    fn arm_ids_are_equal_without_case() {
        let a = ArmId::new(
            "/subscriptions/S/resourceGroups/rg/providers/Microsoft.Network/loadBalancers/web",
        );
        let b = ArmId::new(
            "/subscriptions/s/resourcegroups/RG/providers/Microsoft.Network/loadBalancers/WEB",
        );
        assert_eq!(a, b);
        assert_eq!(a.child("probes", "p").parent(), Some(b));
        assert_eq!(a.resource_group(), Some("rg"));
    }
}
