//! A plan in a few numbers and names: what a verdict, a pipeline's variables and the last line of every view are made of.

use super::{Action, Change, Effect, Finding, Plan, Step, StepAction, Traffic};
use crate::model::guest::Connection;
use crate::model::{Addr, ItemKind, Kind, digest_of};
use std::collections::BTreeMap;
use std::time::Duration;

/// What stands out of a plan, in the plan's own order.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    pub tally: Tally,
    /// Destinations whose traffic ends or changes.
    pub interruptions: Vec<&'a Traffic>,
    pub deletions: Vec<Deletion<'a>>,
    /// The rules that are added, changed and deleted, by name.
    pub rules: BTreeMap<Action, Vec<&'a str>>,
}

/// Something in Azure that goes away, or is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion<'a> {
    pub addr: &'a Addr,
    /// Only this part of it.
    pub item: Option<(ItemKind, &'a str)>,
    pub action: Action,
}

/// What is counted, in the order in which it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noun {
    LoadBalancer,
    PublicIpPrefix,
    PublicIp,
    Item(ItemKind),
    Membership,
}

/// Counts by action, and within an action by what is counted. Guests are apart: a person counts machines, not entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub by_action: BTreeMap<Action, BTreeMap<Noun, usize>>,
    pub guests: usize,
    pub writes: usize,
}

impl Plan {
    pub fn summary(&self) -> Summary<'_> {
        let mut rules: BTreeMap<Action, Vec<&str>> = BTreeMap::new();
        for item in self.changes.iter().flat_map(|c| &c.items) {
            if item.kind == ItemKind::Rule && item.action != Action::NoOp {
                rules.entry(item.action).or_default().push(&item.name);
            }
        }
        Summary {
            tally: self.tally(),
            interruptions: self
                .traffic
                .iter()
                .filter(|t| t.effect.interrupts())
                .collect(),
            deletions: self.changes.iter().flat_map(deletions).collect(),
            rules,
        }
    }

    pub fn tally(&self) -> Tally {
        let mut tally = Tally {
            writes: self.writes(),
            ..Tally::default()
        };
        for change in &self.changes {
            tally.add(change);
        }
        tally
    }
}

impl Finding {
    /// The same finding has the same id in every run.
    pub fn id(&self) -> String {
        let addr = self.addr.as_ref().map(Addr::to_string);
        let digest = digest_of(&serde_json::json!([self.code, addr, self.what])).to_string();
        digest.get(..12).unwrap_or_default().to_owned()
    }
}

impl Step {
    /// How long it usually takes in Azure, where that is known; the lab has a pace of its own.
    ///
    /// A write of a network resource: Azure asks to look again after 10 s, and half of the recorded ones were done in less.
    /// Run Command: about 20 s at least, says its page. Over ssh it depends on nothing that we know.
    pub fn usual_time(&self, lab: bool) -> Option<Duration> {
        let seconds = match &self.action {
            StepAction::Drain { seconds } => return Some(Duration::from_secs(*seconds)),
            StepAction::PutLoadBalancer { .. }
            | StepAction::DeleteLoadBalancer { .. }
            | StepAction::PutNetworkInterface { .. } => 10,
            StepAction::Guest(step) => match step.guest.connection {
                Connection::RunCommand { .. } => 20,
                Connection::Ssh { .. } | Connection::Local => return None,
            },
            StepAction::PutPublicIpPrefix { .. }
            | StepAction::DeletePublicIpPrefix { .. }
            | StepAction::PutPublicIp { .. }
            | StepAction::DeletePublicIp { .. }
            // It may be over at once; how long it takes is up to the applications.
            | StepAction::WaitForListeners { .. }
            | StepAction::Record => return None,
        };
        (!lab).then(|| Duration::from_secs(seconds))
    }
}

impl Effect {
    /// Whether clients of the destination notice.
    pub fn interrupts(&self) -> bool {
        match self {
            Self::Ends { .. } | Self::Changes { .. } => true,
            Self::NotInterrupted | Self::Begins { .. } => false,
        }
    }
}

/// A guest is a machine that stays: what leaves it is no deletion in this sense.
fn deletions(change: &Change) -> Vec<Deletion<'_>> {
    let goes = |action| match action {
        Action::Delete | Action::Replace => true,
        Action::NoOp | Action::Create | Action::Update | Action::Adopt | Action::Forget => false,
    };
    if change.addr.kind == Kind::Guest {
        return Vec::new();
    }
    if goes(change.action) {
        // What it holds goes with it.
        return vec![Deletion {
            addr: &change.addr,
            item: None,
            action: change.action,
        }];
    }
    change
        .items
        .iter()
        .filter(|item| goes(item.action))
        .map(|item| Deletion {
            addr: &change.addr,
            item: Some((item.kind, item.name.as_str())),
            action: item.action,
        })
        .collect()
}

impl Change {
    /// Whether it says anything: a change that is none, in which nothing happens, does not.
    pub fn is_news(&self) -> bool {
        self.action != Action::NoOp
            || !self.notes.is_empty()
            || self.items.iter().any(|i| i.action != Action::NoOp)
            || self.entries.iter().any(|e| e.action != Action::NoOp)
            || self.memberships.iter().any(|m| m.action != Action::NoOp)
    }
}

impl Tally {
    fn add(&mut self, change: &Change) {
        match change.addr.kind {
            Kind::PublicIpPrefix => self.one(change.action, Noun::PublicIpPrefix),
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

    pub fn one(&mut self, action: Action, noun: Noun) {
        if action != Action::NoOp {
            *self
                .by_action
                .entry(action)
                .or_default()
                .entry(noun)
                .or_default() += 1;
        }
    }

    pub fn of(&self, action: Action) -> usize {
        self.by_action
            .get(&action)
            .map_or(0, |nouns| nouns.values().sum())
    }

    /// Things that come to be. What is replaced comes anew and goes, as in Terraform.
    pub fn to_add(&self) -> usize {
        self.of(Action::Create) + self.of(Action::Replace)
    }

    /// Things that change where they are, guests among them.
    pub fn to_change(&self) -> usize {
        self.of(Action::Update) + self.guests
    }

    pub fn to_destroy(&self) -> usize {
        self.of(Action::Delete) + self.of(Action::Replace)
    }

    /// Everything of which something happens, adoptions and forgettings among it; 0 is a plan without changes.
    pub fn changes(&self) -> usize {
        let counted: usize = self.by_action.values().flat_map(BTreeMap::values).sum();
        counted + self.guests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_replaced_counts_on_both_sides_and_guests_as_changed() {
        let mut tally = Tally {
            guests: 2,
            ..Tally::default()
        };
        for action in [
            Action::Create,
            Action::Update,
            Action::Replace,
            Action::Adopt,
            Action::NoOp,
        ] {
            tally.one(action, Noun::Item(ItemKind::Rule));
        }
        let counts = [tally.to_add(), tally.to_change(), tally.to_destroy()];
        assert_eq!((counts, tally.changes()), ([2, 3, 1], 6));
    }
}
