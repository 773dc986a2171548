//! What can go wrong between us and Azure Resource Manager, each with the next step for the person who reads it.

mod refusal;

pub use refusal::{Meaning, Refusal};

use plimsoll_core::apply::WorldError;
use plimsoll_core::model::ArmId;
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// Azure answered, and the answer is no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// No token, so nothing was sent.
    #[error("{request} was not sent: signing in did not work")]
    SignIn {
        request: String,
        #[source]
        source: azure_core::Error,
    },
    /// The connection could not be made, or broke.
    #[error(
        "{request}: {}",
        if *.sent { format!("the connection broke before Azure answered; run the same command again, it finds out how far it got [client request id {client_id}]") }
        else { "Azure cannot be reached; check the network, the proxy and the endpoint".to_owned() }
    )]
    Unreachable {
        request: String,
        /// What was sent as `x-ms-client-request-id`: the one id there is where nobody answered.
        client_id: Box<str>,
        /// Azure may have got the request.
        sent: bool,
        #[source]
        source: Box<azure_core::Error>,
    },
    /// Azure keeps asking to wait.
    #[error(
        "{}; after waiting as long as plimsoll does there would be {} s more to wait, so run the same command again later{}",
        .refusal.answer(), .wait.as_secs(), .refusal.correlation_words()
    )]
    OutOfPatience {
        refusal: Box<Refusal>,
        wait: Duration,
    },
    #[error(
        "{request}: the answer is not the JSON that Azure Resource Manager sends: {excerpt:?}; is the endpoint right? [client request id {client_id}]"
    )]
    Garbled {
        request: String,
        excerpt: String,
        client_id: Box<str>,
    },
    /// A long-running operation ended without success.
    #[error("{what}: the operation ended as {status}: {refusal}")]
    OperationFailed {
        what: String,
        status: String,
        refusal: Box<Refusal>,
    },
    #[error("{what}: Azure is still working on it after {}; run the same command again, it goes on from there{}", minutes(*.after), correlated(.correlation.as_deref()))]
    StillRunning {
        what: String,
        after: Duration,
        /// Of the last answer.
        correlation: Option<String>,
    },
}

impl ArmError {
    pub fn meaning(&self) -> Option<Meaning> {
        match self {
            Self::Refused(refusal)
            | Self::OutOfPatience { refusal, .. }
            | Self::OperationFailed { refusal, .. } => Some(refusal.meaning()),
            Self::SignIn { .. }
            | Self::Unreachable { .. }
            | Self::Garbled { .. }
            | Self::StillRunning { .. } => None,
        }
    }

    /// A write that ended like this may have happened or not: only looking again tells.
    pub fn outcome_is_unknown(&self) -> bool {
        match self {
            Self::Unreachable { sent, .. } => *sent,
            Self::Refused(refusal) => refusal.meaning() == Meaning::ServerFault,
            Self::Garbled { .. } => true,
            Self::SignIn { .. }
            | Self::OutOfPatience { .. }
            | Self::OperationFailed { .. }
            | Self::StillRunning { .. } => false,
        }
    }

    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::OutOfPatience { .. } | Self::StillRunning { .. } => {
                true
            }
            Self::Refused(refusal) | Self::OperationFailed { refusal, .. } => {
                matches!(
                    refusal.meaning(),
                    Meaning::Throttled | Meaning::Busy | Meaning::Superseded | Meaning::ServerFault
                )
            }
            Self::SignIn { .. } | Self::Garbled { .. } => false,
        }
    }

    /// The whole chain of causes in one line: `WorldError` carries text.
    pub fn text(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let next = error.to_string();
            // azure_core repeats itself from one level to the next.
            if !text.contains(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = error.source();
        }
        text
    }
}

impl From<ArmError> for WorldError {
    fn from(error: ArmError) -> Self {
        let message = error.text();
        if error.is_retryable() {
            Self::Unavailable { message }
        } else {
            Self::Refused { message }
        }
    }
}

/// `load balancer "web"`, for messages.
pub(crate) fn target(id: &ArmId) -> String {
    let kind = match id.kind().to_ascii_lowercase().as_str() {
        "loadbalancers" => "load balancer",
        "publicipaddresses" => "public IP address",
        "networkinterfaces" => "network interface",
        "virtualmachines" => "virtual machine",
        _ => id.kind(),
    };
    format!("{kind} {:?}", id.name())
}

/// For people: `5 min`, and seconds where it was less than one.
fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

/// What Microsoft's support asks for.
fn correlated(id: Option<&str>) -> String {
    id.map_or_else(String::new, |id| format!(" [correlation id {id}]"))
}

/// The beginning of a body that is not what it should be.
pub(crate) fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(200).collect()
}
