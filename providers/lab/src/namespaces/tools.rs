//! What the lab needs of the system, looked for before anything is started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::LabError;

/// The programs that make and enter namespaces.
#[derive(Debug, Clone)]
pub struct Tools {
    pub unshare: PathBuf,
    pub nsenter: PathBuf,
    pub ip: PathBuf,
    pub nft: PathBuf,
    /// Without root, everything hangs below a user namespace.
    pub user_namespace: bool,
}

/// Finds the programs and tries whether namespaces can be made; changes nothing.
pub fn check() -> Result<Tools, LabError> {
    let tools = Tools {
        unshare: find("unshare", "util-linux", "util-linux")?,
        nsenter: nsenter()?,
        ip: find("ip", "iproute2", "iproute")?,
        nft: find("nft", "nftables", "nftables")?,
        user_namespace: !rustix::process::geteuid().is_root(),
    };
    try_namespaces(&tools)?;
    Ok(tools)
}

/// The program that enters namespaces.
pub(crate) fn nsenter() -> Result<PathBuf, LabError> {
    find("nsenter", "util-linux", "util-linux")
}

fn find(
    program: &'static str,
    debian: &'static str,
    fedora: &'static str,
) -> Result<PathBuf, LabError> {
    // An ordinary user's PATH often lacks sbin, where ip and nft are.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| is_program(candidate))
        .ok_or(LabError::MissingTool {
            program,
            debian,
            fedora,
        })
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn try_namespaces(tools: &Tools) -> Result<(), LabError> {
    // Doing something only a network namespace's owner may do: Ubuntu's AppArmor lets the user
    // namespace be made and takes its capabilities away.
    let output = unshare(tools, &["--mount", "--net", "--pid", "--fork"])
        .args(["--kill-child", "--"])
        .arg(&tools.ip)
        .args(["link", "set", "lo", "up"])
        .stdin(Stdio::null())
        .output()
        .map_err(|source| LabError::Spawn {
            program: "unshare".to_owned(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let detail = text
        .lines()
        .next()
        .unwrap_or("no reason given")
        .trim()
        .to_owned();
    if tools.user_namespace {
        Err(LabError::UserNamespacesForbidden { detail })
    } else {
        Err(LabError::NamespacesForbidden { detail })
    }
}

/// `unshare` with the user namespace that the caller's rights make necessary.
pub(super) fn unshare(tools: &Tools, namespaces: &[&str]) -> Command {
    let mut command = Command::new(&tools.unshare);
    if tools.user_namespace {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(namespaces);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_packages() {
        let error = find("plimsoll-no-such-program", "iproute2", "iproute")
            .unwrap_err()
            .to_string();
        for part in [
            "plimsoll-no-such-program",
            "apt-get install iproute2",
            "dnf install iproute",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
