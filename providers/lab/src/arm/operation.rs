//! Long-running operations: started by a write, ended by the clock (or by a script's end).

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::detach;
use super::fault::{Ending, Interference};
use super::message::{ArmAnswer, ArmRequest};
use super::refusal::Refusal;
use super::resource_id::canonical;
use super::world::{Provisioning, Resource, Stale, World, after};
use super::{public_ip, public_ip_prefix};

/// How long a finished operation can still be asked about.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// What an operation does to its target when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    Write,
    Delete,
    /// A run command: it ends when the script does.
    Script,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    pub at: Timestamp,
    /// `Succeeded`, `Failed` or `Canceled`.
    pub status: String,
    pub error: Option<Value>,
    /// `properties.output` of a finished run command.
    pub output: Option<Value>,
}

/// One operation as its status URL shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// `PutLoadBalancerOperation`: named in the bodies of others that it collides with.
    pub name: String,
    pub effect: Effect,
    /// Canonical id of the resource it changes.
    pub target: String,
    pub started: Timestamp,
    pub due: Option<Timestamp>,
    pub ending: Ending,
    pub stale_for: Option<Duration>,
    pub before: Option<Box<Resource>>,
    pub ended: Option<Ended>,
}

/// What a write hands over to be carried out.
#[derive(Debug)]
pub(super) struct Write<'a> {
    pub id: &'a str,
    pub document: Value,
    /// The resource type in the singular, as operation names spell it: `LoadBalancer`.
    pub noun: &'a str,
    /// Whether it takes its time; otherwise it is finished when the answer goes out.
    pub takes_time: bool,
}

/// Carries out a PUT: stores the document, starts its operation, and returns the operation's id.
///
/// A PUT while an earlier operation runs supersedes it (FACTS 1, terraform-azurerm-caf#389).
pub(super) fn begin_write(
    world: &mut World,
    write: Write<'_>,
    interference: &Interference,
    now: Timestamp,
) -> String {
    let id = canonical(write.id);
    let before = world.resources.get(&id).cloned();
    let operation_id = world.guid();
    let name = format!("Put{}Operation", write.noun);
    if let Some(running) = before.as_ref().and_then(|before| before.operation.clone()) {
        supersede(world, &running, &name, &operation_id, now);
    }
    let runs =
        write.takes_time || interference.slow.is_some() || interference.ending != Ending::Succeed;
    let wait = if runs {
        interference.slow.unwrap_or(world.settings.updating_for)
    } else {
        Duration::ZERO
    };
    world.put(&id, write.document);
    let operation = Operation {
        name,
        effect: Effect::Write,
        target: id.clone(),
        started: now,
        due: Some(after(now, wait)),
        ending: interference.ending,
        stale_for: interference.stale_for,
        before: before.map(Box::new),
        ended: None,
    };
    if runs {
        if let Some(resource) = world.resources.get_mut(&id) {
            resource.state = Provisioning::Updating;
            resource.operation = Some(operation_id.clone());
        }
        world.operations.insert(operation_id.clone(), operation);
    } else {
        let etag = world
            .resources
            .get(&id)
            .map(|resource| resource.etag.clone());
        world.operations.insert(operation_id.clone(), operation);
        finish(world, &operation_id, now);
        // Finished at once: the etag of the answer is the one that the next GET shows (FACTS 3).
        if let (Some(resource), Some(etag)) = (world.resources.get_mut(&id), etag) {
            resource.etag = etag;
        }
    }
    operation_id
}

/// Starts a DELETE.
pub(super) fn begin_delete(
    world: &mut World,
    id: &str,
    noun: &str,
    interference: &Interference,
    now: Timestamp,
) -> String {
    let id = canonical(id);
    let before = world.resources.get(&id).cloned();
    let operation_id = world.guid();
    let name = format!("Delete{noun}Operation");
    if let Some(running) = before.as_ref().and_then(|before| before.operation.clone()) {
        supersede(world, &running, &name, &operation_id, now);
    }
    let wait = interference.slow.unwrap_or(world.settings.updating_for);
    let etag = world.etag();
    if let Some(resource) = world.resources.get_mut(&id) {
        resource.state = Provisioning::Deleting;
        resource.etag = etag;
        resource.operation = Some(operation_id.clone());
    }
    world.revision += 1;
    let operation = Operation {
        name,
        effect: Effect::Delete,
        target: id,
        started: now,
        due: Some(after(now, wait)),
        ending: interference.ending,
        stale_for: interference.stale_for,
        before: before.map(Box::new),
        ended: None,
    };
    world.operations.insert(operation_id.clone(), operation);
    operation_id
}

fn supersede(world: &mut World, running: &str, by_name: &str, by_id: &str, now: Timestamp) {
    if let Some(operation) = world
        .operations
        .get_mut(running)
        .filter(|operation| operation.ended.is_none())
    {
        let error = superseded_error(&operation.name, running, by_name, by_id);
        operation.ended = Some(Ended {
            at: now,
            status: "Canceled".to_owned(),
            error: Some(error),
            output: None,
        });
    }
}

fn superseded_error(name: &str, id: &str, by_name: &str, by_id: &str) -> Value {
    Refusal::gateway(200, "Canceled", "Operation was canceled.")
        .with_detail(
            "CanceledAndSupersededDueToAnotherOperation",
            format!("Operation {name} ({id}) was canceled and superseded by operation {by_name} ({by_id})."),
        )
        .error()
}

/// Ends every operation that is due and forgets what nobody needs any more.
pub(super) fn settle(world: &mut World, now: Timestamp) {
    let mut due: Vec<(Timestamp, String)> = world
        .operations
        .iter()
        .filter(|(_, operation)| operation.ended.is_none())
        .filter_map(|(id, operation)| Some((operation.due.filter(|due| *due <= now)?, id.clone())))
        .collect();
    due.sort();
    for (at, id) in due {
        finish(world, &id, at);
    }
    let passed = world.stale.len();
    world.stale.retain(|_, stale| now < stale.until);
    if world.stale.len() != passed {
        world.revision += 1;
    }
    world.operations.retain(|_, operation| {
        operation
            .ended
            .as_ref()
            .is_none_or(|ended| now < after(ended.at, KEPT_FOR))
    });
}

fn finish(world: &mut World, id: &str, at: Timestamp) {
    let Some(mut operation) = world.operations.remove(id) else {
        return;
    };
    let mut error = None;
    let mut status = "Succeeded";
    match operation.ending {
        Ending::Succeed => succeed(world, &operation, at),
        Ending::Fail => {
            status = "Failed";
            error =
                Some(Refusal::service(500, "InternalServerError", "An error occurred.").error());
            leave(world, &operation.target, Provisioning::Failed);
        }
        Ending::Cancel => {
            status = "Canceled";
            error = Some(Refusal::service(200, "Canceled", "Operation was canceled.").error());
            // [OPEN] which provisioning state Azure shows after a cancelled operation.
            leave(world, &operation.target, Provisioning::Failed);
        }
        Ending::Superseded | Ending::SupersededSilently => {
            if operation.ending == Ending::Superseded {
                let by = world.guid();
                status = "Canceled";
                error = Some(superseded_error(&operation.name, id, &operation.name, &by));
            }
            restore(world, &operation);
        }
    }
    operation.ended = Some(Ended {
        at,
        status: status.to_owned(),
        error,
        output: None,
    });
    operation.before = None;
    world.operations.insert(id.to_owned(), operation);
    world.revision += 1;
}

fn succeed(world: &mut World, operation: &Operation, at: Timestamp) {
    match operation.effect {
        Effect::Write => {
            let before = operation.before.as_ref().map(|before| &before.document);
            public_ip::allocate(world, &operation.target, before);
            public_ip_prefix::allocate(world, &operation.target);
            leave(world, &operation.target, Provisioning::Succeeded);
        }
        Effect::Delete => {
            detach::forget(world, &operation.target);
        }
        Effect::Script => {}
    }
    if let Some(stale_for) = operation.stale_for {
        let before = operation.before.as_deref().cloned();
        let stale = Stale {
            until: after(at, stale_for),
            before,
        };
        world.stale.insert(operation.target.clone(), stale);
    }
}

/// The end of an update moves the etag once more (FACTS 3: 65 of 65 load balancers).
fn leave(world: &mut World, target: &str, state: Provisioning) {
    let etag = world.etag();
    if let Some(resource) = world.resources.get_mut(target) {
        resource.state = state;
        resource.etag = etag;
        resource.operation = None;
    }
}

fn restore(world: &mut World, operation: &Operation) {
    let Some(before) = &operation.before else {
        world.resources.remove(&operation.target);
        return;
    };
    world
        .resources
        .insert(operation.target.clone(), before.as_ref().clone());
    leave(world, &operation.target, Provisioning::Succeeded);
}

/// The URL under `operations` or `operationResults` of the provider.
pub(super) fn url(
    request: &ArmRequest,
    subscription: &str,
    namespace: &str,
    location: &str,
    kind: &str,
    id: &str,
) -> String {
    let version = request.parameter("api-version").unwrap_or_default();
    format!(
        "{}/subscriptions/{subscription}/providers/{namespace}/locations/{location}/{kind}/{id}?api-version={version}",
        request.base_url
    )
}

/// Answers a poll: `operations/{id}` or `operationResults/{id}` of Microsoft.Network (FACTS 1).
pub(super) fn poll(world: &World, request: &ArmRequest, id: &str, results: bool) -> ArmAnswer {
    let Some(operation) = world.operations.get(id) else {
        return Refusal::service(
            404,
            "OperationNotFound",
            format!("Operation {id} not found."),
        )
        .into_answer();
    };
    let mut answer = match (&operation.ended, results) {
        (None, true) => with_links(ArmAnswer::empty(202), request, id),
        (None, false) => ArmAnswer::json(200, json!({"status": "InProgress"})),
        // The finished answer of a delete's Location is 204 and repeats the headers (FACTS 1).
        (Some(Ended { error: None, .. }), true) => with_links(ArmAnswer::empty(204), request, id),
        (
            Some(Ended {
                status,
                error: Some(error),
                ..
            }),
            _,
        ) => ArmAnswer::json(200, json!({"status": status, "error": error})),
        (Some(Ended { status, .. }), false) => ArmAnswer::json(200, json!({"status": status})),
    };
    if let (None, Some(seconds)) = (&operation.ended, world.settings.retry_after) {
        answer = answer.with_header("Retry-After", seconds.to_string());
    }
    answer
}

fn with_links(answer: ArmAnswer, request: &ArmRequest, id: &str) -> ArmAnswer {
    let stem = request
        .path
        .rsplit_once('/')
        .and_then(|(stem, _)| stem.rsplit_once('/'))
        .map_or("", |(stem, _)| stem);
    let version = request.parameter("api-version").unwrap_or_default();
    let link = |kind: &str| {
        format!(
            "{}{stem}/{kind}/{id}?api-version={version}",
            request.base_url
        )
    };
    answer
        .with_header("Location", link("operationResults"))
        .with_header("Azure-AsyncOperation", link("operations"))
}
