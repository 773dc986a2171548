//! Fingerprints: what a plan saw, in a form that can be compared before the first write.

use super::item::{Attributes, Item, effective};
use super::schema::{Attribute, ItemKind, LOAD_BALANCER, PUBLIC_IP, PUBLIC_IP_PREFIX, Shape};
use super::{LoadBalancer, PublicIp, PublicIpPrefix};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

/// SHA-256 of a canonical JSON text, in hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get(..12).unwrap_or(&self.0))
    }
}

/// The digest of any document, whatever the order of its keys.
pub fn digest_of(value: &Value) -> Digest {
    let mut sink = Sink::default();
    let digested = canonical(value, &mut sink);
    digested.expect("a document is plain JSON, and a sink takes everything");
    sink.digest()
}

/// The digest of a document as it is written, in the order of its fields: for what is too large to stand in memory a second
/// time.
pub(crate) fn digest_as_written(document: &impl Serialize) -> Digest {
    let mut sink = Sink::default();
    let digested = serde_json::to_writer(&mut sink, document);
    digested.expect("a document is plain JSON, and a sink takes everything");
    sink.digest()
}

/// The digest of a list of two texts: what `digest_of(&json!([a, b]))` says, without the document in between.
pub(crate) fn digest_of_two(a: &str, b: &str) -> Digest {
    digest_as_written(&[a, b])
}

/// What is written to it is digested and kept nowhere.
#[derive(Default)]
struct Sink(Sha256);

impl Sink {
    fn digest(self) -> Digest {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bytes = self.0.finalize();
        let digits = bytes.iter().flat_map(|b| [b >> 4, b & 15]);
        let hex = digits.map(|digit| char::from(HEX[usize::from(digit)]));
        Digest(hex.collect())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn canonical(value: &Value, out: &mut Sink) -> serde_json::Result<()> {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            out.0.update("{");
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.0.update(",");
                }
                serde_json::to_writer(&mut *out, key)?;
                out.0.update(":");
                canonical(value, out)?;
            }
            out.0.update("}");
        }
        Value::Array(list) => {
            out.0.update("[");
            for (index, value) in list.iter().enumerate() {
                if index > 0 {
                    out.0.update(",");
                }
                canonical(value, out)?;
            }
            out.0.update("]");
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            serde_json::to_writer(out, value)?;
        }
    }
    Ok(())
}

/// The digest of each part of a resource, so that a stale plan can say *what* moved. Empty means that it is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint(pub BTreeMap<String, Digest>);

impl Fingerprint {
    pub fn absent() -> Self {
        Self::default()
    }

    /// What is different now, in words a person can look for.
    pub fn moved(&self, now: &Self) -> Vec<String> {
        if self.0.is_empty() != now.0.is_empty() {
            let what = if now.0.is_empty() {
                "it no longer exists"
            } else {
                "it exists now"
            };
            return vec![what.to_owned()];
        }
        let mut moved = Vec::new();
        for (part, digest) in &self.0 {
            match now.0.get(part) {
                Some(other) if other == digest => {}
                Some(_) => moved.push(format!("{part} changed")),
                None => moved.push(format!("{part} was removed")),
            }
        }
        moved.extend(
            now.0
                .keys()
                .filter(|part| !self.0.contains_key(*part))
                .map(|part| format!("{part} was added")),
        );
        moved
    }
}

impl LoadBalancer {
    /// Covers what a PUT would carry: not etags, not provisioning states, not membership (it lives on the NICs),
    /// not the address that Azure chose for a dynamic frontend.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut parts = BTreeMap::new();
        let own = part_digest(LOAD_BALANCER, &self.attributes, &self.rest, &[]);
        parts.insert("the load balancer itself".to_owned(), own);
        for kind in ItemKind::ALL {
            for item in self.of_kind(kind) {
                let dynamic = kind == ItemKind::Frontend && Self::is_dynamic(item);
                let without: &[&str] = if dynamic {
                    &["private_ip_address"]
                } else {
                    &[]
                };
                parts.insert(
                    format!("{} {:?}", kind.word(), item.name.to_ascii_lowercase()),
                    item_digest(kind, item, without),
                );
            }
        }
        Fingerprint(parts)
    }
}

impl PublicIp {
    pub fn fingerprint(&self) -> Fingerprint {
        let own = part_digest(PUBLIC_IP, &self.attributes, &self.rest, &[]);
        Fingerprint([("the public IP address itself".to_owned(), own)].into())
    }
}

impl PublicIpPrefix {
    pub fn fingerprint(&self) -> Fingerprint {
        let own = part_digest(PUBLIC_IP_PREFIX, &self.attributes, &self.rest, &[]);
        Fingerprint([("the public IP prefix itself".to_owned(), own)].into())
    }
}

fn item_digest(kind: ItemKind, item: &Item, without: &[&str]) -> Digest {
    part_digest(kind.attributes(), &item.attributes, &item.rest, without)
}

fn part_digest(
    table: &[Attribute],
    attributes: &Attributes,
    rest: &Map<String, Value>,
    without: &[&str],
) -> Digest {
    let known: BTreeMap<&str, Value> = table
        .iter()
        .filter(|attribute| !without.contains(&attribute.name))
        .filter_map(|attribute| {
            let value = effective(attributes, attribute)?.folded(attribute.shape);
            let fold_text = attribute.shape == Shape::Text && attribute.name == "location";
            let value = serde_json::to_value(&value).expect("attributes are plain JSON");
            let value = if fold_text {
                folded_location(&value)
            } else {
                value
            };
            (!is_nothing(&value)).then_some((attribute.name, value))
        })
        .collect();
    digest_of(&json!({ "known": known, "rest": without_nothing(&Value::Object(rest.clone())) }))
}

/// Azure writes `West Europe` and `westeurope` for one region.
fn folded_location(value: &Value) -> Value {
    let text = value.as_str().unwrap_or_default();
    Value::String(
        text.chars()
            .filter(|c| !c.is_whitespace())
            .collect::<String>()
            .to_ascii_lowercase(),
    )
}

/// Azure fills undocumented flags in with `false` and lists with `[]`: nothing, said aloud. They come and go between
/// API versions and between a PUT's answer and the next GET, so they do not count.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn without_nothing(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), without_nothing(value)))
                .filter(|(_, value)| !is_nothing(value))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(without_nothing).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ArmId, Attr};

    fn sample() -> LoadBalancer {
        let mut lb = LoadBalancer::new(ArmId::new(
            "/subscriptions/s/resourceGroups/g/providers/x/loadBalancers/web",
        ));
        lb.set(
            ItemKind::Rule,
            Item::new("green").with("protocol", Attr::Text("Tcp".into())),
        );
        lb
    }

    #[test]
    fn defaults_and_case_do_not_move_a_fingerprint() {
        let plain = sample();
        let mut spelled = sample();
        let rule = Item::new("Green")
            .with("protocol", Attr::Text("TCP".into()))
            .with("floating_ip", Attr::Bool(false))
            .with("idle_timeout_in_minutes", Attr::Int(4));
        spelled.remove(ItemKind::Rule, "green");
        spelled.set(ItemKind::Rule, rule);
        assert_eq!(
            plain.fingerprint().moved(&spelled.fingerprint()),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_moved_rule_is_named() {
        let plain = sample();
        let mut changed = sample();
        changed.set(
            ItemKind::Rule,
            Item::new("green").with("floating_ip", Attr::Bool(true)),
        );
        changed.set(ItemKind::Probe, Item::new("http"));
        assert_eq!(
            plain.fingerprint().moved(&changed.fingerprint()),
            ["rule \"green\" changed", "probe \"http\" was added"]
        );
        assert_eq!(
            plain.fingerprint().moved(&Fingerprint::absent()),
            ["it no longer exists"]
        );
    }

    #[test]
    fn an_unmodelled_property_counts_unless_it_says_nothing() {
        let plain = sample();
        let mut rule = plain.item(ItemKind::Rule, "green").unwrap().clone();
        rule.rest.insert(
            "properties".into(),
            json!({ "allowBackendPortConflict": false }),
        );
        let mut quiet = plain.clone();
        quiet.set(ItemKind::Rule, rule.clone());
        assert_eq!(plain.fingerprint(), quiet.fingerprint());
        rule.rest.insert(
            "properties".into(),
            json!({ "allowBackendPortConflict": true }),
        );
        quiet.set(ItemKind::Rule, rule);
        assert_ne!(plain.fingerprint(), quiet.fingerprint());
    }
}
