//! Run Command: one script in one virtual machine, through Azure Resource Manager.
//!
//! What comes back are the last 4,096 bytes of what it printed, and no word on how it ended: `Succeeded` is said of any
//! script that was started. So the script has to print its own end, and whoever runs it has to look for that.
//! Source: <https://learn.microsoft.com/azure/virtual-machines/linux/run-command>.

use crate::client::Client;
use crate::error::{ArmError, Meaning};
use crate::operation::Wait;
use crate::patience::seconds;
use plimsoll_core::apply::Progress;
use plimsoll_core::model::ArmId;
use serde_json::{Value, json};
use std::time::Duration;

/// Azure stops a script after this time.
pub const LONGEST: Duration = Duration::from_secs(90 * 60);
/// What Azure keeps of each stream.
pub const KEPT: usize = 4096;
/// Another script in the same machine takes 20 s at least.
const BUSY: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Posix,
    PowerShell,
}

/// What is left of what a script printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    pub stdout: String,
    pub stderr: String,
    /// Only a managed run command tells.
    pub exit_code: Option<i32>,
}

#[derive(Debug, thiserror::Error)]
pub enum RunCommandError {
    #[error("virtual machine {:?} does not exist; take this guest out of the configuration, or correct its virtual_machine", .0.name())]
    Gone(Box<ArmId>),
    #[error("virtual machine {:?} is not running (stopped or deallocated); start it: az vm start --ids {}", .0.name(), .0.as_str())]
    NotRunning(Box<ArmId>),
    #[error("virtual machine {:?} kept running another script for {} s; run the same command again when that one has ended", .machine.name(), .after.as_secs())]
    Busy {
        machine: Box<ArmId>,
        after: Duration,
    },
    #[error("the script still runs in virtual machine {:?} after {} s, and Azure cannot stop it; run the same command again when it has ended", .machine.name(), .after.as_secs())]
    TimedOut {
        machine: Box<ArmId>,
        after: Duration,
    },
    #[error("virtual machine {:?}: Azure did not run the script: {why}", .machine.name())]
    NotRun { machine: Box<ArmId>, why: String },
    #[error("virtual machine {:?}: Azure no longer knows what the script printed; run the same command again", .0.name())]
    NoOutput(Box<ArmId>),
    #[error(transparent)]
    Arm(#[from] ArmError),
}

impl RunCommandError {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Gone(_) | Self::NotRunning(_) | Self::NotRun { .. } => false,
            Self::Busy { .. } | Self::TimedOut { .. } | Self::NoOutput(_) => true,
            Self::Arm(error) => error.is_retryable(),
        }
    }
}

/// Runs a script by the action `runCommand`, and waits for what it printed. `limit` bounds all waiting; Azure bounds the
/// script itself to [`LONGEST`].
pub async fn run(
    client: &Client,
    machine: &ArmId,
    shell: Shell,
    script: &str,
    limit: Duration,
    progress: &dyn Progress,
) -> Result<Printed, RunCommandError> {
    let limit = limit.min(LONGEST);
    let lines: Vec<&str> = script.split('\n').collect();
    let body = json!({
        "commandId": match shell {
            Shell::Posix => "RunShellScript",
            Shell::PowerShell => "RunPowerShellScript",
        },
        "script": lines,
    });
    let mut waited = Duration::ZERO;
    let answer = loop {
        let error = match client.post(machine, "runCommand", &body, progress).await {
            Ok(answer) => break answer,
            Err(error) => error,
        };
        // Azure said no, so nothing runs: asking again does nothing twice.
        let busy = match (&error, error.meaning()) {
            (ArmError::Refused(_), Some(Meaning::Busy)) => "another script runs there",
            (ArmError::Refused(_), Some(Meaning::Throttled)) => "throttled",
            _ => return Err(refused(machine, error)),
        };
        if waited + BUSY > limit {
            let machine = Box::new(machine.clone());
            return Err(RunCommandError::Busy {
                machine,
                after: waited,
            });
        }
        let name = machine.name();
        progress.note(&format!("{name}: {busy}, waiting {}", seconds(BUSY)));
        tokio::time::sleep(BUSY).await;
        waited += BUSY;
    };
    let wait = Wait {
        limit: limit.saturating_sub(waited),
        note: "Run Command takes 20 s or more",
    };
    let said = client.outcome(machine, &answer, &wait, progress).await;
    let said = said.map_err(|error| refused(machine, error))?;
    printed(&said).ok_or_else(|| RunCommandError::NoOutput(Box::new(machine.clone())))
}

/// Runs a script as a managed run command: beside others in the same machine, and with an exit status. The resource is
/// deleted again, whatever comes of it.
pub async fn run_managed(
    client: &Client,
    machine: &ArmId,
    name: &str,
    script: &str,
    limit: Duration,
    progress: &dyn Progress,
) -> Result<Printed, RunCommandError> {
    let gone = || RunCommandError::Gone(Box::new(machine.clone()));
    let document = client.get(machine, progress).await?.ok_or_else(gone)?;
    let limit = limit.min(LONGEST);
    let id = machine.child("runCommands", name);
    let body = json!({
        "location": document.body.get("location"),
        "properties": {
            "source": { "script": script },
            "timeoutInSeconds": limit.as_secs(),
            "asyncExecution": false,
        },
    });
    let outcome = managed(client, machine, &id, &body, limit, progress).await;
    if let Ok(answer) = client.delete(&id, None, progress).await {
        // It only tidies up: a failure leaves one of 25 places taken, and the next run writes over it.
        let _ = client.finish(&id, &answer, progress).await;
    }
    outcome
}

async fn managed(
    client: &Client,
    machine: &ArmId,
    id: &ArmId,
    body: &Value,
    limit: Duration,
    progress: &dyn Progress,
) -> Result<Printed, RunCommandError> {
    let failed = |error| refused(machine, error);
    let answer = client.put(id, body, None, progress).await.map_err(failed)?;
    let wait = Wait {
        limit,
        note: "Run Command takes 20 s or more",
    };
    let ended = client.outcome(id, &answer, &wait, progress).await;
    ended.map_err(failed)?;
    let document = client
        .get_expanded(id, "instanceView", progress)
        .await
        .map_err(failed)?;
    let lost = || RunCommandError::NoOutput(Box::new(machine.clone()));
    let document = Value::Object(document.ok_or_else(lost)?.body);
    let view = document
        .pointer("/properties/instanceView")
        .ok_or_else(lost)?;
    let text = |name: &str| view.get(name).and_then(Value::as_str).unwrap_or_default();
    // The provisioning succeeds even where the execution fails, so only the view counts.
    match text("executionState") {
        "Succeeded" | "Failed" if view.get("exitCode").is_some() => {}
        "TimedOut" => {
            return Err(RunCommandError::TimedOut {
                machine: Box::new(machine.clone()),
                after: limit,
            });
        }
        state => {
            return Err(RunCommandError::NotRun {
                machine: Box::new(machine.clone()),
                why: format!("{state} {}", text("executionMessage")),
            });
        }
    }
    let exit_code = view.get("exitCode").and_then(Value::as_i64);
    Ok(Printed {
        stdout: text("output").to_owned(),
        stderr: text("error").to_owned(),
        exit_code: exit_code.and_then(|code| i32::try_from(code).ok()),
    })
}

/// What a refusal means for a script.
fn refused(machine: &ArmId, error: ArmError) -> RunCommandError {
    let machine = || Box::new(machine.clone());
    match &error {
        ArmError::Refused(refusal) if refusal.meaning() == Meaning::NotFound => {
            RunCommandError::Gone(machine())
        }
        // Azure has one code for many refusals of this kind; only the words tell. (Reported for extensions.)
        ArmError::Refused(refusal)
            if refusal.status == 409 && refusal.message.contains("not running") =>
        {
            RunCommandError::NotRunning(machine())
        }
        ArmError::OperationFailed { refusal, .. } => RunCommandError::NotRun {
            machine: machine(),
            why: refusal.to_string(),
        },
        ArmError::StillRunning { after, .. } => RunCommandError::TimedOut {
            machine: machine(),
            after: *after,
        },
        _ => RunCommandError::Arm(error),
    }
}

/// `properties.output.value` of an operation, `output` in older versions, or `value` of a `Location`.
fn printed(said: &Value) -> Option<Printed> {
    let items = [
        said.pointer("/properties/output/value"),
        said.pointer("/properties/output"),
        said.pointer("/output/value"),
        said.get("output"),
        said.get("value"),
    ];
    let items = items.into_iter().flatten().find_map(Value::as_array)?;
    let text = |item: &Value, name: &str| {
        let text = item.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let mut printed = Printed::default();
    for item in items {
        let (code, message) = (text(item, "code"), text(item, "message"));
        if code.contains("/StdOut/") {
            printed.stdout = message;
        } else if code.contains("/StdErr/") {
            printed.stderr = message;
        } else {
            (printed.stdout, printed.stderr) = streams(&message);
        }
    }
    (!items.is_empty()).then_some(printed)
}

/// Linux: `Enable succeeded: \n[stdout]\n…\n[stderr]\n…` in one text, of which the beginning may be cut off.
fn streams(message: &str) -> (String, String) {
    let rest = message
        .split_once("[stdout]\n")
        .map_or(message, |(_, rest)| rest);
    match rest.split_once("\n[stderr]\n") {
        Some((stdout, stderr)) => (stdout.to_owned(), stderr.to_owned()),
        None => (rest.to_owned(), String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_systems_and_both_versions() {
        let linux = json!([{ "code": "ProvisioningState/succeeded", "message": "Enable succeeded: \n[stdout]\na\nb\n\n[stderr]\nc" }]);
        let windows = json!([
            { "code": "ComponentStatus/StdOut/succeeded", "message": "a\nb\n" },
            { "code": "ComponentStatus/StdErr/succeeded", "message": "c" },
        ]);
        let want = Printed {
            stdout: "a\nb\n".into(),
            stderr: "c".into(),
            exit_code: None,
        };
        for items in [linux, windows] {
            for said in [
                json!({ "status": "Succeeded", "properties": { "output": { "value": items } } }),
                json!({ "status": "Succeeded", "properties": { "output": items } }),
                json!({ "value": items }),
            ] {
                assert_eq!(printed(&said).as_ref(), Some(&want), "{said}");
            }
        }
        assert_eq!(printed(&json!({ "status": "Succeeded" })), None);
    }
}
