//! `accept "PL0154" { reason = "…" }`: a finding that someone has looked at and wants to keep.

use super::codes;
use super::found::Found;
use crate::config::block::Block;
use crate::config::evaluate::{Evaluator, text};
use crate::lang::evaluate;
use crate::model::{Diagnostic, Severity, Span};
use serde::Serialize;

/// Codes of the plan's findings: whether they are there is known only with live facts.
const LIVE: std::ops::Range<&str> = "PL0300".."PL0400";

/// An `accept` block, read.
#[derive(Clone, Debug)]
pub(in crate::config) struct Acceptance {
    code: String,
    on: Option<String>,
    reason: String,
    span: Span,
}

/// What was accepted, why, and how often it occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    pub code: String,
    pub on: Option<String>,
    pub reason: String,
    /// Findings of this kind in the configuration; those that need live facts are counted by the plan.
    pub findings: usize,
}

impl Accepted {
    /// Whether it means a finding with this code at this address.
    pub fn covers(&self, code: &str, address: &str) -> bool {
        covers(&self.code, self.on.as_deref(), code, &[address.to_owned()])
    }
}

fn covers(accepted: &str, on: Option<&str>, code: &str, addresses: &[String]) -> bool {
    let within = |on: &str, address: &str| {
        address
            .strip_prefix(on)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    accepted == code && on.is_none_or(|on| addresses.iter().any(|address| within(on, address)))
}

/// Reads the `accept` blocks.
pub(in crate::config) fn acceptances<'a>(
    blocks: &[Block<'a>],
    evaluator: &'a Evaluator<'a>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Acceptance> {
    let mut all = Vec::new();
    for block in blocks {
        if !block.expect_labels(&["CODE"], problems) {
            continue;
        }
        block.expect_attributes(&["reason", "on"], problems);
        block.expect_blocks(&[], problems);
        let mut read = |name: &str| {
            let written = block.attribute(name)?;
            let value = evaluate(written.value(), written.file, &evaluator.place());
            match value.and_then(|value| text(&value, &written.value_span())) {
                Ok(text) => Some((text, written.value_span())),
                Err(found) => {
                    problems.extend(found);
                    None
                }
            }
        };
        let (reason, on) = (read("reason"), read("on"));
        let Some((reason, place)) = reason else {
            if block.attribute("reason").is_none() {
                problems.push(block.missing("reason", "\"why this is meant\""));
            }
            continue;
        };
        if reason.trim().is_empty() {
            problems.push(
                crate::config::codes::WRONG_VALUE
                    .diagnostic()
                    .at(place, "the reason is empty")
                    .note("who reads the configuration later wants to know why this is meant")
                    .help("write a sentence"),
            );
            continue;
        }
        let acceptance = Acceptance {
            code: block.label().to_owned(),
            on: on.map(|(on, _)| on),
            reason,
            span: block.header(),
        };
        match acceptance.refusal() {
            Some(problem) => problems.push(problem),
            None => all.push(acceptance),
        }
    }
    all
}

impl Acceptance {
    fn refusal(&self) -> Option<Diagnostic> {
        let known = crate::explain::code(&self.code);
        let problem = codes::NOT_ACCEPTABLE.diagnostic();
        match known {
            None => Some(
                problem
                    .at(self.span.clone(), format!("there is no code {}", self.code))
                    .help("plimsoll explain lists all codes"),
            ),
            Some(code) if code.severity == Severity::Error && !may_be_meant(&self.code) => Some(
                problem
                    .at(
                        self.span.clone(),
                        format!("{} is an error: {}", self.code, code.title),
                    )
                    .note("Azure or a guest refuses it, accepted or not")
                    .help(format!("mend it; plimsoll explain {} says how", self.code)),
            ),
            Some(_) => None,
        }
    }
}

/// An error that nobody refuses but us: the interruption may be meant.
pub fn may_be_meant(code: &str) -> bool {
    code == crate::plan::codes::SILENT_SWITCH.code
}

/// Takes away what is accepted.
pub(super) fn apply(
    acceptances: Vec<Acceptance>,
    found: Vec<Found>,
    problems: &mut Vec<Diagnostic>,
) -> (Vec<Found>, Vec<Accepted>) {
    let mut counts = vec![0usize; acceptances.len()];
    let mut rest = Vec::new();
    for finding in found {
        let code = &finding.diagnostic.code;
        let by = acceptances
            .iter()
            .position(|a| covers(&a.code, a.on.as_deref(), code, &finding.addresses));
        match by {
            Some(at) => counts[at] += 1,
            None => rest.push(finding),
        }
    }
    let accepted = acceptances
        .into_iter()
        .zip(counts)
        .filter_map(|(a, findings)| {
            if findings == 0 && !LIVE.contains(&a.code.as_str()) {
                let place = a.on.as_ref().map_or_else(
                    || "anywhere in this configuration".to_owned(),
                    |on| format!("on {on}"),
                );
                problems.push(
                    codes::ACCEPTS_NOTHING
                        .diagnostic()
                        .at(a.span, format!("there is no {} {place}", a.code))
                        .help("take the block out"),
                );
                return None;
            }
            Some(Accepted {
                code: a.code,
                on: a.on,
                reason: a.reason,
                findings,
            })
        });
    let accepted = accepted.collect();
    (rest, accepted)
}
