//! Where plimsoll keeps its state: a local file so far. A blob under a lease can stand beside it, behind the same trait.

mod error;
mod local;
mod lock;
mod state_store;

pub use error::StoreError;
pub use local::{LocalStore, LockedStore};
pub use lock::LockInfo;
pub use state_store::{HeldState, StateStore};
