//! The numbers of steps.

use crate::plan::{Step, StepId};
use std::collections::{BTreeSet, HashMap};

/// Numbers steps so that a step's number is greater than those of the steps it waits for, and otherwise in the order in
/// which they were drafted.
pub fn renumber(steps: Vec<Step>) -> Vec<Step> {
    let mut waiters: HashMap<StepId, Vec<usize>> = HashMap::new();
    let mut open: Vec<usize> = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        open.push(step.after.len());
        for edge in &step.after {
            waiters.entry(edge.step).or_default().push(at);
        }
    }
    let mut left: BTreeSet<usize> = (0..steps.len()).collect();
    let mut ready: BTreeSet<usize> = left.iter().copied().filter(|at| open[*at] == 0).collect();
    let mut order: Vec<usize> = Vec::with_capacity(steps.len());
    // A circle would be a bug of the planner; the engine refuses a step that waits for a later one.
    while let Some(next) = ready.pop_first().or_else(|| left.first().copied()) {
        left.remove(&next);
        order.push(next);
        for waiter in waiters.get(&steps[next].id).into_iter().flatten() {
            open[*waiter] -= 1;
            if open[*waiter] == 0 && left.contains(waiter) {
                ready.insert(*waiter);
            }
        }
    }
    let number: HashMap<StepId, StepId> = order
        .iter()
        .zip(1..)
        .map(|(at, number)| (steps[*at].id, StepId(number)))
        .collect();
    let mut drafted: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
    let mut ordered: Vec<Step> = order
        .into_iter()
        .filter_map(|at| drafted[at].take())
        .collect();
    for step in &mut ordered {
        step.id = number[&step.id];
        for edge in &mut step.after {
            edge.step = number[&edge.step];
        }
        step.after.sort_by_key(|e| e.step);
    }
    ordered
}
