use crate::support::{EXAMPLE, Folder, namespaces};
use std::process::Command;

const SPINNER: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";

/// Runs in a terminal of so many columns; every byte that it got.
fn in_terminal(folder: &Folder, columns: usize, set: &[(&str, &str)], verb: &str) -> String {
    let plimsoll = folder.command();
    let program = plimsoll.get_program().to_string_lossy().into_owned();
    let environment = plimsoll
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(format!(
            "stty cols {columns} rows 50; exec {program} --lab {verb} --auto-approve"
        ))
        .arg("/dev/null")
        .envs(environment)
        // A pipeline that runs this test says so in its environment; the terminal is a person's.
        .env_remove("CI")
        .env_remove("GITHUB_ACTIONS")
        .env_remove("TF_BUILD")
        .env("TERM", "xterm-256color")
        .envs(set.iter().copied())
        .current_dir(folder.path())
        .output()
        .expect("bsdutils is part of every Debian");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    text
}

/// What moves on a terminal does not in a log, and never runs over the edge.
#[test]
fn progress_moves_on_a_terminal_and_nowhere_else() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.lab(&["lab", "up"]).exits(0);
    folder.lab(&["lab", "fault", "slow=1s"]).exits(0);

    let narrow = in_terminal(&folder, 40, &[], "apply");
    assert!(
        narrow.contains(|c: char| SPINNER.contains(c)) && narrow.contains("\u{1b}["),
        "nothing moves in\n{narrow}"
    );
    assert!(
        narrow.contains('✓') && narrow.contains("Applied"),
        "{narrow}"
    );
    // NO_COLOR is set: lines are wiped and written anew, and nothing is coloured.
    for colour in ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[1m"] {
        assert!(!narrow.contains(colour), "{narrow:?}");
    }
    for line in console::strip_ansi_codes(&narrow).split(['\r', '\n']) {
        let width = console::measure_text_width(line);
        // Lines that move fill the row, and the next follows in the row below: one each.
        match line.chars().filter(|c| SPINNER.contains(*c)).count() {
            0 => assert!(width <= 40, "{line:?}"),
            moving => assert_eq!(width.div_ceil(40), moving, "{line:?}"),
        }
    }

    // A terminal that can move nothing, and a log that pretends to be a terminal.
    for (verb, set) in [("destroy", [("TERM", "dumb")]), ("apply", [("CI", "true")])] {
        let plain = in_terminal(&folder, 80, &set, verb);
        assert!(!plain.contains('\u{1b}'), "{set:?}: {plain:?}");
        let dated = plain
            .lines()
            .filter(|l| l.starts_with("20") && l.contains("verified"));
        assert!(dated.count() >= 5, "{set:?}: {plain}");
    }
}
