//! Windows Firewall → the form in which every firewall is judged. A block beats any allow, so the blocks come first.
//!
//! Rules come in the form of the registry, which no display language changes: [MS-GPFAS] 2.2.2.19,
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-gpfas/2efe0b76-7b4a-41ff-9050-1023f8196d16>.

use super::facts::{Answer, printable};
use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Subnets};
use plimsoll_core::model::guest::{
    Chain, EntryKey, Firewall, FirewallKind, FirewallRule, InterfaceRole, Listener, Opening,
    Packet, SystemInterface, Target, Verdict,
};
use plimsoll_core::model::{Protocol, Where};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The group of our rules, and the beginning of their names.
pub(crate) const MARKER: &str = "plimsoll";

/// What of the firewall there is to know.
pub(super) struct Found {
    pub(super) firewall: Firewall,
    /// Openings of ours that stand in the registry, which is what Windows starts from.
    pub(super) kept: BTreeSet<EntryKey>,
    /// Settings of the profiles that make rules of this machine count or not.
    pub(super) settings: BTreeMap<String, String>,
}

pub(super) fn read(
    answer: &Answer,
    interfaces: &[SystemInterface],
    listeners: Option<&[Listener]>,
) -> Found {
    let rules: Vec<(bool, Parsed)> = answer
        .rules
        .iter()
        .flatten()
        .filter_map(|rule| Some((rule.from == "local", parse(rule, listeners)?)))
        .collect();
    let kept = rules.iter().filter(|(local, _)| *local);
    let kept = kept.filter_map(|(_, rule)| rule.opening()).collect();
    let mut settings = BTreeMap::new();
    let stopped = matches!(&answer.service, Some(status) if status != &["Running"]);
    let mut base = Vec::new();
    for profile in answer.profiles.iter().flatten() {
        if stopped || profile.enabled == "False" || !applies(&profile.name, answer, interfaces) {
            continue;
        }
        let local = profile.local != "False";
        if !local {
            settings.insert(local_rules(&profile.name), "False".to_owned());
        }
        let counts = |(is_local, rule): &&(bool, Parsed)| {
            (local || !is_local)
                && (rule.profiles.is_empty() || rule.profiles.contains(&profile.name))
                && (profile.allows != "False" || rule.rule.target != Target::Accept)
        };
        let all = || {
            rules
                .iter()
                .filter(counts)
                .map(|(_, rule)| rule.rule.clone())
        };
        let blocks = all().filter(|rule| rule.target != Target::Accept);
        let allows = all().filter(|rule| rule.target == Target::Accept);
        base.push(Chain {
            name: format!("profile {}", printable(&profile.name)),
            policy: match profile.inbound.as_str() {
                "Allow" => Target::Accept,
                _ => Target::Drop,
            },
            ipv4: true,
            ipv6: true,
            rules: blocks.chain(allows).collect(),
        });
    }
    if answer.profiles.is_none() || answer.rules.is_none() {
        base.push(unread());
    }
    let firewall = Firewall {
        kind: FirewallKind::Windows,
        active: !base.is_empty(),
        base,
        other: Vec::new(),
    };
    Found {
        firewall,
        kept,
        settings,
    }
}

/// The name of the setting that a profile takes rules of this machine, in the words of Get-NetFirewallProfile.
pub(super) fn local_rules(profile: &str) -> String {
    format!("firewall.{}.AllowLocalFirewallRules", printable(profile))
}

/// What was not read may refuse anything.
fn unread() -> Chain {
    Chain {
        name: "rules that were not read".to_owned(),
        rules: vec![FirewallRule {
            protocol: None,
            sources: Vec::new(),
            destinations: Vec::new(),
            ports: Vec::new(),
            uncertain: true,
            target: Target::Drop,
            ours: false,
            text: "the rules of Windows Firewall, which could not be read".to_owned(),
            name: None,
        }],
        policy: Target::Accept,
        ipv4: true,
        ipv6: true,
    }
}

/// A profile is in force where a NIC is in a network of its category. A network that Windows has not made out is public.
fn applies(profile: &str, answer: &Answer, interfaces: &[SystemInterface]) -> bool {
    let Some(networks) = &answer.networks else {
        return true;
    };
    let nics = interfaces
        .iter()
        .filter(|i| i.role == InterfaceRole::Network);
    let mut categories = nics.map(|nic| {
        let network = networks.iter().find(|n| n.index == nic.index);
        match network.map(|n| n.category.as_str()) {
            Some("DomainAuthenticated") => "Domain",
            Some("Private") => "Private",
            Some(_) | None => "Public",
        }
    });
    categories.any(|category| category == profile)
}

#[derive(Debug)]
struct Parsed {
    /// Empty is every profile.
    profiles: BTreeSet<String>,
    rule: FirewallRule,
}

/// `None` where the rule cannot meet a packet of ours.
fn parse(found: &super::facts::Rule, listeners: Option<&[Listener]>) -> Option<Parsed> {
    let fields: Vec<(&str, &str)> = found
        .text
        .split('|')
        .filter_map(|field| field.split_once('='))
        .collect();
    let has = |key: &str, value: &str| fields.contains(&(key, value));
    let first = |key: &str| fields.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
    if !has("Dir", "In") || !has("Active", "TRUE") {
        return None;
    }
    let mut rule = FirewallRule {
        protocol: None,
        sources: Vec::new(),
        destinations: Vec::new(),
        ports: Vec::new(),
        uncertain: false,
        target: match first("Action") {
            Some("Block") => Target::Drop,
            _ => Target::Accept,
        },
        ours: has("EmbedCtxt", MARKER) && found.id.starts_with(MARKER),
        text: String::new(),
        name: None,
    };
    let mut profiles = BTreeSet::new();
    let mut some_sources = false;
    let mut program = None;
    for (key, value) in &fields {
        match *key {
            "Dir" | "Active" | "Name" | "Desc" | "EmbedCtxt" | "Edge" | "Defer" | "TTK"
            | "Platform" | "Platform2" | "ICMP4" | "ICMP6" => {}
            "Action" => rule.uncertain |= !matches!(*value, "Allow" | "Block"),
            "Profile" => {
                profiles.insert((*value).to_owned());
            }
            "Protocol" => match *value {
                "6" => rule.protocol = Some(Protocol::Tcp),
                "17" => rule.protocol = Some(Protocol::Udp),
                "256" => {}
                _ => return None,
            },
            "LPort" | "LPort2_10" => match ports(value) {
                Some(range) => rule.ports.push(range),
                // A keyword: ports that the service behind it has at the time.
                None => rule.uncertain = true,
            },
            "LA4" | "LA6" => match networks(value) {
                Some(networks) => rule.destinations.extend(networks),
                None => rule.uncertain = true,
            },
            "RA4" | "RA6" | "RA42" | "RA62" => match networks(value) {
                Some(networks) => rule.sources.extend(networks),
                // `LocalSubnet` and its like.
                None => some_sources = true,
            },
            "App" => program = Some(*value),
            "Svc" if *value == "*" => {}
            // A condition that we do not understand.
            _ => rule.uncertain = true,
        }
    }
    if let Some(program) = program {
        // It meets packets to sockets of that program only.
        let name = program.rsplit('\\').next().unwrap_or(program);
        let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let runs = |l: &Listener| {
            let process = l.process.as_deref();
            process.is_none_or(|p| p.eq_ignore_ascii_case(name))
        };
        if !listeners.is_none_or(|all| all.iter().any(runs)) {
            return None;
        }
        rule.uncertain = true;
    }
    if some_sources && rule.sources.is_empty() {
        // What refuses some sources does not refuse everyone.
        if rule.target == Target::Drop {
            return None;
        }
        rule.uncertain = true;
    }
    rule.text = described(found, first("Name"), &rule);
    rule.name = Some(format!("{} {}", FirewallKind::Windows, rule.text));
    Some(Parsed { profiles, rule })
}

/// `block rule "No web"`: the name that people see in the console, or the identity where that is a resource of some file.
fn described(found: &super::facts::Rule, name: Option<&str>, rule: &FirewallRule) -> String {
    let name = name.filter(|n| !n.starts_with('@')).unwrap_or(&found.id);
    let action = match rule.target {
        Target::Accept => "allow",
        _ => "block",
    };
    let whose = match found.from.as_str() {
        "policy" => " of the group policy",
        "management" => " of device management",
        _ => "",
    };
    format!("{action} rule {:?}{whose}", printable(name))
}

/// `80`, `5000-5010`
fn ports(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    Some((low.parse().ok()?, high.parse().ok()?))
}

/// `10.0.0.1`, `10.0.0.0/255.255.255.0`, `10.0.0.0/24`, `10.0.0.1-10.0.0.9`
fn networks(text: &str) -> Option<Vec<IpNet>> {
    if let Some((first, last)) = text.split_once('-') {
        return match (first.parse().ok()?, last.parse().ok()?) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                Some(Ipv4Subnets::new(first, last, 0).map(IpNet::V4).collect())
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                Some(Ipv6Subnets::new(first, last, 0).map(IpNet::V6).collect())
            }
            _ => None,
        };
    }
    let Some((address, mask)) = text.split_once('/') else {
        return Some(vec![text.parse::<IpAddr>().ok()?.into()]);
    };
    if let Ok(mask) = mask.parse::<Ipv4Addr>() {
        let address = address.parse::<Ipv4Addr>().ok()?;
        return Some(vec![Ipv4Net::with_netmask(address, mask).ok()?.into()]);
    }
    Some(vec![text.parse().ok()?])
}

impl Parsed {
    /// The opening that a rule of ours is, if it still is one as we make them.
    fn opening(&self) -> Option<EntryKey> {
        let FirewallRule {
            protocol,
            sources,
            destinations,
            ports,
            uncertain,
            target,
            ours,
            text: _,
            name: _,
        } = &self.rule;
        let whole = |net: &IpNet| (net.prefix_len() == net.max_prefix_len()).then(|| net.addr());
        let ([destination], true, false, Target::Accept, true) = (
            destinations.as_slice(),
            *ours,
            *uncertain,
            target,
            self.profiles.is_empty(),
        ) else {
            return None;
        };
        let source = match sources.as_slice() {
            [] => None,
            [one] => Some(whole(one)?),
            _ => return None,
        };
        let port = match ports.as_slice() {
            [] => None,
            [(low, high)] if low == high => Some(*low),
            _ => return None,
        };
        Some(EntryKey::Firewall(Opening {
            protocol: protocol.unwrap_or(Protocol::All),
            destination: Where::Known(whole(destination)?),
            port,
            source,
        }))
    }
}

/// Why a rule of ours would not open the way.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    #[error(
        "{by} refuses it, and a block beats any allow in Windows Firewall; remove that rule, or take the load balancer's rule out of the configuration"
    )]
    Denied { by: String },
    #[error("it cannot be told whether {by} refuses it; look at that rule in the guest")]
    Unclear { by: String },
    #[error(
        "profile {profile} takes rules of the group policy only (AllowLocalFirewallRules is False); add the rule to the group policy, or allow local rules there"
    )]
    LocalRulesIgnored { profile: String },
}

/// Whether the opening lets its packets in once our rule stands beside the others.
pub(super) fn opens(
    firewall: &Firewall,
    settings: &BTreeMap<String, String>,
    opening: &Opening,
    destination: IpAddr,
) -> Result<(), Blocked> {
    let packet = Packet {
        protocol: opening.protocol,
        source: opening.source,
        destination,
        port: opening.port,
    };
    match firewall.judge(&packet) {
        Verdict::Admitted { .. } => Ok(()),
        Verdict::Unclear { by, .. } => Err(Blocked::Unclear { by }),
        Verdict::Refused {
            chain,
            by_default: true,
            ..
        } => {
            let profile = chain.rsplit(' ').next().unwrap_or_default();
            match settings.contains_key(&local_rules(profile)) {
                true => Err(Blocked::LocalRulesIgnored {
                    profile: profile.to_owned(),
                }),
                false => Ok(()),
            }
        }
        Verdict::Refused { by, .. } => Err(Blocked::Denied { by }),
    }
}

/// The name of our rule, which says what it is for: one name for one opening.
pub(super) fn rule_name(opening: &Opening, destination: IpAddr) -> String {
    let mut name = format!("{MARKER}-{}", opening.protocol);
    if let Some(port) = opening.port {
        name += &format!("-{port}");
    }
    if let Some(source) = opening.source {
        name += &format!("-from-{source}");
    }
    name += &format!("-to-{destination}");
    name.replace(':', "_")
}

#[cfg(test)]
mod tests {
    use super::super::facts::Rule;
    use super::*;

    fn parsed(text: &str, listeners: Option<&[Listener]>) -> Option<Parsed> {
        let rule = Rule {
            from: "local".to_owned(),
            id: "some-id".to_owned(),
            text: text.to_owned(),
        };
        parse(&rule, listeners)
    }

    #[test]
    fn conditions_are_read_or_make_a_rule_uncertain() {
        let head = "v2.33|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=80|";
        let of = |more: &str| parsed(&format!("{head}{more}Name=web|"), None).unwrap();
        assert!(!of("").rule.uncertain);
        assert!(!of("Profile=Public|Edge=TRUE|").rule.uncertain);
        for condition in [
            "RPort=7|",
            "IFType=Wireless|",
            "Security=Authenticate|",
            "Svc=w3svc|",
            "Unheard=1|",
            "RA4=LocalSubnet|",
            "LPort=RPC|",
        ] {
            assert!(of(condition).rule.uncertain, "{condition}");
        }
        let range = of("LPort2_10=5000-5010|LA4=10.0.0.4-10.0.0.5|RA4=10.1.0.0/255.255.0.0|");
        assert_eq!(range.rule.ports, [(80, 80), (5000, 5010)]);
        assert_eq!(range.rule.destinations[0].to_string(), "10.0.0.4/31");
        assert_eq!(range.rule.sources[0].to_string(), "10.1.0.0/16");
        assert!(parsed("v2.33|Action=Allow|Active=TRUE|Dir=In|Protocol=1|", None).is_none());
        assert!(parsed("v2.33|Action=Allow|Active=FALSE|Dir=In|", None).is_none());
        assert!(parsed("v2.33|Action=Allow|Active=TRUE|Dir=Out|", None).is_none());
    }

    /// Windows makes such a block by itself, when nobody answers its question about a program.
    #[test]
    fn a_block_for_a_program_counts_only_while_that_program_listens() {
        let block =
            "v2.33|Action=Block|Active=TRUE|Dir=In|Protocol=6|App=C:\\x\\Chat.exe|Name=chat|";
        let listener = |process: Option<&str>| Listener {
            protocol: Protocol::Tcp,
            address: "0.0.0.0".parse().unwrap(),
            port: 80,
            process: process.map(str::to_owned),
        };
        assert!(parsed(block, Some(&[listener(Some("w3wp"))])).is_none());
        for process in [Some("chat"), None] {
            assert!(
                parsed(block, Some(&[listener(process)]))
                    .unwrap()
                    .rule
                    .uncertain
            );
        }
    }

    #[test]
    fn names_say_what_a_rule_is_for() {
        let opening = |text: &str| match text.parse() {
            Ok(EntryKey::Firewall(opening)) => opening,
            other => panic!("{other:?}"),
        };
        let name = |text: &str| {
            let opening = opening(text);
            let destination = opening.destination.known().unwrap();
            rule_name(&opening, destination)
        };
        assert_eq!(
            name("firewall tcp port 80 to 65.52.0.1"),
            "plimsoll-tcp-80-to-65.52.0.1"
        );
        assert_eq!(
            name("firewall tcp port 59999 from 168.63.129.16 to 10.0.0.4"),
            "plimsoll-tcp-59999-from-168.63.129.16-to-10.0.0.4"
        );
        assert_eq!(
            name("firewall all to fd00:f1::1"),
            "plimsoll-all-to-fd00_f1__1"
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "v2.33(\\|(Action=(Allow|Block)|Dir=In|Active=TRUE|LA4=[0-9./-]{0,20}|LA6=[0-9a-f:/-]{0,20}|LPort=[0-9-]{0,9}|RA4=\\PC{0,9}|App=\\PC{0,9})){0,6}") {
            let _ = parsed(&text, None);
        }
    }
}
