//! Microsoft's own clients for Python, which the emulator is tested with, in an environment of their own below `target`.

use std::path::Path;
use std::process::Command;

/// Versions that the tests were written with: a new one is tried on purpose, not by accident.
const CLIENTS: [&str; 3] = [
    "azure-identity==1.27.0",
    "azure-mgmt-compute==39.0.0",
    "azure-mgmt-network==33.1.0",
];
const PLACE: &str = "target/microsoft-clients";

/// Installs them unless they are there. Without Python or without its package index those tests are skipped, aloud.
pub(crate) fn install_microsoft_clients() {
    let mark = Path::new(PLACE).join("installed");
    let wanted = CLIENTS.join("\n");
    if std::fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return;
    }
    println!(
        "$ python3 -m venv {PLACE} && pip install {}",
        CLIENTS.join(" ")
    );
    let made = run(Command::new("python3").args(["-m", "venv", "--clear", PLACE]));
    let pip = Path::new(PLACE).join("bin/pip");
    let arguments = ["install", "--quiet", "--disable-pip-version-check"];
    let installed = made && run(Command::new(pip).args(arguments).args(CLIENTS));
    if installed {
        let _ = std::fs::write(mark, wanted);
    } else {
        // Half an environment would fail the tests instead of skipping them.
        let _ = std::fs::remove_dir_all(PLACE);
        println!(
            "Microsoft's clients could not be installed; the tests that need them are skipped"
        );
    }
}

fn run(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
