//! A load balancer and each of its sub-resources in one line, for people.

use crate::model::item::effective;
use crate::model::{Item, ItemKind, LoadBalancer, Rule, Where};
use crate::plan::addresses::{PublicAddresses, frontend_address};

pub(super) fn about(load_balancer: &LoadBalancer) -> String {
    let text = |name: &str| load_balancer.attributes.get(name).map(ToString::to_string);
    let group = load_balancer.id.resource_group().map(str::to_owned);
    let parts: Vec<String> = [text("sku"), group, text("location")]
        .into_iter()
        .flatten()
        .collect();
    parts.join(" · ")
}

/// One line that says what the item is.
pub fn item_about(
    load_balancer: &LoadBalancer,
    kind: ItemKind,
    item: &Item,
    public: &PublicAddresses,
) -> String {
    match kind {
        ItemKind::Frontend => match frontend_address(load_balancer, &item.name, public) {
            Some(Where::Known(address)) => address.to_string(),
            Some(Where::AfterApply(_)) => "address known after apply".to_owned(),
            None => String::new(),
        },
        ItemKind::BackendPool => String::new(),
        ItemKind::Probe => {
            let path = item.text("request_path").unwrap_or_default();
            format!(
                "{} {}{path}",
                item.text("protocol").unwrap_or("?").to_lowercase(),
                item.int("port").unwrap_or(0)
            )
        }
        ItemKind::Rule => rule_about(load_balancer, item, public),
        ItemKind::InboundNatRule | ItemKind::OutboundRule => {
            let attributes = kind.attributes().iter().find(|a| a.name == "protocol");
            let protocol = attributes.and_then(|a| effective(&item.attributes, a));
            protocol
                .map(|p| p.to_string().to_lowercase())
                .unwrap_or_default()
        }
    }
}

fn rule_about(load_balancer: &LoadBalancer, item: &Item, public: &PublicAddresses) -> String {
    let rule = Rule { item };
    let address = rule
        .frontend()
        .and_then(|id| frontend_address(load_balancer, id.name(), public))
        .and_then(|w| w.known())
        .map_or_else(
            || {
                rule.frontend()
                    .map_or("?".to_owned(), |id| id.name().to_owned())
            },
            display,
        );
    let protocol = rule.protocol().map_or("?", |p| p.word());
    let pools: Vec<String> = rule.pools().map(|p| p.name().to_owned()).collect();
    let pools = if pools.is_empty() {
        "no pool".to_owned()
    } else {
        pools.join(", ")
    };
    let floating = if rule.floating() { ", floating IP" } else { "" };
    if protocol == "all" {
        format!("{address}, every port → {pools}{floating}")
    } else {
        format!(
            "{address}:{}/{protocol} → {pools}:{}{floating}",
            rule.frontend_port(),
            rule.backend_port()
        )
    }
}

fn display(address: std::net::IpAddr) -> String {
    if address.is_ipv6() {
        format!("[{address}]")
    } else {
        address.to_string()
    }
}
