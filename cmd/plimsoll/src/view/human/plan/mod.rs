//! The plan as a person reads it: what stands out first, then one block a resource, then traffic, order, counts and the
//! next command.

mod closing;
mod folding;
mod guest;
mod order;
pub(crate) mod pages;
mod resource;
mod standout;
mod traffic;

pub(super) use closing::next;

use super::page::{Ink, Line, Page};
use crate::view::{Detail, PlanShown, words};
use plimsoll_core::model::Kind;
use plimsoll_core::plan::{Mode, Plan};

pub(crate) fn page(shown: &PlanShown<'_>, detail: Detail) -> Page {
    let plan = shown.plan;
    let mut page = Page::new(detail);
    if detail == Detail::Quiet {
        standout::section(plan, &mut page);
        closing::counts(shown, &mut page);
        return page;
    }
    headline(shown, &mut page);
    standout::section(plan, &mut page);
    let mut told = closing::Mentioned::default();
    // Nothing to do is one line, not a list of everything that is in order.
    let news = plan.changes.iter().filter(|c| c.is_news());
    for change in news.filter(|c| c.addr.kind != Kind::Guest) {
        page.gap();
        resource::block(change, plan, &mut told, &mut page);
    }
    guest::section(plan, &mut told, &mut page);
    outputs(plan, &mut page);
    traffic::section(plan, &mut page);
    order::section(plan, &mut page);
    closing::section(shown, &told, &mut page);
    page
}

fn headline(shown: &PlanShown<'_>, page: &mut Page) {
    let plan = shown.plan;
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
    let read = if parts.is_empty() {
        "nothing".to_owned()
    } else {
        words::list(&parts)
    };
    let mut line = Ink::Strong.line(&plan.deployment);
    if plan.lab {
        line = line.put(" · in the lab");
    }
    line = match shown.took {
        Some(took) => line.put(format!(" · {read} read in {}", words::time(took))),
        None => line.put(format!(" · {read} read at {}", plan.created)),
    };
    if plan.mode == Mode::Destroy {
        line = line.put(" · ").ink(Ink::Removed, "destroy");
    }
    page.line(line.hang(2));
}

fn outputs(plan: &Plan, page: &mut Page) {
    if plan.outputs.is_empty() || !plan.has_changes() {
        return;
    }
    page.gap();
    page.line(Ink::Strong.line("Outputs"));
    let widest = plan
        .outputs
        .iter()
        .map(|o| o.name.chars().count())
        .max()
        .unwrap_or(0);
    for output in &plan.outputs {
        let value = match &output.value {
            serde_json::Value::String(text) => format!("{text:?}"),
            other => other.to_string(),
        };
        page.line(
            Line::plain(format!("  {}", output.name))
                .to(widest + 4)
                .hang_here()
                .put(value),
        );
    }
}
