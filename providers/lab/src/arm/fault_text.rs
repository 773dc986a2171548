//! How faults are said: `429=2;retry-after=1 on=PUT loadBalancers`.
//!
//! A fault is `KIND[=VALUE]`, then in any order `;name=value` options, then `on=METHOD PATHPART`.
//! Kinds: `slow`, `429`, `409`, `412`, `500`, `503`, `504` (`5xx` means 500), `fail-operation`,
//! `cancel-operation`, `superseded[=silently]`, `drop-connection[=before|after]`, `hold=before|after`, `stale-reads`,
//! `nic-if-match`. Options: `count=N` (how often; for the status kinds also as the value), `skip=N`
//! (let N matching requests pass first), `retry-after=S`, `code=C`.

use std::time::Duration;

use thiserror::Error;

use super::fault::{Dropped, Ending, Fault, Kind, NicIfMatch};
use super::message::Method;

/// Why the text of a fault was not understood.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FaultError {
    #[error(
        "unknown fault `{0}`: use slow=2s, stale-reads=2s, 429, 409, 412, 500, 502, 503, 504, fail-operation, \
         cancel-operation, superseded, superseded=silently, drop-connection=before, drop-connection=after, \
         hold=before, hold=after, nic-if-match=honoured|ignored|refused, or off"
    )]
    Kind(String),
    #[error(
        "unknown option `{0}` of a fault: use on=METHOD, on=PATH-PART, count=N, skip=N, retry-after=SECONDS or code=CODE"
    )]
    Option(String),
    #[error("fault `{fault}`: `{value}` is not {expected}")]
    Value {
        fault: String,
        value: String,
        expected: &'static str,
    },
}

/// Understands one line.
///
/// # Errors
/// What is not understood, and what can be said instead.
pub(super) fn parse(text: &str) -> Result<Fault, FaultError> {
    let mut words = text
        .split([';', ' ', '\t'])
        .filter(|word| !word.is_empty())
        .peekable();
    let head = words.next().unwrap_or("");
    let (name, value) = head
        .split_once('=')
        .map_or((head, None), |(name, value)| (name, Some(value)));
    let mut left = None;
    let kind = match (name.to_ascii_lowercase().as_str(), value) {
        ("slow", Some(value)) => Kind::Slow(duration(head, value)?),
        ("stale-reads", Some(value)) => Kind::StaleReads(duration(head, value)?),
        ("nic-if-match", Some("honoured")) => Kind::NicIfMatch(NicIfMatch::Honoured),
        ("nic-if-match", Some("ignored")) => Kind::NicIfMatch(NicIfMatch::Ignored),
        ("nic-if-match", Some("refused")) => Kind::NicIfMatch(NicIfMatch::Refused),
        ("superseded", Some("silently")) => {
            left = Some(1);
            Kind::End(Ending::SupersededSilently)
        }
        ("drop-connection", Some("before")) => {
            left = Some(1);
            Kind::Drop(Dropped::Before)
        }
        ("drop-connection", Some("after")) => {
            left = Some(1);
            Kind::Drop(Dropped::After)
        }
        ("hold", Some(moment @ ("before" | "after"))) => {
            left = Some(1);
            Kind::Hold(if moment == "before" {
                Dropped::Before
            } else {
                Dropped::After
            })
        }
        (counted, value) => {
            left = match value {
                Some("always") => None,
                Some(value) => Some(number(head, value)?),
                None => Some(1),
            };
            counted_kind(counted).ok_or_else(|| FaultError::Kind(head.to_owned()))?
        }
    };
    let mut fault = Fault {
        text: text.trim().to_owned(),
        kind,
        method: None,
        path_part: None,
        skip: 0,
        left,
        retry_after: None,
        code: None,
    };
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some(("count", "always")) => fault.left = None,
            Some(("count", value)) => fault.left = Some(number(word, value)?),
            Some(("skip", value)) => fault.skip = number(word, value)?,
            Some(("retry-after", value)) => fault.retry_after = Some(number(word, value)?.into()),
            Some(("code", value)) => fault.code = Some(value.to_owned()),
            Some(("on", value)) => {
                match value.parse::<Method>() {
                    Ok(method) => fault.method = Some(method.to_string()),
                    Err(()) => fault.path_part = Some(value.to_owned()),
                }
                if let Some(part) = words.next_if(|word| !word.contains('=')) {
                    fault.path_part = Some(part.to_owned());
                }
            }
            _ => return Err(FaultError::Option(word.to_owned())),
        }
    }
    // A count of nothing would never run out.
    if fault.left == Some(0) {
        return Err(FaultError::Value {
            fault: head.to_owned(),
            value: "0".to_owned(),
            expected: "a count of at least 1",
        });
    }
    Ok(fault)
}

fn counted_kind(name: &str) -> Option<Kind> {
    Some(match name {
        "fail-operation" => Kind::End(Ending::Fail),
        "cancel-operation" => Kind::End(Ending::Cancel),
        "superseded" => Kind::End(Ending::Superseded),
        "drop-connection" => Kind::Drop(Dropped::After),
        "5xx" => Kind::Status(500),
        status => Kind::Status(
            status
                .parse()
                .ok()
                .filter(|status| (400..600).contains(status))?,
        ),
    })
}

fn number(fault: &str, value: &str) -> Result<u32, FaultError> {
    value.parse().map_err(|_| FaultError::Value {
        fault: fault.to_owned(),
        value: value.to_owned(),
        expected: "a whole number",
    })
}

/// `2s`, `300ms`, `1m`, or plain seconds.
fn duration(fault: &str, value: &str) -> Result<Duration, FaultError> {
    let refused = || FaultError::Value {
        fault: fault.to_owned(),
        value: value.to_owned(),
        expected: "a duration such as 2s, 300ms or 1m",
    };
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &value[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        _ => return Err(refused()),
    };
    let seconds = digits.parse::<f64>().map_err(|_| refused())? * factor;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| *duration <= Duration::from_secs(24 * 3600))
        .ok_or_else(refused)
}
