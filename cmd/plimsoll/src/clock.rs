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

/// How long ago that was, in the largest whole unit: `3 h`. `None` for what is no time, or lies ahead.
pub(crate) fn age(then: &str) -> Option<String> {
    let then: jiff::Timestamp = then.parse().ok()?;
    let seconds = jiff::Timestamp::now().duration_since(then).as_secs();
    Some(match seconds {
        ..0 => return None,
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    })
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
    fn an_age_is_one_whole_unit() {
        let ago = |seconds: i64| {
            let then = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
            super::age(&then.to_string())
        };
        assert_eq!(ago(130).as_deref(), Some("2 min"));
        assert_eq!(ago(3 * 3600 + 5).as_deref(), Some("3 h"));
        assert_eq!(ago(9 * 86_400 + 5).as_deref(), Some("9 days"));
        assert_eq!(ago(-60), None);
        assert_eq!(super::age("yesterday"), None);
    }

    #[test]
    fn times_are_in_utc_and_whole_seconds() {
        let now = super::now();
        assert!(
            now.ends_with('Z') && now.len() == "2026-11-22T12:00:00Z".len(),
            "{now}"
        );
    }
}
