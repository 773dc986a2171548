//! Azure, simulated: what it checks, what it makes up, and what a failed write leaves behind.

use super::refusals::check;
use super::{Inner, World};
use async_trait::async_trait;
use plimsoll_core::apply::*;
use plimsoll_core::model::guest::Os;
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::security::{SecurityGroup, Subnet};
use plimsoll_core::model::*;
use plimsoll_core::plan::MembershipEdit;
use std::net::IpAddr;

/// The addresses that Azure gives, by the name of the public IP address.
pub fn address_of(name: &str) -> IpAddr {
    let last = match name {
        "green" => 1,
        "purple" => 2,
        "amber" => 3,
        "side" => 7,
        "six" => return "fd00:f1::1".parse().unwrap(),
        _ => 9,
    };
    IpAddr::from([65, 52, 0, last])
}

/// Chooses the addresses of dynamic internal frontends; one that has an address keeps it.
fn with_addresses(w: &mut Inner, resource: &LoadBalancer) -> LoadBalancer {
    let mut made = resource.clone();
    let held = w
        .load_balancers
        .get(&resource.id)
        .map(|lb| lb.dynamic_addresses.clone())
        .unwrap_or_default();
    if w.adds {
        let value = serde_json::Value::String("regional".to_owned());
        made.rest.insert("scope".to_owned(), value);
    }
    made.dynamic_addresses.clear();
    made.members.clear();
    for frontend in resource
        .of_kind(ItemKind::Frontend)
        .filter(|f| LoadBalancer::is_dynamic(f))
    {
        let address = held.get(&frontend.name).copied().unwrap_or_else(|| {
            w.chosen += 1;
            IpAddr::from([10, 0, 0, 200 + w.chosen % 50])
        });
        made.dynamic_addresses
            .insert(frontend.name.clone(), address);
    }
    made
}

#[async_trait]
impl ObserveAzure for World {
    async fn load_balancer(&self, id: &ArmId) -> Observation<LoadBalancer> {
        self.with(|w| {
            w.reads += 1;
            match w.load_balancers.get(id) {
                Some(found) => Observation::Present(w.with_members(found)),
                None => Observation::Absent,
            }
        })
    }

    async fn public_ip(&self, id: &ArmId) -> Observation<PublicIp> {
        self.with(|w| {
            w.reads += 1;
            if w.hidden.contains(id) {
                return Observation::Unreadable {
                    why: "403".to_owned(),
                };
            }
            w.public_ips
                .get(id)
                .cloned()
                .map_or(Observation::Absent, Observation::Present)
        })
    }

    async fn public_ip_prefix(&self, id: &ArmId) -> Observation<PublicIpPrefix> {
        self.with(|w| {
            w.reads += 1;
            let found = w.public_ip_prefixes.get(id).cloned();
            found.map_or(Observation::Absent, Observation::Present)
        })
    }

    async fn network_interface(&self, id: &ArmId) -> Observation<NetworkInterface> {
        self.with(|w| {
            w.reads += 1;
            w.nics
                .get(id)
                .cloned()
                .map_or(Observation::Absent, Observation::Present)
        })
    }

    async fn subnet(&self, _id: &ArmId) -> Observation<Subnet> {
        Observation::Absent
    }

    async fn security_group(&self, _id: &ArmId) -> Observation<SecurityGroup> {
        Observation::Absent
    }

    async fn operating_system(&self, _machine: &ArmId) -> Option<Os> {
        None
    }
}

fn stale(target: &ArmId, before: &Fingerprint, now: &Fingerprint) -> WorldError {
    WorldError::Stale {
        target: target.to_string(),
        moved: before.moved(now),
    }
}

#[async_trait]
impl EnactAzure for World {
    async fn put_load_balancer(
        &self,
        resource: &LoadBalancer,
        before: &Fingerprint,
        after: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<LoadBalancer, WorldError> {
        self.effect(|w| {
            let now = w
                .load_balancers
                .get(&resource.id)
                .map(LoadBalancer::fingerprint)
                .unwrap_or_default();
            match &mut w.puts_left {
                Some(0) => {
                    return Err(WorldError::Unavailable {
                        message: "503".to_owned(),
                    });
                }
                Some(left) => *left -= 1,
                None => {}
            }
            if now == *after {
                return Ok(w.with_members(&w.load_balancers[&resource.id]));
            }
            if now != *before {
                return Err(stale(&resource.id, before, &now));
            }
            check(w, resource);
            let made = with_addresses(w, resource);
            // What was tied to a NAT rule that goes is tied to nothing.
            w.nat_targets.retain(|(id, rule), _| {
                *id != resource.id || made.item(ItemKind::InboundNatRule, rule).is_some()
            });
            w.load_balancers.insert(resource.id.clone(), made.clone());
            w.wrote(format!("PUT {}", resource.id.name()));
            Ok(w.with_members(&made))
        })
        .await
    }

    async fn put_public_ip(
        &self,
        resource: &PublicIp,
        before: &Fingerprint,
        after: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<PublicIp, WorldError> {
        self.effect(|w| {
            let held = w.public_ips.get(&resource.id);
            let now = held.map(PublicIp::fingerprint).unwrap_or_default();
            if let Some(held) = held.filter(|_| now == *after) {
                return Ok(held.clone());
            }
            if now != *before {
                return Err(stale(&resource.id, before, &now));
            }
            let prefix = resource.attributes.get("public_ip_prefix");
            if let Some(prefix) = prefix.and_then(Attr::as_text).map(ArmId::new) {
                assert!(
                    w.public_ip_prefixes.contains_key(&prefix),
                    "an address of prefix {prefix}, which is not there"
                );
            }
            let mut made = resource.clone();
            made.address = Some(address_of(made.id.name()));
            w.public_ips.insert(made.id.clone(), made.clone());
            w.wrote(format!("PUT {}", made.id.name()));
            Ok(made)
        })
        .await
    }

    async fn put_public_ip_prefix(
        &self,
        resource: &PublicIpPrefix,
        before: &Fingerprint,
        after: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<PublicIpPrefix, WorldError> {
        self.effect(|w| {
            let held = w.public_ip_prefixes.get(&resource.id);
            let now = held.map(PublicIpPrefix::fingerprint).unwrap_or_default();
            if let Some(held) = held.filter(|_| now == *after) {
                return Ok(held.clone());
            }
            if now != *before {
                return Err(stale(&resource.id, before, &now));
            }
            let mut made = resource.clone();
            made.block = "65.52.16.0/28".parse().ok();
            w.public_ip_prefixes.insert(made.id.clone(), made.clone());
            w.wrote(format!("PUT {}", made.id.name()));
            Ok(made)
        })
        .await
    }

    async fn delete_public_ip_prefix(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        self.effect(|w| {
            let Some(gone) = w.public_ip_prefixes.get(id) else {
                return Ok(());
            };
            if gone.fingerprint() != *before {
                return Err(stale(id, before, &gone.fingerprint()));
            }
            let uses = |attributes: &Attributes| {
                let prefix = attributes.get("public_ip_prefix").and_then(Attr::as_text);
                prefix.map(ArmId::new).as_ref() == Some(id)
            };
            assert!(
                !w.public_ips.values().any(|ip| uses(&ip.attributes)),
                "prefix {id} is deleted while addresses are of it"
            );
            let mut balancers = w.load_balancers.values();
            let in_use = balancers.any(|lb| {
                let mut frontends = lb.of_kind(ItemKind::Frontend);
                frontends.any(|frontend| uses(&frontend.attributes))
            });
            assert!(!in_use, "prefix {id} is deleted while frontends use it");
            w.public_ip_prefixes.remove(id);
            w.wrote(format!("DELETE {}", id.name()));
            Ok(())
        })
        .await
    }

    async fn delete_load_balancer(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        self.effect(|w| {
            let Some(gone) = w.load_balancers.get(id).map(|lb| w.with_members(lb)) else {
                return Ok(());
            };
            if gone.fingerprint() != *before {
                return Err(stale(id, before, &gone.fingerprint()));
            }
            let members: Vec<&ArmId> = gone.members.values().flatten().collect();
            assert!(
                members.is_empty(),
                "{id} is deleted while {members:?} are in its pools"
            );
            w.load_balancers.remove(id);
            w.wrote(format!("DELETE {}", id.name()));
            Ok(())
        })
        .await
    }

    async fn delete_public_ip(
        &self,
        id: &ArmId,
        before: &Fingerprint,
        _progress: &dyn Progress,
    ) -> Result<(), WorldError> {
        self.effect(|w| {
            let Some(gone) = w.public_ips.get(id) else {
                return Ok(());
            };
            if gone.fingerprint() != *before {
                return Err(stale(id, before, &gone.fingerprint()));
            }
            w.public_ips.remove(id);
            w.wrote(format!("DELETE {}", id.name()));
            Ok(())
        })
        .await
    }

    async fn put_network_interface(
        &self,
        id: &ArmId,
        edits: &[MembershipEdit],
        _progress: &dyn Progress,
    ) -> Result<NetworkInterface, WorldError> {
        self.effect(|w| {
            for edit in edits.iter().filter(|e| e.join) {
                let load_balancer = edit.pool.parent().and_then(|p| w.load_balancers.get(&p));
                let exists = load_balancer.is_some_and(|lb| {
                    lb.by_id(ItemKind::BackendPool, edit.pool.as_str())
                        .is_some()
                });
                assert!(exists, "a NIC joins {}, which does not exist", edit.pool);
            }
            let nic = w.nics.get_mut(id).expect("the NIC exists");
            let before = nic.clone();
            for edit in edits {
                let pools = &mut nic.ip_configurations[&edit.ip_configuration].backend_pools;
                let is_member = pools.contains(&edit.pool);
                if edit.join && !is_member {
                    pools.push(edit.pool.clone());
                } else if !edit.join {
                    pools.retain(|p| *p != edit.pool);
                }
            }
            let made = nic.clone();
            // A membership that already is as asked is not written again.
            if made != before {
                w.wrote(format!("PUT {}", id.name()));
            }
            Ok(made)
        })
        .await
    }
}
