//! Where plimsoll keeps its state: a local file, or a blob under a lease, behind the same trait.

mod error;
mod identity;
mod lock;
mod state_store;

mod azblob;
mod local;

pub use azblob::{BlobAccess, BlobError, BlobPlace, BlobStore, LEASE, SharedAccessSignature};
pub use error::StoreError;
pub use local::{LocalStore, LockedStore};
pub use lock::LockInfo;
pub use state_store::{HeldState, StateStore, Unlocked};
