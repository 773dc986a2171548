//! What is done: the order, the traffic meanwhile, the scripts, and how it went.

use super::super::{code, escaped};
use super::{MOST, alarm, more};
use crate::view::scripts::shown;
use crate::view::shown::{Outcome, Story};
use crate::view::{GuestScript, words};
use plimsoll_core::plan::{Effect, Plan};
use std::fmt::Write as _;

pub(in crate::view::html) fn traffic(plan: &Plan) -> String {
    if plan.traffic.is_empty() || plan.steps.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<div class=\"table\" tabindex=\"0\" role=\"group\" aria-label=\"Traffic\"><table>\n<thead><tr><th scope=\"col\">Destination</th><th scope=\"col\">Rule</th><th scope=\"col\">What happens</th></tr></thead>\n<tbody>\n",
    );
    let mut flows: Vec<_> = plan.traffic.iter().collect();
    flows.sort_by_key(|t| !t.effect.interrupts());
    for flow in flows.iter().take(MOST) {
        let class = match flow.effect {
            Effect::NotInterrupted if flow.lost.is_some() => "warning",
            Effect::NotInterrupted => "same",
            Effect::Begins { .. } => "added",
            Effect::Ends { .. } | Effect::Changes { .. } => "deleted",
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\" class=\"mono\">{}</th><td>{}</td><td><span class=\"tag {class}\">{}</span></td></tr>",
            escaped(&words::destination(flow)),
            escaped(&flow.rule),
            escaped(&words::effect(flow))
        );
    }
    out.push_str("</tbody></table></div>\n");
    out.push_str(&more(flows.len(), "destination"));
    out
}

pub(in crate::view::html) fn order(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return String::new();
    }
    let mut out = String::new();
    if let Some(cost) = words::cost(plan) {
        let _ = writeln!(out, "<p>Takes {}</p>", escaped(&cost));
    }
    out.push_str("<ol class=\"steps\">\n");
    for step in plan.steps.iter().take(MOST) {
        let mut whys: Vec<&str> = Vec::new();
        for edge in &step.after {
            if !whys.contains(&edge.why.as_str()) {
                whys.push(&edge.why);
            }
        }
        let _ = write!(
            out,
            "<li value=\"{}\"><span class=\"tag\">{}</span> {} {}",
            step.id,
            words::phase(step.phase),
            code(&step.addr.to_string()),
            escaped(&step.title)
        );
        for why in whys {
            let ids: Vec<String> = step
                .after
                .iter()
                .filter(|e| e.why == why)
                .take(8)
                .map(|e| e.step.to_string())
                .collect();
            let _ = write!(
                out,
                "<br><span class=\"why\">after {}: {}</span>",
                words::list(&ids),
                escaped(why)
            );
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
    out.push_str(&more(plan.steps.len(), "step"));
    out
}

/// What guests are sent, each folded.
pub(in crate::view::html) fn scripts(scripts: &[GuestScript]) -> String {
    // Line ends and tabs are part of a script.
    let exact = |line: &str| -> String {
        let pieces: Vec<String> = line.split('\t').map(escaped).collect();
        pieces.join("\t") + "\n"
    };
    shown(scripts)
        .iter()
        .map(|script| {
            let text: String = script.text().lines().map(exact).collect();
            format!(
                "<details><summary>{}</summary>\n<pre tabindex=\"0\"><code>{}</code></pre>\n</details>\n",
                escaped(&script.title()),
                text
            )
        })
        .collect()
}

/// What became of each step.
pub(in crate::view::html) fn story(plan: &Plan, story: &Story<'_>) -> String {
    let mut out = String::new();
    let mut moved: Vec<String> = story
        .ending
        .stale
        .iter()
        .map(|(target, what)| format!("{}: {}", code(target), escaped(&what.join(", "))))
        .collect();
    moved.extend(
        story
            .ending
            .state_lost
            .map(|why| format!("The state could not be written: {}", escaped(why))),
    );
    out.push_str(&alarm("moved", "What stopped it", &moved));
    if plan.steps.is_empty() {
        return out;
    }
    out.push_str("<ol class=\"steps\">\n");
    for step in plan.steps.iter().take(MOST) {
        let (class, word, long) = match story.outcomes.get(&step.id) {
            Some(Outcome::Done { milliseconds }) => (
                "added",
                format!("verified, {}", words::milliseconds(*milliseconds)),
                None,
            ),
            Some(Outcome::DoneBefore) => ("added", "done before".to_owned(), None),
            Some(Outcome::Failed { error }) => ("broken", "failed".to_owned(), Some(error)),
            Some(Outcome::Skipped { because }) => ("warning", "not done".to_owned(), Some(because)),
            None => ("foreign", "not begun".to_owned(), None),
        };
        let _ = write!(
            out,
            "<li value=\"{}\"><span class=\"tag {class}\">{word}</span> {} {}",
            step.id,
            code(&step.addr.to_string()),
            escaped(&step.title)
        );
        if let Some(long) = long {
            let lines: Vec<String> = long.lines().map(escaped).collect();
            let _ = write!(
                out,
                "<pre tabindex=\"0\"><code>{}</code></pre>",
                lines.join("\n")
            );
        }
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
    out.push_str(&more(plan.steps.len(), "step"));
    out
}

pub(in crate::view::html) fn next(next: &[(String, String)]) -> String {
    next.iter()
        .map(|(what, command)| {
            format!(
                "<p>{}:</p>\n<pre tabindex=\"0\"><code>{}</code></pre>\n",
                escaped(what),
                escaped(command)
            )
        })
        .collect()
}
