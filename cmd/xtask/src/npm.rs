//! Packages of the npm registry that tests use, each set in a folder of its own below `target`.

use std::path::Path;
use std::process::Command;

struct Set {
    place: &'static str,
    /// Versions that the tests were written with: a new one is tried on purpose, not by accident.
    packages: &'static [&'static str],
    what: &'static str,
}

const SETS: [Set; 2] = [
    Set {
        place: "target/browser",
        packages: &[
            "axe-core@4.14.1",
            "mermaid@11.17.2",
            "playwright-core@1.65.1",
        ],
        what: "the browser's packages",
    },
    Set {
        place: "target/azurite",
        packages: &["azurite@3.35.0"],
        what: "Azurite",
    },
];

/// Installs them unless they are there. Without Node.js or its registry those tests are skipped, aloud.
pub(crate) fn install() {
    SETS.iter().for_each(install_set);
}

fn install_set(
    Set {
        place,
        packages,
        what,
    }: &Set,
) {
    let mark = Path::new(place).join("installed");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return;
    }
    println!("$ npm install --prefix {place} {}", packages.join(" "));
    // Chromium comes from the system; no package may run a script of its own.
    let installed = std::fs::create_dir_all(place).is_ok()
        && Command::new("npm")
            .args(["install", "--prefix", place])
            .args(["--no-audit", "--no-fund", "--ignore-scripts", "--silent"])
            .args(*packages)
            .status()
            .is_ok_and(|status| status.success());
    if installed {
        let _ = std::fs::write(mark, wanted);
    } else {
        // Half a folder would fail the tests instead of skipping them.
        let _ = std::fs::remove_dir_all(place);
        println!("{what} could not be installed; the tests that need them are skipped");
    }
}
