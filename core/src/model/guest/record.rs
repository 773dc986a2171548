//! The guest's own record of what plimsoll did inside it, and for whom.

use super::EntryKey;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub const RECORD_FORMAT: &str = "plimsoll-guest-record";
const RECORD_VERSION: u32 = 1;

/// Who wants an entry: a deployment, under the lineage of its state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Claim {
    pub deployment: String,
    pub lineage: String,
}

/// The lineage of claims that a script made where there was no state yet (`plimsoll guest script`). Whatever state the
/// deployment gets takes them over.
pub const BY_SCRIPT: &str = "guest script";

/// Something that we made in the guest. What was there before us has no entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub claims: BTreeSet<Claim>,
    /// The value that was there before, where the entry replaced one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<serde_json::Value>,
}

/// `/var/lib/plimsoll/record.json`, on Windows `%ProgramData%\plimsoll\record.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestRecord {
    pub format: String,
    pub version: u32,
    /// The newest run of each deployment that this guest has seen: an older one is refused. It outlives the entries.
    pub runs: BTreeMap<String, u64>,
    pub entries: BTreeMap<EntryKey, Entry>,
}

impl Default for GuestRecord {
    fn default() -> Self {
        Self {
            format: RECORD_FORMAT.to_owned(),
            version: RECORD_VERSION,
            runs: BTreeMap::new(),
            entries: BTreeMap::new(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(
        "the guest's record is damaged; look at /var/lib/plimsoll/record.json in the guest (on Windows %ProgramData%\\plimsoll\\record.json), and remove it to have plimsoll adopt what it finds"
    )]
    Damaged(#[source] serde_json::Error),
    #[error(
        "the guest's record has format version {found}, this plimsoll knows up to {RECORD_VERSION}; use the newer plimsoll that wrote it"
    )]
    Newer { found: u32 },
    #[error(
        "/var/lib/plimsoll/record.json in the guest (on Windows %ProgramData%\\plimsoll\\record.json) is not a record of plimsoll; move it away"
    )]
    Foreign,
}

impl GuestRecord {
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
            version: Option<u32>,
        }
        let head: Head = serde_json::from_str(text).map_err(RecordError::Damaged)?;
        if head.format.as_deref() != Some(RECORD_FORMAT) {
            return Err(RecordError::Foreign);
        }
        match head.version {
            Some(found) if found > RECORD_VERSION => Err(RecordError::Newer { found }),
            _ => serde_json::from_str(text).map_err(RecordError::Damaged),
        }
    }

    /// The text as it is written in the guest.
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a record is plain JSON");
        text.push('\n');
        text
    }

    /// Nothing was ever written. Without entries the run numbers stay, so that a script which was sent before the last
    /// entry went and arrives after it is still refused.
    pub fn is_empty(&self) -> bool {
        let Self {
            format: _,
            version: _,
            runs,
            entries,
        } = self;
        runs.is_empty() && entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_does_not_understand() {
        let text = GuestRecord::default().text();
        assert_eq!(GuestRecord::parse(&text).unwrap(), GuestRecord::default());
        let newer = text.replace("\"version\": 1", "\"version\": 99");
        assert!(matches!(
            GuestRecord::parse(&newer),
            Err(RecordError::Newer { found: 99 })
        ));
        assert!(matches!(
            GuestRecord::parse("{}"),
            Err(RecordError::Foreign)
        ));
        assert!(matches!(
            GuestRecord::parse("{"),
            Err(RecordError::Damaged(_))
        ));
    }
}
