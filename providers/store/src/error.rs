//! Why the state cannot be read, locked or written, each with the next step.

use crate::azblob::BlobError;
use crate::lock::LockInfo;
use plimsoll_core::apply::WorldError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the state {place} is locked: {}; {}", holder(.by.as_deref()), wait(*.ends_within))]
    Locked {
        place: String,
        /// Absent when the holder has not said who it is.
        by: Option<Box<LockInfo>>,
        /// How long a lock lasts whose holder is dead. `None` when it ends with its process.
        ends_within: Option<Duration>,
    },
    /// A lease that could not be renewed in time, or that somebody broke.
    #[error(
        "the lock on the state {place} was lost: {}. Nothing more was written, neither the state nor Azure nor guests; run the same \
         command again, it finds out how far this run got",
        loser(.by.as_deref())
    )]
    Lost {
        place: String,
        /// Who holds it now.
        by: Option<Box<LockInfo>>,
    },
    #[error("the state {place} is held by a process of this machine that still runs ({}); end it, and its lock goes with it", holder(.by.as_deref()))]
    Alive {
        place: String,
        by: Option<Box<LockInfo>>,
    },
    #[error(
        "the state {place} was written by something else while it was locked ({moved}); nothing was overwritten, make a new plan"
    )]
    Moved { place: String, moved: String },
    #[error(
        "the state {place} is no text; put its backup in its place (plimsoll state pull --backup), or move it away to start anew"
    )]
    NotText { place: String },
    #[error(
        "what is to be saved as the state {place} is not its document: this is a bug in plimsoll"
    )]
    NotAState {
        place: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("the state {} cannot be read; check that it is a file and that you may read it", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
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
    #[error(transparent)]
    Blob(#[from] BlobError),
}

fn holder(by: Option<&LockInfo>) -> String {
    by.map_or_else(
        || "another process that has not said who it is".to_owned(),
        LockInfo::to_string,
    )
}

fn wait(ends_within: Option<Duration>) -> String {
    match ends_within {
        None => "wait for it to end".to_owned(),
        Some(time) => format!(
            "wait for it to end. If it died, its lock ends by itself within {} s",
            time.as_secs()
        ),
    }
}

fn loser(by: Option<&LockInfo>) -> String {
    match by {
        Some(by) => format!("now {by}"),
        None => "it could not be renewed in time, or somebody broke it".to_owned(),
    }
}

impl StoreError {
    /// What exit code 5 stands for.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Alive { .. })
    }
}

impl From<StoreError> for WorldError {
    fn from(error: StoreError) -> Self {
        let mut message = error.to_string();
        if let Some(source) = std::error::Error::source(&error) {
            message.push_str(": ");
            message.push_str(&source.to_string());
        }
        let later = error.is_locked()
            || matches!(&error, StoreError::Blob(error) if error.may_work_later());
        if later {
            Self::Unavailable { message }
        } else {
            Self::Refused { message }
        }
    }
}
