//! Packages of the npm registry that tests use in a browser, in a folder of their own below `target`.

use std::path::Path;
use std::process::Command;

/// Versions that the tests were written with: a new one is tried on purpose, not by accident.
const PACKAGES: [&str; 3] = [
    "axe-core@4.14.1",
    "mermaid@11.17.2",
    "playwright-core@1.65.1",
];
const PLACE: &str = "target/browser";

/// Installs them unless they are there. Without Node.js or its registry those tests are skipped, aloud.
pub(crate) fn install_browser_packages() {
    let mark = Path::new(PLACE).join("installed");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return;
    }
    println!("$ npm install --prefix {PLACE} {}", PACKAGES.join(" "));
    // Chromium comes from the system; no package may run a script of its own.
    let installed = std::fs::create_dir_all(PLACE).is_ok()
        && Command::new("npm")
            .args(["install", "--prefix", PLACE])
            .args(["--no-audit", "--no-fund", "--ignore-scripts", "--silent"])
            .args(PACKAGES)
            .status()
            .is_ok_and(|status| status.success());
    if installed {
        let _ = std::fs::write(mark, wanted);
    } else {
        // Half a folder would fail the tests instead of skipping them.
        let _ = std::fs::remove_dir_all(PLACE);
        println!(
            "the browser's packages could not be installed; the tests that need them are skipped"
        );
    }
}
