//! Why the state cannot be read, locked or written, each with the next step.

use crate::lock::LockInfo;
use plimsoll_core::apply::WorldError;
use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the state {} is locked: {}; wait for it to end", path.display(), holder(.by.as_ref()))]
    Locked {
        path: PathBuf,
        /// Absent when the holder has not said who it is.
        by: Option<LockInfo>,
    },
    #[error("the state {} cannot be read; check that it is a file and that you may read it", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the state {} is no text; put its backup {}.backup in its place, or move it away to start anew", path.display(), path.display())]
    NotText { path: PathBuf },
    #[error("the folder {} of the state cannot be made; check that you may write there, or set another path in backend \"local\"", path.display())]
    MakeFolder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the lock {} cannot be taken; check that you may write there, or set another path in backend \"local\"", path.display())]
    TakeLock {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the state {} cannot be written; free space or check your rights there, then run the same command again", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the state {} was written by something else while it was locked ({moved}); nothing was overwritten, make a new plan", path.display())]
    Moved { path: PathBuf, moved: String },
    #[error("what is to be saved as the state {} is not its document: this is a bug in plimsoll", path.display())]
    NotAState {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

fn holder(by: Option<&LockInfo>) -> String {
    by.map_or_else(
        || "another process that has not said who it is".to_owned(),
        LockInfo::to_string,
    )
}

impl StoreError {
    /// What exit code 5 stands for.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. })
    }
}

impl From<StoreError> for WorldError {
    fn from(error: StoreError) -> Self {
        let mut message = error.to_string();
        if let Some(source) = std::error::Error::source(&error) {
            message.push_str(": ");
            message.push_str(&source.to_string());
        }
        if error.is_locked() {
            Self::Unavailable { message }
        } else {
            Self::Refused { message }
        }
    }
}
