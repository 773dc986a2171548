use crate::machine::{Machine, STORES, calls};
use crate::pipeline::Scene;
use plimsoll_core::apply::GuestOrder;
use plimsoll_core::model::guest::{
    Claim, Connection, Entry, EntryState, GuestFacts, GuestRecord, GuestRef, Os, RecordFact, Touch,
};
use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::plan::{GuestStep, Mode};
use std::collections::BTreeSet;
use std::fmt::Write as _;

fn claim(deployment: &str) -> Claim {
    Claim {
        deployment: deployment.to_owned(),
        lineage: "lineage".to_owned(),
    }
}

fn machine() -> Machine {
    Machine::new(
        &["10.0.0.4/24", "fd10::4/64"],
        "Loopback Pseudo-Interface 1",
        "Ethernet",
    )
}

/// A KM-TEST adapter that someone gave an address, which is how it is chosen.
fn with_an_adapter(mut machine: Machine) -> Machine {
    let mut adapter = machine.interfaces[1].clone();
    adapter.index = 11;
    adapter.name = "Ethernet 3".to_owned();
    adapter.component = "*msloop";
    adapter.category = None;
    machine.interfaces.push(adapter);
    for store in STORES {
        machine.hold(store, 11, "65.52.0.9/32".parse().unwrap(), false);
    }
    machine
}

/// An entry's key, who claims it, and for a setting the interface and what it was before.
type Recorded<'a> = (&'a str, &'a [&'a str], Option<(u32, bool)>);

/// What the guest's record says.
fn recorded(mut facts: GuestFacts, entries: &[Recorded<'_>]) -> GuestFacts {
    let mut record = GuestRecord::default();
    for (key, deployments, prior) in entries {
        let prior = prior.map(|(interface, enabled)| {
            serde_json::json!({ "interface": interface, "enabled": enabled })
        });
        let entry = Entry {
            claims: deployments.iter().map(|name| claim(name)).collect(),
            prior,
        };
        record.entries.insert(key.parse().unwrap(), entry);
    }
    facts.record = RecordFact::Present {
        record,
        sha256: "0".repeat(64),
    };
    facts
}

/// The commands of the script, one a line. Of the record only what is in it.
fn commands(facts: &GuestFacts, hold: &[&str], let_go: &[&str]) -> String {
    let ours = claim("sql-prod");
    let held = EntryState {
        live: true,
        survives: true,
        claims: BTreeSet::from([ours.clone()]),
    };
    let touches = |keys: &[&str], stays: bool| {
        let touch = |key: &&str| {
            let key = key.parse().unwrap();
            let before = facts.state_of(&key);
            let after = if stays {
                held.clone()
            } else {
                EntryState::default()
            };
            Touch { key, before, after }
        };
        keys.iter().map(touch).collect::<Vec<Touch>>()
    };
    let step = GuestStep {
        guest: GuestRef {
            addr: Addr::new(Kind::Guest, "sql1"),
            os: Os::Windows,
            connection: Connection::Local,
        },
        ensure: touches(hold, true).into(),
        release: touches(let_go, false).into(),
    };
    let order = GuestOrder {
        step: &step,
        facts,
        claim: &ours,
        run: 7,
    };
    let script = match plimsoll_guest::show_script(&order) {
        Ok(script) => script,
        Err(why) => return format!("refused: {why}\n"),
    };
    let mut text = String::new();
    for call in calls(&script).unwrap() {
        text += &call.name;
        for word in &call.words {
            if call.name == "Save-Record" {
                let record = GuestRecord::parse(word).unwrap();
                for (key, entry) in &record.entries {
                    let prior = entry.prior.as_ref().map(ToString::to_string);
                    let claims: Vec<&str> = entry.claims.iter().map(|c| &*c.deployment).collect();
                    write!(
                        text,
                        "\n    {key} · {} {}",
                        claims.join(" "),
                        prior.unwrap_or_default()
                    )
                    .unwrap();
                }
            } else if call.name != "Assert-Record" {
                write!(text, " {word}").unwrap();
            }
        }
        for (name, value) in &call.map {
            write!(text, " {name}={value}").unwrap();
        }
        text = text.trim_end().to_owned() + "\n";
    }
    text
}

const IPV6: [&str; 6] = [
    "address fd00:f1::1",
    "weak host receive on the interface of fd10::4",
    "weak host receive on the ipv6 loopback interface",
    "weak host send on the ipv6 loopback interface",
    "firewall udp port 53 to fd00:f1::1",
    "firewall tcp port 8081 to fd10::4",
];

/// Probe, write and undo as wholes stand in golden files of their own. This one is about what they choose.
#[test]
fn every_branch_of_the_writer_reads_as_it_did() {
    let all = [
        "firewall all to 65.52.0.1",
        "firewall tcp port 8081 from 168.63.129.16 to 10.0.0.4",
    ];
    let again = [
        "address 65.52.0.1",
        "weak host send on the ipv4 loopback interface",
        "firewall tcp port 80 to 65.52.0.1",
    ];
    let mut applied = machine();
    for store in STORES {
        applied.hold(store, 1, "65.52.0.1/32".parse().unwrap(), true);
    }
    applied
        .interface(1)
        .weak
        .insert(("IPv4", "Send"), [true; 2]);
    let rule = "v2.32|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=80|LA4=65.52.0.1|Name=x|EmbedCtxt=plimsoll|";
    let name = "plimsoll-tcp-80-to-65.52.0.1".to_owned();
    applied.rules.insert(name, ("local", rule.to_owned()));
    let ours: &[&str] = &["sql-prod"];
    let shared: &[&str] = &["other", "sql-prod"];
    let entries = again.map(|key| (key, ours, key.starts_with("weak").then_some((1, false))));
    let weak = "weak host receive on the interface of 10.0.0.4";
    let mut on = machine();
    on.interface(6).weak.insert(("IPv4", "Receive"), [true; 2]);
    let prior = |prior| recorded(on.read(), &[(weak, ours, Some(prior))]);
    let mut blocked = machine();
    let block = "v2.32|Action=Block|Active=TRUE|Dir=In|Protocol=6|LPort=80|Name=No web|";
    blocked
        .rules
        .insert("{1}".to_owned(), ("policy", block.to_owned()));

    let mut text = String::new();
    for (what, commands) in [
        ("IPv6", commands(&machine().read(), &IPV6, &[])),
        (
            "every protocol, and a probe",
            commands(&machine().read(), &all, &[]),
        ),
        (
            "a KM-TEST adapter that someone chose",
            commands(&with_an_adapter(machine()).read(), &again[..2], &[]),
        ),
        (
            "what was on before is kept in mind",
            commands(&on.read(), &[weak], &[]),
        ),
        (
            "again: what is there must have stayed",
            commands(&recorded(applied.read(), &entries), &again, &[]),
        ),
        (
            "undo",
            commands(&recorded(applied.read(), &entries), &[], &again),
        ),
        (
            "undo of what another deployment claims too",
            commands(
                &recorded(applied.read(), &[(again[0], shared, None)]),
                &[],
                &again[..1],
            ),
        ),
        (
            "undo of what was off before",
            commands(&prior((6, false)), &[], &[weak]),
        ),
        (
            "undo of what was on before",
            commands(&prior((6, true)), &[], &[weak]),
        ),
        (
            "undo where the interface is gone",
            commands(&prior((99, false)), &[], &[weak]),
        ),
        (
            "undo of what is not in the record",
            commands(&machine().read(), &[], &again[..1]),
        ),
        (
            "a block rule of somebody's",
            commands(&blocked.read(), &["firewall tcp port 80 to 65.52.0.1"], &[]),
        ),
        (
            "an interface that is not there",
            commands(
                &machine().read(),
                &["weak host receive on the interface of 10.9.9.9"],
                &[],
            ),
        ),
    ] {
        writeln!(text, "== {what}\n{commands}").unwrap();
    }
    crate::scripts::golden("windows-branches.txt", &text);
}

/// The name is taken: by a rule that is switched off, so that nothing else told of it before.
#[tokio::test]
async fn a_rule_of_somebody_s_under_our_name_is_left_alone() {
    let scene = Scene::english();
    let theirs = "v2.32|Action=Allow|Active=FALSE|Dir=In|Protocol=6|LPort=9|Name=mine|";
    let name = "plimsoll-tcp-8080-to-65.52.0.1".to_owned();
    let rule = ("local", theirs.to_owned());
    scene
        .machine
        .lock()
        .unwrap()
        .rules
        .insert(name.clone(), rule.clone());
    let plan = scene.plan(Mode::Apply).await;
    let said = scene.run(&plan).await.unwrap_err();
    assert!(
        said.contains("exists and is not of plimsoll; rename it"),
        "{said}"
    );
    assert_eq!(scene.machine().rules[&name], rule);
    let undo = scene.plan(Mode::Destroy).await;
    scene.run(&undo).await.unwrap();
    assert_eq!(scene.machine().rules[&name], rule);
}

/// Indexes are what commands take, and they are given anew when an adapter is: what the plan knew is refused.
#[tokio::test]
async fn an_index_that_became_another_interface_s_is_not_written_to() {
    let scene = Scene::english();
    let facts = scene.facts().await;
    {
        let mut machine = scene.machine.lock().unwrap();
        let mut anew = machine.interfaces[1].clone();
        anew.index = 7;
        machine.interfaces.push(anew);
        for address in machine.addresses.iter_mut().filter(|a| a.index == 6) {
            address.index = 7;
        }
    }
    let before = scene.machine();
    let said = crate::scripts::enact(&scene.guests, &facts)
        .await
        .unwrap_err();
    assert!(said.contains("interface moved"), "{said}");
    let quiet = |machine: Machine| Machine {
        calls: Vec::new(),
        ..machine
    };
    assert_eq!(quiet(scene.machine()), quiet(before));
}
