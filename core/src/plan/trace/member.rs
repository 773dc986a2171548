//! One member of a pool: whether Azure sends it anything, and what becomes of that inside the guest.

use super::{Basis, Fix, Hop, HopKind, HopState, MemberTrace, MemberVerdict, TraceQuestion};
use super::{inside, security};
use crate::config::GuestMode;
use crate::model::observed::Observation;
use crate::model::{Addr, ArmId, Item};
use std::net::IpAddr;

/// What all members of one rule share.
pub(super) struct Way<'a> {
    pub(super) question: &'a TraceQuestion<'a>,
    pub(super) floating: bool,
    pub(super) mode: GuestMode,
    /// The configuration declares the rule, so that apply gives guests what it needs.
    pub(super) ours: bool,
    /// Someone else decides who is in the pool.
    pub(super) membership_is_foreign: bool,
    /// The frontend's address is a public IP address.
    pub(super) public: bool,
    pub(super) backend_port: u16,
    pub(super) probe: Option<&'a Item>,
}

/// Who is in a pool, or should be.
pub(super) struct Candidate<'a> {
    pub(super) name: String,
    pub(super) guest: Option<&'a Addr>,
    /// `vm1-nic/ipconfig1`
    pub(super) by: String,
    /// The id of the ip configuration, where it is a member by one.
    pub(super) ip_configuration: Option<ArmId>,
    /// The VM's own address (DIP), where it could be read.
    pub(super) own_address: Option<IpAddr>,
    /// A secondary IP configuration of its network interface.
    pub(super) secondary: bool,
    /// The configuration puts it into the pool.
    pub(super) wanted: bool,
    pub(super) joined: bool,
    /// How many other network interfaces the guest declares.
    pub(super) others: usize,
}

pub(super) fn member(way: &Way<'_>, candidate: &Candidate<'_>) -> MemberTrace {
    let mut hops = vec![pool(way, candidate)];
    hops.extend(network_interface(way, candidate));
    hops.extend(security::hop(way, candidate));
    hops.extend(inside(way, candidate));
    if way.question.basis == Basis::Desired {
        for hop in &mut hops {
            if hop.state == HopState::Broken && matches!(hop.fix, Some(Fix::Apply { .. })) {
                hop.state = HopState::AfterApply;
            }
        }
    }
    let probe_fails = hops
        .iter()
        .any(|hop| hop.kind == HopKind::Probe && hop.state == HopState::Broken);
    MemberTrace {
        name: candidate.name.clone(),
        guest: candidate.guest.cloned(),
        verdict: verdict(way, candidate, &hops),
        receives: candidate.joined && !probe_fails,
        hops,
    }
}

fn verdict(way: &Way<'_>, candidate: &Candidate<'_>, hops: &[Hop]) -> MemberVerdict {
    let first = |state: HopState| hops.iter().find(|hop| hop.state == state);
    if let Some(hop) = first(HopState::Broken) {
        return MemberVerdict::Broken { at: hop.kind };
    }
    if candidate.guest.is_none() || way.mode == GuestMode::None {
        return MemberVerdict::NotJudged;
    }
    match first(HopState::Unknown) {
        Some(hop) => MemberVerdict::Unknown { at: hop.kind },
        None => MemberVerdict::Serves,
    }
}

fn pool(way: &Way<'_>, candidate: &Candidate<'_>) -> Hop {
    if candidate.joined {
        let hop = Hop::passes(HopKind::Pool, format!("member by {}", candidate.by));
        return if candidate.guest.is_some() || candidate.wanted {
            hop
        } else {
            hop.note("no guest of this configuration, so nobody looks inside it")
        };
    }
    let fix = match candidate.guest {
        Some(guest) if !way.membership_is_foreign => Fix::Apply {
            guest: guest.clone(),
        },
        Some(_) | None => Fix::Hand {
            what: format!(
                "put {} into the pool where the load balancer is managed",
                candidate.by
            ),
        },
    };
    Hop::broken(
        HopKind::Pool,
        format!("{} is not a member", candidate.by),
        fix,
    )
}

/// Azure takes such a member, and then does not serve floating IP through it.
fn network_interface(way: &Way<'_>, candidate: &Candidate<'_>) -> Option<Hop> {
    (way.floating && candidate.secondary).then(|| {
        Hop::unknown(
            HopKind::NetworkInterface,
            format!("{} is a secondary IP configuration", candidate.by),
        )
        .note("Azure does not support floating IP on it: plimsoll explain PL0314")
    })
}

fn inside(way: &Way<'_>, candidate: &Candidate<'_>) -> Vec<Hop> {
    let Some(guest) = candidate.guest else {
        return Vec::new();
    };
    if way.mode == GuestMode::None {
        return vec![Hop::new(
            HopKind::Address,
            HopState::NotAsked,
            "guest_mode \"none\": the guest takes the packets in its own way",
        )];
    }
    let why = match way.question.observed.guests.get(guest) {
        Some(Observation::Present(facts)) => {
            return inside::hops(way, candidate, guest, facts);
        }
        Some(Observation::Unreadable { why }) => format!("the guest could not be read: {why}"),
        Some(Observation::Absent) => "the virtual machine does not exist".to_owned(),
        None => "the guest was not read".to_owned(),
    };
    vec![Hop::unknown(HopKind::Address, why)]
}

/// Of a cluster one member serves, and the others are as they should be when they refuse the probe.
pub(super) fn settle_cluster(mode: GuestMode, members: &mut [MemberTrace]) {
    let held = |m: &MemberTrace| m.verdict == MemberVerdict::Serves;
    if mode != GuestMode::Cluster || !members.iter().any(held) {
        return;
    }
    for member in members {
        let broken = |kind: HopKind| {
            let mut hops = member.hops.iter();
            hops.any(|hop| hop.kind == kind && hop.state == HopState::Broken)
        };
        if broken(HopKind::Probe) && broken(HopKind::Address) && !broken(HopKind::Pool) {
            member.verdict = MemberVerdict::Passive;
            for hop in &mut member.hops {
                if hop.kind >= HopKind::Probe && hop.state == HopState::Broken {
                    hop.state = HopState::NotAsked;
                    hop.fix = None;
                }
            }
        }
    }
}
