use crate::bed::{Bed, Place, place};
use crate::deployment::{Deployment, Guest, PROBE_PORT, Rule};
use crate::faults::Patient;
use crate::firewalls::Kind;

const fn rule(
    name: &'static str,
    frontend: &'static str,
    protocol: &'static str,
    frontend_port: u16,
    backend_port: u16,
) -> Rule {
    Rule {
        name,
        frontend,
        protocol,
        frontend_port,
        backend_port,
    }
}

/// {IPv4, IPv6} × {TCP, UDP} × {same port, another port inside}, and one that the administrator has opened already.
const RULES: [Rule; 9] = [
    rule("tcp4", "green", "Tcp", 80, 80),
    rule("tcp4-other", "green", "Tcp", 8000, 8080),
    rule("udp4", "green", "Udp", 53, 53),
    rule("udp4-other", "green", "Udp", 5300, 5353),
    rule("tcp6", "six", "Tcp", 80, 80),
    rule("tcp6-other", "six", "Tcp", 8000, 8080),
    rule("udp6", "six", "Udp", 53, 53),
    rule("udp6-other", "six", "Udp", 5300, 5353),
    rule("open-already", "purple", "Tcp", 80, 80),
];

const GUEST: Guest = Guest {
    name: "vm1",
    nic: 0,
};

fn matrix(kind: Kind) {
    let Some(mut bed) = Bed::new() else { return };
    let deployment = Deployment::new();
    bed.make("vm1", 2, kind.login_shell(), &deployment.public_key());
    bed.boot("vm1");
    kind.set_up(&bed, "vm1");
    // Before is what a boot makes, not what the commands of the administrator left behind.
    bed.reboot("vm1");
    deployment.knows(&bed, &[GUEST]);
    deployment.configure("web", &[GUEST], &RULES);

    let own = bed.own("vm1", 0);
    let probes = own.map(|address| Place {
        protocol: "tcp",
        address,
        port: PROBE_PORT,
    });
    let mut places: Vec<Place> = RULES.iter().map(Rule::within).collect();
    places.extend(probes);
    bed.listen("vm1", &places);
    let outside: Vec<Place> = RULES.iter().map(Rule::outside).collect();
    let meant: Vec<String> = RULES
        .iter()
        .map(|rule| format!("{} {}", rule.within().address, rule.backend_port))
        .collect();
    let unheard = vec!["lost".to_owned(); RULES.len()];
    let flows = |bed: &Bed| {
        bed.until("every flow is answered", |bed| {
            deployment.deliver(bed, &[GUEST]);
            bed.ask(&outside) == meant
        });
    };

    // Broken: nothing is there yet.
    let before = bed.everything("vm1");
    deployment.deliver(&bed, &[GUEST]);
    assert_eq!(bed.ask(&outside), unheard);

    let destinations: Vec<String> = outside.iter().map(Place::destination).collect();
    let trace = |code: i32| {
        let words = [&["trace".to_owned()], destinations.as_slice()].concat();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        deployment.plimsoll(&words).exits(code)
    };
    trace(2);

    deployment.apply();
    flows(&bed);
    trace(0);
    // Whom the administrator keeps out stays out, unless the firewall is off.
    for (nuisance, to) in [("192.0.2.7", "65.52.0.1"), ("fd20::7", "fd00:f1::1")] {
        let kept_out = bed.ask_from("client", nuisance, &[place("tcp", to, 80)]);
        assert_eq!(kept_out[0] == "lost", kind.refuses(), "{kept_out:?}");
    }
    if kind.refuses() {
        let other = [
            place("tcp", "65.52.0.1", 81),
            place("tcp", "fd00:f1::1", 81),
        ];
        deployment.deliver(&bed, &[GUEST]);
        assert_eq!(
            bed.ask(&other),
            ["lost", "lost"],
            "no more than what was asked for"
        );
    }

    let applied = bed.everything("vm1");
    deployment.writes();
    let again = deployment.apply();
    assert_eq!(deployment.writes(), [""; 0], "{}", again.seen());
    same(
        &bed.everything("vm1"),
        &applied,
        "a second apply sends nothing",
    );
    deployment
        .plimsoll(&["plan", "--detailed-exitcode"])
        .exits(0);

    bed.reboot("vm1");
    flows(&bed);
    deployment.plimsoll(&["drift"]).exits(0);
    deployment.writes();
    deployment.apply();
    assert_eq!(deployment.writes(), [""; 0], "nothing to do after a reboot");

    let patient = Patient {
        bed: &bed,
        deployment: &deployment,
        guest: GUEST,
        kind,
        listening: &places,
    };
    patient.suffers_every_fault();
    patient.suffers_wide_netmasks();
    flows(&bed);
    trace(0);
    deployment
        .plimsoll(&["plan", "--detailed-exitcode"])
        .exits(0);

    deployment.plimsoll(&["destroy", "--auto-approve"]).exits(0);
    same(&bed.everything("vm1"), &before, "as before");
    deployment.deliver(&bed, &[GUEST]);
    assert_eq!(bed.ask(&outside), unheard);
}

/// Shows only the lines that differ.
#[track_caller]
pub fn same(now: &str, before: &str, why: &str) {
    let only = |of: &str, not: &str| {
        let not: Vec<&str> = not.lines().collect();
        let only: Vec<&str> = of.lines().filter(|line| !not.contains(line)).collect();
        only.join("\n")
    };
    assert!(
        now == before,
        "{why}\nnow only:\n{}\nbefore only:\n{}",
        only(now, before),
        only(before, now)
    );
}

#[test]
fn ufw_on() {
    matrix(Kind::UfwOn);
}

#[test]
fn ufw_off() {
    matrix(Kind::UfwOff);
}

#[test]
fn firewalld() {
    matrix(Kind::Firewalld);
}

#[test]
fn nftables_that_drops() {
    matrix(Kind::Nftables);
}

#[test]
fn iptables() {
    matrix(Kind::Iptables);
}

#[test]
fn no_firewall() {
    matrix(Kind::None);
}
