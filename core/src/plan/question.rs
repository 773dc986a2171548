//! The whole of planning: one question, one plan. Pure, and synchronous.

use super::addresses::PublicAddresses;
use super::announced::announced;
use super::cluster_drift;
use super::drift::{Compared, drift};
use super::findings::findings;
use super::fold::Fold;
use super::guest::{GuestPlan, Membership, Rules, Surroundings, guest, lost_lineages, placed};
use super::load_balancer::{self, LoadBalancerPlan};
use super::past::{
    let_go, let_go_items, moved, not_importable, note_item_moves, pending_moves, protected,
    record_moves,
};
use super::public_ip::{self, PublicIpPlan};
use super::stages::moves;
use super::steps::{Work, steps};
use super::topology::{Scene, topology};
use super::traffic::traffic;
use super::wanted::needed;
use super::{Action, Change, Mode, Output, PLAN_FORMAT, PLAN_VERSION, Plan, Reads, Reliance};
use crate::config::{Configuration, Desired};
use crate::model::guest::{Claim, GuestFacts};
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ItemKind, Kind, Severity};
use crate::state::{Recorded, State};

/// Everything that a plan is made from.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub configuration: &'a Configuration,
    pub prior: Option<&'a State>,
    pub observed: &'a Observed,
    pub mode: Mode,
    pub lab: bool,
    /// RFC 3339.
    pub now: String,
    /// The lineage that the state gets if there is none yet.
    pub fresh_lineage: String,
    pub release_addresses: bool,
}

pub fn plan(question: &Question<'_>) -> Plan {
    // What an interrupted run was about to make may be there, and is ours then; drift compares with what is certain.
    let certain = question.prior;
    let settled = certain.map(State::settled);
    let question = &Question {
        prior: settled.as_ref(),
        ..question.clone()
    };
    let declared = &question.configuration.desired;
    let moves = match question.prior {
        Some(prior) => pending_moves(prior, &declared.moves),
        None => Vec::new(),
    };
    if moves.is_empty() {
        return plan_of(question, certain);
    }
    let prior = question.prior.map(|prior| moved(prior, &moves));
    let certain = certain.map(|prior| moved(prior, &moves));
    let mut plan = plan_of(
        &Question {
            prior: prior.as_ref(),
            ..question.clone()
        },
        certain.as_ref(),
    );
    record_moves(&mut plan, &moves);
    plan
}

fn plan_of(question: &Question<'_>, certain: Option<&State>) -> Plan {
    // What is let go is let go by destroy too.
    let nothing = Desired {
        removed: question.configuration.desired.removed.clone(),
        ..Desired::default()
    };
    let desired = match question.mode {
        Mode::Apply => &question.configuration.desired,
        Mode::Destroy => &nothing,
    };
    let prior = question.prior;
    let claim = Claim {
        deployment: question.configuration.settings.deployment.clone(),
        lineage: prior.map_or_else(|| question.fresh_lineage.clone(), |p| p.lineage.clone()),
    };
    let predecessors = match prior {
        Some(prior) => prior.predecessors.clone(),
        None => lost_lineages(question.observed, &claim),
    };
    // Destroying still reads addresses from the configuration: it knows them even where the state does not.
    let public = PublicAddresses::new(&question.configuration.desired, Some(question.observed));
    let public_ips = plan_public_ips(question, desired);
    let load_balancers = plan_load_balancers(question, desired, &public);
    let rules = Rules::new(desired, question.observed, &load_balancers, &public);
    // Every guest is wanted that is declared or recorded, so the reads and the plan cannot disagree.
    let wanted = needed(desired, prior);
    let places: Vec<_> = wanted
        .guests
        .values()
        .map(|reference| {
            let place = placed(reference, desired, question.observed, prior);
            (reference, place)
        })
        .collect();
    let joining = places.iter().filter_map(|(_, place)| place.as_ref().ok());
    let joining = joining.flat_map(Membership::joining).cloned().collect();
    let moves = moves(&load_balancers, &joining);
    let around = Surroundings {
        desired,
        observed: question.observed,
        prior,
        rules: &rules,
        moves: &moves,
        claim: &claim,
        predecessors: &predecessors,
        fold: Fold::default(),
    };
    let guests: Vec<GuestPlan> = places
        .into_iter()
        .map(|(reference, place)| match place {
            Ok(membership) => guest(reference, membership, &around),
            Err(forgotten) => *forgotten,
        })
        .collect();

    let steps = steps(&Work {
        public_ips: &public_ips,
        load_balancers: &load_balancers,
        guests: &guests,
        moves: &moves,
    });
    let mut blocked = blocked(&public_ips, &load_balancers, &guests, question.observed);
    let complete = complete(&load_balancers, &public_ips, &guests)
        && unreadable_data(desired, question.observed).is_empty();
    let mut findings = findings(
        &guests,
        desired,
        question.observed,
        &question.configuration.accepted,
    );
    findings.extend(announced(desired, question.observed, &guests));
    findings.sort_by(|a, b| {
        (a.severity, &a.code, &a.addr, &a.what).cmp(&(b.severity, &b.code, &b.addr, &b.what))
    });
    let deadly = findings.iter().any(|f| f.severity == Severity::Error);
    let mut changes: Vec<Change> = public_ips
        .iter()
        .map(|p| p.change.clone())
        .chain(load_balancers.iter().map(|p| p.change.clone()))
        .chain(guests.iter().map(|p| p.change.clone()))
        .collect();
    for change in &mut changes {
        note_item_moves(change, desired);
    }
    let mut drift = drift(&Compared {
        prior: certain,
        observed: question.observed,
        load_balancers: &load_balancers,
        guests: &guests,
    });
    drift.extend(cluster_drift::drift(certain, &findings));
    let topology = topology(&Scene {
        desired,
        observed: question.observed,
        public: &public,
        load_balancers: &load_balancers,
        guests: &guests,
        drift: &drift,
        findings: &findings,
    });
    blocked.extend(unreadable_data(desired, question.observed));
    blocked.extend(protected(question, &changes));
    blocked.extend(not_importable(question));
    Plan {
        format: PLAN_FORMAT.to_owned(),
        version: PLAN_VERSION,
        plimsoll_version: env!("CARGO_PKG_VERSION").to_owned(),
        created: question.now.clone(),
        deployment: claim.deployment.clone(),
        mode: question.mode,
        lab: question.lab,
        config_digest: question.configuration.digest.clone(),
        serial: prior.map_or(0, |p| p.serial),
        run: 1 + highest_run(question, &claim),
        lineage: claim.lineage,
        predecessors,
        changes,
        traffic: traffic(desired, &load_balancers, &guests, &steps, &public),
        steps,
        relies_on: reliances(question, desired, &public_ips, &load_balancers, &guests),
        drift,
        topology,
        findings,
        outputs: question
            .configuration
            .outputs
            .iter()
            .map(|(name, value)| Output {
                name: name.clone(),
                value: value.clone(),
            })
            .collect(),
        complete,
        applyable: blocked.is_empty() && !deadly,
        blocked,
        reads: reads(question.observed),
    }
}

fn reads(observed: &Observed) -> Reads {
    Reads {
        load_balancers: observed.load_balancers.len(),
        public_ips: observed.public_ips.len(),
        network_interfaces: observed.network_interfaces.len(),
        guests: observed.guests.len(),
    }
}

fn highest_run(question: &Question<'_>, claim: &Claim) -> u64 {
    let seen = question
        .observed
        .guests
        .values()
        .filter_map(Observation::present)
        .filter_map(GuestFacts::record)
        .filter_map(|record| record.runs.get(&claim.deployment).copied());
    seen.chain(question.prior.map(|p| p.run)).max().unwrap_or(0)
}

fn orphans(
    prior: Option<&State>,
    kind: Kind,
    is_declared: impl Fn(&Addr) -> bool,
) -> Vec<(&Addr, &Recorded)> {
    prior
        .into_iter()
        .flat_map(|p| &p.resources)
        .filter(|(addr, _)| addr.kind == kind && !is_declared(addr))
        .collect()
}

fn plan_public_ips(question: &Question<'_>, desired: &Desired) -> Vec<PublicIpPlan> {
    let observed = &question.observed.public_ips;
    let mut plans: Vec<PublicIpPlan> = desired
        .public_ips
        .iter()
        .map(|(addr, wanted)| {
            let recorded = question.prior.and_then(|p| p.resources.get(addr));
            public_ip::declared(addr, wanted, observed.get(&wanted.id), recorded)
        })
        .collect();
    for (addr, recorded) in orphans(question.prior, Kind::PublicIp, |a| {
        desired.public_ips.contains_key(a)
    }) {
        if let Recorded::PublicIp { id, .. } = recorded {
            let release = question.release_addresses && !let_go(addr, &desired.removed);
            plans.push(public_ip::undeclared(
                addr,
                id,
                observed.get(id),
                question.mode,
                release,
            ));
        }
    }
    plans
}

fn plan_load_balancers(
    question: &Question<'_>,
    desired: &Desired,
    public: &PublicAddresses,
) -> Vec<LoadBalancerPlan> {
    let observed = &question.observed.load_balancers;
    let mut plans: Vec<LoadBalancerPlan> = desired
        .load_balancers
        .iter()
        .map(|(addr, wanted)| {
            load_balancer::declared(
                addr,
                wanted,
                observed.get(&wanted.id),
                question.prior,
                &let_go_items(addr, &desired.removed),
                public,
            )
        })
        .collect();
    for (addr, recorded) in orphans(question.prior, Kind::LoadBalancer, |a| {
        desired.load_balancers.contains_key(a)
    }) {
        if let Recorded::LoadBalancer { id, .. } = recorded {
            if let_go(addr, &desired.removed) {
                plans.push(load_balancer::let_go(addr, id, observed.get(id)));
                continue;
            }
            let mut plan =
                load_balancer::undeclared(addr, id, observed.get(id), question.prior, public);
            // `destroy` still has the configuration that says how long connections may go on.
            let declared = question.configuration.desired.load_balancers.get(addr);
            plan.drain_seconds = declared.map_or(0, |declared| declared.drain_seconds);
            plans.push(plan);
        }
    }
    plans
}

/// Why the plan may not be applied. A member that cannot be read blocks the writes that need it, never only its part of them.
fn blocked(
    public_ips: &[PublicIpPlan],
    load_balancers: &[LoadBalancerPlan],
    guests: &[GuestPlan],
    observed: &Observed,
) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    all.extend(public_ips.iter().flat_map(|p| p.blocked.clone()));
    all.extend(load_balancers.iter().flat_map(|p| p.blocked.clone()));
    all.extend(guests.iter().flat_map(|p| p.blocked.clone()));
    for guest in guests {
        let Some(why) = guest.unreadable.as_ref().filter(|_| guest.declared) else {
            continue;
        };
        if let Some(edit) = guest.joins.values().flatten().next() {
            all.push(format!(
                "{} cannot join pool {:?}: it could not be read ({why}), and a member that is not ready loses what Azure sends it",
                guest.addr,
                edit.pool.name()
            ));
        }
        for plan in load_balancers.iter().filter(|p| p.writes()) {
            if guest.load_balancers.contains(&plan.id) {
                all.push(format!(
                    "{} cannot be written: its member {} could not be read: {why}",
                    plan.addr, guest.addr
                ));
            }
        }
    }
    all.extend(
        load_balancers
            .iter()
            .flat_map(|plan| stranded(plan, guests, observed)),
    );
    all.sort();
    all.dedup();
    all
}

/// NICs of others in a pool that would be deleted: only their owner may take them out.
fn stranded(plan: &LoadBalancerPlan, guests: &[GuestPlan], seen: &Observed) -> Vec<String> {
    let Some(observed) = &plan.observed else {
        return Vec::new();
    };
    if plan.after.is_none() && plan.change.action != Action::Delete {
        return Vec::new();
    }
    let mut all = Vec::new();
    for pool in observed.of_kind(ItemKind::BackendPool) {
        let stays = plan
            .after
            .as_ref()
            .is_some_and(|after| after.item(ItemKind::BackendPool, &pool.name).is_some());
        if stays {
            continue;
        }
        let id = observed.id_of(ItemKind::BackendPool, &pool.name);
        for member in observed.members_of(&pool.name) {
            let nic = member.parent();
            let leaves = guests.iter().any(|g| {
                nic.as_ref()
                    .and_then(|nic| g.leaves.get(nic))
                    .is_some_and(|edits| edits.iter().any(|e| e.pool == id))
            });
            // Nothing is known of a NIC that could not be read; that it could not is said already.
            let unread = nic.as_ref().is_some_and(|nic| {
                let found = seen.network_interfaces.get(nic);
                matches!(found, Some(Observation::Unreadable { .. }))
            });
            if !leaves && !unread {
                all.push(format!(
                    "{}: pool {:?} would be deleted, and {} is in it without being a guest of this configuration; take it out of the pool first",
                    plan.addr,
                    pool.name,
                    nic.as_ref().map_or(member.as_str(), |nic| nic.name())
                ));
            }
        }
    }
    all
}

fn complete(
    load_balancers: &[LoadBalancerPlan],
    public_ips: &[PublicIpPlan],
    guests: &[GuestPlan],
) -> bool {
    load_balancers.iter().all(|p| p.readable)
        && guests
            .iter()
            .all(|g| g.unreadable.is_none() && g.blocked.is_empty())
        && public_ips
            .iter()
            .all(|p| !p.blocked.iter().any(|b| b.contains("could not be read")))
}

/// What the plan takes for granted without writing it.
fn reliances(
    question: &Question<'_>,
    desired: &Desired,
    public_ips: &[PublicIpPlan],
    load_balancers: &[LoadBalancerPlan],
    guests: &[GuestPlan],
) -> Vec<Reliance> {
    let mut all: Vec<Reliance> = public_ips
        .iter()
        .filter_map(|p| p.relies_on.clone())
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

/// Someone else's load balancer that could not be read: what guests need is not known then.
fn unreadable_data(desired: &Desired, observed: &Observed) -> Vec<String> {
    let mut all = Vec::new();
    for (label, data) in &desired.data_load_balancers {
        if let Some(Observation::Unreadable { why }) = observed.load_balancers.get(&data.id) {
            all.push(format!(
                "data.load_balancer.{label} could not be read: {why}"
            ));
        }
    }
    all
}
