//! The fuzz targets of core/fuzz, for as long as is asked.

use super::tools::{Tool, ensure, find};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGETS: [&str; 4] = ["evaluate", "format", "variables", "configuration"];
const SECONDS: u64 = 600;

/// libFuzzer is C++ that comes with its crate.
const NEEDED: &[Tool] = &[Tool {
    program: "c++",
    package: "g++",
    purpose: "building libFuzzer",
}];

/// `[TARGET] [SECONDS]`, in this order; all targets, 600 s each, where they are left out.
pub(crate) fn fuzz(arguments: &[String]) -> Result<(), String> {
    let (targets, seconds) = asked(arguments)?;
    if find("cargo-fuzz").is_none() && !cargo_home().join("bin/cargo-fuzz").is_file() {
        return Err("cargo-fuzz is missing; install it and run this again:\n  cargo install cargo-fuzz --locked".to_owned());
    }
    ensure(NEEDED)?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../core/fuzz");
    for target in targets {
        run(&folder, target, seconds)?;
    }
    Ok(())
}

fn asked(arguments: &[String]) -> Result<(Vec<&'static str>, u64), String> {
    let (mut targets, mut seconds) = (TARGETS.to_vec(), SECONDS);
    for argument in arguments {
        if let Some(target) = TARGETS.iter().find(|target| **target == *argument) {
            targets = vec![*target];
        } else {
            let wrong = |_| {
                format!(
                    "{argument:?} is neither a number of seconds nor one of {}",
                    TARGETS.join(", ")
                )
            };
            seconds = argument.parse().map_err(wrong)?;
        }
    }
    Ok((targets, seconds))
}

fn cargo_home() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
        .unwrap_or_default()
}

/// What is found goes into `found/`, beside the small corpus that is kept in the repository.
fn run(folder: &Path, target: &str, seconds: u64) -> Result<(), String> {
    let found = folder.join("found").join(target);
    std::fs::create_dir_all(&found).map_err(|error| format!("{}: {error}", found.display()))?;
    let arguments = [
        "fuzz".to_owned(),
        "run".to_owned(),
        // Nothing in it is unsafe, so the address sanitizer would only make it slow, and need a nightly compiler.
        "--sanitizer=none".to_owned(),
        target.to_owned(),
        found.display().to_string(),
        format!("corpus/{target}"),
        "--".to_owned(),
        format!("-max_total_time={seconds}"),
        "-timeout=10".to_owned(),
        "-rss_limit_mb=2048".to_owned(),
        "-max_len=4096".to_owned(),
        "-print_final_stats=1".to_owned(),
    ];
    println!("$ cargo {}", arguments.join(" "));
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(program)
        .args(&arguments)
        .current_dir(folder)
        // The compiler's coverage flags are for nightly compilers only, unless this is set.
        .env("RUSTC_BOOTSTRAP", "1")
        .status()
        .map_err(|error| format!("cargo could not be started: {error}"))?;
    if status.success() {
        println!("{target}: nothing found in {seconds} s");
        Ok(())
    } else {
        let inputs = folder.join("artifacts").join(target);
        let has_input = std::fs::read_dir(&inputs).is_ok_and(|mut all| all.next().is_some());
        Err(if has_input {
            format!(
                "{target} failed ({status}); what it was fed is in {}",
                inputs.display()
            )
        } else {
            format!("{target} could not be built or started ({status}); it was fed nothing")
        })
    }
}
