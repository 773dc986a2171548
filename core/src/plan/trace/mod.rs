//! Where the packets for one destination go, hop by hop, and where the first of them are dropped. Pure.

mod destination;
mod inside;
mod member;
mod route;
mod security;

pub use destination::{Destination, NotADestination};

use super::addresses::PublicAddresses;
use crate::config::{Desired, GuestMode};
use crate::model::observed::Observed;
use crate::model::{Addr, ArmId};
use crate::state::State;
use serde::Serialize;

/// Everything that a trace is made from.
#[derive(Clone, Copy, Debug)]
pub struct TraceQuestion<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub prior: Option<&'a State>,
    pub destination: Destination,
    pub basis: Basis,
}

/// Which world is traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The one that was read.
    Observed,
    /// The one that apply would leave behind, with the listeners that were read.
    Desired,
}

/// The way of the packets for one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trace {
    pub destination: Destination,
    pub basis: Basis,
    /// The rules that take it: one, or none.
    pub routes: Vec<Route>,
    /// Where no rule takes it: what is near.
    pub near: Vec<String>,
    /// What could not be read, so that a rule may be missing here.
    pub unread: Vec<String>,
}

/// One rule that takes the destination, and where it leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    pub load_balancer: ArmId,
    /// Its address in the configuration, unless nobody here declares it.
    pub addr: Option<Addr>,
    pub frontend: String,
    pub rule: String,
    /// An inbound NAT rule leads to one member.
    pub inbound_nat: bool,
    pub floating_ip: bool,
    pub pools: Vec<String>,
    pub mode: GuestMode,
    pub members: Vec<MemberTrace>,
}

/// One member of the pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberTrace {
    /// The guest, or the network interface where nobody here declares one for it.
    pub name: String,
    pub guest: Option<Addr>,
    pub hops: Vec<Hop>,
    pub verdict: MemberVerdict,
    /// Azure sends it new connections: it is in the pool and its probe is answered, as far as that is known.
    pub receives: bool,
}

/// What becomes of the packets that Azure sends to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum MemberVerdict {
    Serves,
    /// The first hop that drops them.
    Broken {
        at: HopKind,
    },
    /// Another member of the cluster holds the address; this one refuses the probe, as it should.
    Passive,
    /// The configuration says nothing about the inside of it.
    NotJudged,
    /// Something on the way could not be read.
    Unknown {
        at: HopKind,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HopKind {
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

impl HopKind {
    /// The word at the left of the row.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::NetworkInterface => "NIC",
            Self::SecurityGroup => "NSG",
            Self::Probe => "probe",
            Self::Address => "address",
            Self::WeakHost => "weak host",
            Self::Firewall => "firewall",
            Self::Listener => "listener",
            Self::Reply => "reply",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hop {
    pub kind: HopKind,
    pub state: HopState,
    /// What was found: `65.52.0.1/32 on lo`, `nginx on 65.52.0.1:80`.
    pub what: String,
    /// Why it matters, or what a person should know although packets pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HopState {
    Passes,
    /// It does not pass now; apply mends it.
    AfterApply,
    Broken,
    Unknown,
    /// Nothing here depends on it.
    NotAsked,
}

/// What makes a broken hop pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Fix {
    /// `plimsoll apply`, for this guest at least.
    Apply { guest: Addr },
    /// A person, because it is not ours to do.
    Hand { what: String },
}

impl Hop {
    fn new(kind: HopKind, state: HopState, what: impl Into<String>) -> Self {
        Self {
            kind,
            state,
            what: what.into(),
            notes: Vec::new(),
            fix: None,
        }
    }

    fn passes(kind: HopKind, what: impl Into<String>) -> Self {
        Self::new(kind, HopState::Passes, what)
    }

    fn broken(kind: HopKind, what: impl Into<String>, fix: Fix) -> Self {
        Self {
            fix: Some(fix),
            ..Self::new(kind, HopState::Broken, what)
        }
    }

    fn unknown(kind: HopKind, what: impl Into<String>) -> Self {
        Self::new(kind, HopState::Unknown, what)
    }

    #[must_use]
    fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

impl Trace {
    /// Every member that should serve does, and one at least does.
    pub fn serves(&self) -> bool {
        !self.routes.is_empty() && self.routes.iter().all(Route::serves)
    }

    /// Something that decides could not be read.
    pub fn is_complete(&self) -> bool {
        self.unread.is_empty()
            && !self
                .routes
                .iter()
                .flat_map(|r| &r.members)
                .any(|m| matches!(m.verdict, MemberVerdict::Unknown { .. }))
    }
}

impl Route {
    pub fn serves(&self) -> bool {
        let fine = |member: &MemberTrace| {
            matches!(
                member.verdict,
                MemberVerdict::Serves | MemberVerdict::Passive | MemberVerdict::NotJudged
            )
        };
        let takes = |member: &MemberTrace| {
            matches!(
                member.verdict,
                MemberVerdict::Serves | MemberVerdict::NotJudged
            )
        };
        self.members.iter().all(fine) && self.members.iter().any(takes)
    }

    /// How many members Azure spreads new connections over.
    pub fn receivers(&self) -> usize {
        self.members.iter().filter(|m| m.receives).count()
    }
}

/// Follows the packets for a destination.
pub fn trace(question: &TraceQuestion<'_>) -> Trace {
    let public = PublicAddresses::new(question.desired, Some(question.observed));
    let world = route::World::new(question, &public);
    let routes = world.routes();
    Trace {
        destination: question.destination,
        basis: question.basis,
        near: if routes.is_empty() {
            world.near()
        } else {
            Vec::new()
        },
        unread: world.unread(),
        routes,
    }
}

#[cfg(test)]
mod tests;
