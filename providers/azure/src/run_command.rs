//! Run Command: one script in one virtual machine, through Azure Resource Manager.
//!
//! What comes back are the last 4,096 bytes of what it printed, and no word on how it ended: `Succeeded` is said of any
//! script that was started. So the script has to print its own end, and whoever runs it has to look for that.
//! Source: <https://learn.microsoft.com/azure/virtual-machines/linux/run-command>.

use crate::client::{Client, Condition};
use crate::error::{ArmError, Meaning};
use crate::operation::Wait;
use crate::patience::seconds;
use crate::wire::{
    ManagedRunCommand, Printed, decode_run_command, decode_run_command_output, encode_run_command,
};
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
    decode_run_command_output(&said)
        .ok_or_else(|| RunCommandError::NoOutput(Box::new(machine.clone())))
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
    let command =
        ManagedRunCommand::of_script(document.body.get("location"), script, limit.as_secs());
    let body = Value::Object(encode_run_command(&command));
    let outcome = managed(client, machine, &id, &body, limit, progress).await;
    if let Ok(answer) = client.delete(&id, Condition::None, progress).await {
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
    let answer = client
        .put(id, body, Condition::None, progress)
        .await
        .map_err(failed)?;
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
    let view = decode_run_command(&document.ok_or_else(lost)?.body).view;
    let view = view.ok_or_else(lost)?;
    // The provisioning succeeds even where the execution fails, so only the view counts.
    match view.state.as_str() {
        "Succeeded" | "Failed" if view.exit_code.is_some() => {}
        "TimedOut" => {
            return Err(RunCommandError::TimedOut {
                machine: Box::new(machine.clone()),
                after: limit,
            });
        }
        state => {
            return Err(RunCommandError::NotRun {
                machine: Box::new(machine.clone()),
                why: format!("{state} {}", view.message),
            });
        }
    }
    Ok(Printed {
        stdout: view.output,
        stderr: view.error,
        exit_code: view.exit_code,
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
