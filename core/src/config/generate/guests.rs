//! The members of the pools as guests: one block for each virtual machine.

use super::{Existing, Writer, label, line, quote};
use crate::model::observed::Observation;
use crate::model::{Addr, ArmId, ItemKind, Kind, NetworkInterface};
use std::collections::{BTreeMap, BTreeSet};

/// A member of pools. Where no virtual machine holds the network interface, that stands for one.
#[derive(Debug)]
pub(super) struct Machine {
    id: ArmId,
    pub(super) label: String,
    /// Its ip configurations that are in pools, each with the ids of those.
    places: BTreeMap<ArmId, BTreeSet<ArmId>>,
}

impl Machine {
    pub(super) fn is_in(&self, pools: &BTreeSet<ArmId>) -> bool {
        self.places.values().any(|of| !of.is_disjoint(pools))
    }
}

/// Whoever is in a pool and has a network interface of its own.
pub(super) fn machines(existing: &Existing) -> Vec<Machine> {
    let lb = &existing.load_balancer;
    let mut found: BTreeMap<ArmId, BTreeMap<ArmId, BTreeSet<ArmId>>> = BTreeMap::new();
    for (pool, members) in &lb.members {
        for member in members {
            let Some(nic) = member.parent().and_then(|id| interface(existing, &id)) else {
                continue;
            };
            let machine = nic.virtual_machine.as_ref().unwrap_or(&nic.id);
            let places = found.entry(machine.clone()).or_default();
            let pools = places.entry(member.clone()).or_default();
            pools.insert(lb.id_of(ItemKind::BackendPool, pool));
        }
    }
    let mut used = BTreeSet::new();
    let named = found.into_iter().map(|(id, places)| Machine {
        label: label(id.name(), &mut used),
        id,
        places,
    });
    named.collect()
}

pub(super) fn write(writer: &Writer<'_>, out: &mut String) {
    let existing = writer.existing;
    // Those of a scale set are no resources of their own: the scale set says which pools they join.
    let members = existing.load_balancer.members.values().flatten();
    let unsaid: BTreeSet<&ArmId> = members
        .filter(|member| {
            let nic = member.parent();
            nic.is_some_and(|id| interface(existing, &id).is_none())
        })
        .collect();
    for member in unsaid {
        let why = "its scale set says which pools its instances join";
        line(
            out,
            &format!("# Not said here, because {why}: member {member}"),
        );
    }
    for machine in &writer.machines {
        guest(writer, out, machine);
    }
}

fn interface<'a>(existing: &'a Existing, id: &ArmId) -> Option<&'a NetworkInterface> {
    existing.network_interfaces.iter().find(|nic| nic.id == *id)
}

fn guest(writer: &Writer<'_>, out: &mut String, machine: &Machine) {
    let existing = writer.existing;
    let os = match existing.windows.contains(&machine.id) {
        true => "windows",
        false => "linux",
    };
    let asked = Addr::new(Kind::Guest, &machine.label);
    if let Some(Observation::Unreadable { why }) = existing.inside.get(&asked) {
        let why = why.replace(char::is_control, " ");
        line(out, &format!("# It could not be asked: {why}"));
    }
    line(
        out,
        &format!("guest {} {{\nos = {}", quote(&machine.label), quote(os)),
    );
    let mut used = BTreeSet::new();
    let mut first_address = None;
    for (member, pools) in &machine.places {
        let Some(nic) = member.parent().and_then(|id| interface(existing, &id)) else {
            continue;
        };
        let mut all = nic.ip_configurations.iter();
        let configuration = all.find(|(name, _)| name.eq_ignore_ascii_case(member.name()));
        first_address =
            first_address.or_else(|| configuration.and_then(|(_, c)| c.private_address));
        let pools: Vec<String> = pools.iter().filter_map(|pool| writer.pool(pool)).collect();
        line(
            out,
            &format!(
                "\nnetwork_interface {} {{\nid = {}\nip_configuration = {}\nbackend_pools = [{}]\n}}",
                quote(&label(nic.id.name(), &mut used)),
                quote(nic.id.as_str()),
                quote(configuration.map_or(member.name(), |(name, _)| name)),
                pools.join(", ")
            ),
        );
    }
    if machine.id.kind().eq_ignore_ascii_case("virtualMachines") {
        // Its network interface names the machine.
        line(out, "\nconnection \"run_command\" {}\n}\n");
        return;
    }
    let host = first_address.map_or_else(|| machine.label.clone(), |a| a.to_string());
    line(
        out,
        &format!(
            "\n# No virtual machine has this network interface.\nconnection \"ssh\" {{\nhost = {}\n}}\n}}\n",
            quote(&host)
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::generate::{Inside, generate};
    use crate::model::{Attr, IpConfiguration, Item, LoadBalancer};

    /// What a guest did not tell stays a person's to look at, right where it is said.
    #[test]
    fn a_guest_that_could_not_be_asked_is_a_comment() {
        let text = |text: &str| Attr::Text(text.to_owned());
        let mut lb = LoadBalancer::new(ArmId::network("s", "g", "loadBalancers", "web"));
        lb.attributes
            .insert("location".to_owned(), text("westeurope"));
        let id_of = |lb: &LoadBalancer, kind, name| lb.id_of(kind, name).to_string();
        let frontend = Item::new("sql")
            .with("subnet", text("/subnets/sql"))
            .with("private_ip_address", text("10.0.0.7"))
            .with("private_ip_allocation", text("Static"));
        let rule = Item::new("sql")
            .with(
                "frontend",
                Attr::Text(id_of(&lb, ItemKind::Frontend, "sql")),
            )
            .with(
                "backend_pools",
                Attr::List(vec![id_of(&lb, ItemKind::BackendPool, "vms")]),
            )
            .with("protocol", text("Tcp"))
            .with("frontend_port", Attr::Int(1433))
            .with("backend_port", Attr::Int(1433))
            .with("floating_ip", Attr::Bool(true));
        lb.set(ItemKind::Frontend, frontend);
        lb.set(ItemKind::BackendPool, Item::new("vms"));
        lb.set(ItemKind::Rule, rule);
        let nic = ArmId::network("s", "g", "networkInterfaces", "vm1");
        let member = nic.child("ipConfigurations", "a");
        lb.members.insert("vms".to_owned(), vec![member]);
        let configuration = IpConfiguration {
            private_address: None,
            primary: true,
            backend_pools: Vec::new(),
        };
        let why = "no route\nto host".to_owned();
        let told = (
            Addr::new(Kind::Guest, "vm1"),
            Observation::Unreadable { why },
        );
        let written = generate(&Existing {
            load_balancer: lb,
            public_ip_prefixes: Vec::new(),
            public_ips: Vec::new(),
            network_interfaces: vec![NetworkInterface {
                id: nic,
                ip_configurations: [("a".to_owned(), configuration)].into(),
                virtual_machine: None,
                failed: false,
                rest: serde_json::Map::new(),
            }],
            windows: BTreeSet::new(),
            inside: Inside::from([told]),
        })
        .unwrap();
        let asked = "# It could not be asked: no route to host\nguest \"vm1\" {\n";
        assert!(written.contains(asked), "{written}");
        assert!(
            written.contains("# No guest told who holds 10.0.0.7."),
            "{written}"
        );
        assert!(!written.contains("\n\n\n"), "{written}");
    }
}
