//! Which chains refuse a packet, and so where a rule of ours must go: never past a refusal that the administrator wrote.

use plimsoll_core::model::guest::{
    Chain, Firewall, FirewallKind, FirewallRule, Opening, Packet, Target, Verdict,
};
use std::fmt;
use std::net::IpAddr;

/// Who is asked to open the firewall.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Nft {
        family: String,
        table: String,
        chain: String,
    },
    Iptables {
        tool: &'static str,
        chain: String,
    },
    Ufw,
    Firewalld,
}

/// Why no rule of ours can help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    #[error(
        "the rule `{by}` in {chain} refuses {what}, and plimsoll does not bypass a rule that someone wrote; narrow or remove it, then plan again"
    )]
    Denied {
        what: String,
        by: String,
        chain: String,
    },
    #[error(
        "the rule `{by}` decides over {what} in a way that plimsoll cannot read; admit it in the firewall by hand, then plan again"
    )]
    Unclear { what: String, by: String },
}

/// Our policy object has a priority above 0, so it comes after all that the zones admit and deny.
const FIREWALLD_CHAIN: &str = "inet firewalld filter_INPUT_POLICIES_post";
const TOOLS: [&str; 4] = [
    "iptables",
    "ip6tables",
    "iptables-legacy",
    "ip6tables-legacy",
];

impl Way {
    /// Chains are named `family table chain` by nft and `tool table chain` by iptables.
    pub(crate) fn of_chain(name: &str) -> Option<Self> {
        let mut words = name.split(' ');
        let (first, table, chain) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || !is_plain(table) || !is_plain(chain) {
            return None;
        }
        if let Some(tool) = TOOLS.into_iter().find(|tool| *tool == first) {
            return (table == "filter").then(|| Self::Iptables {
                tool,
                chain: chain.to_owned(),
            });
        }
        matches!(first, "ip" | "ip6" | "inet").then(|| Self::Nft {
            family: first.to_owned(),
            table: table.to_owned(),
            chain: chain.to_owned(),
        })
    }

    pub(crate) fn is_iptables(&self) -> bool {
        matches!(self, Self::Iptables { .. })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nft {
                family,
                table,
                chain,
            } => write!(f, "{family} {table} {chain}"),
            Self::Iptables { tool, chain } => write!(f, "{tool} filter {chain}"),
            Self::Ufw => f.write_str("ufw"),
            Self::Firewalld => f.write_str("firewalld"),
        }
    }
}

/// A name that needs no quoting anywhere; nft would take more, and such a chain is then not ours to write into.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(plain)
}

/// A firewall as if no rule of ours were in it.
#[derive(Debug)]
pub(crate) struct WithoutOurs {
    firewall: Firewall,
    /// Where `ways` has put rules to try: the chain and the place in it.
    tried: Vec<(String, usize)>,
}

impl WithoutOurs {
    pub(crate) fn new(firewall: &Firewall) -> Self {
        let mut firewall = firewall.clone();
        for chain in firewall.base.iter_mut().chain(&mut firewall.other) {
            chain.rules.retain(|rule| !rule.ours);
        }
        Self {
            firewall,
            tried: Vec::new(),
        }
    }

    /// Where rules of ours are needed; empty where nothing refuses the packet. A ruleset can hold ten thousand rules and
    /// a guest hundreds of entries, so rules are tried in place and taken out again rather than in a copy for each.
    pub(crate) fn ways(
        &mut self,
        opening: &Opening,
        destination: IpAddr,
    ) -> Result<Vec<Way>, Blocked> {
        let ways = self.search(opening, destination);
        while let Some((chain, at)) = self.tried.pop() {
            if let Some(chain) = self.chain(&chain) {
                chain.rules.remove(at);
            }
        }
        ways
    }

    fn search(&mut self, opening: &Opening, destination: IpAddr) -> Result<Vec<Way>, Blocked> {
        let packet = Packet {
            protocol: opening.protocol,
            source: opening.source,
            destination,
            port: opening.port,
        };
        let what = format!("{} to {destination}", words(opening));
        let mut found: Vec<Way> = Vec::new();
        // Each turn opens one more chain, so there are no more turns than chains.
        for _ in 0..=self.firewall.base.len() + self.firewall.other.len() {
            let ours = accept(opening, destination);
            let (by, chain, by_default) = match self.firewall.judge(&packet) {
                Verdict::Admitted { .. } => return Ok(found),
                // What ufw does by its own rules comes after the rules of its users.
                Verdict::Unclear { by, .. } if self.firewall.kind == FirewallKind::Ufw => {
                    let again = found.contains(&Way::Ufw);
                    if again || !self.append(ufw_chain(destination), ours) {
                        return Err(Blocked::Unclear { what, by });
                    }
                    found.push(Way::Ufw);
                    continue;
                }
                Verdict::Unclear { by, .. } => return Err(Blocked::Unclear { what, by }),
                Verdict::Refused {
                    by,
                    chain,
                    by_default,
                    ..
                } => (by, chain, by_default),
            };
            if !by_default {
                return Err(Blocked::Denied { what, by, chain });
            }
            let way = manager(self.firewall.kind, &chain, destination);
            let opened = match &way {
                Some(Way::Nft { .. } | Way::Iptables { .. }) => self.open(&chain, &by, ours),
                Some(Way::Ufw) => self.append(ufw_chain(destination), ours),
                Some(Way::Firewalld) => self.append(FIREWALLD_CHAIN, ours),
                None => false,
            };
            match way.filter(|way| opened && !found.contains(way)) {
                Some(way) => found.push(way),
                None => return Err(Blocked::Denied { what, by, chain }),
            }
        }
        Ok(found)
    }

    fn chain(&mut self, name: &str) -> Option<&mut Chain> {
        let Firewall { base, other, .. } = &mut self.firewall;
        base.iter_mut()
            .chain(other)
            .find(|chain| chain.name == name)
    }

    /// At the end of what the chain admits: before a last rule that refuses everything, else after all rules.
    fn open(&mut self, name: &str, by: &str, ours: FirewallRule) -> bool {
        let Some(chain) = self.chain(name) else {
            return false;
        };
        match chain.rules.iter().position(|rule| is_catch_all(&rule.text)) {
            Some(at) => chain.rules[at].text == by && self.insert(name, at, ours),
            None => by.starts_with("policy of ") && self.append(name, ours),
        }
    }

    fn append(&mut self, name: &str, ours: FirewallRule) -> bool {
        let end = self.chain(name).map(|chain| chain.rules.len());
        end.is_some_and(|end| self.insert(name, end, ours))
    }

    fn insert(&mut self, name: &str, at: usize, ours: FirewallRule) -> bool {
        let Some(chain) = self.chain(name) else {
            return false;
        };
        chain.rules.insert(at, ours);
        self.tried.push((name.to_owned(), at));
        true
    }
}

fn words(opening: &Opening) -> String {
    match (opening.port, opening.source) {
        (Some(port), Some(source)) => format!("{} port {port} from {source}", opening.protocol),
        (Some(port), None) => format!("{} port {port}", opening.protocol),
        (None, _) => format!("{} on every port", opening.protocol),
    }
}

/// Who manages a chain: ufw and firewalld would undo what is put into theirs behind their back.
fn manager(kind: FirewallKind, chain: &str, destination: IpAddr) -> Option<Way> {
    let way = Way::of_chain(chain)?;
    Some(match (&way, kind) {
        (Way::Iptables { tool, .. }, FirewallKind::Ufw)
            if tool.starts_with("ip6") != destination.is_ipv4() =>
        {
            Way::Ufw
        }
        (Way::Nft { table, .. }, FirewallKind::Firewalld) if table == "firewalld" => Way::Firewalld,
        _ => way,
    })
}

fn accept(opening: &Opening, destination: IpAddr) -> FirewallRule {
    FirewallRule {
        protocol: Some(opening.protocol),
        sources: opening.source.map(Into::into).into_iter().collect(),
        destinations: vec![destination.into()],
        ports: opening.port.map(|p| (p, p)).into_iter().collect(),
        uncertain: false,
        target: Target::Accept,
        ours: true,
        text: String::new(),
        name: None,
    }
}

fn is_catch_all(text: &str) -> bool {
    if let Some(rule) = text.strip_prefix("-A ") {
        let conditions_and_target = rule.split_once(' ').map_or("", |(_, rest)| rest);
        return conditions_and_target == "-j DROP"
            || conditions_and_target == "-j REJECT"
            || conditions_and_target.starts_with("-j REJECT --reject-with ");
    }
    let text = text.split(" comment \"").next().unwrap_or_default();
    text == "drop" || text == "reject" || text.starts_with("reject with ")
}

fn ufw_chain(destination: IpAddr) -> &'static str {
    if destination.is_ipv4() {
        "iptables filter ufw-user-input"
    } else {
        "ip6tables filter ufw6-user-input"
    }
}
