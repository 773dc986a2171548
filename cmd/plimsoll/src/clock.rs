//! The clock, which core only knows as an argument.

use async_trait::async_trait;
use plimsoll_core::apply::Clock;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

/// RFC 3339 in UTC, to the second: what a person compares with a log.
pub(crate) fn now() -> String {
    jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> String {
        now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_in_utc_and_whole_seconds() {
        let now = super::now();
        assert!(
            now.ends_with('Z') && now.len() == "2026-11-22T12:00:00Z".len(),
            "{now}"
        );
    }
}
