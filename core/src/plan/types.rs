//! The plan: changes that a person reads, steps that are sent, and everything that was noticed on the way.

use crate::model::guest::{EntryKey, EntryState, GuestRef, Os, Touch};
use crate::model::{
    Addr, ArmId, Digest, FieldDiff, Fingerprint, ItemKind, LoadBalancer, Protocol, PublicIp,
    PublicIpPrefix, Severity, Shared, Where, digest_as_written,
};
use crate::state::StateEdit;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub const PLAN_FORMAT: &str = "plimsoll-plan";
pub const PLAN_VERSION: u32 = 1;

/// Everything that apply needs and everything that a person reads. It leaves apply no choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub format: String,
    pub version: u32,
    pub plimsoll_version: String,
    /// When the world was read, RFC 3339.
    pub created: String,
    pub deployment: String,
    pub mode: Mode,
    /// It was made against the local lab.
    pub lab: bool,
    /// The configuration and the variables that it was made from.
    pub config_digest: Digest,
    pub lineage: String,
    /// Lineages of lost states whose claims in guests are taken over.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub predecessors: BTreeSet<String>,
    pub serial: u64,
    /// The number that the guests see: one more than the highest that the state or any guest knows.
    pub run: u64,
    pub changes: Vec<Change>,
    pub steps: Vec<Step>,
    /// What the plan relies on without writing it, beside the steps' own.
    pub relies_on: Vec<Reliance>,
    pub drift: Vec<Drift>,
    /// What the configuration asks for since the last apply; no drift, and not counted as such.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_yet_applied: Vec<Drift>,
    pub findings: Vec<Finding>,
    pub traffic: Vec<Traffic>,
    /// The way of the packets, for pictures; plans that were saved before there was one have none.
    #[serde(default)]
    pub topology: super::Topology,
    pub outputs: Vec<Output>,
    /// Everything was read.
    pub complete: bool,
    /// It may be applied.
    pub applyable: bool,
    /// Why it may not.
    pub blocked: Vec<String>,
    pub reads: Reads,
    /// How many guests are worked on at once.
    #[serde(default, skip_serializing_if = "Rollout::is_free")]
    pub rollout: Rollout,
    /// Guests that may be unready: they hold nothing up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_unready: Vec<Addr>,
    /// What `--target` and `--exclude` keep out of this plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Guests that nobody asked (`--guests`): what changed inside them is not seen.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unasked: usize,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// Bounds on the work in guests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Guests worked on at the same time; `None` leaves it to the engine.
    pub max_parallel: Option<u32>,
    /// Members of one pool that may be in work or have failed at the same time.
    pub max_unavailable: Option<u32>,
    /// The pools of each guest, where the last bound is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<Addr, BTreeSet<ArmId>>,
}

impl Rollout {
    fn is_free(&self) -> bool {
        *self == Self::default()
    }
}

/// A change that this plan does not make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub addr: Addr,
    pub action: Action,
    /// `not asked for by --target`, `it waits for guest.vm2, which --exclude leaves out`
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    Apply,
    Destroy,
}

/// How much was read to make the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reads {
    pub load_balancers: usize,
    pub public_ips: usize,
    pub network_interfaces: usize,
    pub guests: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    NoOp,
    Create,
    Update,
    Replace,
    Delete,
    Adopt,
    Forget,
}

/// What a person reads about one top-level resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub addr: Addr,
    pub action: Action,
    /// What it is: `Standard · rg-web · westeurope`, `linux · ssh vm1.internal`.
    pub about: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDiff>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemChange>,
    #[serde(default, skip_serializing_if = "Shared::is_empty")]
    pub entries: Shared<EntryChange>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memberships: Vec<MembershipChange>,
    /// Sub-resources that are neither in the configuration nor in the state: kept in every PUT.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign: Vec<ForeignItem>,
    /// Why, or what a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Change {
    pub fn new(addr: Addr, action: Action) -> Self {
        Self {
            addr,
            action,
            about: String::new(),
            fields: Vec::new(),
            items: Vec::new(),
            entries: Shared::default(),
            memberships: Vec::new(),
            foreign: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// One sub-resource of a load balancer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemChange {
    pub kind: ItemKind,
    pub name: String,
    pub action: Action,
    /// `65.52.0.2:80/tcp → vms:80, floating IP`
    pub about: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDiff>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignItem {
    pub kind: ItemKind,
    pub name: String,
}

/// One entry inside a guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryChange {
    pub key: EntryKey,
    pub action: Action,
    pub before: EntryState,
    pub after: EntryState,
    /// The rules it is for.
    pub because: Vec<String>,
    /// How it is done here: `on lo`, `nftables, inet filter input`.
    pub how: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MembershipChange {
    pub interface: ArmId,
    pub ip_configuration: String,
    pub pool: ArmId,
    pub action: Action,
}

/// Steps are numbered from 1 in the order in which a person reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl std::fmt::Display for StepId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Expand,
    Switch,
    Contract,
}

/// One write unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub id: StepId,
    pub phase: Phase,
    /// The resource it belongs to.
    pub addr: Addr,
    /// What it does, for people: `gain address 65.52.0.2/32 and firewall rule tcp 80`.
    pub title: String,
    pub action: StepAction,
    pub after: Vec<Edge>,
    /// What the state records once it is done.
    pub record: Vec<StateEdit>,
}

/// Why a step waits for another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    pub step: StepId,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum StepAction {
    PutPublicIpPrefix {
        before: Fingerprint,
        after: Fingerprint,
        resource: PublicIpPrefix,
    },
    DeletePublicIpPrefix {
        id: ArmId,
        before: Fingerprint,
    },
    PutPublicIp {
        before: Fingerprint,
        after: Fingerprint,
        resource: PublicIp,
    },
    DeletePublicIp {
        id: ArmId,
        before: Fingerprint,
    },
    PutLoadBalancer {
        before: Fingerprint,
        after: Fingerprint,
        resource: LoadBalancer,
    },
    DeleteLoadBalancer {
        id: ArmId,
        before: Fingerprint,
    },
    /// A whole-NIC PUT that changes nothing but these memberships.
    PutNetworkInterface {
        id: ArmId,
        edits: Vec<MembershipEdit>,
    },
    Guest(GuestStep),
    /// Waits until applications listen, before a rule goes live on them.
    WaitForListeners {
        /// The longest that it waits.
        seconds: u64,
        services: Vec<AwaitedService>,
    },
    Drain {
        seconds: u64,
    },
    /// Nothing is sent: the state learns of something that already is as declared.
    Record,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MembershipEdit {
    pub ip_configuration: String,
    pub pool: ArmId,
    pub join: bool,
}

/// One script in one guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuestStep {
    pub guest: GuestRef,
    /// What shall be there, live and after a reboot, with our claim on it.
    pub ensure: Shared<Touch>,
    /// What our claim is taken off; it goes when no other claim holds it.
    pub release: Shared<Touch>,
}

/// Where an application of a guest has to listen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitedService {
    pub guest: GuestRef,
    pub rule: String,
    pub protocol: Protocol,
    pub destination: Where,
    /// `None` is any port.
    pub port: Option<u16>,
}

/// Something that was read and relied upon, but is not written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum Reliance {
    LoadBalancer {
        id: ArmId,
        fingerprint: Fingerprint,
    },
    PublicIpPrefix {
        id: ArmId,
        fingerprint: Fingerprint,
    },
    PublicIp {
        id: ArmId,
        fingerprint: Fingerprint,
        address: Option<std::net::IpAddr>,
    },
    Entry {
        guest: GuestRef,
        key: EntryKey,
    },
}

/// Observed differs from prior.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Stable: the same drift has the same id in every run.
    pub id: String,
    pub addr: Addr,
    pub severity: Severity,
    pub kind: DriftKind,
    /// `address 65.52.0.1/32 is missing on lo`
    pub what: Arc<str>,
    /// What it does to traffic.
    pub impact: Vec<String>,
    /// When and by whom, as far as it is known: `since the last apply (someone or something removed it)`.
    pub cause: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// Someone or something changed what we applied.
    Changed,
    /// It is as applied now, but a reboot would lose it.
    WouldNotSurviveReboot,
    /// The configuration asks for something that was never applied.
    NotYetApplied,
    /// There is no state that says what was applied.
    NeverRecorded,
    /// A cluster's address is not where the cluster should have it.
    Cluster,
}

/// A check's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub code: Cow<'static, str>,
    pub severity: Severity,
    pub addr: Option<Addr>,
    pub what: Arc<str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Arc<str>>,
}

/// What happens to one destination that clients use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    pub destination: Where,
    pub port: Option<u16>,
    pub protocol: Protocol,
    pub rule: String,
    pub load_balancer: Addr,
    pub effect: Effect,
    pub members: usize,
    /// Members of them that were seen to have an application where the packets arrive.
    #[serde(default)]
    pub answering: usize,
    /// Members that stop serving it on the way, although they serve it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
}

/// On how many members a destination is not served for a while, or from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The most at one moment.
    pub members: usize,
    /// Of so many that serve it now.
    pub of: usize,
    /// From the end of this step.
    pub from: StepId,
    /// Until the end of this one; `None` is for good.
    pub until: Option<StepId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    NotInterrupted,
    Begins { after: StepId, ready: usize },
    Ends { after: StepId },
    Changes { after: StepId, what: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    pub name: String,
    pub value: serde_json::Value,
}

impl DriftKind {
    /// Whether something moved, as opposed to what was never applied: that is the plan's own matter.
    pub fn is_news(self) -> bool {
        match self {
            Self::Changed | Self::WouldNotSurviveReboot => true,
            // A plan has a finding for what a cluster does.
            Self::NotYetApplied | Self::NeverRecorded | Self::Cluster => false,
        }
    }
}

impl Plan {
    /// Whether there is anything to do: what exit code 2 of `--detailed-exitcode` means.
    pub fn has_changes(&self) -> bool {
        self.changes.iter().any(|c| c.action != Action::NoOp)
    }

    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.iter().find(|s| s.id == id)
    }

    /// Writes to Azure.
    pub fn writes(&self) -> usize {
        self.steps
            .iter()
            .filter(|s| match s.action {
                StepAction::PutPublicIpPrefix { .. }
                | StepAction::DeletePublicIpPrefix { .. }
                | StepAction::PutPublicIp { .. }
                | StepAction::DeletePublicIp { .. }
                | StepAction::PutLoadBalancer { .. }
                | StepAction::DeleteLoadBalancer { .. }
                | StepAction::PutNetworkInterface { .. } => true,
                StepAction::Guest(_)
                | StepAction::WaitForListeners { .. }
                | StepAction::Drain { .. }
                | StepAction::Record => false,
            })
            .count()
    }

    /// The digest under which the journal knows it.
    pub fn digest(&self) -> Digest {
        digest_as_written(self)
    }
}

impl GuestStep {
    pub fn os(&self) -> Os {
        self.guest.os
    }
}
