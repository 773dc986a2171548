//! A report for a pull request, a job summary or an issue. A reviewer on a phone understands its first three lines: the
//! verdict in words, the counts, and what is interrupted or deleted; the rest is folded, and cut by whole resources.

mod escape;
mod parts;

use super::PlanShown;
use super::picture::Moment;
use super::shown::Story;
use super::verdict::{self, Verdict};
use super::{tally, words};
use escape::{code, fence, html, prose};
use plimsoll_core::model::Severity;
use plimsoll_core::plan::Plan;

/// Who renders it: they differ in mermaid's fence and in how long a comment may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Reader {
    Github,
    AzureDevops,
}

impl Reader {
    /// A comment in GitHub has at most 65,536 characters, one in Azure DevOps 150,000. Bytes are counted here, which are
    /// never fewer, and the pipeline has room for a line of its own.
    fn limit(self) -> usize {
        match self {
            Self::Github => 64_000,
            Self::AzureDevops => 148_000,
        }
    }

    fn mermaid(self, text: &str) -> String {
        match self {
            Self::Github => fence("mermaid", text),
            Self::AzureDevops => format!("::: mermaid\n{}\n:::\n", text.trim_end()),
        }
    }
}

/// Parts in order; those that are not vital are left out once there is no room, and that is said.
struct Document {
    text: String,
    limit: usize,
    left_out: usize,
}

impl Document {
    fn new(kind: &str, plan: &Plan, reader: Reader) -> Self {
        Self {
            // A bot finds its own comment by this line. A deployment's name holds letters, digits and dashes only.
            text: format!("<!-- plimsoll {kind} {} -->\n", html(&plan.deployment)),
            limit: reader.limit(),
            left_out: 0,
        }
    }

    fn vital(&mut self, part: &str) {
        self.text.push_str(part);
    }

    fn gap(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// Whole or not at all, with room for what comes at the end.
    fn optional(&mut self, part: &str, tail: usize) -> bool {
        if self.text.len() + part.len() + tail > self.limit {
            self.left_out += 1;
            return false;
        }
        self.text.push_str(part);
        true
    }
}

fn heading(verdict: &Verdict) -> String {
    format!("### {}\n", verdict.written(prose, code))
}

pub(crate) fn plan(shown: &PlanShown<'_>, reader: Reader) -> String {
    let mut document = Document::new("plan", shown.plan, reader);
    document.vital(&heading(&verdict::plan(shown.plan)));
    body(shown, reader, &mut document);
    document.text
}

/// What a plan consists of, below its verdict.
fn body(shown: &PlanShown<'_>, reader: Reader, document: &mut Document) {
    let plan = shown.plan;
    let tally = plan.tally();
    let lab = if plan.lab { " · in the lab" } else { "" };
    document.gap();
    document.vital(&format!("**{}**{lab}", code(&plan.deployment)));
    if plan.has_changes() {
        document.vital(&format!(" · {}", tally::sentence(&tally)));
    }
    document.vital("\n");
    document.vital(&parts::standout(plan));
    let tail = tail(shown);
    let picture = parts::topology(plan, Moment::Planned, reader);
    document.optional(&picture, tail.len());
    let mut hidden = Vec::new();
    for resource in parts::resources(plan) {
        if !document.optional(&resource.text, tail.len() + 200) {
            hidden.push(resource.names);
        }
    }
    if !hidden.is_empty() {
        let names: usize = hidden.iter().sum();
        document.vital(&format!(
            "\n*{} not shown here, for want of room: the saved plan and the HTML report have all of it.*\n",
            words::count(names, "more resource")
        ));
    }
    document.optional(&parts::left_out(plan), tail.len());
    for script in parts::scripts(shown.scripts) {
        if !document.optional(&script, tail.len() + 200) {
            document
                .vital("\n*Not all scripts have room here: `plan --show-scripts` prints them.*\n");
            break;
        }
    }
    document.optional(&parts::traffic_and_order(plan), tail.len());
    document.optional(&parts::findings(shown), tail.len());
    document.optional(&parts::moved(plan), tail.len());
    document.vital(&tail);
}

/// How to apply, and where this is from.
fn tail(shown: &PlanShown<'_>) -> String {
    let mut tail = String::from("\n");
    for (what, command) in shown.next {
        tail.push_str(&format!("{}:\n", prose(what)));
        tail.push_str(&fence("", &super::tame(command)));
    }
    let plan = shown.plan;
    tail.push_str(&format!(
        "\n<sub>plimsoll {} · read at {}</sub>\n",
        html(&plan.plimsoll_version),
        html(&plan.created)
    ));
    tail
}

pub(crate) fn drift(shown: &PlanShown<'_>, reader: Reader) -> String {
    let plan = shown.plan;
    let mut document = Document::new("drift", plan, reader);
    document.vital(&heading(&verdict::drift(plan)));
    document.gap();
    let lab = if plan.lab { " · in the lab" } else { "" };
    document.vital(&format!("**{}**{lab}\n", code(&plan.deployment)));
    if !plan.complete {
        document.vital(&parts::unread(plan));
    }
    let tail = tail(shown);
    let mut hidden = 0;
    document.gap();
    for severity in [Severity::Error, Severity::Warning, Severity::Advice] {
        for one in plan.drift.iter().filter(|d| d.severity == severity) {
            if !document.optional(&parts::drift(one, shown), tail.len() + 200) {
                hidden += 1;
            }
        }
    }
    if hidden > 0 {
        document.vital(&format!(
            "\n*{} not shown here, for want of room: `plimsoll drift` lists all.*\n",
            words::count(hidden, "more difference")
        ));
    }
    document.optional(&parts::pending(plan), tail.len());
    if !plan.drift.is_empty() {
        document.optional(&parts::topology(plan, Moment::Now, reader), tail.len());
    }
    document.vital(&tail);
    document.text
}

/// A plan and how applying it went.
pub(crate) fn applied(shown: &PlanShown<'_>, story: &Story<'_>, reader: Reader) -> String {
    let mut document = Document::new("apply", shown.plan, reader);
    document.vital(&format!("### {}\n", prose(&verdict::ending(story.ending))));
    document.vital(&parts::story(shown.plan, story));
    let planned = verdict::plan(shown.plan).written(prose, code);
    document.vital(&format!("\nThe plan was: {planned}.\n"));
    body(shown, reader, &mut document);
    document.text
}

#[cfg(test)]
mod tests;
