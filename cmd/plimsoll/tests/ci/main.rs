//! The pipelines of `examples/ci`: their scripts against a fake `gh` and a fake Azure DevOps, their YAML against the
//! schemas of those who read it, their roles against what they promise.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod azure_devops;
mod files;
mod github;
mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn examples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/ci")
}

/// A script of the examples with a path on which our fakes come first.
fn script(name: &str, fakes: &Path) -> Command {
    let mut command = Command::new(examples().join("scripts").join(name));
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{}:{path}", fakes.display()))
        .current_dir(fakes);
    command
}

#[track_caller]
fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect("the script starts");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A program that is only its text.
fn fake(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, text).expect("the folder is ours");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
        .expect("so is the file");
}
