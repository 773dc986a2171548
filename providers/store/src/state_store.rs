//! What any place for a state offers, so that whoever plans and applies need not know which one it is.

use crate::error::StoreError;
use crate::lock::LockInfo;
use async_trait::async_trait;
use plimsoll_core::apply::KeepState;
use std::fmt::Debug;

/// A place for one state.
#[async_trait]
pub trait StateStore: Debug + Send + Sync {
    /// Where it is, for people: a path, or the address of a blob.
    fn place(&self) -> String;

    /// `None` when there is no state yet. Takes no lock.
    async fn read(&self) -> Result<Option<String>, StoreError>;

    /// The serial before the last. `None` when there is none.
    async fn read_backup(&self) -> Result<Option<String>, StoreError>;

    /// Fails at once when someone else holds the lock, and says who.
    async fn lock(&self, info: &LockInfo) -> Result<Box<dyn HeldState>, StoreError>;

    /// Who holds the lock now. `None` when nobody does, or when the holder has not said.
    async fn holder(&self) -> Result<Option<LockInfo>, StoreError>;

    /// Takes the lock away from whoever holds it: what the holder still writes is refused.
    async fn unlock(&self) -> Result<Unlocked, StoreError>;
}

/// What became of a lock that was to be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    Broken,
    WasNotLocked,
}

/// A state whose lock this process holds, until it is released or dropped.
///
/// A lock that can end by itself, such as a lease, makes `save` fail once it has ended.
#[async_trait]
pub trait HeldState: KeepState + Debug {
    /// What is there now, under the lock: what was read before it was taken may be old.
    async fn read(&self) -> Result<Option<String>, StoreError>;

    /// Gives the lock back at once. Merely dropped, a lease ends only when its time is over.
    async fn release(self: Box<Self>) -> Result<(), StoreError>;
}
