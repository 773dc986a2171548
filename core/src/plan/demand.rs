//! What one guest must hold, as far as that is known without asking it. Pure.

use super::GuestStep;
use super::addressed::Addressed;
use super::addresses::PublicAddresses;
use super::needs::{Common, Member, Needs, Owner, Reach, Select, needs};
use crate::config::{Desired, DesiredGuest};
use crate::model::guest::{
    Claim, EntryKey, EntryState, GuestFacts, GuestRef, Interface, OWN_IPV4, OWN_IPV6, Touch,
};
use crate::model::observed::{Observation, Observed};
use crate::model::{Addr, ArmId, LoadBalancer, Where};
use crate::state::{Recorded, State};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The entries that the configuration asks of a guest, and those that the state recorded in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// With known addresses; `OWN_IPV4` and `OWN_IPV6` stand for the guest's own where Azure did not tell it.
    pub wanted: BTreeSet<EntryKey>,
    /// What we put into it and the configuration asks no more.
    pub left_over: BTreeSet<EntryKey>,
    /// What is missing here, in words, each with what it is for.
    pub unknown: BTreeSet<String>,
}

impl Demand {
    /// The step that holds all of it in a guest that was read, or with `undo` lets go of all that this deployment claims
    /// there. What an administrator has set already stays theirs.
    pub fn step(&self, guest: &GuestRef, facts: &GuestFacts, claim: &Claim, how: How) -> GuestStep {
        let touch = |key: &EntryKey, stays: bool| {
            let before = facts.state_of(key);
            let others = before.claims.iter();
            let others = others.filter(|c| c.deployment != claim.deployment);
            let mut claims: BTreeSet<Claim> = others.cloned().collect();
            if stays {
                claims.insert(claim.clone());
            }
            let holds = !claims.is_empty();
            let after = EntryState {
                live: holds,
                survives: holds,
                claims,
            };
            Touch {
                key: key.clone(),
                before,
                after,
            }
        };
        let (mut ensure, mut release) = (Vec::new(), Vec::new());
        match how {
            How::Hold => {
                let touches = self.wanted.iter().map(|key| touch(key, true));
                ensure.extend(touches.filter(|t| !t.before.live || !t.before.claims.is_empty()));
            }
            How::Undo => {
                let entries = facts.record().into_iter().flat_map(|r| &r.entries);
                let ours = entries.filter(|(_, entry)| {
                    let mut claims = entry.claims.iter();
                    claims.any(|c| c.deployment == claim.deployment)
                });
                release.extend(ours.map(|(key, _)| touch(key, false)));
            }
        }
        GuestStep {
            guest: guest.clone(),
            ensure: ensure.into(),
            release: release.into(),
        }
    }
}

/// What a script is to do with what a guest needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Hold,
    Undo,
}

/// `None` for a guest that neither the configuration nor the state knows. `observed` may hold as little as it likes.
pub fn demand(
    desired: &Desired,
    prior: Option<&State>,
    observed: &Observed,
    guest: &Addr,
) -> Option<Demand> {
    let declared = desired.guests.get(guest);
    let recorded = match prior.and_then(|state| state.resources.get(guest)) {
        Some(Recorded::Guest { entries, .. }) => Some(entries),
        Some(
            Recorded::PublicIpPrefix { .. }
            | Recorded::PublicIp { .. }
            | Recorded::LoadBalancer { .. },
        )
        | None => None,
    };
    if declared.is_none() && recorded.is_none() {
        return None;
    }
    let mut demand = Demand::default();
    if let Some(declared) = declared {
        for (name, data) in &desired.data_load_balancers {
            let found = observed.load_balancers.get(&data.id);
            if found.and_then(Observation::present).is_none() {
                let what = format!("the rules of data.load_balancer.{name} in Azure");
                demand.unknown.insert(what);
            }
        }
        demanded(declared, desired, observed, &mut demand);
    }
    let left_over = recorded.into_iter().flatten();
    let left_over = left_over.filter(|key| !demand.wanted.contains(key));
    demand.left_over = left_over.cloned().collect();
    Some(demand)
}

fn demanded(guest: &DesiredGuest, desired: &Desired, observed: &Observed, demand: &mut Demand) {
    let bodies = bodies(desired, observed);
    let public = PublicAddresses::new(desired, Some(observed));
    let rules: Vec<Reach> = bodies
        .iter()
        .map(|(body, owner)| Reach::new(body, *owner, &public))
        .collect();
    let addressed = Addressed::after(bodies.iter().map(|(body, _)| body));
    let (alone, common) = (guest.interfaces.len() == 1, Common::default());
    let needs_of = |members: &[Member]| needs(&rules, members, &[Select::Declared], &common);
    let mut members: Vec<Member> = guest
        .interfaces
        .iter()
        .map(|interface| {
            let mut member = Member {
                id: interface.ip_configuration_id(),
                os: guest.os,
                own_address: own_address(interface, observed),
                pools: interface.backend_pools.iter().cloned().collect(),
            };
            if member.own_address.is_none() && !addressed.is_empty() {
                demand.unknown.insert(format!(
                    "the own address of network interface {:?} ({}), which a pool of addresses may name",
                    interface.label,
                    interface.id.name()
                ));
            }
            if member.own_address.is_none() {
                let needs = needs_of(std::slice::from_ref(&member));
                if alone {
                    member.own_address = Some(stand_in(&needs));
                } else if needs.entries().next().is_some() || !needs.services.is_empty() {
                    demand.unknown.insert(format!(
                        "the own address of network interface {:?} ({}), for probes and for rules without floating IP",
                        interface.label,
                        interface.id.name()
                    ));
                }
            }
            member
        })
        .collect();
    addressed.complete(&mut [], &mut members, observed);
    let mut missing: BTreeMap<&ArmId, BTreeSet<&str>> = BTreeMap::new();
    let needs = needs_of(&members);
    for (key, rules) in needs.entries() {
        match key.destination() {
            Some(Where::AfterApply(id)) => {
                let rules = rules.iter().map(|rule| &**rule);
                missing.entry(id).or_default().extend(rules);
            }
            Some(Where::Known(_)) | None => {
                demand.wanted.insert(key.clone());
            }
        }
    }
    for (id, rules) in missing {
        let word = if rules.len() == 1 { "rule" } else { "rules" };
        let rules: Vec<String> = rules.iter().map(|rule| format!("{rule:?}")).collect();
        demand.unknown.insert(format!(
            "the address of {}, for {word} {}",
            id.name(),
            rules.join(", ")
        ));
    }
}

/// Every load balancer as the configuration has it, over what is known of it.
fn bodies<'d>(desired: &'d Desired, observed: &Observed) -> Vec<(LoadBalancer, Owner<'d>)> {
    let existing = |id: &ArmId| {
        observed
            .load_balancers
            .get(id)
            .and_then(Observation::present)
    };
    let mut bodies = Vec::new();
    for declared in desired.load_balancers.values() {
        let body = declared.over(existing(&declared.id));
        bodies.push((body, Owner::Declared(declared)));
    }
    for data in desired.data_load_balancers.values() {
        let existing = existing(&data.id);
        bodies.extend(existing.map(|found| (found.clone(), Owner::Data(data))));
        bodies.push((data.expected.over(existing), Owner::Data(data)));
    }
    bodies
}

fn own_address(interface: &Interface, observed: &Observed) -> Option<IpAddr> {
    let nic = observed.network_interfaces.get(&interface.id)?.present()?;
    let wanted = &interface.ip_configuration;
    let mut all = nic.ip_configurations.iter();
    let (_, found) = all.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
    found.private_address
}

/// An ip configuration has one family, which is that of the frontends that lead to it.
fn stand_in(needs: &Needs) -> IpAddr {
    let mut families = needs
        .services
        .iter()
        .filter_map(|service| service.frontend.as_ref()?.known());
    match families.next() {
        Some(first) if first.is_ipv6() && families.all(|address| address.is_ipv6()) => OWN_IPV6,
        Some(_) | None => OWN_IPV4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Inputs, SourceSet, load};
    use crate::lang::NoFiles;
    use crate::model::{IpConfiguration, NetworkInterface};

    const TEXT: &str = r#"
plimsoll {
  deployment = "web"
}
provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}
public_ip "green" {
  resource_group = "rg"
  location       = "westeurope"
}
load_balancer "web" {
  resource_group = "rg"
  location       = "westeurope"
  frontend "green" {
    public_ip = public_ip.green
  }
  backend_pool "vms" {}
  probe "http" {
    protocol = "Tcp"
    port     = 8080
  }
  rule "green" {
    frontend      = frontend.green
    backend_pools = [backend_pool.vms]
    probe         = probe.http
    protocol      = "Tcp"
    frontend_port = 80
    backend_port  = 80
    floating_ip   = true
  }
}
guest "vm1" {
  os = "linux"
  network_interface "main" {
    id               = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/networkInterfaces/vm1-nic"
    ip_configuration = "ipconfig1"
    backend_pools    = [load_balancer.web.backend_pool.vms]
  }
  connection "ssh" {
    host = "vm1.internal"
  }
}
"#;

    fn configured(text: &str) -> Desired {
        let set = SourceSet {
            files: [("web.plim.hcl".into(), text.into())].into(),
        };
        let (configuration, told) = load(&set, &Inputs::default(), &NoFiles);
        let configuration = configuration.unwrap_or_else(|| panic!("{told:#?}"));
        configuration.desired
    }

    fn of(text: &str) -> Demand {
        let guest = "guest.vm1".parse().unwrap();
        demand(&configured(text), None, &Observed::default(), &guest).unwrap()
    }

    fn texts(keys: &BTreeSet<EntryKey>) -> Vec<String> {
        keys.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_azure_has_yet_to_choose_is_named_with_its_rule() {
        let demand = of(TEXT);
        assert_eq!(
            texts(&demand.wanted),
            ["firewall tcp port 8080 from 168.63.129.16 to 192.0.0.8"]
        );
        assert_eq!(
            demand.unknown.iter().collect::<Vec<_>>(),
            ["the address of green, for rule \"green\""]
        );
    }

    #[test]
    fn addresses_of_the_configuration_are_enough() {
        let internal = TEXT.replace(
            "    public_ip = public_ip.green\n",
            "    subnet             = \"/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s\"\n    private_ip_address = \"10.0.0.100\"\n",
        );
        let demand = of(&internal);
        assert!(demand.unknown.is_empty(), "{demand:?}");
        assert_eq!(
            texts(&demand.wanted),
            [
                "address 10.0.0.100",
                "firewall tcp port 80 to 10.0.0.100",
                "firewall tcp port 8080 from 168.63.129.16 to 192.0.0.8"
            ]
        );
    }

    /// Nobody joins such a pool: who has the address is in it, and only Azure tells who has it.
    #[test]
    fn a_member_by_its_address_is_demanded_of_as_one_by_its_interface() {
        let network = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v";
        let pool = format!(
            "  backend_pool \"vms\" {{\n    virtual_network = \"{network}\"\n    address \"one\" {{\n      ip_address = \"10.0.0.4\"\n    }}\n  }}\n"
        );
        let text = TEXT.replace("  backend_pool \"vms\" {}\n", &pool).replace(
            "    backend_pools    = [load_balancer.web.backend_pool.vms]\n",
            "",
        );
        let desired = configured(&text);
        let guest = "guest.vm1".parse().unwrap();
        let of = |observed: &Observed| demand(&desired, None, observed, &guest).unwrap();
        let unknown = "the own address of network interface \"main\" (vm1-nic), which a pool of addresses may name";
        let offline = of(&Observed::default());
        assert!(offline.unknown.contains(unknown), "{offline:?}");
        for (own, opened) in [([10, 0, 0, 4], 1), ([10, 0, 0, 5], 0)] {
            let id = desired.guests[&guest].interfaces[0].id.clone();
            let nic = NetworkInterface {
                id: id.clone(),
                ip_configurations: [(
                    "ipconfig1".to_owned(),
                    IpConfiguration {
                        private_address: Some(own.into()),
                        primary: true,
                        backend_pools: Vec::new(),
                    },
                )]
                .into(),
                virtual_machine: None,
                failed: false,
                rest: serde_json::Map::new(),
            };
            let mut observed = Observed::default();
            observed
                .network_interfaces
                .insert(id, Observation::Present(nic));
            let demand = of(&observed);
            assert_eq!(demand.wanted.len(), opened, "{demand:?}");
            assert!(!demand.unknown.contains(unknown), "{demand:?}");
        }
    }

    #[test]
    fn a_guest_that_nobody_knows_has_no_demand() {
        let nobody = Desired::default();
        let guest = "guest.vm1".parse().unwrap();
        assert_eq!(demand(&nobody, None, &Observed::default(), &guest), None);
    }
}
