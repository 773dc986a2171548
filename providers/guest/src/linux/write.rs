//! One guest step → one script: compares, writes the record before it makes and after it removes, ends with the facts.

use super::boot::{self, BootLine};
use super::entries::{self, Gone, Made};
use super::firewall::{Blocked, WithoutOurs, command};
use super::revert;
use super::script::{compound, facts_functions, here_document, quote};
use crate::claims::claims;
use plimsoll_core::apply::GuestOrder;
use plimsoll_core::model::guest::{EntryKey, GuestRecord, RecordFact};
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
    #[error("{key} is a setting of Windows, and this guest runs Linux; correct its os")]
    OfWindows { key: Box<EntryKey> },
    #[error("{why}")]
    Record { why: String },
    #[error(
        "the guest boots with {init}, not with systemd, so that nothing plimsoll sets would survive a reboot; set it up by hand and give the frontend guest_mode = \"none\""
    )]
    NoSystemd { init: String },
    #[error("{key} cannot be had")]
    Blocked {
        key: Box<EntryKey>,
        #[source]
        source: Box<Blocked>,
    },
}

/// The entries of a step with their addresses filled in.
struct Work {
    /// Entries to hold, and how the firewall is opened for them.
    made: Vec<Made>,
    /// Entries whose last claim goes.
    gone: Vec<Gone>,
    /// The record once everything is made, and once everything is gone.
    between: GuestRecord,
    after: GuestRecord,
}

pub fn script(order: &GuestOrder<'_>) -> Result<Script, CannotWrite> {
    let deployment = &order.claim.deployment;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if deployment.is_empty() || deployment.len() > 32 || !deployment.chars().all(letters) {
        return Err(CannotWrite::DeploymentName(deployment.clone()));
    }
    let (before, before_digest) = match &order.facts.record {
        RecordFact::Absent => (GuestRecord::default(), "absent".to_owned()),
        RecordFact::Present { record, sha256 } => (record.clone(), sha256.clone()),
        RecordFact::Unusable { why } => return Err(CannotWrite::Record { why: why.clone() }),
    };
    let work = work(order, before.clone())?;
    if !work.made.is_empty() && order.facts.init != "systemd" {
        return Err(CannotWrite::NoSystemd {
            init: order.facts.init.clone(),
        });
    }
    let mut body = String::new();
    let mut accepted = vec![before_digest, digest(&work.between), digest(&work.after)];
    accepted.dedup();
    for digest in &mut accepted {
        *digest = quote(digest);
    }
    line(&mut body, "\nbegin");
    line(
        &mut body,
        &format!("refuse_older_run {deployment} {}", order.run),
    );
    line(&mut body, &format!("expect_record {}", accepted.join(" ")));
    for expectation in expectations(order, &before, &work) {
        line(&mut body, &expectation);
    }
    line(&mut body, "refuse_if_moved\n");
    if !work.made.is_empty() {
        keep(&mut body, order, &work.between);
        body += &entries::make(&work.made);
    }
    if work.after != work.between || work.made.is_empty() {
        body += &entries::undo(&work.gone);
        keep(&mut body, order, &work.after);
    }
    body += "print_facts\n";
    let mut text = format!("{}{}", facts_functions(), include_str!("apply.sh"));
    if body.contains("_firewalld") {
        text += &revert::functions(order.run, &order.step.guest.connection);
    }
    for (functions, tool) in [
        (include_str!("nftables.sh"), "_nft"),
        (include_str!("iptables.sh"), "_iptables"),
        (include_str!("ufw.sh"), "_ufw"),
        (include_str!("firewalld.sh"), "_firewalld"),
    ] {
        // A reader is shown only what this script uses.
        if body.contains(tool) {
            text += functions;
        }
    }
    text += &body;
    Ok(Script {
        text: compound(&about(order), &text),
        record_after: work.after,
    })
}

fn line(body: &mut String, text: &str) {
    body.push_str(text);
    body.push('\n');
}

fn about(order: &GuestOrder<'_>) -> String {
    let mut about = format!(
        "plimsoll: {}, deployment {}, run {}",
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

fn digest(record: &GuestRecord) -> String {
    if record.is_empty() {
        return "absent".to_owned();
    }
    let hash = Sha256::digest(record.text().as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn address_of(key: &EntryKey) -> Result<IpAddr, CannotWrite> {
    let wanted = key.destination();
    let key = || Box::new(key.clone());
    let destination = wanted.ok_or_else(|| CannotWrite::OfWindows { key: key() })?;
    destination
        .known()
        .ok_or_else(|| CannotWrite::AddressUnknown { key: key() })
}

fn work(order: &GuestOrder<'_>, before: GuestRecord) -> Result<Work, CannotWrite> {
    let claims = claims(order, before, |_| None);
    let mut firewall = WithoutOurs::new(&order.facts.firewall);
    let mut made = Vec::new();
    for key in claims.made {
        let address = address_of(&key)?;
        let ways = match &key {
            EntryKey::Address(_) | EntryKey::WeakHost(_) => Vec::new(),
            EntryKey::Firewall(opening) => {
                firewall
                    .ways(opening, address)
                    .map_err(|source| CannotWrite::Blocked {
                        key: Box::new(key.clone()),
                        source: Box::new(source),
                    })?
            }
        };
        made.push(Made { key, address, ways });
    }
    let mut gone = Vec::new();
    for (key, _) in claims.gone {
        let address = address_of(&key)?;
        gone.push(Gone { key, address });
    }
    Ok(Work {
        made,
        gone,
        between: claims.between,
        after: claims.after,
    })
}

/// What was there before and shall stay must still be there: else someone took it away since the plan was made.
fn expectations(order: &GuestOrder<'_>, before: &GuestRecord, work: &Work) -> Vec<String> {
    let stays = |key: &EntryKey| {
        let touch = order.step.ensure.iter().find(|touch| touch.key == *key);
        touch.is_some_and(|t| t.before.live && t.after.live) && before.entries.contains_key(key)
    };
    let mut expectations = Vec::new();
    for Made { key, address, ways } in work.made.iter().filter(|made| stays(&made.key)) {
        match key {
            EntryKey::Address(_) => expectations.push(format!("expect_address {address}")),
            EntryKey::Firewall(opening) => {
                let commands = ways
                    .iter()
                    .map(|way| command("expect", way, opening, *address));
                expectations.extend(commands);
            }
            EntryKey::WeakHost(_) => {}
        }
    }
    expectations
}

/// The record, and boot script, unit and link where there is something to put back at boot.
fn keep(body: &mut String, order: &GuestOrder<'_>, record: &GuestRecord) {
    let mut file = |path: &str, mode: u16, text: &str| {
        let document = here_document(text);
        write!(body, "write_file {path} {mode} {document}").expect("a String takes everything");
    };
    // The record goes first: what is made without it could never be taken back.
    file("/var/lib/plimsoll/record.json", 600, &record.text());
    if record.entries.is_empty() {
        // Only the run numbers stay. A script that was sent earlier may still come.
        body.push_str("remove_unit\n");
        return;
    }
    file(boot::BOOT, 600, &boot::text(&boot_lines(order, record)));
    file(boot::UNIT, 644, boot::UNIT_TEXT);
    body.push_str("link_unit\n");
}

fn boot_lines(order: &GuestOrder<'_>, record: &GuestRecord) -> Vec<BootLine> {
    let mut firewall = WithoutOurs::new(&order.facts.firewall);
    let known = record
        .entries
        .keys()
        .filter_map(|key| Some((key, key.destination()?.known()?)));
    known
        .flat_map(|(key, address)| match key {
            EntryKey::Address(_) => vec![boot::address_line(address)],
            EntryKey::Firewall(opening) => {
                // What is blocked now is not opened at boot either; it shows as an entry that would not survive.
                let ways = firewall.ways(opening, address).unwrap_or_default();
                boot::firewall_lines(opening, address, &ways)
            }
            EntryKey::WeakHost(_) => Vec::new(),
        })
        .collect()
}
