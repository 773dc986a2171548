//! Which address a frontend has, known now or only after apply.

use crate::config::Desired;
use crate::model::observed::Observed;
use crate::model::{ArmId, ItemKind, LoadBalancer, Where};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Public IP id → its address, from what was observed and from what the lab promises.
#[derive(Clone, Debug, Default)]
pub struct PublicAddresses(BTreeMap<ArmId, Where>);

impl PublicAddresses {
    pub fn new(desired: &Desired, observed: Option<&Observed>) -> Self {
        let mut known = BTreeMap::new();
        for public_ip in desired.public_ips.values() {
            let promised = match public_ip.lab_address {
                Some(address) => Where::Known(address),
                None => Where::AfterApply(public_ip.id.clone()),
            };
            known.insert(public_ip.id.clone(), promised);
        }
        for (id, observation) in observed.into_iter().flat_map(|o| &o.public_ips) {
            if let Some(address) = observation.present().and_then(|p| p.address) {
                known.insert(id.clone(), Where::Known(address));
            }
        }
        Self(known)
    }

    fn of(&self, id: &ArmId) -> Where {
        self.0
            .get(id)
            .cloned()
            .unwrap_or_else(|| Where::AfterApply(id.clone()))
    }
}

/// The address of one frontend of this load balancer; `None` where it has none of its own (a prefix, a Gateway chain).
pub fn frontend_address(
    load_balancer: &LoadBalancer,
    frontend: &str,
    public: &PublicAddresses,
) -> Option<Where> {
    let item = load_balancer.item(ItemKind::Frontend, frontend)?;
    if let Some(id) = item.text("public_ip") {
        return Some(public.of(&ArmId::new(id)));
    }
    item.text("subnet")?;
    if LoadBalancer::is_dynamic(item) {
        let chosen = load_balancer
            .dynamic_addresses
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(frontend));
        return Some(match chosen {
            Some((_, address)) => Where::Known(*address),
            None => Where::AfterApply(load_balancer.id_of(ItemKind::Frontend, &item.name)),
        });
    }
    item.text("private_ip_address")?
        .parse::<IpAddr>()
        .ok()
        .map(Where::Known)
}
