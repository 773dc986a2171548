//! The whole of planning: one question, one plan. Pure, and synchronous.

use super::addressed::Addressed;
use super::addresses::PublicAddresses;
use super::announced::announced;
use super::blocked::{blocks, complete, unreadable_data};
use super::cluster_drift;
use super::drift::{Compared, drift, not_yet_applied};
use super::findings::findings;
use super::fold::Fold;
use super::guest::{GuestPlan, Membership, Rules, Surroundings, guest, lost_lineages, placed};
use super::load_balancer::{self, LoadBalancerPlan};
use super::part::keep;
use super::past::{
    let_go, let_go_items, moved, not_importable, note_item_moves, pending_moves, protected,
    record_moves,
};
use super::public_ip::{self, Given, GivenPlan, PublicIpPlan, PublicIpPrefixPlan};
use super::reliances::reliances;
use super::select::select;
use super::stages::{Moves, moves};
use super::steps::{Work, steps};
use super::topology::{Scene, topology};
use super::traffic::{Flows, traffic};
use super::wanted::needed;
use super::{Change, Mode, Output, PLAN_FORMAT, PLAN_VERSION, Plan, Reads, Rollout};
use crate::config::{self, Configuration, Desired, Removed};
use crate::model::guest::{BY_SCRIPT, Claim, GuestFacts};
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, Kind, Severity};
use crate::state::{Recorded, State};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

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
    pub refinements: Refinements,
}

/// What the command line says about this one plan.
#[derive(Clone, Debug, Default)]
pub struct Refinements {
    /// Only these resources, and what they depend on; empty is everything.
    pub targets: Vec<Addr>,
    /// Not these, and not what depends on them.
    pub excludes: Vec<Addr>,
    /// Guests that may be unready: they hold nothing up.
    pub accept_unready: BTreeSet<Addr>,
}

/// The guests that a plan has to read, as far as Azure and the state tell: of the others the state has all that they need, and
/// their load balancers stay as they are. The observed world has no guests yet.
pub fn affected(question: &Question<'_>) -> BTreeSet<Addr> {
    let declared = &question.configuration.desired;
    let settled = question.prior.map(State::settled);
    let prior = settled.as_ref().map(|prior| {
        let moves = pending_moves(prior, &declared.moves);
        moved(prior, &moves)
    });
    let question = &Question {
        prior: prior.as_ref(),
        ..question.clone()
    };
    let nothing = nothing_but_removed(declared);
    let desired = match question.mode {
        Mode::Apply => declared,
        Mode::Destroy => &nothing,
    };
    let guests = draft(question, desired).guests;
    let unread = guests
        .into_iter()
        .filter(|guest| guest.unreadable.is_some());
    unread.map(|guest| guest.addr).collect()
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

/// What happens to each resource, before it is put in order.
struct Draft {
    claim: Claim,
    predecessors: BTreeSet<String>,
    public: PublicAddresses,
    public_ip_prefixes: Vec<PublicIpPrefixPlan>,
    public_ips: Vec<PublicIpPlan>,
    load_balancers: Vec<LoadBalancerPlan>,
    guests: Vec<GuestPlan>,
    moves: Moves,
}

/// What destroy asks for; what is let go is let go by destroy too.
fn nothing_but_removed(declared: &Desired) -> Desired {
    Desired {
        removed: declared.removed.clone(),
        ..Desired::default()
    }
}

fn plan_of(question: &Question<'_>, certain: Option<&State>) -> Plan {
    let nothing = nothing_but_removed(&question.configuration.desired);
    let desired = match question.mode {
        Mode::Apply => &question.configuration.desired,
        Mode::Destroy => &nothing,
    };
    let prior = question.prior;
    let Draft {
        claim,
        predecessors,
        public,
        public_ip_prefixes,
        public_ips,
        mut load_balancers,
        mut guests,
        moves,
    } = draft(question, desired);
    let unasked = guests
        .iter()
        .filter(|guest| !question.observed.guests.contains_key(&guest.addr))
        .count();
    let mut steps = steps(&Work {
        public_ip_prefixes: &public_ip_prefixes,
        public_ips: &public_ips,
        load_balancers: &load_balancers,
        guests: &guests,
        moves: &moves,
    });
    let mut blocks = blocks(
        &public_ip_prefixes,
        &public_ips,
        &load_balancers,
        &guests,
        question.observed,
    );
    let complete = complete(&load_balancers, &public_ip_prefixes, &public_ips, &guests)
        && unreadable_data(desired, question.observed).is_empty();
    let mut findings = findings(
        &load_balancers,
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
    let mut changes: Vec<Change> = public_ip_prefixes
        .iter()
        .map(|p| p.change.clone())
        .chain(public_ips.iter().map(|p| p.change.clone()))
        .chain(load_balancers.iter().map(|p| p.change.clone()))
        .chain(guests.iter().map(|p| p.change.clone()))
        .collect();
    for change in &mut changes {
        note_item_moves(change, desired);
    }
    blocks.extend(unreadable_data(desired, question.observed));
    blocks.extend(protected(question, &changes));
    blocks.extend(not_importable(question));
    let left_out = select(&question.refinements, &mut steps, &mut changes, &mut blocks);
    let mut blocked: Vec<String> = blocks.into_iter().map(|block| block.why).collect();
    blocked.sort();
    blocked.dedup();
    // Drift is told of all that is wanted, whatever part of it this plan does.
    let compared = Compared {
        prior: certain,
        desired,
        observed: question.observed,
        load_balancers: &load_balancers,
        guests: &guests,
    };
    let mut drift = drift(&compared);
    drift.extend(cluster_drift::drift(certain, &findings));
    let not_yet_applied = not_yet_applied(&compared);
    if !left_out.is_empty() {
        keep(&steps, &mut load_balancers, &mut guests);
        let kept = load_balancers.iter().map(|p| &p.change);
        let kept: BTreeMap<&Addr, &Change> = kept
            .chain(guests.iter().map(|p| &p.change))
            .map(|change| (&change.addr, change))
            .collect();
        for change in &mut changes {
            if let Some(kept) = kept.get(&change.addr) {
                *change = (*kept).clone();
                note_item_moves(change, desired);
            }
        }
    }
    let topology = topology(&Scene {
        desired,
        observed: question.observed,
        public: &public,
        load_balancers: &load_balancers,
        guests: &guests,
        drift: &drift,
        findings: &findings,
    });
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
        traffic: traffic(&Flows {
            desired,
            load_balancers: &load_balancers,
            guests: &guests,
            steps: &steps,
            public: &public,
        }),
        steps,
        relies_on: reliances(
            question,
            desired,
            &public_ip_prefixes,
            &public_ips,
            &load_balancers,
            &guests,
        ),
        not_yet_applied,
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
        rollout: rollout(&question.configuration.settings.rollout, &guests),
        accepted_unready: guests
            .iter()
            .filter(|guest| guest.accepted_unready)
            .map(|guest| guest.addr.clone())
            .collect(),
        left_out,
        unasked,
    }
}

fn draft(question: &Question<'_>, desired: &Desired) -> Draft {
    let prior = question.prior;
    let claim = Claim {
        deployment: question.configuration.settings.deployment.clone(),
        lineage: prior.map_or_else(|| question.fresh_lineage.clone(), |p| p.lineage.clone()),
    };
    let mut predecessors = lost_lineages(question.observed, &claim);
    if let Some(prior) = prior {
        // A script by hand has no state of its own; any other lineage belongs to somebody.
        predecessors.retain(|lineage| lineage == BY_SCRIPT);
        predecessors.extend(prior.predecessors.iter().cloned());
    }
    // Destroying still reads addresses from the configuration: it knows them even where the state does not.
    let public = PublicAddresses::new(&question.configuration.desired, Some(question.observed));
    let public_ip_prefixes = plan_given(
        question,
        Kind::PublicIpPrefix,
        &desired.public_ip_prefixes,
        &question.observed.public_ip_prefixes,
        &desired.removed,
    );
    let public_ips = plan_given(
        question,
        Kind::PublicIp,
        &desired.public_ips,
        &question.observed.public_ips,
        &desired.removed,
    );
    let load_balancers = plan_load_balancers(question, desired, &public);
    let rules = Rules::new(desired, question.observed, &load_balancers, &public);
    // Every guest is wanted that is declared or recorded, so the reads and the plan cannot disagree.
    let wanted = needed(desired, prior);
    let addressed = Addressed::new(&load_balancers, question.observed);
    let places: Vec<_> = wanted
        .guests
        .values()
        .map(|reference| {
            let mut place = placed(reference, desired, question.observed, prior);
            if let Ok(membership) = &mut place {
                membership.by_address(&addressed, question.observed);
            }
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
        accept_unready: &question.refinements.accept_unready,
    };
    let guests: Vec<GuestPlan> = places
        .into_iter()
        .map(|(reference, place)| match place {
            Ok(membership) => guest(reference, membership, &around),
            Err(forgotten) => *forgotten,
        })
        .collect();
    Draft {
        claim,
        predecessors,
        public,
        public_ip_prefixes,
        public_ips,
        load_balancers,
        guests,
        moves,
    }
}

/// The bounds of the configuration; which pools a guest is in matters only where members may not all be away at once.
fn rollout(asked: &config::Rollout, guests: &[GuestPlan]) -> Rollout {
    let pools = guests.iter().filter(|_| asked.max_unavailable.is_some());
    Rollout {
        max_parallel: asked.max_parallel.map(NonZeroU32::get),
        max_unavailable: asked.max_unavailable.map(NonZeroU32::get),
        pools: pools
            .filter(|guest| !guest.pools.is_empty())
            .map(|guest| (guest.addr.clone(), guest.pools.clone()))
            .collect(),
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

fn plan_given<T: Given>(
    question: &Question<'_>,
    kind: Kind,
    wanted: &BTreeMap<Addr, T::Desired>,
    observed: &BTreeMap<ArmId, Observation<T>>,
    removed: &[Removed],
) -> Vec<GivenPlan<T>> {
    let declared = wanted.iter().map(|(addr, desired)| {
        let recorded = question.prior.and_then(|p| p.resources.get(addr));
        let observation = observed.get(T::wanted(desired).0);
        public_ip::declared(addr, desired, observation, recorded)
    });
    let orphans = orphans(question.prior, kind, |addr| wanted.contains_key(addr));
    let left = orphans.into_iter().filter_map(|(addr, recorded)| {
        let (id, _) = T::recorded(recorded)?;
        let release = question.release_addresses && !let_go(addr, removed);
        let seen = observed.get(id);
        Some(public_ip::undeclared(
            addr,
            id,
            seen,
            question.mode,
            release,
        ))
    });
    declared.chain(left).collect()
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
            let declared = declared.map_or(0, |declared| declared.drain_seconds);
            plan.drain_seconds = plan.drain_seconds.max(declared);
            plans.push(plan);
        }
    }
    plans
}
