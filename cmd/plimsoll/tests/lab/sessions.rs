//! Sessions that read as documentation: `testdata/sessions/*.txt`, run as they stand in a lab of their own.
//!
//! Text without a sign is prose. `$ ` runs a command in the folder of an example (the first line names it); below it stands
//! what it prints, and `? 2` where it exits with anything but 0. `…` on a line of its own stands for lines that are left
//! out. Times, digests and dates are written as `TIME`, `DIGEST` and `DATE`. PLIMSOLL_BLESS=1 writes what was printed.

use super::support::{Folder, namespaces};
use std::path::{Path, PathBuf};
use std::process::Command;

struct Step {
    prose: Vec<String>,
    command: String,
    expected: Vec<String>,
}

fn parse(text: &str) -> (String, Vec<Step>, Vec<String>) {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let example = first
        .strip_prefix("example: ")
        .expect("the first line names the example");
    let mut steps: Vec<Step> = Vec::new();
    let mut prose = Vec::new();
    let mut in_output = false;
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                prose: std::mem::take(&mut prose),
                command: command.to_owned(),
                expected: Vec::new(),
            });
            in_output = true;
        } else if in_output && !line.starts_with("# ") {
            steps
                .last_mut()
                .expect("output follows a command")
                .expected
                .push(line.to_owned());
        } else {
            in_output = false;
            prose.push(line.to_owned());
        }
    }
    for step in &mut steps {
        while step.expected.last().is_some_and(String::is_empty) {
            step.expected.pop();
        }
    }
    (example.to_owned(), steps, prose)
}

/// What differs from run to run is written as what it is.
fn redacted(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| {
                let bare = word.trim_matches(|c: char| "()<>,.\"/subtime=".contains(c));
                let is_date = bare.len() >= 20 && bare.starts_with("20") && bare.contains('T');
                if is_date {
                    word.replace(bare, "DATE")
                } else {
                    word.to_owned()
                }
            })
            .collect();
        out.push(timed(&words));
    }
    out
}

/// `0.9 s` and `2 min 5 s` become `TIME`.
fn timed(words: &[String]) -> String {
    let mut line: Vec<String> = Vec::new();
    for word in words {
        let unit = word.trim_end_matches(['.', ',', ')', ';']);
        let number = line.last().map(|w| w.trim_start_matches('(').to_owned());
        let is_number = number
            .as_ref()
            .is_some_and(|n| !n.is_empty() && n.parse::<f64>().is_ok());
        if unit == "s" && is_number {
            let last = line.pop().unwrap_or_default();
            let before = if last.starts_with('(') { "(" } else { "" };
            line.push(format!("{before}TIME{}", &word[1..]));
        } else {
            line.push(word.clone());
        }
    }
    line.join(" ")
}

/// `…` stands for any lines.
fn matches(expected: &[String], actual: &[String]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=actual.len()).any(|skip| matches(rest, &actual[skip..]))
        }
        Some((first, rest)) => actual.first() == Some(first) && matches(rest, &actual[1..]),
    }
}

fn run(folder: &Folder, home: &Path, command: &str) -> Vec<String> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_plimsoll"));
    let bin = program.parent().expect("a program lies in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    // One stream, as on a screen; the lab's own start is told on the other one.
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", home)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("GITHUB_OUTPUT", home.join("output"))
        .output()
        .expect("a shell starts");
    let mut lines = redacted(&String::from_utf8_lossy(&output.stdout));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let told: String = told
        .lines()
        .filter(|l| !l.starts_with("Starting the lab"))
        .map(|l| format!("{l}\n"))
        .collect();
    lines.extend(redacted(&told));
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    match output.status.code() {
        Some(0) => {}
        code => lines.push(format!("? {}", code.unwrap_or(-1))),
    }
    lines
}

fn session(path: &Path) {
    let text = std::fs::read_to_string(path).expect("the session can be read");
    let (example, steps, ending) = parse(&text);
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let configuration = std::fs::read_to_string(examples.join(&example).join("web.plim.hcl"))
        .expect("the example has a configuration");
    let folder = Folder::new(&configuration);
    let mut wrong = Vec::new();
    let mut written = format!("example: {example}\n");
    for step in &steps {
        let actual = run(&folder, folder.path(), &step.command);
        let fits = matches(&step.expected, &actual);
        if !fits {
            wrong.push(format!(
                "$ {}\n--- expected\n{}\n--- printed\n{}",
                step.command,
                step.expected.join("\n"),
                actual.join("\n")
            ));
        }
        for line in &step.prose {
            written.push_str(line);
            written.push('\n');
        }
        let shown = if fits { &step.expected } else { &actual };
        written.push_str(&format!("$ {}\n", step.command));
        for line in shown {
            written.push_str(line);
            written.push('\n');
        }
        written.push('\n');
    }
    for line in ending {
        written.push_str(&line);
        written.push('\n');
    }
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::write(path, written.trim_end().to_owned() + "\n")
            .expect("the session can be written");
    } else {
        assert!(
            wrong.is_empty(),
            "{}:\n{}",
            path.display(),
            wrong.join("\n\n")
        );
    }
}

#[test]
fn a_pull_request() {
    if namespaces() {
        session(&sessions().join("pull-request.txt"));
    }
}

#[test]
fn drift() {
    if namespaces() {
        session(&sessions().join("drift.txt"));
    }
}

fn sessions() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/sessions")
}
