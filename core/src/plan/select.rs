//! `--target` and `--exclude`: what of a plan is left out, with all that depends on it, and why.

use super::blocked::Block;
use super::steps::renumber;
use super::{Action, Change, LeftOut, Refinements, Step, StepId};
use crate::model::Addr;
use crate::model::diag::did_you_mean;
use std::collections::{BTreeMap, BTreeSet};

/// Takes out of the steps, the changes and the reasons against applying what the refinements leave out. Dependencies are
/// respected both ways: what a target waits for comes along, and what waits for something excluded goes with it.
pub fn select(
    refinements: &Refinements,
    steps: &mut Vec<Step>,
    changes: &mut Vec<Change>,
    blocks: &mut Vec<Block>,
) -> Vec<LeftOut> {
    let Refinements {
        targets, excludes, ..
    } = refinements;
    if targets.is_empty() && excludes.is_empty() {
        return Vec::new();
    }
    blocks.extend(unknown(targets, "--target", changes));
    blocks.extend(unknown(excludes, "--exclude", changes));
    let dropped = dropped(targets, excludes, steps);
    let mut left_out = Vec::new();
    let mut gone: BTreeSet<Addr> = BTreeSet::new();
    for change in changes.iter().filter(|c| c.action != Action::NoOp) {
        let of = |step: &&Step| step.addr == change.addr;
        let first = steps.iter().filter(of).find_map(|s| dropped.get(&s.id));
        if let Some(why) = first {
            left_out.push(LeftOut {
                addr: change.addr.clone(),
                action: change.action,
                why: why.clone(),
            });
        }
        let stays = steps
            .iter()
            .filter(of)
            .any(|s| !dropped.contains_key(&s.id));
        if !stays && (first.is_some() || !is_selected(&change.addr, targets, excludes)) {
            gone.insert(change.addr.clone());
        }
    }
    steps.retain(|step| !dropped.contains_key(&step.id));
    *steps = renumber(std::mem::take(steps));
    changes.retain(|change| !gone.contains(&change.addr));
    let touched: BTreeSet<&Addr> = steps.iter().map(|step| &step.addr).collect();
    blocks.retain(|block| match &block.addr {
        // What cannot be done is in nobody's way where it is not asked for.
        Some(addr) => touched.contains(addr) || is_selected(addr, targets, excludes),
        None => true,
    });
    left_out
}

/// `guest.vm` is every instance of it.
fn names(named: &Addr, addr: &Addr) -> bool {
    named == addr || (named.key.is_none() && named.kind == addr.kind && named.label == addr.label)
}

fn is_selected(addr: &Addr, targets: &[Addr], excludes: &[Addr]) -> bool {
    (targets.is_empty() || targets.iter().any(|t| names(t, addr)))
        && !excludes.iter().any(|e| names(e, addr))
}

fn unknown(named: &[Addr], option: &str, changes: &[Change]) -> Vec<Block> {
    let known: Vec<String> = changes.iter().map(|c| c.addr.to_string()).collect();
    named
        .iter()
        .filter(|named| !changes.iter().any(|c| names(named, &c.addr)))
        .map(|named| {
            let text = named.to_string();
            let near = did_you_mean(&text, known.iter().map(String::as_str));
            let help = near.map_or_else(
                || "plan without it lists every address".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            Block {
                addr: None,
                why: format!(
                    "{option} {text}: neither the configuration nor the state has it; {help}"
                ),
            }
        })
        .collect()
}

/// The steps that are left out, each with its reason.
fn dropped(targets: &[Addr], excludes: &[Addr], steps: &[Step]) -> BTreeMap<StepId, String> {
    let mut wanted: BTreeSet<StepId> = steps
        .iter()
        .filter(|step| targets.is_empty() || targets.iter().any(|t| names(t, &step.addr)))
        .map(|step| step.id)
        .collect();
    // Steps come after those they wait for, so going backwards once finds all that is waited for.
    for step in steps.iter().rev() {
        if wanted.contains(&step.id) {
            wanted.extend(step.after.iter().map(|edge| edge.step));
        }
    }
    let mut dropped: BTreeMap<StepId, String> = BTreeMap::new();
    for step in steps {
        let waits = step
            .after
            .iter()
            .find(|edge| dropped.contains_key(&edge.step));
        let earlier = waits.and_then(|edge| steps.iter().find(|s| s.id == edge.step));
        let why = if excludes.iter().any(|e| names(e, &step.addr)) {
            "left out by --exclude".to_owned()
        } else if !wanted.contains(&step.id) {
            "not asked for by --target".to_owned()
        } else if let Some(earlier) = earlier {
            format!("it waits for {}, which is left out", earlier.addr)
        } else {
            continue;
        };
        dropped.insert(step.id, why);
    }
    dropped
}
