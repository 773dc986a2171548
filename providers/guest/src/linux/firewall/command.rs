//! Our rule in the words of each tool, and the shell commands that open, close and expect it.

use super::super::script::quote;
use super::opening::Way;
use super::{MARKER, firewalld, ufw};
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::Opening;
use std::net::IpAddr;

/// The rule as nft prints it, so that it can be found again by its exact text. `saddr` goes first: nft merges neighbouring
/// fields of a header and prints them in the header's order.
pub(crate) fn rule_text(opening: &Opening, destination: IpAddr) -> String {
    let family = if destination.is_ipv4() { "ip" } else { "ip6" };
    let mut text = String::new();
    if let Some(source) = opening.source {
        text += &format!("{family} saddr {source} ");
    }
    text += &format!("{family} daddr {destination} ");
    match (opening.protocol, opening.port) {
        (Protocol::All, _) => {}
        (protocol, Some(port)) => text += &format!("{protocol} dport {port} "),
        (protocol, None) => text += &format!("meta l4proto {protocol} "),
    }
    text + &format!("accept comment \"{MARKER}\"")
}

/// The rule as `iptables -S` prints it after the chain's name.
pub(crate) fn iptables_words(opening: &Opening, destination: IpAddr) -> String {
    let length = if destination.is_ipv4() { 32 } else { 128 };
    let mut words = String::new();
    if let Some(source) = opening.source {
        words += &format!("-s {source}/{length} ");
    }
    words += &format!("-d {destination}/{length} ");
    match (opening.protocol, opening.port) {
        (Protocol::All, _) => {}
        (protocol, Some(port)) => words += &format!("-p {protocol} -m {protocol} --dport {port} "),
        (protocol, None) => words += &format!("-p {protocol} "),
    }
    words + &format!("-m comment --comment {MARKER} -j ACCEPT")
}

/// `open_nft …`, `close_ufw …`, `expect_iptables …`: the functions of that name are in the shell file of the tool.
pub(crate) fn command(verb: &str, way: &Way, opening: &Opening, address: IpAddr) -> String {
    match way {
        Way::Nft {
            family,
            table,
            chain,
        } => format!(
            "{verb}_nft {family} {table} {chain} {}",
            quote(&rule_text(opening, address))
        ),
        Way::Iptables { tool, chain } => format!(
            "{verb}_iptables {tool} {chain} {}",
            iptables_words(opening, address)
        ),
        Way::Ufw => format!(
            "{verb}_ufw {} {}",
            quote(&ufw::tuple(opening, address)),
            ufw::words(opening, address)
        ),
        Way::Firewalld => format!(
            "{verb}_firewalld {}",
            quote(&firewalld::rich_rule(opening, address))
        ),
    }
}
