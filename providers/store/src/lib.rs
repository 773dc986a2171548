//! Where plimsoll keeps its state. So far a local file; the shape of the errors and of [`LockInfo`] is that of any place
//! that can be locked, so that a blob under a lease can stand beside it.

mod error;
mod local;
mod lock;

pub use error::StoreError;
pub use local::{LocalStore, LockedStore};
pub use lock::LockInfo;
