//! Kernel settings of a guest that make packets or probes vanish.

use super::super::Finding;
use super::super::codes;
use super::super::needs::Service;
use super::{Seen, finding};
use crate::config::GuestMode;
use std::collections::BTreeSet;

pub(super) fn findings(seen: &Seen<'_>) -> Vec<Finding> {
    let all = [timestamps(seen), reverse_path(seen)];
    all.into_iter()
        .flatten()
        .chain(ephemeral_probes(seen))
        .collect()
}

fn setting<'a>(seen: &Seen<'a>, name: &str) -> Option<&'a str> {
    seen.facts.settings.get(name).map(|value| value.trim())
}

/// Only where a cluster answers: every Linux has timestamps on by default, and other guests answer probes with them.
fn timestamps(seen: &Seen<'_>) -> Option<Finding> {
    let probed = seen
        .services
        .iter()
        .any(|s| s.mode == GuestMode::Cluster && s.probe().is_some());
    (probed && setting(seen, "net.ipv4.tcp_timestamps").is_some_and(|v| v != "0")).then(|| {
        finding(
            seen.addr,
            &codes::TCP_TIMESTAMPS,
            "net.ipv4.tcp_timestamps is on",
        )
        .note("Microsoft's guides for clusters turn it off on every node, or health probes fail")
        .note("set net.ipv4.tcp_timestamps = 0 in a file of its own below /etc/sysctl.d")
    })
}

fn reverse_path(seen: &Seen<'_>) -> Option<Finding> {
    if seen.interfaces < 2 || seen.services.is_empty() {
        return None;
    }
    let number = |name: &str| setting(seen, name).and_then(|v| v.parse::<u8>().ok());
    let everywhere = number("net.ipv4.conf.all.rp_filter").unwrap_or(0);
    let strict: BTreeSet<&str> = seen
        .facts
        .addresses
        .iter()
        .filter(|a| a.interface != "lo" && a.address.addr().is_ipv4())
        .map(|a| a.interface.as_str())
        .filter(|interface| {
            // The kernel takes the larger of the two.
            let own = number(&format!("net.ipv4.conf.{interface}.rp_filter")).unwrap_or(0);
            own.max(everywhere) == 1
        })
        .collect();
    let names: Vec<&str> = strict.into_iter().collect();
    (!names.is_empty()).then(|| {
        finding(
            seen.addr,
            &codes::STRICT_REVERSE_PATH,
            format!("rp_filter is strict on {}", names.join(", ")),
        )
        .note("a packet whose reply would leave through another interface is dropped, and nothing logs it")
        .note("set net.ipv4.conf.INTERFACE.rp_filter = 2, or give each interface a route table of its own")
    })
}

/// A cluster opens and closes the probe's port, so another socket may have taken it in between.
fn ephemeral_probes(seen: &Seen<'_>) -> Vec<Finding> {
    let Some((low, high)) = setting(seen, "net.ipv4.ip_local_port_range").and_then(range) else {
        return Vec::new();
    };
    let reserved = setting(seen, "net.ipv4.ip_local_reserved_ports").unwrap_or_default();
    let ports: BTreeSet<u16> = seen
        .services
        .iter()
        .filter(|s| s.mode == GuestMode::Cluster)
        .filter_map(Service::probe)
        .map(|probe| probe.port)
        .filter(|port| (low..=high).contains(port) && !is_reserved(reserved, *port))
        .collect();
    ports
        .into_iter()
        .map(|port| {
            finding(
                seen.addr,
                &codes::EPHEMERAL_PROBE_PORT,
                format!("an outgoing connection may take the probe's port {port}"),
            )
            .note(format!(
                "the kernel takes ports from {low} to {high} for outgoing connections"
            ))
            .note(format!("add {port} to net.ipv4.ip_local_reserved_ports"))
        })
        .collect()
}

/// `32768\t60999`
fn range(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split_whitespace();
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// `59999,62000-62010`
fn is_reserved(list: &str, port: u16) -> bool {
    list.split(',').any(|part| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        let bounds = (low.trim().parse::<u16>(), high.trim().parse::<u16>());
        matches!(bounds, (Ok(low), Ok(high)) if (low..=high).contains(&port))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{addr, facts, service};
    use super::*;

    fn codes_of(
        mode: GuestMode,
        port: u16,
        interfaces: usize,
        settings: &[(&str, &str)],
    ) -> Vec<String> {
        let mut facts = facts();
        for (name, value) in settings {
            facts
                .settings
                .insert((*name).to_owned(), (*value).to_owned());
        }
        let services = [service(mode, port)];
        let addr = addr("vm1");
        let seen = Seen {
            addr: &addr,
            services: &services,
            facts: &facts,
            interfaces,
        };
        findings(&seen)
            .into_iter()
            .map(|f| f.code.into_owned())
            .collect()
    }

    #[test]
    fn timestamps_matter_where_a_cluster_answers() {
        let on = [("net.ipv4.tcp_timestamps", "1")];
        let off = [("net.ipv4.tcp_timestamps", "0")];
        assert_eq!(codes_of(GuestMode::Cluster, 62000, 1, &on), ["PL0311"]);
        assert!(codes_of(GuestMode::Cluster, 62000, 1, &off).is_empty());
        assert!(codes_of(GuestMode::Loopback, 62000, 1, &on).is_empty());
    }

    #[test]
    fn strict_reverse_paths_matter_with_several_interfaces() {
        let strict = [("net.ipv4.conf.eth0.rp_filter", "1")];
        let everywhere = [("net.ipv4.conf.all.rp_filter", "1")];
        let loose = [
            ("net.ipv4.conf.all.rp_filter", "1"),
            ("net.ipv4.conf.eth0.rp_filter", "2"),
        ];
        let mode = GuestMode::Loopback;
        assert_eq!(codes_of(mode, 8080, 2, &strict), ["PL0312"]);
        assert_eq!(codes_of(mode, 8080, 2, &everywhere), ["PL0312"]);
        assert!(codes_of(mode, 8080, 2, &loose).is_empty());
        assert!(codes_of(mode, 8080, 1, &strict).is_empty());
    }

    #[test]
    fn a_probe_port_in_the_ephemeral_range_must_be_reserved() {
        let range = ("net.ipv4.ip_local_port_range", "32768\t60999");
        let mode = GuestMode::Cluster;
        assert_eq!(codes_of(mode, 59999, 1, &[range]), ["PL0313"]);
        assert!(codes_of(mode, 62000, 1, &[range]).is_empty());
        let reserved = ("net.ipv4.ip_local_reserved_ports", "8080,59990-60000");
        assert!(codes_of(mode, 59999, 1, &[range, reserved]).is_empty());
        assert!(codes_of(GuestMode::Loopback, 59999, 1, &[range]).is_empty());
    }
}
