//! A report as one HTML file: no script, nothing loaded from anywhere, readable with a keyboard, a screen reader, in light
//! and dark, and on paper. What is coloured is also worded.

mod parts;

use super::PlanShown;
use super::picture::Moment;
use super::shown::Story;
use super::tame;
use super::verdict::{self, Verdict};

const STYLE: &str = include_str!("style.css");

/// Text as text, in content and in attributes.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in tame(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// One part of the page, with a heading that the navigation leads to.
struct Section {
    id: &'static str,
    heading: &'static str,
    content: String,
}

impl Section {
    fn of(id: &'static str, heading: &'static str, content: String) -> Option<Self> {
        (!content.is_empty()).then_some(Self {
            id,
            heading,
            content,
        })
    }
}

/// What stands above the sections.
struct Head<'a> {
    /// `Plan`, `Drift`, `Apply`
    kind: &'a str,
    verdict: String,
    plain_verdict: String,
    /// Counts and alarms.
    opening: String,
}

fn words(verdict: &Verdict) -> (String, String) {
    (
        verdict.written(escaped, code),
        verdict.written(escaped, escaped),
    )
}

pub(crate) fn plan(shown: &PlanShown<'_>) -> String {
    let plan = shown.plan;
    let (verdict, plain_verdict) = words(&verdict::plan(plan));
    let head = Head {
        kind: "Plan",
        verdict,
        plain_verdict,
        opening: format!("{}{}", parts::counts(plan), parts::alarms(plan)),
    };
    page(shown, &head, plan_sections(shown))
}

fn plan_sections(shown: &PlanShown<'_>) -> Vec<Section> {
    let plan = shown.plan;
    [
        Section::of(
            "topology",
            "The way of the packets",
            parts::topology(plan, Moment::Planned),
        ),
        Section::of("changes", "Changes", parts::changes(shown)),
        Section::of("left-out", "Left out", parts::left_out(plan)),
        Section::of(
            "scripts",
            "What guests are sent",
            parts::scripts(shown.scripts),
        ),
        Section::of("traffic", "Traffic", parts::traffic(plan)),
        Section::of("order", "Order of the steps", parts::order(plan)),
        Section::of("findings", "Findings", parts::findings(shown)),
        Section::of(
            "map",
            "Where packets arrive",
            parts::map(plan, Moment::Planned),
        ),
        Section::of("drift", "Moved since the last apply", parts::moved(shown)),
        Section::of("next", "Next", parts::next(shown.next)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

pub(crate) fn drift(shown: &PlanShown<'_>) -> String {
    let plan = shown.plan;
    let (verdict, plain_verdict) = words(&verdict::drift(plan));
    let head = Head {
        kind: "Drift",
        verdict,
        plain_verdict,
        opening: parts::unread(plan),
    };
    let sections = [
        Section::of("drift", "What moved", parts::drift(shown)),
        Section::of("pending", "Not applied yet", parts::pending(shown)),
        Section::of(
            "topology",
            "The way of the packets",
            parts::topology(plan, Moment::Now),
        ),
        Section::of("map", "Where packets arrive", parts::map(plan, Moment::Now)),
        Section::of("findings", "Findings", parts::findings(shown)),
        Section::of("next", "Next", parts::next(shown.next)),
    ];
    page(shown, &head, sections.into_iter().flatten().collect())
}

/// A plan and how applying it went.
pub(crate) fn applied(shown: &PlanShown<'_>, story: &Story<'_>) -> String {
    let verdict = escaped(&verdict::ending(story.ending));
    let head = Head {
        kind: "Apply",
        plain_verdict: verdict.clone(),
        verdict,
        opening: parts::counts(shown.plan),
    };
    let mut sections: Vec<Section> = Section::of(
        "steps",
        "What became of each step",
        parts::story(shown.plan, story),
    )
    .into_iter()
    .collect();
    // The steps have been told already.
    sections.extend(plan_sections(shown).into_iter().filter(|s| s.id != "order"));
    page(shown, &head, sections)
}

fn page(shown: &PlanShown<'_>, head: &Head<'_>, sections: Vec<Section>) -> String {
    let plan = shown.plan;
    let mut navigation = String::new();
    let mut content = String::new();
    for Section {
        id,
        heading,
        content: inner,
    } in sections
    {
        navigation.push_str(&format!("<li><a href=\"#{id}\">{heading}</a></li>"));
        content.push_str(&format!(
            "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n{inner}</section>\n"
        ));
    }
    let lab = if plan.lab { " · in the lab" } else { "" };
    let deployment = escaped(&plan.deployment);
    let (kind, verdict, opening) = (head.kind, &head.verdict, &head.opening);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{kind} of {deployment}: {plain}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#content\">Skip to the content</a>\n\
         <header><div class=\"wrap\">\n<p class=\"kicker\">{kind} · {deployment}{lab}</p>\n<h1>{verdict}</h1>\n\
         <p class=\"meta\">{read} · read at <time datetime=\"{created}\">{created}</time></p>\n\
         <nav aria-label=\"Sections\"><ul>{navigation}</ul></nav>\n</div></header>\n\
         <main id=\"content\" tabindex=\"-1\"><div class=\"wrap\">\n{opening}{content}</div></main>\n\
         <footer><div class=\"wrap\">plimsoll {version}</div></footer>\n</body>\n</html>\n",
        plain = head.plain_verdict,
        read = escaped(&parts::reads(plan)),
        created = escaped(&plan.created),
        version = escaped(&plan.plimsoll_version),
    )
}

#[cfg(test)]
mod tests;
