//! Is it as planned? Compares what Azure holds with the fingerprints of a plan.
//!
//! Azure adds to what it is sent: a tier, protection settings, whatever its next version brings. A plan made before a
//! resource existed cannot know these, so a part also counts as planned when it is so without what Azure added.

use crate::wire::{
    Body, decode_load_balancer, decode_public_ip, decode_public_ip_prefix, encode_load_balancer,
    encode_public_ip, encode_public_ip_prefix,
};
use plimsoll_core::model::schema::{
    Attribute, Fallback, LOAD_BALANCER, PUBLIC_IP, PUBLIC_IP_PREFIX,
};
use plimsoll_core::model::{
    ArmId, Attributes, Fingerprint, ItemKind, LoadBalancer, PublicIp, PublicIpPrefix,
};
use serde_json::Value;

/// A resource that is written whole, under a fingerprint.
pub trait Whole: Clone + Send + Sync {
    fn id(&self) -> &ArmId;
    fn decode(id: &ArmId, body: &Body) -> Self;
    fn encode(&self) -> Body;
    fn fingerprint(&self) -> Fingerprint;
    /// Without the values that Azure is known to fill in where nothing was said.
    fn without_known_additions(self) -> Self;
    /// Without whatever it has beyond what was sent.
    fn without_additions_to(self, sent: &Self) -> Self;
}

/// How the observed resource relates to a planned one: empty when it is as planned, else what differs.
pub fn differences<T: Whole>(
    observed: Option<&T>,
    planned: &Fingerprint,
    sent: Option<&T>,
) -> Vec<String> {
    let Some(observed) = observed else {
        return planned.moved(&Fingerprint::absent());
    };
    let mut seen = observed.fingerprint();
    let mut readings = vec![observed.clone().without_known_additions().fingerprint()];
    if let Some(sent) = sent {
        readings.push(observed.clone().without_additions_to(sent).fingerprint());
    }
    // A part is as planned when any reading of it is.
    for reading in readings {
        for (part, digest) in reading.0 {
            if planned.0.get(&part) == Some(&digest) {
                seen.0.insert(part, digest);
            }
        }
    }
    planned.moved(&seen)
}

impl Whole for LoadBalancer {
    fn id(&self) -> &ArmId {
        &self.id
    }

    fn decode(id: &ArmId, body: &Body) -> Self {
        decode_load_balancer(id, body)
    }

    fn encode(&self) -> Body {
        encode_load_balancer(self)
    }

    fn fingerprint(&self) -> Fingerprint {
        Self::fingerprint(self)
    }

    fn without_known_additions(mut self) -> Self {
        drop_if(&mut self.attributes, "sku_tier", "Regional");
        for probe in self.items.entry(ItemKind::Probe).or_default().values_mut() {
            forget(&mut probe.rest, "noHealthyBackendsBehavior", &|value| {
                value == "AllProbedDown"
            });
        }
        self
    }

    fn without_additions_to(mut self, sent: &Self) -> Self {
        keep_only(LOAD_BALANCER, &mut self.attributes, &sent.attributes);
        self.rest = common(&self.rest, &sent.rest);
        for kind in ItemKind::ALL {
            for item in self.items.entry(kind).or_default().values_mut() {
                if let Some(sent) = sent.item(kind, &item.name) {
                    keep_only(kind.attributes(), &mut item.attributes, &sent.attributes);
                    item.rest = common(&item.rest, &sent.rest);
                }
            }
        }
        self
    }
}

impl Whole for PublicIpPrefix {
    fn id(&self) -> &ArmId {
        &self.id
    }

    fn decode(id: &ArmId, body: &Body) -> Self {
        decode_public_ip_prefix(id, body)
    }

    fn encode(&self) -> Body {
        encode_public_ip_prefix(self)
    }

    fn fingerprint(&self) -> Fingerprint {
        Self::fingerprint(self)
    }

    /// None: reading a prefix leaves them out already.
    fn without_known_additions(self) -> Self {
        self
    }

    fn without_additions_to(mut self, sent: &Self) -> Self {
        keep_only(PUBLIC_IP_PREFIX, &mut self.attributes, &sent.attributes);
        self.rest = common(&self.rest, &sent.rest);
        self
    }
}

impl Whole for PublicIp {
    fn id(&self) -> &ArmId {
        &self.id
    }

    fn decode(id: &ArmId, body: &Body) -> Self {
        decode_public_ip(id, body)
    }

    fn encode(&self) -> Body {
        encode_public_ip(self)
    }

    fn fingerprint(&self) -> Fingerprint {
        Self::fingerprint(self)
    }

    /// None: reading a public IP address leaves them out already.
    fn without_known_additions(self) -> Self {
        self
    }

    fn without_additions_to(mut self, sent: &Self) -> Self {
        keep_only(PUBLIC_IP, &mut self.attributes, &sent.attributes);
        self.rest = common(&self.rest, &sent.rest);
        self
    }
}

fn drop_if(attributes: &mut Attributes, name: &str, value: &str) {
    let is_it = attributes
        .get(name)
        .and_then(|attr| attr.as_text())
        .is_some_and(|text| text.eq_ignore_ascii_case(value));
    if is_it {
        attributes.remove(name);
    }
}

/// Removes a property below `properties` if it says what Azure says by itself.
fn forget(rest: &mut Body, name: &str, is_default: &dyn Fn(&Value) -> bool) {
    if let Some(properties) = rest.get_mut("properties").and_then(Value::as_object_mut) {
        if properties.get(name).is_some_and(is_default) {
            properties.shift_remove(name);
        }
        if properties.is_empty() {
            rest.shift_remove("properties");
        }
    }
}

/// Attributes that Azure keeps or fills in when nothing is said do not count when nothing was said.
fn keep_only(table: &[Attribute], attributes: &mut Attributes, sent: &Attributes) {
    for attribute in table {
        if attribute.default == Fallback::Kept && !sent.contains_key(attribute.name) {
            attributes.remove(attribute.name);
        }
    }
}

/// What both have, with the values of the first.
fn common(observed: &Body, sent: &Body) -> Body {
    observed
        .iter()
        .filter_map(|(key, value)| {
            let value = match (value, sent.get(key)?) {
                (Value::Object(value), Value::Object(sent)) => Value::Object(common(value, sent)),
                (value, _) => value.clone(),
            };
            Some((key.clone(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::model::{Attr, Item};
    use serde_json::json;

    fn desired() -> LoadBalancer {
        let mut lb = LoadBalancer::new(ArmId::network("s", "g", "loadBalancers", "web"));
        lb.attributes
            .insert("sku".into(), Attr::Text("Standard".into()));
        lb.set(
            ItemKind::Probe,
            Item::new("http").with("port", Attr::Int(80)),
        );
        lb
    }

    fn as_azure_stores_it() -> LoadBalancer {
        let mut lb = desired();
        lb.attributes
            .insert("sku_tier".into(), Attr::Text("Regional".into()));
        let mut probe = lb.item(ItemKind::Probe, "http").unwrap().clone();
        probe
            .rest
            .insert("properties".into(), json!({ "novelty": "On" }));
        lb.set(ItemKind::Probe, probe);
        lb
    }

    #[test]
    fn what_azure_adds_is_no_difference_to_what_was_sent() {
        let sent = desired();
        let planned = sent.fingerprint();
        let stored = as_azure_stores_it();
        assert_eq!(
            differences(Some(&stored), &planned, Some(&sent)),
            Vec::<String>::new()
        );
        // Without the sent document only the known additions are forgiven.
        assert_eq!(
            differences(Some(&stored), &planned, None),
            ["probe \"http\" changed"]
        );
    }

    #[test]
    fn what_azure_changes_or_drops_is_one() {
        let sent = desired();
        let planned = sent.fingerprint();
        let mut stored = as_azure_stores_it();
        stored.set(
            ItemKind::Probe,
            Item::new("http").with("port", Attr::Int(81)),
        );
        assert_eq!(
            differences(Some(&stored), &planned, Some(&sent)),
            ["probe \"http\" changed"]
        );
        stored.remove(ItemKind::Probe, "http");
        assert_eq!(
            differences(Some(&stored), &planned, Some(&sent)),
            ["probe \"http\" was removed"]
        );
        assert_eq!(
            differences(None::<&LoadBalancer>, &planned, Some(&sent)),
            ["it no longer exists"]
        );
    }
}
