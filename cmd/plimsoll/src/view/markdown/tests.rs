use super::{Reader, applied, drift, plan};
use crate::exit::Exit;
use crate::view::golden::assert_golden;
use crate::view::sample;
use crate::view::shown::{Ending, Outcome, PlanShown, Story};
use plimsoll_core::plan::{Plan, StepId};
use std::time::Duration;

fn with<T>(plan: &Plan, then: impl Fn(&PlanShown<'_>) -> T) -> T {
    let told = sample::told();
    let next = [(
        "To apply exactly this".to_owned(),
        "plimsoll apply plan.plim".to_owned(),
    )];
    then(&PlanShown {
        scripts: &[],
        plan,
        told: &told,
        took: None,
        next: &next,
        places: sample::NOWHERE,
    })
}

/// What a renderer would make of the fences: none is left open, and what is outside of them.
fn outside_of_fences(text: &str) -> String {
    let mut open: Option<String> = None;
    let mut outside = String::new();
    for line in text.lines() {
        let run = |c: char| line.chars().take_while(|l| *l == c).count();
        let ticks = run('`');
        match &open {
            Some(fence) if fence == ":::" && line == ":::" => open = None,
            Some(fence) if *fence != ":::" && ticks >= fence.len() && line.len() == ticks => {
                open = None;
            }
            Some(_) => {}
            None if ticks >= 3 => open = Some("`".repeat(ticks)),
            None if line == "::: mermaid" => open = Some(":::".to_owned()),
            None => {
                outside.push_str(line);
                outside.push('\n');
            }
        }
    }
    assert_eq!(open, None, "a fence is left open in\n{text}");
    outside
}

fn story(then: impl Fn(&Story<'_>) -> String) -> String {
    let outcomes = [
        (StepId(1), Outcome::Done { milliseconds: 600 }),
        (
            StepId(2),
            Outcome::Failed {
                error: "nft refused: Error: Could not process rule\nexit 1".into(),
            },
        ),
        (
            StepId(3),
            Outcome::Skipped {
                because: "guest.vm2 is not ready for rule \"purple\"".into(),
            },
        ),
    ]
    .into();
    let next = [(
        "Go on from here".to_owned(),
        "plimsoll apply plan.plim".to_owned(),
    )];
    let ending = Ending {
        done: 1,
        failed: 1,
        skipped: 1,
        total: 3,
        state_lost: None,
        stale: &[],
        interrupted: false,
        took: Duration::from_millis(1500),
        exit: Exit::Partial,
        again: "plimsoll apply plan.plim",
        replan: "plimsoll plan",
        next: &next,
    };
    then(&Story {
        ending: &ending,
        outcomes: &outcomes,
        next: &next,
    })
}

#[test]
fn the_reports() {
    let of = |p: &Plan, reader| with(p, |shown| plan(shown, reader));
    assert_golden("plan.md", &of(&sample::plan(), Reader::Github));
    assert_golden(
        "plan-azure-devops.md",
        &of(&sample::plan(), Reader::AzureDevops),
    );
    assert_golden("plan-refined.md", &of(&sample::refined(), Reader::Github));
    assert_golden("plan-creation.md", &of(&sample::creation(), Reader::Github));
    assert_golden("plan-nothing.md", &of(&sample::empty(), Reader::Github));
    assert_golden(
        "drift.md",
        &with(&sample::drifted(), |shown| drift(shown, Reader::Github)),
    );
    assert_golden(
        "apply.md",
        &with(&sample::plan(), |shown| {
            story(|story| applied(shown, story, Reader::Github))
        }),
    );
}

#[test]
fn names_and_texts_of_others_stay_text() {
    let hostile = sample::hostile();
    for reader in [Reader::Github, Reader::AzureDevops] {
        for text in [
            with(&hostile, |shown| plan(shown, reader)),
            with(&hostile, |shown| drift(shown, reader)),
            with(&hostile, |shown| story(|s| applied(shown, s, reader))),
        ] {
            assert!(!text.contains('\u{1b}') && !text.contains('\r'));
            // Code spans may hold anything; what is left is read as Markdown and HTML.
            let outside: Vec<String> = outside_of_fences(&text)
                .lines()
                // A line that begins with the tag is HTML up to its end.
                .filter(|l| !l.starts_with("<details><summary>"))
                .map(without_code_spans)
                .collect();
            let opened = text.matches("\n<details><summary>").count();
            let closed: usize = outside
                .iter()
                .map(|l| l.matches("</details>").count())
                .sum();
            assert_eq!(opened, closed);
            for (at, line) in outside.iter().enumerate() {
                for call in [
                    "<script",
                    "@octocat",
                    " #12",
                    "://evil",
                    "![x]",
                    "<!-- -->.",
                ] {
                    assert!(!line.contains(call), "{call} in line {at}: {line}");
                }
                assert!(!line.trim_start().starts_with("::error"), "{line}");
            }
        }
    }
}

fn without_code_spans(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        if rest[..start].ends_with('\\') {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        }
        out.push_str(&rest[..start]);
        let run = rest[start..].chars().take_while(|c| *c == '`').count();
        let ticks = "`".repeat(run);
        let inner = &rest[start + run..];
        let mut from = 0;
        let end = loop {
            let Some(found) = inner[from..].find(&ticks).map(|f| f + from) else {
                panic!("a code span is left open: {line}");
            };
            let length = inner[found..].chars().take_while(|c| *c == '`').count();
            if length == run {
                break found;
            }
            from = found + length;
        };
        rest = &inner[end + run..];
    }
    out.push_str(rest);
    out
}

#[test]
fn ten_thousand_changes_fit_into_a_comment() {
    let many = sample::many();
    for (reader, limit) in [(Reader::Github, 65_536), (Reader::AzureDevops, 150_000)] {
        let text = with(&many, |shown| plan(shown, reader));
        assert!(text.len() < limit, "{}", text.len());
        outside_of_fences(&text);
        assert!(text.contains("Adds 10000 rules; no traffic is interrupted"));
        assert!(text.contains("plimsoll apply plan.plim"));
    }
}

#[test]
fn what_does_not_fit_is_left_out_whole_and_counted() {
    let mut plan_ = sample::plan();
    let guest = plan_.changes.pop().unwrap();
    // Guests that all differ: none folds into another.
    for number in 0..400 {
        let mut other = guest.clone();
        other.addr = sample::guest(&format!("other{number}"));
        other.notes = vec![format!("note {number} {}", "x".repeat(300))];
        plan_.changes.push(other);
    }
    let text = with(&plan_, |shown| plan(shown, Reader::Github));
    assert!(text.len() < 65_536, "{}", text.len());
    let outside = outside_of_fences(&text);
    let shown = outside.matches("<code>guest.other").count();
    let hidden = 400 - shown;
    assert!(shown > 50 && hidden > 0, "{shown}");
    assert!(
        text.contains(&format!("{hidden} more resources not shown here")),
        "{hidden}"
    );
    assert_eq!(
        outside.matches("<details>").count(),
        outside.matches("</details>").count()
    );
    assert!(text.contains("plimsoll apply plan.plim"));
}
