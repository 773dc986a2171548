//! Interfaces, files that keep addresses, and the ways of answers. What cannot be read is left out.

use super::frame::Sections;
use plimsoll_core::model::guest::{InterfaceHardware, NetworkFacts, PersistedAddress, ReplyPath};
use std::net::IpAddr;

pub(crate) fn read(sections: &Sections) -> NetworkFacts {
    let ok = |name: &str| sections.get(name).and_then(|s| s.ok()).unwrap_or_default();
    NetworkFacts {
        hardware: hardware(ok("links"), ok("drivers")),
        persisted: ok("persisted").lines().filter_map(persisted).collect(),
        replies: ok("replies").lines().flat_map(replies).collect(),
        probe_replies: ok("probe_replies").lines().flat_map(replies).collect(),
    }
}

/// `2: eth0@if4: <BROADCAST,UP> mtu 1500 …\    link/ether 00:0d:3a:12:34:56 brd …`, and `eth0 00:0d:3a:12:34:56 hv_netvsc`.
fn hardware(links: &str, drivers: &str) -> Vec<InterfaceHardware> {
    let one = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = words.get(1)?.trim_end_matches(':').split('@').next()?;
        let flags = words
            .get(2)?
            .trim_matches(['<', '>'])
            .split(',')
            .any(|f| f == "UP");
        let address = words.iter().position(|w| w.ends_with("link/ether"));
        let address = address.and_then(|at| words.get(at + 1)).copied();
        let driver = drivers.lines().find_map(|line| {
            let (told, driver) = line.rsplit_once(' ')?;
            (told == format!("{name} {}", address?)).then(|| driver.to_owned())
        });
        Some(InterfaceHardware {
            name: name.to_owned(),
            hardware_address: address.map(str::to_lowercase),
            driver,
            up: flags,
        })
    };
    links.lines().filter_map(one).collect()
}

/// `65.52.0.1/32 /etc/netplan/60-lb.yaml`; words that only look like an address are dropped.
fn persisted(line: &str) -> Option<PersistedAddress> {
    let (word, file) = line.split_once(' ')?;
    let (address, length) = match word.split_once('/') {
        Some((address, length)) => (address, Some(length.parse().ok()?)),
        None => (word, None),
    };
    Some(PersistedAddress {
        address: address.trim_end_matches('.').parse().ok()?,
        prefix_length: length,
        owner: owner(file).to_owned(),
        file: file.to_owned(),
    })
}

fn owner(file: &str) -> &'static str {
    const OWNERS: [(&str, &str); 8] = [
        ("/etc/netplan/", "netplan"),
        ("/etc/systemd/network/", "networkd"),
        ("/etc/network/", "ifupdown"),
        ("/etc/sysconfig/network-scripts/", "ifcfg"),
        ("/etc/sysconfig/network/", "wicked"),
        ("/etc/NetworkManager/", "NetworkManager"),
        ("/etc/keepalived/", "keepalived"),
        ("/etc/systemd/system/", "systemd unit"),
    ];
    let found = OWNERS.iter().find(|(place, _)| file.starts_with(place));
    found.map_or("boot script", |(_, owner)| owner)
}

/// `eth0 10.0.0.1 65.52.0.1 10.0.0.11`: device, next hop or `-`, and the addresses whose answers go there.
fn replies(line: &str) -> Vec<ReplyPath> {
    let mut words = line.split(' ');
    let (Some(interface), Some(via)) = (words.next(), words.next()) else {
        return Vec::new();
    };
    let via: Option<IpAddr> = via.parse().ok();
    let sources = words.filter_map(|word| word.parse().ok());
    sources
        .map(|source| ReplyPath {
            source,
            interface: interface.to_owned(),
            via,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nic_of_azure_is_told_by_its_driver_and_its_own_hardware_address() {
        let links = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n\
            2: eth0@if4: <BROADCAST,MULTICAST,UP> mtu 1500 qdisc mq state UP\\    link/ether 00:0D:3A:12:34:56 brd ff:ff:ff:ff:ff:ff\n\
            3: eth1: <BROADCAST> mtu 1500\\    link/ether 02:00:00:00:00:12 brd ff:ff:ff:ff:ff:ff\n";
        let drivers = "eth0 00:0D:3A:12:34:56 hv_netvsc\neth1 02:00:00:00:00:99 virtio_net\n";
        let read = hardware(links, drivers);
        let azure: Vec<Option<bool>> = read.iter().map(InterfaceHardware::is_of_azure).collect();
        // The driver of another namespace's eth1 says nothing.
        assert_eq!(azure, [None, Some(true), None]);
        assert_eq!(
            read[1].hardware_address.as_deref(),
            Some("00:0d:3a:12:34:56")
        );
        assert!(read[1].up && !read[2].up);
    }

    #[test]
    fn files_name_addresses_and_their_owners() {
        let kept = persisted("65.52.0.1/32 /etc/netplan/60-lb.yaml").unwrap();
        assert_eq!(
            (kept.prefix_length, kept.owner.as_str()),
            (Some(32), "netplan")
        );
        assert_eq!(
            persisted("fd00:f1::1 /etc/rc.local").unwrap().owner,
            "boot script"
        );
        for line in ["cafe: /etc/x", "1.2.3 /etc/x", "65.52.0.1/999 /etc/x", ""] {
            assert_eq!(persisted(line), None, "{line}");
        }
    }

    #[test]
    fn answers_leave_by_one_way_each() {
        let ways = replies("eth1 10.1.0.1 65.52.0.1 10.1.0.11");
        assert_eq!(ways.len(), 2);
        assert_eq!(ways[0].via, "10.1.0.1".parse().ok());
        assert_eq!(replies("eth0 - fd00:f1::1")[0].via, None);
        assert!(replies("eth0").is_empty());
    }
}
