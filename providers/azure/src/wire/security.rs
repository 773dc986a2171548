//! Network security groups and the subnets that have them: read, never written.

use super::Body;
use plimsoll_core::model::ArmId;
use plimsoll_core::model::security::{
    Access, Prefix, SecurityGroup, SecurityRule, Subnet, Transport,
};
use serde_json::Value;
use std::net::IpAddr;

pub fn decode_subnet(id: &ArmId, document: &Body) -> Subnet {
    let group = document
        .get("properties")
        .and_then(|p| p.get("networkSecurityGroup")?.get("id")?.as_str());
    Subnet {
        id: id.clone(),
        security_group: group.map(ArmId::new),
    }
}

/// The rules for inbound traffic, Azure's default rules among them.
pub fn decode_security_group(id: &ArmId, document: &Body) -> SecurityGroup {
    let rules = |array: &str, default: bool| -> Vec<SecurityRule> {
        let all = document.get("properties").and_then(|p| p.get(array));
        let all = all.and_then(Value::as_array).into_iter().flatten();
        all.filter_map(|rule| inbound(rule, default)).collect()
    };
    let mut inbound = rules("securityRules", false);
    inbound.extend(rules("defaultSecurityRules", true));
    inbound.sort_by_key(|rule| rule.priority);
    SecurityGroup {
        id: id.clone(),
        inbound,
    }
}

fn inbound(rule: &Value, default: bool) -> Option<SecurityRule> {
    let properties = rule.get("properties")?;
    let text = |name: &str| properties.get(name).and_then(Value::as_str);
    if !text("direction")?.eq_ignore_ascii_case("Inbound") {
        return None;
    }
    let is_allow = text("access")?.eq_ignore_ascii_case("Allow");
    Some(SecurityRule {
        name: rule.get("name")?.as_str()?.to_owned(),
        priority: properties.get("priority")?.as_u64()?.try_into().ok()?,
        access: if is_allow {
            Access::Allow
        } else {
            Access::Deny
        },
        transport: match text("protocol")?.to_ascii_lowercase().as_str() {
            "*" => Transport::Any,
            "tcp" => Transport::Tcp,
            "udp" => Transport::Udp,
            _ => Transport::Other,
        },
        sources: prefixes(properties, "source"),
        source_ports: ports(properties, "sourcePortRange"),
        destinations: prefixes(properties, "destination"),
        ports: ports(properties, "destinationPortRange"),
        default,
    })
}

/// One value, or a list under the plural of its name; the other is absent or empty.
fn texts<'a>(properties: &'a Value, one: &str, many: &str) -> Vec<&'a str> {
    let one = properties.get(one).and_then(Value::as_str);
    let many = properties.get(many).and_then(Value::as_array);
    let many = many.into_iter().flatten().filter_map(Value::as_str);
    one.filter(|text| !text.is_empty())
        .into_iter()
        .chain(many)
        .collect()
}

fn prefixes(properties: &Value, side: &str) -> Vec<Prefix> {
    let (one, many) = (
        format!("{side}AddressPrefix"),
        format!("{side}AddressPrefixes"),
    );
    let groups = properties.get(format!("{side}ApplicationSecurityGroups"));
    let groups = groups.and_then(Value::as_array).into_iter().flatten();
    let groups = groups.filter_map(|group| group.get("id")?.as_str());
    texts(properties, &one, &many)
        .into_iter()
        .map(prefix)
        .chain(groups.map(|id| Prefix::Group(ArmId::new(id))))
        .collect()
}

/// `*`, an address, a network, or a service tag. A range that we cannot read stays a tag, which leaves a doubt.
fn prefix(text: &str) -> Prefix {
    match (text, text.parse::<IpAddr>(), text.parse()) {
        ("*", _, _) => Prefix::Any,
        (_, Ok(address), _) => Prefix::Net(address.into()),
        (_, _, Ok(net)) => Prefix::Net(net),
        _ => Prefix::Tag(text.to_owned()),
    }
}

/// `*`, `80`, `80-90`; nothing is every port.
fn ports(properties: &Value, name: &str) -> Vec<(u16, u16)> {
    let texts = texts(properties, name, &format!("{name}s"));
    if texts.contains(&"*") {
        return Vec::new();
    }
    let number = |text: &str| text.trim().parse::<u16>().ok();
    texts
        .into_iter()
        .filter_map(|text| match text.split_once('-') {
            Some((low, high)) => Some((number(low)?, number(high)?)),
            None => number(text).map(|port| (port, port)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decoded(rules: &Value) -> Vec<SecurityRule> {
        let body = json!({ "properties": { "securityRules": rules, "defaultSecurityRules": [] } });
        let id = ArmId::network("s", "g", "networkSecurityGroups", "nsg");
        decode_security_group(&id, body.as_object().unwrap()).inbound
    }

    #[test]
    fn both_spellings_of_ranges_and_prefixes_are_read() {
        let rule = |priority: u16, more: Value| {
            let mut properties = json!({
                "protocol": "TCP", "access": "allow", "direction": "inbound", "priority": priority,
            });
            let properties_map = properties.as_object_mut().unwrap();
            properties_map.extend(more.as_object().unwrap().clone());
            json!({ "name": format!("r{priority}"), "properties": properties })
        };
        let single = json!({
            "sourceAddressPrefix": "Internet", "sourceAddressPrefixes": [], "sourcePortRange": "*",
            "destinationAddressPrefix": "65.52.0.1", "destinationPortRange": "80-81",
        });
        let lists = json!({
            "sourceAddressPrefixes": ["10.0.0.0/8", "*"], "sourcePortRanges": ["*"],
            "destinationApplicationSecurityGroups": [{ "id": "/asg" }],
            "destinationPortRanges": ["80", "443-444"],
        });
        let rules = decoded(&json!([rule(200, lists), rule(100, single)]));
        assert_eq!(rules[0].name, "r100");
        assert_eq!(rules[0].sources, [Prefix::Tag("Internet".to_owned())]);
        assert_eq!(
            rules[0].destinations,
            [Prefix::Net("65.52.0.1/32".parse().unwrap())]
        );
        assert_eq!(rules[0].ports, [(80, 81)]);
        assert!(rules[0].source_ports.is_empty());
        assert_eq!(
            rules[1].sources,
            [Prefix::Net("10.0.0.0/8".parse().unwrap()), Prefix::Any]
        );
        assert_eq!(rules[1].destinations, [Prefix::Group(ArmId::new("/asg"))]);
        assert_eq!(rules[1].ports, [(80, 80), (443, 444)]);
    }

    #[test]
    fn outbound_rules_are_left_out() {
        let rules = json!([{ "name": "out", "properties": {
            "protocol": "*", "access": "Deny", "direction": "Outbound", "priority": 100,
        } }]);
        assert!(decoded(&rules).is_empty());
    }
}
