use crate::support::{Folder, namespaces};
use std::collections::BTreeSet;

/// Both guests answer, and what they saw is this destination.
#[track_caller]
fn served(folder: &Folder, destination: &str, seen: &str) {
    let answers = folder.probe(destination, 16);
    let guests: BTreeSet<&str> = answers.iter().filter_map(|a| a["guest"].as_str()).collect();
    assert_eq!(guests.len(), 2, "{destination}: {answers:?}");
    for answer in &answers {
        assert!(
            answer["ok"] == true && answer["seen"] == seen,
            "{destination}: {answer}"
        );
    }
    folder.lab(&["trace", destination]).exits(0);
}

#[test]
fn one_site_over_both_families() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("dual-stack");
    folder.apply();
    served(&folder, "65.52.6.1:80", "65.52.6.1:80");
    served(&folder, "[2001:db8:6::1]:80", "[2001:db8:6::1]:80");
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn another_port_inside_the_guests() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("other-backend-port");
    folder.apply();
    served(&folder, "65.52.7.1:443", "65.52.7.1:8443");
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}

/// A datagram is answered from the address that was asked.
#[test]
fn dns_over_udp_and_tcp() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("dns");
    folder.apply();
    served(&folder, "10.0.0.53:53/udp", "10.0.0.53:53");
    served(&folder, "10.0.0.53:53", "10.0.0.53:53");
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}
