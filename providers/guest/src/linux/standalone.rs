//! A script for a machine that no plan has read: it finds out by itself what a plan would have decided, so that it can be
//! handed to someone else, or run at each boot of machines that come and go.

use super::boot;
use super::firewall::{firewalld, iptables_words, rule_text, ufw};
use super::script::{COMMON, compound, here_document, quote};
use plimsoll_core::model::guest::{Claim, EntryKey, OWN_IPV4, OWN_IPV6};
use plimsoll_core::model::{Addr, Where};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

/// What the script is to do, for whom.
#[derive(Clone, Debug)]
pub struct Standalone<'a> {
    pub guest: &'a Addr,
    pub claim: &'a Claim,
    /// The newest run that the state knows: a machine that has seen a newer one refuses the script.
    pub run: u64,
    /// Entries with known addresses; `OWN_IPV4` and `OWN_IPV6` stand for the machine's own.
    pub entries: &'a BTreeSet<EntryKey>,
    pub undo: bool,
}

/// Why there can be no such script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoStandalone {
    #[error("the deployment name {0:?} cannot stand in a script; rename it in the plimsoll block")]
    DeploymentName(String),
    #[error(
        "the lineage {0:?} of the state cannot stand in a script; the state was edited by hand: put its lineage back"
    )]
    Lineage(String),
    #[error("{0} cannot be set by a Linux script; correct the guest's os")]
    NotLinux(Box<EntryKey>),
}

pub fn script(order: &Standalone<'_>) -> Result<String, NoStandalone> {
    let Claim {
        deployment,
        lineage,
    } = order.claim;
    let plain = |text: &str, also: &[char]| {
        !text.is_empty()
            && text.len() <= 64
            && text.chars().all(|c| {
                c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || also.contains(&c)
            })
    };
    if !plain(deployment, &[]) {
        return Err(NoStandalone::DeploymentName(deployment.clone()));
    }
    // It is compared with what stands between quotes in the record.
    if !plain(lineage, &[' ']) {
        return Err(NoStandalone::Lineage(lineage.clone()));
    }
    let mut entries = String::new();
    let mut own = [false; 2];
    for key in order.entries {
        let (line, address) = entry(key)?;
        own[0] |= address == OWN_IPV4;
        own[1] |= address == OWN_IPV6;
        entries += &line;
    }
    let mut text = format!("{COMMON}{}", include_str!("apply.sh"));
    for functions in [include_str!("ufw.sh"), include_str!("firewalld.sh")] {
        text += functions;
    }
    text += include_str!("standalone.sh");
    if order.undo {
        text += include_str!("nftables.sh");
        text += include_str!("iptables.sh");
        text += include_str!("standalone_undo.sh");
    } else {
        text += include_str!("standalone_hold.sh");
        for (name, content) in [
            ("boot_head", boot::HEAD),
            ("nft_functions", include_str!("nftables.sh")),
            ("iptables_functions", include_str!("iptables.sh")),
            ("unit_text", boot::UNIT_TEXT),
        ] {
            // Texts of files that the script writes, not commands of its own.
            write!(text, "{name}() {{\ncat {}}}\n", here_document(content))
                .expect("a String takes everything");
        }
    }
    if entries.is_empty() {
        entries.push_str("  :\n");
    }
    write!(text, "entries() {{\n{entries}}}\n\nbegin\n").expect("a String takes everything");
    writeln!(
        text,
        "read_record {} {} {}",
        quote(deployment),
        quote(lineage),
        order.run
    )
    .expect("a String takes everything");
    for (wanted, find) in own.iter().zip(["find_own_ipv4\n", "find_own_ipv6\n"]) {
        if *wanted {
            text += find;
        }
    }
    text += if order.undo { "undo\n" } else { "hold\n" };
    Ok(compound(&about(order), &text))
}

fn about(order: &Standalone<'_>) -> String {
    let mut about = format!(
        "plimsoll: {}, deployment {}. For root, on a machine that plimsoll need not have read; it may run again and at each boot.",
        order.guest, order.claim.deployment
    );
    let word = if order.undo { "lets go of" } else { "holds" };
    for key in order.entries {
        let key = key
            .to_string()
            .replace(&OWN_IPV4.to_string(), "the machine's own IPv4 address")
            .replace(&OWN_IPV6.to_string(), "the machine's own IPv6 address");
        write!(about, "\n  {word} {key}").expect("a String takes everything");
    }
    about
}

/// One line of `entries`, which is called with `claim`, `boot` and `make`, or `release`, `close` and `drop`, in turn.
fn entry(key: &EntryKey) -> Result<(String, IpAddr), NoStandalone> {
    let not_linux = || NoStandalone::NotLinux(Box::new(key.clone()));
    let address = key.destination().and_then(Where::known);
    let address = address.ok_or_else(not_linux)?;
    let line = match key {
        EntryKey::Address(_) => {
            let length = if address.is_ipv4() { 32 } else { 128 };
            format!("  \"$1_address\" {address}/{length}\n")
        }
        EntryKey::Firewall(opening) => {
            let texts = [
                key.to_string(),
                rule_text(opening, address),
                iptables_words(opening, address),
                ufw::tuple(opening, address),
                ufw::words(opening, address),
                firewalld::rich_rule(opening, address),
            ];
            let words: Vec<String> = texts.iter().map(|text| with_own(text)).collect();
            format!("  \"$1_opening\" {}\n", words.join(" \\\n    "))
        }
        EntryKey::WeakHost(_) => return Err(not_linux()),
    };
    Ok((line, address))
}

/// One word for sh, in which the machine's own address is filled in when it runs.
fn with_own(text: &str) -> String {
    quote(text)
        .replace(&OWN_IPV4.to_string(), "'\"$own_ipv4\"'")
        .replace(&OWN_IPV6.to_string(), "'\"$own_ipv6\"'")
}
