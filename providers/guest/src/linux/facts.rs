//! The framed answer of a guest → typed facts. Total: garbage becomes less facts and a note, never a panic.

use super::frame::{self, FrameError, Sections};
use super::listeners::Family;
use super::{addresses, boot, firewall, listeners, network};
use plimsoll_core::model::guest::{
    Fate, GuestFacts, GuestRecord, RecordFact, STRICT_IPV6, Unconfirmed,
};
use std::collections::BTreeMap;

/// Why an answer holds no facts to rely on.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    #[error("what the guest answered cannot be read")]
    Frame(#[from] FrameError),
    #[error(
        "the guest has no working `ip` command, so its addresses are unknown; install iproute2 in it"
    )]
    NoAddresses,
    #[error(
        "the facts were not read as root, so firewall and record are unknown; let the user become root by sudo"
    )]
    NotRoot,
}

pub fn parse(output: &[u8]) -> Result<GuestFacts, FactsError> {
    from_sections(&frame::parse(output)?)
}

fn from_sections(sections: &Sections) -> Result<GuestFacts, FactsError> {
    let ok = |name: &str| sections.get(name).and_then(|s| s.ok());
    let line = |name: &str| ok(name).unwrap_or_default().trim().to_owned();
    if line("user") != "0" {
        return Err(FactsError::NotRoot);
    }
    let mut unread = Vec::new();
    let addresses = match ok("addresses").and_then(addresses::from_json) {
        Some(addresses) => addresses,
        None => addresses::from_text(ok("addresses_text").ok_or(FactsError::NoAddresses)?),
    };
    let mut found = Vec::new();
    for (name, family) in [("listeners4", Family::V4), ("listeners6", Family::V6)] {
        match ok(name) {
            Some(printed) => found.extend(listeners::read(printed, family)),
            None => unread.push(format!(
                "listeners of {} (`ss` is missing or failed)",
                if family == Family::V4 { "IPv4" } else { "IPv6" }
            )),
        }
    }
    let firewall = firewall::read(sections, &mut unread);
    let mut settings = settings(ok("settings").unwrap_or_default());
    let strict = firewall::reverse_path::strict_for_ipv6(sections);
    settings.extend(strict.map(|chain| (STRICT_IPV6.to_owned(), chain)));
    Ok(GuestFacts {
        hostname: line("hostname"),
        boot_id: line("boot_id"),
        init: line("init"),
        survives: boot::survivors(sections, &firewall),
        addresses,
        interfaces: Vec::new(),
        firewall,
        listeners: found,
        record: record(sections),
        network: network::read(sections),
        settings,
        unconfirmed: ok("unconfirmed").and_then(unconfirmed),
        unread,
    })
}

fn record(sections: &Sections) -> RecordFact {
    let unusable = |why: String| RecordFact::Unusable { why };
    let Some(section) = sections.get("record") else {
        return unusable(
            "the record was not asked for; use the same version of plimsoll everywhere".to_owned(),
        );
    };
    let text = match (section.status.as_str(), section.ok()) {
        ("absent", _) => return RecordFact::Absent,
        (_, Some(text)) => text,
        (_, None) => {
            return unusable(
                "/var/lib/plimsoll/record.json cannot be read; look at it in the guest".to_owned(),
            );
        }
    };
    let digest = sections.get("record_digest").and_then(|s| s.ok());
    let digest = digest.and_then(|d| d.split_whitespace().next());
    let is_digest = |d: &&str| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit());
    match (GuestRecord::parse(text), digest.filter(is_digest)) {
        (Ok(record), Some(sha256)) => RecordFact::Present {
            record,
            sha256: sha256.to_owned(),
        },
        (Ok(_), None) => {
            unusable("the guest has no `sha256sum`; install coreutils in it".to_owned())
        }
        (Err(error), _) => unusable(error.to_string()),
    }
}

/// `revert.sh run 7: firewalld was loaded anew`, by the file that takes it back or did.
fn unconfirmed(printed: &str) -> Option<Unconfirmed> {
    let (file, what) = printed.split_once(' ')?;
    let fate = match file {
        "revert.sh" => Fate::Waits,
        "reverted.sh" => Fate::TakenBack,
        _ => return None,
    };
    let what = what.to_owned();
    Some(Unconfirmed { fate, what })
}

/// `net/ipv4/conf/all/rp_filter=1` → `net.ipv4.conf.all.rp_filter`; an interface's name may hold dots of its own.
fn settings(printed: &str) -> BTreeMap<String, String> {
    printed
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| {
            let value: Vec<&str> = value.split_whitespace().collect();
            (name.replace('/', "."), value.join(" "))
        })
        .collect()
}
