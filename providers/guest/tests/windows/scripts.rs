//! The texts of the scripts.

use crate::grammar::{broken, of_kind, parse};
use crate::machine::{Machine, calls, value};
use plimsoll_core::apply::{EnactGuests as _, GuestOrder};
use plimsoll_core::model::guest::{
    Claim, Connection, Entry, EntryState, GuestFacts, GuestRecord, GuestRef, Os, RecordFact, Touch,
};
use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::plan::GuestStep;
use plimsoll_guest::Guests;
use std::collections::BTreeSet;

#[test]
fn the_probe_is_powershell() {
    let probe = plimsoll_guest::show_probe(Os::Windows);
    assert_eq!(broken(&probe), None);
    assert!(probe.is_ascii());
    // It only reads: no command in it changes anything.
    let tree = parse(&probe);
    for command in of_kind(&tree, "command_name") {
        let name = &probe[command.byte_range()];
        let reads = [
            "Get-",
            "Test-",
            "New-Object",
            "Where-Object",
            "ForEach-Object",
            "Sort-Object",
            "ConvertTo-Json",
            "Add-Part",
            "Write-Facts",
        ];
        assert!(reads.iter().any(|word| name.starts_with(word)), "{name}");
    }
}

#[test]
fn the_check_sees_what_is_broken() {
    let probe = plimsoll_guest::show_probe(Os::Windows);
    for (good, bad) in [
        ("foreach ($id in", "foreach ($id of"),
        (
            "try { $facts[$name] = @(& $read) }",
            "try { $facts[$name] = @(& $read) ",
        ),
        (
            "'ActiveStore', 'PersistentStore'",
            "'ActiveStore', 'PersistentStore",
        ),
    ] {
        assert!(probe.contains(good), "{good}");
        assert!(broken(&probe.replacen(good, bad, 1)).is_some(), "{bad}");
    }
}

const KEYS: [&str; 5] = [
    "address 65.52.0.1",
    "weak host receive on the interface of 10.0.0.4",
    "weak host send on the ipv4 loopback interface",
    "firewall tcp port 8080 to 65.52.0.1",
    "firewall tcp port 8081 from 168.63.129.16 to 10.0.0.4",
];

/// A step that makes or takes away the same few entries.
fn step(claim: &Claim, label: &str, make: bool) -> GuestStep {
    let held = EntryState {
        live: true,
        survives: true,
        claims: BTreeSet::from([claim.clone()]),
    };
    let touches: Vec<Touch> = KEYS
        .iter()
        .map(|key| {
            let (before, after) = match make {
                true => (EntryState::default(), held.clone()),
                false => (held.clone(), EntryState::default()),
            };
            Touch {
                key: key.parse().unwrap(),
                before,
                after,
            }
        })
        .collect();
    let (ensure, release) = if make {
        (touches, Vec::new())
    } else {
        (Vec::new(), touches)
    };
    GuestStep {
        guest: GuestRef {
            addr: Addr::keyed(Kind::Guest, "vm", label),
            os: Os::Windows,
            connection: Connection::Local,
        },
        ensure: ensure.into(),
        release: release.into(),
    }
}

pub(crate) fn script(
    facts: &GuestFacts,
    deployment: &str,
    lineage: &str,
    label: &str,
) -> Result<String, String> {
    let claim = Claim {
        deployment: deployment.to_owned(),
        lineage: lineage.to_owned(),
    };
    let order = GuestOrder {
        step: &step(&claim, label, true),
        facts,
        claim: &claim,
        run: 1,
    };
    plimsoll_guest::show_script(&order).map_err(|e| e.to_string())
}

pub(crate) async fn enact(guests: &Guests, facts: &GuestFacts) -> Result<GuestFacts, String> {
    let claim = Claim {
        deployment: "sql-prod".to_owned(),
        lineage: "l".to_owned(),
    };
    let step = step(&claim, "a", true);
    let order = GuestOrder {
        step: &step,
        facts,
        claim: &claim,
        run: 1,
    };
    guests.enact(&order).await.map_err(|e| e.to_string())
}

fn facts() -> GuestFacts {
    let machine = Machine::new(&["10.0.0.4/24"], "Loopback Pseudo-Interface 1", "Ethernet");
    machine.read()
}

/// The script that takes all of it away again, for a record that has one more claim on one entry.
fn undo(facts: &mut GuestFacts) -> String {
    let claim = |deployment: &str| Claim {
        deployment: deployment.to_owned(),
        lineage: "lineage".to_owned(),
    };
    let mut record = GuestRecord::default();
    for key in KEYS {
        let prior = key.starts_with("weak host").then(|| {
            let index = if key.contains("loopback") { 1 } else { 6 };
            serde_json::json!({ "interface": index, "enabled": false })
        });
        let entry = Entry {
            claims: BTreeSet::from([claim("sql-prod")]),
            prior,
        };
        record.entries.insert(key.parse().unwrap(), entry);
    }
    let shared = record.entries.values_mut().nth(1).unwrap();
    shared.claims.insert(claim("other"));
    facts.record = RecordFact::Present {
        record,
        sha256: "0".repeat(64),
    };
    let order = GuestOrder {
        step: &step(&claim("sql-prod"), "a", false),
        facts,
        claim: &claim("sql-prod"),
        run: 2,
    };
    plimsoll_guest::show_script(&order).unwrap()
}

pub(crate) fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        text, wanted,
        "run again with BLESS=1 if the change is meant"
    );
}

#[test]
fn the_scripts_read_as_they_did() {
    let mut facts = facts();
    let write = script(&facts, "sql-prod", "lineage", "a").unwrap();
    golden(
        "windows-probe.ps1",
        &plimsoll_guest::show_probe(Os::Windows),
    );
    golden("windows-write.ps1", &write);
    let undo = undo(&mut facts);
    // What all writes share stands in the golden file of the first.
    let shared =
        write.find("$ErrorActionPreference").unwrap()..write.find("\nEnter-Guest\n").unwrap();
    let shared = &write[shared];
    assert!(undo.contains(shared));
    golden("windows-undo.ps1", &undo.replace(shared, "…\n"));
    for text in [write, undo] {
        assert_eq!(broken(&text), None);
        assert!(text.is_ascii());
    }
}

/// Parameters are given by position: as many as the function has, and no more.
#[test]
fn every_call_fits_its_function() {
    let mut facts = facts();
    for text in [
        script(&facts, "sql-prod", "lineage", "a").unwrap(),
        undo(&mut facts),
    ] {
        let tree = parse(&text);
        for call in calls(&text).unwrap() {
            let function = of_kind(&tree, "function_statement").into_iter().find(|f| {
                let head = &text[f.byte_range()];
                let name = head["function ".len()..].split(['(', ' ']).next().unwrap();
                name == call.name
            });
            let function = function.unwrap_or_else(|| panic!("{} is not defined", call.name));
            let declared = text[function.byte_range()]
                .split('{')
                .next()
                .unwrap()
                .matches('$')
                .count();
            let given = call.words.len() + usize::from(!call.map.is_empty());
            let list = call.name == "Assert-Record";
            assert!(
                given == declared || list,
                "{call:?} has {given} of {declared} parameters"
            );
        }
    }
}

/// The test double answers in the probe's words, or it would prove nothing.
#[test]
fn the_double_says_what_the_probe_says() {
    let probe = plimsoll_guest::show_probe(Os::Windows);
    let machine = Machine::new(&["10.0.0.4/24"], "Loopback", "Ethernet");
    let answer: serde_json::Value = serde_json::from_str(&machine.answer()).unwrap();
    fn keys(value: &serde_json::Value, all: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, inner) in map {
                    all.insert(key.clone());
                    keys(inner, all);
                }
            }
            serde_json::Value::Array(list) => list.iter().for_each(|inner| keys(inner, all)),
            _ => {}
        }
    }
    let mut all = BTreeSet::new();
    keys(&answer, &mut all);
    assert!(all.len() > 30, "{all:?}");
    for key in all {
        let said = [
            format!("{key} = "),
            format!("Add-Part $facts '{key}'"),
            format!("$facts['{key}']"),
        ];
        assert!(
            said.iter().any(|words| probe.contains(words.as_str())),
            "{key}"
        );
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]

    /// One string literal, whatever is in it, and it stands for the same text.
    #[test]
    fn a_quoted_text_is_one_literal(text in text()) {
        // For the grammar a NUL ends the script. None of ours holds one: JSON escapes it.
        let text = text.replace('\0', "");
        let quoted = plimsoll_guest::windows::quote(&text);
        let script = format!("Save-Record {quoted}\nRemove-Item 'after'\n");
        proptest::prop_assert_eq!(broken(&script), None);
        let tree = parse(&script);
        let literals = of_kind(&tree, "string_literal");
        proptest::prop_assert_eq!(literals.len(), 2);
        proptest::prop_assert_eq!(value(&script[literals[0].byte_range()]), text);
        proptest::prop_assert_eq!(of_kind(&tree, "command").len(), 2);
    }

    /// Whatever a person may name is refused by its type or inert: the script has the same commands as always, and each
    /// text in it is one literal.
    #[test]
    fn names_are_inert(label in text(), lineage in text(), deployment in text()) {
        let facts = facts();
        let Ok(odd) = script(&facts, &deployment, &lineage, &label) else {
            let letters = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
            proptest::prop_assert!(!deployment.chars().all(letters) || !(1..=32).contains(&deployment.len()));
            return Ok(());
        };
        let plain = script(&facts, &deployment, "l", "a").unwrap();
        proptest::prop_assert!(odd.is_ascii());
        proptest::prop_assert_eq!(broken(&odd), None);
        let names = |text: &str| -> Vec<String> { calls(text).unwrap().into_iter().map(|c| c.name).collect() };
        proptest::prop_assert_eq!(names(&odd), names(&plain));
        let kinds = |text: &str| ["command", "string_literal", "comment", "expandable_string_literal"].map(|kind| of_kind(&parse(text), kind).len());
        let (mut odd_kinds, mut plain_kinds) = (kinds(&odd), kinds(&plain));
        // A label of several lines is a comment of several lines.
        (odd_kinds[2], plain_kinds[2]) = (0, 0);
        proptest::prop_assert_eq!(odd_kinds, plain_kinds);
        let saved = calls(&odd).unwrap().into_iter().find(|c| c.name == "Save-Record").unwrap();
        let record = GuestRecord::parse(&saved.words[0]).unwrap();
        let claims = record.entries.values().flat_map(|e| &e.claims);
        proptest::prop_assert!(claims.clone().count() == KEYS.len() && claims.clone().all(|c| c.lineage == lineage));
    }
}

fn text() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let piece = prop_oneof![
        prop::sample::select(vec![
            "'",
            "''",
            "\u{2018}",
            "\u{2019}",
            "\u{201a}",
            "\u{201b}",
            "\u{201c}",
            "\"",
            "`",
            "$(Remove-Item x)",
            "$env:x",
            "\n",
            "\r",
            "\r\n",
            "\n'@\n",
            "@'\n",
            "#",
            "<#",
            "#>",
            ";Remove-Item x;",
            "|",
            "&",
            "{",
            "}",
            "(",
            ")",
            "\0",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "é",
            "文",
            "😀",
            "%",
            "--%",
            "\u{1b}[2J",
            "\\",
            "web",
            "-",
            "*/",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9-]{1,6}",
        "\\PC{1,4}",
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}
