//! SKUs, tiers and names of load balancers: what does not fit together, what plimsoll does not manage.

use super::codes;
use super::found::Found;
use super::scene::{Balancer, place, text};
use crate::config::Desired;
use crate::config::codes::NOT_SUPPORTED;
use crate::model::{Attr, Protocol};

/// How the cloud provider of Kubernetes names its own.
const OF_KUBERNETES: [&str; 2] = ["kubernetes", "kubernetes-internal"];

pub(super) fn check(balancer: &Balancer<'_>, desired: &Desired, found: &mut Vec<Found>) {
    let span = &balancer.wanted.span;
    let own = |name: &str| balancer.wanted.attributes.get(name).and_then(Attr::as_text);
    let sku = own("sku");
    let address = balancer.addr.to_string();
    if OF_KUBERNETES
        .iter()
        .any(|name| balancer.wanted.id.name().eq_ignore_ascii_case(name))
    {
        found.push(
            Found::new(&codes::KUBERNETES_NAME, &*address)
                .at(
                    span.clone(),
                    format!("Kubernetes names its own load balancer {:?}", balancer.wanted.id.name()),
                )
                .note("its cloud provider writes the whole load balancer, and so does plimsoll: each undoes what the other did")
                .help("make a load balancer of another name for these rules"),
        );
    }
    for (name, value) in [("sku", sku), ("sku_tier", own("sku_tier"))] {
        if let Some(value @ ("Gateway" | "Global")) = value {
            found.push(
                Found::new(&NOT_SUPPORTED, &*address)
                    .at(
                        span.clone(),
                        format!("this version of plimsoll does not manage {name} = {value:?}"),
                    )
                    .note("a load balancer of this kind that exists is left as it is")
                    .help("take the load balancer out of the configuration"),
            );
        }
    }
    if sku == Some("Basic") {
        found.push(
            Found::new(&codes::BASIC_RETIRED, &*address)
                .at(span.clone(), "a Basic load balancer")
                .note("Azure retired Basic on 30 September 2025")
                .help("take sku out: Standard is made"),
        );
    }
    if sku == Some("Basic") {
        standard_only(balancer, found);
    }
    for frontend in &balancer.frontends {
        let public = text(frontend.item, "public_ip").and_then(|id| {
            let id = crate::model::ArmId::new(id);
            desired.public_ips.values().find(|p| p.id == id)
        });
        let Some(public) = public else {
            continue;
        };
        let other = public.attributes.get("sku").and_then(Attr::as_text);
        if let (Some(sku), Some(other)) = (sku.or(Some("Standard")), other)
            && !sku.eq_ignore_ascii_case(other)
        {
            found.push(
                Found::on(&codes::SKU_MISMATCH, balancer, frontend.item)
                    .at(
                        place(frontend.item, "public_ip"),
                        format!("a {other} public IP address"),
                    )
                    .at(span.clone(), format!("a {sku} load balancer"))
                    .at(public.span.clone(), other.to_string())
                    .note("Azure refuses it (PublicIPAndLBSkuDoNotMatch)")
                    .help("give both the same sku; left out, it is Standard"),
            );
        }
    }
}

/// What a Basic load balancer does not have.
fn standard_only(balancer: &Balancer<'_>, found: &mut Vec<Found>) {
    let zonal = balancer.frontends.iter().filter(|frontend| {
        let zones = frontend.item.attributes.get("zones").map(Attr::as_list);
        frontend.internal && zones.is_some_and(|zones| !zones.is_empty())
    });
    let zonal = zonal.map(|frontend| (frontend.item, "zones", "availability zones"));
    let all = balancer
        .rules
        .iter()
        .filter(|r| r.protocol == Protocol::All);
    let all = all.map(|rule| (rule.item, "protocol", "HA ports"));
    let outbound = balancer.outbound_rules.iter();
    let outbound = outbound.map(|rule| (rule.item, "frontends", "outbound rules"));
    for (item, attribute, what) in zonal.chain(all).chain(outbound) {
        found.push(
            Found::on(&codes::SKU_MISMATCH, balancer, item)
                .at(place(item, attribute), format!("Basic has no {what}"))
                .at(balancer.wanted.span.clone(), "a Basic load balancer")
                .help("take sku out: Standard is made"),
        );
    }
}
