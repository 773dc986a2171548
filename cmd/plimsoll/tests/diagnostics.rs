//! What people are told about a configuration, word for word: one folder for each case, no Rust.
//!
//! `testdata/diagnostics/CASE` holds a configuration and `expected.txt`, all that `plimsoll validate` says of it;
//! `testdata/valid/CASE` holds one that it says nothing against and that `plimsoll fmt` leaves as it is;
//! `testdata/near-misses.txt` has for each code what is almost the same and right.
//! `PLIMSOLL_BLESS=1` rewrites the expectations: read their diff.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "diagnostics/near_misses.rs"]
mod near_misses;

use plimsoll_core::explain;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const EXPECTED: &str = "expected.txt";

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata")
        .join(name)
}

fn cases(name: &str) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> = std::fs::read_dir(testdata(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    cases
}

/// From within the directory, so that paths in the output are the same everywhere.
fn plimsoll(case: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(arguments)
        .current_dir(case)
        .env_clear()
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn said(case: &Path) -> String {
    let output = plimsoll(case, &["validate"]);
    let code = output.status.code().unwrap_or(-1);
    format!(
        "{}{}(exit {code})\n",
        text(&output.stdout),
        text(&output.stderr)
    )
}

#[test]
fn every_case_says_what_is_expected() {
    let bless = std::env::var_os("PLIMSOLL_BLESS").is_some();
    let mut wrong = String::new();
    for case in cases("diagnostics") {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let said = said(&case);
        let file = case.join(EXPECTED);
        if bless {
            std::fs::write(&file, &said).unwrap();
            continue;
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if said != expected {
            let _ = writeln!(
                wrong,
                "=== {name}: expected\n{expected}\n=== {name}: said\n{said}"
            );
        }
        if !said.contains("[PL") && !said.contains("PL0") {
            let _ = writeln!(wrong, "=== {name}: no diagnostic at all");
        }
    }
    assert!(wrong.is_empty(), "{wrong}\nPLIMSOLL_BLESS=1 rewrites them");
}

#[test]
fn nothing_is_said_against_a_valid_configuration() {
    let mut wrong = String::new();
    for case in cases("valid") {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        let output = plimsoll(&case, &["validate"]);
        if output.status.code() != Some(0) || !output.stderr.is_empty() {
            let _ = writeln!(wrong, "=== {name}\n{}", text(&output.stderr));
        }
        let output = plimsoll(&case, &["fmt", "--check", "--diff"]);
        if output.status.code() != Some(0) {
            let _ = writeln!(
                wrong,
                "=== {name} is not formatted\n{}",
                text(&output.stdout)
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Codes that no configuration on disk can bring about in `validate`, each with the reason; core has their tests.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "PL0011",
        "a configuration says PL0104 of names; this is the bare language's",
    ),
    (
        "PL0027",
        "attributes say PL0107 of types; this is the bare language's",
    ),
    ("PL0115", "cmd finds it first, as PL0001"),
];

#[test]
fn every_static_code_has_a_case() {
    let mut seen = BTreeSet::new();
    for case in cases("diagnostics") {
        let expected = std::fs::read_to_string(case.join(EXPECTED)).unwrap_or_default();
        for (at, _) in expected.match_indices("[PL") {
            seen.insert(expected[at + 1..].chars().take(6).collect::<String>());
        }
    }
    let missing: Vec<&str> = static_codes()
        .filter(|code| !seen.contains(*code))
        .collect();
    assert!(missing.is_empty(), "no case for {}", missing.join(", "));
}

/// Every code that `validate` can say, the binary's own included; `explain` lists them all.
fn static_codes() -> impl Iterator<Item = &'static str> {
    let own = ["PL0001", "PL0002", "PL0003", "PL0004", "PL0005", "PL0006"].into_iter();
    let core = explain::pages().into_iter().map(|page| page.code);
    own.chain(core)
        .filter(|code| *code < "PL0300")
        .filter(|code| ELSEWHERE.iter().all(|(known, _)| known != code))
}
