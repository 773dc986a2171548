//! The same life on the other kinds of firewall.

use crate::namespace::{Namespace, Step};
use crate::writes::life;
use plimsoll_core::model::guest::FirewallKind;

pub(crate) fn namespace_with(tools: &[&str]) -> Option<Namespace> {
    let namespace = Namespace::new("")?;
    for tool in tools {
        if !namespace.has(tool) {
            eprintln!("skipped: {tool} is missing");
            return None;
        }
    }
    Some(namespace)
}

/// As Debian (policy) and Red Hat (a last rule that rejects) ship it.
pub(crate) fn iptables_rules(tool: &str, last: &str) -> String {
    let (icmp, reject) = if tool.starts_with("ip6") {
        ("ipv6-icmp", "icmp6-adm-prohibited")
    } else {
        ("icmp", "icmp-host-prohibited")
    };
    let last = match last {
        "policy" => format!("{tool} -P INPUT DROP"),
        _ => format!("{tool} -A INPUT -j REJECT --reject-with {reject}"),
    };
    format!(
        "set -e
        {tool} -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        {tool} -A INPUT -p {icmp} -j ACCEPT
        {tool} -A INPUT -i lo -j ACCEPT
        {tool} -A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -m comment --comment \"the administrator's own\" -j ACCEPT
        {last}
        "
    )
}

fn on_iptables(suffix: &str, last: &str) {
    let (v4, v6) = (format!("iptables{suffix}"), format!("ip6tables{suffix}"));
    let Some(namespace) = namespace_with(&[&v4, &v6]) else {
        return;
    };
    let set_up = iptables_rules(&v4, last) + &iptables_rules(&v6, last);
    if !namespace.run("sh", &set_up).status.success() {
        eprintln!("skipped: {v4} does not work with this kernel");
        return;
    }
    let names_are_told = "test -r /proc/net/ip_tables_names\n";
    if suffix == "-legacy" && !namespace.run("sh", names_are_told).status.success() {
        eprintln!("skipped: which legacy tables there are is told to the machine's own root only");
        return;
    }
    let firewall = namespace.facts().firewall;
    assert_eq!(firewall.kind, FirewallKind::Iptables, "{firewall:#?}");
    let forget = [&v4, &v6].map(|tool| {
        format!("{tool} -S | sed -n '/plimsoll/s/^-A/-D/p' | while read -r rule; do {tool} $rule; done\n")
    });
    life(&namespace, &forget.concat());
}

#[test]
fn on_iptables_over_nftables() {
    on_iptables("", "policy");
}

#[test]
fn on_iptables_with_a_last_rule_that_rejects() {
    on_iptables("", "reject");
}

#[test]
fn on_legacy_iptables() {
    on_iptables("-legacy", "policy");
}

pub(crate) fn ufw() -> Option<Namespace> {
    let namespace = namespace_with(&["ufw"])?;
    if namespace
        .run("sh", "test -r /etc/ufw/user.rules\n")
        .status
        .success()
    {
        namespace.sh("ufw allow 22/tcp; ufw deny from 192.0.2.7; ufw --force enable\n");
        return Some(namespace);
    }
    eprintln!("skipped: /etc/ufw is readable by root only");
    None
}

#[test]
fn on_ufw() {
    let Some(namespace) = ufw() else { return };
    assert_eq!(namespace.facts().firewall.kind, FirewallKind::Ufw);
    life(&namespace, "ufw --force disable; ufw --force enable\n");
}

#[test]
fn a_rule_of_ufw_by_the_administrator_is_enough_and_stays_theirs() {
    let Some(namespace) = ufw() else { return };
    namespace.sh("ufw allow proto tcp to 65.52.0.1 port 80 comment theirs\n");
    let key = "firewall tcp port 80 to 65.52.0.1";
    let before = namespace.facts();
    let state = before.state_of(&key.parse().unwrap());
    assert!(
        state.live && !state.survives && state.claims.is_empty(),
        "{state:?}"
    );
    // Even asked to hold it, no rule of ours is added, and the comment stays as it is.
    let rules = namespace.sh("cat /etc/ufw/user.rules\n");
    namespace.enact(&Step::new(1, &[key], &[])).unwrap();
    assert_eq!(namespace.sh("cat /etc/ufw/user.rules\n"), rules);
    namespace.enact(&Step::new(2, &[], &[key])).unwrap();
    assert_eq!(namespace.sh("cat /etc/ufw/user.rules\n"), rules);
}

#[test]
fn a_deny_of_ufw_is_named_and_not_bypassed() {
    let Some(namespace) = ufw() else { return };
    namespace.sh("ufw deny 80/tcp\n");
    let step = Step::new(1, &["firewall tcp port 80 to 65.52.0.1"], &[]);
    let why = step.try_script(&namespace.facts()).unwrap_err();
    assert!(
        why.contains("-A ufw-user-input -p tcp -m tcp --dport 80 -j DROP"),
        "{why}"
    );
}

#[test]
fn an_inactive_ufw_is_no_firewall_and_is_not_switched_on() {
    let Some(namespace) = ufw() else { return };
    namespace
        .enact(&Step::new(1, &["firewall tcp port 80 to 65.52.0.1"], &[]))
        .unwrap();
    namespace.sh("ufw --force disable\n");
    let facts = namespace.facts();
    assert_ne!(facts.firewall.kind, FirewallKind::Ufw);
    namespace
        .enact(&Step::new(2, &["firewall tcp port 81 to 65.52.0.1"], &[]))
        .unwrap();
    assert_eq!(
        namespace.sh("grep ^ENABLED /etc/ufw/ufw.conf\n"),
        "ENABLED=no\n"
    );
    // The rule that ufw keeps for us goes although ufw is off.
    namespace
        .enact(&Step::new(
            3,
            &[],
            &[
                "firewall tcp port 80 to 65.52.0.1",
                "firewall tcp port 81 to 65.52.0.1",
            ],
        ))
        .unwrap();
    assert!(
        !namespace
            .sh("cat /etc/ufw/user.rules\n")
            .contains("65.52.0.1")
    );
}

pub(crate) fn firewalld() -> Option<Namespace> {
    let namespace = namespace_with(&["firewalld", "dbus-daemon"])?;
    let start = "mkdir -p /run/dbus
        dbus-daemon --system --fork >/dev/null 2>&1
        firewalld --nofork --nopid >/run/firewalld.log 2>&1 </dev/null &
        for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            [ \"$(firewall-cmd --state 2>/dev/null)\" = running ] && exit 0; sleep 0.5
        done
        cat /run/firewalld.log >&2; exit 1\n";
    if !namespace.run("sh", start).status.success() {
        eprintln!("skipped: firewalld does not start here");
        return None;
    }
    Some(namespace)
}

#[test]
fn on_firewalld() {
    let Some(namespace) = firewalld() else { return };
    let firewall = namespace.facts().firewall;
    assert_eq!(firewall.kind, FirewallKind::Firewalld, "{firewall:#?}");
    life(&namespace, "firewall-cmd --reload\n");
}

#[test]
fn settings_of_others_that_a_reload_would_drop_are_kept() {
    let Some(namespace) = firewalld() else { return };
    namespace.sh("firewall-cmd --add-port 4444/tcp\n");
    let step = Step::new(1, &["firewall tcp port 80 to 65.52.0.1"], &[]);
    let why = namespace.enact(&step).unwrap_err();
    assert!(why.contains("a reload would drop"), "{why}");
    assert_eq!(
        namespace.sh("firewall-cmd --query-port 4444/tcp\n"),
        "yes\n"
    );
}
