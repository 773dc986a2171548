//! Python packages that tests use, in environments of their own below `target`: Microsoft's own clients, which the emulator
//! is tested with, and the schemas of those who read our pipelines.

use std::path::Path;
use std::process::Command;

/// Packages that belong together. Versions are those that the tests were written with: a new one is tried on purpose, not
/// by accident.
struct Environment {
    what: &'static str,
    place: &'static str,
    packages: &'static [&'static str],
}

const ENVIRONMENTS: [Environment; 2] = [
    Environment {
        what: "Microsoft's clients",
        place: "target/microsoft-clients",
        packages: &[
            "azure-identity==1.27.0",
            "azure-mgmt-compute==39.0.0",
            "azure-mgmt-network==33.1.0",
        ],
    },
    Environment {
        what: "the schemas of GitHub Actions and Azure Pipelines",
        place: "target/schema-checker",
        packages: &["check-jsonschema==0.39.0"],
    },
];

/// 700 MB, so only `cargo xtask nightly` installs it.
const AZURE_CLI: Environment = Environment {
    what: "azure-cli",
    place: "target/azure-cli",
    packages: &["azure-cli==2.91.0"],
};

/// Installs what is not there. Without Python or without its package index those tests are skipped, aloud.
pub(crate) fn install_packages() {
    for environment in &ENVIRONMENTS {
        if let Err(why) = install(environment) {
            println!("{why}; the tests that need them are skipped");
        }
    }
}

/// Installs it unless it is there.
pub(crate) fn install_azure_cli() -> Result<(), String> {
    install(&AZURE_CLI)
}

fn install(environment: &Environment) -> Result<(), String> {
    let Environment {
        what,
        place,
        packages,
    } = environment;
    let mark = Path::new(place).join("installed");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    println!(
        "$ python3 -m venv {place} && pip install {}",
        packages.join(" ")
    );
    let made = run(Command::new("python3").args(["-m", "venv", "--clear", place]));
    let pip = Path::new(place).join("bin/pip");
    let arguments = ["install", "--quiet", "--disable-pip-version-check"];
    let installed = made && run(Command::new(pip).args(arguments).args(*packages));
    if !installed {
        // Half an environment would fail the tests instead of skipping them.
        let _ = std::fs::remove_dir_all(place);
        return Err(format!("{what} could not be installed"));
    }
    std::fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))
}

fn run(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
