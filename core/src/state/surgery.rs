//! Changes of the record by hand: `state rm` and `state mv`. Neither touches Azure or a guest.

use super::document::{Recorded, State, StateEdit};
use super::journal::StepStatus;
use crate::model::guest::EntryKey;
use crate::model::{Addr, ArmId, ItemKind};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What a person names in the record: a resource, or one part of a load balancer by its name in Azure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    pub addr: Addr,
    pub item: Option<(ItemKind, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an address such as load_balancer.web, load_balancer.web.rule.green or guest.vm[\"a\"]"
)]
pub struct NotAPart(pub String);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.addr)?;
        match &self.item {
            None => Ok(()),
            Some((kind, name)) if is_word(name) => write!(f, ".{}.{name}", kind.word()),
            Some((kind, name)) => write!(f, ".{}[{name:?}]", kind.word()),
        }
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

impl FromStr for Part {
    type Err = NotAPart;

    fn from_str(text: &str) -> Result<Self, NotAPart> {
        let wrong = || NotAPart(text.to_owned());
        if let Ok(addr) = text.parse() {
            return Ok(Self { addr, item: None });
        }
        for kind in ItemKind::ALL {
            for (at, found) in text.match_indices(&format!(".{}", kind.word())) {
                let name = match text[at + found.len()..].split_at_checked(1) {
                    Some((".", name)) if is_word(name) => name.to_owned(),
                    Some(("[", rest)) => match rest.strip_suffix(']') {
                        Some(quoted) => serde_json::from_str(quoted).map_err(|_| wrong())?,
                        None => continue,
                    },
                    Some(_) | None => continue,
                };
                if let Ok(addr) = text[..at].parse() {
                    return Ok(Self {
                        addr,
                        item: Some((kind, name)),
                    });
                }
            }
        }
        Err(wrong())
    }
}

/// What the record said of something that it no longer knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forgotten {
    pub id: Option<ArmId>,
    /// Parts of a load balancer: foreign from now on.
    pub parts: Vec<Part>,
    /// Entries that stay in the guest, with our claim on them.
    pub entries: BTreeSet<EntryKey>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    #[error("the state does not know {0}")]
    Unknown(Addr),
    #[error("the state knows {0} already")]
    Taken(Addr),
    #[error("a {} cannot become a {}", .from.kind.word(), .to.kind.word())]
    OtherKind { from: Addr, to: Addr },
}

impl State {
    /// Everything that is recorded, parts included, in order.
    pub fn parts(&self) -> Vec<Part> {
        self.resources
            .iter()
            .flat_map(|(addr, recorded)| {
                let whole = Part {
                    addr: addr.clone(),
                    item: None,
                };
                std::iter::once(whole).chain(parts_of(addr, recorded))
            })
            .collect()
    }

    /// Takes something out of the record, and out of what an interrupted run may still have made true. `None` when it was
    /// not in there.
    pub fn forget(&mut self, part: &Part) -> Option<Forgotten> {
        let forgotten = match &part.item {
            None => {
                let recorded = self.resources.remove(&part.addr)?;
                Forgotten {
                    parts: parts_of(&part.addr, &recorded),
                    id: match &recorded {
                        Recorded::PublicIpPrefix { id, .. }
                        | Recorded::PublicIp { id, .. }
                        | Recorded::LoadBalancer { id, .. } => Some(id.clone()),
                        Recorded::Guest { .. } => None,
                    },
                    entries: match recorded {
                        Recorded::Guest { entries, .. } => entries,
                        Recorded::PublicIpPrefix { .. }
                        | Recorded::PublicIp { .. }
                        | Recorded::LoadBalancer { .. } => BTreeSet::new(),
                    },
                }
            }
            Some((kind, name)) => {
                let Recorded::LoadBalancer { items, .. } = self.resources.get_mut(&part.addr)?
                else {
                    return None;
                };
                let names = items.get_mut(kind)?;
                let known = names.keys().find(|n| n.eq_ignore_ascii_case(name))?.clone();
                names.remove(&known);
                Forgotten {
                    parts: vec![part.clone()],
                    ..Forgotten::default()
                }
            }
        };
        for status in self.journal.iter_mut().flat_map(|j| j.steps.values_mut()) {
            if let StepStatus::InFlight { intent, .. } | StepStatus::Failed { intent, .. } = status
            {
                intent.retain(|edit| !part.covers(edit));
            }
        }
        Some(forgotten)
    }

    /// The same thing under another address.
    pub fn readdress(&mut self, from: &Addr, to: &Addr) -> Result<(), MoveError> {
        if from.kind != to.kind {
            return Err(MoveError::OtherKind {
                from: from.clone(),
                to: to.clone(),
            });
        }
        if !self.resources.contains_key(from) {
            return Err(MoveError::Unknown(from.clone()));
        }
        if self.resources.contains_key(to) {
            return Err(MoveError::Taken(to.clone()));
        }
        self.edit(&StateEdit::Move {
            from: from.clone(),
            to: to.clone(),
        });
        Ok(())
    }
}

fn parts_of(addr: &Addr, recorded: &Recorded) -> Vec<Part> {
    let Recorded::LoadBalancer { items, .. } = recorded else {
        return Vec::new();
    };
    let names = items
        .iter()
        .flat_map(|(kind, names)| names.keys().map(|name| (*kind, name.clone())));
    names
        .map(|item| Part {
            addr: addr.clone(),
            item: Some(item),
        })
        .collect()
}

impl Part {
    /// Whether the edit would record it.
    fn covers(&self, edit: &StateEdit) -> bool {
        edit.addr() == &self.addr
            && match (&self.item, edit) {
                (None, _) => true,
                (
                    Some((kind, name)),
                    StateEdit::Item {
                        kind: k, name: n, ..
                    },
                ) => kind == k && name.eq_ignore_ascii_case(n),
                (Some(_), _) => false,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attributes, Kind, digest_of};
    use crate::plan::StepId;
    use crate::state::Journal;

    fn web() -> Addr {
        Addr::new(Kind::LoadBalancer, "web")
    }

    fn item(name: &str) -> StateEdit {
        StateEdit::Item {
            addr: web(),
            kind: ItemKind::Rule,
            name: name.to_owned(),
            attributes: Attributes::default(),
        }
    }

    fn state() -> State {
        let mut state = State::new("web-prod", "lineage");
        state.edit(&StateEdit::LoadBalancer {
            addr: web(),
            id: ArmId::new("/lb"),
            attributes: Attributes::default(),
        });
        state.edit(&item("green"));
        state.edit(&item("a.b"));
        state
    }

    #[test]
    fn parts_print_and_parse_back() {
        let shown: Vec<String> = state().parts().iter().map(Part::to_string).collect();
        let expected = [
            "load_balancer.web",
            "load_balancer.web.rule[\"a.b\"]",
            "load_balancer.web.rule.green",
        ];
        assert_eq!(shown, expected);
        for text in expected {
            assert_eq!(text.parse::<Part>().unwrap().to_string(), text);
        }
        let keyed: Part = "load_balancer.web[\"x.rule.y\"].probe[\"http\"]"
            .parse()
            .unwrap();
        assert_eq!(
            keyed.to_string(),
            "load_balancer.web[\"x.rule.y\"].probe.http"
        );
        for text in [
            "",
            "web",
            "load_balancer.web.rule",
            "load_balancer.web.rool.green",
        ] {
            assert!(text.parse::<Part>().is_err(), "{text}");
        }
    }

    /// Otherwise the next plan would fold it in again: an interrupted run was about to make it.
    #[test]
    fn what_is_forgotten_does_not_come_back_from_the_journal() {
        let mut state = state();
        let status = StepStatus::InFlight {
            operation: None,
            intent: vec![item("green"), item("a.b")],
        };
        state.journal = Some(Journal {
            plan: digest_of(&serde_json::Value::Null),
            run: 1,
            started: String::new(),
            steps: [(StepId(1), status)].into(),
        });
        let green: Part = "load_balancer.web.rule.GREEN".parse().unwrap();
        assert!(state.forget(&green).is_some());
        assert!(state.forget(&green).is_none(), "gone already");
        let left: Vec<String> = state
            .settled()
            .parts()
            .iter()
            .map(Part::to_string)
            .collect();
        assert_eq!(
            left,
            ["load_balancer.web", "load_balancer.web.rule[\"a.b\"]"]
        );

        let whole: Part = "load_balancer.web".parse().unwrap();
        assert_eq!(state.forget(&whole).unwrap().parts.len(), 1);
        assert!(state.settled().parts().is_empty());
    }

    #[test]
    fn a_move_never_lands_on_something_recorded() {
        let mut state = state();
        let other = Addr::new(Kind::LoadBalancer, "other");
        let guest = Addr::new(Kind::Guest, "vm");
        assert!(matches!(
            state.readdress(&web(), &guest),
            Err(MoveError::OtherKind { .. })
        ));
        assert_eq!(
            state.readdress(&other, &web()),
            Err(MoveError::Unknown(other.clone()))
        );
        assert_eq!(
            state.readdress(&web(), &web()),
            Err(MoveError::Taken(web()))
        );
        state.readdress(&web(), &other).unwrap();
        assert_eq!(state.parts()[0].addr, other);
    }
}
