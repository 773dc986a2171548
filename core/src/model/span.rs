//! Where something stands in the sources.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A range of bytes in one source file.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The path as the user would type it, relative to the configuration's directory.
    pub file: Arc<str>,
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub fn new(file: Arc<str>, range: std::ops::Range<usize>) -> Self {
        Self {
            file,
            start: range.start,
            end: range.end.max(range.start),
        }
    }

    pub fn range(&self) -> std::ops::Range<usize> {
        self.start..self.end
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}..{}", self.file, self.start, self.end)
    }
}
