//! What the engine needs of the world. Reading and writing are two traits: a planner that holds only readers cannot write.

use crate::model::guest::{Claim, GuestFacts, GuestRef, Os};
use crate::model::observed::Observation;
use crate::model::security::{SecurityGroup, Subnet};
use crate::model::{ArmId, Fingerprint, LoadBalancer, NetworkInterface, PublicIp, PublicIpPrefix};
use crate::plan::{GuestStep, MembershipEdit};
use async_trait::async_trait;

/// Why reading or writing did not work.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The target is neither as planned-before nor as planned-after: what moved.
    #[error("{target} is not as it was planned: {}", moved.join(", "))]
    Stale { target: String, moved: Vec<String> },
    /// A person must act; the text says how.
    #[error("{message}")]
    Refused { message: String },
    /// It may work again later: throttled, busy, unreachable.
    #[error("{message}")]
    Unavailable { message: String },
}

/// Called while a write waits for Azure, with the operation to journal and with what to show.
pub trait Progress: Send + Sync {
    /// Azure accepted the write; this URL tells how it goes.
    fn operation(&self, url: &str);
    /// Something worth showing: `Azure is updating`, `throttled, waiting 10 s`.
    fn note(&self, text: &str);
}

/// Azure, read.
#[async_trait]
pub trait ObserveAzure: Send + Sync {
    /// Waits for a running update to end: a load balancer is never fingerprinted while `Updating`.
    async fn load_balancer(&self, id: &ArmId) -> Observation<LoadBalancer>;
    async fn public_ip(&self, id: &ArmId) -> Observation<PublicIp>;
    async fn public_ip_prefix(&self, id: &ArmId) -> Observation<PublicIpPrefix>;
    async fn network_interface(&self, id: &ArmId) -> Observation<NetworkInterface>;
    async fn subnet(&self, id: &ArmId) -> Observation<Subnet>;
    /// Its default rules included.
    async fn security_group(&self, id: &ArmId) -> Observation<SecurityGroup>;
    /// Of a virtual machine, or an instance of a scale set; `None` where nobody says.
    async fn operating_system(&self, machine: &ArmId) -> Option<Os>;
}

/// Azure, written. Each write is conditional: GET, compare with `before` or `after`, PUT with that GET's etag, poll to the
/// end, GET again. A target that already is as planned-after is not written again.
#[async_trait]
pub trait EnactAzure: Send + Sync {
    /// Waits for an operation that an earlier run left in its journal. It never fails: what became of it shows in the
    /// resource, which is read next.
    async fn resume(&self, _operation: &str, _progress: &dyn Progress) {}

    async fn put_load_balancer(
        &self,
        resource: &LoadBalancer,
        before: &Fingerprint,
        after: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<LoadBalancer, WorldError>;

    async fn put_public_ip(
        &self,
        resource: &PublicIp,
        before: &Fingerprint,
        after: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<PublicIp, WorldError>;

    async fn put_public_ip_prefix(
        &self,
        resource: &PublicIpPrefix,
        before: &Fingerprint,
        after: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<PublicIpPrefix, WorldError>;

    /// Nothing to delete is success.
    async fn delete_load_balancer(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<(), WorldError>;

    async fn delete_public_ip(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<(), WorldError>;

    async fn delete_public_ip_prefix(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        progress: &dyn Progress,
    ) -> Result<(), WorldError>;

    /// GET, change only these memberships, PUT; a membership that already is as asked is not written again.
    async fn put_network_interface(
        &self,
        id: &ArmId,
        edits: &[MembershipEdit],
        progress: &dyn Progress,
    ) -> Result<NetworkInterface, WorldError>;
}

/// Guests, read: one round trip each.
#[async_trait]
pub trait ObserveGuests: Send + Sync {
    /// `Absent` is a virtual machine that Azure says is gone.
    async fn facts(&self, guest: &GuestRef) -> Observation<GuestFacts>;
}

/// Guests, written: one script each, which ends by printing the facts.
#[async_trait]
pub trait EnactGuests: Send + Sync {
    /// All addresses in the step are known here. `facts` are the newest known; the script compares before it sets.
    async fn enact(&self, order: &GuestOrder<'_>) -> Result<GuestFacts, WorldError>;
}

/// One guest step with everything the script carries.
#[derive(Clone, Copy, Debug)]
pub struct GuestOrder<'a> {
    pub step: &'a GuestStep,
    pub facts: &'a GuestFacts,
    pub claim: &'a Claim,
    pub run: u64,
}

/// Where the state is kept while a lock is held.
#[async_trait]
pub trait KeepState: Send + Sync {
    /// Written atomically and durably before it returns.
    async fn save(&self, text: &str) -> Result<(), WorldError>;
}

/// The clock.
#[async_trait]
pub trait Clock: Send + Sync {
    /// RFC 3339.
    fn now(&self) -> String;
    /// Since some fixed moment; never goes back.
    fn monotonic(&self) -> std::time::Duration;
    async fn sleep(&self, time: std::time::Duration);
}
