//! A host firewall in one form for every kind, judged rule by rule in its own order.

use crate::model::Protocol;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirewallKind {
    Ufw,
    Firewalld,
    Nftables,
    Iptables,
    Windows,
    None,
}

impl std::fmt::Display for FirewallKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ufw => "ufw",
            Self::Firewalld => "firewalld",
            Self::Nftables => "nftables",
            Self::Iptables => "iptables",
            Self::Windows => "Windows firewall",
            Self::None => "no firewall",
        })
    }
}

/// The input side of the firewall. A packet must pass every base chain: one that drops has the last word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firewall {
    pub kind: FirewallKind,
    pub active: bool,
    /// Base chains of the input hook, in order of priority.
    pub base: Vec<Chain>,
    /// Chains that rules jump to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<Chain>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// As the tool prints it: `inet filter input`.
    pub name: String,
    /// What happens at its end; a chain that is jumped to returns.
    pub policy: Target,
    /// Which families pass through it; both are true for `inet`.
    pub ipv4: bool,
    pub ipv6: bool,
    pub rules: Vec<FirewallRule>,
}

/// What a rule (or a chain's end) does with a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    Accept,
    Drop,
    Reject,
    Return,
    Jump(String),
    Goto(String),
    /// Counts, logs, marks: goes on to the next rule.
    Continue,
}

/// One rule. Rules that can never meet a new connection from outside (`ct state established`, `iif lo`) are left out by
/// whoever reads the ruleset; a condition that we do not understand makes the match uncertain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallRule {
    /// `None` is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Empty is any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<IpNet>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<IpNet>,
    /// Inclusive ranges; empty is any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<(u16, u16)>,
    /// It has a condition that we do not understand: it may or may not match.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncertain: bool,
    pub target: Target,
    /// It carries our marker.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ours: bool,
    /// As the tool prints it, for people.
    pub text: String,
    /// How its administrator would point at it: `ufw #3 allow tcp 80`. Without one the chain and the text say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A new connection (or datagram) from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub protocol: Protocol,
    /// `None`: from anywhere, so that only a rule for every source admits it.
    pub source: Option<IpAddr>,
    pub destination: IpAddr,
    /// `None`: every port, so that only a rule for every port admits it.
    pub port: Option<u16>,
}

/// What the firewall does with a packet, and which rule says so.
///
/// `by` is the rule's own text, or `policy of CHAIN`; `rule` is how its administrator would point at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Admitted {
        by: String,
        rule: String,
        ours: bool,
    },
    Refused {
        by: String,
        rule: String,
        chain: String,
        rejects: bool,
        /// It refuses whatever nobody admitted, as a policy does, and so gives way to an opening. Otherwise somebody means
        /// this very packet, and nothing of ours goes around it.
        by_default: bool,
    },
    /// A rule that we cannot read decides.
    Unclear { by: String, rule: String },
}

impl Verdict {
    /// The deciding rule: `ufw #3 allow tcp 80`, `nftables inet filter input: tcp dport 80 drop`.
    pub fn rule(&self) -> &str {
        match self {
            Self::Admitted { rule, .. }
            | Self::Refused { rule, .. }
            | Self::Unclear { rule, .. } => rule,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meets {
    No,
    Maybe,
    Yes,
}

/// A chain that jumps in circles is refused by the kernel; the bound is for rulesets that we misread.
const DEEPEST_JUMP: usize = 16;

enum Walk {
    Decided(Verdict),
    FellThrough,
}

/// The way of a packet through one base chain.
struct Path {
    depth: usize,
    /// A jump on the way was made for packets like this one, so that even a refusal without conditions means it.
    meant: bool,
    /// The first refusal that may match, by a condition that we do not understand.
    doubt: Option<Verdict>,
}

impl Firewall {
    pub fn none() -> Self {
        Self {
            kind: FirewallKind::None,
            active: false,
            base: Vec::new(),
            other: Vec::new(),
        }
    }

    pub fn judge(&self, packet: &Packet) -> Verdict {
        let mut admitted: Option<Verdict> = None;
        for chain in self.base.iter().filter(|c| c.sees(packet)) {
            let mut path = Path {
                depth: 0,
                meant: false,
                doubt: None,
            };
            let walked = match self.walk(chain, packet, &mut path) {
                Walk::Decided(verdict) => Walk::Decided(settled(path.doubt, verdict)),
                Walk::FellThrough => Walk::FellThrough,
            };
            match walked {
                Walk::Decided(verdict @ Verdict::Admitted { .. }) => {
                    // Prefer to name a rule of ours over a policy of another chain.
                    let keep = matches!(admitted, Some(Verdict::Admitted { ours: true, .. }));
                    if !keep {
                        admitted = Some(verdict);
                    }
                }
                Walk::Decided(verdict) => return verdict,
                Walk::FellThrough => {}
            }
        }
        admitted.unwrap_or_else(|| Verdict::Admitted {
            by: "no firewall rule refuses it".into(),
            rule: "no firewall rule refuses it".into(),
            ours: false,
        })
    }

    fn walk(&self, chain: &Chain, packet: &Packet, path: &mut Path) -> Walk {
        for rule in &chain.rules {
            let meets = rule.meets(packet);
            if meets == Meets::No {
                continue;
            }
            let maybe = meets == Meets::Maybe;
            let decided = match &rule.target {
                Target::Continue => continue,
                Target::Return if maybe => continue,
                Target::Return => return self.end_of(chain, path),
                Target::Accept => Verdict::Admitted {
                    by: rule.text.clone(),
                    rule: self.name_of(chain, rule),
                    ours: rule.ours,
                },
                Target::Drop | Target::Reject => Verdict::Refused {
                    by: rule.text.clone(),
                    rule: self.name_of(chain, rule),
                    chain: chain.name.clone(),
                    rejects: rule.target == Target::Reject,
                    by_default: !path.meant && rule.meets_everything(),
                },
                Target::Jump(name) | Target::Goto(name) => {
                    let meant = path.meant;
                    path.meant |= !rule.meets_everything();
                    path.depth += 1;
                    let walked = self.jump(name, packet, path);
                    path.depth -= 1;
                    path.meant = meant;
                    match walked {
                        Walk::Decided(verdict) => verdict,
                        Walk::FellThrough if matches!(rule.target, Target::Goto(_)) && !maybe => {
                            return self.end_of(chain, path);
                        }
                        Walk::FellThrough => continue,
                    }
                }
            };
            // An accept that may not match does not admit; what follows a drop that may match tells how much it matters.
            match (maybe, &decided) {
                (false, _) => return Walk::Decided(decided),
                (true, Verdict::Admitted { .. }) => continue,
                (true, Verdict::Refused { .. } | Verdict::Unclear { .. }) => {
                    path.doubt.get_or_insert(decided);
                }
            }
        }
        self.end_of(chain, path)
    }

    fn jump(&self, name: &str, packet: &Packet, path: &mut Path) -> Walk {
        if path.depth > DEEPEST_JUMP {
            return Walk::Decided(unclear(format!("chain {name} is nested too deeply")));
        }
        match self.other.iter().find(|c| c.name == name) {
            Some(chain) => self.walk(chain, packet, path),
            None => Walk::Decided(unclear(format!("chain {name} was not read"))),
        }
    }

    fn name_of(&self, chain: &Chain, rule: &FirewallRule) -> String {
        match &rule.name {
            Some(name) => name.clone(),
            None => format!("{} {}: {}", self.kind, chain.name, rule.text),
        }
    }

    fn end_of(&self, chain: &Chain, path: &Path) -> Walk {
        if path.depth > 0 {
            return Walk::FellThrough;
        }
        let by = format!("policy of {}", chain.name);
        let rule = match (self.kind, &chain.policy) {
            (FirewallKind::Ufw, Target::Drop | Target::Reject) => {
                "ufw default deny incoming".into()
            }
            (kind, _) => format!("{kind} {by}"),
        };
        Walk::Decided(match chain.policy {
            Target::Drop | Target::Reject => Verdict::Refused {
                by,
                rule,
                chain: chain.name.clone(),
                rejects: chain.policy == Target::Reject,
                by_default: true,
            },
            Target::Accept
            | Target::Return
            | Target::Jump(_)
            | Target::Goto(_)
            | Target::Continue => Verdict::Admitted {
                by,
                rule,
                ours: false,
            },
        })
    }
}

/// A refusal that may match matters where an opening could come to be behind it: before an accept, and before what gives
/// way to one.
fn settled(doubt: Option<Verdict>, verdict: Verdict) -> Verdict {
    match (doubt, &verdict) {
        (None, Verdict::Admitted { .. } | Verdict::Refused { .. } | Verdict::Unclear { .. })
        | (
            Some(_),
            Verdict::Refused {
                by_default: false, ..
            },
        ) => verdict,
        // Both give way to an opening.
        (
            Some(
                doubt @ Verdict::Refused {
                    by_default: true, ..
                },
            ),
            Verdict::Refused { .. },
        ) => doubt,
        (
            Some(
                Verdict::Refused { by, rule, .. }
                | Verdict::Unclear { by, rule }
                | Verdict::Admitted { by, rule, .. },
            ),
            Verdict::Refused { .. } | Verdict::Admitted { .. } | Verdict::Unclear { .. },
        ) => Verdict::Unclear { by, rule },
    }
}

fn unclear(by: String) -> Verdict {
    Verdict::Unclear {
        rule: by.clone(),
        by,
    }
}

impl Chain {
    fn sees(&self, packet: &Packet) -> bool {
        if packet.destination.is_ipv4() {
            self.ipv4
        } else {
            self.ipv6
        }
    }
}

impl FirewallRule {
    /// No condition that is about the packet's protocol, port or addresses. Which interface or zone it came through is what
    /// every firewall sorts by.
    fn meets_everything(&self) -> bool {
        // A whole family is written as its two halves.
        let whole = |networks: &[IpNet]| networks.iter().all(|n| n.prefix_len() <= 1);
        matches!(self.protocol, None | Some(Protocol::All))
            && self.ports.is_empty()
            && whole(&self.sources)
            && whole(&self.destinations)
    }

    /// For an accept, a match that covers only a part of what the packet stands for (one source of all, one port of all)
    /// is no match; for a refusal it is a possible one.
    fn meets(&self, packet: &Packet) -> Meets {
        let partial = if self.target == Target::Accept {
            Meets::No
        } else {
            Meets::Maybe
        };
        let protocol = match (self.protocol, packet.protocol) {
            (None | Some(Protocol::All), _) => Meets::Yes,
            (Some(rule), wanted) if rule == wanted => Meets::Yes,
            (Some(_), Protocol::All) => partial,
            (Some(_), _) => Meets::No,
        };
        let destination = covers(&self.destinations, Some(packet.destination), partial);
        // What refuses some sources does not refuse everyone: an administrator's blocklist leaves a rule working.
        let source = covers(&self.sources, packet.source, Meets::No);
        let port = match packet.port {
            _ if self.ports.is_empty() => Meets::Yes,
            Some(port)
                if self
                    .ports
                    .iter()
                    .any(|(low, high)| (*low..=*high).contains(&port)) =>
            {
                Meets::Yes
            }
            Some(_) => Meets::No,
            None => partial,
        };
        let all = [protocol, destination, source, port];
        if all.contains(&Meets::No) {
            Meets::No
        } else if self.uncertain || all.contains(&Meets::Maybe) {
            Meets::Maybe
        } else {
            Meets::Yes
        }
    }
}

fn covers(networks: &[IpNet], address: Option<IpAddr>, partial: Meets) -> Meets {
    if networks.is_empty() || networks.iter().any(|n| n.prefix_len() == 0) {
        return Meets::Yes;
    }
    match address {
        Some(address) if networks.iter().any(|n| n.contains(&address)) => Meets::Yes,
        Some(_) => Meets::No,
        None => partial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(destination: &str, port: u16, target: Target) -> FirewallRule {
        FirewallRule {
            protocol: Some(Protocol::Tcp),
            sources: vec![],
            destinations: vec![destination.parse().unwrap()],
            ports: vec![(port, port)],
            uncertain: false,
            text: format!("{destination} {port} {target:?}"),
            name: None,
            target,
            ours: false,
        }
    }

    fn firewall(rules: Vec<FirewallRule>) -> Firewall {
        Firewall {
            kind: FirewallKind::Nftables,
            active: true,
            base: vec![Chain {
                name: "inet filter input".into(),
                policy: Target::Drop,
                ipv4: true,
                ipv6: true,
                rules,
            }],
            other: vec![],
        }
    }

    fn packet() -> Packet {
        Packet {
            protocol: Protocol::Tcp,
            source: None,
            destination: "65.52.0.1".parse().unwrap(),
            port: Some(80),
        }
    }

    fn admitted(firewall: &Firewall) -> bool {
        matches!(firewall.judge(&packet()), Verdict::Admitted { .. })
    }

    #[test]
    fn the_first_match_wins() {
        let accept = rule("65.52.0.1/32", 80, Target::Accept);
        let deny = rule("0.0.0.0/0", 80, Target::Drop);
        assert!(admitted(&firewall(vec![accept.clone(), deny.clone()])));
        assert!(!admitted(&firewall(vec![deny, accept])));
        assert!(!admitted(&firewall(vec![rule(
            "65.52.0.1/32",
            443,
            Target::Accept
        )])));
    }

    #[test]
    fn another_base_chain_that_drops_has_the_last_word() {
        let mut two = firewall(vec![rule("65.52.0.1/32", 80, Target::Accept)]);
        two.base.push(Chain {
            name: "ip other input".into(),
            policy: Target::Drop,
            ipv4: true,
            ipv6: false,
            rules: vec![],
        });
        assert!(!admitted(&two));
    }

    #[test]
    fn an_accept_for_one_source_does_not_admit_everyone() {
        let mut narrow = rule("65.52.0.1/32", 80, Target::Accept);
        narrow.sources = vec!["168.63.129.16/32".parse().unwrap()];
        assert!(!admitted(&firewall(vec![narrow.clone()])));
        let probe = Packet {
            source: Some("168.63.129.16".parse().unwrap()),
            ..packet()
        };
        assert!(matches!(
            firewall(vec![narrow]).judge(&probe),
            Verdict::Admitted { .. }
        ));
    }

    #[test]
    fn a_blocklist_does_not_refuse_everyone() {
        let mut deny = rule("0.0.0.0/0", 80, Target::Drop);
        deny.sources = vec!["192.0.2.7/32".parse().unwrap()];
        let accept = rule("65.52.0.1/32", 80, Target::Accept);
        let firewall = firewall(vec![deny, accept]);
        assert!(admitted(&firewall));
        let blocked = Packet {
            source: Some("192.0.2.7".parse().unwrap()),
            ..packet()
        };
        assert!(matches!(firewall.judge(&blocked), Verdict::Refused { .. }));
    }

    #[test]
    fn an_unreadable_refusal_is_unclear_and_an_unreadable_accept_is_no_accept() {
        let mut strange = rule("65.52.0.1/32", 80, Target::Drop);
        strange.uncertain = true;
        let accept = rule("65.52.0.1/32", 80, Target::Accept);
        assert!(matches!(
            firewall(vec![strange.clone(), accept]).judge(&packet()),
            Verdict::Unclear { .. }
        ));
        strange.target = Target::Accept;
        assert!(!admitted(&firewall(vec![strange])));
    }

    #[test]
    fn a_refusal_of_everything_gives_way_unless_packets_were_sent_there() {
        let by_default = |firewall: &Firewall| match firewall.judge(&packet()) {
            Verdict::Refused { by_default, .. } => by_default,
            verdict => panic!("{verdict:?}"),
        };
        let everything = FirewallRule {
            protocol: None,
            ports: vec![],
            destinations: vec![],
            ..rule("0.0.0.0/0", 80, Target::Reject)
        };
        assert!(by_default(&firewall(vec![everything.clone()])));
        assert!(by_default(&firewall(vec![])));
        assert!(!by_default(&firewall(vec![rule(
            "0.0.0.0/0",
            80,
            Target::Drop
        )])));
        let mut jumping = firewall(vec![FirewallRule {
            target: Target::Jump("deny".into()),
            ..rule("0.0.0.0/0", 80, Target::Accept)
        }]);
        jumping.other.push(Chain {
            name: "deny".into(),
            policy: Target::Return,
            ipv4: true,
            ipv6: true,
            rules: vec![everything.clone()],
        });
        assert!(!by_default(&jumping), "no web here");
        // By its interface: both ways end in the same refusal, so nothing is unclear.
        jumping.base[0].rules[0] = FirewallRule {
            uncertain: true,
            target: Target::Goto("deny".into()),
            ..everything
        };
        assert!(by_default(&jumping));
        jumping.base[0]
            .rules
            .push(rule("0.0.0.0/0", 80, Target::Accept));
        assert!(matches!(jumping.judge(&packet()), Verdict::Unclear { .. }));
    }

    #[test]
    fn jumps_return_to_where_they_came_from() {
        let mut jumping = firewall(vec![
            FirewallRule {
                target: Target::Jump("ours".into()),
                ..rule("0.0.0.0/0", 80, Target::Accept)
            },
            rule("65.52.0.1/32", 80, Target::Accept),
        ]);
        jumping.other.push(Chain {
            name: "ours".into(),
            policy: Target::Return,
            ipv4: true,
            ipv6: true,
            rules: vec![],
        });
        assert!(admitted(&jumping));
    }
}
