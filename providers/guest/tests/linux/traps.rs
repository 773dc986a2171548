//! What goes wrong on real machines. Each test fails without the care that is taken for it.

use crate::kinds::{namespace_with, ufw};
use crate::namespace::{Namespace, Step, assert_same};
use crate::writes::{DROPPING, assert_held, life};
use plimsoll_core::model::guest::{EntryKey, FirewallKind};

const ADDRESSES: [&str; 2] = ["address 65.52.0.1", "address 65.52.0.2"];
const OPENING: &str = "firewall tcp port 80 to 65.52.0.1";

fn user_rules(namespace: &Namespace) -> String {
    namespace.sh("cat /etc/ufw/user.rules\n")
}

/// `ufw allow` of a rule that is there with another comment answers "Rule updated" and writes the new comment.
#[test]
fn a_rule_that_the_administrator_added_meanwhile_keeps_its_comment() {
    let Some(namespace) = ufw() else { return };
    let script = Step::new(1, &[OPENING], &[]).script(&namespace.facts());
    namespace.sh("ufw allow proto tcp to 65.52.0.1 port 80 comment theirs\n");
    let theirs = user_rules(&namespace);
    let output = namespace.run("sh", &script);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("ufw has this rule already"), "{said}");
    assert_eq!(user_rules(&namespace), theirs);
}

/// `ufw delete` finds a rule by everything but its comment.
#[test]
fn a_rule_that_the_administrator_made_theirs_is_not_deleted() {
    let Some(namespace) = ufw() else { return };
    namespace.enact(&Step::new(1, &[OPENING], &[])).unwrap();
    namespace.sh("ufw allow proto tcp to 65.52.0.1 port 80 comment theirs\n");
    let theirs = user_rules(&namespace);
    namespace.enact(&Step::new(2, &[], &[OPENING])).unwrap();
    assert_eq!(user_rules(&namespace), theirs);
    let state = namespace.facts().state_of(&OPENING.parse().unwrap());
    assert!(state.live && state.claims.is_empty(), "{state:?}");
}

/// `ufw delete` ends with 0 although nothing was deleted.
#[test]
fn a_deletion_that_did_not_happen_is_found_out_and_stays_in_the_record() {
    let Some(namespace) = ufw() else { return };
    namespace.enact(&Step::new(1, &[OPENING], &[])).unwrap();
    namespace.sh("mount -t tmpfs none /usr/local/sbin
        printf '#!/bin/sh\\necho Could not delete non-existent rule\\n' >/usr/local/sbin/ufw
        chmod +x /usr/local/sbin/ufw\n");
    let why = namespace.enact(&Step::new(2, &[], &[OPENING])).unwrap_err();
    assert!(why.contains("close_ufw"), "{why}");
    namespace.sh("umount /usr/local/sbin\n");
    let key: EntryKey = OPENING.parse().unwrap();
    assert!(
        namespace
            .facts()
            .record()
            .unwrap()
            .entries
            .contains_key(&key)
    );
    namespace.enact(&Step::new(3, &[], &[OPENING])).unwrap();
    assert!(!user_rules(&namespace).contains("65.52.0.1"));
}

/// Deleting the first of two addresses of one /24 deletes the second too: the kernel calls it secondary.
#[test]
fn two_frontends_of_one_network_go_one_by_one() {
    let Some(namespace) = Namespace::new("") else {
        return;
    };
    // As the Microsoft page has it, by hand.
    namespace.sh("ip addr add 65.52.0.1/24 dev lo; ip addr add 65.52.0.2/24 dev lo\n");
    let theirs = namespace.everything();
    namespace.enact(&Step::new(1, &ADDRESSES, &[])).unwrap();
    let held = namespace.sh("ip -o -4 addr show dev lo\n");
    for address in ["65.52.0.1/32", "65.52.0.2/32"] {
        let line = held.lines().find(|line| line.contains(address)).unwrap();
        assert!(!line.contains("secondary"), "{held}");
    }
    let facts = namespace
        .enact(&Step::new(2, &ADDRESSES[1..], &ADDRESSES[..1]))
        .unwrap();
    assert_held(&facts, &ADDRESSES[1..]);
    let held = namespace.sh("ip -o -4 addr show dev lo\n");
    assert!(
        held.contains("65.52.0.2/32") && !held.contains("65.52.0.1/32"),
        "{held}"
    );
    namespace.enact(&Step::new(3, &[], &ADDRESSES)).unwrap();
    assert_same(
        &namespace.everything(),
        &theirs,
        "what was set by hand stays",
    );
}

/// `systemctl is-active` says active of an ufw that is off, and of a unit whose addresses somebody deleted.
#[test]
fn what_systemctl_calls_active_is_not_asked() {
    let Some(namespace) = ufw() else { return };
    namespace.sh("mount -t tmpfs none /usr/local/sbin
        printf '#!/bin/sh\\necho active\\n' >/usr/local/sbin/systemctl
        chmod +x /usr/local/sbin/systemctl
        ufw --force disable\n");
    assert_ne!(namespace.facts().firewall.kind, FirewallKind::Ufw);
    namespace.enact(&Step::new(1, &ADDRESSES, &[])).unwrap();
    namespace.sh("ip addr del 65.52.0.1/32 dev lo\n");
    let key: EntryKey = ADDRESSES[0].parse().unwrap();
    let state = namespace.facts().state_of(&key);
    assert!(!state.live && state.survives, "{state:?}");
    namespace.sh("rm /etc/systemd/system/multi-user.target.wants/plimsoll.service\n");
    assert!(namespace.facts().survives.is_empty());
}

/// A host that forwards does not drop a packet for an address that it lacks: it sends it back out.
#[test]
fn a_forwarding_host_bounces_what_it_does_not_hold() {
    let Some(namespace) = Namespace::new("") else {
        return;
    };
    namespace.join_client();
    namespace.sh("ip route add default via 203.0.113.9; echo 1 >/proc/sys/net/ipv4/ip_forward
        nft 'table ip seen { chain forward { type filter hook forward priority 0; ip daddr 65.52.0.1 counter; }; }'\n");
    let bounced = || {
        let rules = namespace.sh("nft list table ip seen\n");
        let (_, counted) = rules.split_once("counter packets ").unwrap();
        counted.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert!(!namespace.arrives("65.52.0.1", 80));
    let before = bounced();
    assert!(before > 0);
    let facts = namespace.facts();
    assert_eq!(facts.settings["net.ipv4.ip_forward"], "1");
    namespace
        .enact(&Step::new(1, &ADDRESSES[..1], &[]))
        .unwrap();
    assert!(namespace.arrives("65.52.0.1", 80));
    assert_eq!(bounced(), before);
}

/// Files of /proc/sys answer one read, and dash reads byte by byte: it would see one digit, or nothing.
#[test]
fn settings_of_the_kernel_are_read_whole_in_every_shell() {
    for shell in ["sh", "dash", "bash", "busybox sh"] {
        let Some(namespace) = namespace_with(&[shell.split(' ').next().unwrap()]) else {
            continue;
        };
        namespace.sh("cd /proc/sys/net/ipv4; echo 10000 20000 >ip_local_port_range; echo 2 >conf/all/rp_filter; echo 59999 >ip_local_reserved_ports\n");
        let probe = plimsoll_guest::linux::probe();
        let output = namespace.run(
            "sh",
            &format!("cat >/run/probe <<'END'\n{probe}END\n{shell} /run/probe\n"),
        );
        let facts = plimsoll_guest::linux::facts::parse(&output.stdout).unwrap();
        for (name, value) in [
            ("net.ipv4.ip_local_port_range", "10000 20000"),
            ("net.ipv4.conf.all.rp_filter", "2"),
            ("net.ipv4.conf.lo.rp_filter", "0"),
            ("net.ipv4.ip_local_reserved_ports", "59999"),
            ("net.ipv4.ip_forward", "0"),
        ] {
            let found = facts.settings.get(name).map(String::as_str);
            assert_eq!(found, Some(value), "{shell}: {name}");
        }
    }
}

/// What Docker and a Kubernetes node bring: forwarding, chains of their own in every table, a published port.
const CONTAINERS: &str = "set -e
    echo 1 >/proc/sys/net/ipv4/ip_forward
    iptables -N DOCKER; iptables -N DOCKER-USER; iptables -N DOCKER-ISOLATION-STAGE-1
    iptables -A DOCKER-USER -j RETURN
    iptables -A DOCKER-ISOLATION-STAGE-1 -j RETURN
    iptables -P FORWARD DROP
    iptables -A FORWARD -j DOCKER-USER
    iptables -A FORWARD -j DOCKER-ISOLATION-STAGE-1
    iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
    iptables -t nat -N DOCKER
    iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
    iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8081 -j DNAT --to-destination 172.17.0.2:80
    iptables -N KUBE-FIREWALL
    iptables -A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -m comment --comment 'kubernetes firewall for dropping marked packets' -j DROP
    iptables -A INPUT -j KUBE-FIREWALL
    nft 'table ip kube-proxy { chain services { tcp dport 443 dnat to 10.244.0.5:6443; }; chain nat-prerouting { type nat hook prerouting priority -100; ip daddr 10.96.0.1 jump services; }; }'
    ";

#[test]
fn containers_and_their_chains_are_left_alone() {
    for (rules, more) in [
        (DROPPING, ""),
        (
            "",
            "ip6tables -A INPUT -p ipv6-icmp -j ACCEPT; iptables -P INPUT DROP; ip6tables -P INPUT DROP\n",
        ),
    ] {
        let Some(namespace) = namespace_with(&["iptables", "ip6tables", "nft"]) else {
            return;
        };
        namespace.sh(&format!(
            "nft -f - <<'RULES'\n{rules}\nRULES\n{CONTAINERS}\n{more}"
        ));
        let forget = "nft -a list table inet filter 2>/dev/null | sed -n 's/.*comment \"plimsoll\" # handle //p' | while read -r handle; do nft delete rule inet filter input handle $handle; done
            for tool in iptables ip6tables; do $tool -S | sed -n '/plimsoll/s/^-A/-D/p' | while read -r rule; do $tool $rule; done; done\n";
        life(&namespace, forget);
    }
}

/// Nothing is set where it could not be kept, and what stands in the way is named.
#[test]
fn a_system_that_cannot_be_written_is_said_plainly() {
    for (place, named) in [
        ("/var/lib", "/var/lib/plimsoll"),
        ("/etc/systemd", "/etc/systemd/system/plimsoll.service"),
    ] {
        let Some(namespace) = Namespace::new(DROPPING) else {
            return;
        };
        let live = "ip -o addr; nft list ruleset\n";
        let before = namespace.sh(live);
        namespace.sh(&format!("mount -o remount,ro {place}\n"));
        let why = namespace
            .enact(&Step::new(1, &[ADDRESSES[0], OPENING], &[]))
            .unwrap_err();
        assert!(
            why.contains(named) && why.contains("Read-only file system"),
            "{why}"
        );
        assert_eq!(namespace.sh(live), before);
        namespace.sh(&format!("mount -o remount,rw {place}\n"));
        namespace
            .enact(&Step::new(2, &[ADDRESSES[0], OPENING], &[]))
            .unwrap();
    }
}
