//! One guest step → one script: compares, writes the record before it makes and after it removes, ends with the facts.

use super::firewall::{Blocked, opens, rule_name};
use super::script::{self, ascii_json, quote};
use crate::claims::{Claims, claims};
use plimsoll_core::apply::GuestOrder;
use plimsoll_core::model::Protocol;
use plimsoll_core::model::Where;
use plimsoll_core::model::guest::{
    Direction, EntryKey, GuestFacts, GuestRecord, IpFamily, Opening, RecordFact, SettingOn,
    WeakHost,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::net::IpAddr;

/// A script and the record that it leaves behind.
#[derive(Clone, Debug)]
pub struct Script {
    pub text: String,
    pub record_after: GuestRecord,
}

/// Why no script can do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum CannotWrite {
    #[error(
        "{key}: the address is not known yet, although the step needs it. This is a bug in plimsoll."
    )]
    AddressUnknown { key: Box<EntryKey> },
    #[error(
        "the deployment name {0:?} is not made of 1 to 32 letters a-z, digits and hyphens; rename it in the plimsoll block"
    )]
    DeploymentName(String),
    #[error("{why}")]
    Record { why: String },
    #[error(
        "{key}: no interface of the guest is that one; look with Get-NetIPInterface, and correct the network_interface block"
    )]
    NoInterface { key: Box<EntryKey> },
    #[error("{key} cannot be had")]
    Blocked {
        key: Box<EntryKey>,
        #[source]
        source: Blocked,
    },
}

/// What a weak host setting was before us, as the record keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorSetting {
    pub interface: u32,
    pub enabled: bool,
}

pub fn script(order: &GuestOrder<'_>) -> Result<Script, CannotWrite> {
    let deployment = &order.claim.deployment;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if deployment.is_empty() || deployment.len() > 32 || !deployment.chars().all(letters) {
        return Err(CannotWrite::DeploymentName(deployment.clone()));
    }
    let (before, found) = match &order.facts.record {
        RecordFact::Absent => (GuestRecord::default(), "absent".to_owned()),
        RecordFact::Present { record, sha256 } => (record.clone(), sha256.clone()),
        RecordFact::Unusable { why } => return Err(CannotWrite::Record { why: why.clone() }),
    };
    let work = claims(order, before.clone(), |key| prior(key, order.facts));
    let mut accepted = vec![found, digest(&work.between), digest(&work.after)];
    accepted.dedup();
    let accepted: Vec<String> = accepted.iter().map(|digest| quote(digest)).collect();
    let mut lines = vec![
        "Enter-Guest".to_owned(),
        format!("Assert-Run {} {}", quote(deployment), order.run),
        format!("Assert-Record @({})", accepted.join(", ")),
    ];
    lines.extend(expectations(order, &before, &work)?);
    lines.push("Assert-Unmoved".to_owned());
    if !work.made.is_empty() {
        lines.push(keep(&work.between));
        for key in &work.made {
            lines.push(make(key, order.facts)?);
        }
    }
    if work.after != work.between || work.made.is_empty() {
        for (key, entry) in &work.gone {
            lines.extend(undo(key, entry.prior.as_ref(), order.facts)?);
        }
        lines.push(keep(&work.after));
    }
    let body: String = lines.into_iter().map(|line| line + "\n").collect();
    Ok(Script {
        text: script::write(&about(order), &body),
        record_after: work.after,
    })
}

fn about(order: &GuestOrder<'_>) -> String {
    let mut about = format!(
        "plimsoll: {}, deployment {}, run {}\nNever executed on Windows by its makers: its grammar and its text are tested.",
        order.step.guest.addr, order.claim.deployment, order.run
    );
    for (word, touches) in [
        ("holds", &order.step.ensure),
        ("lets go of", &order.step.release),
    ] {
        for touch in touches {
            write!(about, "\n  {word} {}", touch.key).expect("a String takes everything");
        }
    }
    about
}

/// The record as it stands in the guest.
fn text(record: &GuestRecord) -> String {
    ascii_json(&record.text())
}

fn digest(record: &GuestRecord) -> String {
    let hash = Sha256::digest(text(record).as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn keep(record: &GuestRecord) -> String {
    format!("Save-Record {}", quote(&text(record)))
}

fn prior(key: &EntryKey, facts: &GuestFacts) -> Option<serde_json::Value> {
    let EntryKey::WeakHost(setting) = key else {
        return None;
    };
    let prior = PriorSetting {
        interface: facts.interface_of(setting)?.index,
        enabled: facts.state_of(key).live,
    };
    Some(serde_json::to_value(prior).expect("a number and a truth value are JSON"))
}

fn known(key: &EntryKey, place: &Where) -> Result<IpAddr, CannotWrite> {
    place.known().ok_or_else(|| CannotWrite::AddressUnknown {
        key: Box::new(key.clone()),
    })
}

fn family(family: IpFamily) -> &'static str {
    match family {
        IpFamily::Ipv4 => "IPv4",
        IpFamily::Ipv6 => "IPv6",
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Receive => "Receive",
        Direction::Send => "Send",
    }
}

/// `6 'IPv4' 'Receive'`
fn place(index: u32, setting: &WeakHost) -> String {
    let (family, direction) = (family(setting.on.family()), direction(setting.direction));
    format!("{index} {} {}", quote(family), quote(direction))
}

fn index_of(setting: &WeakHost, facts: &GuestFacts) -> Result<u32, CannotWrite> {
    let found = facts.interface_of(setting).map(|i| i.index);
    found.ok_or_else(|| CannotWrite::NoInterface {
        key: Box::new(EntryKey::WeakHost(*setting)),
    })
}

/// `11 '65.52.0.1' 32`
fn address(index: u32, address: IpAddr) -> String {
    let prefix = if address.is_ipv4() { 32 } else { 128 };
    format!("{index} {} {prefix}", quote(&address.to_string()))
}

/// The index of the interface that holds the address, or else of the one where frontend addresses live.
fn home(key: &EntryKey, facts: &GuestFacts, address: IpAddr) -> Result<u32, CannotWrite> {
    let holder = facts
        .addresses
        .iter()
        .filter(|a| a.address.addr() == address && facts.is_loopback(&a.interface))
        .find_map(|a| facts.interfaces.iter().find(|i| i.name == a.interface));
    holder
        .or_else(|| facts.loopback())
        .map(|interface| interface.index)
        .ok_or_else(|| CannotWrite::NoInterface {
            key: Box::new(key.clone()),
        })
}

fn make(key: &EntryKey, facts: &GuestFacts) -> Result<String, CannotWrite> {
    Ok(match key {
        EntryKey::Address(place) => {
            let held = known(key, place)?;
            format!("Add-Address {}", address(home(key, facts, held)?, held))
        }
        EntryKey::WeakHost(setting) => {
            let index = index_of(setting, facts)?;
            format!("Set-WeakHost {} 'Enabled'", place(index, setting))
        }
        EntryKey::Firewall(opening) => {
            let destination = known(key, &opening.destination)?;
            opens(&facts.firewall, &facts.settings, opening, destination).map_err(|source| {
                CannotWrite::Blocked {
                    key: Box::new(key.clone()),
                    source,
                }
            })?;
            let name = quote(&rule_name(opening, destination));
            format!(
                "Set-Opening {name} @{{ {} }}",
                conditions(opening, destination)
            )
        }
    })
}

/// `Protocol = 'TCP'; LocalAddress = '65.52.0.1'; LocalPort = 80; RemoteAddress = 'Any'`
fn conditions(opening: &Opening, destination: IpAddr) -> String {
    let protocol = match opening.protocol {
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
        Protocol::All => "Any",
    };
    let port = opening.port.map_or("'Any'".to_owned(), |p| p.to_string());
    let source = opening.source.map_or("Any".to_owned(), |s| s.to_string());
    let mut words = format!(
        "Protocol = {}; LocalAddress = {}",
        quote(protocol),
        quote(&destination.to_string())
    );
    // A rule for every protocol takes no port.
    if opening.protocol != Protocol::All {
        write!(words, "; LocalPort = {port}").expect("a String takes everything");
    }
    write!(words, "; RemoteAddress = {}", quote(&source)).expect("a String takes everything");
    words
}

fn undo(
    key: &EntryKey,
    prior: Option<&serde_json::Value>,
    facts: &GuestFacts,
) -> Result<Option<String>, CannotWrite> {
    Ok(match key {
        EntryKey::Address(place) => {
            let held = known(key, place)?;
            Some(format!(
                "Remove-Address {}",
                address(home(key, facts, held)?, held)
            ))
        }
        EntryKey::Firewall(opening) => {
            let destination = known(key, &opening.destination)?;
            Some(format!(
                "Remove-Opening {}",
                quote(&rule_name(opening, destination))
            ))
        }
        EntryKey::WeakHost(setting) => {
            // What was on before us stays on, and an interface that is gone took its setting along.
            let prior = prior.and_then(|p| PriorSetting::deserialize(p).ok());
            let there = |index: u32| facts.interfaces.iter().any(|i| i.index == index);
            prior
                .filter(|prior| !prior.enabled && there(prior.interface))
                .map(|prior| {
                    format!(
                        "Set-WeakHost {} 'Disabled'",
                        place(prior.interface, setting)
                    )
                })
        }
    })
}

/// What was there before and shall stay must still be there: else someone took it away since the plan was made. And an
/// index must still be that of the interface that the plan saw.
fn expectations(
    order: &GuestOrder<'_>,
    before: &GuestRecord,
    work: &Claims,
) -> Result<Vec<String>, CannotWrite> {
    let stays = |key: &EntryKey| {
        let touch = order.step.ensure.iter().find(|touch| touch.key == *key);
        touch.is_some_and(|t| t.before.live && t.after.live) && before.entries.contains_key(key)
    };
    let mut lines = Vec::new();
    for key in &work.made {
        if let EntryKey::WeakHost(setting) = key {
            let index = index_of(setting, order.facts)?;
            if let SettingOn::Nic(own) = setting.on {
                lines.push(format!(
                    "Assert-Interface {index} {}",
                    quote(&own.to_string())
                ));
            }
            if stays(key) {
                lines.push(format!("Assert-WeakHost {}", place(index, setting)));
            }
        }
        if !stays(key) {
            continue;
        }
        match key {
            EntryKey::Address(place) => {
                let held = quote(&known(key, place)?.to_string());
                lines.push(format!("Assert-Address {held}"));
            }
            EntryKey::Firewall(opening) => {
                let name = rule_name(opening, known(key, &opening.destination)?);
                lines.push(format!("Assert-Opening {}", quote(&name)));
            }
            EntryKey::WeakHost(_) => {}
        }
    }
    lines.dedup();
    Ok(lines)
}
