//! What any place for a state offers, so that whoever plans and applies need not know which one it is.

use crate::error::StoreError;
use crate::local::{LocalStore, LockedStore};
use crate::lock::LockInfo;
use async_trait::async_trait;
use plimsoll_core::apply::KeepState;

/// A place for one state.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Where it is, for people: a path, or the address of a blob.
    fn place(&self) -> String;

    /// `None` when there is no state yet. Takes no lock.
    async fn read(&self) -> Result<Option<String>, StoreError>;

    /// Fails at once when someone else holds the lock, and says who.
    async fn lock(&self, info: &LockInfo) -> Result<Box<dyn HeldState>, StoreError>;
}

/// A state whose lock this process holds, until it is dropped.
///
/// A lock that can end by itself, such as a lease, makes `save` fail once it has ended.
#[async_trait]
pub trait HeldState: KeepState {
    /// What is there now, under the lock: what was read before it was taken may be old.
    async fn read(&self) -> Result<Option<String>, StoreError>;
}

#[async_trait]
impl StateStore for LocalStore {
    fn place(&self) -> String {
        self.path().display().to_string()
    }

    async fn read(&self) -> Result<Option<String>, StoreError> {
        Self::read(self)
    }

    async fn lock(&self, info: &LockInfo) -> Result<Box<dyn HeldState>, StoreError> {
        let locked: LockedStore = Self::lock(self, info)?;
        Ok(Box::new(locked))
    }
}

#[async_trait]
impl HeldState for LockedStore {
    async fn read(&self) -> Result<Option<String>, StoreError> {
        Self::read(self)
    }
}
