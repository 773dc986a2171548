//! How long to wait and how often to ask again. Pure: what to do after an answer, given what was already waited.

use crate::error::Meaning;
use std::time::Duration;

/// The times of the client. Tests shorten them; people do not need to.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// All waiting of one request for throttling, busy neighbours and lost connections together. Azure's documented
    /// windows are five minutes (Microsoft.Network) and seconds (Resource Manager's buckets).
    pub retry: Duration,
    /// One operation, from the write to its end. Load balancers take seconds; a stuck one takes up to an hour, and
    /// then the next run goes on.
    pub operation: Duration,
    /// For a resource that someone else is changing to come to rest, or for a finished write to show.
    pub settle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            retry: Duration::from_secs(6 * 60),
            operation: Duration::from_secs(30 * 60),
            settle: Duration::from_secs(5 * 60),
        }
    }
}

/// May the same request be sent again when nobody knows whether Azure got it?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Reading: always.
    Always,
    /// Writing: only when Azure said no, or was not reached. Whoever sent it looks first.
    WhenRefused,
    /// Never, not even after a throttling answer.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    GiveUp,
    Wait(Duration, &'static str),
    /// It would have to wait longer than there is patience left.
    OutOfPatience(Duration),
}

/// What to do about an answer that is no success. `attempt` counts from 0.
pub(crate) fn after_refusal(
    meaning: Meaning,
    retry_after: Option<Duration>,
    repeat: Repeat,
    attempt: u32,
    waited: Duration,
    patience: &Patience,
) -> Verdict {
    if repeat == Repeat::Never {
        return Verdict::GiveUp;
    }
    let why = match meaning {
        Meaning::Throttled => "throttled",
        Meaning::Busy => "Azure is busy with it",
        Meaning::ServerFault if repeat == Repeat::Always => "Azure has a problem",
        Meaning::NotFound
        | Meaning::EtagMoved
        | Meaning::HeaderRefused
        | Meaning::Superseded
        | Meaning::NotSignedIn
        | Meaning::Forbidden
        | Meaning::ServerFault
        | Meaning::Rejected => return Verdict::GiveUp,
    };
    wait(
        retry_after.unwrap_or_else(|| growing(attempt)),
        why,
        waited,
        patience.retry,
    )
}

/// What to do when the connection failed. `sent` says that Azure may have got the request.
pub(crate) fn after_break(
    sent: bool,
    repeat: Repeat,
    attempt: u32,
    waited: Duration,
    patience: &Patience,
) -> Verdict {
    if repeat == Repeat::Never || (sent && repeat == Repeat::WhenRefused) {
        return Verdict::GiveUp;
    }
    // A network that is down is noticed by a person sooner than by waiting for minutes. One connection that hung until
    // its time-out is no proof, so there is always a second try.
    let patience = patience.retry.min(Duration::from_secs(20));
    let time = growing(attempt);
    match wait(time, "no connection", waited, patience) {
        Verdict::OutOfPatience(_) if attempt == 0 => Verdict::Wait(time, "no connection"),
        Verdict::OutOfPatience(_) => Verdict::GiveUp,
        verdict @ (Verdict::Wait(..) | Verdict::GiveUp) => verdict,
    }
}

fn wait(time: Duration, why: &'static str, waited: Duration, patience: Duration) -> Verdict {
    if waited + time > patience {
        Verdict::OutOfPatience(time)
    } else {
        Verdict::Wait(time, why)
    }
}

/// 1, 2, 4 … 32 s.
fn growing(attempt: u32) -> Duration {
    Duration::from_secs(1 << attempt.min(5))
}

/// The time before the next look at a running operation, when Azure names none: quick at first, since most writes are
/// done within a second or two, then 10 s, which is what Microsoft.Network itself asks for.
pub(crate) fn until_next_look(look: u32) -> Duration {
    let milliseconds = 200u64.saturating_mul(1 << look.min(6));
    Duration::from_millis(milliseconds).min(Duration::from_secs(10))
}

/// For people: `10 s`, `0.2 s`.
pub(crate) fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    fn refused(meaning: Meaning, retry_after: Option<u64>, repeat: Repeat) -> Verdict {
        let retry_after = retry_after.map(Duration::from_secs);
        after_refusal(meaning, retry_after, repeat, 0, NONE, &Patience::default())
    }

    #[test]
    fn azure_says_how_long_and_there_is_an_end() {
        assert_eq!(
            refused(Meaning::Throttled, Some(10), Repeat::WhenRefused),
            Verdict::Wait(Duration::from_secs(10), "throttled")
        );
        assert_eq!(
            refused(Meaning::Throttled, Some(3600), Repeat::Always),
            Verdict::OutOfPatience(Duration::from_secs(3600))
        );
        assert_eq!(
            refused(Meaning::Throttled, Some(10), Repeat::Never),
            Verdict::GiveUp
        );
    }

    #[test]
    fn a_write_whose_fate_is_unknown_is_not_repeated() {
        let patience = Patience::default();
        assert_eq!(
            after_break(true, Repeat::WhenRefused, 0, NONE, &patience),
            Verdict::GiveUp
        );
        assert_eq!(
            after_break(false, Repeat::WhenRefused, 0, NONE, &patience),
            Verdict::Wait(Duration::from_secs(1), "no connection")
        );
        assert_eq!(
            refused(Meaning::ServerFault, None, Repeat::WhenRefused),
            Verdict::GiveUp
        );
    }

    #[test]
    fn a_connection_that_hung_is_tried_once_more() {
        let hung = Duration::from_secs(20);
        let verdict =
            |attempt| after_break(false, Repeat::Always, attempt, hung, &Patience::default());
        assert!(matches!(verdict(0), Verdict::Wait(..)));
        assert_eq!(verdict(1), Verdict::GiveUp);
    }

    #[test]
    fn looks_grow_to_ten_seconds() {
        assert_eq!(until_next_look(0), Duration::from_millis(200));
        assert_eq!(until_next_look(40), Duration::from_secs(10));
    }
}
