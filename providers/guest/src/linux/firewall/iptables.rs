//! What `iptables-save` and `ip6tables-save` print → chains that can be judged. Only the filter table decides on input.

use super::MARKER;
use super::draft::{Draft, Ranges};
use ipnet::IpNet;
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{Chain, FirewallRule, Target};
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) input: Chain,
    pub(crate) other: Vec<Chain>,
}

/// `None` where there is no filter table.
pub(crate) fn read(saved: &str, tool: &str) -> Option<Filter> {
    let ipv4 = !tool.starts_with("ip6");
    let mut inside = false;
    let mut chains: BTreeMap<String, Chain> = BTreeMap::new();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for line in saved.lines() {
        match line.split_at_checked(1) {
            Some(("*", table)) => inside = table.trim() == "filter",
            _ if !inside => {}
            Some((":", declared)) => {
                let mut words = declared.split(' ');
                let name = words.next().unwrap_or_default().to_owned();
                let policy = match words.next() {
                    Some("DROP") => Target::Drop,
                    Some("ACCEPT") => Target::Accept,
                    _ => Target::Return,
                };
                let chain = Chain {
                    name: format!("{tool} filter {name}"),
                    policy,
                    ipv4,
                    ipv6: !ipv4,
                    rules: Vec::new(),
                };
                chains.insert(name, chain);
            }
            Some(("-", _)) => {
                let words = split(line);
                if let [append, name, rest @ ..] = words.as_slice()
                    && append == "-A"
                    && let Some(chain) = chains.get(name).map(|c| c.name.clone())
                {
                    let mut rules = rule(rest, line, tool, ipv4, &chains);
                    // As `iptables -L --line-numbers` counts, also what is left out here.
                    let number = numbers.entry(name.clone()).or_default();
                    *number += 1;
                    let words = line.splitn(3, ' ').nth(2).unwrap_or_default();
                    for rule in &mut rules {
                        rule.name = Some(format!("{tool} {name} #{number}: {words}"));
                    }
                    if let Some(chain) = chains.values_mut().find(|c| c.name == chain) {
                        chain.rules.extend(rules);
                    }
                }
            }
            _ => {}
        }
    }
    let input = chains.remove("INPUT")?;
    Some(Filter {
        input,
        other: chains.into_values().collect(),
    })
}

/// The words of a line; iptables quotes comments with `"` and escapes with `\`.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quoted, mut started) = (String::new(), false, false);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.extend(letters.next()),
            '"' => {
                quoted = !quoted;
                started = true;
            }
            ' ' if !quoted => {
                if started || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
            }
            other => word.push(other),
        }
    }
    if started || !word.is_empty() {
        words.push(word);
    }
    words
}

fn rule(
    words: &[String],
    text: &str,
    tool: &str,
    ipv4: bool,
    chains: &BTreeMap<String, Chain>,
) -> Vec<FirewallRule> {
    let mut draft = Draft::default();
    let mut ours = false;
    let mut target = Target::Continue;
    let mut negated = false;
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        if word == "!" {
            negated = true;
            continue;
        }
        let equal = !std::mem::take(&mut negated);
        let mut value = || words.next().unwrap_or_default();
        match word {
            "-s" | "--source" => match (network(value()), equal) {
                (Some(net), true) => draft.only_sources(vec![net]),
                _ => draft.uncertain = true,
            },
            "-d" | "--destination" => match (network(value()), equal) {
                (Some(net), true) => draft.only_destinations(vec![net]),
                _ => draft.uncertain = true,
            },
            "-i" | "--in-interface" => match (value(), equal) {
                // What comes from outside never enters through the loopback interface.
                ("lo", true) => draft.never = true,
                ("lo", false) => {}
                _ => draft.uncertain = true,
            },
            "-p" | "--protocol" => match value() {
                "all" => draft.never |= !equal,
                name => draft.only_protocols(&[protocol(name)], equal),
            },
            // Naming a match only brings its options.
            "-m" => match value() {
                "tcp" | "udp" | "comment" | "conntrack" | "state" | "multiport" | "addrtype"
                | "mark" | "connmark" => {}
                // Extension headers of IPv6 that a connection from a load balancer does not carry.
                "rt" | "frag" | "ah" | "esp" | "hbh" | "dst" | "mh" => draft.never = true,
                _ => draft.uncertain = true,
            },
            "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
                match value().split(',').map(ports).collect::<Option<Ranges>>() {
                    Some(ranges) => draft.only_ports(&ranges, equal),
                    None => draft.uncertain = true,
                }
            }
            "--ctstate" | "--state" => {
                let states: Vec<&str> = value().split(',').collect();
                draft.connection_states(&states, equal);
            }
            // A packet comes in unmarked; Kubernetes drops by mark, for example.
            "--mark" => {
                let mark = value();
                let is_zero = mark.starts_with("0x0/") || matches!(mark, "0x0" | "0");
                draft.never |= is_zero != equal;
            }
            "--comment" => ours = value() == MARKER,
            "--dst-type" => match (value(), equal) {
                // An address of the guest itself is neither of the others.
                ("LOCAL", true) => {}
                ("LOCAL", false) => draft.never = true,
                ("MULTICAST" | "BROADCAST" | "ANYCAST", equal) => draft.never |= equal,
                _ => draft.uncertain = true,
            },
            "--tcp-flags" => {
                let _mask = value();
                words.next();
                draft.uncertain = true;
            }
            "-f" | "--fragment" => draft.never |= equal,
            "--syn" => draft.never |= !equal,
            "-j" | "-g" => {
                let name = value();
                target = match name {
                    "ACCEPT" => Target::Accept,
                    "DROP" => Target::Drop,
                    "REJECT" => Target::Reject,
                    "RETURN" => Target::Return,
                    "LOG" | "NFLOG" | "ULOG" | "MARK" | "CONNMARK" | "SECMARK" | "CONNSECMARK"
                    | "TRACE" | "AUDIT" | "SET" | "NOTRACK" | "CLASSIFY" => Target::Continue,
                    chain if chains.contains_key(chain) => {
                        let chain = format!("{tool} filter {chain}");
                        if word == "-g" {
                            Target::Goto(chain)
                        } else {
                            Target::Jump(chain)
                        }
                    }
                    _ => {
                        draft.uncertain = true;
                        Target::Drop
                    }
                };
                // What follows are the target's own options.
                break;
            }
            _ => draft.uncertain = true,
        }
    }
    draft.family(if ipv4 { "ip" } else { "ip6" });
    let mut rules = Vec::new();
    draft.emit(&target, text, ours, &mut rules);
    rules
}

fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

fn protocol(name: &str) -> Option<Protocol> {
    match name {
        "tcp" | "6" => Some(Protocol::Tcp),
        "udp" | "17" => Some(Protocol::Udp),
        _ => None,
    }
}

fn ports(text: &str) -> Option<(u16, u16)> {
    match text.split_once(':') {
        Some((low, high)) => Some((low.parse().ok()?, high.parse().ok()?)),
        None => text.parse().ok().map(|port| (port, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(line: &str) -> Vec<FirewallRule> {
        let saved = format!(
            "*nat\n:INPUT ACCEPT [0:0]\n*filter\n:INPUT DROP [0:0]\n:chain - [0:0]\n{line}\nCOMMIT\n"
        );
        read(&saved, "iptables").unwrap().input.rules
    }

    #[test]
    fn what_cannot_meet_a_new_connection_is_left_out() {
        for line in [
            "-A INPUT -i lo -j ACCEPT",
            "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            "-A INPUT -m conntrack --ctstate INVALID -j DROP",
            "-A INPUT -p icmp -j ACCEPT",
            "-A INPUT -m mark --mark 0x8000/0x8000 -j DROP",
            "-A INPUT -f -j DROP",
            "-A INPUT -m addrtype --dst-type MULTICAST -j DROP",
        ] {
            assert_eq!(rules(line), [], "{line}");
        }
    }

    #[test]
    fn conditions_are_read_or_make_the_rule_uncertain() {
        let [rule] = &rules(
            "-A INPUT -s 10.0.0.0/8 -p tcp -m multiport --dports 80,443,8000:8010 -m comment --comment \"a \\\"b\" -j chain",
        )[..] else {
            panic!("one rule");
        };
        assert_eq!(rule.ports, [(80, 80), (443, 443), (8000, 8010)]);
        assert_eq!(
            rule.target,
            Target::Jump("iptables filter chain".to_owned())
        );
        assert!(!rule.uncertain && !rule.ours);
        for line in [
            "-A INPUT ! -s 10.0.0.0/8 -j DROP",
            "-A INPUT -i eth0 -j ACCEPT",
            "-A INPUT -m recent --update --seconds 30 -j DROP",
            "-A INPUT -j TARGET_OF_AN_EXTENSION",
        ] {
            assert!(rules(line)[0].uncertain, "{line}");
        }
        assert!(
            rules("-A INPUT -p tcp ! --dport 22 -j DROP")[0]
                .ports
                .contains(&(23, u16::MAX))
        );
        assert!(rules("-A INPUT -m comment --comment plimsoll -j ACCEPT")[0].ours);
    }
}
