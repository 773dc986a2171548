//! Every test, with what failed and what was skipped said aloud at the end.

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
    let mut failures = Failures::default();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if line.to_ascii_lowercase().starts_with("skipped") {
                skipped.push(line.clone());
            }
            failures.read(&line);
            println!("{line}");
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cargo test could not be waited for: {error}"))?;
    if !failures.lines.is_empty() {
        println!("\nwhat failed, once more:");
        failures.lines.iter().for_each(|line| println!("{line}"));
    }
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

/// What each test program says of the tests that failed in it: what stands under its headings `failures:`.
#[derive(Default)]
struct Failures {
    lines: Vec<String>,
    reads: bool,
}

impl Failures {
    fn read(&mut self, line: &str) {
        self.reads |= line == "failures:";
        self.reads &= !line.starts_with("test result:");
        if self.reads {
            self.lines.push(line.to_owned());
        }
    }
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

#[cfg(test)]
mod tests {
    use super::Failures;

    #[test]
    fn only_what_failed_is_said_again() {
        let mut failures = Failures::default();
        let output = "\
test one ... ok
test two ... FAILED

successes:
---- one stdout ----
fine

failures:

---- two stdout ----
not fine

failures:
    two

test result: FAILED. 1 passed; 1 failed
test three ... ok
successes:
    three
test result: ok. 1 passed";
        output.lines().for_each(|line| failures.read(line));
        assert_eq!(
            failures.lines.join("\n").trim_end(),
            "failures:\n\n---- two stdout ----\nnot fine\n\nfailures:\n    two"
        );
    }
}
