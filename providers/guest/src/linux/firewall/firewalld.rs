//! firewalld: one policy object of ours in one file; the kernel's `inet firewalld` table says what happens to packets.

use super::super::frame::Sections;
use super::MARKER;
use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{Chain, Opening};
use std::net::IpAddr;

/// The rich rule that admits an opening.
pub(crate) fn rich_rule(opening: &Opening, destination: IpAddr) -> String {
    let family = if destination.is_ipv4() {
        "ipv4"
    } else {
        "ipv6"
    };
    let source = opening
        .source
        .map_or(String::new(), |s| format!(" source address=\"{s}\""));
    let head = format!("rule family=\"{family}\"{source} destination address=\"{destination}\"");
    match (opening.protocol, opening.port) {
        (Protocol::All, _) => format!("{head} accept"),
        (protocol, Some(port)) => {
            format!("{head} port port=\"{port}\" protocol=\"{protocol}\" accept")
        }
        (protocol, None) => format!("{head} protocol value=\"{protocol}\" accept"),
    }
}

/// The same rule as firewalld writes it in the policy's file, without its line breaks.
fn in_file(opening: &Opening, destination: IpAddr) -> String {
    let family = if destination.is_ipv4() {
        "ipv4"
    } else {
        "ipv6"
    };
    let source = opening
        .source
        .map_or(String::new(), |s| format!("<source address=\"{s}\"/>"));
    let port = match (opening.protocol, opening.port) {
        (Protocol::All, _) => String::new(),
        (protocol, Some(port)) => format!("<port port=\"{port}\" protocol=\"{protocol}\"/>"),
        (protocol, None) => format!("<protocol value=\"{protocol}\"/>"),
    };
    format!(
        "<rule family=\"{family}\">{source}<destination address=\"{destination}\"/>{port}<accept/></rule>"
    )
}

pub(crate) fn has(sections: &Sections, opening: &Opening, destination: IpAddr) -> bool {
    let Some(file) = sections.get("firewalld_policy").and_then(|s| s.ok()) else {
        return false;
    };
    let flat: String = file.lines().map(str::trim).collect();
    flat.contains("<ingress-zone name=\"ANY\"/>")
        && flat.contains("<egress-zone name=\"HOST\"/>")
        && flat.contains(&in_file(opening, destination))
}

/// Chains are called after the zone or policy that they are made for; rules of ours are those of our policy.
pub(crate) fn name_rules(chains: &mut [Chain]) {
    for chain in chains {
        let Some(place) = chain.name.strip_prefix("inet firewalld filter_IN_") else {
            continue;
        };
        let (kind, place) = match place.strip_prefix("policy_") {
            Some(policy) => ("policy", policy),
            None => ("zone", place),
        };
        // `_pre`, `_log`, `_deny`, `_allow` and `_post` are the parts of one.
        let parts = ["_pre", "_log", "_deny", "_allow", "_post"];
        let name = parts.iter().find_map(|part| place.strip_suffix(part));
        let name = name.unwrap_or(place).to_owned();
        for rule in &mut chain.rules {
            rule.ours = kind == "policy" && name == MARKER;
            rule.name = Some(format!("firewalld {kind} {name}: {}", rule.text));
        }
    }
}
