//! Rulesets as real tools print them → what happens to packets. Shared captures are read where they are there.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot run here says so out loud, and one that cannot go on fails"
)]

use plimsoll_core::model::Protocol;
use plimsoll_core::model::guest::{Firewall, FirewallKind, GuestFacts, Packet, Verdict};
use plimsoll_guest::linux::facts;
use std::path::Path;

/// An answer of the probe with the sections given, as a guest would frame it.
fn answer(sections: &[(&str, &str)]) -> Vec<u8> {
    let mut body = String::from("== user 0\n|0\n== addresses 0\n|[]");
    for (name, text) in sections {
        body += &format!("\n== {name} 0");
        for line in text.trim_end().lines() {
            body += &format!("\n|{line}");
        }
    }
    format!(
        "\nplimsoll-facts 1 {}\n{body}\nplimsoll-facts-end\n",
        body.len()
    )
    .into_bytes()
}

fn facts_of(sections: &[(&str, &str)]) -> GuestFacts {
    facts::parse(&answer(sections)).unwrap()
}

fn shared(path: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/guest");
    let text = std::fs::read_to_string(root.join(path)).ok();
    if text.is_none() {
        eprintln!("skipped: ../shared is absent");
    }
    text
}

fn judge(firewall: &Firewall, text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let packet = Packet {
        protocol: Protocol::parse(words[0]).unwrap(),
        destination: words[1].parse().unwrap(),
        port: words.get(2).and_then(|p| p.parse().ok()),
        source: words.get(3).map(|s| s.parse().unwrap()),
    };
    match firewall.judge(&packet) {
        Verdict::Admitted { by, ours, .. } => {
            format!("admitted{} by {by}", if ours { " (ours)" } else { "" })
        }
        Verdict::Refused {
            by, chain, rejects, ..
        } => {
            format!(
                "{} by {by} in {chain}",
                if rejects { "rejected" } else { "dropped" }
            )
        }
        Verdict::Unclear { by, .. } => format!("unclear by {by}"),
    }
}

#[test]
fn every_kind_of_nftables_expression() {
    let facts = facts_of(&[("nftables", include_str!("../testdata/nftables-mixed.json"))]);
    let firewall = &facts.firewall;
    assert_eq!(firewall.kind, FirewallKind::Nftables);
    for (packet, verdict) in [
        (
            "tcp 65.52.0.1 80",
            "admitted (ours) by ip daddr 65.52.0.1 accept comment \"plimsoll\"",
        ),
        (
            "all 65.52.0.1",
            "admitted (ours) by ip daddr 65.52.0.1 accept comment \"plimsoll\"",
        ),
        (
            "udp fd00:f1::1 53",
            "admitted (ours) by ip6 daddr fd00:f1::1 udp dport 53 accept comment \"plimsoll\"",
        ),
        (
            "tcp 10.0.0.11 8080 168.63.129.16",
            "admitted (ours) by ip saddr 168.63.129.16 ip daddr 10.0.0.11 tcp dport 8080 accept comment \"plimsoll\"",
        ),
        (
            "tcp 65.52.0.9 53",
            "admitted by ip daddr 65.52.0.0/24 meta l4proto { tcp, udp } th dport 53 accept",
        ),
        (
            "udp 65.52.0.9 53",
            "admitted by ip daddr 65.52.0.0/24 meta l4proto { tcp, udp } th dport 53 accept",
        ),
        (
            "tcp 10.0.0.11 22",
            "admitted by tcp dport vmap { 22 : accept, 23 : drop }",
        ),
        (
            "tcp 10.0.0.11 23",
            "dropped by tcp dport vmap { 22 : accept, 23 : drop } in inet filter input",
        ),
        (
            "tcp 10.0.0.11 80",
            "rejected by reject with icmpx admin-prohibited in inet filter input",
        ),
        (
            "tcp fd00:f1::1 80",
            "rejected by reject with icmpx admin-prohibited in inet filter input",
        ),
        (
            "tcp 10.0.0.11 80 192.0.2.8",
            "dropped by ip saddr @blocked drop in inet filter input",
        ),
        (
            "udp 10.0.0.11 5353",
            "rejected by reject with icmpx admin-prohibited in inet filter input",
        ),
        ("udp 10.0.0.11 5354", "dropped by drop in inet filter deny"),
    ] {
        assert_eq!(judge(firewall, packet), verdict, "{packet}");
    }
}

#[test]
fn firewalld_as_captured() {
    let Some(ruleset) = shared("linux/nft-j-list-ruleset-firewalld.json") else {
        return;
    };
    let facts = facts_of(&[("nftables", &ruleset), ("firewalld", "running")]);
    assert_eq!(facts.firewall.kind, FirewallKind::Firewalld);
    for (packet, verdict) in [
        (
            "tcp 65.52.0.1 80",
            "admitted by ip daddr 65.52.0.1 tcp dport 80 accept",
        ),
        (
            "tcp 65.52.0.2 80",
            "admitted by ip daddr 65.52.0.2 tcp dport 80 accept",
        ),
        ("tcp 10.0.0.12 22", "admitted by tcp dport 22 accept"),
        (
            "tcp 65.52.0.2 81",
            "rejected by reject with icmpx admin-prohibited in inet firewalld filter_IN_public",
        ),
        (
            "udp fd00:f1::1 53",
            "rejected by reject with icmpx admin-prohibited in inet firewalld filter_IN_public",
        ),
    ] {
        assert_eq!(judge(&facts.firewall, packet), verdict, "{packet}");
    }
}

#[test]
fn ufw_as_captured() {
    let (Some(saved), Some(rules), Some(ruleset)) = (
        shared("linux/iptables-save-ufw.txt"),
        shared("linux/ufw-user.rules"),
        shared("linux/nft-j-list-ruleset-ufw.json"),
    ) else {
        return;
    };
    let facts = facts_of(&[
        ("iptables", &saved),
        ("nftables", &ruleset),
        ("ufw_rules", &rules),
        ("ufw_conf", "# ENABLED=no\nENABLED=yes\n"),
    ]);
    assert_eq!(facts.firewall.kind, FirewallKind::Ufw);
    assert!(
        judge(&facts.firewall, "tcp 65.52.0.1 80").starts_with("admitted by -A ufw-user-input"),
        "{}",
        judge(&facts.firewall, "tcp 65.52.0.1 80")
    );
    assert_eq!(
        judge(&facts.firewall, "tcp 65.52.0.7 4444"),
        "dropped by policy of iptables filter INPUT in iptables filter INPUT"
    );
}

#[test]
fn a_guest_without_any_of_the_tools() {
    let facts = facts_of(&[]);
    assert_eq!(facts.firewall.kind, FirewallKind::None);
    assert_eq!(facts.unread.len(), 2, "{:?}", facts.unread);
}

#[test]
fn an_answer_that_was_not_read_as_root_is_no_answer() {
    let output = String::from_utf8(answer(&[])).unwrap().replace("|0", "|7");
    assert!(
        facts::parse(output.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("root")
    );
}

proptest::proptest! {
    #[test]
    fn no_section_makes_it_panic(
        nft in "\\PC*", json in json(), saved in saved(), record in "\\PC*", boot in "\\PC*", ss in "\\PC*"
    ) {
        for nftables in [nft, json] {
            let facts = facts_of(&[
                ("nftables", &nftables), ("iptables", &saved), ("record", &record), ("boot", &boot),
                ("listeners4", &ss), ("ufw_conf", "ENABLED=yes"), ("ufw_rules", &saved), ("settings", &ss),
            ]);
            let _ = judge(&facts.firewall, "tcp 65.52.0.1 80");
            let _ = judge(&facts.firewall, "all fd00::1");
        }
    }
}

/// Rulesets of the right words in the wrong places.
fn json() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just("null".to_owned()),
        (0..70_000_u32).prop_map(|n| n.to_string()),
        prop::sample::select(vec![
            "==", "!=", "in", "tcp", "ip", "daddr", "dport", "state", "new", "lo", "@s", "filter",
            "input", "inet", "10.0.0.1", "syn", "drop"
        ])
        .prop_map(|w| format!("{w:?}")),
    ];
    let value = leaf.prop_recursive(5, 40, 4, |inner| {
        let name = prop::sample::select(vec![
            "match", "left", "right", "op", "payload", "protocol", "field", "meta", "key", "ct",
            "set", "range", "prefix", "addr", "len", "vmap", "data", "accept", "drop", "jump",
            "target", "elem", "val", "&", "limit", "inv", "xt", "reject",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[{}]", v.join(","))),
            prop::collection::btree_map(name, inner, 0..4).prop_map(|m| {
                let fields: Vec<String> = m.iter().map(|(k, v)| format!("{k:?}:{v}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    });
    prop::collection::vec(value, 0..6).prop_map(|rules| {
        let rules: Vec<String> = rules
            .iter()
            .map(|r| format!(r#"{{"rule":{{"family":"inet","table":"filter","chain":"input","expr":[{r}]}}}}"#))
            .collect();
        format!(
            r#"{{"nftables":[{{"chain":{{"family":"inet","table":"filter","name":"input","hook":"input","type":"filter"}}}},{{"set":{{"family":"inet","table":"filter","name":"s","elem":[1,"x"]}}}},{}]}}"#,
            if rules.is_empty() { "null".to_owned() } else { rules.join(",") }
        )
    })
}

fn saved() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let word = prop::sample::select(vec![
        "-p",
        "tcp",
        "-d",
        "10.0.0.1/32",
        "--dport",
        "80",
        "!",
        "-m",
        "multiport",
        "--dports",
        "1:2,3",
        "-j",
        "ACCEPT",
        "INPUT",
        "x",
        "-i",
        "lo",
        "\"a",
        "\\",
        "--tcp-flags",
    ]);
    prop::collection::vec(prop::collection::vec(word, 0..8), 0..6).prop_map(|lines| {
        let rules: String = lines
            .iter()
            .map(|l| format!("-A INPUT {}\n", l.join(" ")))
            .collect();
        format!("*filter\n:INPUT DROP [0:0]\n:x - [0:0]\n{rules}COMMIT\n")
    })
}
