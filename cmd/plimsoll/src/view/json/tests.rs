use super::{DIAGNOSTICS, DRIFT, EXPLANATIONS, FMT, GRAPH, GUEST_SCRIPT, LAB, MAP, PLAN, TRACE};
use super::{Described, Document, diagnostic, drift, events, failed, files, graph, lab, line, map};
use super::{plan, pretty, schema, state, trace, versioned};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::view::golden::assert_golden;
use crate::view::sample;
use crate::view::shown::{Ending, GuestScript, LabAccess, LabGuest, LabStatus, PlanShown, Probe};
use crate::view::shown::{Reformatted, Told, Valid};
use plimsoll_core::model::guest::Os;
use plimsoll_core::model::{Diagnostic, Span, digest_of};
use plimsoll_core::plan::{Mode, Plan, StepId, Trace};
use plimsoll_core::state::{Applied, Forgotten, Part, State};
use plimsoll_store::LockInfo;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn with<T>(plan: &Plan, then: impl Fn(&PlanShown<'_>) -> T) -> T {
    let told = told();
    let script = |os: Os, text: Result<&str, &str>| GuestScript {
        step: StepId(1),
        guest: sample::guest("vm1"),
        os,
        text: text.map(str::to_owned).map_err(str::to_owned),
    };
    let scripts = [
        script(Os::Linux, Ok("begin\n")),
        script(Os::Windows, Err("the guest could not be read")),
    ];
    then(&PlanShown {
        scripts: &scripts,
        plan,
        told: &told,
        took: None,
        next: &[],
        places: sample::NOWHERE,
    })
}

/// One diagnostic in which every field says something.
fn told() -> Told {
    let file: Arc<str> = "web.plim.hcl".into();
    let span = Span::new(Arc::clone(&file), 2..3);
    let one = Diagnostic::warning("PL0999", "something is odd")
        .at(span.clone(), "here")
        .note("Azure says so.")
        .patch("write b", span, "b");
    Told {
        diagnostics: vec![one],
        texts: BTreeMap::from([(file, "a\nb\n".into())]),
        directory: PathBuf::new(),
    }
}

fn plan_document(plan_: &Plan) -> Document<plan::Plan> {
    versioned(PLAN, "plan", with(plan_, plan::plan))
}

#[test]
fn the_documents() {
    assert_golden("plan.json", &pretty(&plan_document(&sample::plan())));
    let drifted = with(&sample::drifted(), drift::report);
    assert_golden("drift.json", &pretty(&versioned(DRIFT, "drift", drifted)));
    assert_golden(
        "map.json",
        &pretty(&versioned(MAP, "map", map::map(&sample::map()))),
    );
}

#[test]
fn the_stream_has_one_object_a_line() {
    let text: String = sample::events()
        .iter()
        .zip(0..)
        .map(|(e, number)| {
            let event = events::event("2026-11-22T12:00:01Z", e);
            line(&events::numbered(number, event))
        })
        .collect();
    assert_eq!(text.lines().count(), sample::events().len());
    assert_golden("apply.ndjson", &text);
}

#[test]
fn what_a_log_could_act_upon_is_written_otherwise_and_says_the_same() {
    let text = pretty(&plan_document(&sample::hostile()));
    assert!(!text.contains("##"));
    let back: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(back["findings"][0]["what"], sample::HOSTILE);
}

/// Documents that together use every field.
fn examples(of: Described) -> Vec<Value> {
    fn value(document: impl Serialize) -> Value {
        serde_json::to_value(document).unwrap()
    }
    let plans = || {
        [
            sample::plan(),
            sample::drifted(),
            sample::creation(),
            sample::hostile(),
            sample::refined(),
        ]
    };
    match of {
        Described::Plan => plans().iter().map(|p| value(plan_document(p))).collect(),
        Described::Drift => plans()
            .iter()
            .map(|p| value(versioned(DRIFT, "drift", with(p, drift::report))))
            .collect(),
        Described::Events => {
            let stale = [("load_balancer.web".to_owned(), vec!["moved".to_owned()])];
            let ending = Ending {
                done: 1,
                failed: 1,
                skipped: 1,
                total: 3,
                state_lost: Some("disk full"),
                stale: &stale,
                interrupted: false,
                took: Duration::from_secs(1),
                exit: Exit::Partial,
                again: "plimsoll apply",
                replan: "",
                next: &[],
            };
            let mut all: Vec<events::Event> = sample::events()
                .iter()
                .map(|e| events::event("2026-11-22T12:00:01Z", e))
                .collect();
            all.push(events::beginning(&sample::plan()));
            all.push(events::Event::Stopping);
            all.push(events::outcome(&ending));
            let numbered = all
                .into_iter()
                .zip(0..)
                .map(|(e, n)| events::numbered(n, e));
            let mut lines: Vec<Value> = numbered.map(value).collect();
            lines.push(value(events::proposal(plan_document(&sample::plan()))));
            lines
        }
        Described::Diagnostics => {
            let valid = Valid {
                files: 1,
                public_ips: 2,
                load_balancers: 1,
                rules: 2,
                guests: 2,
            };
            vec![
                value(versioned(
                    DIAGNOSTICS,
                    "diagnostics",
                    diagnostic::refused(&told()),
                )),
                value(versioned(
                    DIAGNOSTICS,
                    "diagnostics",
                    diagnostic::valid(&valid, &told()),
                )),
            ]
        }
        Described::Map => vec![value(versioned(MAP, "map", map::map(&sample::map())))],
        Described::Graph => vec![
            value(versioned(
                GRAPH,
                "graph",
                graph::graph(&sample::plan().topology),
            )),
            value(versioned(
                GRAPH,
                "graph",
                graph::graph(&sample::drifted().topology),
            )),
        ],
        Described::Trace => {
            let nobody = Trace {
                routes: vec![],
                near: vec!["65.52.0.1:81/tcp".to_owned()],
                unread: vec!["guest.vm3".to_owned()],
                ..sample::trace()
            };
            [sample::trace(), nobody]
                .iter()
                .map(|t| value(versioned(TRACE, "trace", trace::trace(t))))
                .collect()
        }
        Described::Traces => {
            let both = [sample::trace(), sample::trace()];
            vec![value(versioned(TRACE, "traces", trace::traces(&both)))]
        }
        Described::Fmt => {
            let file = Reformatted {
                file: "web.plim.hcl".to_owned(),
                before: "a=1\n".to_owned(),
                after: "a = 1\n".to_owned(),
                diff: false,
            };
            vec![value(versioned(FMT, "fmt", files::fmt(&[file], true)))]
        }
        Described::Explanations => {
            let pages = files::explanations(&[("PL0101", "two rules produce the same flow", "…")]);
            vec![value(versioned(EXPLANATIONS, "explanations", pages))]
        }
        Described::State => {
            let holder = LockInfo {
                who: "runner@host".to_owned(),
                at: "2026-11-22T12:00:00Z".to_owned(),
                pid: 1,
                operation: "apply".to_owned(),
                url: Some("https://ci.example/1".to_owned()),
            };
            vec![
                value(state::overview("local web.json", &kept(), Some(&holder))),
                value(state::overview("local web.json", &kept(), None)),
            ]
        }
        Described::StateList => vec![value(state::list(&kept()))],
        Described::StatePart => [
            "public_ip.green",
            "guest.vm1",
            "load_balancer.web.rule.green",
        ]
        .iter()
        .map(|part| {
            let document = value(state::of_part(&part.parse().unwrap(), &kept()));
            assert_ne!(document["recorded"], json!({}), "{part}");
            document
        })
        .collect(),
        Described::StateForgotten => {
            let gone: Vec<(Part, Forgotten)> = ["load_balancer.web", "guest.vm1"]
                .iter()
                .map(|part| {
                    let part: Part = part.parse().unwrap();
                    let forgotten = kept().forget(&part).unwrap();
                    (part, forgotten)
                })
                .collect();
            vec![value(state::forgotten(&gone, true))]
        }
        Described::StateMoved => vec![value(state::moved("guest.a".into(), "guest.b".into()))],
        Described::Lab => vec![
            value(versioned(LAB, "lab", lab::status(&lab_status(None)))),
            value(versioned(
                LAB,
                "lab",
                lab::status(&lab_status(Some(access()))),
            )),
        ],
        Described::Probe => {
            let answered = Probe {
                guest: Some("vm1".to_owned()),
                seen: Some("65.52.0.1:80".to_owned()),
                ok: true,
                error: None,
            };
            let lost = Probe {
                guest: None,
                seen: None,
                ok: false,
                error: Some("connection refused".to_owned()),
            };
            [answered, lost]
                .iter()
                .map(|p| value(lab::probe(p)))
                .collect()
        }
        Described::Requests => {
            // As the emulator logs it.
            let entry = json!({
                "at": "2026-11-22T12:00:00Z", "method": "GET", "path": "/subscriptions/s", "query": "",
                "status": 200, "request_bytes": 0, "response_bytes": 10, "milliseconds": 0.5, "class": "network",
            });
            let document = value(versioned(
                LAB,
                "requests",
                lab::requests(std::slice::from_ref(&entry)),
            ));
            assert_eq!(document["requests"], json!([entry]));
            vec![document]
        }
        Described::GuestScript => {
            let unknown = ["the address of public_ip.green".to_owned()].into();
            let script = files::guest_script(&sample::guest("vm1"), &unknown, "#!/bin/sh\n");
            vec![value(versioned(GUEST_SCRIPT, "guest-script", script))]
        }
        Described::Error => {
            let cause = std::io::Error::other("no such file");
            vec![value(failed(
                &Failure::new("cannot read x").because(&cause).next("Try y."),
            ))]
        }
    }
}

/// A state that was written by this format's first version, with a run in its history.
fn kept() -> State {
    let text = include_str!("../../../../../testdata/states/v1-unfinished.json");
    let mut state = State::parse(text).unwrap();
    state.history.push(Applied {
        run: 2,
        mode: Mode::Apply,
        plan: digest_of(&json!({})),
        began: "2026-11-22T12:00:00Z".to_owned(),
        ended: Some("2026-11-22T12:00:02Z".to_owned()),
        complete: true,
        by: "ann@build-7".to_owned(),
        plimsoll_version: "0.1.0".to_owned(),
        commit: Some("0123abc".to_owned()),
        what: vec!["update load_balancer.web".to_owned()],
    });
    state
}

fn access() -> LabAccess {
    LabAccess {
        endpoint: "https://127.0.0.1:1".to_owned(),
        token_endpoint: "https://127.0.0.1:1".to_owned(),
        ca_file: "ca.pem".to_owned(),
        subscription: "s".to_owned(),
        tenant: "t".to_owned(),
        client_id: "c".to_owned(),
        client_secret: "lab".to_owned(),
        faults: vec!["slow=2s".to_owned()],
    }
}

fn lab_status(access: Option<LabAccess>) -> LabStatus {
    LabStatus {
        running: access.is_some(),
        directory: ".plimsoll/lab".to_owned(),
        access,
        guests: vec![LabGuest {
            name: "vm1".to_owned(),
            os: "linux".to_owned(),
            running: false,
            note: Some("no namespaces here".to_owned()),
            addresses: vec!["10.0.0.11".to_owned()],
        }],
    }
}

/// Every way to take one field away, or to put something of another type in its place.
fn spoiled(document: &Value) -> Vec<(String, Value)> {
    fn go(at: &Value, path: &str, out: &mut Vec<(String, Value)>) {
        match at {
            Value::Object(map) => {
                for (name, inner) in map {
                    // What users put into outputs is theirs, and the state's format has a version of its own.
                    let free = path.ends_with("/outputs") || path.ends_with("/recorded");
                    let here = format!("{path}/{name}");
                    if !free {
                        out.push((here.clone(), Value::Null));
                    }
                    if name != "outputs" && name != "recorded" {
                        go(inner, &here, out);
                    }
                }
            }
            Value::Array(list) => {
                // One element speaks for its likes; the schema is the same for all.
                for (index, inner) in list.iter().enumerate().take(2) {
                    go(inner, &format!("{path}/{index}"), out);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut places = Vec::new();
    go(document, "", &mut places);
    let mut all = Vec::new();
    for (path, _) in places {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mut without = document.clone();
        let object = without
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap();
        object.shift_remove(name);
        all.push((format!("{path} removed"), without));
        let mut other = document.clone();
        // Of no type that any field has: a list of lists of numbers.
        *other.pointer_mut(&path).unwrap() = json!([[1.5]]);
        all.push((format!("{path} of another type"), other));
    }
    all
}

#[test]
fn documents_match_their_schemas_and_spoiled_ones_do_not() {
    for of in Described::ALL {
        let validator = jsonschema::validator_for(&schema(of)).unwrap();
        let mut spoiled_ones = 0;
        for document in examples(of) {
            let wrong: Vec<String> = validator
                .iter_errors(&document)
                .map(|e| format!("{}: {e}", e.instance_path))
                .collect();
            assert!(wrong.is_empty(), "{of:?}: {wrong:?}\n{document:#}");
            for (what, spoiled) in spoiled(&document) {
                spoiled_ones += 1;
                assert!(
                    !validator.is_valid(&spoiled),
                    "{of:?}: {what} is not noticed"
                );
            }
        }
        assert!(spoiled_ones > 6, "{of:?}: {spoiled_ones}");
    }
}

/// The prose may change without a new version; what a program relies on may not.
fn without_prose(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .filter(|(name, value)| !(*name == "description" && value.is_string()))
            .map(|(name, value)| (name.clone(), without_prose(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(without_prose).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_format_does_not_change_without_a_new_version() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/schemas");
    for of in Described::ALL {
        let path = folder.join(format!("{}-{}.json", of.word(), of.version()));
        let now = schema(of);
        let Ok(text) = std::fs::read_to_string(&path) else {
            assert!(
                std::env::var_os("PLIMSOLL_BLESS").is_some(),
                "{} is missing: a new version is published with PLIMSOLL_BLESS=1",
                path.display()
            );
            std::fs::write(&path, pretty(&now)).unwrap();
            continue;
        };
        let published: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            without_prose(&published),
            without_prose(&now),
            "{} changed, and its version is still {}: raise it in view/json/mod.rs (only a version that was never \
             released may be taken back, by removing its file)",
            of.word(),
            of.version()
        );
        if std::env::var_os("PLIMSOLL_BLESS").is_some() {
            std::fs::write(&path, pretty(&now)).unwrap();
        }
    }
}
