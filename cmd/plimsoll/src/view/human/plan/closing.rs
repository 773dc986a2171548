//! The last lines: what else was noticed, how many of what, and the next command.

use super::folding;
use crate::view::human::page::{Ink, Line, Page};
use crate::view::{Detail, PlanShown, tally, words};
use plimsoll_core::model::{Addr, Severity};
use plimsoll_core::plan::{Finding, Plan};
use std::collections::BTreeSet;

/// The resources whose findings were shown beside them.
#[derive(Debug, Default)]
pub(super) struct Mentioned {
    addresses: BTreeSet<Addr>,
}

impl Mentioned {
    pub(super) fn mark(&mut self, addr: &Addr) {
        self.addresses.insert(addr.clone());
    }

    /// Prints a resource's findings below it.
    pub(super) fn findings_of(&mut self, addr: &Addr, plan: &Plan, page: &mut Page) {
        for finding in plan
            .findings
            .iter()
            .filter(|f| f.addr.as_ref() == Some(addr))
        {
            page.line(finding_line(finding, 2));
            for note in &finding.notes {
                page.line(Line::plain("      ").hang_here().put(note));
            }
        }
        self.mark(addr);
    }

    fn has(&self, finding: &Finding) -> bool {
        finding
            .addr
            .as_ref()
            .is_some_and(|addr| self.addresses.contains(addr))
    }
}

pub(super) fn severity_ink(severity: Severity) -> Ink {
    match severity {
        Severity::Error => Ink::Error,
        Severity::Warning => Ink::Warning,
        Severity::Advice => Ink::Faint,
    }
}

fn severity_sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "✗",
        Severity::Warning => "!",
        Severity::Advice => "·",
    }
}

/// `  ! nothing listens on 65.52.0.2:80   PL0301`
pub(super) fn finding_line(finding: &Finding, indent: usize) -> Line {
    Line::plain(" ".repeat(indent))
        .ink(
            severity_ink(finding.severity),
            severity_sign(finding.severity),
        )
        .put(" ")
        .hang_here()
        .put(&finding.what)
        .put("   ")
        .ink(Ink::Faint, &finding.code)
}

pub(super) fn section(shown: &PlanShown<'_>, mentioned: &Mentioned, page: &mut Page) {
    let plan = shown.plan;
    let rest: Vec<&Finding> = plan.findings.iter().filter(|f| !mentioned.has(f)).collect();
    if !rest.is_empty() {
        page.gap();
        page.line(Ink::Strong.line("Noticed"));
        for finding in rest.iter().take(folding::shown(rest.len(), page.detail())) {
            let mut line = Line::plain("  ")
                .ink(
                    severity_ink(finding.severity),
                    severity_sign(finding.severity),
                )
                .put(" ");
            if let Some(addr) = &finding.addr {
                line = line.ink(Ink::Strong, addr.to_string()).put("   ");
            }
            page.line(
                line.put(&finding.what)
                    .put("   ")
                    .ink(Ink::Faint, &finding.code)
                    .hang(6),
            );
            for note in &finding.notes {
                page.line(Line::plain("      ").hang_here().put(note));
            }
        }
        if let Some(rest) = folding::rest(rest.len(), "finding", page.detail()) {
            page.line(format!("  {rest}"));
        }
    }
    let moved = plan.drift.iter().filter(|d| d.kind.is_news()).count();
    if moved > 0 {
        page.gap();
        page.line(Line::plain(format!(
            "{} since the last apply: plimsoll drift says what it does",
            words::count(moved, "difference")
        )));
    }
    left_out(plan, page);
    counts(shown, page);
}

/// What `--target` and `--exclude` keep out of the plan, and why.
fn left_out(plan: &Plan, page: &mut Page) {
    if plan.left_out.is_empty() {
        return;
    }
    page.gap();
    page.line(Ink::Strong.line("Left out"));
    let all = &plan.left_out;
    let shown = folding::shown(all.len(), page.detail());
    for left in all.iter().take(shown) {
        page.line(
            Line::plain(format!("  {} ", words::symbol(left.action)))
                .ink(Ink::Strong, left.addr.to_string())
                .put("   ")
                .ink(Ink::Faint, &left.why)
                .hang(6),
        );
    }
    if let Some(rest) = folding::rest(all.len(), "change", page.detail()) {
        page.line(format!("  {rest}"));
    }
}

/// What a plan without changes says; that all is as declared only where all was looked at.
fn nothing(plan: &Plan) -> String {
    if !plan.applyable {
        "Nothing is planned: it cannot be applied as it is.".to_owned()
    } else if !plan.left_out.is_empty() {
        "No changes in what was asked for; more is left out.".to_owned()
    } else if !plan.complete {
        "No changes in what could be read.".to_owned()
    } else if plan.unasked > 0 {
        let guests = words::count(plan.unasked, "guest");
        format!("No changes in what was read; {guests} not asked.")
    } else {
        format!("No changes: {} is as declared.", plan.deployment)
    }
}

/// How many of what, and the next command.
pub(super) fn counts(shown: &PlanShown<'_>, page: &mut Page) {
    let plan = shown.plan;
    page.gap();
    if plan.has_changes() {
        page.line(Line::plain(tally::sentence(&plan.tally())).hang(2));
        // In the lab it takes what it takes.
        let tells = !plan.lab || page.detail() == Detail::Verbose;
        if let Some(cost) = words::cost(plan).filter(|_| tells) {
            page.line(Line::plain(format!("Takes {cost}")).hang(2));
        }
    } else {
        page.line(Ink::Strong.line(nothing(plan)));
    }
    if !plan.complete {
        page.line(
            Ink::Warning
                .line("Not everything could be read: this plan is a part of the picture.")
                .hang(2),
        );
    }
    codes(plan, page);
    next(shown.next, page);
}

/// `1 warning: plimsoll explain PL0301`
fn codes(plan: &Plan, page: &mut Page) {
    for severity in [Severity::Error, Severity::Warning] {
        let of: Vec<&Finding> = plan
            .findings
            .iter()
            .filter(|f| f.severity == severity)
            .collect();
        if of.is_empty() {
            continue;
        }
        let codes: BTreeSet<&str> = of.iter().map(|f| &*f.code).collect();
        let codes: Vec<&str> = codes.into_iter().collect();
        page.line(
            Line::default()
                .ink(
                    severity_ink(severity),
                    words::count(of.len(), words::severity(severity)),
                )
                .put(format!(": plimsoll explain {}", codes.join(", ")))
                .hang(2),
        );
    }
}

/// `To apply exactly this:  plimsoll apply plan.plim`
pub(crate) fn next(next: &[(String, String)], page: &mut Page) {
    if next.is_empty() {
        return;
    }
    page.gap();
    let widest = next
        .iter()
        .map(|(what, _)| what.chars().count())
        .max()
        .unwrap_or(0)
        .min(40);
    for (what, command) in next {
        page.line(
            Line::plain(format!("{what}:"))
                .to(widest + 3)
                .hang(2)
                .ink(Ink::Strong, command),
        );
    }
}
