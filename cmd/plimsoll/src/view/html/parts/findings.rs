//! What is wrong, and what moved.

use super::super::{code, escaped};
use super::{MOST, at, more};
use crate::view::{PlanShown, words};
use plimsoll_core::model::Severity;
use plimsoll_core::plan::{Drift, Finding};
use std::fmt::Write as _;

fn severity_tag(severity: Severity) -> String {
    let class = match severity {
        Severity::Error => "broken",
        Severity::Warning => "warning",
        Severity::Advice => "foreign",
    };
    format!(
        "<span class=\"tag {class}\">{}</span>",
        words::severity(severity)
    )
}

pub(in crate::view::html) fn findings(shown: &PlanShown<'_>) -> String {
    let all = &shown.plan.findings;
    if all.is_empty() {
        return String::new();
    }
    let mut out = String::from("<div class=\"card\"><ul class=\"items\">\n");
    for finding in all.iter().take(MOST) {
        out.push_str(&one_finding(finding, shown));
    }
    out.push_str("</ul></div>\n");
    out.push_str(&more(all.len(), "finding"));
    out.push_str("<p class=\"note\"><code>plimsoll explain CODE</code> says more of each.</p>\n");
    out
}

fn one_finding(finding: &Finding, shown: &PlanShown<'_>) -> String {
    let mut aside = vec![code(&finding.code)];
    if let Some(addr) = &finding.addr {
        aside.push(code(&addr.to_string()));
        aside.extend(at(shown, addr, &finding.what));
    }
    let mut out = format!(
        "<li>{}<div class=\"what\">{} <span class=\"aside\">{}</span>",
        severity_tag(finding.severity),
        escaped(&finding.what),
        aside.join(" · ")
    );
    for note in &finding.notes {
        let _ = write!(out, "<br><span class=\"aside\">{}</span>", escaped(note));
    }
    out.push_str("</div></li>\n");
    out
}

/// What the configuration asks for since the last apply: nobody moved it.
pub(in crate::view::html) fn pending(shown: &PlanShown<'_>) -> String {
    drift_list(shown.plan.not_yet_applied.iter(), shown)
}

/// What moved, in a plan that puts it right.
pub(in crate::view::html) fn moved(shown: &PlanShown<'_>) -> String {
    drift_list(shown.plan.drift.iter().filter(|d| d.kind.is_news()), shown)
}

pub(in crate::view::html) fn drift(shown: &PlanShown<'_>) -> String {
    drift_list(shown.plan.drift.iter(), shown)
}

fn drift_list<'a>(all: impl Iterator<Item = &'a Drift>, shown: &PlanShown<'_>) -> String {
    let mut sorted: Vec<&Drift> = all.collect();
    if sorted.is_empty() {
        return String::new();
    }
    sorted.sort_by_key(|d| d.severity);
    let mut out = String::from("<div class=\"card\"><ul class=\"items\">\n");
    for one in sorted.iter().take(MOST) {
        let tag = match one.severity {
            Severity::Error => "<span class=\"tag broken\">breaks traffic</span>".to_owned(),
            Severity::Warning | Severity::Advice => severity_tag(one.severity),
        };
        let mut aside = vec![code(&one.addr.to_string())];
        aside.extend(at(shown, &one.addr, &one.what));
        let _ = write!(
            out,
            "<li>{tag}<div class=\"what\">{} <span class=\"aside\">{}</span>",
            escaped(&one.what),
            aside.join(" · ")
        );
        if !one.impact.is_empty() {
            out.push_str("<ul>");
            for impact in &one.impact {
                let _ = write!(out, "<li>{}</li>", escaped(impact));
            }
            out.push_str("</ul>");
        }
        if !one.cause.is_empty() {
            let _ = write!(out, "<div class=\"aside\">{}</div>", escaped(&one.cause));
        }
        out.push_str("</div></li>\n");
    }
    out.push_str("</ul></div>\n");
    out.push_str(&more(sorted.len(), "difference"));
    out
}
