//! Run Command: scripts that reach a guest through the emulator.

use std::process::Stdio;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;

use super::world::World;
use crate::arm::{RunScript, ScriptOutcome, ScriptRequest, Shell};
use crate::namespaces;

#[derive(Debug)]
pub(super) struct GuestScripts(pub(super) Arc<World>);

#[async_trait]
impl RunScript for GuestScripts {
    async fn run(&self, request: ScriptRequest) -> ScriptOutcome {
        match run(&self.0, request).await {
            Ok(outcome) => outcome,
            Err(why) => ScriptOutcome::NotRun { why },
        }
    }
}

async fn run(world: &World, request: ScriptRequest) -> Result<ScriptOutcome, String> {
    let id = &request.virtual_machine;
    let found = world.guest_of_machine(id).await;
    let (name, init) =
        found.ok_or_else(|| format!("No guest of this lab is the virtual machine {id}."))?;
    let init = init.ok_or_else(|| format!("Guest {name} does not run."))?;
    if request.shell == Shell::PowerShell {
        return Err("The lab runs no PowerShell.".to_owned());
    }
    let mut words = vec!["sh".to_owned(), "-s".to_owned(), "--".to_owned()];
    words.extend(request.parameters.into_iter().map(|(_, value)| value));
    let tools = world.tools();
    let command =
        namespaces::guest_command(tools.nsenter.clone(), tools.user_namespace, init, &words);
    let mut child = tokio::process::Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("The shell cannot be started: {error}"))?;
    let input = child.stdin.take();
    let script = request.script;
    // Beside the wait: a script that prints much before it is read whole would stand still otherwise.
    tokio::spawn(async move {
        if let Some(mut input) = input {
            let _ = input.write_all(script.as_bytes()).await;
        }
    });
    let ended = tokio::time::timeout(request.timeout, child.wait_with_output()).await;
    let output = ended
        .map_err(|_| format!("It was stopped after {} s.", request.timeout.as_secs()))?
        .map_err(|error| format!("It cannot be waited for: {error}"))?;
    Ok(ScriptOutcome::Exited {
        exit_code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
