//! What `ss -H -ltnup` prints for one family → listeners.

use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::Listener;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

pub(crate) fn read(printed: &str, family: Family) -> Vec<Listener> {
    printed
        .lines()
        .flat_map(|line| listeners(line, family))
        .collect()
}

fn listeners(line: &str, family: Family) -> Vec<Listener> {
    let mut words = line.split_whitespace();
    let (Some(protocol), Some(state)) = (words.next().and_then(Protocol::parse), words.next())
    else {
        return Vec::new();
    };
    let listens = matches!(
        (protocol, state),
        (Protocol::Tcp, "LISTEN") | (Protocol::Udp, "UNCONN")
    );
    let place = words.nth(2).and_then(|local| local.rsplit_once(':'));
    let (true, Some((address, port))) = (listens, place) else {
        return Vec::new();
    };
    let Ok(port) = port.parse() else {
        return Vec::new();
    };
    // users:(("nginx",pid=1,fd=6),…): the first name is enough.
    let process = line
        .split_once("users:((\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(name, _)| name.to_owned());
    // Asked for IPv6 alone, `*` is a socket for both families and `[::]` one for IPv6 only. `%` names an interface.
    let address = address.split('%').next().unwrap_or(address);
    let addresses: Vec<IpAddr> = match (address, family) {
        ("*", Family::V4) => vec![Ipv4Addr::UNSPECIFIED.into()],
        ("*", Family::V6) => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        _ => {
            let bare = address.trim_start_matches('[').trim_end_matches(']');
            match bare.parse::<IpAddr>() {
                Ok(IpAddr::V6(v6)) => vec![v6.to_ipv4_mapped().map_or(v6.into(), IpAddr::V4)],
                Ok(v4) => vec![v4],
                Err(_) => Vec::new(),
            }
        }
    };
    addresses
        .into_iter()
        .map(|address| Listener {
            protocol,
            address,
            port,
            process: process.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_for_both_families_is_listed_once_for_each() {
        let v6 = read(
            "udp UNCONN 0 0 *:53 *:* users:((\"dns\",pid=1,fd=5))\n\
             tcp LISTEN 0 128 [::]:81 [::]:*\n\
             tcp LISTEN 0 128 [::ffff:10.0.0.4]:82 *:*\n\
             udp UNCONN 0 0 [fe80::1]%eth0:546 [::]:*\n",
            Family::V6,
        );
        let shown: Vec<String> = v6
            .iter()
            .map(|l| format!("{} {} {}", l.protocol, l.address, l.port))
            .collect();
        let wanted = [
            "udp 0.0.0.0 53",
            "udp :: 53",
            "tcp :: 81",
            "tcp 10.0.0.4 82",
            "udp fe80::1 546",
        ];
        assert_eq!(shown, wanted);
        assert_eq!(v6[0].process.as_deref(), Some("dns"));
    }

    #[test]
    fn garbage_is_nothing() {
        assert!(read("tcp LISTEN\nfoo\n\ntcp LISTEN 0 0 x:y z", Family::V4).is_empty());
    }
}
