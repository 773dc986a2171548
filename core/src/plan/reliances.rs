//! What a plan relies on beside what it writes.

use super::guest::GuestPlan;
use super::load_balancer::LoadBalancerPlan;
use super::public_ip::{PublicIpPlan, PublicIpPrefixPlan};
use super::{Question, Reliance};
use crate::config::Desired;
use crate::model::observed::Observation;

/// What the plan takes for granted without writing it.
pub fn reliances(
    question: &Question<'_>,
    desired: &Desired,
    public_ip_prefixes: &[PublicIpPrefixPlan],
    public_ips: &[PublicIpPlan],
    load_balancers: &[LoadBalancerPlan],
    guests: &[GuestPlan],
) -> Vec<Reliance> {
    let prefixes = public_ip_prefixes.iter().map(|p| p.relies_on.clone());
    let mut all: Vec<Reliance> = prefixes
        .chain(public_ips.iter().map(|p| p.relies_on.clone()))
        .flatten()
        .collect();
    for plan in load_balancers.iter().filter(|p| !p.writes()) {
        if let Some(observed) = &plan.observed {
            all.push(Reliance::LoadBalancer {
                id: plan.id.clone(),
                fingerprint: observed.fingerprint(),
            });
        }
    }
    for data in desired.data_load_balancers.values() {
        let found = question.observed.load_balancers.get(&data.id);
        if let Some(observed) = found.and_then(Observation::present) {
            all.push(Reliance::LoadBalancer {
                id: data.id.clone(),
                fingerprint: observed.fingerprint(),
            });
        }
    }
    for guest in guests {
        // Entries that are there already matter where something goes live on the guest.
        let goes_live = !guest.joins.is_empty()
            || load_balancers
                .iter()
                .any(|p| p.writes() && guest.load_balancers.contains(&p.id));
        if goes_live {
            all.extend(guest.relies_on.iter().map(|key| Reliance::Entry {
                guest: guest.reference.clone(),
                key: key.clone(),
            }));
        }
        // What is taken away was not used by any rule that was seen: those rules must not have changed.
        if !guest.release.is_empty() {
            for id in &guest.load_balancers {
                let found = question
                    .observed
                    .load_balancers
                    .get(id)
                    .and_then(Observation::present);
                let written = load_balancers.iter().any(|p| p.id == *id && p.writes());
                if let Some(observed) = found.filter(|_| !written) {
                    let fingerprint = observed.fingerprint();
                    all.push(Reliance::LoadBalancer {
                        id: id.clone(),
                        fingerprint,
                    });
                }
            }
        }
    }
    all
}
