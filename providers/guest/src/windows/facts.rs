//! The framed answer of a guest → typed facts. Total: garbage becomes less facts and a note, never a panic.

use super::{firewall, frame};
use crate::linux::frame::FrameError;
use ipnet::IpNet;
use plimsoll_core::model::guest::{
    EntryKey, GuestFacts, GuestRecord, InterfaceAddress, InterfaceHardware, InterfaceRole,
    IpFamily, Listener, NetworkFacts, PersistedAddress, RecordFact, Setting, SystemInterface,
    WeakHostSettings,
};
use plimsoll_core::model::{Protocol, Where};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Why an answer holds no facts to rely on.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    #[error("what the guest answered cannot be read")]
    Frame(#[from] FrameError),
    #[error(
        "what the guest answered is not in the form of this version of plimsoll; use the same version everywhere"
    )]
    Form(#[source] serde_json::Error),
    #[error(
        "the guest could not tell its addresses: {0}; look whether Get-NetIPAddress works in it"
    )]
    NoAddresses(String),
    #[error(
        "the facts were not read as an administrator, so record and firewall are unknown; log in as one"
    )]
    NotAdministrator,
}

/// What the probe prints. A list that is `None` could not be read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    administrator: bool,
    unread: Vec<String>,
    host: String,
    boot: Option<Vec<String>>,
    settings: Option<Vec<InterfaceSettings>>,
    adapters: Option<Vec<Adapter>>,
    addresses: Option<Vec<Address>>,
    listeners: Option<Vec<String>>,
    pub(super) service: Option<Vec<String>>,
    pub(super) profiles: Option<Vec<Profile>>,
    pub(super) networks: Option<Vec<Network>>,
    pub(super) rules: Option<Vec<Rule>>,
    record: Option<Vec<Record>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Store {
    #[serde(rename = "ActiveStore")]
    Active,
    #[serde(rename = "PersistentStore")]
    Persistent,
}

#[derive(Debug, Deserialize)]
struct InterfaceSettings {
    store: Store,
    index: u32,
    #[serde(default)]
    name: String,
    family: String,
    #[serde(default)]
    receive: String,
    #[serde(default)]
    send: String,
}

#[derive(Debug, Deserialize)]
struct Adapter {
    index: u32,
    #[serde(default)]
    component: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    hardware: String,
    #[serde(default)]
    up: bool,
}

#[derive(Debug, Deserialize)]
struct Address {
    store: Store,
    index: u32,
    address: String,
    prefix: u8,
    #[serde(default)]
    state: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) enabled: String,
    #[serde(default)]
    pub(super) inbound: String,
    #[serde(default)]
    pub(super) allows: String,
    #[serde(default)]
    pub(super) local: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Network {
    pub(super) index: u32,
    pub(super) category: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    pub(super) from: String,
    pub(super) id: String,
    pub(super) text: String,
}

#[derive(Debug, Deserialize)]
struct Record {
    text: String,
    sha256: String,
    owner: String,
}

pub fn parse(output: &[u8]) -> Result<GuestFacts, FactsError> {
    let answer: Answer = serde_json::from_str(frame::parse(output)?).map_err(FactsError::Form)?;
    from_answer(&answer)
}

fn from_answer(answer: &Answer) -> Result<GuestFacts, FactsError> {
    if !answer.administrator {
        return Err(FactsError::NotAdministrator);
    }
    let held: Vec<(&Address, IpNet)> = answer
        .addresses
        .iter()
        .flatten()
        .filter_map(|a| Some((a, net(a)?)))
        .collect();
    let interfaces = interfaces(answer, &held);
    let name = |index: u32| {
        let found = interfaces.iter().find(|i| i.index == index);
        found.map_or_else(|| format!("interface {index}"), |i| i.name.clone())
    };
    let addresses: Vec<InterfaceAddress> = held
        .iter()
        .filter(|(a, _)| a.store == Store::Active)
        // One that another machine holds too is on the interface, but Windows does not use it.
        .filter(|(a, _)| !matches!(a.state.as_str(), "Duplicate" | "Invalid"))
        .map(|(a, address)| InterfaceAddress {
            interface: name(a.index),
            address: *address,
        })
        .collect();
    if addresses.is_empty() {
        return Err(FactsError::NoAddresses(
            answer.unread.first().cloned().unwrap_or_default(),
        ));
    }
    let mut survives: BTreeSet<EntryKey> = held
        .iter()
        .filter(|(a, net)| a.store == Store::Persistent && net.prefix_len() == net.max_prefix_len())
        .map(|(_, net)| EntryKey::Address(Where::Known(net.addr())))
        .collect();
    let listeners = listeners(answer);
    let network = network(answer, &held, &interfaces);
    let known = answer.listeners.as_ref().map(|_| listeners.as_slice());
    let firewall = firewall::read(answer, &interfaces, known);
    survives.extend(firewall.kept);
    Ok(GuestFacts {
        hostname: printable(&answer.host),
        boot_id: answer
            .boot
            .iter()
            .flatten()
            .next()
            .cloned()
            .unwrap_or_default(),
        init: "windows".to_owned(),
        addresses,
        interfaces,
        firewall: firewall.firewall,
        listeners,
        survives,
        record: record(answer),
        settings: firewall.settings,
        network,
        unconfirmed: None,
        unread: answer.unread.iter().map(|text| printable(text)).collect(),
    })
}

/// What a guest says is shown to people; it must not steer their terminal.
pub(super) fn printable(text: &str) -> String {
    let plain = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(plain).collect()
}

/// `fe80::1%6` names the interface behind the address.
fn net(found: &Address) -> Option<IpNet> {
    let address = found.address.split('%').next()?;
    IpNet::new(address.parse().ok()?, found.prefix).ok()
}

fn interfaces(answer: &Answer, held: &[(&Address, IpNet)]) -> Vec<SystemInterface> {
    let mut all: BTreeMap<u32, SystemInterface> = BTreeMap::new();
    let settings = || answer.settings.iter().flatten();
    for found in settings().filter(|s| s.store == Store::Active) {
        let Some(family) = family(&found.family) else {
            continue;
        };
        let kept = settings().find(|s| {
            s.store == Store::Persistent && s.index == found.index && s.family == found.family
        });
        let setting = |now: &str, kept: Option<&str>| {
            let now = now == ENABLED;
            Setting {
                now,
                // What the store does not say is what runs: a value that was never set is not in it.
                after_reboot: kept.filter(|k| !k.is_empty()).map_or(now, |k| k == ENABLED),
            }
        };
        let interface = all.entry(found.index).or_insert_with(|| SystemInterface {
            index: found.index,
            name: printable(&found.name),
            role: role(answer, held, found.index),
            weak_host: BTreeMap::new(),
        });
        let settings = WeakHostSettings {
            receive: setting(&found.receive, kept.map(|k| k.receive.as_str())),
            send: setting(&found.send, kept.map(|k| k.send.as_str())),
        };
        interface.weak_host.insert(family, settings);
    }
    all.into_values().collect()
}

const ENABLED: &str = "Enabled";

fn family(text: &str) -> Option<IpFamily> {
    match text {
        "IPv4" => Some(IpFamily::Ipv4),
        "IPv6" => Some(IpFamily::Ipv6),
        _ => None,
    }
}

/// Names are in the system's language, so the loopback interface is told by its address and the adapter by its driver.
fn role(answer: &Answer, held: &[(&Address, IpNet)], index: u32) -> InterfaceRole {
    let loops = |(a, net): &(&Address, IpNet)| a.index == index && net.addr().is_loopback();
    let km_test = |a: &&Adapter| {
        a.index == index
            && (a.component.eq_ignore_ascii_case("*msloop") || a.description.contains("KM-TEST"))
    };
    if held.iter().any(loops) {
        InterfaceRole::Loopback
    } else if answer.adapters.iter().flatten().any(|a| km_test(&a)) {
        InterfaceRole::LoopbackAdapter
    } else {
        InterfaceRole::Network
    }
}

/// The synthetic NIC of Hyper-V, as its bus calls it. Linux has `hv_netvsc` for the same device.
const HYPER_V_NIC: &str = "f8615163-df3e-46c5-913f-f2d2f965ed0e";

fn network(
    answer: &Answer,
    held: &[(&Address, IpNet)],
    interfaces: &[SystemInterface],
) -> NetworkFacts {
    let named = |interface: &SystemInterface| {
        let mut adapters = answer.adapters.iter().flatten();
        let adapter = adapters.find(|a| a.index == interface.index);
        let component = adapter.map(|a| a.component.to_ascii_lowercase());
        let component = component.filter(|c| !c.is_empty());
        InterfaceHardware {
            name: interface.name.clone(),
            hardware_address: adapter
                .map(|a| a.hardware.replace('-', ":").to_ascii_lowercase())
                .filter(|hardware| !hardware.is_empty()),
            driver: component.map(|c| match c.contains(HYPER_V_NIC) {
                true => "hv_netvsc".to_owned(),
                false => printable(&c),
            }),
            // The loopback interface is no adapter.
            up: adapter.is_none_or(|a| a.up),
        }
    };
    let kept = held.iter().filter(|(a, _)| a.store == Store::Persistent);
    NetworkFacts {
        hardware: interfaces.iter().map(named).collect(),
        persisted: kept
            .map(|(_, net)| PersistedAddress {
                address: net.addr(),
                prefix_length: Some(net.prefix_len()),
                owner: "windows".to_owned(),
                file: "PersistentStore".to_owned(),
            })
            .collect(),
        replies: Vec::new(),
        probe_replies: Vec::new(),
    }
}

/// `tcp 0.0.0.0 80 nginx`; a socket for both families stands in the list once for each.
fn listeners(answer: &Answer) -> Vec<Listener> {
    let lines = answer.listeners.iter().flatten();
    lines
        .filter_map(|line| {
            let mut words = line.splitn(4, ' ');
            Some(Listener {
                protocol: Protocol::parse(words.next()?)?,
                address: words.next()?.split('%').next()?.parse::<IpAddr>().ok()?,
                port: words.next()?.parse().ok()?,
                process: words.next().filter(|name| !name.is_empty()).map(printable),
            })
        })
        .collect()
}

/// Whoever may write its folder may write the record; only these two may.
const OWNERS: [&str; 2] = ["S-1-5-18", "S-1-5-32-544"];

fn record(answer: &Answer) -> RecordFact {
    let unusable = |why: String| RecordFact::Unusable { why };
    let Some(found) = &answer.record else {
        return unusable(
            "%ProgramData%\\plimsoll\\record.json cannot be read; look at it in the guest"
                .to_owned(),
        );
    };
    let Some(found) = found.first() else {
        return RecordFact::Absent;
    };
    if !OWNERS.contains(&found.owner.as_str()) {
        return unusable(format!(
            "%ProgramData%\\plimsoll belongs to {}, who is neither the system nor the administrators; look into it, and remove it",
            printable(&found.owner)
        ));
    }
    match GuestRecord::parse(&found.text) {
        Ok(record) => RecordFact::Present {
            record,
            sha256: found.sha256.clone(),
        },
        Err(error) => unusable(error.to_string()),
    }
}
