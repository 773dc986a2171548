//! Everything the emulator knows: documents, operations, settings, faults.
//!
//! Pure: time comes in as an argument, and guids are drawn from a seeded sequence, so that a test
//! repeats exactly. `settle` moves operations on to where the clock says they are.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault::Faults;
use super::operation::Operation;
use super::resource_id::canonical;

/// How the emulator behaves where Azure leaves a choice to circumstances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Resource groups, virtual networks and subnets that a request refers to are made up.
    pub auto_create: bool,
    /// How long a resource stays `Updating`. Azure takes seconds (FACTS 1: median 4 s).
    pub updating_for: Duration,
    /// `Retry-After` on unfinished answers; Azure sends 10 (FACTS 1), the lab none, to be quick.
    pub retry_after: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auto_create: true,
            updating_for: Duration::from_millis(300),
            retry_after: None,
        }
    }
}

/// Where a resource is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Provisioning {
    Succeeded,
    Creating,
    Updating,
    Deleting,
    Failed,
}

impl Provisioning {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
            Self::Failed => "Failed",
        }
    }
}

/// A top-level resource. Sub-resources live inside their document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// As GET prints it, apart from etags, provisioning states and references by others, which
    /// are filled in when it is shown.
    pub document: Value,
    pub etag: String,
    pub state: Provisioning,
    /// The operation that is changing it.
    pub operation: Option<String>,
    /// Lists come in order of creation.
    pub born: u64,
}

/// What readers still see of a resource after a write (the fault `stale-reads`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stale {
    pub until: Timestamp,
    pub before: Option<Resource>,
}

/// The emulated part of Azure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct World {
    seed: u64,
    drawn: u64,
    pub resources: BTreeMap<String, Resource>,
    pub operations: BTreeMap<String, Operation>,
    pub stale: BTreeMap<String, Stale>,
    /// Addresses that public IPs are to get, by canonical id.
    pub preferred: BTreeMap<String, IpAddr>,
    pub settings: Settings,
    pub faults: Faults,
    /// Moves with every change of a document or of what is to be seen of it.
    pub revision: u64,
}

impl World {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: 0,
            resources: BTreeMap::new(),
            operations: BTreeMap::new(),
            stale: BTreeMap::new(),
            preferred: BTreeMap::new(),
            settings: Settings::default(),
            faults: Faults::default(),
            revision: 0,
        }
    }

    /// A number never drawn before, the same for the same seed and history (splitmix64).
    pub fn draw(&mut self) -> u64 {
        self.drawn += 1;
        let mut z = self
            .seed
            .wrapping_add(self.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn guid(&mut self) -> String {
        let (high, low) = (self.draw(), self.draw());
        uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
            .into_uuid()
            .to_string()
    }

    /// A weak etag, as Microsoft.Network writes them (FACTS 3).
    pub fn etag(&mut self) -> String {
        format!("W/\"{}\"", self.guid())
    }

    #[must_use]
    pub fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.get(&canonical(id))
    }

    #[must_use]
    pub fn document(&self, id: &str) -> Option<&Value> {
        self.resource(id).map(|resource| &resource.document)
    }

    /// What a reader sees now: the resource, or what `stale-reads` still shows of it.
    #[must_use]
    pub fn visible(&self, id: &str, now: Timestamp) -> Option<&Resource> {
        let id = canonical(id);
        match self.stale.get(&id) {
            Some(stale) if now < stale.until => stale.before.as_ref(),
            _ => self.resources.get(&id),
        }
    }

    /// All resources of a type, in order of creation.
    pub fn of_type<'a>(&'a self, resource_type: &str) -> Vec<(&'a str, &'a Resource)> {
        let mut found: Vec<(&str, &Resource)> = self
            .resources
            .iter()
            .filter(|(_, resource)| {
                let given = resource.document.get("type").and_then(Value::as_str);
                given.is_some_and(|given| given.eq_ignore_ascii_case(resource_type))
            })
            .map(|(id, resource)| (id.as_str(), resource))
            .collect();
        found.sort_by_key(|(_, resource)| resource.born);
        found
    }

    /// Stores a document as finished, with a new etag; keeps the place in lists.
    pub fn put(&mut self, id: &str, document: Value) {
        let id = canonical(id);
        let etag = self.etag();
        let born = match self.resources.get(&id) {
            Some(resource) => resource.born,
            None => self.draw_order(),
        };
        let resource = Resource {
            document,
            etag,
            state: Provisioning::Succeeded,
            operation: None,
            born,
        };
        self.resources.insert(id, resource);
        self.revision += 1;
    }

    pub fn draw_order(&mut self) -> u64 {
        self.drawn += 1;
        self.drawn
    }

    /// A new etag for a resource that something else changed (FACTS 3: changes made elsewhere
    /// move the load balancer's etag too).
    pub fn touch(&mut self, id: &str) {
        let etag = self.etag();
        if let Some(resource) = self.resources.get_mut(&canonical(id)) {
            resource.etag = etag;
            self.revision += 1;
        }
    }

    /// When the next operation or stale read ends, if the clock alone ends it.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let operations = self
            .operations
            .values()
            .filter(|operation| operation.ended.is_none());
        let stale = self.stale.values().map(|stale| stale.until);
        operations
            .filter_map(|operation| operation.due)
            .chain(stale)
            .min()
    }
}

/// Adds a duration to a moment; saturates at the end of time.
#[must_use]
pub(super) fn after(moment: Timestamp, duration: Duration) -> Timestamp {
    let wait = jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX);
    moment.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
