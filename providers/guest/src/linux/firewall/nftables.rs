//! The kernel's own ruleset as `nft -j list ruleset` prints it → chains that can be judged.
//!
//! It is the source for plain nftables and for firewalld, which writes nothing else. Tables that the iptables tools made
//! hold `xt` expressions which nft cannot take apart; those tables are left to the iptables reader.

use super::draft::{Draft, Ranges};
use ipnet::IpNet;
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{Chain, FirewallRule, Target};
use serde_json::Value;
use std::collections::BTreeMap;

/// A base chain of the input hook with its priority, so that the caller can sort chains of several sources.
#[derive(Debug, Default)]
pub(crate) struct Ruleset {
    pub(crate) base: Vec<(i64, Chain)>,
    pub(crate) other: Vec<Chain>,
}

type Sets<'a> = BTreeMap<(&'a str, &'a str, &'a str), &'a Value>;

/// `skip` says which tables (family, name) another reader takes.
pub(crate) fn read(text: &str, skip: impl Fn(&str, &str) -> bool) -> Option<Ruleset> {
    let document: Value = serde_json::from_str(text).ok()?;
    let objects = document.get("nftables")?.as_array()?;
    let sets: Sets<'_> = objects
        .iter()
        .filter_map(|o| o.get("set").or_else(|| o.get("map")))
        .filter_map(|set| Some((key(set, "name")?, set)))
        .collect();
    let mut rules: BTreeMap<(&str, &str, &str), Vec<FirewallRule>> = BTreeMap::new();
    for rule in objects.iter().filter_map(|o| o.get("rule")) {
        if let Some(chain) = key(rule, "chain") {
            let read = Reader {
                family: chain.0,
                table: chain.1,
                sets: &sets,
            }
            .rule(rule);
            rules.entry(chain).or_default().extend(read);
        }
    }
    let mut ruleset = Ruleset::default();
    for object in objects.iter().filter_map(|o| o.get("chain")) {
        let Some(place @ (family, table, name)) = key(object, "name") else {
            continue;
        };
        let (ipv4, ipv6) = match family {
            "inet" => (true, true),
            "ip" => (true, false),
            "ip6" => (false, true),
            _ => continue,
        };
        if skip(family, table) {
            continue;
        }
        let word = |field| object.get(field).and_then(Value::as_str);
        let mut chain = Chain {
            name: format!("{family} {table} {name}"),
            policy: Target::Return,
            ipv4,
            ipv6,
            rules: rules.remove(&place).unwrap_or_default(),
        };
        match (word("hook"), word("type")) {
            (Some("input"), Some("filter")) => {
                chain.policy = match word("policy") {
                    Some("drop") => Target::Drop,
                    _ => Target::Accept,
                };
                let priority = object.get("prio").and_then(Value::as_i64).unwrap_or(0);
                ruleset.base.push((priority, chain));
            }
            (Some(_), _) => {}
            (None, _) => ruleset.other.push(chain),
        }
    }
    Some(ruleset)
}

fn key<'a>(object: &'a Value, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let word = |field: &str| object.get(field)?.as_str();
    Some((word("family")?, word("table")?, word(name)?))
}

struct Reader<'a> {
    family: &'a str,
    table: &'a str,
    sets: &'a Sets<'a>,
}

impl Reader<'_> {
    fn rule(&self, rule: &Value) -> Vec<FirewallRule> {
        let statements = rule.get("expr").and_then(Value::as_array);
        let Some(statements) = statements else {
            return Vec::new();
        };
        let comment = rule.get("comment").and_then(Value::as_str);
        let text = super::nft_text::rule(statements, comment);
        let ours = comment == Some(super::MARKER);
        let mut draft = Draft::default();
        let mut rules = Vec::new();
        for statement in statements {
            let Some((name, value)) = statement.as_object().and_then(|o| o.iter().next()) else {
                draft.uncertain = true;
                continue;
            };
            if let Some(target) = self.verdict(name, value) {
                draft.emit(&target, &text, ours, &mut rules);
                return rules;
            }
            match name.as_str() {
                "match" => self.condition(value, &mut draft),
                "vmap" => {
                    self.verdict_map(value, &draft, &text, ours, &mut rules);
                }
                // `limit rate over`: only the excess meets the rule, a connection within the limit passes by.
                "limit" if value.get("inv") == Some(&Value::Bool(true)) => draft.never = true,
                "limit" | "quota" | "ct count" | "xt" => draft.uncertain = true,
                // Counts, logs, marks, and what only other hooks know.
                _ => {}
            }
        }
        // An `xt` target may decide anything; without one the rule goes on.
        let foreign = statements.iter().any(|s| s.get("xt").is_some());
        let target = if foreign {
            Target::Drop
        } else {
            Target::Continue
        };
        if foreign || rules.is_empty() {
            draft.emit(&target, &text, ours, &mut rules);
        }
        rules
    }

    fn verdict(&self, name: &str, value: &Value) -> Option<Target> {
        let place = || {
            let chain = value.get("target")?.as_str()?;
            Some(format!("{} {} {chain}", self.family, self.table))
        };
        match name {
            "accept" => Some(Target::Accept),
            // A queue without a listener drops; what a listener does, nobody can read.
            "drop" => Some(Target::Drop),
            "reject" => Some(Target::Reject),
            "return" => Some(Target::Return),
            "continue" => Some(Target::Continue),
            "jump" => place().map(Target::Jump),
            "goto" => place().map(Target::Goto),
            _ => None,
        }
    }

    fn verdict_map(
        &self,
        map: &Value,
        draft: &Draft,
        text: &str,
        ours: bool,
        rules: &mut Vec<FirewallRule>,
    ) {
        let data = map.get("data").unwrap_or(&Value::Null);
        let elements = match data.as_str().and_then(|name| self.named(name)) {
            Some(elements) => Some(elements),
            None => data.get("set").and_then(Value::as_array),
        };
        let Some(elements) = elements else {
            let mut unknown = draft.clone();
            unknown.uncertain = true;
            unknown.emit(&Target::Drop, text, ours, rules);
            return;
        };
        for element in elements {
            let (Some(value), Some(verdict)) = (element.get(0), element.get(1)) else {
                continue;
            };
            let mut one = draft.clone();
            self.compare(
                map.get("key").unwrap_or(&Value::Null),
                "==",
                value,
                &mut one,
            );
            let target = verdict
                .as_object()
                .and_then(|o| o.iter().next())
                .and_then(|(name, value)| self.verdict(name, value));
            match target {
                Some(target) => one.emit(&target, text, ours, rules),
                None => {
                    one.uncertain = true;
                    one.emit(&Target::Drop, text, ours, rules);
                }
            }
        }
    }

    /// The elements of a named set, unless packets change it while we look.
    fn named(&self, reference: &str) -> Option<&Vec<Value>> {
        static EMPTY: Vec<Value> = Vec::new();
        let name = reference.strip_prefix('@')?;
        let (_, set) = self.sets.iter().find(|((family, table, set), _)| {
            *family == self.family && *table == self.table && *set == name
        })?;
        let dynamic = set
            .get("flags")
            .and_then(Value::as_array)
            .is_some_and(|flags| flags.iter().any(|f| f == "dynamic" || f == "timeout"));
        if dynamic {
            return None;
        }
        match set.get("elem") {
            Some(elements) => elements.as_array(),
            None => Some(&EMPTY),
        }
    }

    fn condition(&self, condition: &Value, draft: &mut Draft) {
        let part = |name| condition.get(name).unwrap_or(&Value::Null);
        let operator = part("op").as_str().unwrap_or_default();
        self.compare(part("left"), operator, part("right"), draft);
    }

    fn compare(&self, left: &Value, operator: &str, right: &Value, draft: &mut Draft) {
        let equal = matches!(operator, "==" | "in");
        let unequal = operator == "!=";
        if !equal && !unequal {
            draft.uncertain = true;
            return;
        }
        let Some(values) = self.values(right) else {
            draft.uncertain = true;
            return;
        };
        let word = |object: &str, field: &str| left.get(object)?.get(field)?.as_str();
        if let (Some(protocol), Some(field)) =
            (word("payload", "protocol"), word("payload", "field"))
        {
            match (protocol, field) {
                ("ip" | "ip6", "saddr" | "daddr") => {
                    // The kernel compares addresses only in packets of the family.
                    draft.family(protocol);
                    let Some(networks) = values
                        .iter()
                        .map(|v| network(v))
                        .collect::<Option<Vec<_>>>()
                    else {
                        draft.uncertain = true;
                        return;
                    };
                    let networks = networks.into_iter().flatten().collect();
                    match (field, equal) {
                        ("saddr", true) => draft.only_sources(networks),
                        ("daddr", true) => draft.only_destinations(networks),
                        _ => draft.uncertain = true,
                    }
                }
                ("tcp" | "udp" | "th", "dport") => {
                    if let Some(protocol) = Protocol::parse(protocol) {
                        draft.only_protocols(&[Some(protocol)], true);
                    }
                    match values.iter().map(|v| ports(v)).collect::<Option<Ranges>>() {
                        Some(ranges) => draft.only_ports(&ranges, equal),
                        None => draft.uncertain = true,
                    }
                }
                ("ip", "protocol") | ("ip6", "nexthdr") => {
                    draft.family(protocol);
                    draft.only_protocols(&protocols_of(&values), equal);
                }
                ("tcp", _) => {
                    draft.only_protocols(&[Some(Protocol::Tcp)], true);
                    draft.uncertain = true;
                }
                ("udp", _) => {
                    draft.only_protocols(&[Some(Protocol::Udp)], true);
                    draft.uncertain = true;
                }
                ("icmp" | "icmpv6" | "sctp" | "dccp" | "esp" | "ah" | "udplite" | "igmp", _) => {
                    draft.never = true;
                }
                _ => draft.uncertain = true,
            }
            return;
        }
        let words: Vec<&str> = values.iter().filter_map(|v| v.as_str()).collect();
        match (word("meta", "key"), word("ct", "key")) {
            (Some("l4proto"), _) => draft.only_protocols(&protocols_of(&values), equal),
            (Some("nfproto" | "protocol"), _) => match (words.as_slice(), equal) {
                (["ipv4" | "ip"], true) | (["ipv6" | "ip6"], false) => draft.family("ip"),
                (["ipv6" | "ip6"], true) | (["ipv4" | "ip"], false) => draft.family("ip6"),
                _ => draft.uncertain = true,
            },
            // What comes from outside never enters through the loopback interface.
            (Some("iif" | "iifname"), _) => match (words.as_slice(), equal) {
                (["lo"], true) => draft.never = true,
                (["lo"], false) => {}
                _ => draft.uncertain = true,
            },
            (_, Some("state")) => draft.connection_states(&words, equal),
            // A new connection to an address of the guest itself was not translated on its way here.
            (_, Some("status")) if words == ["dnat"] => {
                if equal {
                    draft.never = true;
                }
            }
            _ if is_tcp_flags(left) => {
                draft.only_protocols(&[Some(Protocol::Tcp)], true);
                draft.opening_flags(left, &words, equal);
            }
            _ => draft.uncertain = true,
        }
    }

    /// The single values that the right side stands for.
    fn values<'v>(&'v self, right: &'v Value) -> Option<Vec<&'v Value>> {
        let list = match right {
            Value::String(name) if name.starts_with('@') => self.named(name)?,
            Value::Array(list) => list,
            Value::Object(object) if object.contains_key("set") => object["set"].as_array()?,
            single => return Some(vec![single]),
        };
        Some(
            list.iter()
                .map(|v| v.get("elem").and_then(|e| e.get("val")).unwrap_or(v))
                .collect(),
        )
    }
}

fn is_tcp_flags(left: &Value) -> bool {
    left.get("&")
        .and_then(|mask| mask.get(0))
        .and_then(|payload| payload.get("payload"))
        .is_some_and(|p| p["protocol"] == "tcp" && p["field"] == "flags")
}

fn network(value: &Value) -> Option<Vec<IpNet>> {
    let one = |text: &str| Some(vec![IpNet::from(text.parse::<std::net::IpAddr>().ok()?)]);
    if let Some(prefix) = value.get("prefix") {
        let address = prefix.get("addr")?.as_str()?.parse().ok()?;
        let length = u8::try_from(prefix.get("len")?.as_u64()?).ok()?;
        return IpNet::new(address, length).ok().map(|n| vec![n.trunc()]);
    }
    if let Some(range) = value.get("range") {
        let end = |at: usize| range.get(at)?.as_str()?.parse().ok();
        return match (end(0)?, end(1)?) {
            (std::net::IpAddr::V4(low), std::net::IpAddr::V4(high)) if low <= high => Some(
                ipnet::Ipv4Subnets::new(low, high, 0)
                    .map(IpNet::V4)
                    .collect(),
            ),
            (std::net::IpAddr::V6(low), std::net::IpAddr::V6(high)) if low <= high => Some(
                ipnet::Ipv6Subnets::new(low, high, 0)
                    .map(IpNet::V6)
                    .collect(),
            ),
            _ => None,
        };
    }
    one(value.as_str()?)
}

fn ports(value: &Value) -> Option<(u16, u16)> {
    let port = |v: &Value| match v {
        Value::String(text) => text.parse().ok(),
        number => u16::try_from(number.as_u64()?).ok(),
    };
    match value.get("range") {
        Some(range) => Some((port(range.get(0)?)?, port(range.get(1)?)?)),
        None => port(value).map(|p| (p, p)),
    }
}

/// `None` stands for a protocol that no rule of a load balancer carries.
fn protocols_of(values: &[&Value]) -> Vec<Option<Protocol>> {
    values
        .iter()
        .map(|value| match (value.as_str(), value.as_u64()) {
            (Some("tcp"), _) | (_, Some(6)) => Some(Protocol::Tcp),
            (Some("udp"), _) | (_, Some(17)) => Some(Protocol::Udp),
            _ => None,
        })
        .collect()
}
