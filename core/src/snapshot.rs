//! Facts that a job with rights recorded, for a plan by someone without any: in a fork's pull request, or offline.
//!
//! What comes out of it is a plan to read. It is never applied: the facts are old, and some of them are masked.

use crate::config::Desired;
use crate::model::guest::GuestFacts;
use crate::model::member::PoolMembers;
use crate::model::observed::{Observation, Observed};
use crate::model::{ArmId, Attr, Attributes, Digest, digest_of};
use crate::plan::{Plan, Wanted};
use crate::state::{Recorded, State, StepStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

pub const SNAPSHOT_FORMAT: &str = "plimsoll-snapshot";
pub const SNAPSHOT_VERSION: u32 = 1;

/// What is put in the place of a masked value.
pub const MASK: &str = "(masked)";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When the world was read, RFC 3339.
    pub taken: String,
    pub plimsoll_version: String,
    pub deployment: String,
    pub lab: bool,
    /// Everything that was asked for could be read.
    pub complete: bool,
    /// What was masked, in words.
    pub masked: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    pub observed: Observed,
    /// Who is in the pools that the configuration makes guests of; a snapshot of an older version has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<ArmId, PoolMembers>,
}

/// Which snapshot a plan stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandsOn {
    pub taken: String,
    pub sha256: Digest,
}

#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("the file is not a snapshot of plimsoll")]
    Foreign,
    #[error(
        "the snapshot has format version {found}, this plimsoll knows up to {SNAPSHOT_VERSION}: use the plimsoll that took it, or a newer one"
    )]
    Newer { found: u64 },
    #[error("the snapshot is damaged: its checksum does not fit. Take it again")]
    Damaged,
    #[error("the snapshot cannot be understood. Take it again")]
    Unreadable(#[source] serde_json::Error),
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: String,
    version: u32,
    sha256: Digest,
    snapshot: Value,
}

/// Where and when it is taken.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// RFC 3339.
    pub taken: String,
    pub deployment: String,
    pub lab: bool,
}

impl Snapshot {
    /// Masks whatever a plan does not need and a stranger should not read. Names of hosts and resources stay.
    pub fn take(
        occasion: Occasion,
        state: Option<&State>,
        mut observed: Observed,
        desired: &Desired,
    ) -> Self {
        let mut masks = Masks {
            declared: declared_tags(desired),
            ..Masks::default()
        };
        masks.observed(&mut observed);
        let mut state = state.cloned();
        if let Some(state) = &mut state {
            masks.state(state);
        }
        Self {
            taken: occasion.taken,
            plimsoll_version: env!("CARGO_PKG_VERSION").to_owned(),
            deployment: occasion.deployment,
            lab: occasion.lab,
            complete: is_complete(&observed),
            masked: masks.words(),
            state,
            observed,
            members: BTreeMap::new(),
        }
    }

    pub fn text(&self) -> String {
        let snapshot = serde_json::to_value(self).expect("a snapshot is plain JSON");
        let envelope = Envelope {
            format: SNAPSHOT_FORMAT.to_owned(),
            version: SNAPSHOT_VERSION,
            sha256: digest_of(&snapshot),
            snapshot,
        };
        let mut text = serde_json::to_string_pretty(&envelope).expect("a snapshot is plain JSON");
        text.push('\n');
        text
    }

    /// The snapshot, and what a plan says that it stands on.
    pub fn parse(text: &str) -> Result<(Self, StandsOn), SnapshotError> {
        let value: Value = serde_json::from_str(text).map_err(|_| SnapshotError::Foreign)?;
        if value.get("format").and_then(Value::as_str) != Some(SNAPSHOT_FORMAT) {
            return Err(SnapshotError::Foreign);
        }
        let found = value.get("version").and_then(Value::as_u64).unwrap_or(0);
        if found > u64::from(SNAPSHOT_VERSION) {
            return Err(SnapshotError::Newer { found });
        }
        let envelope: Envelope =
            serde_json::from_value(value).map_err(|_| SnapshotError::Damaged)?;
        if digest_of(&envelope.snapshot) != envelope.sha256 {
            return Err(SnapshotError::Damaged);
        }
        let snapshot: Self =
            serde_json::from_value(envelope.snapshot).map_err(SnapshotError::Unreadable)?;
        let stands_on = StandsOn {
            taken: snapshot.taken.clone(),
            sha256: envelope.sha256,
        };
        Ok((snapshot, stands_on))
    }

    /// What a plan asks for, as far as it is in here. What is not is unreadable, and not taken for absent.
    pub fn observe(&self, wanted: &Wanted) -> Observed {
        let mut observed = self.observed.clone();
        let missing = || format!("it is not in the snapshot of {}", self.taken);
        complete(
            &mut observed.load_balancers,
            &wanted.load_balancers,
            &missing,
        );
        complete(&mut observed.public_ips, &wanted.public_ips, &missing);
        complete(
            &mut observed.public_ip_prefixes,
            &wanted.public_ip_prefixes,
            &missing,
        );
        complete(
            &mut observed.network_interfaces,
            &wanted.network_interfaces,
            &missing,
        );
        for addr in wanted.guests.keys() {
            observed
                .guests
                .entry(addr.clone())
                .or_insert_with(|| Observation::Unreadable { why: missing() });
        }
        observed
    }
}

impl StandsOn {
    /// The plan is one to read: it says since when it is true, and is not applied.
    pub fn under(&self, plan: &mut Plan) {
        plan.created.clone_from(&self.taken);
        plan.applyable = false;
        plan.blocked.push(format!(
            "it was made from the snapshot of {}, to be read. To apply it, plan again where Azure and the guests can be read.",
            self.taken
        ));
    }
}

fn complete<T>(
    known: &mut BTreeMap<ArmId, Observation<T>>,
    wanted: &BTreeSet<ArmId>,
    missing: &dyn Fn() -> String,
) {
    for id in wanted {
        known
            .entry(id.clone())
            .or_insert_with(|| Observation::Unreadable { why: missing() });
    }
}

fn is_complete(observed: &Observed) -> bool {
    fn read<K, T>(all: &BTreeMap<K, Observation<T>>) -> bool {
        !all.values()
            .any(|o| matches!(o, Observation::Unreadable { .. }))
    }
    read(&observed.load_balancers)
        && read(&observed.public_ips)
        && read(&observed.network_interfaces)
        && read(&observed.guests)
}

/// Tags that stand in the configuration are public to whoever reads it.
fn declared_tags(desired: &Desired) -> BTreeSet<(String, String)> {
    let tags = |attributes: &Attributes| match attributes.get("tags") {
        Some(Attr::Map(tags)) => tags.clone().into_iter().collect::<Vec<_>>(),
        Some(_) | None => Vec::new(),
    };
    let of_load_balancers = desired.load_balancers.values().map(|lb| &lb.attributes);
    let of_public_ips = desired.public_ips.values().map(|ip| &ip.attributes);
    of_load_balancers
        .chain(of_public_ips)
        .flat_map(tags)
        .collect()
}

/// Counts what it masks.
#[derive(Default)]
struct Masks {
    declared: BTreeSet<(String, String)>,
    tags: usize,
    secrets: usize,
    comments: usize,
    operations: usize,
}

/// Words in the name of a property whose value may be a secret.
const SECRET_WORDS: [&str; 7] = [
    "password",
    "secret",
    "token",
    "protectedsettings",
    "customdata",
    "connectionstring",
    "privatekey",
];

impl Masks {
    fn words(&self) -> Vec<String> {
        let one = |count: usize, what: &str| (count > 0).then(|| format!("{count} {what}"));
        [
            one(
                self.tags,
                "values of tags that the configuration does not give",
            ),
            one(
                self.secrets,
                "properties whose name says that they may be secret",
            ),
            one(self.comments, "comments in firewalls"),
            one(self.operations, "addresses of operations in the journal"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn observed(&mut self, observed: &mut Observed) {
        // Destructured, so that what is added to it is thought of here.
        let Observed {
            load_balancers,
            public_ips,
            public_ip_prefixes,
            network_interfaces,
            subnets: _,
            security_groups: _,
            guests,
        } = observed;
        for load_balancer in present(load_balancers) {
            self.attributes(&mut load_balancer.attributes);
            self.document(&mut load_balancer.rest);
            for item in load_balancer
                .items
                .values_mut()
                .flat_map(|i| i.values_mut())
            {
                self.document(&mut item.rest);
            }
        }
        for public_ip in present(public_ips) {
            self.attributes(&mut public_ip.attributes);
            self.document(&mut public_ip.rest);
        }
        for prefix in present(public_ip_prefixes) {
            self.attributes(&mut prefix.attributes);
            self.document(&mut prefix.rest);
        }
        for interface in present(network_interfaces) {
            self.document(&mut interface.rest);
        }
        for facts in present(guests) {
            self.guest(facts);
        }
    }

    fn state(&mut self, state: &mut State) {
        for recorded in state.resources.values_mut() {
            match recorded {
                Recorded::PublicIpPrefix { attributes, .. }
                | Recorded::PublicIp { attributes, .. }
                | Recorded::LoadBalancer { attributes, .. } => self.attributes(attributes),
                Recorded::Guest { .. } => {}
            }
        }
        for status in state.journal.iter_mut().flat_map(|j| j.steps.values_mut()) {
            // Its address carries a signature.
            if let StepStatus::InFlight { operation, .. } = status
                && operation.take().is_some()
            {
                self.operations += 1;
            }
        }
    }

    fn attributes(&mut self, attributes: &mut Attributes) {
        if let Some(Attr::Map(tags)) = attributes.get_mut("tags") {
            for (name, value) in tags {
                if !self.declared.contains(&(name.clone(), value.clone())) {
                    MASK.clone_into(value);
                    self.tags += 1;
                }
            }
        }
    }

    fn document(&mut self, document: &mut Map<String, Value>) {
        for (name, value) in document {
            let folded = name.to_ascii_lowercase();
            match value {
                Value::Object(tags) if folded == "tags" => {
                    for tag in tags.values_mut() {
                        *tag = Value::String(MASK.to_owned());
                        self.tags += 1;
                    }
                }
                Value::Null | Value::Bool(_) => {}
                _ if SECRET_WORDS.iter().any(|word| folded.contains(word)) => {
                    *value = Value::String(MASK.to_owned());
                    self.secrets += 1;
                }
                Value::Object(inner) => self.document(inner),
                Value::Array(all) => {
                    for inner in all.iter_mut().filter_map(Value::as_object_mut) {
                        self.document(inner);
                    }
                }
                Value::String(_) | Value::Number(_) => {}
            }
        }
    }

    /// Rules of a firewall decide; what their administrators wrote beside them does not.
    fn guest(&mut self, facts: &mut GuestFacts) {
        let firewall = &mut facts.firewall;
        let chains = firewall.base.iter_mut().chain(&mut firewall.other);
        for rule in chains.flat_map(|chain| &mut chain.rules) {
            if rule.ours {
                continue;
            }
            if let Some(masked) = without_comment(&rule.text) {
                rule.text = masked;
                self.comments += 1;
            }
        }
    }
}

fn present<K, T>(all: &mut BTreeMap<K, Observation<T>>) -> impl Iterator<Item = &mut T> {
    all.values_mut()
        .filter_map(|observation| match observation {
            Observation::Present(value) => Some(value),
            Observation::Absent | Observation::Unreadable { .. } => None,
        })
}

/// As nft, iptables (`--comment "…"`) and ufw (`# …`) print one.
fn without_comment(text: &str) -> Option<String> {
    if let Some((before, rest)) = text.split_once("comment \"") {
        let after = rest.split_once('"').map_or("", |(_, after)| after);
        return Some(format!("{before}comment \"{MASK}\"{after}"));
    }
    let (before, _) = text.split_once(" # ")?;
    Some(format!("{before} # {MASK}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LoadBalancer, PublicIp};
    use serde_json::json;

    fn observed() -> Observed {
        let mut load_balancer = LoadBalancer::new(ArmId::new("/lb"));
        let tags = BTreeMap::from([("owner".to_owned(), "hunter2".to_owned())]);
        load_balancer
            .attributes
            .insert("tags".to_owned(), Attr::Map(tags));
        let Value::Object(rest) = json!({
            "tags": { "note": "hunter2" },
            "properties": { "adminPassword": "hunter2", "list": [{ "sasToken": "hunter2", "port": 80 }] },
        }) else {
            unreachable!("it is an object")
        };
        load_balancer.rest = rest;
        let mut observed = Observed::default();
        observed
            .load_balancers
            .insert(ArmId::new("/lb"), Observation::Present(load_balancer));
        observed
    }

    fn snapshot() -> Snapshot {
        let occasion = Occasion {
            taken: "2026-01-02T03:04:05Z".to_owned(),
            deployment: "web-prod".to_owned(),
            lab: false,
        };
        Snapshot::take(occasion, None, observed(), &Desired::default())
    }

    #[test]
    fn nothing_secret_is_kept_and_it_says_what_is_masked() {
        let snapshot = snapshot();
        let text = snapshot.text();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("\"owner\"") && text.contains("\"port\": 80"));
        assert_eq!(snapshot.masked.len(), 2, "{:?}", snapshot.masked);
        assert!(snapshot.masked[0].starts_with("2 values of tags"));
        assert!(snapshot.complete);
    }

    #[test]
    fn comments_in_firewalls_are_masked() {
        let nft = without_comment("tcp dport 22 accept comment \"call Ann\" # handle 7");
        assert_eq!(
            nft.as_deref(),
            Some("tcp dport 22 accept comment \"(masked)\" # handle 7")
        );
        let ufw = without_comment("22/tcp ALLOW IN Anywhere # call Ann");
        assert_eq!(ufw.as_deref(), Some("22/tcp ALLOW IN Anywhere # (masked)"));
        assert_eq!(without_comment("tcp dport 22 accept"), None);
    }

    #[test]
    fn what_is_not_in_it_is_unreadable_and_not_absent() {
        let mut wanted = Wanted::default();
        wanted.load_balancers.insert(ArmId::new("/lb"));
        wanted.public_ips.insert(ArmId::new("/ip"));
        let observed = snapshot().observe(&wanted);
        assert!(
            observed.load_balancers[&ArmId::new("/lb")]
                .present()
                .is_some()
        );
        let Observation::<PublicIp>::Unreadable { why } = &observed.public_ips[&ArmId::new("/ip")]
        else {
            panic!("it is guessed");
        };
        assert!(why.contains("2026-01-02"), "{why}");
    }

    #[test]
    fn a_changed_newer_or_foreign_file_is_refused() {
        let text = snapshot().text();
        let (read, stands_on) = Snapshot::parse(&text).unwrap();
        assert_eq!(read, snapshot());
        assert_eq!(stands_on.taken, "2026-01-02T03:04:05Z");
        let changed = text.replace("\"port\": 80", "\"port\": 81");
        assert!(matches!(
            Snapshot::parse(&changed),
            Err(SnapshotError::Damaged)
        ));
        let newer = text.replacen("\"version\": 1", "\"version\": 9", 1);
        assert!(matches!(
            Snapshot::parse(&newer),
            Err(SnapshotError::Newer { found: 9 })
        ));
        assert!(matches!(Snapshot::parse("{}"), Err(SnapshotError::Foreign)));
    }
}
