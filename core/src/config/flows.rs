//! Two rules of one pool must not produce the same flow: Azure would refuse the whole PUT, half-way through an apply.

use super::codes;
use super::desired::{DesiredItem, DesiredLoadBalancer};
use crate::model::{Diagnostic, Item, ItemKind, Protocol, Rule, Span};

/// Both conflict families of FACTS section 5.
pub(super) fn check(load_balancer: &DesiredLoadBalancer, problems: &mut Vec<Diagnostic>) {
    let rules: Vec<(&DesiredItem, Item)> = load_balancer
        .items
        .iter()
        .filter(|item| item.kind == ItemKind::Rule)
        .map(|item| {
            let read = Item {
                name: item.name.clone(),
                attributes: item.attributes.clone(),
                rest: serde_json::Map::new(),
            };
            (item, read)
        })
        .collect();
    let mut seen: std::collections::BTreeMap<Flow, &DesiredItem> =
        std::collections::BTreeMap::new();
    for (item, read) in &rules {
        let rule = Rule { item: read };
        for flow in flows(&rule) {
            match seen.get(&flow) {
                Some(first) => problems.push(conflict(item, first, &flow)),
                None => {
                    seen.insert(flow, item);
                }
            }
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Flow {
    protocol: Protocol,
    port: u16,
    pool: String,
    /// The frontend's name where floating IP keeps its address as destination.
    floating_on: Option<String>,
}

fn flows(rule: &Rule<'_>) -> Vec<Flow> {
    let (Some(protocol), Some(frontend)) = (rule.protocol(), rule.frontend()) else {
        return Vec::new();
    };
    // HA-ports rules have constraints of their own.
    if protocol == Protocol::All {
        return Vec::new();
    }
    rule.pools()
        .map(|pool| Flow {
            protocol,
            port: rule.backend_port(),
            pool: pool.folded(),
            floating_on: rule.floating().then(|| frontend.folded()),
        })
        .collect()
}

fn conflict(item: &DesiredItem, first: &DesiredItem, flow: &Flow) -> Diagnostic {
    let pool = flow.pool.rsplit('/').next().unwrap_or_default();
    let Flow {
        protocol,
        port,
        floating_on,
        ..
    } = flow;
    let diagnostic = Diagnostic::error(codes::SAME_FLOW.code, codes::SAME_FLOW.title);
    match floating_on {
        None => {
            let labelled = diagnostic
                .at(item.span.clone(), format!("{protocol} to port {port} of the VM's own address, pool {pool:?}"))
                .at(first.span.clone(), format!("the same: {protocol}, backend port {port}, pool {pool:?}"))
                .note(
                    "without floating IP both rules arrive at the VM's own address, so Azure refuses the second \
                     (RulesUseSameBackendPortProtocolAndPool)",
                );
            match end_of_attributes(item) {
                Some(span) if !item.attributes.contains_key("floating_ip") => labelled.patch(
                    "let each arrive at its frontend's address",
                    span,
                    "\n    floating_ip = true",
                ),
                Some(_) | None => labelled
                    .help("set floating_ip = true on both, so that each arrives at its frontend's address, or give them different backend ports"),
            }
        }
        Some(frontend) => {
            let frontend = frontend.rsplit('/').next().unwrap_or_default();
            diagnostic
                .at(item.span.clone(), format!("{protocol} to port {port} of frontend {frontend:?}, pool {pool:?}"))
                .at(first.span.clone(), format!("the same: {protocol}, backend port {port}, frontend {frontend:?}, pool {pool:?}"))
                .note(
                    "with floating IP both rules arrive at the same frontend's address and port, so Azure refuses the second \
                     (RulesUseSameBackendPortProtocolAndPoolAndFrontendIPWithFloatingIPEnabled)",
                )
                .help("give them different backend ports, or another frontend")
        }
    }
}

/// Just behind the last attribute that was written.
fn end_of_attributes(item: &DesiredItem) -> Option<Span> {
    let last = item.attribute_spans.values().max_by_key(|s| s.end)?;
    Some(Span::new(last.file.clone(), last.end..last.end))
}
