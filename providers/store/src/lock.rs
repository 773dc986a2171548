//! Who holds a lock.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What the holder of a lock says of itself, for whoever finds the state locked. The clock and the user are read by
/// `cmd`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockInfo {
    /// `user@host`, or the pipeline's name of the run.
    pub who: String,
    /// RFC 3339.
    pub at: String,
    pub pid: u32,
    /// `apply`, `destroy`.
    pub operation: String,
    /// Where the pipeline shows the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            who,
            at,
            pid,
            operation,
            url,
        } = self;
        match url {
            Some(url) => write!(f, "{who} ({url}) runs {operation} since {at}"),
            None => write!(f, "{who} (process {pid}) runs {operation} since {at}"),
        }
    }
}
