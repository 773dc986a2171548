//! The parts of a report, each a piece of Markdown that stands by itself.

use super::Reader;
use super::escape::{code, fence, html, prose};
use crate::view::human::plan_pages;
use crate::view::picture::{self, Moment, Room, mermaid};
use crate::view::scripts::shown;
use crate::view::shown::{Outcome, Story};
use crate::view::{GuestScript, Look, PlanShown, words};
use plimsoll_core::model::Severity;
use plimsoll_core::plan::{Drift, Finding, Plan};

/// A reviewer reads some lines of alarm; more than this they skip, so the rest is counted.
const MOST: usize = 20;
const MOST_FINDINGS: usize = 50;
/// Beyond this a diagram is no picture any more.
const ROOM: Room = Room {
    moment: Moment::Planned,
    rules: 16,
    guests: 8,
};
/// Wide enough for one fact a line in the folded diff; the host scrolls what is longer.
const WIDTH: usize = 110;

fn list(lines: &[String], most: usize, noun: &str) -> String {
    let mut out = String::new();
    for line in lines.iter().take(most) {
        out.push_str("- ");
        out.push_str(line);
        out.push('\n');
    }
    if lines.len() > most {
        let more = words::count(lines.len() - most, &format!("more {noun}"));
        out.push_str(&format!("- *and {more}*\n"));
    }
    out
}

/// Why it cannot be applied, what is interrupted, what is deleted.
pub(super) fn standout(plan: &Plan) -> String {
    let mut out = String::new();
    if !plan.applyable {
        let why: Vec<String> = plan.blocked.iter().map(|w| prose(w)).collect();
        out.push_str("\n**This plan cannot be applied**\n\n");
        out.push_str(&list(&why, MOST, "reason"));
    } else if !plan.complete {
        out.push_str(&unread(plan));
    }
    if !plan.accepted_unready.is_empty() {
        let lines: Vec<String> = plan
            .accepted_unready
            .iter()
            .map(|guest| prose(&words::accepted_unready(guest)))
            .collect();
        out.push_str("\n**Accepted**\n\n");
        out.push_str(&list(&lines, MOST, "guest"));
    }
    let summary = plan.summary();
    if !summary.interruptions.is_empty() {
        let lines: Vec<String> = summary
            .interruptions
            .iter()
            .map(|flow| {
                format!(
                    "{} (rule {}): {}",
                    code(&words::destination(flow)),
                    code(&flow.rule),
                    prose(&words::effect(flow))
                )
            })
            .collect();
        out.push_str("\n**Interruptions**\n\n");
        out.push_str(&list(&lines, MOST, "interruption"));
    }
    if !summary.deletions.is_empty() {
        let lines: Vec<String> = summary
            .deletions
            .iter()
            .map(|gone| code(&words::deletion(gone)))
            .collect();
        out.push_str("\n**Deletions**\n\n");
        out.push_str(&list(&lines, MOST, "deletion"));
    }
    out
}

pub(super) fn unread(plan: &Plan) -> String {
    let mut out =
        String::from("\n**Not everything could be read**: this is a part of the picture.\n");
    if !plan.blocked.is_empty() {
        let why: Vec<String> = plan.blocked.iter().map(|w| prose(w)).collect();
        out.push('\n');
        out.push_str(&list(&why, MOST, "reason"));
    }
    out
}

pub(super) fn topology(plan: &Plan, moment: Moment, reader: Reader) -> String {
    let picture = picture::picture(&plan.topology, Room { moment, ..ROOM });
    if picture.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}", reader.mermaid(&mermaid::text(&picture)));
    for note in &picture.left_out {
        out.push_str(&format!("\n*{}*\n", prose(note)));
    }
    out
}

/// One resource, or guests in which the same happens, folded.
pub(super) struct Resource {
    pub(super) text: String,
    /// How many resources it speaks of.
    pub(super) names: usize,
}

pub(super) fn resources(plan: &Plan) -> Vec<Resource> {
    plan_pages::resources(plan)
        .into_iter()
        .map(|resource| {
            let text = resource.page.text(Look {
                colour: false,
                width: WIDTH,
            });
            let mut summary = format!("<code>{}</code>", html(&resource.names[0]));
            if resource.names.len() > 1 {
                summary.push_str(&format!(" and {} the same", resource.names.len() - 1));
            }
            if !resource.about.is_empty() {
                summary.push_str(&format!(" · {}", html(&resource.about)));
            }
            Resource {
                text: details(&summary, &fence("diff", &signed(&text))),
                names: resource.names.len(),
            }
        })
        .collect()
}

/// What guests are sent, each folded.
pub(super) fn scripts(scripts: &[GuestScript]) -> Vec<String> {
    shown(scripts)
        .iter()
        .map(|script| {
            let summary = format!("Script of {}", html(&script.title()));
            details(&summary, &fence(script.language(), &script.text()))
        })
        .collect()
}

/// GitHub paints a line by its first character: the sign moves there, and `!` stands for a change in place.
fn signed(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let blanks = line.len() - line.trim_start().len();
        let rest = &line[blanks..];
        let mut letters = rest.chars();
        let sign = match (letters.next(), letters.next()) {
            (Some(sign @ ('+' | '-')), Some(' ')) => Some(sign),
            (Some('~' | '±' | '='), Some(' ')) => Some('!'),
            (Some('!'), Some(' ')) => Some('#'),
            _ => None,
        };
        match sign {
            Some(sign) => {
                let rest: String = rest.chars().skip(1).collect();
                out.push_str(&format!("{sign}{}{rest}\n", " ".repeat(blanks)));
            }
            None => {
                out.push(' ');
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

fn details(summary: &str, content: &str) -> String {
    format!("\n<details><summary>{summary}</summary>\n\n{content}\n</details>\n")
}

pub(super) fn traffic_and_order(plan: &Plan) -> String {
    let page = plan_pages::traffic_and_order(plan);
    if page.is_empty() {
        return String::new();
    }
    let text = page.text(Look {
        colour: false,
        width: WIDTH,
    });
    let steps = words::count(plan.steps.len(), "step");
    let cost = words::cost(plan).map_or_else(String::new, |cost| format!(" · {}", html(&cost)));
    details(
        &format!("Traffic and order · {steps}{cost}"),
        &fence("text", text.trim_start_matches('\n')),
    )
}

pub(super) fn findings(shown: &PlanShown<'_>) -> String {
    let all = &shown.plan.findings;
    if all.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = all.iter().map(|f| finding(f, shown)).collect();
    format!(
        "\n**Findings** · `plimsoll explain CODE` says more of each\n\n{}",
        list(&lines, MOST_FINDINGS, "finding")
    )
}

fn finding(finding: &Finding, shown: &PlanShown<'_>) -> String {
    let mut line = format!(
        "**{}** {}",
        words::severity(finding.severity),
        prose(&finding.code)
    );
    if let Some(addr) = &finding.addr {
        line.push_str(&format!(
            " {}",
            at(
                &addr.to_string(),
                || { shown.places.of(addr, &finding.what) },
                shown
            )
        ));
    }
    line.push_str(&format!(": {}", prose(&finding.what)));
    for note in &finding.notes {
        line.push_str(&format!("<br>{}", prose(note)));
    }
    line
}

/// An address of the configuration, with its line and a link to it where there is one.
fn at(addr: &str, place: impl Fn() -> Option<crate::host::Place>, shown: &PlanShown<'_>) -> String {
    let Some(place) = place() else {
        return code(addr);
    };
    let text = format!("{}:{}", place.file, place.line);
    match shown.places.link(&place) {
        // The link is made of parts that are percent-encoded: nothing in it ends the parenthesis.
        Some(link) => format!("{} ([{}]({link}))", code(addr), code(&text)),
        None => format!("{} ({})", code(addr), code(&text)),
    }
}

/// What moved since the last apply, in a plan: a word, and where to read more.
pub(super) fn moved(plan: &Plan) -> String {
    let news = plan.drift.iter().filter(|d| d.kind.is_news());
    let lines: Vec<String> = news
        .map(|d| format!("{}: {}", code(&d.addr.to_string()), prose(&d.what)))
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    format!(
        "\n**Moved since the last apply** · this plan puts it right\n\n{}",
        list(&lines, MOST, "difference")
    )
}

/// What `--target` and `--exclude` keep out of the plan, and why.
pub(super) fn left_out(plan: &Plan) -> String {
    if plan.left_out.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = plan
        .left_out
        .iter()
        .map(|left| format!("{}: {}", code(&left.addr.to_string()), prose(&left.why)))
        .collect();
    format!("\n**Left out**\n\n{}", list(&lines, MOST, "change"))
}

/// What the configuration asks for since the last apply: nobody moved it.
pub(super) fn pending(plan: &Plan) -> String {
    if plan.not_yet_applied.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = plan
        .not_yet_applied
        .iter()
        .map(|d| format!("{}: {}", code(&d.addr.to_string()), prose(&d.what)))
        .collect();
    format!(
        "\n**Not applied yet** · the configuration says so since the last apply; nobody moved it\n\n{}",
        list(&lines, MOST, "difference")
    )
}

pub(super) fn drift(drift: &Drift, shown: &PlanShown<'_>) -> String {
    let word = match drift.severity {
        Severity::Error => "breaks traffic",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    };
    let mut out = format!(
        "- **{word}** {}: {}",
        at(
            &drift.addr.to_string(),
            || shown.places.of(&drift.addr, &drift.what),
            shown
        ),
        prose(&drift.what)
    );
    for impact in &drift.impact {
        out.push_str(&format!("\n  - {}", prose(impact)));
    }
    if !drift.cause.is_empty() {
        out.push_str(&format!("\n  - *{}*", prose(&drift.cause)));
    }
    out.push('\n');
    out
}

/// What became of each step; failures first, since they are what is looked for.
pub(super) fn story(plan: &Plan, story: &Story<'_>) -> String {
    let mut out = String::new();
    for (target, moved) in story.ending.stale {
        out.push_str(&format!(
            "\n- {} moved: {}",
            code(target),
            prose(&moved.join(", "))
        ));
    }
    if let Some(why) = story.ending.state_lost {
        out.push_str(&format!(
            "\n**The state could not be written**: {}\n",
            prose(why)
        ));
    }
    let mut failed = String::new();
    let mut table = String::from("| step | what | outcome |\n| ---: | --- | --- |\n");
    for step in &plan.steps {
        let (outcome, long) = match story.outcomes.get(&step.id) {
            Some(Outcome::Done { milliseconds }) => (
                format!("verified, {}", words::milliseconds(*milliseconds)),
                None,
            ),
            Some(Outcome::DoneBefore) => ("done before".to_owned(), None),
            Some(Outcome::Failed { error }) => ("**failed**".to_owned(), Some(error)),
            Some(Outcome::Skipped { because }) => (format!("not done: {}", prose(because)), None),
            None => ("not begun".to_owned(), None),
        };
        table.push_str(&format!(
            "| {} | {} {} | {outcome} |\n",
            step.id,
            code(&step.addr.to_string()),
            prose(&step.title)
        ));
        if let Some(error) = long {
            let lines: Vec<String> = error.lines().map(crate::view::tame).collect();
            failed.push_str(&format!(
                "\nStep {} failed on {}:\n{}",
                step.id,
                code(&step.addr.to_string()),
                fence("text", &lines.join("\n"))
            ));
        }
    }
    out.push_str(&failed);
    if !plan.steps.is_empty() {
        const MOST_BYTES: usize = 20_000;
        let summary = words::count(plan.steps.len(), "step");
        if table.len() <= MOST_BYTES {
            out.push_str(&details(&summary, &table));
        }
    }
    out
}
