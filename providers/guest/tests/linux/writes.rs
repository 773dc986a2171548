//! Expand, run again, boot, contract.

use crate::namespace::{Namespace, Step, assert_over, assert_same};
use plimsoll_core::model::guest::{EntryKey, GuestFacts};

pub(crate) const DROPPING: &str = r#"
table inet filter {
	chain input {
		type filter hook input priority 0; policy drop;
		ct state established,related accept
		iif lo accept
		tcp dport 22 accept
		meta l4proto { icmp, ipv6-icmp } accept
		ip saddr 192.0.2.7 drop comment "the administrator's"
	}
}
"#;

const FORGET: &str = "nft list ruleset >/run/rules 2>/dev/null && nft flush ruleset && sed /plimsoll/d /run/rules | nft -f -; rm -f /run/rules; true\n";

const ALL: [&str; 8] = [
    "address 65.52.0.1",
    "address fd00:f1::1",
    "firewall tcp port 80 to 65.52.0.1",
    "firewall udp port 53 to 65.52.0.1",
    "firewall tcp port 80 to fd00:f1::1",
    "firewall udp port 53 to fd00:f1::1",
    "firewall all to 65.52.0.1",
    "firewall tcp port 8080 from 168.63.129.16 to 10.0.0.11",
];

pub(crate) fn assert_held(facts: &GuestFacts, keys: &[&str]) {
    for key in keys {
        let state = facts.state_of(&key.parse::<EntryKey>().unwrap());
        assert!(
            state.live && state.survives && state.claims.len() == 1,
            "{key}: {state:?}\n{:#?}",
            facts.firewall
        );
    }
}

/// `lose` makes the firewall forget what is only in the kernel, as a reboot does.
pub(crate) fn life(namespace: &Namespace, lose: &str) {
    namespace.sh("ip addr add 9.9.9.9/32 dev lo; ip addr add 65.52.0.1/24 dev lo\n");
    namespace.join_client();
    let before = namespace.everything();
    assert!(!namespace.arrives("fd00:f1::1", 80));
    let facts = namespace.enact(&Step::new(1, &ALL, &[])).unwrap();
    assert_held(&facts, &ALL);
    for (address, port) in [("65.52.0.1", 80), ("65.52.0.1", 4444), ("fd00:f1::1", 80)] {
        assert!(
            namespace.arrives(address, port),
            "{address} {port}\n{}",
            namespace.everything()
        );
    }
    let other_port = "firewall tcp port 81 to fd00:f1::1".parse().unwrap();
    assert_eq!(
        namespace.arrives("fd00:f1::1", 81),
        facts.state_of(&other_port).live
    );
    let after = namespace.everything();
    assert!(!after.contains("injected"), "{after}");

    let facts = namespace.enact(&Step::new(2, &ALL, &[])).unwrap();
    assert_held(&facts, &ALL);
    assert_same(
        &namespace.everything(),
        &after,
        "a second run changes nothing",
    );

    namespace.sh("ip addr del 65.52.0.1/32 dev lo; ip addr del fd00:f1::1/128 dev lo\n");
    namespace.sh(lose);
    let facts = namespace.facts();
    assert!(!facts.state_of(&"address fd00:f1::1".parse().unwrap()).live);
    assert!(
        facts
            .state_of(&"address fd00:f1::1".parse().unwrap())
            .survives
    );
    namespace.sh("sh /var/lib/plimsoll/boot.sh && sh /var/lib/plimsoll/boot.sh\n");
    // Rules of ours are all accepts, so their order among each other says nothing.
    let sorted = |text: &str| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    assert_same(
        &sorted(&namespace.everything()),
        &sorted(&after),
        "the boot script restores everything, once",
    );
    assert_held(&namespace.facts(), &ALL);
    for address in ["65.52.0.1", "fd00:f1::1"] {
        assert!(
            namespace.arrives(address, 80),
            "{address}\n{}",
            namespace.everything()
        );
    }

    let facts = namespace.enact(&Step::new(3, &[], &ALL)).unwrap();
    assert_over(&facts);
    assert_same(&namespace.everything(), &before, "nothing of ours is left");
}

#[test]
fn on_nftables() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    life(&namespace, FORGET);
}

#[test]
fn on_nftables_with_a_last_rule_that_rejects_and_a_second_chain() {
    let rules = DROPPING.replace("policy drop;", "policy accept;").replace(
        "drop comment",
        "drop comment \"x\"\n\t\tcounter reject with icmpx type admin-prohibited comment \"last\"\n\t\tip saddr 192.0.2.8 drop comment",
    ) + "\ntable ip other {\n chain deny {\n drop\n }\n chain in { type filter hook input priority 5; tcp dport 22 accept; jump deny; }\n}\n";
    let Some(namespace) = Namespace::new(&rules) else {
        return;
    };
    life(&namespace, FORGET);
}

#[test]
fn without_a_firewall() {
    let Some(namespace) = Namespace::new("") else {
        return;
    };
    life(&namespace, FORGET);
}

#[test]
fn an_entry_goes_with_its_last_claim() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let before = namespace.everything();
    let keys = ["address 65.52.0.1", "firewall tcp port 80 to 65.52.0.1"];
    namespace.enact(&Step::new(1, &keys, &[])).unwrap();
    namespace
        .enact(&Step::new(1, &keys, &[]).by("other"))
        .unwrap();
    let facts = namespace.enact(&Step::new(2, &[], &keys)).unwrap();
    assert_held(&facts, &keys);
    namespace
        .enact(&Step::new(2, &[], &keys).by("other"))
        .unwrap();
    assert_same(&namespace.everything(), &before, "nothing of ours is left");
}

#[test]
fn gains_and_loses_in_one_step() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    namespace.enact(&Step::new(1, &ALL[..4], &[])).unwrap();
    let facts = namespace
        .enact(&Step::new(2, &ALL[4..], &ALL[..4]))
        .unwrap();
    assert_held(&facts, &ALL[4..]);
    assert!(facts.holds("65.52.0.1".parse().unwrap()).is_none());
}
