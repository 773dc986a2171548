//! The state document, format version 1.

use super::journal::Journal;
use crate::model::guest::{Connection, EntryKey, Os};
use crate::model::{Addr, ArmId, Attributes, ItemKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub const STATE_FORMAT: &str = "plimsoll-state";
pub const STATE_VERSION: u32 = 1;

/// What we manage and what it was when we last wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub format: String,
    pub version: u32,
    /// Born with the state file; a claim in a guest names it.
    pub lineage: String,
    /// One more with every write.
    pub serial: u64,
    pub deployment: String,
    /// The newest run.
    pub run: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Writer>,
    pub resources: BTreeMap<Addr, Recorded>,
    /// The run that is going on, or that ended before its last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journal>,
}

/// Who wrote it last, when, with what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Writer {
    pub at: String,
    pub by: String,
    pub plimsoll_version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// One resource as it was last applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Recorded {
    PublicIp {
        id: ArmId,
        attributes: Attributes,
    },
    LoadBalancer {
        id: ArmId,
        attributes: Attributes,
        /// Only what is ours; what is not in here and not in the configuration is foreign.
        items: BTreeMap<ItemKind, BTreeMap<String, Attributes>>,
    },
    Guest {
        os: Os,
        /// Kept so that a guest that left the configuration can still be undone.
        connection: Connection,
        interfaces: Vec<RecordedInterface>,
        /// The entries that we claimed in it.
        entries: BTreeSet<EntryKey>,
        /// It left the configuration and could not be undone yet.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pending: bool,
    },
}

/// A NIC and the pools that we made it join.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedInterface {
    pub id: ArmId,
    pub ip_configuration: String,
    pub backend_pools: Vec<ArmId>,
}

/// What a step changes in the state once it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum StateEdit {
    Put { addr: Addr, recorded: Recorded },
    Remove { addr: Addr },
}

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("the state is damaged")]
    Damaged(#[source] serde_json::Error),
    #[error("the state has format version {found}, this plimsoll ({version}) knows up to {STATE_VERSION}", version = env!("CARGO_PKG_VERSION"))]
    Newer { found: u32 },
    #[error("this is not a state of plimsoll")]
    Foreign,
}

impl State {
    /// A state that nothing was recorded in yet.
    pub fn new(deployment: impl Into<String>, lineage: impl Into<String>) -> Self {
        Self {
            format: STATE_FORMAT.to_owned(),
            version: STATE_VERSION,
            lineage: lineage.into(),
            serial: 0,
            deployment: deployment.into(),
            run: 0,
            written: None,
            resources: BTreeMap::new(),
            journal: None,
        }
    }

    pub fn parse(text: &str) -> Result<Self, StateError> {
        #[derive(Deserialize)]
        struct Head {
            format: Option<String>,
            version: Option<u32>,
        }
        let head: Head = serde_json::from_str(text).map_err(StateError::Damaged)?;
        if head.format.as_deref() != Some(STATE_FORMAT) {
            return Err(StateError::Foreign);
        }
        match head.version {
            Some(found) if found > STATE_VERSION => Err(StateError::Newer { found }),
            _ => serde_json::from_str(text).map_err(StateError::Damaged),
        }
    }

    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a state is plain JSON");
        text.push('\n');
        text
    }

    pub fn edit(&mut self, edit: &StateEdit) {
        match edit {
            StateEdit::Put { addr, recorded } => {
                self.resources.insert(addr.clone(), recorded.clone());
            }
            StateEdit::Remove { addr } => {
                self.resources.remove(addr);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_or_foreign_or_damaged_state_is_told_apart() {
        let text = State::new("web-prod", "l").text();
        assert_eq!(State::parse(&text).unwrap(), State::new("web-prod", "l"));
        let newer = text.replace("\"version\": 1", "\"version\": 7");
        assert!(matches!(
            State::parse(&newer),
            Err(StateError::Newer { found: 7 })
        ));
        assert!(matches!(
            State::parse("{\"version\": 4}"),
            Err(StateError::Foreign)
        ));
        assert!(matches!(
            State::parse("{\"format"),
            Err(StateError::Damaged(_))
        ));
    }
}
