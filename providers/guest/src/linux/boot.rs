//! What puts entries back at boot: one script made wholly from the record, run by one unit; and what its text promises.

use super::firewall::{Way, WithoutOurs, command, firewalld, ufw};
use super::frame::Sections;
use plimsoll_core::model::Where;
use plimsoll_core::model::guest::{EntryKey, Firewall, Opening};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

pub(crate) const BOOT: &str = "/var/lib/plimsoll/boot.sh";
pub(crate) const UNIT: &str = "/etc/systemd/system/plimsoll.service";
pub(crate) const UNIT_TEXT: &str = include_str!("plimsoll.service");

pub(crate) const HEAD: &str = "#!/bin/sh
# Made by plimsoll from record.json beside it, and written anew with it. plimsoll.service runs it at boot.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
status=0
";
const FOOT: &str = "exit \"$status\"\n";
const OR_FAILED: &str = " || status=1";
const MARK: &str = " # plimsoll: ";
const DIGEST: &str = "# sha256 ";

/// One line of the boot script: what it is for, and the command that puts it back.
pub(crate) struct BootLine {
    pub(crate) key: EntryKey,
    pub(crate) command: String,
}

pub(crate) fn address_line(address: IpAddr) -> BootLine {
    let command = match address {
        IpAddr::V4(v4) => format!("ip -4 addr replace {v4}/32 dev lo"),
        IpAddr::V6(v6) => format!("ip -6 addr replace {v6}/128 dev lo nodad"),
    };
    BootLine {
        key: EntryKey::Address(Where::Known(address)),
        command,
    }
}

/// ufw and firewalld keep their rules themselves; then, and where nothing refuses the packet, the line only says so.
pub(crate) fn firewall_lines(
    opening: &Opening,
    destination: IpAddr,
    ways: &[Way],
) -> Vec<BootLine> {
    let mut commands: Vec<String> = ways
        .iter()
        .filter_map(|way| open_command(way, opening, destination))
        .collect();
    if commands.is_empty() {
        commands.push(":".to_owned());
    }
    let key = EntryKey::Firewall(opening.clone()).resolved(destination);
    commands
        .into_iter()
        .map(|command| BootLine {
            key: key.clone(),
            command,
        })
        .collect()
}

/// ufw and firewalld put their rules back themselves.
fn open_command(way: &Way, opening: &Opening, destination: IpAddr) -> Option<String> {
    match way {
        Way::Nft { .. } | Way::Iptables { .. } => Some(command("want", way, opening, destination)),
        Way::Ufw | Way::Firewalld => None,
    }
}

pub(crate) fn text(lines: &[BootLine]) -> String {
    let mut text = HEAD.to_owned();
    let tools = [
        ("nft", include_str!("nftables.sh")),
        ("iptables", include_str!("iptables.sh")),
    ];
    let used = |tool: &str| {
        let wanted = format!("want_{tool} ");
        lines.iter().any(|line| line.command.starts_with(&wanted))
    };
    for (_, functions) in tools.iter().filter(|(tool, _)| used(tool)) {
        text += functions;
    }
    for BootLine { key, command } in lines {
        let or_failed = if command.starts_with("ip ") {
            OR_FAILED
        } else {
            ""
        };
        writeln!(text, "{command}{or_failed}{MARK}{key}").expect("a String takes everything");
    }
    for (tool, _) in tools.iter().filter(|(tool, _)| used(tool)) {
        writeln!(text, "open_{tool}{OR_FAILED}").expect("a String takes everything");
    }
    text += FOOT;
    let digest = digest(&text);
    text + &format!("{DIGEST}{digest}\n")
}

fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The lines of a boot script that nobody but us has written. Its digest tells, whichever version made it.
fn lines(boot: &str) -> Option<Vec<(EntryKey, String)>> {
    let (body, said) = boot.trim_end().rsplit_once('\n')?;
    let body = format!("{body}\n");
    (said.strip_prefix(DIGEST)? == digest(&body)).then(|| marked(&body))
}

fn marked(body: &str) -> Vec<(EntryKey, String)> {
    let marked = body.lines().filter_map(|line| line.rsplit_once(MARK));
    marked
        .filter_map(|(command, key)| {
            let command = command.strip_suffix(OR_FAILED).unwrap_or(command);
            Some((key.parse().ok()?, command.to_owned()))
        })
        .collect()
}

/// Entries that will be there after a reboot because of files of ours: the unit, its wants link, the boot script, and what
/// ufw and firewalld keep for us. `is-active` stays active when someone deletes an address, so it is not asked.
pub(crate) fn survivors(sections: &Sections, firewall: &Firewall) -> BTreeSet<EntryKey> {
    let ok = |name: &str| sections.get(name).and_then(|s| s.ok());
    let runs_at_boot = ok("unit").is_some_and(|unit| unit.trim_end() == UNIT_TEXT.trim_end())
        && ok("wants")
            .is_some_and(|target| matches!(target.trim_end(), UNIT | "../plimsoll.service"));
    // In a compact answer the guest has compared the digest.
    let lines = match (ok("boot"), ok("boot_lines")) {
        _ if !runs_at_boot => Vec::new(),
        (Some(boot), _) => lines(boot).unwrap_or_default(),
        (None, Some(compared)) => marked(compared),
        (None, None) => Vec::new(),
    };
    let keys: BTreeSet<&EntryKey> = lines.iter().map(|(key, _)| key).collect();
    let has = |key: &EntryKey, command: &str| lines.iter().any(|(k, c)| k == key && c == command);
    let mut firewall = WithoutOurs::new(firewall);
    keys.into_iter()
        .filter(|key| match key {
            EntryKey::Address(Where::Known(address)) => has(key, &address_line(*address).command),
            EntryKey::Firewall(opening) => opening.destination.known().is_some_and(|destination| {
                let Ok(ways) = firewall.ways(opening, destination) else {
                    return false;
                };
                ways.iter()
                    .all(|way| match (way, open_command(way, opening, destination)) {
                        (_, Some(command)) => has(key, &command),
                        (Way::Firewalld, None) => firewalld::has(sections, opening, destination),
                        (_, None) => ufw::has(sections, opening, destination),
                    })
            }),
            EntryKey::Address(Where::AfterApply(_)) | EntryKey::WeakHost(_) => false,
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_script_that_someone_edited_promises_nothing() {
        let text = text(&[address_line("65.52.0.1".parse().unwrap())]);
        assert_eq!(lines(&text).unwrap().len(), 1);
        assert_eq!(lines(text.trim_end()).unwrap().len(), 1);
        assert!(lines(&text.replace("65.52.0.1/32", "65.52.0.9/32")).is_none());
        assert!(lines("").is_none());
    }
}
