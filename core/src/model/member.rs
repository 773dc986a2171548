//! Members of a pool that someone else filled, as reading it finds them: what a guest block can be made for each of.

use super::guest::Os;
use super::{ArmId, Item, ItemKind, LoadBalancer, NetworkInterface};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// By a name that is theirs alone within the pool.
pub type PoolMembers = BTreeMap<String, PoolMember>;

/// One machine in a pool, or one address of which nothing more is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolMember {
    /// The virtual machine's name; an instance's is `SCALESET_INSTANCE`, as Azure names it. A network interface that no
    /// machine holds, and an address, have their own.
    pub name: String,
    /// The virtual machine, or the instance of a scale set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<ArmId>,
    /// What runs in it, where Azure says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// Its ip configurations in the pool; none where the member is an address.
    pub interfaces: Vec<MemberInterface>,
    /// Of the first ip configuration, or the member itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_address: Option<IpAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInterface {
    pub id: ArmId,
    pub ip_configuration: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_address: Option<IpAddr>,
}

impl PoolMember {
    /// The number of an instance within its scale set.
    pub fn instance_id(&self) -> Option<&str> {
        let machine = self.machine.as_ref()?;
        machine.is_of_scale_set().then(|| machine.name())
    }
}

/// The members of a pool: those that Azure's back-references name, and those that are addresses. `interface` is what was
/// read of each network interface; one that has gone since is no member.
pub fn members<'a>(
    load_balancer: &LoadBalancer,
    pool: &str,
    interface: impl Fn(&ArmId) -> Option<&'a NetworkInterface>,
) -> PoolMembers {
    // By what a member is, so that two ip configurations of one machine are one member.
    let mut found: BTreeMap<ArmId, PoolMember> = BTreeMap::new();
    for id in load_balancer.members_of(pool) {
        let Some((nic, read)) = id
            .parent()
            .and_then(|nic| Some((nic.clone(), interface(&nic)?)))
        else {
            continue;
        };
        let machine = if nic.is_of_scale_set() {
            nic.parent()
        } else {
            read.virtual_machine.clone()
        };
        let configuration = read
            .ip_configurations
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(id.name()));
        let member = MemberInterface {
            id: nic.clone(),
            ip_configuration: configuration
                .map_or_else(|| id.name().to_owned(), |(name, _)| name.clone()),
            private_address: configuration.and_then(|(_, c)| c.private_address),
        };
        let entry = found
            .entry(machine.clone().unwrap_or_else(|| nic.clone()))
            .or_insert_with(|| PoolMember {
                name: machine.as_ref().map_or(nic.name().to_owned(), name_of),
                private_address: member.private_address,
                machine,
                os: None,
                interfaces: Vec::new(),
            });
        entry.interfaces.push(member);
    }
    let named = load_balancer.item(ItemKind::BackendPool, pool).into_iter();
    let id = load_balancer.id_of(ItemKind::BackendPool, pool);
    for by_address in named.flat_map(Item::addresses) {
        let member = PoolMember {
            name: by_address.name.to_owned(),
            machine: None,
            os: None,
            interfaces: Vec::new(),
            private_address: Some(by_address.address),
        };
        found.insert(
            id.child("loadBalancerBackendAddresses", by_address.name),
            member,
        );
    }
    keyed(found)
}

/// `3` of scale set `web` is `web_3`: only so do two sets in one pool have members of different names.
fn name_of(machine: &ArmId) -> String {
    match machine.parent().filter(|_| machine.is_of_scale_set()) {
        Some(set) => format!("{}_{}", set.name(), machine.name()),
        None => machine.name().to_owned(),
    }
}

/// Two resource groups may each have a `vm1`; then both are called by their group too, so that neither moves when the
/// other goes.
fn keyed(found: BTreeMap<ArmId, PoolMember>) -> PoolMembers {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    for member in found.values() {
        *names.entry(member.name.to_ascii_lowercase()).or_default() += 1;
    }
    found
        .into_iter()
        .map(|(id, member)| {
            let alone = names.get(&member.name.to_ascii_lowercase()) == Some(&1);
            let key = match id.resource_group().filter(|_| !alone) {
                Some(group) => format!("{group}/{}", member.name),
                None => member.name.clone(),
            };
            (key, member)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Attr, IpConfiguration};

    const NETWORK: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network";
    const COMPUTE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute";

    fn nic(id: &str, machine: Option<&str>, configurations: &[(&str, &str)]) -> NetworkInterface {
        NetworkInterface {
            id: ArmId::new(id),
            ip_configurations: configurations
                .iter()
                .map(|(name, address)| {
                    let configuration = IpConfiguration {
                        private_address: address.parse().ok(),
                        primary: true,
                        backend_pools: Vec::new(),
                    };
                    ((*name).to_owned(), configuration)
                })
                .collect(),
            virtual_machine: machine.map(ArmId::new),
            failed: false,
            rest: serde_json::Map::new(),
        }
    }

    /// A virtual machine with two NICs, an instance, a NIC that nobody holds, one that has gone, and another group's vm1.
    #[test]
    fn machines_instances_and_interfaces_are_members_once() {
        let vm1 = format!("{COMPUTE}/virtualMachines/vm1");
        let theirs = vm1.replace("/g/", "/h/");
        let instance = format!("{COMPUTE}/virtualMachineScaleSets/web/virtualMachines/3");
        let first = format!("{NETWORK}/networkInterfaces/a");
        let second = format!("{NETWORK}/networkInterfaces/b");
        let other = format!("{NETWORK}/networkInterfaces/c");
        let loose = format!("{NETWORK}/networkInterfaces/loose");
        let set = format!("{instance}/networkInterfaces/n");
        let all = [
            nic(&first, Some(&vm1), &[("IpConfig1", "10.0.0.4")]),
            nic(&second, Some(&vm1), &[("ipconfig1", "10.0.0.5")]),
            nic(&other, Some(&theirs), &[("ipconfig1", "10.0.0.6")]),
            nic(&set, Some(&instance), &[("ipconfig1", "10.0.0.7")]),
            nic(&loose, None, &[("ipconfig1", "10.0.0.8")]),
        ];
        let mut lb = LoadBalancer::new(ArmId::network("s", "g", "loadBalancers", "web"));
        let gone = format!("{NETWORK}/networkInterfaces/gone");
        let ids = [&first, &second, &other, &set, &loose, &gone];
        let ids = ids.map(|nic| ArmId::new(format!("{nic}/ipConfigurations/ipconfig1")));
        lb.members.insert("vms".to_owned(), ids.into());
        let found = members(&lb, "VMs", |id| all.iter().find(|nic| nic.id == *id));
        let seen: Vec<(&str, Option<&str>, usize, Option<String>)> = found
            .iter()
            .map(|(key, m)| {
                let address = m.private_address.map(|a| a.to_string());
                (key.as_str(), m.instance_id(), m.interfaces.len(), address)
            })
            .collect();
        let address = |text: &str| Some(text.to_owned());
        assert_eq!(
            seen,
            [
                ("g/vm1", None, 2, address("10.0.0.4")),
                ("h/vm1", None, 1, address("10.0.0.6")),
                ("loose", None, 1, address("10.0.0.8")),
                ("web_3", Some("3"), 1, address("10.0.0.7")),
            ]
        );
        // As the interface spells it.
        let spelled = &found["g/vm1"].interfaces[0].ip_configuration;
        assert_eq!(spelled, "IpConfig1");
    }

    #[test]
    fn a_pool_of_addresses_has_members_without_interfaces() {
        let mut lb = LoadBalancer::new(ArmId::network("s", "g", "loadBalancers", "web"));
        let addresses = [("a", "10.1.0.4"), ("b", "10.1.0.5 /subscriptions/s/vnet")];
        let addresses = addresses.map(|(name, at)| (name.to_owned(), at.to_owned()));
        let pool = Item::new("vms").with("addresses", Attr::Map(addresses.into()));
        lb.set(ItemKind::BackendPool, pool);
        let found = members(&lb, "vms", |_| None);
        let seen: Vec<_> = found
            .values()
            .map(|m| (m.name.as_str(), m.private_address.map(|a| a.to_string())))
            .collect();
        assert_eq!(
            seen,
            [
                ("a", Some("10.1.0.4".to_owned())),
                ("b", Some("10.1.0.5".to_owned()))
            ]
        );
        assert!(found.values().all(|m| m.interfaces.is_empty()));
    }
}
