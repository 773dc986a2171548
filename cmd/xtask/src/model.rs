//! The model tests of the core, built for speed.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// In CI: scenarios that everyone runs.
pub(crate) const IN_CI: u64 = 100_000;
const NIGHTLY: u64 = 1_000_000;

/// Goes through so many writes and saves, from the given seed on.
pub(crate) fn model(steps: u64, seed: u64) -> Result<(), String> {
    let arguments = [
        "test",
        "--profile",
        "quick",
        "-p",
        "plimsoll-core",
        "--test",
        "apply",
        "model::",
        "--",
        "--nocapture",
    ];
    println!(
        "$ PLIMSOLL_MODEL_STEPS={steps} PLIMSOLL_MODEL_SEED={seed} cargo {}",
        arguments.join(" ")
    );
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args(arguments)
        .env("PLIMSOLL_MODEL_STEPS", steps.to_string())
        .env("PLIMSOLL_MODEL_SEED", seed.to_string())
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err("a promise is broken; the seed above shows it again".to_owned())
    }
}

pub(crate) fn nightly() -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    model(NIGHTLY, now.map_or(1, |since| since.as_secs()))
}
