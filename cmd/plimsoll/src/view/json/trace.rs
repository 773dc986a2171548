//! The way of the packets for one destination, hop by hop.

use plimsoll_core::config::GuestMode;
use plimsoll_core::plan::{self, Basis, HopKind, HopState, MemberVerdict};
use schemars::JsonSchema;
use serde::Serialize;

/// Where the packets for one destination go, and where the first of them are dropped.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Trace {
    /// `65.52.0.1:80/tcp`
    destination: String,
    basis: BasisWord,
    /// Every member that should serve does, and one at least does.
    serves: bool,
    /// Everything that decides was read.
    complete: bool,
    /// The rules that take it: one, or none.
    routes: Vec<Route>,
    /// Where no rule takes it: what is near.
    near: Vec<String>,
    /// What could not be read, so that a rule may be missing here.
    unread: Vec<String>,
}

/// One trace for each destination that was asked, all from one reading.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Traces {
    /// Every one of them is served.
    serves: bool,
    /// Everything that decides was read.
    complete: bool,
    traces: Vec<Trace>,
}

/// Which world is traced.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum BasisWord {
    /// The one that was read.
    Observed,
    /// The one that apply would leave behind, with the listeners that were read.
    Desired,
}

/// One rule that takes the destination, and where it leads.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Route {
    /// An id of Azure Resource Manager.
    load_balancer: String,
    /// Its address in the configuration, unless nobody here declares it.
    addr: Option<String>,
    frontend: String,
    rule: String,
    /// An inbound NAT rule leads to one member.
    inbound_nat: bool,
    floating_ip: bool,
    pools: Vec<String>,
    mode: ModeWord,
    members: Vec<Member>,
}

/// Who owns the frontend's address inside the guests.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModeWord {
    Loopback,
    Cluster,
    None,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Member {
    /// The guest, or the network interface where nobody here declares one for it.
    name: String,
    guest: Option<String>,
    hops: Vec<Hop>,
    verdict: Verdict,
    /// Azure sends it new connections, as far as that is known.
    receives: bool,
}

/// What becomes of the packets that Azure sends to a member.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Verdict {
    Serves,
    /// The first hop that drops them.
    Broken {
        at: HopWord,
    },
    /// Another member of the cluster holds the address.
    Passive,
    /// The configuration says nothing about the inside of it.
    NotJudged,
    /// Something on the way could not be read.
    Unknown {
        at: HopWord,
    },
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum HopWord {
    Pool,
    NetworkInterface,
    SecurityGroup,
    Probe,
    Address,
    WeakHost,
    Firewall,
    Listener,
    Reply,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Hop {
    kind: HopWord,
    state: StateWord,
    what: String,
    notes: Vec<String>,
    fix: Option<Fix>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StateWord {
    Passes,
    /// It does not pass now; apply mends it.
    AfterApply,
    Broken,
    Unknown,
    /// Nothing here depends on it.
    NotAsked,
}

/// What makes a broken hop pass.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "by", rename_all = "snake_case")]
pub(super) enum Fix {
    /// `plimsoll apply`, for this guest at least.
    Apply { guest: String },
    /// A person, because it is not ours to do.
    Hand { what: String },
}

pub(super) fn trace(trace: &plan::Trace) -> Trace {
    Trace {
        destination: trace.destination.to_string(),
        basis: match trace.basis {
            Basis::Observed => BasisWord::Observed,
            Basis::Desired => BasisWord::Desired,
        },
        serves: trace.serves(),
        complete: trace.is_complete(),
        routes: trace.routes.iter().map(route).collect(),
        near: trace.near.clone(),
        unread: trace.unread.clone(),
    }
}

pub(super) fn traces(traces: &[plan::Trace]) -> Traces {
    Traces {
        serves: traces.iter().all(plan::Trace::serves),
        complete: traces.iter().all(plan::Trace::is_complete),
        traces: traces.iter().map(trace).collect(),
    }
}

fn route(route: &plan::Route) -> Route {
    Route {
        load_balancer: route.load_balancer.to_string(),
        addr: route.addr.as_ref().map(ToString::to_string),
        frontend: route.frontend.clone(),
        rule: route.rule.clone(),
        inbound_nat: route.inbound_nat,
        floating_ip: route.floating_ip,
        pools: route.pools.clone(),
        mode: match route.mode {
            GuestMode::Loopback => ModeWord::Loopback,
            GuestMode::Cluster => ModeWord::Cluster,
            GuestMode::None => ModeWord::None,
        },
        members: route
            .members
            .iter()
            .map(|member| Member {
                name: member.name.clone(),
                guest: member.guest.as_ref().map(ToString::to_string),
                hops: member.hops.iter().map(hop).collect(),
                verdict: match member.verdict {
                    MemberVerdict::Serves => Verdict::Serves,
                    MemberVerdict::Broken { at } => Verdict::Broken { at: word(at) },
                    MemberVerdict::Passive => Verdict::Passive,
                    MemberVerdict::NotJudged => Verdict::NotJudged,
                    MemberVerdict::Unknown { at } => Verdict::Unknown { at: word(at) },
                },
                receives: member.receives,
            })
            .collect(),
    }
}

fn hop(hop: &plan::Hop) -> Hop {
    Hop {
        kind: word(hop.kind),
        state: match hop.state {
            HopState::Passes => StateWord::Passes,
            HopState::AfterApply => StateWord::AfterApply,
            HopState::Broken => StateWord::Broken,
            HopState::Unknown => StateWord::Unknown,
            HopState::NotAsked => StateWord::NotAsked,
        },
        what: hop.what.clone(),
        notes: hop.notes.clone(),
        fix: hop.fix.as_ref().map(|fix| match fix {
            plan::Fix::Apply { guest } => Fix::Apply {
                guest: guest.to_string(),
            },
            plan::Fix::Hand { what } => Fix::Hand { what: what.clone() },
        }),
    }
}

fn word(kind: HopKind) -> HopWord {
    match kind {
        HopKind::Pool => HopWord::Pool,
        HopKind::NetworkInterface => HopWord::NetworkInterface,
        HopKind::SecurityGroup => HopWord::SecurityGroup,
        HopKind::Probe => HopWord::Probe,
        HopKind::Address => HopWord::Address,
        HopKind::WeakHost => HopWord::WeakHost,
        HopKind::Firewall => HopWord::Firewall,
        HopKind::Listener => HopWord::Listener,
        HopKind::Reply => HopWord::Reply,
    }
}
