//! What must not be said: for each code the smallest change after which a case of it is right, in `testdata/near-misses.txt`,
//! which says how it is read.

use super::{plimsoll, static_codes, testdata, text};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

struct NearMiss {
    code: String,
    case: String,
    leaves: BTreeSet<String>,
    edits: Vec<Edit>,
}

enum Edit {
    LookFrom(String),
    Replace { old: Vec<String>, new: Vec<String> },
}

fn parse(page: &str) -> Vec<NearMiss> {
    let mut all: Vec<NearMiss> = Vec::new();
    for line in page.lines() {
        if line.starts_with("PL") {
            let (head, _why) = line.split_once(": ").expect("CODE CASE: why");
            let mut words = head.split(' ').map(str::to_owned);
            let (code, case) = words.next().zip(words.next()).expect("CODE CASE");
            all.push(NearMiss {
                code,
                case,
                leaves: words.filter(|word| word != "leaves").collect(),
                edits: Vec::new(),
            });
            continue;
        }
        let Some((mark, rest)) = line.split_once(' ').filter(|(mark, _)| *mark != "#") else {
            continue;
        };
        let edits = &mut all.last_mut().expect("a code before its edits").edits;
        let rest = rest.to_owned();
        match (mark, edits.last_mut()) {
            ("@", _) => edits.push(Edit::LookFrom(rest)),
            ("-", Some(Edit::Replace { old, new })) if new.is_empty() => old.push(rest),
            ("-", _) => edits.push(Edit::Replace {
                old: vec![rest],
                new: Vec::new(),
            }),
            ("+", Some(Edit::Replace { new, .. })) => new.push(rest),
            ("+", _) => edits.push(Edit::Replace {
                old: Vec::new(),
                new: vec![rest],
            }),
            (_, _) => panic!("not understood: {line}"),
        }
    }
    all
}

/// Without what `fmt` would change.
fn folded(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `None` where what is to be changed is not in it.
fn edited(source: &str, edits: &[Edit]) -> Option<String> {
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    let mut from = 0;
    for edit in edits {
        match edit {
            Edit::LookFrom(line) => {
                let here = lines[from..]
                    .iter()
                    .position(|l| folded(l) == folded(line))?;
                from += here + 1;
            }
            Edit::Replace { old, new } => {
                let wanted: Vec<String> = old.iter().map(|line| folded(line)).collect();
                // Blank lines stand between blocks and say nothing.
                let at = (from..=lines.len()).find(|at| {
                    let found = lines[*at..].iter().map(|l| folded(l));
                    let found = found.filter(|l| !l.is_empty()).take(wanted.len());
                    found.eq(wanted.iter().cloned())
                })?;
                let mut left = wanted.len();
                let mut end = at;
                while left > 0 {
                    left -= usize::from(!folded(&lines[end]).is_empty());
                    end += 1;
                }
                lines.splice(at..end, new.iter().cloned());
                from = at + new.len();
            }
        }
    }
    Some(lines.join("\n") + "\n")
}

fn copy(from: &Path, to: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if from.is_file() {
            std::fs::copy(&from, &to).unwrap();
            files.push(to);
        }
    }
    files
}

#[test]
fn what_is_almost_the_same_and_right_is_not_said() {
    let page = std::fs::read_to_string(testdata("near-misses.txt")).unwrap();
    let all = parse(&page);
    let mut wrong = String::new();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    let room = tempfile::tempdir().unwrap();
    for (number, near) in all.iter().enumerate() {
        *count.entry(&near.code).or_default() += 1;
        let (source, fires) = match near.case.strip_prefix("valid/") {
            Some(case) => (testdata("valid").join(case), true),
            None => {
                let case = testdata("diagnostics").join(&near.case);
                let expected = std::fs::read_to_string(case.join(super::EXPECTED)).unwrap();
                (case, expected.contains(&format!("[{}]", near.code)))
            }
        };
        let name = format!("{} {}", near.code, near.case);
        if !fires {
            let _ = writeln!(wrong, "=== {name}: the case itself does not say it");
        }
        let folder = room.path().join(number.to_string());
        let files = copy(&source, &folder);
        let changed = near.edits.is_empty()
            || files.iter().any(|file| {
                let source = std::fs::read_to_string(file).unwrap_or_default();
                let edited = edited(&source, &near.edits);
                edited.is_some_and(|edited| std::fs::write(file, edited).is_ok())
            });
        if !changed {
            let _ = writeln!(wrong, "=== {name}: what is to be changed is not there");
            continue;
        }
        let output = plimsoll(&folder, &["validate"]);
        let said = text(&output.stderr);
        let codes: BTreeSet<String> = said
            .match_indices("[PL")
            .map(|(at, _)| said[at + 1..].chars().take(6).collect())
            .collect();
        if codes != near.leaves {
            let _ = writeln!(
                wrong,
                "=== {name}: {:?} is left, not {codes:?}\n{said}",
                near.leaves
            );
        }
    }
    for code in static_codes().filter(|code| !count.contains_key(code)) {
        let _ = writeln!(wrong, "=== {code} has no near miss");
    }
    assert!(wrong.is_empty(), "{wrong}");
}
