//! The texts of scripts: as they are shown to people, and as shellcheck sees them.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot run here says so out loud, and one that cannot go on fails"
)]

use plimsoll_core::apply::GuestOrder;
use plimsoll_core::model::guest::{
    Chain, Claim, Connection, EntryKey, EntryState, Firewall, FirewallKind, FirewallRule,
    GuestFacts, GuestRecord, GuestRef, Os, RecordFact, Target, Touch,
};
use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::plan::GuestStep;
use plimsoll_guest::linux;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

fn script(deployment: &str, lineage: &str, label: &str) -> Result<String, String> {
    let keys = [
        "address 65.52.0.1",
        "firewall tcp port 80 to 65.52.0.1",
        "address fd00:f1::1",
    ];
    let who = (deployment, lineage, label);
    step(who, &keys, &[], firewall(&["inet filter input"]))
}

/// Each chain drops by its policy what no rule admits.
fn firewall(chains: &[&str]) -> Firewall {
    let mut firewall = Firewall::none();
    firewall.active = !chains.is_empty();
    for name in chains {
        firewall.base.push(Chain {
            name: (*name).to_owned(),
            policy: Target::Drop,
            ipv4: !name.starts_with("ip6"),
            ipv6: name.starts_with("ip6") || name.starts_with("inet"),
            rules: Vec::new(),
        });
    }
    firewall
}

/// The base chains jump to the one that the firewall's own tool fills.
fn managed(kind: FirewallKind, chains: &[(&str, &str)]) -> Firewall {
    let bases: Vec<&str> = chains.iter().map(|(base, _)| *base).collect();
    let mut firewall = firewall(&bases);
    firewall.kind = kind;
    for (base, (_, other)) in firewall.base.iter_mut().zip(chains) {
        base.rules.push(FirewallRule {
            protocol: None,
            sources: Vec::new(),
            destinations: Vec::new(),
            ports: Vec::new(),
            uncertain: false,
            target: Target::Jump((*other).to_owned()),
            ours: false,
            text: format!("jump {other}"),
            name: None,
        });
        firewall.other.push(Chain {
            name: (*other).to_owned(),
            policy: Target::Return,
            rules: Vec::new(),
            ..base.clone()
        });
    }
    firewall
}

fn step(
    (deployment, lineage, label): (&str, &str, &str),
    hold: &[&str],
    let_go: &[&str],
    firewall: Firewall,
) -> Result<String, String> {
    let claim = Claim {
        deployment: deployment.to_owned(),
        lineage: lineage.to_owned(),
    };
    let held = |held: bool| EntryState {
        live: held,
        survives: held,
        claims: BTreeSet::from_iter(held.then(|| claim.clone())),
    };
    let touches = |keys: &[&str], gains: bool| {
        let touch = |key: &&str| Touch {
            key: key.parse().unwrap(),
            before: held(!gains),
            after: held(gains),
        };
        keys.iter().map(touch).collect::<Vec<Touch>>()
    };
    let step = GuestStep {
        guest: GuestRef {
            addr: Addr::keyed(Kind::Guest, "vm", label),
            os: Os::Linux,
            connection: Connection::Local,
        },
        ensure: touches(hold, true).into(),
        release: touches(let_go, false).into(),
    };
    let mut record = GuestRecord::default();
    for touch in &step.release {
        let entry = record.entries.entry(touch.key.clone()).or_default();
        entry.claims.insert(claim.clone());
    }
    let facts = GuestFacts {
        hostname: "vm1".to_owned(),
        boot_id: String::new(),
        init: "systemd".to_owned(),
        addresses: Vec::new(),
        interfaces: Vec::new(),
        firewall,
        listeners: Vec::new(),
        survives: BTreeSet::new(),
        record: match record.is_empty() {
            true => RecordFact::Absent,
            false => RecordFact::Present {
                record,
                sha256: "0".repeat(64),
            },
        },
        settings: BTreeMap::new(),
        network: plimsoll_core::model::guest::NetworkFacts::default(),
        unconfirmed: None,
        unread: Vec::new(),
    };
    let order = GuestOrder {
        step: &step,
        facts: &facts,
        claim: &claim,
        run: 7,
    };
    plimsoll_guest::show_script(&order).map_err(|e| e.to_string())
}

fn shellcheck(text: &str) {
    let check = Command::new("shellcheck")
        // Functions are called by name through another one, which it does not see.
        .args(["-s", "sh", "-e", "SC2317", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut check) = check else {
        eprintln!("skipped: shellcheck is missing");
        return;
    };
    check
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

const KEYS: [&str; 7] = [
    "address 65.52.0.1",
    "address fd00:f1::1",
    "firewall tcp port 80 to 65.52.0.1",
    "firewall all to 65.52.0.1",
    "firewall udp port 53 to fd00:f1::1",
    "firewall tcp port 8080 from 168.63.129.16 to 10.0.0.11",
    "firewall tcp port 8080 to fd10::11",
];

/// Every firewall that a script can meet, by what its script must then call.
fn firewalls() -> Vec<(&'static str, Firewall)> {
    let ufw = [
        ("iptables filter INPUT", "iptables filter ufw-user-input"),
        ("ip6tables filter INPUT", "ip6tables filter ufw6-user-input"),
    ];
    let firewalld = [(
        "inet firewalld filter_INPUT",
        "inet firewalld filter_INPUT_POLICIES_post",
    )];
    let legacy = [
        "iptables-legacy filter INPUT",
        "ip6tables-legacy filter INPUT",
    ];
    let kind = |kind, mut firewall: Firewall| {
        firewall.kind = kind;
        firewall
    };
    vec![
        ("add_address", firewall(&[])),
        (
            "open_nft",
            kind(
                FirewallKind::Nftables,
                firewall(&["inet filter input", "ip other in", "ip6 other in"]),
            ),
        ),
        (
            "open_iptables",
            kind(
                FirewallKind::Iptables,
                firewall(&["iptables filter INPUT", "ip6tables filter INPUT"]),
            ),
        ),
        (
            "want_iptables ip6tables-legacy",
            kind(FirewallKind::Iptables, firewall(&legacy)),
        ),
        ("open_ufw", managed(FirewallKind::Ufw, &ufw)),
        (
            "open_firewalld",
            managed(FirewallKind::Firewalld, &firewalld),
        ),
    ]
}

#[test]
fn every_script_passes_shellcheck() {
    let probe = plimsoll_guest::show_probe(Os::Linux);
    shellcheck(&probe);
    shellcheck(&linux::windowed(&probe, 3840));
    for (called, firewall) in firewalls() {
        let step = |hold: &[&str], let_go: &[&str]| {
            step(("web", "l", "a"), hold, let_go, firewall.clone()).unwrap()
        };
        let expand = step(&KEYS, &[]);
        assert!(expand.contains(called), "{called}\n{expand}");
        shellcheck(&expand);
        shellcheck(&linux::windowed(&expand, 0));
        for half in [&KEYS[..3], &KEYS[3..]] {
            shellcheck(&step(half, &[]));
        }
        shellcheck(&step(&KEYS[3..], &KEYS[..3]));
    }
    shellcheck(&linux::revert::confirm());
    // It stands as a text in the script that arms it.
    let taken_back = include_str!("../src/linux/revert_firewalld.sh");
    shellcheck(&format!("token=7-1\nmade_policy=no\n{taken_back}"));
    // Letting go asks every firewall, whichever is there.
    let contract = step(("web", "l", "a"), &[], &KEYS, firewall(&[])).unwrap();
    for called in [
        "close_ufw",
        "close_firewalld",
        "close_nft",
        "close_iptables",
    ] {
        assert!(contract.contains(called), "{called}");
    }
    shellcheck(&contract);
}

#[test]
fn scripts_for_machines_that_nobody_read_pass_shellcheck() {
    let keys = [
        "address 65.52.0.1",
        "address fd00:f1::1",
        "firewall all to 65.52.0.1",
        "firewall tcp port 80 to fd00:f1::1",
        "firewall tcp port 8080 from 168.63.129.16 to 192.0.0.8",
        "firewall tcp port 8080 to 100::8",
    ];
    for (keys, undo) in [(&keys[..], false), (&keys[..], true), (&[], false)] {
        shellcheck(&standalone(keys, "web", "l", undo).unwrap());
    }
}

fn standalone(
    keys: &[&str],
    deployment: &str,
    lineage: &str,
    undo: bool,
) -> Result<String, linux::standalone::NoStandalone> {
    linux::standalone::script(&linux::standalone::Standalone {
        guest: &Addr::keyed(Kind::Guest, "vm", "a"),
        claim: &Claim {
            deployment: deployment.to_owned(),
            lineage: lineage.to_owned(),
        },
        run: 7,
        entries: &keys.iter().map(|key| key.parse().unwrap()).collect(),
        undo,
    })
}

#[test]
fn the_write_script_reads_as_it_did() {
    let text = script("web-prod", "lineage", "a").unwrap();
    let functions = text.find("exec </dev/null").unwrap()..text.find("\nbegin\n").unwrap();
    let shown = format!("{}…{}", &text[..functions.start], &text[functions.end..]);
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/write.sh");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&golden, &shown).unwrap();
    }
    let wanted = std::fs::read_to_string(&golden).unwrap();
    assert_eq!(
        shown, wanted,
        "run again with BLESS=1 if the change is meant"
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    /// Whatever a person may name is refused by its type or does nothing: the text runs in a real shell that has nothing
    /// but functions which note that they were called.
    #[test]
    fn names_are_inert(
        label in name(), lineage in name(), deployment in name()
    ) {
        let Ok(text) = script(&deployment, &lineage, &label) else {
            assert!(deployment.chars().any(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) || !(1..=32).contains(&deployment.len()));
            return Ok(());
        };
        // The real functions are cut out; what is left calls only the ones below, with the texts as arguments or input.
        let begin = text.find("\nbegin\n").unwrap();
        let head = &text[..text.find("exec </dev/null").unwrap()];
        let tail = &text[begin..];
        let stubs = "begin() { :; }\nrefuse_older_run() { :; }\nexpect_record() { :; }\nrefuse_if_moved() { :; }\nwrite_file() { cat; }\nlink_unit() { :; }\nadd_address() { :; }\nattempt() { :; }\nwant_nft() { :; }\nprint_facts() { echo the-end; }\n";
        run_inert(&format!("{head}{stubs}{tail}"));
    }

    /// Addresses and ports are typed: a text is none, or nothing but one stands in the script.
    #[test]
    fn addresses_are_refused_by_their_type_or_inert(to in address(), port in address(), source in address(), address in address()) {
        let texts = [format!("address {address}"), format!("firewall tcp port {port} from {source} to {to}")];
        let keys: Vec<&str> = texts.iter().map(String::as_str).filter(|text| text.parse::<EntryKey>().is_ok()).collect();
        let typed = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
        proptest::prop_assert_eq!(keys.contains(&texts[0].as_str()), typed(&address) || address.starts_with("known after apply: "));
        let Ok(text) = step(("web", "l", "a"), &keys, &[], firewall(&["inet filter input"])) else {
            // What Azure has yet to choose, and a probe of the other family.
            return Ok(());
        };
        let head = &text[..text.find("exec </dev/null").unwrap()];
        let stubs = "begin() { :; }\nrefuse_older_run() { :; }\nexpect_record() { :; }\nrefuse_if_moved() { :; }\nwrite_file() { cat; }\nlink_unit() { :; }\nremove_unit() { :; }\nadd_address() { :; }\nattempt() { :; }\nwant_nft() { :; }\nprint_facts() { echo the-end; }\n";
        run_inert(&format!("{head}{stubs}{}", &text[text.find("\nbegin\n").unwrap()..]));
    }

    /// The same for the script that is handed to someone else.
    #[test]
    fn names_are_inert_for_machines_that_nobody_read(
        label in name(), lineage in name(), deployment in name(), undo: bool
    ) {
        let order = linux::standalone::Standalone {
            guest: &Addr::keyed(Kind::Guest, "vm", &*label),
            claim: &Claim { deployment: deployment.clone(), lineage: lineage.clone() },
            run: 7,
            entries: &BTreeSet::from(["address 65.52.0.1".parse().unwrap()]),
            undo,
        };
        let Ok(text) = linux::standalone::script(&order) else {
            let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | ' ');
            assert!(!deployment.chars().all(plain) || deployment.contains(' ') || !lineage.chars().all(plain) || deployment.len() > 64 || lineage.len() > 64);
            return Ok(());
        };
        let begin = text.find("\nbegin\n").unwrap();
        let head = &text[..text.find("exec </dev/null").unwrap()];
        let stubs = "begin() { :; }\nread_record() { :; }\nhold() { echo the-end; }\nundo() { echo the-end; }\n";
        run_inert(&format!("{head}{stubs}{}", &text[begin..]));
    }
}

/// Runs to its end in every shell, says nothing and makes no file.
fn run_inert(script: &str) {
    for shell in [&["sh"][..], &["dash"], &["bash"], &["busybox", "sh"]] {
        let directory = tempfile::tempdir().unwrap();
        let started = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-s")
            .current_dir(directory.path())
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = started else {
            eprintln!("skipped: {} is missing", shell[0]);
            continue;
        };
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.ends_with("the-end\n"), "{shell:?} {printed}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty(), "{shell:?} {said}");
        assert_eq!(
            std::fs::read_dir(directory.path()).unwrap().count(),
            0,
            "{shell:?}"
        );
    }
}

/// Now and then a right one.
fn address() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let right = prop::sample::select(vec![
        "65.52.0.1",
        "fd00:f1::1",
        "::ffff:65.52.0.1",
        "80",
        "168.63.129.16",
        "known after apply: /subscriptions/$(touch injected)",
    ]);
    let right = right.prop_map(str::to_owned);
    let wrong = (right.clone(), name(), any::<bool>()).prop_map(|(right, odd, before)| {
        if before {
            format!("{odd}{right}")
        } else {
            format!("{right}{odd}")
        }
    });
    prop_oneof![4 => right, 1 => wrong, 1 => name()]
}

fn name() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let piece = prop_oneof![
        prop::sample::select(vec![
            "$(touch injected)",
            "`touch injected`",
            "'",
            "\"",
            "\\",
            "\n",
            "\r",
            ";touch injected;",
            "|touch injected",
            "&",
            "}",
            "\nPLIMSOLL\ntouch injected\n",
            "PLIMSOLL",
            "é",
            "\u{2028}",
            "\u{85}",
            "{",
            "#",
            "*",
            "~",
            "\0",
            "$IFS",
            "<(touch injected)",
            "web",
            "-",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9-]{1,6}",
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}
