//! What the configuration says about its own past: what moved to another address, what is let go, what is protected.

use super::blocked::Block;
use super::{Action, Change, Mode, Phase, Plan, Question, Step, StepAction, StepId};
use crate::config::{Desired, Import, Move, Removed};
use crate::model::observed::Observation;
use crate::model::{Addr, ItemKind, Kind};
use crate::state::{State, StateEdit};
use std::collections::BTreeSet;

/// The moves of whole resources that the state has yet to learn of, with instances one by one.
pub fn pending_moves(prior: &State, moves: &[Move]) -> Vec<(Addr, Addr)> {
    let mut state = prior.clone();
    let mut pending = Vec::new();
    for Move { from, to } in moves.iter().filter(|m| m.from.item.is_none()) {
        let (from, to) = (&from.addr, &to.addr);
        let exact = state.resources.contains_key(from) || from.key.is_some() || to.key.is_some();
        let pairs: Vec<(Addr, Addr)> = if exact {
            vec![(from.clone(), to.clone())]
        } else {
            // Without a key it is the whole block: every instance keeps its key.
            let instances = state.resources.keys();
            instances
                .filter(|a| a.kind == from.kind && a.label == from.label)
                .map(|a| {
                    let label = to.label.clone();
                    (a.clone(), Addr { label, ..a.clone() })
                })
                .collect()
        };
        for (from, to) in pairs {
            let takes = state.resources.contains_key(&from) && !state.resources.contains_key(&to);
            if takes {
                state.edit(&StateEdit::Move {
                    from: from.clone(),
                    to: to.clone(),
                });
                pending.push((from, to));
            }
        }
    }
    pending
}

/// The state as if the moves were recorded already.
pub fn moved(prior: &State, moves: &[(Addr, Addr)]) -> State {
    let mut state = prior.clone();
    for (from, to) in moves {
        state.edit(&StateEdit::Move {
            from: from.clone(),
            to: to.clone(),
        });
    }
    state
}

/// Writes the moves into the plan: whichever step comes first, the state learns of them with it.
pub fn record_moves(plan: &mut Plan, moves: &[(Addr, Addr)]) {
    if moves.is_empty() {
        return;
    }
    let edits: Vec<StateEdit> = moves
        .iter()
        .map(|(from, to)| StateEdit::Move {
            from: from.clone(),
            to: to.clone(),
        })
        .collect();
    for (from, to) in moves {
        let change = plan.changes.iter_mut().find(|c| c.addr == *to);
        if let Some(change) = change {
            if change.action == Action::NoOp {
                change.action = Action::Adopt;
            }
            change
                .notes
                .push(format!("moved from {from}; nothing is written for that"));
        }
    }
    if plan.steps.is_empty() {
        plan.steps.push(Step {
            id: StepId(1),
            phase: Phase::Contract,
            addr: moves[0].1.clone(),
            title: "record".to_owned(),
            action: StepAction::Record,
            after: Vec::new(),
            record: Vec::new(),
        });
    }
    for step in &mut plan.steps {
        step.record.splice(0..0, edits.iter().cloned());
    }
}

/// Whether a `removed` block lets the resource go without undoing it.
pub fn let_go(addr: &Addr, removed: &[Removed]) -> bool {
    removed.iter().any(|r| {
        let from = &r.from.addr;
        let same = from == addr
            || (from.key.is_none() && from.kind == addr.kind && from.label == addr.label);
        !r.destroy && r.from.item.is_none() && same
    })
}

/// Sub-resources that a `removed` block lets go, by folded name.
pub fn let_go_items(addr: &Addr, removed: &[Removed]) -> BTreeSet<(ItemKind, String)> {
    removed
        .iter()
        .filter(|r| !r.destroy && r.from.addr == *addr)
        .filter_map(|r| r.from.item.as_ref())
        .map(|item| (item.kind, item.name().to_ascii_lowercase()))
        .collect()
}

/// Sub-resources under a new address: Azure has no rename, so it says what happens instead.
pub fn note_item_moves(change: &mut Change, desired: &Desired) {
    let Some(declared) = desired.load_balancers.get(&change.addr) else {
        return;
    };
    for Move { from, to } in desired.moves.iter().filter(|m| m.to.addr == change.addr) {
        let (Some(old), Some(new)) = (&from.item, &to.item) else {
            continue;
        };
        let address = new.address();
        let Some(item) = declared.items.iter().find(|i| i.address == address) else {
            continue;
        };
        let has = |name: &str, action: Action| {
            change.items.iter().any(|c| {
                c.kind == item.kind && c.name.eq_ignore_ascii_case(name) && c.action == action
            })
        };
        if has(old.name(), Action::Delete) && has(&item.name, Action::Create) {
            let note = format!(
                "{} was {}: Azure cannot rename it, so one write deletes {:?} and creates {:?}",
                address,
                old.address(),
                old.name(),
                item.name
            );
            change.notes.push(note);
        }
    }
}

/// What `prevent_destroy` forbids of this plan.
pub fn protected(question: &Question<'_>, changes: &[Change]) -> Vec<Block> {
    let declared = &question.configuration.desired;
    let mut blocked = Vec::new();
    for change in changes {
        let addr = &change.addr;
        let block = Addr::new(addr.kind, addr.label.clone()).to_string();
        let protects = declared
            .blocks
            .get(&block)
            .is_some_and(|l| l.prevent_destroy);
        if protects && change.action == Action::Delete {
            let why = format!(
                "{addr} would be destroyed, and its lifecycle says prevent_destroy; \
                 take that out first if it is meant to go"
            );
            blocked.push(Block::new(addr, why));
        }
        let items = declared.load_balancers.get(addr).into_iter();
        for item in items.flat_map(|lb| &lb.items) {
            let goes = change.items.iter().any(|c| {
                c.kind == item.kind
                    && c.name.eq_ignore_ascii_case(&item.name)
                    && c.action == Action::Delete
            });
            if goes && item.lifecycle.prevent_destroy {
                let why = format!(
                    "{addr}.{} would be destroyed, and its lifecycle says prevent_destroy; \
                     take that out first if it is meant to go",
                    item.address
                );
                blocked.push(Block::new(addr, why));
            }
        }
    }
    blocked
}

/// What is to be imported must exist.
pub fn not_importable(question: &Question<'_>) -> Vec<Block> {
    if question.mode == Mode::Destroy {
        return Vec::new();
    }
    let observed = question.observed;
    let mut blocked = Vec::new();
    for Import { to, id } in &question.configuration.desired.imports {
        let exists = match (&to.item, to.addr.kind) {
            (Some(item), _) => {
                id.parent()
                    .and_then(|lb| match observed.load_balancers.get(&lb)? {
                        Observation::Present(lb) => {
                            Some(lb.by_id(item.kind, id.as_str()).is_some())
                        }
                        Observation::Absent => Some(false),
                        Observation::Unreadable { .. } => None,
                    })
            }
            (None, Kind::PublicIpPrefix) => observed.public_ip_prefixes.get(id).and_then(there),
            (None, Kind::PublicIp) => observed.public_ips.get(id).and_then(there),
            (None, _) => observed.load_balancers.get(id).and_then(there),
        };
        let recorded = question
            .prior
            .is_some_and(|p| p.resources.contains_key(&to.addr));
        if exists == Some(false) && !recorded {
            let why = format!(
                "{to} cannot be imported: {id} does not exist; \
                 take the import block out to create it, or correct the id"
            );
            blocked.push(Block::new(&to.addr, why));
        }
    }
    blocked
}

fn there<T>(observation: &Observation<T>) -> Option<bool> {
    match observation {
        Observation::Present(_) => Some(true),
        Observation::Absent => Some(false),
        Observation::Unreadable { .. } => None,
    }
}
