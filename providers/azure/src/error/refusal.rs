//! What Azure says when it says no, and what that means for the one who asked.

use super::{correlated, excerpt};
use serde_json::Value;
use std::fmt;

/// An answer of status 400 and above, or the error of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// `PUT …/loadBalancers/web`
    pub request: String,
    /// 0 for the error of an operation, which has no status of its own.
    pub status: u16,
    pub code: String,
    pub message: String,
    /// Code and message of each detail.
    pub details: Vec<(String, String)>,
    /// What Microsoft's support asks for.
    pub correlation: Option<String>,
}

/// What a refusal means for the one who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    NotFound,
    /// The etag in `If-Match` is not the resource's any more, or `If-None-Match` found one.
    EtagMoved,
    /// `If-Match` or `If-None-Match` itself was refused.
    HeaderRefused,
    Throttled,
    /// Another operation is going on there, or something it refers to is not ready yet.
    Busy,
    /// Another write took this one's place.
    Superseded,
    NotSignedIn,
    Forbidden,
    /// Azure failed at its own end; for a write nobody knows how far it got.
    ServerFault,
    Rejected,
}

impl Refusal {
    /// Reads ARM's `{"error":{code,message,details}}`; whatever else it is becomes the message.
    pub fn parse(request: &str, status: u16, body: &[u8], correlation: Option<String>) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let mut refusal = Self::of_error(request, json.get("error").unwrap_or(&json));
        refusal.status = status;
        refusal.correlation = correlation;
        if refusal.code.is_empty() && refusal.message.is_empty() {
            refusal.message = excerpt(body);
        }
        refusal
    }

    /// From the `error` object alone.
    pub fn of_error(request: &str, error: &Value) -> Self {
        let text = |value: &Value, name: &str| {
            value
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            request: request.to_owned(),
            status: 0,
            code: text(error, "code"),
            message: text(error, "message"),
            details: error
                .get("details")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|detail| (text(detail, "code"), text(detail, "message")))
                .collect(),
            correlation: None,
        }
    }

    fn says(&self, codes: &[&str]) -> bool {
        let is = |code: &str| codes.iter().any(|c| c.eq_ignore_ascii_case(code));
        is(&self.code) || self.details.iter().any(|(code, _)| is(code))
    }

    /// Codes first, since one status carries several meanings: a 429 is a full bucket or a busy neighbour, a 409 is a
    /// running operation or a lock that only a person can take off.
    pub fn meaning(&self) -> Meaning {
        if self.says(&["CanceledAndSupersededDueToAnotherOperation"]) {
            return Meaning::Superseded;
        }
        if self.says(&[
            "AnotherOperationInProgress",
            "RetryableError",
            "RetryableErrorDueToAnotherOperation",
            "ReferencedResourceNotProvisioned",
            "OperationPreempted",
        ]) {
            return Meaning::Busy;
        }
        if self.status == 0
            && self.says(&[
                "InternalServerError",
                "NetworkingInternalOperationError",
                "OperationTimedOut",
                "Canceled",
            ])
        {
            return Meaning::ServerFault;
        }
        match self.status {
            412 => Meaning::EtagMoved,
            400 if self.says(&["PreconditionHeaderNotSupported", "HeaderNotSupported"])
                || self.names_a_precondition() =>
            {
                Meaning::HeaderRefused
            }
            429 => Meaning::Throttled,
            // `Conflict` with this text is ARM's own collision of two requests on one resource.
            // A virtual machine runs one script at a time, and says so in words only.
            409 if self.code == "Conflict"
                && (self.message.contains("concurrent request")
                    || self.message.contains("execution is in progress")) =>
            {
                Meaning::Busy
            }
            401 => Meaning::NotSignedIn,
            403 => Meaning::Forbidden,
            404 if self.says(&[
                "ResourceNotFound",
                "ResourceGroupNotFound",
                "ParentResourceNotFound",
                "NotFound",
            ]) || self.code.is_empty() =>
            {
                Meaning::NotFound
            }
            503 => Meaning::Busy,
            408 | 500 | 502 | 504 => Meaning::ServerFault,
            _ => Meaning::Rejected,
        }
    }

    /// Which resources honour `If-Match` and `If-None-Match` is not documented for all; a refusal would have to name the
    /// header.
    fn names_a_precondition(&self) -> bool {
        let text = self.message.to_ascii_lowercase();
        ["if-match", "ifmatch", "if-none-match", "ifnonematch"]
            .iter()
            .any(|name| text.contains(name))
    }

    /// What a person can do about it.
    fn next_step(&self) -> Option<String> {
        match self.meaning() {
            Meaning::NotSignedIn => Some(
                "sign in again (az login), or check that the tenant is the subscription's"
                    .to_owned(),
            ),
            Meaning::Forbidden => Some(self.missing_right()),
            Meaning::Rejected if self.says(&["ScopeLocked"]) => {
                Some("take the lock off, or leave this resource out with --exclude".to_owned())
            }
            Meaning::Rejected if self.says(&["SubscriptionNotFound", "InvalidSubscriptionId"]) => {
                Some(
                    "check subscription_id, and that this identity may see the subscription"
                        .to_owned(),
                )
            }
            Meaning::Rejected if self.says(&["MissingSubscriptionRegistration"]) => {
                Some("run: az provider register --namespace Microsoft.Network".to_owned())
            }
            Meaning::NotFound if self.says(&["ResourceGroupNotFound"]) => {
                Some("create the resource group first, plimsoll does not manage it".to_owned())
            }
            Meaning::Rejected
                if self.says(&["InvalidResourceType", "NoRegisteredProviderFound"]) =>
            {
                Some(
                    "this cloud or region does not know the API version that plimsoll uses"
                        .to_owned(),
                )
            }
            Meaning::Throttled | Meaning::Busy | Meaning::Superseded | Meaning::ServerFault => {
                Some(
                    "run the same command again in a few minutes, it goes on from there".to_owned(),
                )
            }
            Meaning::EtagMoved => {
                Some("something else is writing to it; make a new plan".to_owned())
            }
            Meaning::NotFound | Meaning::HeaderRefused | Meaning::Rejected => None,
        }
    }

    /// ARM's message names the action and the scope between single quotes.
    fn missing_right(&self) -> String {
        let quoted_after = |word: &str| {
            let (_, rest) = self.message.split_once(word)?;
            rest.split('\'').nth(1)
        };
        // A linked refusal first says which action *is* allowed, and then which one is missing on what it links to.
        let action = self
            .message
            .split("does not have")
            .nth(1)
            .and_then(|rest| rest.split('\'').find(|part| part.starts_with("Microsoft.")))
            .or_else(|| quoted_after("action"));
        match action {
            Some(action) => format!(
                "give this identity a role that allows {action} there (Network Contributor does for Microsoft.Network)"
            ),
            None => {
                "give this identity a role that allows it, such as Network Contributor".to_owned()
            }
        }
    }
}

impl Refusal {
    /// What was asked and what Azure said.
    pub(super) fn answer(&self) -> String {
        let mut text = String::new();
        // The error of an operation has no status; who asked is said by whoever shows it.
        if self.status != 0 {
            text = format!("{}: Azure answered {}", self.request, self.status);
        }
        if !self.code.is_empty() {
            let separator = if self.status == 0 { "" } else { " " };
            text.push_str(separator);
            text.push_str(&self.code);
        }
        if !self.message.is_empty() {
            text.push_str(": ");
            text.push_str(self.message.trim());
        }
        for (code, message) in &self.details {
            text.push_str(&format!(" ({code}: {})", message.trim()));
        }
        text
    }

    pub(super) fn correlation_words(&self) -> String {
        correlated(self.correlation.as_deref())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.answer())?;
        if let Some(step) = self.next_step() {
            write!(f, " — {step}")?;
        }
        f.write_str(&self.correlation_words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(status: u16, error: &Value) -> Refusal {
        let body = json!({ "error": error }).to_string();
        Refusal::parse("PUT x", status, body.as_bytes(), None)
    }

    #[test]
    fn the_code_decides_before_the_status() {
        let busy = json!({ "code": "RetryableError", "message": "A retryable error occurred.", "details": [] });
        assert_eq!(refusal(429, &busy).meaning(), Meaning::Busy);
        let full = json!({ "code": "SubscriptionRequestsThrottled", "message": "try again" });
        assert_eq!(refusal(429, &full).meaning(), Meaning::Throttled);
        let locked = json!({ "code": "ScopeLocked", "message": "locked" });
        assert_eq!(refusal(409, &locked).meaning(), Meaning::Rejected);
        let running = json!({ "code": "AnotherOperationInProgress", "message": "" });
        assert_eq!(refusal(409, &running).meaning(), Meaning::Busy);
        let nested = json!({ "code": "Canceled", "message": "", "details": [
            { "code": "CanceledAndSupersededDueToAnotherOperation", "message": "" }
        ] });
        assert_eq!(refusal(0, &nested).meaning(), Meaning::Superseded);
    }

    #[test]
    fn a_missing_subscription_is_not_a_missing_resource() {
        let group = json!({ "code": "ResourceGroupNotFound", "message": "" });
        assert_eq!(refusal(404, &group).meaning(), Meaning::NotFound);
        let subscription = json!({ "code": "SubscriptionNotFound", "message": "" });
        assert_eq!(refusal(404, &subscription).meaning(), Meaning::Rejected);
        let version = json!({ "code": "InvalidResourceType", "message": "" });
        assert_eq!(refusal(404, &version).meaning(), Meaning::Rejected);
    }

    #[test]
    fn a_forbidden_request_says_which_right_is_missing() {
        let plain = json!({ "code": "AuthorizationFailed", "message":
            "The client 'c' with object id 'o' does not have authorization to perform action 'Microsoft.Network/loadBalancers/write' over scope '/s'" });
        assert!(
            refusal(403, &plain)
                .to_string()
                .contains("allows Microsoft.Network/loadBalancers/write there")
        );
        let linked = json!({ "code": "LinkedAuthorizationFailed", "message":
            "The client has permission to perform action 'Microsoft.Network/networkInterfaces/write' on scope 's'; however, it does not have permission to perform action 'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope" });
        assert!(
            refusal(403, &linked)
                .to_string()
                .contains("allows Microsoft.Network/virtualNetworks/subnets/join/action there")
        );
    }

    #[test]
    fn a_body_that_is_no_arm_error_is_still_shown() {
        let refusal = Refusal::parse("GET x", 502, b"<html>Bad gateway</html>", Some("c1".into()));
        assert_eq!(refusal.meaning(), Meaning::ServerFault);
        assert_eq!(
            refusal.to_string(),
            "GET x: Azure answered 502: <html>Bad gateway</html> — run the same command again in a few minutes, it goes on from there [correlation id c1]"
        );
    }
}
