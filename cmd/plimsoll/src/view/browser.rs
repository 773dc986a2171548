//! The reports in a browser: pages that load nothing and say nothing on the console, whose words can be read in light and
//! dark and by a program that reads aloud, and diagrams that mermaid draws.

use super::picture::{self, Moment, Room, mermaid};
use super::{Outcome, PlanShown, Story, examples, html, markdown, sample};
use crate::exit::Exit;
use plimsoll_core::plan::{Plan, StepId};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn with<T>(plan: &Plan, then: impl FnOnce(&PlanShown<'_>) -> T) -> T {
    let told = sample::told();
    let next = [("To apply".to_owned(), "plimsoll apply".to_owned())];
    then(&PlanShown {
        scripts: &[],
        plan,
        told: &told,
        took: None,
        next: &next,
        places: sample::NOWHERE,
    })
}

fn applied(shown: &PlanShown<'_>) -> String {
    let ending = super::Ending {
        done: 1,
        failed: 1,
        skipped: 1,
        total: 3,
        state_lost: None,
        stale: &[],
        interrupted: false,
        took: Duration::from_millis(1500),
        exit: Exit::Partial,
        again: "plimsoll apply",
        replan: "plimsoll plan",
        next: shown.next,
    };
    let error = "nft refused: Could not process rule".to_owned();
    let outcomes = [
        (StepId(1), Outcome::Done { milliseconds: 600 }),
        (StepId(2), Outcome::Failed { error }),
    ]
    .into();
    html::applied(
        shown,
        &Story {
            ending: &ending,
            outcomes: &outcomes,
            next: shown.next,
        },
    )
}

fn diagram(name: &str, plan: &Plan, moment: Moment, words: &[&str]) -> Value {
    let room = Room {
        moment,
        rules: 16,
        guests: 8,
    };
    let picture = picture::picture(&plan.topology, room);
    json!({
        "name": name,
        "text": mermaid::text(&picture),
        "boxes": picture.boxes.len(),
        "lines": picture.lines.len(),
        "words": words,
    })
}

#[test]
fn every_report_in_a_browser() {
    let modules = root().join("target/browser");
    let chromium = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ]
    .into_iter()
    .find(|path| Path::new(path).is_file());
    let (Some(chromium), true) = (chromium, modules.join("installed").is_file()) else {
        println!("skipped: no Chromium, or cargo xtask test has not installed its packages");
        return;
    };
    let folder = root().join("target/reports");
    std::fs::create_dir_all(&folder).unwrap();
    let mut pages = Vec::new();
    let mut page = |name: &str, thorough: bool, text: String| {
        let file = format!("{name}.html");
        std::fs::write(folder.join(&file), text).unwrap();
        pages.push(json!({ "name": name, "file": file, "thorough": thorough }));
    };
    page("plan", true, with(&sample::plan(), html::plan));
    page("drift", true, with(&sample::drifted(), html::drift));
    page("apply", true, with(&sample::plan(), applied));
    page("hostile", true, with(&sample::hostile(), html::plan));
    page("many", false, with(&sample::many(), html::plan));
    page("cannot", false, with(&sample::creation(), html::plan));
    let mut diagrams = vec![
        diagram(
            "plan",
            &sample::plan(),
            Moment::Planned,
            &["purple", "added", "deleted"],
        ),
        diagram(
            "drift",
            &sample::drifted(),
            Moment::Now,
            &["broken: address 65.52.0.1/32 is missing on lo"],
        ),
        diagram("many", &sample::many(), Moment::Planned, &["1000 guests"]),
        diagram(
            "hostile",
            &sample::hostile(),
            Moment::Planned,
            &["</details>"],
        ),
    ];
    for example in examples::all() {
        page(
            &format!("example-{}", example.name),
            false,
            example.shown(html::plan),
        );
        diagrams.push(diagram(&example.name, &example.plan, Moment::Planned, &[]));
    }
    let job = json!({
        "modules": modules,
        "chromium": chromium,
        "pages": pages,
        "diagrams": diagrams,
    });
    std::fs::write(folder.join("pages.json"), job.to_string()).unwrap();
    let output = Command::new("node")
        .arg(root().join("cmd/plimsoll/tests/browser/check.mjs"))
        .arg(&folder)
        .output()
        .expect("node starts");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{}", String::from_utf8_lossy(&output.stdout).trim());
}

#[test]
fn golden_reports_of_every_example() {
    for example in examples::all() {
        let text = example.shown(|shown| markdown::plan(shown, markdown::Reader::Github));
        super::golden::assert_golden(&format!("examples/{}.md", example.name), &text);
        let page = example.shown(html::plan);
        // The style is the same in all of them, and in plan.html.
        let (before, rest) = page.split_once("<style>").unwrap();
        let (_, after) = rest.split_once("</style>").unwrap();
        super::golden::assert_golden(
            &format!("examples/{}.html", example.name),
            &format!("{before}<style></style>{after}"),
        );
    }
}
