//! Starting and entering namespaces.
//!
//! A lab's processes are below its root's PID namespace, so ending the root ends them all; and each
//! agent ends when the daemon's end of its standard input closes.

use std::path::{Path, PathBuf};
use std::process::{Command as PlainCommand, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::Tools;
use super::tools::unshare;
use crate::LabError;
use crate::agent::{GUEST_PATH, ROOT_PROGRAM};
use crate::daemon::AgentLink;
use crate::layout::{GuestName, Layout};

/// The lab's root namespace and the fabric's agent in it.
#[derive(Debug)]
pub(crate) struct Root {
    pub agent: AgentLink,
    /// The root's process 1 as the host numbers it.
    pub pid: u32,
}

pub(crate) async fn start_root(
    tools: &Tools,
    layout: &Layout,
    program: &Path,
) -> Result<Root, LabError> {
    let mut command = unshare(
        tools,
        &[
            "--mount",
            "--net",
            "--pid",
            "--uts",
            "--ipc",
            "--fork",
            "--kill-child",
        ],
    );
    command
        .arg("--")
        .arg(program)
        .args(["lab-agent", "init-root"])
        .arg(layout.stage())
        .arg(program);
    command.env("PATH", GUEST_PATH);
    let agent = AgentLink::start("fabric", command, true).await?;
    let pid = agent.pid();
    Ok(Root { agent, pid })
}

/// `nsenter` into the lab's root: its user, mount, network and PID namespaces.
fn enter_root(tools: &Tools, root: u32) -> PlainCommand {
    let mut command = PlainCommand::new(&tools.nsenter);
    command.arg("--target").arg(root.to_string());
    if tools.user_namespace {
        // Its own id is the namespace's root already, and an ordinary user may not change groups.
        command.args(["--user", "--preserve-credentials"]);
    }
    command.args(["--mount", "--net", "--pid"]);
    command
}

/// Runs `ip [-n NAMESPACE] -batch` in the lab's root.
pub(crate) async fn run_in_root(
    tools: &Tools,
    root: u32,
    arguments: &[&str],
    script: &str,
) -> Result<(), LabError> {
    let mut command = enter_root(tools, root);
    command
        .arg("--")
        .arg(&tools.ip)
        .args(arguments)
        .args(["-batch", "-"]);
    let failed = |source| LabError::Spawn {
        program: "nsenter".to_owned(),
        source,
    };
    let mut child = Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // A script that `ip` stops reading shows in its exit status, with the reason.
        let _ = input.write_all(script.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    if output.status.success() {
        Ok(())
    } else {
        Err(LabError::Command {
            program: format!("ip {} -batch", arguments.join(" ")),
            detail: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}

pub(crate) async fn start_client(tools: &Tools, root: u32) -> Result<AgentLink, LabError> {
    let mut command = enter_root(tools, root);
    command
        .arg("--")
        .arg(&tools.nsenter)
        .arg("--net=/run/netns/client")
        .arg("--");
    command.arg(ROOT_PROGRAM).args(["lab-agent", "client"]);
    AgentLink::start("client", command, false).await
}

/// A command where the clients are, with the host's files.
pub(crate) fn client_command(
    nsenter: &Path,
    user_namespace: bool,
    root: u32,
    arguments: &[String],
) -> PlainCommand {
    let mut command = PlainCommand::new(nsenter);
    command.arg("--target").arg(root.to_string());
    if user_namespace {
        command.args(["--user", "--preserve-credentials"]);
    }
    command
        .arg(format!("--net=/proc/{root}/root/run/netns/client"))
        .arg("--")
        .args(arguments);
    command
}

/// The short name of a guest's network namespace: `index` is its place in the inventory.
pub(crate) fn guest_namespace(index: usize) -> String {
    format!("g{}", index + 1)
}

/// Boots a guest in its network namespace, which must be ready.
///
/// It enters the root's user, network and PID namespaces but keeps the host's mounts, of which the
/// guest's own mount namespace becomes a copy.
pub(crate) async fn start_guest(
    tools: &Tools,
    root: u32,
    layout: &Layout,
    (name, namespace): (&GuestName, &str),
    program: &Path,
) -> Result<AgentLink, LabError> {
    let mut command = PlainCommand::new(&tools.nsenter);
    command.arg("--target").arg(root.to_string());
    if tools.user_namespace {
        command.args(["--user", "--preserve-credentials"]);
    }
    command
        .arg("--pid")
        .arg(format!("--net=/proc/{root}/root/run/netns/{namespace}"));
    command.arg("--").arg(&tools.unshare);
    command.args([
        "--mount",
        "--pid",
        "--uts",
        "--ipc",
        "--fork",
        "--kill-child",
        "--",
    ]);
    command
        .arg(program)
        .args(["lab-agent", "init-guest", name.as_str()]);
    command
        .arg(layout.guest(name))
        .arg(program)
        .arg(uuid::Uuid::new_v4().to_string());
    command.env_clear().env("PATH", GUEST_PATH);
    AgentLink::start(&format!("guest {name}"), command, true).await
}

/// A command in a guest, as its root; `init` is the guest's process 1 as the host numbers it.
pub(crate) fn guest_command(
    nsenter: PathBuf,
    user_namespace: bool,
    init: u32,
    arguments: &[String],
) -> PlainCommand {
    let mut command = PlainCommand::new(nsenter);
    command.arg("--target").arg(init.to_string());
    if user_namespace {
        command.args(["--user", "--preserve-credentials"]);
    }
    command.args(["--mount", "--net", "--pid", "--uts", "--ipc", "--"]);
    // The directory is entered inside: nsenter's own option would look for it on the host.
    command
        .args(["/bin/sh", "-c", "cd /root && exec \"$@\"", "sh"])
        .args(arguments);
    command
        .env_clear()
        .env("PATH", GUEST_PATH)
        .env("HOME", "/root")
        .env("USER", "root")
        .env("LANG", "C.UTF-8");
    if let Some(terminal) = std::env::var_os("TERM") {
        command.env("TERM", terminal);
    }
    command
}
