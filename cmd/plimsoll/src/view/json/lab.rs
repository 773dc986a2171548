//! The lab: where it is, who is in it, which packets were answered, what clients asked of its emulator.

use crate::view::shown;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What other clients need to speak to the lab; what it has only while it runs is `null` otherwise.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Lab {
    running: bool,
    directory: String,
    endpoint: Option<String>,
    token_endpoint: Option<String>,
    ca_file: Option<String>,
    subscription: Option<String>,
    tenant: Option<String>,
    client_id: Option<String>,
    /// Worth nothing outside this lab.
    client_secret: Option<String>,
    faults: Vec<String>,
    guests: Vec<Guest>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Guest {
    name: String,
    os: String,
    running: bool,
    /// Why it does not run.
    note: Option<String>,
    addresses: Vec<String>,
}

pub(super) fn status(status: &shown::LabStatus) -> Lab {
    let of = |field: fn(&shown::LabAccess) -> &String| status.access.as_ref().map(field).cloned();
    Lab {
        running: status.running,
        directory: status.directory.clone(),
        endpoint: of(|a| &a.endpoint),
        token_endpoint: of(|a| &a.token_endpoint),
        ca_file: of(|a| &a.ca_file),
        subscription: of(|a| &a.subscription),
        tenant: of(|a| &a.tenant),
        client_id: of(|a| &a.client_id),
        client_secret: of(|a| &a.client_secret),
        faults: status
            .access
            .as_ref()
            .map(|access| access.faults.clone())
            .unwrap_or_default(),
        guests: status
            .guests
            .iter()
            .map(|guest| Guest {
                name: guest.name.clone(),
                os: guest.os.clone(),
                running: guest.running,
                note: guest.note.clone(),
                addresses: guest.addresses.clone(),
            })
            .collect(),
    }
}

/// One packet and its answer: one line of `lab probe --json`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Probe {
    /// Who answered.
    guest: Option<String>,
    /// The destination that the guest saw.
    seen: Option<String>,
    ok: bool,
    error: Option<String>,
}

pub(super) fn probe(probe: &shown::Probe) -> Probe {
    Probe {
        guest: probe.guest.clone(),
        seen: probe.seen.clone(),
        ok: probe.ok,
        error: probe.error.clone(),
    }
}

/// What clients asked of the emulator, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Requests {
    requests: Vec<Request>,
}

/// One request as it was answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Request {
    at: String,
    method: String,
    path: String,
    query: String,
    status: u16,
    request_bytes: u64,
    response_bytes: u64,
    milliseconds: f64,
    /// What it counts as: `network` (a resource of Microsoft.Network), `operation` (a poll) or `other`.
    class: String,
}

pub(super) fn requests(log: &[Value]) -> Requests {
    let requests = log.iter().map(request).collect();
    Requests { requests }
}

/// The lab may be of another version of this program: what it does not log is empty.
fn request(entry: &Value) -> Request {
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| entry[name].as_u64().unwrap_or_default();
    Request {
        at: text("at"),
        method: text("method"),
        path: text("path"),
        query: text("query"),
        status: u16::try_from(number("status")).unwrap_or_default(),
        request_bytes: number("request_bytes"),
        response_bytes: number("response_bytes"),
        milliseconds: entry["milliseconds"].as_f64().unwrap_or_default(),
        class: text("class"),
    }
}
