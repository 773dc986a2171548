//! Recorded traffic of real Azure against client and emulator. The work is a program of its own, so that the other tasks
//! need neither of them.

use std::path::Path;
use std::process::Command;

/// What it prints last is the report's line, so nothing is said around it.
pub(crate) fn recordings(folder: &Path) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--package", "plimsoll-recordings", "--"])
        .arg(folder)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(String::new()),
        Err(error) => Err(format!("cargo could not be started: {error}")),
    }
}
