//! What `ip addr` prints → addresses by interface, in JSON or, from BusyBox, as text.

use ipnet::IpNet;
use plimsoll_core::model::guest::InterfaceAddress;
use serde::Deserialize;
use std::net::IpAddr;

#[derive(Deserialize)]
struct Link {
    ifname: Option<String>,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: Option<IpAddr>,
    prefixlen: Option<u8>,
}

pub(crate) fn from_json(text: &str) -> Option<Vec<InterfaceAddress>> {
    let links: Vec<Link> = serde_json::from_str(text).ok()?;
    Some(
        links
            .iter()
            .flat_map(|link| link.addr_info.iter().map(move |address| (link, address)))
            .filter_map(|(link, address)| {
                Some(InterfaceAddress {
                    interface: link.ifname.clone()?,
                    address: IpNet::new(address.local?, address.prefixlen?).ok()?,
                })
            })
            .collect(),
    )
}

/// `1: lo    inet 127.0.0.1/8 scope host lo …`
pub(crate) fn from_text(text: &str) -> Vec<InterfaceAddress> {
    text.lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words.iter().position(|w| matches!(*w, "inet" | "inet6"))?;
            Some(InterfaceAddress {
                interface: words
                    .get(at.checked_sub(1)?)?
                    .trim_end_matches(':')
                    .to_owned(),
                address: words.get(at + 1)?.parse().ok()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let json = r#"[{"ifname":"lo","addr_info":[{"family":"inet","local":"65.52.0.1","prefixlen":32},{}]},{}]"#;
        let text = "1: lo    inet 65.52.0.1/32 scope global lo\\ valid_lft forever\n";
        assert_eq!(from_json(json).unwrap(), from_text(text));
        assert_eq!(from_text(text).len(), 1);
    }
}
