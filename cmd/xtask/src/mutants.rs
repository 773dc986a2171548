//! Tests of the tests: faults are planted in a copy of the tree, one is switched on at a time, and the test that is there to
//! catch it must fail. A fault that no test sees, or whose place is no longer found, is a failure of this task.
//!
//! All are compiled into one build, each asleep behind a variable of the environment, so that 27 faults cost four builds.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

/// One fault.
struct Mutant {
    name: &'static str,
    file: &'static str,
    /// Text that stands once in the file.
    from: &'static str,
    /// What stands there instead; `PLANTED` in it is the condition that the fault is awake.
    to: &'static str,
    /// The test program, and the test in it that catches the fault.
    target: &'static str,
    test: &'static str,
}

/// Names the fault that is awake.
const SWITCH: &str = "PLIMSOLL_FAULT";

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "contract before switch",
        file: "core/src/plan/steps/guests.rs",
        from: "        for wait in waits {",
        to: "        for wait in waits.into_iter().filter(|_| !PLANTED) {",
        target: "apply",
        test: "job::the_order_of_writes_is_no_luck",
    },
    Mutant {
        name: "contract by desired rules only",
        file: "core/src/plan/guest/rules.rs",
        from: "        let all = &[Select::Declared, Select::Others];\n        needs(&self.after,",
        to: "        let all: &[Select] = if PLANTED { &[Select::Declared] } else { &[Select::Declared, Select::Others] };\n        needs(&self.after,",
        target: "apply",
        test: "job::with_a_lost_state_a_rule_that_left_the_file_is_foreign_and_keeps_its_traffic",
    },
    Mutant {
        name: "no verify",
        file: "providers/azure/src/enact.rs",
        from: "                Outcome::Written => {\n                    return self.read_back(",
        to: "                Outcome::Written => {\n                    if PLANTED {\n                        return Ok(resource.clone());\n                    }\n                    return self.read_back(",
        target: "it",
        test: "enact::what_azure_stores_otherwise_is_said",
    },
    Mutant {
        name: "no If-Match",
        file: "providers/azure/src/enact.rs",
        from: "        let mut answer = self.send(id, write, condition, progress).await;",
        to: "        let condition = if PLANTED { Condition::None } else { condition };\n        let mut answer = self.send(id, write, condition, progress).await;",
        target: "it",
        test: "enact::what_moved_between_get_and_put_is_not_overwritten",
    },
    Mutant {
        name: "claims of others ignored",
        file: "core/src/plan/guest/entries.rs",
        from: "        let stays = !claims.is_empty();",
        to: "        let claims = if PLANTED { BTreeSet::new() } else { claims };\n        let stays = !claims.is_empty();",
        target: "apply",
        test: "claims::what_another_deployment_claims_stays",
    },
    Mutant {
        name: "what is recorded is known by a rule's name",
        file: "core/src/plan/guest/entries.rs",
        from: "        if before.live && before.survives && mine && !stale_claims {",
        to: "        let recorded_rules = format!(\"{:?}\", around.prior);\n        let known = !PLANTED || because.iter().all(|rule| recorded_rules.contains(&format!(\"{:?}\", &**rule)));\n        if before.live && before.survives && mine && !stale_claims && known {",
        target: "apply",
        test: "review::a_rule_under_another_name_touches_no_guest",
    },
    Mutant {
        name: "fingerprint over the etag",
        file: "providers/azure/src/wire/read_only.rs",
        from: "    for key in [\"id\", \"name\", \"type\", \"etag\"] {",
        to: "    for key in [\"id\", \"name\", \"type\", \"etag\"].into_iter().filter(|key| *key != \"etag\" || !PLANTED) {",
        target: "it",
        test: "enact::an_etag_that_moved_for_another_reason_is_tried_again",
    },
    Mutant {
        name: "journal not written",
        file: "core/src/apply/engine/room.rs",
        from: "            self.note(step.id, status);\n        }\n        self.save().await;",
        to: "            if !PLANTED {\n                self.note(step.id, status);\n            }\n        }\n        self.save().await;",
        target: "apply",
        test: "job::a_run_that_dies_anywhere_leaves_nothing_that_destroy_misses",
    },
    Mutant {
        name: "what an interrupted run was about to make is forgotten",
        file: "core/src/plan/question.rs",
        from: "    let settled = certain.map(State::settled);",
        to: "    let settled = certain.map(|state| if PLANTED { state.clone() } else { state.settled() });",
        target: "apply",
        test: "job::a_run_that_dies_anywhere_leaves_nothing_that_destroy_misses",
    },
    Mutant {
        name: "join before the pool exists",
        file: "core/src/plan/steps/nics.rs",
        from: "                draft.wait(id, earlier.copied(), why);",
        to: "                draft.wait(id, earlier.copied().filter(|_| !edit.join || !PLANTED), why);",
        target: "apply",
        test: "job::the_order_of_writes_is_no_luck",
    },
    Mutant {
        name: "a rule goes live on members that are not ready",
        file: "core/src/plan/steps/load_balancers.rs",
        from: "            let holds_up = reached && !guest.accepted_unready;",
        to: "            let holds_up = reached && guest.accepted_unready == PLANTED;",
        target: "apply",
        test: "job::a_guest_that_fails_keeps_the_rule_from_going_live_and_the_next_run_goes_on",
    },
    Mutant {
        name: "an unreadable member accepted",
        file: "core/src/plan/blocked.rs",
        from: "guests.iter().filter(|guest| !guest.accepted_unready) {",
        to: "guests.iter().filter(|guest| guest.accepted_unready == PLANTED) {",
        target: "apply",
        test: "job::a_guest_that_cannot_be_read_does_not_join",
    },
    Mutant {
        name: "foreign rule dropped from the PUT",
        file: "core/src/plan/load_balancer.rs",
        from: "        } else {\n            change.foreign.push(ForeignItem {",
        to: "        } else {\n            if PLANTED {\n                after.remove(kind, &item.name);\n            }\n            change.foreign.push(ForeignItem {",
        target: "apply",
        test: "job::with_a_lost_state_a_rule_that_left_the_file_is_foreign_and_keeps_its_traffic",
    },
    Mutant {
        name: "listener gate skipped",
        file: "core/src/plan/steps/load_balancers.rs",
        from: "    if services.is_empty() {\n        return None;",
        to: "    if services.is_empty() || PLANTED {\n        return None;",
        target: "apply",
        test: "options::a_rule_waits_for_its_listeners",
    },
    Mutant {
        name: "lock not taken",
        file: "providers/store/src/local.rs",
        from: "        match lock.try_lock() {",
        to: "        match if PLANTED { Ok(()) } else { lock.try_lock() } {",
        target: "local",
        test: "a_held_lock_says_who_holds_it",
    },
    Mutant {
        name: "stale check skipped",
        file: "core/src/apply/engine.rs",
        from: "        run.stale = moved(plan, &now, run.state.journal.as_ref());",
        to: "        let stale = moved(plan, &now, run.state.journal.as_ref());\n        run.stale = stale.into_iter().filter(|_| !PLANTED).collect();",
        target: "apply",
        test: "job::an_edit_between_plan_and_apply_is_stale_before_the_first_write",
    },
    Mutant {
        name: "old script accepted",
        file: "providers/guest/src/linux/apply.sh",
        from: "  if [ \"$newest\" -gt \"$2\" ]; then",
        to: "  PLANTED && newest=0\n  if [ \"$newest\" -gt \"$2\" ]; then",
        target: "linux",
        test: "an_older_run_is_refused",
    },
    Mutant {
        name: "a NIC leaves before its rule has moved",
        file: "core/src/plan/stages.rs",
        from: "old.filter(|pool| has_members(pool)).cloned()",
        to: "old.filter(|pool| has_members(pool) && !PLANTED).cloned()",
        target: "apply",
        test: "review::a_machine_that_moves_with_its_rule_serves_all_the_time",
    },
    Mutant {
        name: "a member for the time of the switch is not made ready",
        file: "core/src/plan/guest/entries.rs",
        from: "    let held = hold_for_the_switch(plan, facts, passing, recorded, &kept, around);",
        to: "    let passing = if PLANTED { Entries::new() } else { passing };\n    let held = hold_for_the_switch(plan, facts, passing, recorded, &kept, around);",
        target: "apply",
        test: "review::a_machine_that_joins_early_is_ready_for_the_rules_that_are_about_to_leave",
    },
    Mutant {
        name: "the drain of a rule that is gone is forgotten",
        file: "core/src/plan/load_balancer.rs",
        from: "drain_seconds: desired.drain_seconds.max(past.drain_seconds),",
        to: "drain_seconds: if PLANTED { desired.drain_seconds } else { desired.drain_seconds.max(past.drain_seconds) },",
        target: "apply",
        test: "review::connections_of_a_deleted_rule_have_the_time_that_it_gave_them",
    },
    Mutant {
        name: "max_unavailable ignored",
        file: "core/src/apply/engine/room.rs",
        from: "            members.count() >= most",
        to: "            members.count() >= if PLANTED { usize::MAX } else { most }",
        target: "apply",
        test: "options::no_more_members_are_away_than_may_be",
    },
    Mutant {
        name: "a request to stop starts one more step",
        file: "core/src/apply/engine.rs",
        from: "            let halted = asked_at.is_some() || self.state_lost.is_some();",
        to: "            let halted = (asked_at.is_some() && !PLANTED) || self.state_lost.is_some();",
        target: "apply",
        test: "options::room_that_comes_free_after_a_request_to_stop_stays_free",
    },
    Mutant {
        name: "a step in flight holds up the end for ever",
        file: "core/src/apply/engine.rs",
        from: "                let is_late = now.saturating_sub(asked_at) >= GRACE;",
        to: "                let is_late = now.saturating_sub(asked_at) >= GRACE * if PLANTED { 1000 } else { 1 };",
        target: "apply",
        test: "options::a_run_that_is_asked_to_stop_starts_nothing_more_and_ends_in_time",
    },
    Mutant {
        name: "a rule moves to where nothing listens",
        file: "core/src/plan/findings.rs",
        from: "            all.extend(silent_switches(guest, facts));",
        to: "            all.extend(silent_switches(guest, facts).into_iter().filter(|_| !PLANTED));",
        target: "apply",
        test: "review::a_rule_does_not_move_to_where_nothing_listens",
    },
    Mutant {
        name: "clash with a foreign rule unseen",
        file: "core/src/plan/findings.rs",
        from: "    all.extend(clashes::findings(load_balancers, guests, desired, observed));",
        to: "    if !PLANTED {\n        all.extend(clashes::findings(load_balancers, guests, desired, observed));\n    }",
        target: "apply",
        test: "review::a_rule_whose_flow_somebody_else_has_is_said_before_anything_is_written",
    },
    Mutant {
        name: "what waits for something excluded stays",
        file: "core/src/plan/select.rs",
        from: "        } else if let Some(earlier) = earlier {",
        to: "        } else if let Some(earlier) = earlier.filter(|_| !PLANTED) {",
        target: "apply",
        test: "options::what_waits_for_something_excluded_goes_with_it",
    },
    Mutant {
        name: "claims under a lost state are kept beside",
        file: "core/src/apply/fill.rs",
        from: "filter(|c| c.deployment != claim.deployment)",
        to: "filter(|c| c.deployment != claim.deployment || PLANTED)",
        target: "apply",
        test: "claims::a_claim_under_a_lost_state_is_taken_over_with_an_address_that_azure_chose",
    },
];

/// Wakes all faults one after the other, or only those whose name holds a word or whose test program is called so.
pub(crate) fn mutants(only: Option<&str>) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let copy = root.join("target/mutants");
    let chosen: Vec<&Mutant> = MUTANTS
        .iter()
        .filter(|mutant| {
            only.is_none_or(|word| mutant.name.contains(word) || mutant.target == word)
        })
        .collect();
    if chosen.is_empty() {
        return Err("no fault has that in its name".to_owned());
    }
    copy_tree(&root, &copy, &planted(&root)?)?;
    let cargo = Cargo {
        root: &root,
        copy: &copy,
    };
    all_pass_while_every_fault_sleeps(&cargo, &chosen)?;
    let mut survivors = Vec::new();
    for (number, mutant) in chosen.iter().enumerate() {
        let began = Instant::now();
        let verdict = judge(&cargo, mutant)?;
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

/// The files with faults in them.
fn planted(root: &Path) -> Result<BTreeMap<&'static str, String>, String> {
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    for mutant in MUTANTS {
        let path = root.join(mutant.file);
        let whole = std::fs::read_to_string(&path);
        let whole = whole.map_err(|error| format!("{}: {error}", path.display()))?;
        if whole.matches(mutant.from).count() != 1 {
            return Err(format!(
                "{}: its place is not found once in {}; look there and at cmd/xtask/src/mutants.rs",
                mutant.name, mutant.file
            ));
        }
        let name = mutant.name;
        let condition = if mutant.file.ends_with(".sh") {
            format!("[ \"${{{SWITCH}:-}}\" = \"{name}\" ]")
        } else {
            format!("std::env::var({SWITCH:?}).is_ok_and(|fault| fault == {name:?})")
        };
        let text = files.entry(mutant.file).or_insert(whole);
        *text = text.replace(mutant.from, &mutant.to.replace("PLANTED", &condition));
    }
    Ok(files)
}

/// Without this a test that fails anyway would seem to catch something.
fn all_pass_while_every_fault_sleeps(cargo: &Cargo<'_>, chosen: &[&Mutant]) -> Result<(), String> {
    let mut tests: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for mutant in chosen {
        tests.entry(mutant.target).or_default().push(mutant.test);
    }
    for (target, names) in tests {
        let began = Instant::now();
        let ran = cargo.test(target, &names, None)?;
        if !ran.status.success() {
            return Err(format!(
                "the tests of {target} do not pass with every fault asleep:\n{}{}",
                String::from_utf8_lossy(&ran.stdout),
                String::from_utf8_lossy(&ran.stderr)
            ));
        }
        let seconds = began.elapsed().as_secs();
        println!(
            "     with every fault asleep the tests of {target} pass  ({seconds} s with the build)"
        );
    }
    Ok(())
}

enum Verdict {
    /// By these tests.
    Caught(String),
    Survived(String),
}

fn judge(cargo: &Cargo<'_>, mutant: &Mutant) -> Result<Verdict, String> {
    let ran = cargo.test(mutant.target, &[mutant.test], Some(mutant.name))?;
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
        Ok(Verdict::Survived(format!("{} passes", mutant.test)))
    } else if failed.is_empty() {
        let why = String::from_utf8_lossy(&ran.stderr);
        Ok(Verdict::Survived(format!("no test failed, and yet: {why}")))
    } else {
        Ok(Verdict::Caught(failed.join(", ")))
    }
}

struct Cargo<'a> {
    root: &'a Path,
    copy: &'a Path,
}

impl Cargo<'_> {
    /// Runs tests of one test program, with one fault awake or none.
    fn test(&self, target: &str, names: &[&str], awake: Option<&str>) -> Result<Output, String> {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command
            // Of the whole workspace, so that all the programs are built with the same registry crates.
            .args(["test", "--quiet", "--workspace", "--test", target, "--"])
            .args(names)
            // Of its own: cargo knows a package by its place in the workspace, and would take ours for those of the copy.
            .env("CARGO_TARGET_DIR", self.root.join("target/mutants-build"))
            .env("RUST_BACKTRACE", "0")
            .env_remove(SWITCH)
            .envs(awake.map(|name| (SWITCH, name)))
            .current_dir(self.copy)
            .stdin(Stdio::null());
        let ran = command.output();
        ran.map_err(|error| format!("cargo could not be started: {error}"))
    }
}

/// Everything that git knows, as it is in the working tree but for the files with faults; a file that did not change keeps
/// its age, so that only what changed is built again.
fn copy_tree(root: &Path, copy: &Path, planted: &BTreeMap<&str, String>) -> Result<(), String> {
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
        let to = copy.join(name);
        let bytes = match planted.get(name) {
            Some(text) => text.clone().into_bytes(),
            None => match std::fs::read(root.join(name)) {
                Ok(bytes) => bytes,
                // Deleted, and git has not been told yet.
                Err(_) => continue,
            },
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
