//! What can be known to be wrong before Azure or a guest is asked: one file for each family of checks.
//!
//! In comes what is desired, out come diagnostics with codes of `codes.rs`. A check that needs live facts is a finding of
//! the plan (`plan/findings/`) instead.

mod accept;
pub mod codes;
mod found;
mod scene;

mod clusters;
mod flows;
mod frontends;
mod guests;
mod ha_ports;
mod limits;
mod nat;
mod outbound;
mod probes;
mod rules;
mod skus;

pub(super) use accept::{Acceptance, acceptances};
pub use accept::{Accepted, may_be_meant};

use super::Desired;
use crate::model::Diagnostic;
use found::Found;
use scene::Scene;
use std::collections::BTreeMap;

/// Every check, less what is accepted; each acceptance that was used says how often.
pub(super) fn check(
    desired: &Desired,
    acceptances: Vec<Acceptance>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Accepted> {
    let scene = Scene::of(desired);
    let mut found = Vec::new();
    for balancer in &scene.balancers {
        flows::check(balancer, &mut found);
        ha_ports::check(balancer, &mut found);
        rules::check(balancer, &mut found);
        frontends::check(balancer, &mut found);
        clusters::check(balancer, &scene, &mut found);
        probes::check(balancer, &mut found);
        nat::check(balancer, &scene, &mut found);
        outbound::check(balancer, &scene, &mut found);
        limits::check(balancer, &scene, &mut found);
        skus::check(balancer, desired, &mut found);
    }
    guests::check(&scene, &mut found);
    // What could not be read leaves holes: a frontend seems unused because its rule is broken.
    if problems.iter().any(Diagnostic::is_error) {
        found.retain(|found| found.diagnostic.is_error());
        problems.extend(folded(found));
        return Vec::new();
    }
    let (rest, accepted) = accept::apply(acceptances, found, problems);
    problems.extend(folded(rest));
    accepted
}

/// A block with `for_each` stands for many instances: what is wrong with it is said once, with their number.
fn folded(found: Vec<Found>) -> Vec<Diagnostic> {
    let mut first: BTreeMap<_, usize> = BTreeMap::new();
    let mut all: Vec<(Diagnostic, usize)> = Vec::new();
    for Found { diagnostic, .. } in found {
        let places: Vec<_> = diagnostic.labels.iter().map(|l| l.span.clone()).collect();
        match first.get(&(diagnostic.code.clone(), places.clone())) {
            Some(at) => all[*at].1 += 1,
            None => {
                first.insert((diagnostic.code.clone(), places), all.len());
                all.push((diagnostic, 0));
            }
        }
    }
    let say = |(diagnostic, others): (Diagnostic, usize)| match others {
        0 => diagnostic,
        1 => diagnostic.note("the same is true of one more instance of this block"),
        others => diagnostic.note(format!(
            "the same is true of {others} more instances of this block"
        )),
    };
    all.into_iter().map(say).collect()
}
