//! Run Command, as an action and as a managed resource (FACTS 8). The embedding program runs the
//! scripts; here are the requests, the waiting operations and the answers.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::document::{list, object, part, property, property_number, text};
use super::fault::Ending;
use super::message::ArmRequest;
use super::operation::{Effect, Ended, Operation};
use super::refusal::Refusal;
use super::resource_id::{ResourcePath, canonical};
use super::scale_set;
use super::virtual_machine;
use super::world::{Provisioning, World};

pub(super) const TYPE: &str = "Microsoft.Compute/virtualMachines/runCommands";

/// Only the last 4,096 bytes of a stream come back (FACTS 8).
const TAIL: usize = 4096;
/// A machine keeps so many managed run commands (FACTS 8).
const MOST: usize = 25;
/// A script may run 90 minutes (FACTS 8).
const LONGEST: Duration = Duration::from_secs(90 * 60);

/// What interprets the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Posix,
    PowerShell,
}

/// A script to run in a virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptRequest {
    /// The machine's id as its document has it.
    pub virtual_machine: String,
    pub shell: Shell,
    pub script: String,
    /// In order; the action hands them to a shell script as positional arguments (recordings).
    pub parameters: Vec<(String, String)>,
    pub timeout: Duration,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptOutcome {
    Exited {
        exit_code: i32,
        stdout: String,
        stderr: String,
    },
    /// It could not be started, or was stopped at its time limit.
    NotRun { why: String },
}

/// Runs scripts in virtual machines: given by the program that embeds the emulator.
#[async_trait]
pub trait RunScript: Send + Sync + Debug {
    async fn run(&self, request: ScriptRequest) -> ScriptOutcome;
}

/// Starts the action: returns the operation and the script that it waits for.
///
/// # Errors
/// ARM's refusal: no such machine, not running, or busy.
pub(super) fn begin_action(
    world: &mut World,
    machine: &str,
    body: &Value,
    now: Timestamp,
) -> Result<(String, ScriptRequest), Refusal> {
    let document = world
        .document(machine)
        .ok_or_else(|| super::refusal::part_not_found(machine))?;
    require_running(document)?;
    let id = canonical(text(document, "id"));
    let busy = world.operations.values().any(|operation| {
        operation.effect == Effect::Script && operation.ended.is_none() && operation.target == id
    });
    if busy {
        return Err(Refusal::service(
            409,
            "Conflict",
            "Run command extension execution is in progress. Please wait for completion before invoking a run command.",
        ));
    }
    let command = text(body, "commandId");
    let shell = match command.to_ascii_lowercase().as_str() {
        "runshellscript" => Shell::Posix,
        "runpowershellscript" => Shell::PowerShell,
        _ => {
            // [OPEN] the exact body; other command ids exist in Azure and are not served here.
            return Err(Refusal::bad(
                "InvalidParameter",
                format!("The run command '{command}' is not supported."),
            ));
        }
    };
    let lines: Vec<&str> = list(body, "script")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let request = ScriptRequest {
        virtual_machine: text(document, "id").to_owned(),
        shell,
        script: lines.join("\n"),
        parameters: parameters(list(body, "parameters")),
        timeout: LONGEST,
    };
    let operation = start(world, &id, "RunCommandOperation", now);
    Ok((operation, request))
}

/// Stopped machines refuse (errors.json, reported for extensions).
fn require_running(machine: &Value) -> Result<(), Refusal> {
    let view = virtual_machine::instance_view(machine);
    let running = list(&view, "statuses")
        .iter()
        .any(|status| text(status, "code") == "PowerState/running");
    if running {
        return Ok(());
    }
    Err(Refusal::service(
        409,
        "OperationNotAllowed",
        "Cannot modify extensions in the VM when the VM is not running.",
    ))
}

fn start(world: &mut World, target: &str, name: &str, now: Timestamp) -> String {
    let id = world.guid();
    let operation = Operation {
        name: name.to_owned(),
        effect: Effect::Script,
        target: target.to_owned(),
        started: now,
        due: None,
        ending: Ending::Succeed,
        stale_for: None,
        before: None,
        ended: None,
    };
    world.operations.insert(id.clone(), operation);
    id
}

fn parameters(given: &[Value]) -> Vec<(String, String)> {
    given
        .iter()
        .map(|pair| {
            (
                text(pair, "name").to_owned(),
                text(pair, "value").to_owned(),
            )
        })
        .collect()
}

/// A managed run command's PUT (`patch` merges into what is there).
///
/// # Errors
/// ARM's refusal: no such machine, or not running.
pub(super) fn begin_managed(
    world: &mut World,
    id: &str,
    body: &Value,
    patch: bool,
    now: Timestamp,
) -> Result<(String, Option<ScriptRequest>), Refusal> {
    let path = ResourcePath::parse(id).ok_or_else(|| parent_not_found(id))?;
    let machine = path.ancestor(path.segments.len() / 2 - 1).to_string();
    let Some(document) = world.document(&machine) else {
        let name = super::resource_id::last_name(&machine);
        return Err(parent_not_found(name));
    };
    require_running(document)?;
    let windows = virtual_machine::is_windows(document);
    let machine = text(document, "id").to_owned();
    let location = text(document, "location").to_owned();
    let previous = world.document(id).cloned();
    if previous.is_none() {
        room_for_another(world, &machine, &path.resource_type())?;
    }
    let mut given: Map<String, Value> = match &previous {
        Some(previous) if patch => object(previous, "properties").clone(),
        _ => Map::new(),
    };
    given.extend(object(body, "properties").clone());
    let mut properties = Map::new();
    for (name, value) in given {
        let hidden = [
            "provisioningState",
            "instanceView",
            "protectedParameters",
            "runAsPassword",
        ]
        .contains(&name.as_str());
        if !hidden && !value.is_null() {
            properties.insert(name, value);
        }
    }
    // Echoed as 0 when unset (recordings).
    properties.entry("timeoutInSeconds").or_insert(json!(0));
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    properties.entry("asyncExecution").or_insert(json!(false));
    let shaped = json!({"name": super::resource_id::last_name(id)});
    let mut stored = part(&shaped, id, &path.resource_type(), properties);
    if let Some(members) = stored.as_object_mut() {
        members.shift_remove("etag");
    }
    stored["location"] = json!(location);
    if let Some(tags) = body.get("tags").or_else(|| previous.as_ref()?.get("tags")) {
        stored["tags"] = tags.clone();
    }
    let source = property(&stored, "source").cloned().unwrap_or_default();
    let timeout = property_number(&stored, "timeoutInSeconds")
        .and_then(|seconds| u64::try_from(seconds).ok());
    let request = ScriptRequest {
        virtual_machine: machine,
        shell: if windows {
            Shell::PowerShell
        } else {
            Shell::Posix
        },
        script: text(&source, "script").to_owned(),
        parameters: {
            let mut all = parameters(super::document::parts(&stored, "parameters"));
            all.extend(parameters(
                body.get("properties")
                    .map_or(&[], |inner| list(inner, "protectedParameters")),
            ));
            all
        },
        timeout: timeout
            .filter(|seconds| *seconds > 0)
            .map_or(LONGEST, Duration::from_secs),
    };
    let runnable = !request.script.is_empty();
    let running = json!({"executionState": "Running", "startTime": now.to_string()});
    stored["properties"]["instanceView"] = running;
    world.put(id, stored);
    let operation = start(world, &canonical(id), "PutRunCommandOperation", now);
    if let Some(resource) = world.resources.get_mut(&canonical(id)) {
        resource.state = if previous.is_some() {
            Provisioning::Updating
        } else {
            Provisioning::Creating
        };
        resource.operation = Some(operation.clone());
    }
    if !runnable {
        // As recorded: the provisioning succeeds, the execution does not.
        let why = "Execution failed: failed to get configuration: invalid configuration: Either 'source.script' or \
                   'source.scriptUri' has to be specified";
        finish(
            world,
            &operation,
            &ScriptOutcome::NotRun {
                why: why.to_owned(),
            },
            now,
        );
        return Ok((operation, None));
    }
    Ok((operation, Some(request)))
}

/// The meaning as reported (MicrosoftDocs/azure-docs#117976); status and code were not in that report [OPEN].
fn room_for_another(world: &World, machine: &str, kind: &str) -> Result<(), Refusal> {
    let below = format!("{}/", canonical(machine));
    let kept = world.resources.iter().filter(|(id, resource)| {
        id.starts_with(&below) && text(&resource.document, "type").eq_ignore_ascii_case(kind)
    });
    if kept.count() < MOST {
        return Ok(());
    }
    Err(Refusal::service(
        409,
        "OperationNotAllowed",
        format!(
            "A virtual machine keeps at most {MOST} managed run commands, and this one has as many. Delete one and try again."
        ),
    ))
}

fn is_managed(resource_type: &str) -> bool {
    [TYPE, scale_set::RUN_COMMAND]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(resource_type))
}

/// The parent of a nested resource is absent (recorded).
pub(super) fn parent_not_found(name: &str) -> Refusal {
    Refusal::gateway(
        404,
        "ParentResourceNotFound",
        format!(
            "Can not perform requested operation on nested resource. Parent resource '{name}' not found."
        ),
    )
}

/// The script is over: its operation ends, and a managed command's instance view is filled in.
pub(super) fn finish(
    world: &mut World,
    operation_id: &str,
    outcome: &ScriptOutcome,
    now: Timestamp,
) {
    let Some(operation) = world.operations.get(operation_id) else {
        return;
    };
    if operation.ended.is_some() {
        return;
    }
    let (target, started) = (operation.target.clone(), operation.started);
    let managed = world
        .document(&target)
        .is_some_and(|document| is_managed(text(document, "type")));
    let mut ended = Ended {
        at: now,
        status: "Succeeded".to_owned(),
        error: None,
        output: None,
    };
    if managed {
        let (code, state, message, stdout, stderr) = match outcome {
            ScriptOutcome::Exited {
                exit_code: 0,
                stdout,
                stderr,
            } => (
                0,
                "Succeeded",
                "Execution completed",
                stdout.as_str(),
                stderr.as_str(),
            ),
            ScriptOutcome::Exited {
                exit_code,
                stdout,
                stderr,
            } => (
                *exit_code,
                "Failed",
                "Execution failed",
                stdout.as_str(),
                stderr.as_str(),
            ),
            // Exit code 3 is what the recording shows for a command that never ran.
            ScriptOutcome::NotRun { why } => (3, "Failed", why.as_str(), "", ""),
        };
        if let Some(resource) = world.resources.get_mut(&target) {
            resource.document["properties"]["instanceView"] = json!({
                "exitCode": code, "executionState": state, "executionMessage": message,
                "output": tail(stdout), "error": tail(stderr),
                "startTime": started.to_string(), "endTime": now.to_string(),
            });
            // Succeeded although the execution failed: this is real (FACTS 8).
            resource.state = Provisioning::Succeeded;
            resource.operation = None;
        }
    } else {
        match outcome {
            // Succeeded does not say that the script did (FACTS 8).
            ScriptOutcome::Exited { stdout, stderr, .. } => {
                let windows = world
                    .document(&target)
                    .is_some_and(virtual_machine::is_windows);
                ended.output = Some(action_output(windows, stdout, stderr));
            }
            ScriptOutcome::NotRun { why } => {
                "Failed".clone_into(&mut ended.status);
                ended.error = Some(
                    Refusal::service(409, "VMExtensionProvisioningError", why.as_str()).error(),
                );
            }
        }
    }
    if let Some(operation) = world.operations.get_mut(operation_id) {
        operation.ended = Some(ended);
    }
    world.revision += 1;
}

/// Linux: one item with both streams; Windows: two items (FACTS 8).
fn action_output(windows: bool, stdout: &str, stderr: &str) -> Value {
    let item = |code: &str, message: String| json!({"code": code, "level": "Info", "displayStatus": "Provisioning succeeded", "message": message});
    if windows {
        return json!([
            item("ComponentStatus/StdOut/succeeded", tail(stdout).to_owned()),
            item("ComponentStatus/StdErr/succeeded", tail(stderr).to_owned()),
        ]);
    }
    let message = format!(
        "Enable succeeded: \n[stdout]\n{}\n[stderr]\n{}",
        tail(stdout),
        tail(stderr)
    );
    json!([item("ProvisioningState/succeeded", message)])
}

/// The last bytes of a stream, cut at a character.
fn tail(stream: &str) -> &str {
    let mut start = stream.len().saturating_sub(TAIL);
    while !stream.is_char_boundary(start) {
        start += 1;
    }
    &stream[start..]
}

/// Operations that waited for a script when the process ended can never end otherwise.
pub(super) fn interrupt_all(world: &mut World, now: Timestamp) {
    let waiting: Vec<String> = world
        .operations
        .iter()
        .filter(|(_, operation)| operation.effect == Effect::Script && operation.ended.is_none())
        .map(|(id, _)| id.clone())
        .collect();
    for id in waiting {
        let why = "The lab was stopped while the script ran.".to_owned();
        finish(world, &id, &ScriptOutcome::NotRun { why }, now);
    }
}

/// `instanceView` shows only when asked for.
pub(super) fn show(mut document: Value, request: &ArmRequest) -> Value {
    let expanded = request
        .parameter("$expand")
        .is_some_and(|what| what.eq_ignore_ascii_case("instanceView"));
    if !expanded
        && let Some(properties) = document
            .get_mut("properties")
            .and_then(Value::as_object_mut)
    {
        properties.shift_remove("instanceView");
    }
    document
}

/// A poll of Microsoft.Compute: richer than Microsoft.Network's (FACTS 8).
pub(super) fn poll_body(id: &str, operation: &Operation) -> Value {
    let mut body = json!({"startTime": operation.started.to_string()});
    match &operation.ended {
        None => body["status"] = json!("InProgress"),
        Some(ended) => {
            body["endTime"] = json!(ended.at.to_string());
            body["status"] = json!(ended.status);
            if let Some(output) = &ended.output {
                body["properties"] = json!({"output": {"value": output}});
            }
            if let Some(error) = &ended.error {
                body["error"] = error.clone();
            }
        }
    }
    body["name"] = json!(id);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_cut_at_a_character() {
        let long = "é".repeat(3000);
        assert!(tail(&long).len() <= TAIL);
        assert!(tail(&long).chars().all(|c| c == 'é'));
        assert_eq!(tail("short"), "short");
    }
}
