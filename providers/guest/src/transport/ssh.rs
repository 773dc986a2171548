//! The system's OpenSSH client: it honours the user's configuration, known hosts, agent, jumps and hardware keys.

use super::{Output, Transport, TransportError, feed};
use crate::windows;
use async_trait::async_trait;
use plimsoll_core::model::guest::{Connection, GuestRef, Os};
use std::ffi::OsString;
use tokio::process::Command;

/// What the login shell runs: plain enough to mean the same in sh, bash, dash, BusyBox, zsh and fish. The script itself
/// comes on standard input, so nothing of it passes through that shell.
const REMOTE: &str =
    "sh -c 'if [ \"$(id -u)\" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi'";

/// Its own failures, as opposed to those of what it ran.
const CLIENT_FAILED: i32 = 255;

/// Why a guest was not reached over ssh, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    #[error(
        "{0:?} is not the name of a host; put a host name or an address into the guest's connection block"
    )]
    HostName(String),
    #[error("{0:?} is not the name of a user; put a login name into the guest's connection block")]
    UserName(String),
    #[error(
        "the host key of {host} is not known here; check it and accept it once with `{command}`"
    )]
    HostKeyUnknown { host: String, command: String },
    #[error(
        "the host key of {host} has changed; find out why (a rebuilt VM, or someone in between), then remove the old key with `ssh-keygen -R {host}`"
    )]
    HostKeyChanged { host: String },
    #[error("{host} refused the login ({said}); check user and key with `{command}`")]
    PermissionDenied {
        host: String,
        said: String,
        command: String,
    },
    #[error(
        "{host} cannot be reached ({said}); check that the VM runs and that port and network security group let you in"
    )]
    Unreachable { host: String, said: String },
    #[error(
        "{user} may not become root on {host} without a password ({said}); allow it in sudoers, for example `{user} ALL=(ALL) NOPASSWD: ALL`"
    )]
    Sudo {
        host: String,
        user: String,
        said: String,
    },
    #[error(
        "sudo on {host} wants a terminal, which scripts do not have ({said}); let {user} go without one in sudoers: `Defaults:{user} !requiretty`"
    )]
    SudoTerminal {
        host: String,
        user: String,
        said: String,
    },
    #[error("ssh to {host} failed: {said}; try `{command}`")]
    Other {
        host: String,
        said: String,
        command: String,
    },
}

impl SshError {
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Other { .. } => true,
            Self::HostName(_)
            | Self::UserName(_)
            | Self::HostKeyUnknown { .. }
            | Self::HostKeyChanged { .. }
            | Self::PermissionDenied { .. }
            | Self::Sudo { .. }
            | Self::SudoTerminal { .. } => false,
        }
    }
}

/// Where a guest is and how to log in.
struct Login<'a> {
    host: &'a str,
    user: Option<&'a str>,
    port: Option<u16>,
    identity_file: Option<&'a str>,
    config_file: Option<&'a str>,
}

#[derive(Clone, Debug)]
pub struct Ssh {
    program: OsString,
}

impl Default for Ssh {
    fn default() -> Self {
        Self {
            program: "ssh".into(),
        }
    }
}

/// Whatever the user's configuration says about sharing connections, none that is open already carries this one.
const ANEW: [&str; 2] = ["ControlMaster=no", "ControlPath=none"];

#[async_trait]
impl Transport for Ssh {
    async fn run(&self, guest: &GuestRef, script: &str) -> Result<Output, TransportError> {
        self.send(guest, script, &[]).await
    }

    async fn run_anew(&self, guest: &GuestRef, script: &str) -> Result<Output, TransportError> {
        self.send(guest, script, &ANEW).await
    }
}

impl Ssh {
    async fn send(
        &self,
        guest: &GuestRef,
        script: &str,
        options: &[&str],
    ) -> Result<Output, TransportError> {
        let Connection::Ssh {
            host,
            user,
            port,
            identity_file,
            config_file,
        } = &guest.connection
        else {
            return Err(TransportError::Unusable(format!(
                "{} is not reached over ssh. This is a bug in plimsoll.",
                guest.addr
            )));
        };
        let login = Login {
            host,
            user: user.as_deref(),
            port: *port,
            identity_file: identity_file.as_deref(),
            config_file: config_file.as_deref(),
        };
        login.check()?;
        let mut command = Command::new(&self.program);
        command
            .args(login.arguments())
            .args(options.iter().flat_map(|option| ["-o", option]))
            .arg("--")
            .arg(host)
            .arg(remote(guest.os));
        let output = feed(command, script).await?;
        login.explain(output)
    }
}

/// Words without a blank or a quotation mark in them mean the same in cmd and in PowerShell.
fn remote(os: Os) -> String {
    match os {
        Os::Linux => REMOTE.to_owned(),
        Os::Windows => windows::script::command().join(" "),
    }
}

impl Login<'_> {
    /// A name that ssh would take for an option, that hides something, or that a shell would take for more than a word is
    /// refused by its form: the user's configuration may hand it to a shell (`ProxyCommand … %h`), and only newer clients
    /// look for that themselves.
    fn check(&self) -> Result<(), SshError> {
        let in_a_shell = |c: char| "'`\"$\\;&<>|(){}[]*?!#~".contains(c);
        let wrong = |name: &str| {
            name.is_empty()
                || name.starts_with('-')
                || name
                    .chars()
                    .any(|c| c.is_whitespace() || c.is_control() || in_a_shell(c))
        };
        if wrong(self.host) {
            return Err(SshError::HostName(self.host.to_owned()));
        }
        match self.user {
            Some(user) if wrong(user) => Err(SshError::UserName(user.to_owned())),
            _ => Ok(()),
        }
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        for option in [
            // Never a question: nobody may be there to answer, and concurrent questions would mix.
            "BatchMode=yes",
            "ConnectTimeout=15",
            "ServerAliveInterval=10",
            "ServerAliveCountMax=3",
            "LogLevel=ERROR",
        ] {
            arguments.extend(["-o".into(), option.into()]);
        }
        arguments.push("-T".into());
        for (flag, value) in [
            ("-F", self.config_file.map(at_home)),
            ("-i", self.identity_file.map(at_home)),
            ("-l", self.user.map(OsString::from)),
            ("-p", self.port.map(|p| p.to_string().into())),
        ] {
            if let Some(value) = value {
                arguments.extend([flag.into(), value]);
            }
        }
        arguments
    }

    /// What a person types to try the same login.
    fn by_hand(&self) -> String {
        let mut words = vec!["ssh".to_owned()];
        for (flag, value) in [
            ("-F", self.config_file.map(str::to_owned)),
            ("-i", self.identity_file.map(str::to_owned)),
            ("-l", self.user.map(str::to_owned)),
            ("-p", self.port.map(|p| p.to_string())),
        ] {
            words.extend(value.map(|v| format!("{flag} {v}")));
        }
        words.push(self.host.to_owned());
        words.join(" ")
    }

    fn explain(&self, output: Output) -> Result<Output, TransportError> {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let host = self.host.to_owned();
        let user = self.user.unwrap_or("the user").to_owned();
        // sudo's own words come first: it ends with 1, which a script may do as well.
        let sudo = stderr.lines().find(|line| {
            line.starts_with("sudo: ")
                || line.contains("sudo: not found")
                || line.contains("sudo: command not found")
                || line.contains("not in the sudoers file")
        });
        if let (Some(said), true) = (sudo, output.stdout.is_empty() && output.status != Some(0)) {
            let said = said.to_owned();
            // `sorry, you must have a tty to run sudo`
            return Err(if said.contains("a tty") {
                SshError::SudoTerminal { host, user, said }
            } else {
                SshError::Sudo { host, user, said }
            }
            .into());
        }
        if output.status != Some(CLIENT_FAILED) {
            return Ok(output);
        }
        let has = |words: &str| stderr.contains(words);
        let said = stderr
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or("no message")
            .to_owned();
        let command = self.by_hand();
        let unreachable = [
            "Could not resolve hostname",
            "Connection refused",
            "Connection timed out",
            "No route to host",
            "Network is unreachable",
            "Connection reset",
            "Connection closed",
            "timed out",
        ];
        Err(if has("IDENTIFICATION HAS CHANGED") {
            SshError::HostKeyChanged { host }
        } else if has("Host key verification failed") || has("host key is known for") {
            SshError::HostKeyUnknown { host, command }
        } else if has("Permission denied") || has("Too many authentication failures") {
            SshError::PermissionDenied {
                host,
                said,
                command,
            }
        } else if unreachable.iter().any(|words| has(words)) {
            SshError::Unreachable { host, said }
        } else {
            SshError::Other {
                host,
                said,
                command,
            }
        }
        .into())
    }
}

/// A `~` at the start: ssh expands it in its files but not behind `-F`, where a shell would have.
fn at_home(path: &str) -> OsString {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest).into(),
        _ => path.into(),
    }
}
