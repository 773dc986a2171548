//! The script that is handed to someone else: on a machine that no plan has read it must end where apply would.

use crate::kinds::{firewalld, iptables_rules, namespace_with, ufw};
use crate::namespace::{Namespace, Step, assert_same};
use crate::writes::DROPPING;
use plimsoll_core::model::guest::{BY_SCRIPT, Claim, EntryKey, FirewallKind, GuestFacts};
use plimsoll_core::model::{Addr, Kind};
use plimsoll_guest::linux::standalone::{Standalone, script};
use std::collections::BTreeSet;

const KEYS: [&str; 6] = [
    "address 65.52.0.1",
    "address fd00:f1::1",
    "firewall tcp port 80 to 65.52.0.1",
    "firewall udp port 53 to fd00:f1::1",
    "firewall tcp port 80 to fd00:f1::1",
    // The machine's own address, which the script finds out.
    "firewall tcp port 8080 from 168.63.129.16 to 192.0.0.8",
];
const FOUND_OUT: &str = "firewall tcp port 8080 from 168.63.129.16 to 203.0.113.1";

fn text(keys: &[&str], lineage: &str, run: u64, undo: bool) -> String {
    let entries: BTreeSet<EntryKey> = keys.iter().map(|key| key.parse().unwrap()).collect();
    script(&Standalone {
        guest: &Addr::new(Kind::Guest, "vm1"),
        claim: &Claim {
            deployment: "web".into(),
            lineage: lineage.into(),
        },
        run,
        entries: &entries,
        undo,
    })
    .unwrap()
}

fn assert_held(facts: &GuestFacts) {
    for key in KEYS[..5].iter().copied().chain([FOUND_OUT]) {
        let state = facts.state_of(&key.parse::<EntryKey>().unwrap());
        assert!(
            state.live && state.survives && state.claims.len() == 1,
            "{key}: {state:?}\n{:#?}",
            facts.firewall
        );
    }
}

/// What the kernel lost comes back, whatever the order.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn life(namespace: &Namespace) {
    namespace.sh("ip addr add 9.9.9.9/32 dev lo\n");
    namespace.join_client();
    namespace.sh("ip route add default via 203.0.113.9\n");
    let other = "firewall tcp port 9000 to 9.9.9.9";
    namespace
        .enact(&Step::new(5, &[other], &[]).by("other"))
        .unwrap();
    let before = namespace.everything();
    assert!(!namespace.arrives("65.52.0.1", 80));
    let hold = text(&KEYS, BY_SCRIPT, 0, false);
    let said = namespace.sh(&hold);
    assert!(said.contains("this machine holds"), "{said}");
    assert_held(&namespace.facts());
    for address in ["65.52.0.1", "fd00:f1::1"] {
        assert!(
            namespace.arrives(address, 80),
            "{address}\n{}",
            namespace.everything()
        );
    }
    let after = namespace.everything();
    let record = namespace.sh("cat /var/lib/plimsoll/record.json\n");
    namespace.sh(&hold);
    assert_same(&namespace.everything(), &after, "once more changes nothing");
    assert_eq!(namespace.sh("cat /var/lib/plimsoll/record.json\n"), record);

    // As at boot: the unit, and the script itself from cloud-init.
    namespace.sh("ip addr del 65.52.0.1/32 dev lo; ip addr del fd00:f1::1/128 dev lo\n");
    namespace.sh("sh /var/lib/plimsoll/boot.sh\n");
    namespace.sh(&hold);
    assert_same(
        &sorted(&namespace.everything()),
        &sorted(&after),
        "all is back",
    );

    // A deployment that was applied since has other things to say than an old script.
    let undo = namespace.sh(&text(&KEYS, BY_SCRIPT, 0, true));
    assert!(undo.contains("holds nothing of web"), "{undo}");
    assert_same(&namespace.everything(), &before, "nothing of ours is left");
    let facts = namespace.facts();
    let kept = facts.state_of(&other.parse().unwrap());
    assert!(kept.live && kept.survives, "{kept:?}");
    namespace.sh(&text(&KEYS, BY_SCRIPT, 0, true));
}

#[test]
fn on_nftables() {
    if let Some(namespace) = Namespace::new(DROPPING) {
        life(&namespace);
    }
}

#[test]
fn on_nftables_with_a_last_rule_that_rejects_and_a_second_chain() {
    let rules = DROPPING.replace("policy drop;", "policy accept;").replace(
        "drop comment",
        "drop comment \"x\"\n\t\tcounter reject with icmpx type admin-prohibited comment \"last\"\n\t\tip saddr 192.0.2.8 drop comment",
    ) + "\ntable ip other {\n chain in { type filter hook input priority 5; policy drop; tcp dport 22 accept; }\n}\n";
    if let Some(namespace) = Namespace::new(&rules) {
        life(&namespace);
    }
}

#[test]
fn without_a_firewall_it_leaves_nothing() {
    let Some(namespace) = Namespace::new("") else {
        return;
    };
    namespace.join_client();
    namespace.sh("ip route add default via 203.0.113.9\n");
    let files = "find /var/lib /etc/systemd | sort; ip -o addr | sed 's/valid_lft.*//'\n";
    let before = namespace.sh(files);
    namespace.sh(&text(&KEYS, BY_SCRIPT, 0, false));
    assert_held(&namespace.facts());
    namespace.sh(&text(&KEYS, BY_SCRIPT, 0, true));
    assert_eq!(namespace.sh(files), before);
}

#[test]
fn on_iptables() {
    for (suffix, last) in [("", "policy"), ("", "reject"), ("-legacy", "policy")] {
        let (v4, v6) = (format!("iptables{suffix}"), format!("ip6tables{suffix}"));
        let Some(namespace) = namespace_with(&[&v4, &v6]) else {
            return;
        };
        let set_up = iptables_rules(&v4, last) + &iptables_rules(&v6, last);
        let told = "test -r /proc/net/ip_tables_names\n";
        let able = namespace.run("sh", &set_up).status.success();
        if !able || (suffix == "-legacy" && !namespace.run("sh", told).status.success()) {
            eprintln!("skipped: {v4} does not work here");
            continue;
        }
        life(&namespace);
    }
}

#[test]
fn on_ufw() {
    let Some(namespace) = ufw() else { return };
    assert_eq!(namespace.facts().firewall.kind, FirewallKind::Ufw);
    namespace.sh("ufw allow proto tcp to 65.52.0.9 port 80 comment theirs\n");
    life(&namespace);
    // What the administrator has is enough, and stays theirs.
    let rules = namespace.sh("cat /etc/ufw/user.rules\n");
    let theirs = ["firewall tcp port 80 to 65.52.0.9"];
    let said = namespace.sh(&text(&theirs, BY_SCRIPT, 0, false));
    assert!(said.contains("left as it is"), "{said}");
    namespace.sh(&text(&theirs, BY_SCRIPT, 0, true));
    assert_eq!(namespace.sh("cat /etc/ufw/user.rules\n"), rules);
}

#[test]
fn on_firewalld() {
    if let Some(namespace) = firewalld() {
        life(&namespace);
    }
}

#[test]
fn an_address_of_the_administrator_stays_theirs() {
    let Some(namespace) = Namespace::new("") else {
        return;
    };
    namespace.sh("ip addr add 65.52.0.1/32 dev lo\n");
    let keys = ["address 65.52.0.1"];
    let said = namespace.sh(&text(&keys, BY_SCRIPT, 0, false));
    assert!(said.contains("left as it is"), "{said}");
    namespace.sh(&text(&keys, BY_SCRIPT, 0, true));
    let held = namespace
        .facts()
        .holds("65.52.0.1".parse().unwrap())
        .is_some();
    assert!(held);
}

/// What apply did later is newer than any script, and a script knows only what it was written for.
#[test]
fn it_does_not_meddle_with_what_it_does_not_know() {
    let Some(namespace) = Namespace::new("") else {
        return;
    };
    let lineage = "11111111-2222-3333-4444-555555555555";
    let refused = |script: &str| {
        let output = namespace.run("sh", script);
        assert!(!output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let keys = ["address 65.52.0.1", "address 65.52.0.2"];
    namespace.sh(&text(&keys, BY_SCRIPT, 0, false));
    // The state takes over what the script made.
    namespace.sh(&text(&keys, lineage, 3, false));
    let record = namespace.sh("cat /var/lib/plimsoll/record.json\n");
    assert!(
        !record.contains(BY_SCRIPT) && record.contains("\"web\": 3"),
        "{record}"
    );
    let said = refused(&text(&keys, lineage, 2, false));
    assert!(said.contains("this guest has seen run 3 of web"), "{said}");
    let said = refused(&text(&keys, "0000", 3, true));
    assert!(said.contains("under another state"), "{said}");
    let said = refused(&text(&keys[..1], lineage, 3, true));
    assert!(said.contains("  address 65.52.0.2"), "{said}");
    namespace.sh("sed -i 's/\"version\": 1,/\"version\": 2,/' /var/lib/plimsoll/record.json\n");
    let said = refused(&text(&keys, lineage, 3, true));
    assert!(said.contains("does not understand"), "{said}");
    namespace.sh("rm -r /run/systemd/system; rm /var/lib/plimsoll/record.json\n");
    let said = refused(&text(&keys, lineage, 3, false));
    assert!(said.contains("not with systemd"), "{said}");
}

/// Cut anywhere it does nothing.
#[test]
fn every_shell_takes_it_and_none_takes_half_of_it() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let keys = ["address 65.52.0.1", "firewall tcp port 80 to 65.52.0.1"];
    let (hold, undo) = (
        text(&keys, BY_SCRIPT, 0, false),
        text(&keys, BY_SCRIPT, 0, true),
    );
    let before = namespace.everything();
    for cut in (1..hold.len() - 3).step_by(977) {
        namespace.run("sh", &hold[..cut]);
    }
    assert_same(
        &namespace.everything(),
        &before,
        "half a script does nothing",
    );
    for shell in ["dash", "bash", "busybox sh"] {
        let mut words = shell.split(' ').map(str::to_owned);
        let program = words.next().unwrap();
        if !namespace.has(&program) {
            eprintln!("skipped: {program} is missing");
            continue;
        }
        let run = |script: &str| {
            let file = format!("cat >/run/script <<'WHOLE'\n{script}WHOLE\n{shell} /run/script\n");
            namespace.sh(&file);
            namespace.sh("rm /run/script\n");
        };
        run(&hold);
        let state = namespace.facts().state_of(&keys[1].parse().unwrap());
        assert!(state.live && state.survives, "{shell}: {state:?}");
        run(&undo);
        assert_same(&namespace.everything(), &before, shell);
    }
}
