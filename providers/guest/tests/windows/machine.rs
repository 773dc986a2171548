//! A Windows machine in memory. It runs the scripts' own commands, read from their text by the grammar, each as the cmdlets
//! behind it are documented to work, and answers in the probe's form. What it cannot show is whether the bodies of the
//! scripts' functions do what they say: that takes a Windows.

use crate::grammar::{broken, of_kind, parse};
use async_trait::async_trait;
use ipnet::IpNet;
use plimsoll_core::model::guest::{GuestFacts, GuestRef};
use plimsoll_guest::transport::{Output, RunInMachine, Transport, TransportError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tree_sitter::Node;

pub(crate) const STORES: [&str; 2] = ["ActiveStore", "PersistentStore"];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) component: &'static str,
    pub(crate) category: Option<&'static str>,
    /// Of family and direction, in both stores.
    pub(crate) weak: BTreeMap<(&'static str, &'static str), [bool; 2]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) store: &'static str,
    pub(crate) index: u32,
    pub(crate) net: IpNet,
    pub(crate) hidden: bool,
}

/// All that a script can change, so that two of them can be compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Machine {
    pub(crate) administrator: bool,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) addresses: Vec<Address>,
    /// Registry value → text of the rule, and where it stands.
    pub(crate) rules: BTreeMap<String, (&'static str, String)>,
    pub(crate) listeners: Vec<String>,
    pub(crate) profiles: Vec<Value>,
    pub(crate) record: Option<String>,
    pub(crate) owner: &'static str,
    /// The command that fails, as a cmdlet may.
    pub(crate) failing: Option<&'static str>,
    /// What was called, in order.
    pub(crate) calls: Vec<String>,
}

pub(crate) fn profile(name: &str, enabled: &str, inbound: &str) -> Value {
    json!({ "name": name, "enabled": enabled, "inbound": inbound, "allows": "True", "local": "True" })
}

impl Machine {
    /// As the Microsoft pages show one: index 1 is the loopback interface and 6 the NIC.
    pub(crate) fn new(own: &[&str], loopback: &str, nic: &str) -> Self {
        let interface = |index, name: &str, component, category| Interface {
            index,
            name: name.to_owned(),
            component,
            category,
            weak: ["IPv4", "IPv6"]
                .into_iter()
                .flat_map(|family| [(family, "Receive"), (family, "Send")])
                .map(|key| (key, [false; 2]))
                .collect(),
        };
        let mut machine = Self {
            administrator: true,
            interfaces: vec![
                interface(1, loopback, "", None),
                interface(
                    6,
                    nic,
                    "VMBUS\\{f8615163-df3e-46c5-913f-f2d2f965ed0e}",
                    Some("Public"),
                ),
            ],
            addresses: Vec::new(),
            rules: BTreeMap::new(),
            listeners: [
                "tcp 0.0.0.0 135 svchost",
                "tcp :: 135 svchost",
                "tcp 0.0.0.0 80 System",
                "tcp :: 80 System",
            ]
            .map(str::to_owned)
            .to_vec(),
            profiles: ["Domain", "Private", "Public"]
                .map(|name| profile(name, "True", "Block"))
                .to_vec(),
            record: None,
            owner: "S-1-5-32-544",
            failing: None,
            calls: Vec::new(),
        };
        // DHCP's addresses are not in the persistent store.
        for (index, address) in [(1, "127.0.0.1/8"), (1, "::1/128")]
            .into_iter()
            .chain(own.iter().map(|own| (6, *own)))
        {
            machine.hold("ActiveStore", index, address.parse().unwrap(), false);
        }
        machine
    }

    pub(crate) fn hold(&mut self, store: &'static str, index: u32, net: IpNet, hidden: bool) {
        self.addresses.push(Address {
            store,
            index,
            net,
            hidden,
        });
    }

    pub(crate) fn interface(&mut self, index: u32) -> &mut Interface {
        self.interfaces
            .iter_mut()
            .find(|i| i.index == index)
            .unwrap()
    }

    /// The facts that a probe would bring.
    pub(crate) fn read(&self) -> GuestFacts {
        plimsoll_guest::windows::facts::parse(self.facts().as_bytes()).unwrap()
    }

    fn facts(&self) -> String {
        let json = self.answer();
        format!(
            "\nplimsoll-facts 1 {}\n{json}\nplimsoll-facts-end\n",
            json.len()
        )
    }

    /// What the probe prints, in ASCII.
    pub(crate) fn answer(&self) -> String {
        let word = |on: bool| if on { "Enabled" } else { "Disabled" };
        let mut settings = Vec::new();
        for (at, store) in STORES.iter().enumerate() {
            for interface in &self.interfaces {
                for family in ["IPv4", "IPv6"] {
                    let of = |direction| word(interface.weak[&(family, direction)][at]);
                    settings.push(json!({
                        "store": store, "index": interface.index, "name": interface.name, "family": family,
                        "receive": of("Receive"), "send": of("Send"),
                    }));
                }
            }
        }
        let adapters: Vec<Value> = self.interfaces.iter().filter(|i| !i.component.is_empty()).map(|i| json!({
            "index": i.index, "component": i.component, "description": i.name, "hardware": "00-0D-3A-00-00-01", "up": true,
        })).collect();
        let networks: Vec<Value> = self
            .interfaces
            .iter()
            .filter_map(|i| Some(json!({ "index": i.index, "category": i.category? })))
            .collect();
        let addresses: Vec<Value> = self.addresses.iter().map(|a| json!({
            "store": a.store, "index": a.index, "address": a.net.addr().to_string(), "prefix": a.net.prefix_len(),
            "state": "Preferred", "hidden": a.hidden,
        })).collect();
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|(id, (from, text))| json!({ "from": from, "id": id, "text": text }))
            .collect();
        let record: Vec<Value> = self.record.iter().map(|text| json!({ "text": text, "sha256": digest(text.as_bytes()), "owner": self.owner })).collect();
        let facts = json!({
            "administrator": self.administrator, "unread": [], "host": "SQL1", "version": "10.0.20348.0",
            "boot": ["2026-01-01T00:00:00.0000000Z"], "settings": settings, "adapters": adapters, "addresses": addresses,
            "listeners": self.listeners, "service": ["Running"], "profiles": self.profiles, "networks": networks,
            "rules": rules, "record": record,
        });
        facts
            .to_string()
            .chars()
            .map(|c| match c {
                ' '..='~' => c.to_string(),
                _ => c
                    .encode_utf16(&mut [0; 2])
                    .iter()
                    .map(|u| format!("\\u{u:04x}"))
                    .collect(),
            })
            .collect()
    }

    /// What PowerShell does with a script: nothing at all where it cannot be parsed to its end.
    fn run(&mut self, script: &str) -> Output {
        let ended = |status, stdout: String| Output {
            stdout: stdout.into_bytes(),
            stderr: Vec::new(),
            status: Some(status),
        };
        assert!(script.is_ascii(), "{script}");
        if parse(script).root_node().has_error() {
            return Output {
                stderr: b"ParserError".to_vec(),
                ..ended(1, String::new())
            };
        }
        let calls = match calls(script) {
            Some(calls) => calls,
            // Only comments came.
            None => return ended(0, String::new()),
        };
        let mut printed = String::new();
        for call in calls {
            self.calls.push(call.name.clone());
            if self.failing == Some(call.name.as_str()) {
                return ended(
                    78,
                    format!("{printed}\nplimsoll-refused 78 Zugriff verweigert\n"),
                );
            }
            match self.call(&call) {
                Ok(text) => printed += &text,
                Err((status, why)) => {
                    return ended(
                        status,
                        format!("{printed}\nplimsoll-refused {status} {why}\n"),
                    );
                }
            }
        }
        ended(0, printed)
    }

    fn call(&mut self, call: &Call) -> Result<String, (i32, String)> {
        let number = |at: usize| call.words[at].parse::<u32>().unwrap();
        match call.name.as_str() {
            "Write-Facts" => return Ok(self.facts()),
            "Enter-Guest" if !self.administrator => {
                return Err((77, "not an administrator".into()));
            }
            "Assert-Run" => {
                let record: Option<Value> = self
                    .record
                    .as_ref()
                    .map(|r| serde_json::from_str(r).unwrap());
                let newest = record
                    .and_then(|r| r["runs"][&call.words[0]].as_u64())
                    .unwrap_or(0);
                if newest > u64::from(number(1)) {
                    return Err((
                        74,
                        format!(
                            "this guest has seen run {newest} of {}, this is run {}",
                            call.words[0], call.words[1]
                        ),
                    ));
                }
            }
            "Assert-Record" => {
                let found = self
                    .record
                    .as_ref()
                    .map_or("absent".to_owned(), |r| digest(r.as_bytes()));
                if !call.words.contains(&found) {
                    return Err((
                        76,
                        "the record of this guest was changed since it was read".into(),
                    ));
                }
            }
            "Assert-Interface" => self
                .held(&call.words[1])
                .filter(|i| i.contains(&number(0)))
                .map(|_| ())
                .ok_or((73, "interface moved".to_owned()))?,
            "Assert-Address" => self
                .held(&call.words[0])
                .map(|_| ())
                .ok_or((73, format!("address {} is gone", call.words[0])))?,
            "Assert-WeakHost" => {
                let on = self.weak(call)[0];
                if !on {
                    return Err((73, "weak host is off".into()));
                }
            }
            "Assert-Opening" if !self.rules.contains_key(&call.words[0]) => {
                return Err((73, "rule is gone".into()));
            }
            "Enter-Guest" | "Assert-Opening" | "Assert-Unmoved" => {}
            "Save-Record" => self.record = Some(call.words[0].clone()),
            "Add-Address" => {
                let net: IpNet = format!("{}/{}", call.words[1], call.words[2])
                    .parse()
                    .unwrap();
                for store in STORES {
                    if !self.addresses.iter().any(|a| {
                        a.store == store && a.index == number(0) && a.net.addr() == net.addr()
                    }) {
                        self.hold(store, number(0), net, true);
                    }
                }
            }
            "Remove-Address" => {
                let net: IpNet = format!("{}/{}", call.words[1], call.words[2])
                    .parse()
                    .unwrap();
                self.addresses
                    .retain(|a| !(a.index == number(0) && a.net == net));
            }
            "Set-WeakHost" => *self.weak(call) = [call.words[3] == "Enabled"; 2],
            "Set-Opening" => {
                let name = &call.words[0];
                let found = self.rules.get(name);
                if found.is_some_and(|(_, text)| !text.contains("|EmbedCtxt=plimsoll|")) {
                    let why = "exists and is not of plimsoll; rename it";
                    return Err((78, format!("firewall rule {name} {why}")));
                }
                let of = |key: &str| call.map[key].clone();
                let mut text = "v2.32|Action=Allow|Active=TRUE|Dir=In|".to_owned();
                match of("Protocol").as_str() {
                    "TCP" => text += "Protocol=6|",
                    "UDP" => text += "Protocol=17|",
                    "Any" => {}
                    other => panic!("{other}"),
                }
                if let Some(port) = call.map.get("LocalPort") {
                    text += &format!("LPort={port}|");
                }
                let family = |address: &str| if address.contains(':') { 6 } else { 4 };
                text += &format!("LA{}={}|", family(&of("LocalAddress")), of("LocalAddress"));
                if of("RemoteAddress") != "Any" {
                    text += &format!(
                        "RA{}={}|",
                        family(&of("RemoteAddress")),
                        of("RemoteAddress")
                    );
                }
                text += &format!("Name={0}|EmbedCtxt=plimsoll|", call.words[0]);
                self.rules.insert(call.words[0].clone(), ("local", text));
            }
            "Remove-Opening" => {
                let ours = |text: &str| text.contains("|EmbedCtxt=plimsoll|");
                self.rules
                    .retain(|id, (_, text)| !(*id == call.words[0] && ours(text)));
            }
            other => panic!("the script calls {other}"),
        }
        Ok(String::new())
    }

    fn held(&self, address: &str) -> Option<Vec<u32>> {
        let active = self.addresses.iter().filter(|a| a.store == "ActiveStore");
        let on: Vec<u32> = active
            .filter(|a| a.net.addr() == address.parse::<std::net::IpAddr>().unwrap())
            .map(|a| a.index)
            .collect();
        (!on.is_empty()).then_some(on)
    }

    fn weak(&mut self, call: &Call) -> &mut [bool; 2] {
        let (index, family, direction) = (
            call.words[0].parse().unwrap(),
            call.words[1].clone(),
            call.words[2].clone(),
        );
        let mut settings = self.interface(index).weak.iter_mut();
        settings
            .find(|((f, d), _)| *f == family && *d == direction)
            .unwrap()
            .1
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// One command of a script with its arguments.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
    pub(crate) map: BTreeMap<String, String>,
}

/// The commands that the script runs, in order: those of its last `try` block, or the one that answers with the facts.
/// `None` where there is no block at all.
pub(crate) fn calls(script: &str) -> Option<Vec<Call>> {
    let tree = parse(script);
    let block = of_kind(&tree, "script_block_body").into_iter().next()?;
    // Its own, not one in a function.
    let own = |node: &Node<'_>| {
        let mut at = node.parent();
        while let Some(parent) = at.filter(|p| p.id() != block.id()) {
            if parent.kind() == "function_statement" {
                return false;
            }
            at = parent.parent();
        }
        true
    };
    let tried = of_kind(&tree, "try_statement").into_iter().rfind(own);
    let mut all = Vec::new();
    match tried {
        Some(tried) => commands(tried.child(1)?, script, &mut all),
        None => all.push(Call {
            name: "Write-Facts".into(),
            words: Vec::new(),
            map: BTreeMap::new(),
        }),
    }
    for call in &all {
        assert!(
            script.contains(&format!("function {}", call.name)),
            "{} is not defined",
            call.name
        );
    }
    Some(all)
}

fn commands(node: Node<'_>, script: &str, all: &mut Vec<Call>) {
    if node.kind() == "command" {
        let mut call = Call {
            name: String::new(),
            words: Vec::new(),
            map: BTreeMap::new(),
        };
        let name = node.child_by_field_name("command_name").unwrap();
        call.name = script[name.byte_range()].to_owned();
        literals(node, script, &mut call);
        all.push(call);
        return;
    }
    let mut cursor = node.walk();
    for child in node.children(&mut cursor) {
        commands(child, script, all);
    }
}

fn literals(node: Node<'_>, script: &str, call: &mut Call) {
    match node.kind() {
        "string_literal" | "integer_literal" => call.words.push(value(&script[node.byte_range()])),
        "hash_entry" => {
            let mut inside = Call {
                name: String::new(),
                words: Vec::new(),
                map: BTreeMap::new(),
            };
            let mut cursor = node.walk();
            for child in node.children(&mut cursor) {
                literals(child, script, &mut inside);
            }
            let key = script[node.child(0).unwrap().byte_range()].to_owned();
            assert_eq!(inside.words.len(), 1, "{key}");
            call.map.insert(key, inside.words.remove(0));
        }
        _ => {
            let mut cursor = node.walk();
            for child in node.children(&mut cursor) {
                literals(child, script, call);
            }
        }
    }
}

/// What a literal stands for: two quotation marks are one.
pub(crate) fn value(literal: &str) -> String {
    let Some(inner) = literal
        .strip_prefix('\'')
        .and_then(|l| l.strip_suffix('\''))
    else {
        return literal.to_owned();
    };
    let mut out = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        if ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'].contains(&letter) {
            letters.next();
        }
        out.push(letter);
    }
    out
}

/// The way to it.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) machine: Arc<Mutex<Machine>>,
    /// How many bytes of a script arrive.
    pub(crate) cut: Option<usize>,
}

#[async_trait]
impl Transport for Way {
    async fn run(&self, _: &GuestRef, script: &str) -> Result<Output, TransportError> {
        let arrives = &script[..self.cut.unwrap_or(script.len()).min(script.len())];
        Ok(self.machine.lock().unwrap().run(arrives))
    }
}

/// Run Command: the script around the script, and the last 4,096 bytes of what it printed, with Windows' line ends.
#[async_trait]
impl RunInMachine for Way {
    async fn run(&self, _: &GuestRef, script: &str) -> Result<String, TransportError> {
        use base64::Engine as _;
        use std::io::Write as _;
        assert_eq!(broken(script), None);
        let tree = parse(script);
        let mut assigned = of_kind(&tree, "assignment_expression")
            .into_iter()
            .map(|node| {
                let text = &script[node.byte_range()];
                let (name, value) = text.split_once(" = ").unwrap();
                (name.to_owned(), value.to_owned())
            });
        let mut next = |name: &str| assigned.find(|(n, _)| n == name).unwrap().1;
        let inner = value(&next("$script"));
        let offset: usize = next("$offset").parse().unwrap();
        let window: usize = next("$window").parse().unwrap();
        let output = self.machine.lock().unwrap().run(&inner);
        let text = format!(
            "{}\nplimsoll-status {}\n",
            String::from_utf8(output.stdout).unwrap(),
            output.status.unwrap()
        );
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        zip.write_all(text.as_bytes()).unwrap();
        let packed = base64::engine::general_purpose::STANDARD.encode(zip.finish().unwrap());
        let part = &packed[offset.min(packed.len())..(offset + window).min(packed.len())];
        let printed = format!(
            "plimsoll-part 1 gzip {} {offset} {} {}\n{part}\nplimsoll-part-end\n",
            output.status.unwrap(),
            packed.len(),
            digest(packed.as_bytes())
        );
        let printed = printed.replace('\n', "\r\n");
        assert!(printed.len() <= 4096, "{}", printed.len());
        Ok(printed)
    }
}
