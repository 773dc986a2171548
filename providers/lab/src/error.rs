//! What can go wrong with the lab, each with the next step.

use std::io;
use std::path::PathBuf;

/// A failure of the lab itself, not of what runs in it.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error(
        "The lab needs the program `{program}`, which was not found in PATH.\n\
         Install it: on Debian or Ubuntu `apt-get install {debian}`, on Fedora `dnf install {fedora}`."
    )]
    MissingTool {
        program: &'static str,
        debian: &'static str,
        fedora: &'static str,
    },

    #[error(
        "The lab needs user namespaces, and this system forbids them to ordinary users ({detail}).\n\
         Either run the same command as root, or allow them: look at the settings \
         `user.max_user_namespaces`, `kernel.unprivileged_userns_clone` (Debian) and \
         `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu 24.04 and newer) with `sysctl`."
    )]
    UserNamespacesForbidden { detail: String },

    #[error(
        "The lab could not make its namespaces although it runs as root ({detail}).\n\
         In a container, give it the capability CAP_SYS_ADMIN, or run the lab on the host."
    )]
    NamespacesForbidden { detail: String },

    #[error(
        "The name `{name}` cannot be a lab guest's: use 1 to 64 letters, digits, `_`, `.` or `-`, not starting with `.` or `-`."
    )]
    GuestName { name: String },

    #[error("The lab has no guest named `{name}`. {known}")]
    UnknownGuest { name: String, known: String },

    #[error(
        "Guest `{name}` is a Windows guest: the lab answers for it in Azure, but runs no system for it."
    )]
    NotLinux { name: String },

    #[error("The lab is not up; start it with `plimsoll lab up`.")]
    NotUp,

    #[error("The address `{address}` in {place} is not an IP address.")]
    Address { address: String, place: String },

    #[error("Cannot {operation} {}", path.display())]
    File {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    #[error("Cannot run `{program}`")]
    Spawn {
        program: String,
        #[source]
        source: io::Error,
    },

    #[error("`{program}` failed: {detail}")]
    Command { program: String, detail: String },

    #[error(
        "The lab's {role} agent ended unexpectedly: {detail}\nSee the lab's log, then run `plimsoll lab down` and try again."
    )]
    AgentGone { role: String, detail: String },

    #[error("The lab's {role} agent refused: {detail}")]
    Agent { role: String, detail: String },

    #[error("The lab did not start: {detail}\nIts log is {}.", log.display())]
    NotStarted { detail: String, log: PathBuf },

    #[error(
        "Port {port} on 127.0.0.1 is taken by another program. Choose another with `--port`, or leave it out: the lab then takes a free one."
    )]
    PortTaken { port: u16 },

    #[error("The lab could not be asked to {operation}")]
    Request {
        operation: String,
        #[source]
        source: reqwest::Error,
    },

    #[error("The lab refused to {operation}: {detail}")]
    Refused { operation: String, detail: String },

    #[error("The lab's emulator failed: {detail}")]
    Emulator { detail: String },
}

impl LabError {
    /// Names a failed file operation.
    pub(crate) fn file(
        operation: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            operation,
            path,
            source,
        }
    }
}

/// The whole chain of an error on one line, for logs and for answers over the control routes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
