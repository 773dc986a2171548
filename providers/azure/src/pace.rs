//! Staying below Resource Manager's limits, so that a large run is slow from the start instead of refused in the middle.
//!
//! Resource Manager keeps token buckets per subscription, identity and region: 250 reads, refilled with 25 a second; 200
//! writes and 200 deletes. Microsoft.Network allows 10,000 reads and 1,000 writes and deletes together in five minutes, which
//! for those is the narrower limit: 200 at once and one each 400 ms are 950 in five minutes.
//! Source: <https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling>.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Pace {
    reads: Bucket,
    /// Writes and deletes: the narrower limit counts them together.
    changes: Bucket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toll {
    Read,
    Write,
    Delete,
}

#[derive(Debug)]
struct Bucket {
    /// The time one token takes to come back.
    refill: Duration,
    /// The time that a full bucket is worth.
    depth: Duration,
    /// When the bucket would be full, were nothing more taken. `None` at first: it is full.
    full_at: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn of_resource_manager() -> Self {
        Self {
            reads: Bucket::new(250, Duration::from_millis(40)),
            changes: Bucket::new(200, Duration::from_millis(400)),
        }
    }

    /// Takes one token, and says how long to wait before using it.
    pub(crate) fn take(&self, toll: Toll) -> Duration {
        match toll {
            Toll::Read => self.reads.take(),
            Toll::Write | Toll::Delete => self.changes.take(),
        }
    }
}

impl Bucket {
    fn new(tokens: u32, refill: Duration) -> Self {
        Self {
            refill,
            depth: refill * tokens,
            full_at: Mutex::new(None),
        }
    }

    fn take(&self) -> Duration {
        let now = Instant::now();
        // A panic elsewhere cannot leave an instant half written.
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = full_at.map_or(now, |at| at.max(now)) + self.refill;
        *full_at = Some(next);
        next.duration_since(now).saturating_sub(self.depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_full_bucket_is_free_and_then_it_drips() {
        let pace = Pace::of_resource_manager();
        for _ in 0..250 {
            assert_eq!(pace.take(Toll::Read), Duration::ZERO);
        }
        assert_eq!(pace.take(Toll::Read), Duration::from_millis(40));
        assert_eq!(pace.take(Toll::Read), Duration::from_millis(80));
        assert_eq!(pace.take(Toll::Write), Duration::ZERO);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(pace.take(Toll::Read), Duration::ZERO);
    }

    /// Microsoft.Network counts them together.
    #[tokio::test(start_paused = true)]
    async fn writes_and_deletes_share_a_bucket() {
        let pace = Pace::of_resource_manager();
        for _ in 0..100 {
            assert_eq!(pace.take(Toll::Write), Duration::ZERO);
            assert_eq!(pace.take(Toll::Delete), Duration::ZERO);
        }
        assert_eq!(pace.take(Toll::Delete), Duration::from_millis(400));
        assert_eq!(pace.take(Toll::Write), Duration::from_millis(800));
    }
}
