//! Which groups a packet meets on its way to one IP configuration: the subnet's, then the network interface's.

use super::judge::Own;
use super::{Packet, SecurityGroup, Verdict};
use crate::model::observed::{Observation, Observed};
use crate::model::{ArmId, NetworkInterface};
use serde_json::Value;

/// What guards one IP configuration of a network interface.
#[derive(Clone, Debug)]
pub struct Guard<'a> {
    layers: Vec<Layer<'a>>,
    own: Own,
}

#[derive(Clone, Debug)]
enum Layer<'a> {
    Group(&'a SecurityGroup),
    Unread(String),
}

impl Observed {
    /// The groups in front of an IP configuration, as far as they were read. `None`: the interface was not.
    pub fn guard(&self, interface: &ArmId, ip_configuration: &str) -> Option<Guard<'_>> {
        let nic = self.network_interfaces.get(interface)?.present()?;
        let mut layers = Vec::new();
        if let Some(subnet) = nic.subnet(ip_configuration) {
            match self.subnets.get(&subnet) {
                Some(Observation::Present(subnet)) => {
                    layers.extend(subnet.security_group.as_ref().map(|id| self.layer(id)));
                }
                Some(Observation::Unreadable { why }) => layers.push(Layer::Unread(why.clone())),
                Some(Observation::Absent) => {}
                None => layers.push(unread(&subnet)),
            }
        }
        layers.extend(nic.security_group().map(|id| self.layer(&id)));
        Some(Guard {
            layers,
            own: Own {
                application_groups: nic.application_groups(ip_configuration),
                address: nic.private_address(ip_configuration),
            },
        })
    }

    fn layer(&self, id: &ArmId) -> Layer<'_> {
        match self.security_groups.get(id) {
            Some(Observation::Present(group)) => Layer::Group(group),
            Some(Observation::Unreadable { why }) => Layer::Unread(why.clone()),
            Some(Observation::Absent) | None => unread(id),
        }
    }
}

fn unread(id: &ArmId) -> Layer<'static> {
    Layer::Unread(format!("{} {} was not read", id.kind(), id.name()))
}

impl NetworkInterface {
    /// The group on the interface itself.
    pub fn security_group(&self) -> Option<ArmId> {
        let id = self.rest.get("properties")?.get("networkSecurityGroup")?;
        Some(ArmId::new(id.get("id")?.as_str()?))
    }

    pub fn subnet(&self, ip_configuration: &str) -> Option<ArmId> {
        let id = self.configuration(ip_configuration)?.get("subnet")?;
        Some(ArmId::new(id.get("id")?.as_str()?))
    }

    fn application_groups(&self, ip_configuration: &str) -> Vec<ArmId> {
        let groups = self
            .configuration(ip_configuration)
            .and_then(|c| c.get("applicationSecurityGroups")?.as_array());
        groups
            .into_iter()
            .flatten()
            .filter_map(|group| Some(ArmId::new(group.get("id")?.as_str()?)))
            .collect()
    }

    fn private_address(&self, ip_configuration: &str) -> Option<std::net::IpAddr> {
        let mut all = self.ip_configurations.iter();
        let (_, found) = all.find(|(name, _)| name.eq_ignore_ascii_case(ip_configuration))?;
        found.private_address
    }

    /// The properties of an IP configuration that travel back unchanged: its place in the network is one of them.
    fn configuration(&self, name: &str) -> Option<&Value> {
        let all = self.rest.get("properties")?.get("ipConfigurations")?;
        let is = |part: &&Value| {
            let own = part.get("name").and_then(Value::as_str);
            own.is_some_and(|own| own.eq_ignore_ascii_case(name))
        };
        all.as_array()?.iter().find(is)?.get("properties")
    }
}

impl Guard<'_> {
    pub fn judge(&self, packet: &Packet) -> Verdict {
        let mut allowed = Vec::new();
        let mut unsure = None;
        for layer in &self.layers {
            let verdict = match layer {
                Layer::Group(group) => group.judge(packet, &self.own),
                Layer::Unread(why) => Verdict::Unread { why: why.clone() },
            };
            match verdict {
                Verdict::Allowed { by } => allowed.extend(by),
                // One denial is enough, whatever the other layer says.
                Verdict::Denied { .. } => return verdict,
                Verdict::Depends { .. } | Verdict::Unread { .. } | Verdict::NoGroup => {
                    unsure = unsure.or(Some(verdict));
                }
            }
        }
        match unsure {
            Some(verdict) => verdict,
            None if allowed.is_empty() => Verdict::NoGroup,
            None => Verdict::Allowed { by: allowed },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;
    use crate::model::security::{Access, Prefix, SecurityRule, Source, Subnet, Transport};
    use serde_json::json;

    fn id(kind: &str, name: &str) -> ArmId {
        ArmId::network("s", "g", kind, name)
    }

    fn group(name: &str, access: Access) -> SecurityGroup {
        SecurityGroup {
            id: id("networkSecurityGroups", name),
            inbound: vec![SecurityRule {
                name: "all".to_owned(),
                priority: 100,
                access,
                transport: Transport::Any,
                sources: vec![Prefix::Any],
                source_ports: Vec::new(),
                destinations: vec![Prefix::Any],
                ports: Vec::new(),
                default: false,
            }],
        }
    }

    /// The verdict on one interface whose subnet and which itself have these groups.
    fn verdict(on_subnet: Option<Access>, on_interface: Option<Access>, read: bool) -> Verdict {
        let subnet = id("virtualNetworks", "v").child("subnets", "default");
        let mut observed = Observed::default();
        let mut add = |name: &str, access: Option<Access>| {
            let group = group(name, access?);
            let id = group.id.clone();
            let seen = match read {
                true => Observation::Present(group),
                false => Observation::Unreadable {
                    why: "403".to_owned(),
                },
            };
            observed.security_groups.insert(id.clone(), seen);
            Some(id)
        };
        let of_subnet = add("subnet", on_subnet);
        let of_interface = add("interface", on_interface);
        observed.subnets.insert(
            subnet.clone(),
            Observation::Present(Subnet {
                id: subnet.clone(),
                security_group: of_subnet,
            }),
        );
        let mut rest = json!({ "properties": { "ipConfigurations": [
            { "name": "ipconfig1", "properties": { "subnet": { "id": subnet.as_str() } } }
        ] } });
        if let Some(group) = of_interface {
            rest["properties"]["networkSecurityGroup"] = json!({ "id": group.as_str() });
        }
        let nic = NetworkInterface {
            id: id("networkInterfaces", "nic"),
            ip_configurations: indexmap::IndexMap::new(),
            virtual_machine: None,
            failed: false,
            rest: rest.as_object().unwrap().clone(),
        };
        let nic_id = nic.id.clone();
        observed
            .network_interfaces
            .insert(nic_id.clone(), Observation::Present(nic));
        let packet = Packet {
            protocol: Protocol::Tcp,
            source: Source::Internet(None),
            destination: "65.52.0.1".parse().unwrap(),
            destination_is_public: true,
            port: Some(80),
        };
        let guard = observed.guard(&nic_id, "IPConfig1").unwrap();
        guard.judge(&packet)
    }

    #[test]
    fn both_groups_must_let_it_through() {
        let (allow, deny) = (Some(Access::Allow), Some(Access::Deny));
        assert_eq!(verdict(None, None, true), Verdict::NoGroup);
        assert!(matches!(verdict(allow, allow, true), Verdict::Allowed { by } if by.len() == 2));
        assert!(matches!(verdict(allow, None, true), Verdict::Allowed { by } if by.len() == 1));
        for (subnet, interface, name) in [
            (deny, allow, "subnet"),
            (allow, deny, "interface"),
            (None, deny, "interface"),
        ] {
            match verdict(subnet, interface, true) {
                Verdict::Denied { by } => assert_eq!(by.group.name(), name),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            verdict(allow, None, false),
            Verdict::Unread {
                why: "403".to_owned()
            }
        );
    }
}
