//! Every test, with what was skipped said aloud at the end.

use super::tools::{FOR_TESTS, cargo, ensure};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skips {
    /// Named at the end.
    Named,
    /// A failure: CI skips nothing.
    Forbidden,
}

/// What tests need, so that one of them can be run alone.
pub(crate) fn install() -> Result<(), String> {
    ensure(FOR_TESTS)?;
    crate::python::install_packages();
    crate::npm::install();
    Ok(())
}

pub(crate) fn test(skips: Skips) -> Result<(), String> {
    install()?;
    // Built first, so that a compile error is seen before a wall of test output.
    cargo(&["test", "--workspace", "--no-run", "--quiet"])?;
    let arguments = [
        "test",
        "--workspace",
        "--no-fail-fast",
        "--",
        "--show-output",
    ];
    println!("$ cargo {}", arguments.join(" "));
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    let mut skipped = Vec::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if line.to_ascii_lowercase().starts_with("skipped") {
                skipped.push(line.clone());
            }
            println!("{line}");
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cargo test could not be waited for: {error}"))?;
    if !skipped.is_empty() {
        println!("\n{} tests were skipped:", skipped.len());
        skipped.iter().for_each(|line| println!("  {line}"));
    }
    if !status.success() {
        return Err(format!("tests failed ({status})"));
    }
    if skips == Skips::Forbidden && !skipped.is_empty() {
        return Err("CI skips no test: give it what they need".to_owned());
    }
    Ok(())
}

/// Golden tests rewrite their files when this is set.
pub(crate) fn bless() -> Result<(), String> {
    println!("$ PLIMSOLL_BLESS=1 cargo test --workspace");
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args(["test", "--workspace", "--quiet"])
        .env("PLIMSOLL_BLESS", "1")
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("some tests fail for another reason than a golden file".to_owned())
    }
}
