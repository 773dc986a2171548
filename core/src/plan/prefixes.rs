//! What Azure would refuse of a load balancer because of the public IP prefixes that its outbound frontends take their
//! addresses from: said before anything is written.

use super::load_balancer::LoadBalancerPlan;
use crate::model::observed::{Observation, Observed};
use crate::model::{ArmId, Item, ItemKind, LoadBalancer};

/// Ports that one address translates to (FACTS 5).
const PORTS_OF_AN_ADDRESS: u64 = 64_000;

/// Why this load balancer cannot be written. `made` says which prefixes the plan makes.
pub fn refused(
    plan: &LoadBalancerPlan,
    observed: &Observed,
    made: impl Fn(&ArmId) -> bool,
) -> Vec<String> {
    let Some(after) = plan.after.as_ref().filter(|_| plan.writes()) else {
        return Vec::new();
    };
    let mut all: Vec<String> = after
        .of_kind(ItemKind::Frontend)
        .filter_map(|frontend| {
            let id = prefix(frontend)?;
            let absent = observed.public_ip_prefixes.get(&id) == Some(&Observation::Absent);
            let gone = absent && !made(&id);
            gone.then(|| {
                format!(
                    "{}: frontend {:?} takes its addresses from public IP prefix {id}, which does not exist; create it first, or correct public_ip_prefix",
                    plan.addr, frontend.name
                )
            })
        })
        .collect();
    let outbound = after.of_kind(ItemKind::OutboundRule);
    let too_many = outbound.filter_map(|rule| too_many(after, rule, observed));
    all.extend(too_many.map(|why| format!("{}: {why}", plan.addr)));
    all
}

fn prefix(frontend: &Item) -> Option<ArmId> {
    frontend.text("public_ip_prefix").map(ArmId::new)
}

/// An outbound rule that gives its members more ports than its addresses have. Rules without a prefix were judged when the
/// configuration was checked: nothing had to be read for that.
fn too_many(after: &LoadBalancer, rule: &Item, observed: &Observed) -> Option<String> {
    let ports = u64::try_from(rule.int("allocated_outbound_ports")?).ok()?;
    let frontends = rule.list("frontends").iter();
    let frontends = frontends.filter_map(|id| after.by_id(ItemKind::Frontend, id));
    let (mut addresses, mut known) = (0_u64, false);
    for frontend in frontends {
        addresses += match prefix(frontend) {
            None => 1,
            Some(id) => {
                known = true;
                size(observed.public_ip_prefixes.get(&id)?.present()?.block?)?
            }
        };
    }
    let pool = ArmId::new(rule.text("backend_pool")?);
    let by_address = after.by_id(ItemKind::BackendPool, pool.as_str());
    let members =
        after.members_of(pool.name()).len() + by_address.map_or(0, |pool| pool.addresses().count());
    let needed = ports.checked_mul(u64::try_from(members).ok()?)?;
    let available = addresses.checked_mul(PORTS_OF_AN_ADDRESS)?;
    (known && needed > available).then(|| {
        format!(
            "outbound rule {:?} gives {members} members {ports} ports each, {needed} in all, and its frontends have {available}; lower allocated_outbound_ports (Azure refuses it: SpecifiedAllocatedOutboundPortsForOutboundRuleExceedsTotalNumberOfAvailablePorts)",
            rule.name
        )
    })
}

/// How many addresses a block has; Azure offers /28 to /31, and /124 to /127.
fn size(block: ipnet::IpNet) -> Option<u64> {
    1_u64.checked_shl(u32::from(block.max_prefix_len() - block.prefix_len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attr, PublicIpPrefix};

    #[test]
    fn ports_are_counted_against_the_addresses_of_the_prefix() {
        let mut lb = LoadBalancer::new(ArmId::network("s", "g", "loadBalancers", "web"));
        let out = ArmId::network("s", "g", "publicIPPrefixes", "out");
        let text = |text: &str| Attr::Text(text.to_owned());
        let frontend = Item::new("out").with("public_ip_prefix", text(out.as_str()));
        lb.set(ItemKind::Frontend, frontend);
        lb.set(ItemKind::BackendPool, Item::new("vms"));
        let frontends = vec![lb.id_of(ItemKind::Frontend, "out").to_string()];
        let pool = lb.id_of(ItemKind::BackendPool, "vms");
        let rule = Item::new("all")
            .with("frontends", Attr::List(frontends))
            .with("backend_pool", text(pool.as_str()))
            .with("allocated_outbound_ports", Attr::Int(64_000));
        let mut observed = Observed::default();
        let mut with = |block: Option<&str>, members: usize| {
            let member = |n| ArmId::new(format!("/nics/{n}/ipConfigurations/a"));
            let all = (0..members).map(member).collect();
            lb.members.insert("vms".to_owned(), all);
            let prefix = PublicIpPrefix {
                id: out.clone(),
                attributes: crate::model::Attributes::new(),
                failed: false,
                block: block.and_then(|text| text.parse().ok()),
                rest: serde_json::Map::new(),
            };
            let present = Observation::Present(prefix);
            observed.public_ip_prefixes.insert(out.clone(), present);
            too_many(&lb, &rule, &observed)
        };
        assert_eq!(with(Some("192.0.2.16/28"), 16), None);
        let why = with(Some("192.0.2.16/28"), 17);
        assert!(why.is_some_and(|why| why.contains("17 members") && why.contains("1024000")));
        assert_eq!(with(Some("2001:db8::/124"), 16), None);
        assert!(with(Some("192.0.2.16/31"), 3).is_some());
        // Azure has not said yet how large it is.
        assert_eq!(with(None, 17), None);
    }
}
