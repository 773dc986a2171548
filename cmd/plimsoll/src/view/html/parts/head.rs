//! What stands above everything: what was read, the counts, and what must not be overlooked.

use super::super::{code, escaped};
use super::{MOST, alarm, more};
use crate::view::words;
use plimsoll_core::plan::{Action, Plan};
use std::fmt::Write as _;

pub(in crate::view::html) fn reads(plan: &Plan) -> String {
    let reads = &plan.reads;
    let parts: Vec<String> = [
        (reads.load_balancers, "load balancer"),
        (reads.public_ips, "public IP"),
        (reads.network_interfaces, "network interface"),
        (reads.guests, "guest"),
    ]
    .iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, noun)| words::count(*number, noun))
    .collect();
    if parts.is_empty() {
        "nothing".to_owned()
    } else {
        words::list(&parts)
    }
}

pub(in crate::view::html) fn counts(plan: &Plan) -> String {
    if !plan.has_changes() {
        return String::new();
    }
    let summary = plan.summary();
    let tally = &summary.tally;
    let other = tally.of(Action::Adopt) + tally.of(Action::Forget);
    let interruptions = summary.interruptions.len();
    let one = |number, one: &'static str, many: &'static str| if number == 1 { one } else { many };
    let loud = |number: usize| if number > 0 { " class=\"loud\"" } else { "" };
    let mut out = String::from("<ul class=\"counts\" aria-label=\"Counts\">\n");
    for (number, what, class) in [
        (tally.to_add(), "to add", ""),
        (tally.of(Action::Update), "to change", ""),
        (tally.to_destroy(), "to destroy", loud(tally.to_destroy())),
        (
            tally.guests,
            one(tally.guests, "guest to change", "guests to change"),
            "",
        ),
        (
            interruptions,
            one(interruptions, "interruption", "interruptions"),
            loud(interruptions),
        ),
        (
            tally.writes,
            one(tally.writes, "write to Azure", "writes to Azure"),
            "",
        ),
    ] {
        let _ = writeln!(out, "<li{class}><b>{number}</b> <span>{what}</span></li>");
    }
    if other > 0 {
        let _ = writeln!(
            out,
            "<li><b>{other}</b> <span>to adopt or forget</span></li>"
        );
    }
    out.push_str("</ul>\n");
    out
}

/// Why it cannot be applied, what is interrupted, what is deleted.
pub(in crate::view::html) fn alarms(plan: &Plan) -> String {
    let summary = plan.summary();
    let interruptions: Vec<String> = summary
        .interruptions
        .iter()
        .map(|flow| {
            format!(
                "{} (rule {}): {}",
                code(&words::destination(flow)),
                code(&flow.rule),
                escaped(&words::effect(flow))
            )
        })
        .collect();
    let deletions: Vec<String> = summary
        .deletions
        .iter()
        .map(|gone| escaped(&words::deletion(gone)))
        .collect();
    let blocked = if plan.applyable {
        unread(plan)
    } else {
        let why: Vec<String> = plan.blocked.iter().map(|w| escaped(w)).collect();
        alarm("blocked", "This plan cannot be applied", &why)
    };
    let accepted: Vec<String> = plan
        .accepted_unready
        .iter()
        .map(|guest| escaped(&words::accepted_unready(guest)))
        .collect();
    format!(
        "{blocked}{}{}{}",
        alarm("accepted", "Accepted", &accepted),
        alarm("interruptions", "Interruptions", &interruptions),
        alarm("deletions", "Deletions", &deletions)
    )
}

pub(in crate::view::html) fn unread(plan: &Plan) -> String {
    if plan.complete {
        return String::new();
    }
    let mut why: Vec<String> = plan.blocked.iter().map(|w| escaped(w)).collect();
    if why.is_empty() {
        why.push("This is a part of the picture.".to_owned());
    }
    alarm("unread", "Not everything could be read", &why)
}

/// What `--target` and `--exclude` keep out of the plan, and why.
pub(in crate::view::html) fn left_out(plan: &Plan) -> String {
    if plan.left_out.is_empty() {
        return String::new();
    }
    let mut out = String::from("<div class=\"card\"><ul class=\"items\">\n");
    for left in plan.left_out.iter().take(MOST) {
        let _ = writeln!(
            out,
            "<li><span class=\"tag\">not now</span><div class=\"what\">{} <span class=\"aside\">{}</span></div></li>",
            code(&left.addr.to_string()),
            escaped(&left.why)
        );
    }
    out.push_str("</ul></div>\n");
    out.push_str(&more(plan.left_out.len(), "change"));
    out
}
