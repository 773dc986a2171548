//! The texts of scripts: as they are shown to people, and as shellcheck sees them.

#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot run here says so out loud, and one that cannot go on fails"
)]

use plimsoll_core::apply::GuestOrder;
use plimsoll_core::model::guest::{
    Chain, Claim, Connection, EntryState, Firewall, GuestFacts, GuestRef, Os, RecordFact, Target,
    Touch,
};
use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::plan::GuestStep;
use plimsoll_guest::linux;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

fn script(deployment: &str, lineage: &str, label: &str) -> Result<String, String> {
    let claim = Claim {
        deployment: deployment.to_owned(),
        lineage: lineage.to_owned(),
    };
    let keys = [
        "address 65.52.0.1",
        "firewall tcp port 80 to 65.52.0.1",
        "address fd00:f1::1",
    ];
    let touches = keys.map(|key| Touch {
        key: key.parse().unwrap(),
        before: EntryState::default(),
        after: EntryState {
            live: true,
            survives: true,
            claims: BTreeSet::from([claim.clone()]),
        },
    });
    let step = GuestStep {
        guest: GuestRef {
            addr: Addr::keyed(Kind::Guest, "vm", label),
            os: Os::Linux,
            connection: Connection::Local,
        },
        ensure: touches.to_vec().into(),
        release: Vec::new().into(),
    };
    let mut firewall = Firewall::none();
    firewall.base.push(Chain {
        name: "inet filter input".to_owned(),
        policy: Target::Drop,
        ipv4: true,
        ipv6: true,
        rules: Vec::new(),
    });
    let facts = GuestFacts {
        hostname: "vm1".to_owned(),
        boot_id: String::new(),
        init: "systemd".to_owned(),
        addresses: Vec::new(),
        interfaces: Vec::new(),
        firewall,
        listeners: Vec::new(),
        survives: BTreeSet::new(),
        record: RecordFact::Absent,
        settings: BTreeMap::new(),
        network: plimsoll_core::model::guest::NetworkFacts::default(),
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

#[test]
fn both_scripts_pass_shellcheck() {
    shellcheck(&plimsoll_guest::show_probe(Os::Linux));
    shellcheck(&script("web", "l", "a").unwrap());
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
        let directory = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh")
            .arg("-s")
            .current_dir(directory.path())
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(format!("{head}{stubs}{tail}").as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(printed.ends_with("the-end\n"), "{printed}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
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
