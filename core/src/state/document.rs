//! The state document, format version 1.

use super::history::Applied;
use super::journal::{Journal, StepStatus};
use super::migrations::migrated;
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
    /// Lineages of lost states of this deployment, whose claims in guests this one took over.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub predecessors: BTreeSet<String>,
    /// One more with every write.
    pub serial: u64,
    pub deployment: String,
    /// The newest run.
    pub run: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<Writer>,
    /// Who applied what, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Applied>,
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
    PublicIpPrefix {
        id: ArmId,
        attributes: Attributes,
    },
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

/// What a step changes in the state once it is done: small enough that steps in any order compose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum StateEdit {
    PublicIpPrefix {
        addr: Addr,
        id: ArmId,
        attributes: Attributes,
    },
    PublicIp {
        addr: Addr,
        id: ArmId,
        attributes: Attributes,
    },
    LoadBalancer {
        addr: Addr,
        id: ArmId,
        attributes: Attributes,
    },
    Item {
        addr: Addr,
        kind: ItemKind,
        name: String,
        attributes: Attributes,
    },
    RemoveItem {
        addr: Addr,
        kind: ItemKind,
        name: String,
    },
    Guest {
        addr: Addr,
        os: Os,
        connection: Connection,
    },
    /// A NIC of the guest, whatever pools it is in: once the guest left the configuration, only this says where it serves.
    Interface {
        addr: Addr,
        interface: ArmId,
        ip_configuration: String,
    },
    Entry {
        addr: Addr,
        key: EntryKey,
    },
    RemoveEntry {
        addr: Addr,
        key: EntryKey,
    },
    Join {
        addr: Addr,
        interface: ArmId,
        ip_configuration: String,
        pool: ArmId,
    },
    Leave {
        addr: Addr,
        interface: ArmId,
        ip_configuration: String,
        pool: ArmId,
    },
    /// The guest left the configuration and could not be undone.
    Pending {
        addr: Addr,
    },
    Remove {
        addr: Addr,
    },
    /// The same thing under another address. Done once: a second time nothing is left to move.
    Move {
        from: Addr,
        to: Addr,
    },
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
            predecessors: BTreeSet::new(),
            serial: 0,
            deployment: deployment.into(),
            run: 0,
            written: None,
            history: Vec::new(),
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
            Some(found) if found > STATE_VERSION => return Err(StateError::Newer { found }),
            // Read from the text itself, an error says where it is.
            Some(STATE_VERSION) | None => serde_json::from_str(text),
            Some(found) => serde_json::from_str(text)
                .and_then(|document| migrated(document, found))
                .and_then(serde_json::from_value),
        }
        .map_err(StateError::Damaged)
    }

    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a state is plain JSON");
        text.push('\n');
        text
    }

    /// The guest's address is `addr`; anything else recorded under it is an error of ours and stays as it is.
    fn guest(&mut self, addr: &Addr) -> Option<GuestParts<'_>> {
        match self.resources.get_mut(addr)? {
            Recorded::Guest {
                interfaces,
                entries,
                pending,
                ..
            } => Some(GuestParts {
                interfaces,
                entries,
                pending,
            }),
            Recorded::PublicIpPrefix { .. }
            | Recorded::PublicIp { .. }
            | Recorded::LoadBalancer { .. } => None,
        }
    }

    fn items(
        &mut self,
        addr: &Addr,
    ) -> Option<&mut BTreeMap<ItemKind, BTreeMap<String, Attributes>>> {
        match self.resources.get_mut(addr)? {
            Recorded::LoadBalancer { items, .. } => Some(items),
            Recorded::PublicIpPrefix { .. }
            | Recorded::PublicIp { .. }
            | Recorded::Guest { .. } => None,
        }
    }

    pub fn edit(&mut self, edit: &StateEdit) {
        match edit.clone() {
            StateEdit::PublicIpPrefix {
                addr,
                id,
                attributes,
            } => {
                self.resources
                    .insert(addr, Recorded::PublicIpPrefix { id, attributes });
            }
            StateEdit::PublicIp {
                addr,
                id,
                attributes,
            } => {
                self.resources
                    .insert(addr, Recorded::PublicIp { id, attributes });
            }
            StateEdit::LoadBalancer {
                addr,
                id,
                attributes,
            } => {
                let items = self.items(&addr).map(std::mem::take).unwrap_or_default();
                self.resources.insert(
                    addr,
                    Recorded::LoadBalancer {
                        id,
                        attributes,
                        items,
                    },
                );
            }
            StateEdit::Item {
                addr,
                kind,
                name,
                attributes,
            } => {
                if let Some(items) = self.items(&addr) {
                    items.entry(kind).or_default().insert(name, attributes);
                }
            }
            StateEdit::RemoveItem { addr, kind, name } => {
                if let Some(of_kind) = self.items(&addr).and_then(|items| items.get_mut(&kind)) {
                    of_kind.retain(|known, _| !known.eq_ignore_ascii_case(&name));
                }
            }
            StateEdit::Guest {
                addr,
                os,
                connection,
            } => {
                let (interfaces, entries) = self
                    .guest(&addr)
                    .map(|g| (std::mem::take(g.interfaces), std::mem::take(g.entries)))
                    .unwrap_or_default();
                let guest = Recorded::Guest {
                    os,
                    connection,
                    interfaces,
                    entries,
                    pending: false,
                };
                self.resources.insert(addr, guest);
            }
            StateEdit::Interface {
                addr,
                interface,
                ip_configuration,
            } => {
                if let Some(guest) = self.guest(&addr) {
                    guest.know(interface, ip_configuration);
                }
            }
            StateEdit::Entry { addr, key } => {
                if let Some(guest) = self.guest(&addr) {
                    guest.entries.insert(key);
                }
            }
            StateEdit::RemoveEntry { addr, key } => {
                if let Some(guest) = self.guest(&addr) {
                    guest.entries.remove(&key);
                }
            }
            StateEdit::Join {
                addr,
                interface,
                ip_configuration,
                pool,
            } => {
                if let Some(guest) = self.guest(&addr) {
                    guest.join(interface, ip_configuration, pool);
                }
            }
            StateEdit::Leave {
                addr,
                interface,
                ip_configuration,
                pool,
            } => {
                if let Some(guest) = self.guest(&addr) {
                    for known in guest.interfaces.iter_mut() {
                        if known.is(&interface, &ip_configuration) {
                            known.backend_pools.retain(|p| *p != pool);
                        }
                    }
                }
            }
            StateEdit::Pending { addr } => {
                if let Some(guest) = self.guest(&addr) {
                    *guest.pending = true;
                }
            }
            StateEdit::Remove { addr } => {
                self.resources.remove(&addr);
            }
            StateEdit::Move { from, to } => self.rename(&from, &to),
        }
    }

    /// Never over something that is recorded: what is there stays what it is.
    fn rename(&mut self, from: &Addr, to: &Addr) {
        if self.resources.contains_key(to) {
            return;
        }
        if let Some(recorded) = self.resources.remove(from) {
            self.resources.insert(to.clone(), recorded);
            for status in self.journal.iter_mut().flat_map(|j| j.steps.values_mut()) {
                if let StepStatus::InFlight { intent, .. } | StepStatus::Failed { intent, .. } =
                    status
                {
                    for edit in intent.iter_mut().filter(|edit| edit.addr() == from) {
                        edit.readdress(to);
                    }
                }
            }
        }
    }

    /// The state with everything folded in that an interrupted run was about to make: it may have come true although nobody
    /// lived to record it, and what we may have made is ours. What is recorded already stays as it was recorded.
    #[must_use]
    pub fn settled(&self) -> Self {
        let mut settled = self.clone();
        let statuses = self.journal.iter().flat_map(|j| j.steps.values());
        let intents = statuses.flat_map(|status| match status {
            StepStatus::InFlight { intent, .. } | StepStatus::Failed { intent, .. } => {
                intent.as_slice()
            }
            StepStatus::Done { .. } => &[],
        });
        for edit in intents {
            let adds = match edit {
                StateEdit::PublicIpPrefix { addr, .. }
                | StateEdit::PublicIp { addr, .. }
                | StateEdit::LoadBalancer { addr, .. }
                | StateEdit::Guest { addr, .. } => !settled.resources.contains_key(addr),
                StateEdit::Item {
                    addr, kind, name, ..
                } => !settled.items(addr).is_some_and(|items| {
                    items
                        .get(kind)
                        .is_some_and(|names| names.keys().any(|n| n.eq_ignore_ascii_case(name)))
                }),
                StateEdit::Interface { .. } | StateEdit::Join { .. } => true,
                // A script claims in the guest's own record before it makes anything: what is there without a claim was
                // not made by it.
                StateEdit::Entry { .. }
                | StateEdit::RemoveItem { .. }
                | StateEdit::RemoveEntry { .. }
                | StateEdit::Leave { .. }
                | StateEdit::Pending { .. }
                | StateEdit::Remove { .. }
                | StateEdit::Move { .. } => false,
            };
            if adds {
                settled.edit(edit);
            }
        }
        settled
    }
}

impl StateEdit {
    pub(super) fn addr(&self) -> &Addr {
        match self {
            Self::PublicIpPrefix { addr, .. }
            | Self::PublicIp { addr, .. }
            | Self::LoadBalancer { addr, .. }
            | Self::Item { addr, .. }
            | Self::RemoveItem { addr, .. }
            | Self::Guest { addr, .. }
            | Self::Interface { addr, .. }
            | Self::Entry { addr, .. }
            | Self::RemoveEntry { addr, .. }
            | Self::Join { addr, .. }
            | Self::Leave { addr, .. }
            | Self::Pending { addr }
            | Self::Remove { addr }
            | Self::Move { to: addr, .. } => addr,
        }
    }

    fn readdress(&mut self, to: &Addr) {
        match self {
            Self::PublicIpPrefix { addr, .. }
            | Self::PublicIp { addr, .. }
            | Self::LoadBalancer { addr, .. }
            | Self::Item { addr, .. }
            | Self::RemoveItem { addr, .. }
            | Self::Guest { addr, .. }
            | Self::Interface { addr, .. }
            | Self::Entry { addr, .. }
            | Self::RemoveEntry { addr, .. }
            | Self::Join { addr, .. }
            | Self::Leave { addr, .. }
            | Self::Pending { addr }
            | Self::Remove { addr }
            | Self::Move { to: addr, .. } => *addr = to.clone(),
        }
    }
}

struct GuestParts<'a> {
    interfaces: &'a mut Vec<RecordedInterface>,
    entries: &'a mut BTreeSet<EntryKey>,
    pending: &'a mut bool,
}

impl GuestParts<'_> {
    fn know(self, interface: ArmId, ip_configuration: String) {
        if !self
            .interfaces
            .iter()
            .any(|k| k.is(&interface, &ip_configuration))
        {
            self.interfaces.push(RecordedInterface {
                id: interface,
                ip_configuration,
                backend_pools: Vec::new(),
            });
        }
    }

    fn join(self, interface: ArmId, ip_configuration: String, pool: ArmId) {
        let known = self
            .interfaces
            .iter_mut()
            .find(|k| k.is(&interface, &ip_configuration));
        match known {
            Some(known) if known.backend_pools.contains(&pool) => {}
            Some(known) => known.backend_pools.push(pool),
            None => self.interfaces.push(RecordedInterface {
                id: interface,
                ip_configuration,
                backend_pools: vec![pool],
            }),
        }
    }
}

impl RecordedInterface {
    fn is(&self, id: &ArmId, ip_configuration: &str) -> bool {
        self.id == *id && self.ip_configuration.eq_ignore_ascii_case(ip_configuration)
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
        let never = text.replace("\"version\": 1", "\"version\": 0");
        assert!(matches!(State::parse(&never), Err(StateError::Damaged(_))));
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
