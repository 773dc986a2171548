//! How many of what: the numbers that every view of a plan ends or begins with.

use super::words;
use plimsoll_core::model::{ItemKind, Kind};
use plimsoll_core::plan::{Action, Change, Plan};
use std::collections::BTreeMap;

/// What is counted, in the order in which it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Noun {
    LoadBalancer,
    PublicIp,
    Item(ItemKind),
    Membership,
}

impl Noun {
    fn word(self) -> &'static str {
        match self {
            Self::LoadBalancer => "load balancer",
            Self::PublicIp => "public IP",
            Self::Item(kind) => words::item_noun(kind),
            Self::Membership => "pool membership",
        }
    }
}

/// Counts by action, and within an action by what is counted. Guests are apart: a person counts machines, not entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) by_action: BTreeMap<Action, BTreeMap<Noun, usize>>,
    pub(crate) guests: usize,
    pub(crate) writes: usize,
}

pub(crate) fn tally(plan: &Plan) -> Tally {
    let mut tally = Tally {
        writes: plan.writes(),
        ..Tally::default()
    };
    for change in &plan.changes {
        tally.add(change);
    }
    tally
}

impl Tally {
    fn add(&mut self, change: &Change) {
        match change.addr.kind {
            Kind::PublicIp => self.one(change.action, Noun::PublicIp),
            Kind::LoadBalancer => {
                // An update of a load balancer is the updates of what it holds, unless it is its own attributes.
                if change.action != Action::Update || !change.fields.is_empty() {
                    self.one(change.action, Noun::LoadBalancer);
                }
            }
            Kind::Guest => {
                let writes = change.entries.iter().any(|e| e.action != Action::NoOp);
                if writes || change.action != Action::NoOp {
                    self.guests += 1;
                }
            }
        }
        for item in &change.items {
            self.one(item.action, Noun::Item(item.kind));
        }
        for membership in &change.memberships {
            self.one(membership.action, Noun::Membership);
        }
    }

    fn one(&mut self, action: Action, noun: Noun) {
        if action != Action::NoOp {
            *self
                .by_action
                .entry(action)
                .or_default()
                .entry(noun)
                .or_default() += 1;
        }
    }

    pub(crate) fn of(&self, action: Action) -> usize {
        self.by_action
            .get(&action)
            .map_or(0, |nouns| nouns.values().sum())
    }

    /// `1 rule to add, 1 to change, 0 to destroy · 2 guests to change · 1 write to Azure`
    pub(crate) fn sentence(&self) -> String {
        let verbs = [
            (Action::Create, "to add", true),
            (Action::Update, "to change", true),
            (Action::Replace, "to replace", false),
            (Action::Delete, "to destroy", true),
            (Action::Adopt, "to adopt", false),
            (Action::Forget, "to forget", false),
        ];
        let mut nouns: Vec<Noun> = self
            .by_action
            .values()
            .flat_map(|n| n.keys().copied())
            .collect();
        nouns.sort_unstable();
        nouns.dedup();
        let mut named = false;
        let mut parts = Vec::new();
        for (action, verb, always) in verbs {
            match self.by_action.get(&action) {
                None if always => parts.push(format!("0 {verb}")),
                None => {}
                // A noun that is the only one is said once.
                Some(_) if nouns.len() == 1 && named => {
                    parts.push(format!("{} {verb}", self.of(action)));
                }
                Some(counts) => {
                    named = true;
                    let each: Vec<String> = counts
                        .iter()
                        .map(|(noun, number)| words::count(*number, noun.word()))
                        .collect();
                    parts.push(match each.as_slice() {
                        [one] => format!("{one} {verb}"),
                        many => format!("{} {verb} ({})", self.of(action), many.join(", ")),
                    });
                }
            }
        }
        let mut sentence = parts.join(", ");
        if self.guests > 0 {
            sentence.push_str(&format!(
                " · {} to change",
                words::count(self.guests, "guest")
            ));
        }
        sentence.push_str(&match self.writes {
            0 => " · no write to Azure".to_owned(),
            writes => format!(" · {} to Azure", words::count(writes, "write")),
        });
        sentence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_noun_is_said_once() {
        let mut tally = Tally {
            guests: 2,
            writes: 1,
            ..Tally::default()
        };
        tally.one(Action::Create, Noun::Item(ItemKind::Rule));
        tally.one(Action::Update, Noun::Item(ItemKind::Rule));
        assert_eq!(
            tally.sentence(),
            "1 rule to add, 1 to change, 0 to destroy · 2 guests to change · 1 write to Azure"
        );
        tally.one(Action::Create, Noun::Item(ItemKind::Frontend));
        assert_eq!(
            tally.sentence(),
            "2 to add (1 frontend, 1 rule), 1 rule to change, 0 to destroy · 2 guests to change · 1 write to Azure"
        );
    }
}
