//! What Azure's side shows only when it is read: secondary IP configurations, inbound NAT pools.

use super::super::Finding;
use super::super::codes;
use super::finding;
use crate::config::Desired;
use crate::model::item::diff;
use crate::model::observed::{Observation, Observed};
use crate::model::{Attr, ItemKind, LoadBalancer, NetworkInterface};
use std::collections::BTreeSet;

pub(super) fn findings(desired: &Desired, observed: &Observed) -> Vec<Finding> {
    let mut all = secondary(desired, observed);
    all.extend(nat_pools(desired, observed));
    all
}

fn secondary(desired: &Desired, observed: &Observed) -> Vec<Finding> {
    let floating: BTreeSet<String> = desired
        .load_balancers
        .values()
        .flat_map(|lb| &lb.items)
        .filter(|item| item.kind == ItemKind::Rule)
        .filter(|item| item.attributes.get("floating_ip") == Some(&Attr::Bool(true)))
        .flat_map(|item| {
            let pools = item.attributes.get("backend_pools");
            pools.map(Attr::as_list).unwrap_or_default()
        })
        .map(|id| id.to_ascii_lowercase())
        .collect();
    let mut all = Vec::new();
    for (addr, guest) in &desired.guests {
        for interface in &guest.interfaces {
            let joins = interface
                .backend_pools
                .iter()
                .any(|pool| floating.contains(&pool.folded()));
            let nic = observed
                .network_interfaces
                .get(&interface.id)
                .and_then(Observation::present);
            if let (true, Some(nic)) = (joins, nic)
                && is_secondary(nic, &interface.ip_configuration)
            {
                all.push(
                    finding(
                        addr,
                        &codes::SECONDARY_CONFIGURATION,
                        format!(
                            "{:?} is a secondary IP configuration of {}",
                            interface.ip_configuration,
                            interface.id.name()
                        ),
                    )
                    .note("Microsoft says that floating IP does not work there")
                    .note("put the primary configuration into the pool, or give the VM a second network interface"),
                );
            }
        }
    }
    all
}

fn is_secondary(nic: &NetworkInterface, name: &str) -> bool {
    nic.ip_configurations
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .is_some_and(|(_, configuration)| configuration.is_secondary())
}

fn nat_pools(desired: &Desired, observed: &Observed) -> Vec<Finding> {
    let mut all = Vec::new();
    for (addr, wanted) in &desired.load_balancers {
        let there = observed
            .load_balancers
            .get(&wanted.id)
            .and_then(Observation::present);
        let Some(there) = there.filter(|lb| has_nat_pools(lb)) else {
            continue;
        };
        let changed = wanted
            .items
            .iter()
            .filter(|item| item.kind == ItemKind::InboundNatRule)
            .find(|item| {
                there.item(item.kind, &item.name).is_none_or(|before| {
                    !diff(item.kind.attributes(), &before.attributes, &item.attributes).is_empty()
                })
            });
        if let Some(item) = changed {
            all.push(
                finding(
                    addr,
                    &codes::NAT_POOLS,
                    format!("inbound NAT rule {:?} beside inbound NAT pools", item.name),
                )
                .note("Azure refuses it (AddingOrUpdatingNatRulesWhenNatPoolIsPresentOnLoadbalancerIsNotSupported)")
                .note("use a load balancer without NAT pools for inbound NAT rules"),
            );
        }
    }
    all
}

fn has_nat_pools(load_balancer: &LoadBalancer) -> bool {
    load_balancer
        .rest
        .get("properties")
        .and_then(|properties| properties.get("inboundNatPools"))
        .and_then(serde_json::Value::as_array)
        .is_some_and(|pools| !pools.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::configuration;
    use super::*;
    use crate::model::{ArmId, IpConfiguration};

    fn with_nic(primary: bool, floating: bool) -> Vec<String> {
        let desired = configuration(floating);
        let (_, guest) = desired.guests.iter().next().unwrap();
        let id = guest.interfaces[0].id.clone();
        let configuration = IpConfiguration {
            private_address: Some("10.0.0.11".parse().unwrap()),
            primary,
            backend_pools: Vec::new(),
        };
        let nic = NetworkInterface {
            id: id.clone(),
            ip_configurations: [("ipconfig1".to_owned(), configuration)]
                .into_iter()
                .collect(),
            virtual_machine: None,
            failed: false,
            rest: serde_json::Map::new(),
        };
        let mut observed = Observed::default();
        observed
            .network_interfaces
            .insert(id, Observation::Present(nic));
        codes_of(&desired, &observed)
    }

    fn codes_of(desired: &Desired, observed: &Observed) -> Vec<String> {
        findings(desired, observed)
            .into_iter()
            .map(|f| f.code.into_owned())
            .collect()
    }

    #[test]
    fn floating_ip_wants_the_primary_configuration() {
        assert_eq!(with_nic(false, true), ["PL0314"]);
        assert!(with_nic(true, true).is_empty());
        assert!(with_nic(false, false).is_empty());
    }

    #[test]
    fn nat_rules_and_nat_pools_exclude_each_other() {
        let desired = configuration(true);
        let (_, wanted) = desired.load_balancers.iter().next().unwrap();
        let mut there = LoadBalancer::new(ArmId::new(wanted.id.as_str()));
        let mut observed = Observed::default();
        observed
            .load_balancers
            .insert(there.id.clone(), Observation::Present(there.clone()));
        assert!(codes_of(&desired, &observed).is_empty());
        let pools = serde_json::json!({ "inboundNatPools": [{ "name": "scale-set" }] });
        there.rest.insert("properties".to_owned(), pools);
        observed
            .load_balancers
            .insert(there.id.clone(), Observation::Present(there.clone()));
        assert_eq!(codes_of(&desired, &observed), ["PL0320"]);
        // Unchanged rules may stay.
        let there = wanted.over(Some(&there));
        observed
            .load_balancers
            .insert(there.id.clone(), Observation::Present(there));
        assert!(codes_of(&desired, &observed).is_empty());
    }
}
