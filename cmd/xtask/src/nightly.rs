//! What is too slow for every change: long variants, and clients that are large to install.

use crate::{fuzz, model, mutants, python, tools};

struct Step {
    name: &'static str,
    run: fn() -> Result<(), String>,
}

/// Each is tried, whatever became of the others.
const STEPS: &[Step] = &[
    Step {
        name: "every fault at every request",
        run: every_fault,
    },
    Step {
        name: "kill -9 between any two requests and at every write of the journal",
        run: every_kill,
    },
    Step {
        name: "model tests, a million writes and saves from a seed that nobody ran before",
        run: model::nightly,
    },
    Step {
        name: "faults planted in the code, each to be caught by a test",
        run: || mutants::mutants(None),
    },
    Step {
        name: "nonsense fed to the language, ten minutes for each target",
        run: || fuzz::fuzz(&[]),
    },
    Step {
        name: "azure-cli against the emulator",
        run: azure_cli,
    },
    Step {
        name: "200 hosts against bare ssh",
        run: many_hosts,
    },
    Step {
        name: "a Linux script cut at every byte",
        run: cut_linux_everywhere,
    },
    Step {
        name: "a booted guest that a reload of its firewall cuts off",
        run: cut_off,
    },
    Step {
        name: "a Windows script cut at every byte",
        run: cut_everywhere,
    },
];

/// All steps, or those with all the words in their name.
pub(crate) fn nightly(words: &[String]) -> Result<(), String> {
    let wanted = |step: &&Step| words.iter().all(|word| step.name.contains(word.as_str()));
    let steps: Vec<&Step> = STEPS.iter().filter(wanted).collect();
    if steps.is_empty() {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!(
            "no step is called so; there are: {}",
            names.join(", ")
        ));
    }
    let mut failed = Vec::new();
    for Step { name, run } in steps {
        println!("\n== {name}");
        if let Err(why) = run() {
            println!("{why}");
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join(", ")))
    }
}

fn every_fault() -> Result<(), String> {
    tools::cargo_with(
        &["test", "--workspace", "--test", "faults"],
        &[("PLIMSOLL_EVERY_FAULT", "1")],
    )
}

fn every_kill() -> Result<(), String> {
    tools::cargo_with(
        &[
            "test",
            "--workspace",
            "--test",
            "lab",
            "kills::",
            "--",
            "--nocapture",
        ],
        &[("PLIMSOLL_KILLS", "all")],
    )
}

fn azure_cli() -> Result<(), String> {
    python::install_azure_cli()?;
    tools::cargo(&[
        "test",
        "--workspace",
        "--test",
        "microsoft_clients",
        "--",
        "--ignored",
    ])
}

fn cut_linux_everywhere() -> Result<(), String> {
    let test = "a_script_that_was_cut_does_nothing";
    tools::cargo_with(
        &["test", "--workspace", "--test", "linux", test],
        &[("PLIMSOLL_EVERY_BYTE", "1")],
    )
}

fn cut_everywhere() -> Result<(), String> {
    let test = "a_script_that_was_cut_at_any_byte_does_nothing";
    tools::cargo(&[
        "test",
        "--workspace",
        "--test",
        "windows",
        test,
        "--",
        "--ignored",
    ])
}

fn cut_off() -> Result<(), String> {
    let words = ["test", "--workspace", "--test", "booted", "reverts::"];
    tools::cargo(&[&words[..], &["--", "--ignored"]].concat())
}

fn many_hosts() -> Result<(), String> {
    tools::cargo(&[
        "test",
        "--workspace",
        "--test",
        "ssh",
        "two_hundred_hosts",
        "--",
        "--ignored",
        "--nocapture",
    ])
}
