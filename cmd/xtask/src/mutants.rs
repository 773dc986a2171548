//! Tests of the tests: faults are planted one at a time in a copy of the tree, and the test that is there to catch each must
//! fail. A fault that no test sees, or whose place is no longer found, is a failure of this task.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// One fault.
struct Mutant {
    name: &'static str,
    file: &'static str,
    /// Text that stands once in the file.
    from: &'static str,
    to: &'static str,
    /// Arguments of `cargo test` that run the test which catches it.
    caught_by: &'static [&'static str],
}

const CORE: [&str; 4] = ["-p", "plimsoll-core", "--test", "apply"];

/// A test of the simulated world in the core.
macro_rules! core {
    ($test:literal) => {
        &[CORE[0], CORE[1], CORE[2], CORE[3], $test]
    };
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "contract before switch",
        file: "core/src/plan/steps.rs",
        from: "        for wait in waits {\n            draft.wait(\n                id,\n                Some(wait),",
        to: "        for wait in waits.into_iter().take(0) {\n            draft.wait(\n                id,\n                Some(wait),",
        caught_by: core!("job::guests_lose_an_address_only_after"),
    },
    Mutant {
        name: "contract by desired rules only",
        file: "core/src/plan/guest.rs",
        from: "of(&self.after, members, &[Select::Declared, Select::Others])",
        to: "of(&self.after, members, &[Select::Declared])",
        caught_by: core!("job::with_a_lost_state"),
    },
    Mutant {
        name: "no verify",
        file: "providers/azure/src/enact.rs",
        from: "                    return self.read_back(resource, before, after, progress).await;",
        to: "                    return Ok(T::decode(id, &body));",
        caught_by: &["-p", "plimsoll-azure", "--test", "it", "enact::"],
    },
    Mutant {
        name: "no If-Match",
        file: "providers/azure/src/enact.rs",
        from: "self.send(id, write, etag.as_deref(), progress).await",
        to: "self.send(id, write, etag.as_deref().filter(|_| false), progress).await",
        caught_by: &[
            "-p",
            "plimsoll-azure",
            "--test",
            "it",
            "what_moved_between_get_and_put",
        ],
    },
    Mutant {
        name: "claims of others ignored",
        file: "core/src/plan/guest.rs",
        from: "        let stays = !claims.is_empty();",
        to: "        let claims = BTreeSet::new();\n        let stays = !claims.is_empty();",
        caught_by: core!("model::"),
    },
    Mutant {
        name: "what is recorded is known by a rule's name",
        file: "core/src/plan/guest.rs",
        from: "        if before.live && before.survives && mine && !stale_claims {",
        to: "        let named = |rule: &Arc<str>| format!(\"{:?}\", around.prior).contains(&format!(\"{:?}\", &**rule));\n        if before.live && before.survives && mine && !stale_claims && because.iter().all(named) {",
        caught_by: core!("review::a_rule_under_another_name"),
    },
    Mutant {
        name: "fingerprint over the etag",
        file: "providers/azure/src/wire/read_only.rs",
        from: "    for key in [\"id\", \"name\", \"type\", \"etag\"] {",
        to: "    for key in [\"id\", \"name\", \"type\"] {",
        caught_by: &["-p", "plimsoll-azure", "--test", "it"],
    },
    Mutant {
        name: "journal not written",
        file: "core/src/apply/engine.rs",
        from: "            self.note(step.id, status);\n        }\n        self.save().await;",
        to: "            drop(status);\n            let _ = step;\n        }\n        self.save().await;",
        caught_by: core!("job::a_run_that_dies_anywhere"),
    },
    Mutant {
        name: "what an interrupted run was about to make is forgotten",
        file: "core/src/plan/question.rs",
        from: "    let settled = certain.map(State::settled);",
        to: "    let settled = certain.cloned();",
        caught_by: core!("job::a_run_that_dies_anywhere"),
    },
    Mutant {
        name: "join before the pool exists",
        file: "core/src/plan/steps.rs",
        from: "                draft.wait(id, earlier.copied(), why);",
        to: "                draft.wait(id, earlier.copied().filter(|_| !edit.join), why);",
        caught_by: core!("job::"),
    },
    Mutant {
        name: "a rule goes live on members that are not ready",
        file: "core/src/plan/steps.rs",
        from: "            let holds_up = reached && !guest.accepted_unready;",
        to: "            let holds_up = reached && guest.accepted_unready;",
        caught_by: core!("job::a_guest_that_fails"),
    },
    Mutant {
        name: "an unreadable member accepted",
        file: "core/src/plan/blocked.rs",
        from: "guests.iter().filter(|guest| !guest.accepted_unready) {",
        to: "guests.iter().filter(|guest| guest.accepted_unready) {",
        caught_by: core!("job::a_guest_that_cannot_be_read"),
    },
    Mutant {
        name: "foreign rule dropped from the PUT",
        file: "core/src/plan/load_balancer.rs",
        from: "        } else {\n            change.foreign.push(ForeignItem {",
        to: "        } else {\n            after.remove(kind, &item.name);\n            change.foreign.push(ForeignItem {",
        caught_by: core!("job::with_a_lost_state"),
    },
    Mutant {
        name: "listener gate skipped",
        file: "core/src/plan/steps.rs",
        from: "    if services.is_empty() {\n        return None;",
        to: "    if seconds < u64::MAX {\n        return None;",
        caught_by: core!("review::a_rule_waits_for_its_listeners"),
    },
    Mutant {
        name: "lock not taken",
        file: "providers/store/src/local.rs",
        from: "        match lock.try_lock() {",
        to: "        match Ok::<(), TryLockError>(()) {",
        caught_by: &["-p", "plimsoll-store", "--test", "local"],
    },
    Mutant {
        name: "stale check skipped",
        file: "core/src/apply/engine.rs",
        from: "        run.stale = moved(plan, &now, run.state.journal.as_ref());",
        to: "        run.stale = moved(plan, &now, run.state.journal.as_ref()).into_iter().take(0).collect();",
        caught_by: core!("job::an_edit_between_plan_and_apply"),
    },
    Mutant {
        name: "old script accepted",
        file: "providers/guest/src/linux/apply.sh",
        from: "if [ \"$newest\" -gt \"$2\" ]; then",
        to: "if [ \"$newest\" -gt 99999 ]; then",
        caught_by: &[
            "-p",
            "plimsoll-guest",
            "--test",
            "linux",
            "an_older_run_is_refused",
        ],
    },
    Mutant {
        name: "a NIC leaves before its rule has moved",
        file: "core/src/plan/stages.rs",
        from: "                    moves.from.extend(old.filter(|pool| has_members(pool)).cloned());",
        to: "                    moves.from.extend(old.filter(|_| false).cloned());",
        caught_by: core!("review::"),
    },
    Mutant {
        name: "a member for the time of the switch is not made ready",
        file: "core/src/plan/guest.rs",
        from: "    hold_for_the_switch(plan, facts, passing.collect(), recorded, around);",
        to: "    hold_for_the_switch(plan, facts, passing.take(0).collect(), recorded, around);",
        caught_by: core!("review::"),
    },
    Mutant {
        name: "the drain of a rule that is gone is forgotten",
        file: "core/src/plan/load_balancer.rs",
        from: "drain_seconds: desired.drain_seconds.max(past.drain_seconds),",
        to: "drain_seconds: desired.drain_seconds,",
        caught_by: core!("review::connections_of_a_deleted_rule"),
    },
    Mutant {
        name: "max_unavailable ignored",
        file: "core/src/apply/engine.rs",
        from: "            members.count() >= most",
        to: "            members.count() > most + 99",
        caught_by: core!("review::no_more_members"),
    },
    Mutant {
        name: "a request to stop starts one more step",
        file: "core/src/apply/engine.rs",
        from: "            let halted = asked_at.is_some() || self.state_lost.is_some();",
        to: "            let halted = self.state_lost.is_some();",
        caught_by: core!("review::a_run_that_is_asked_to_stop"),
    },
    Mutant {
        name: "a step in flight holds up the end for ever",
        file: "core/src/apply/engine.rs",
        from: "                let is_late = now.saturating_sub(asked_at) >= GRACE;",
        to: "                let is_late = now.saturating_sub(asked_at) >= GRACE * 1000;",
        caught_by: core!("review::a_run_that_is_asked_to_stop"),
    },
    Mutant {
        name: "a rule moves to where nothing listens",
        file: "core/src/plan/findings.rs",
        from: "            all.extend(silent_switches(guest, facts));",
        to: "            all.extend(silent_switches(guest, facts).into_iter().take(0));",
        caught_by: core!("review::a_rule_does_not_move"),
    },
    Mutant {
        name: "what waits for something excluded stays",
        file: "core/src/plan/select.rs",
        from: "        } else if let Some(earlier) = earlier {",
        to: "        } else if let Some(earlier) = earlier.filter(|_| false) {",
        caught_by: core!("review::what_waits_for_something_excluded"),
    },
    Mutant {
        name: "claims under a lost state are kept beside",
        file: "core/src/apply/fill.rs",
        from: "filter(|c| c.deployment != claim.deployment)",
        to: "filter(|c| !claim.deployment.is_empty() && !c.deployment.is_empty())",
        caught_by: core!("model::"),
    },
];

/// Plants every fault whose name holds `only`, or all.
pub(crate) fn mutants(only: Option<&str>) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let copy = root.join("target/mutants");
    let chosen: Vec<&Mutant> = MUTANTS
        .iter()
        .filter(|mutant| only.is_none_or(|word| mutant.name.contains(word)))
        .collect();
    if chosen.is_empty() {
        return Err("no fault has that in its name".to_owned());
    }
    copy_tree(&root, &copy)?;
    let mut survivors = Vec::new();
    for (number, mutant) in chosen.iter().enumerate() {
        let began = Instant::now();
        let verdict = plant(&root, &copy, mutant)?;
        let seconds = began.elapsed().as_secs();
        let (place, name) = (number + 1, mutant.name);
        match verdict {
            Verdict::Caught(tests) => {
                println!("{place:3}. caught: {name}  by {tests}  ({seconds} s)");
            }
            Verdict::Survived(why) => {
                println!("{place:3}. SURVIVED: {name}: {why}  ({seconds} s)");
                survivors.push(name);
            }
        }
    }
    println!(
        "{} faults planted, {} survived",
        chosen.len(),
        survivors.len()
    );
    if survivors.is_empty() {
        Ok(())
    } else {
        Err(format!("not caught: {}", survivors.join("; ")))
    }
}

enum Verdict {
    /// By these tests.
    Caught(String),
    Survived(String),
}

fn plant(root: &Path, copy: &Path, mutant: &Mutant) -> Result<Verdict, String> {
    let path = copy.join(mutant.file);
    let whole = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    if whole.matches(mutant.from).count() != 1 {
        let why = format!(
            "its place is not found once in {}; look there and at cmd/xtask/src/mutants.rs",
            mutant.file
        );
        return Ok(Verdict::Survived(why));
    }
    write(&path, &whole.replace(mutant.from, mutant.to))?;
    let verdict = judge(root, copy, mutant);
    write(&path, &whole)?;
    verdict
}

fn judge(root: &Path, copy: &Path, mutant: &Mutant) -> Result<Verdict, String> {
    let cargo = |arguments: &[&str]| {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Command::new(program)
            .args(["test", "--quiet"])
            .args(arguments)
            // Packages of the copy are others than ours, but what they depend on is built once for both.
            .env("CARGO_TARGET_DIR", root.join("target"))
            // Enough to find each of these faults; and the first counter-example will do.
            .env("PLIMSOLL_MODEL_STEPS", "40000")
            .env("PLIMSOLL_MODEL_SHRINK", "no")
            .env("RUST_BACKTRACE", "0")
            .current_dir(copy)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cargo could not be started: {error}"))
    };
    let mut build: Vec<&str> = mutant.caught_by.iter().take(4).copied().collect();
    build.push("--no-run");
    let built = cargo(&build)?;
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr);
        return Ok(Verdict::Survived(format!("it does not compile:\n{said}")));
    }
    let ran = cargo(mutant.caught_by)?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let failed: Vec<&str> = said
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("---- ")?
                .strip_suffix(" stdout ----")
        })
        .collect();
    if ran.status.success() {
        Ok(Verdict::Survived(format!(
            "{} passes",
            mutant.caught_by.join(" ")
        )))
    } else if failed.is_empty() {
        let why = String::from_utf8_lossy(&ran.stderr);
        Ok(Verdict::Survived(format!("no test failed, and yet: {why}")))
    } else {
        Ok(Verdict::Caught(failed.join(", ")))
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Everything that git knows, as it is in the working tree; a file that did not change keeps its age, so that only what
/// changed is built again.
fn copy_tree(root: &Path, copy: &Path) -> Result<(), String> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .map_err(|error| format!("git could not be started: {error}"))?;
    let names = String::from_utf8_lossy(&listed.stdout).into_owned();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let (from, to): (PathBuf, PathBuf) = (root.join(name), copy.join(name));
        let Ok(bytes) = std::fs::read(&from) else {
            continue;
        };
        if std::fs::read(&to).is_ok_and(|there| there == bytes) {
            continue;
        }
        let parent = to.parent().expect("a file is in a folder");
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&to, bytes))
            .map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}
