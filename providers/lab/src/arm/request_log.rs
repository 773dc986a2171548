//! What clients asked, and how it was answered: for counting requests. Kept in memory only.

use jiff::Timestamp;
use serde::Serialize;

use super::message::{ArmAnswer, ArmRequest};

/// The request log forgets its oldest entries beyond this.
const LIMIT: usize = 200_000;

/// What kind of request it was, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestClass {
    /// A resource of Microsoft.Network.
    Network,
    /// A poll of an operation.
    Operation,
    Other,
}

/// One ARM request as it was answered.
#[derive(Debug, Clone, Serialize)]
pub struct LogEntry {
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub query: String,
    pub status: u16,
    pub request_bytes: usize,
    pub response_bytes: usize,
    pub milliseconds: f64,
    pub class: RequestClass,
}

impl LogEntry {
    pub(super) fn of(
        request: &ArmRequest,
        answer: &ArmAnswer,
        at: Timestamp,
        took: std::time::Duration,
    ) -> Self {
        let query: Vec<String> = request
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Self {
            at,
            method: request.method.to_string(),
            path: request.path.clone(),
            query: query.join("&"),
            status: answer.status,
            request_bytes: request.body.len(),
            response_bytes: answer.text().len(),
            milliseconds: took.as_secs_f64() * 1000.0,
            class: class_of(&request.path),
        }
    }
}

/// The requests so far, oldest first.
#[derive(Debug, Default)]
pub(super) struct RequestLog(Vec<LogEntry>);

impl RequestLog {
    pub(super) fn push(&mut self, entry: LogEntry) {
        if self.0.len() >= LIMIT {
            self.0.drain(..LIMIT / 2);
        }
        self.0.push(entry);
    }

    pub(super) fn entries(&self) -> Vec<LogEntry> {
        self.0.clone()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

fn class_of(path: &str) -> RequestClass {
    let lower = path.to_ascii_lowercase();
    if lower.contains("/operations/") || lower.contains("/operationresults/") {
        RequestClass::Operation
    } else if lower.contains("/providers/microsoft.network/") {
        RequestClass::Network
    } else {
        RequestClass::Other
    }
}
