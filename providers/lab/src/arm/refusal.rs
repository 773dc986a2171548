//! ARM's error bodies: `{"error":{"code","message","details"}}`.

use serde_json::{Value, json};

use super::message::ArmAnswer;

/// A request that ARM (gateway) or the resource provider (service) turns down.
///
/// The provider's own bodies carry `details`, the gateway's do not; the gateway says so in
/// `x-ms-failure-cause` (FACTS 7).
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub message: String,
    pub details: Option<Vec<Value>>,
}

impl Refusal {
    /// A refusal by the resource provider.
    pub fn service(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            details: Some(Vec::new()),
        }
    }

    /// A refusal by ARM itself.
    pub fn gateway(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            details: None,
        }
    }

    /// 400 by the resource provider: the common case.
    pub fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::service(400, code, message)
    }

    /// The provider's wrapper around what it found while parsing the body (errors.json).
    pub fn unparsable(code: &str, message: impl Into<String>) -> Self {
        Self::bad("InvalidRequestFormat", "Cannot parse the request.").with_detail(code, message)
    }

    #[must_use]
    pub fn with_detail(mut self, code: &str, message: impl Into<String>) -> Self {
        let detail = json!({"code": code, "message": message.into()});
        self.details.get_or_insert_default().push(detail);
        self
    }

    /// `{"code","message","details"}` as it stands under `error`.
    #[must_use]
    pub fn error(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(details) = &self.details {
            error["details"] = json!(details);
        }
        error
    }

    #[must_use]
    pub fn into_answer(self) -> ArmAnswer {
        let cause = if self.details.is_none() {
            "gateway"
        } else {
            "service"
        };
        ArmAnswer::json(self.status, json!({"error": self.error()}))
            .with_header("x-ms-failure-cause", cause)
    }
}

/// `InvalidResourceReference`, also for a rule that names something absent from its own PUT body.
pub(super) fn dangling(target: &str, referrer: &str) -> Refusal {
    Refusal::bad(
        "InvalidResourceReference",
        format!(
            "Resource {target} referenced by resource {referrer} was not found. Please make sure that \
             the referenced resource exists, and that both resources are in the same region."
        ),
    )
}

/// `ResourceNotFound`: the gateway's answer for a top-level resource.
pub(super) fn not_found(resource_type: &str, name: &str, resource_group: &str) -> Refusal {
    Refusal::gateway(
        404,
        "ResourceNotFound",
        format!(
            "The Resource '{resource_type}/{name}' under resource group '{resource_group}' was not found. \
             For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        ),
    )
}

/// `NotFound`: the provider's answer for a sub-resource that its parent does not hold.
pub(super) fn part_not_found(id: &str) -> Refusal {
    Refusal::service(404, "NotFound", format!("Resource {id} not found."))
}

/// `PreconditionFailed` as reported for load balancers and public IPs (FACTS 3).
pub(super) fn etag_mismatch(given: &str, actual: &str, id: &str) -> Refusal {
    Refusal::gateway(412, "PreconditionFailed", "Precondition failed.").with_detail(
        "PreconditionFailedEtagMismatch",
        format!(
            "Etag provided in if-match header {given} does not match etag {actual} of resource {id} \
             in NRP data store."
        ),
    )
}

/// `RetryableError` with its reason in `details` (FACTS 7: 429 also means "busy").
pub(super) fn retryable(code: &str, message: impl Into<String>) -> Refusal {
    Refusal::service(429, "RetryableError", "A retryable error occurred.")
        .with_detail(code, message)
}
