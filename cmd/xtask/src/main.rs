//! The tasks of this repository: `cargo xtask TASK`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tasks talk to the person who runs them"
)]

mod bench;
mod fuzz;
mod layers;
mod model;
mod mutants;
mod nightly;
mod npm;
mod oracle;
mod python;
mod recordings;
mod test;
mod tools;

use std::path::Path;
use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask TASK

  test      install what the tests need (where it may), then run every test
  install   install what the tests need, to run one of them with `cargo test`
  ci        what CI runs: formatting, lints, layers, then every test, none skipped
  nightly [WORD]        what is too slow for every change: all steps, or those with WORD in their name
  layers    check that no crate depends where it may not
  bless     rewrite golden files after a change that was meant; read their diff
  oracle DIR            compare the language with Terraform's answers in DIR
  bench     seconds and memory of the released binary at Azure's limits, beside the budgets
  recordings DIR        hold recorded Azure traffic in DIR against client and emulator
  model [STEPS] [SEED]  random configurations and failures against a simulated world (100000 writes and saves, from seed 1)
  mutants [NAME]        plant faults in a copy of the tree; each must be caught by a test
  fuzz [TARGET] [SECONDS]
                        feed nonsense to the language: evaluate, format, variables, configuration (600 s each)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("test") => test::test(test::Skips::Named),
        Some("install") => test::install(),
        Some("ci") => ci(),
        Some("nightly") => nightly::nightly(&arguments[1..]),
        Some("layers") => layers::check(),
        Some("bless") => test::bless(),
        Some("oracle") => folder(&arguments).and_then(oracle::oracle),
        Some("bench") => bench::bench(),
        Some("recordings") => folder(&arguments).and_then(recordings::recordings),
        Some("model") => numbers(&arguments).and_then(|(steps, seed)| model::model(steps, seed)),
        Some("mutants") => mutants::mutants(arguments.get(1).map(String::as_str)),
        Some("fuzz") => fuzz::fuzz(&arguments[1..]),
        Some("help" | "-h" | "--help") | None => {
            print!("{HELP}");
            Ok(())
        }
        Some(other) => Err(format!("there is no task {other:?}\n\n{HELP}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // A task that has said everything itself says no more.
            if !why.is_empty() {
                eprintln!("xtask: {why}");
            }
            ExitCode::FAILURE
        }
    }
}

fn folder(arguments: &[String]) -> Result<&Path, String> {
    match arguments {
        [_, folder] if Path::new(folder).is_dir() => Ok(Path::new(folder)),
        [_, folder] => Err(format!("{folder}: there is no such folder")),
        _ => Err(format!("one folder, please\n\n{HELP}")),
    }
}

fn numbers(arguments: &[String]) -> Result<(u64, u64), String> {
    let number = |place: usize, default: u64| match arguments.get(place) {
        Some(text) => text
            .parse()
            .map_err(|_| format!("{text}: a number, please\n\n{HELP}")),
        None => Ok(default),
    };
    Ok((number(1, model::IN_CI)?, number(2, 1)?))
}

fn ci() -> Result<(), String> {
    tools::cargo(&["fmt", "--all", "--check"])?;
    tools::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ])?;
    layers::check()?;
    model::model(model::IN_CI, 1)?;
    test::test(test::Skips::Forbidden)
}
