//! Pools whose members are addresses: a guest is in one where an ip configuration of its has such an address. Its load
//! balancer's own write changes that, so nobody joins or leaves.

use super::load_balancer::LoadBalancerPlan;
use super::needs::Member;
use crate::model::observed::{Observation, Observed};
use crate::model::{ArmId, ItemKind, LoadBalancer};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

/// Address → the pools that name it, each with the network in which it does.
type Places = HashMap<IpAddr, Vec<(Option<ArmId>, ArmId)>>;

/// Which pools name which address, before and after the plan.
#[derive(Debug, Default)]
pub struct Addressed {
    before: Places,
    after: Places,
}

impl Addressed {
    pub fn new(plans: &[LoadBalancerPlan], observed: &Observed) -> Self {
        let mut both = Self::default();
        let seen = observed.load_balancers.values();
        for found in seen.filter_map(Observation::present) {
            note(found, &mut both.before);
            if !plans.iter().any(|plan| plan.id == found.id) {
                note(found, &mut both.after);
            }
        }
        for after in plans.iter().filter_map(|plan| plan.after.as_ref()) {
            note(after, &mut both.after);
        }
        both
    }

    /// As load balancers are to be, whatever they are now.
    pub fn after<'a>(load_balancers: impl Iterator<Item = &'a LoadBalancer>) -> Self {
        let mut both = Self::default();
        load_balancers.for_each(|body| note(body, &mut both.after));
        both
    }

    /// Whether no pool names any address.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// Adds the pools that name the members' own addresses.
    pub fn complete(&self, before: &mut [Member], after: &mut [Member], observed: &Observed) {
        for (members, places) in [(before, &self.before), (after, &self.after)] {
            if !places.is_empty() {
                members
                    .iter_mut()
                    .for_each(|member| complete(member, places, observed));
            }
        }
    }
}

fn note(load_balancer: &LoadBalancer, places: &mut Places) {
    for pool in load_balancer.of_kind(ItemKind::BackendPool) {
        let id = load_balancer.id_of(ItemKind::BackendPool, &pool.name);
        for member in pool.addresses() {
            let place = (member.network, id.clone());
            places.entry(member.address).or_default().push(place);
        }
    }
}

fn complete(member: &mut Member, places: &Places, observed: &Observed) {
    let Some(named) = member.own_address.and_then(|own| places.get(&own)) else {
        return;
    };
    let nic = member.id.parent().and_then(|id| {
        let seen = observed.network_interfaces.get(&id)?;
        seen.present()
    });
    // `…/virtualNetworks/vnet/subnets/web`
    let network = nic
        .and_then(|nic| nic.subnet(member.id.name()))
        .and_then(|subnet| subnet.parent());
    let pools: BTreeSet<ArmId> = named
        .iter()
        .filter(|(of, _)| of.is_none() || network.is_none() || *of == network)
        .map(|(_, pool)| pool.clone())
        .collect();
    member.pools.extend(pools);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::guest::Os;
    use crate::model::{Attr, IpConfiguration, Item, NetworkInterface};
    use serde_json::json;

    const NETWORKS: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks";

    fn balancer(address: &str) -> LoadBalancer {
        let mut lb = LoadBalancer::new(ArmId::network("s", "g", "loadBalancers", "web"));
        let pool = Item::new("ips")
            .with("virtual_network", Attr::Text(format!("{NETWORKS}/a")))
            .with(
                "addresses",
                Attr::Map([("one".to_owned(), address.to_owned())].into()),
            );
        lb.set(ItemKind::BackendPool, pool);
        lb
    }

    fn observed(lb: LoadBalancer, network: &str) -> (Observed, Member) {
        let id = ArmId::network("s", "g", "networkInterfaces", "n");
        let subnet = format!("{NETWORKS}/{network}/subnets/x");
        let rest = json!({"properties": {"ipConfigurations": [
            {"name": "ipconfig1", "properties": {"subnet": {"id": subnet}}}]}});
        let nic = NetworkInterface {
            id: id.clone(),
            ip_configurations: [(
                "ipconfig1".to_owned(),
                IpConfiguration {
                    private_address: Some([10, 0, 0, 4].into()),
                    primary: true,
                    backend_pools: Vec::new(),
                },
            )]
            .into(),
            virtual_machine: None,
            failed: false,
            rest: rest.as_object().cloned().unwrap_or_default(),
        };
        let mut seen = Observed::default();
        let member = Member {
            id: id.child("ipConfigurations", "ipconfig1"),
            os: Os::Linux,
            own_address: Some([10, 0, 0, 4].into()),
            pools: BTreeSet::new(),
        };
        seen.network_interfaces
            .insert(id, Observation::Present(nic));
        seen.load_balancers
            .insert(lb.id.clone(), Observation::Present(lb));
        (seen, member)
    }

    #[test]
    fn a_guest_with_the_address_in_that_network_is_a_member() {
        for (address, network, member_of) in [
            ("10.0.0.4", "a", 1),
            ("10.0.0.5", "a", 0),
            ("10.0.0.4", "b", 0),
            // An address may bring a network of its own.
            ("10.0.0.4 /b", "a", 0),
        ] {
            let address = address.replace("/b", &format!("{NETWORKS}/b"));
            let (seen, member) = observed(balancer(&address), network);
            let (mut before, mut after) = ([member.clone()], [member]);
            Addressed::new(&[], &seen).complete(&mut before, &mut after, &seen);
            assert_eq!(before[0].pools.len(), member_of, "{address} in {network}");
            assert_eq!(after[0].pools, before[0].pools);
        }
    }
}
