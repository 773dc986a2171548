//! Misbehaviour on demand: which requests it befalls, and what they get. How it is said is in `fault_text`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault_text::{FaultError, parse};
use super::message::Method;
use super::refusal::{Refusal, etag_mismatch, retryable};

/// What a network interface does with `If-Match`: not established for Azure (FACTS 3 [OPEN]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum NicIfMatch {
    #[default]
    Honoured,
    Ignored,
    Refused,
}

/// How the operation that a write starts will end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Ending {
    #[default]
    Succeed,
    Fail,
    Cancel,
    /// Another write won: the document is as before, the operation says so.
    Superseded,
    /// The same, but the operation says `Succeeded`.
    SupersededSilently,
}

/// Whether a dropped or held request was carried out first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dropped {
    Before,
    After,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Slow(Duration),
    Status(u16),
    End(Ending),
    Drop(Dropped),
    /// Never answered, the connection stays open: a client can be stopped there for good.
    Hold(Dropped),
    StaleReads(Duration),
    NicIfMatch(NicIfMatch),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fault {
    pub(super) text: String,
    pub(super) kind: Kind,
    pub(super) method: Option<String>,
    pub(super) path_part: Option<String>,
    pub(super) skip: u32,
    /// `None`: until switched off.
    pub(super) left: Option<u32>,
    pub(super) retry_after: Option<u64>,
    pub(super) code: Option<String>,
}

/// The faults that are switched on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    active: Vec<Fault>,
}

/// What happens to one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Interference {
    pub refusal: Option<Refusal>,
    pub retry_after: Option<u64>,
    pub dropped: Option<Dropped>,
    pub held: Option<Dropped>,
    pub ending: Ending,
    pub slow: Option<Duration>,
    pub stale_for: Option<Duration>,
}

impl Faults {
    /// Adds the fault that the text describes; `off` clears all.
    ///
    /// # Errors
    /// When the text is not understood; nothing changes then.
    pub fn set(&mut self, text: &str) -> Result<(), FaultError> {
        if text.trim().eq_ignore_ascii_case("off") {
            self.active.clear();
            return Ok(());
        }
        let fault = parse(text)?;
        if let Kind::NicIfMatch(_) = fault.kind {
            self.active
                .retain(|other| !matches!(other.kind, Kind::NicIfMatch(_)));
        }
        self.active.push(fault);
        Ok(())
    }

    /// The texts of the faults still on.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.active.iter().map(|fault| fault.text.clone()).collect()
    }

    #[must_use]
    pub fn nic_if_match(&self) -> NicIfMatch {
        let mode = self.active.iter().find_map(|fault| match fault.kind {
            Kind::NicIfMatch(mode) => Some(mode),
            _ => None,
        });
        mode.unwrap_or_default()
    }

    /// What befalls this request; counted faults are used up. `id` is named in the bodies.
    pub fn take(&mut self, method: Method, path: &str) -> Interference {
        let mut interference = Interference::default();
        for fault in &mut self.active {
            if !fault.matches(method, path) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            // One refusal a request: the next one waits for the next request.
            if matches!(fault.kind, Kind::Status(_)) && interference.refusal.is_some() {
                continue;
            }
            if let Some(left) = &mut fault.left {
                *left -= 1;
            }
            fault.befall(path, &mut interference);
        }
        self.active.retain(|fault| fault.left != Some(0));
        interference
    }
}

impl Fault {
    fn matches(&self, method: Method, path: &str) -> bool {
        let lower = path.to_ascii_lowercase();
        let polling = lower.contains("/operations/") || lower.contains("/operationresults/");
        // Without a filter, faults of writes leave reads alone, and no fault changes how an
        // operation ends while it is merely being asked about.
        let natural = match self.kind {
            Kind::Status(409 | 412) | Kind::End(_) | Kind::Slow(_) | Kind::StaleReads(_) => {
                method.writes() && !polling
            }
            Kind::Status(_) | Kind::Drop(_) | Kind::Hold(_) => true,
            Kind::NicIfMatch(_) => false,
        };
        natural
            && self
                .method
                .as_ref()
                .is_none_or(|wanted| method.to_string() == *wanted)
            && self
                .path_part
                .as_ref()
                .is_none_or(|part| lower.contains(&part.to_ascii_lowercase()))
    }

    fn befall(&self, path: &str, interference: &mut Interference) {
        match &self.kind {
            Kind::Slow(duration) => interference.slow = Some(*duration),
            Kind::StaleReads(duration) => interference.stale_for = Some(*duration),
            Kind::End(ending) => interference.ending = *ending,
            Kind::Drop(dropped) => interference.dropped = Some(*dropped),
            Kind::Hold(held) => interference.held = Some(*held),
            Kind::NicIfMatch(_) => {}
            Kind::Status(status) => {
                interference.retry_after = self.retry_after;
                interference.refusal = Some(self.refusal(*status, path));
            }
        }
    }

    /// Bodies as recorded or reported in errors.json.
    fn refusal(&self, status: u16, path: &str) -> Refusal {
        let wait = self.retry_after.unwrap_or(1);
        match (status, self.code.as_deref()) {
            (429, Some(code @ ("SubscriptionRequestsThrottled" | "TooManyRequests"))) => {
                Refusal::gateway(
                    429,
                    code,
                    format!(
                        "Number of requests for subscription and operation exceeded the backend storage limit. \
                     Please try again after '{wait}' seconds."
                    ),
                )
            }
            (429, Some(code @ "ResourceRequestsThrottled")) => Refusal::gateway(
                429,
                code,
                format!(
                    "Number of requests for action exceeded the limit. Please try again after '{wait}' seconds."
                ),
            ),
            (429, Some("ReferencedResourceNotProvisioned")) => retryable(
                "ReferencedResourceNotProvisioned",
                format!(
                    "Cannot proceed with operation because a resource used by resource {path} is not in \
                     Succeeded state. Resource is in Updating state."
                ),
            ),
            (429, None) => retryable(
                "RetryableErrorDueToAnotherOperation",
                format!(
                    "Operation InternalOperation (00000000-0000-0000-0000-000000000000) is updating resource \
                     {path}. The call can be retried in {wait} seconds."
                ),
            ),
            (409, None | Some("AnotherOperationInProgress")) => Refusal::service(
                409,
                "AnotherOperationInProgress",
                "Another operation on this or dependent resource is in progress.",
            ),
            // Recorded as a 429 with this detail; as a 409 it is an inference.
            (409, Some(code @ "ReferencedResourceNotProvisioned")) => Refusal::service(
                409,
                code,
                format!(
                    "Cannot proceed with operation because a resource used by resource {path} is not in \
                     Succeeded state. Resource is in Updating state."
                ),
            ),
            (403, Some(code @ "AuthorizationFailed")) => Refusal::gateway(
                403,
                code,
                format!(
                    "The client 'lab' with object id 'lab' does not have authorization to perform action \
                     'Microsoft.Network/*/write' over scope '{path}' or the scope is invalid. If access was recently \
                     granted, please refresh your credentials."
                ),
            ),
            (403, Some(code @ "LinkedAuthorizationFailed")) => Refusal::gateway(
                403,
                code,
                format!(
                    "The client 'lab' with object id 'lab' has permission to perform action \
                     'Microsoft.Network/networkInterfaces/write' on scope '{path}'; however, it does not have permission \
                     to perform action 'Microsoft.Network/loadBalancers/backendAddressPools/join/action' on the linked \
                     scope(s) or the linked scope(s) are invalid."
                ),
            ),
            (409, Some(code @ "ScopeLocked")) => Refusal::gateway(
                409,
                code,
                format!(
                    "The scope '{path}' cannot perform write operation because following scope(s) are locked: '{path}'. \
                     Please remove the lock and try again."
                ),
            ),
            (409, Some(code @ "MissingSubscriptionRegistration")) => Refusal::gateway(
                409,
                code,
                "The subscription is not registered to use namespace 'Microsoft.Network'. See https://aka.ms/rps-not-found \
                 for how to register subscriptions.",
            ),
            (412, _) => etag_mismatch("W/\"unknown\"", "W/\"another\"", path),
            (503, None) => Refusal::gateway(503, "ServerTimeout", "The request timed out."),
            (504, None) => Refusal::gateway(
                504,
                "GatewayTimeout",
                "The gateway did not receive a response from 'Microsoft.Network' within the specified time period.",
            ),
            (_, None) => Refusal::service(status, "InternalServerError", "An error occurred."),
            (_, Some(code)) => Refusal::service(
                status,
                code,
                "The request was refused by a fault of the lab.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counted_fault_is_used_up_by_what_it_matches() {
        let mut faults = Faults::default();
        faults
            .set("429=2;retry-after=7;skip=1 on=PUT loadbalancers")
            .unwrap();
        assert_eq!(faults.take(Method::Get, "/x/loadBalancers/a").refusal, None);
        assert_eq!(
            faults.take(Method::Put, "/x/loadBalancers/a").refusal,
            None,
            "skipped"
        );
        for _ in 0..2 {
            let hit = faults.take(Method::Put, "/x/loadBalancers/a");
            assert_eq!(hit.refusal.unwrap().status, 429);
            assert_eq!(hit.retry_after, Some(7));
        }
        assert_eq!(faults.take(Method::Put, "/x/loadBalancers/a").refusal, None);
        assert!(faults.texts().is_empty());
    }

    #[test]
    fn slow_stays_until_off() {
        let mut faults = Faults::default();
        faults.set("slow=1500ms").unwrap();
        for _ in 0..3 {
            assert_eq!(
                faults.take(Method::Put, "/x").slow,
                Some(Duration::from_millis(1500))
            );
        }
        assert_eq!(faults.take(Method::Get, "/x").slow, None);
        faults.set("off").unwrap();
        assert_eq!(faults.take(Method::Put, "/x").slow, None);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let refused = |text: &str| Faults::default().set(text).unwrap_err().to_string();
        assert!(refused("409 onn=PUT").starts_with("unknown option `onn=PUT`"));
        assert!(refused("lazy").starts_with("unknown fault `lazy`"));
    }

    #[test]
    fn nonsense_is_refused_and_changes_nothing() {
        let mut faults = Faults::default();
        for text in [
            "",
            "slow",
            "slow=x",
            "slow=-1s",
            "429=x",
            "429=0",
            "nic-if-match=maybe",
            "200",
            "429;x=1",
            "slow=2€",
        ] {
            assert!(faults.set(text).is_err(), "{text}");
        }
        assert!(faults.texts().is_empty());
    }
}
