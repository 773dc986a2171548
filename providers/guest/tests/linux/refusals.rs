//! What a script refuses, and that it then has done nothing.

use crate::namespace::{Namespace, Step, assert_over};
use crate::writes::DROPPING;
use plimsoll_core::model::guest::RecordFact;

const KEYS: [&str; 2] = ["address 65.52.0.1", "firewall tcp port 80 to 65.52.0.1"];

#[test]
fn a_script_that_was_cut_does_nothing() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let before = namespace.everything();
    let script = Step::new(1, &KEYS, &[]).script(&namespace.facts());
    let body = script.trim_end();
    assert!(body.ends_with("\n}"));
    // Each night at every byte. Otherwise every byte of the ends, and a sample of the functions, which are all of one kind,
    // and of the written texts.
    let begin = body.find("\nbegin\n").unwrap();
    let cuts: Vec<usize> = if std::env::var_os("PLIMSOLL_EVERY_BYTE").is_some() {
        (0..body.len()).collect()
    } else {
        (0..200)
            .chain((200..begin).step_by(251))
            .chain((begin..body.len()).step_by(7))
            .chain(body.len() - 60..body.len())
            .collect()
    };
    for shell in ["sh", "bash"] {
        for &cut in &cuts {
            namespace.run(shell, &body[..cut]);
        }
    }
    assert_eq!(namespace.everything(), before);
    assert_eq!(namespace.facts().record, RecordFact::Absent);
    assert!(namespace.run("bash", &script).status.success());
    assert_ne!(namespace.everything(), before);
}

#[test]
fn an_older_run_is_refused() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let late = Step::new(1, &["address 65.52.0.2"], &[]).script(&namespace.facts());
    namespace.enact(&Step::new(2, &KEYS, &[])).unwrap();
    let before = namespace.everything();
    let output = namespace.run("sh", &late);
    assert!(String::from_utf8_lossy(&output.stdout).contains("plimsoll-refused 74 "));
    assert_eq!(output.status.code(), Some(74));
    assert_eq!(namespace.everything(), before);
}

/// Run Command cannot be cancelled: its script may come when the deployment is over and gone.
#[test]
fn an_older_run_is_refused_even_after_the_last_entry_went() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let late = Step::new(1, &KEYS, &[]).script(&namespace.facts());
    namespace.enact(&Step::new(2, &KEYS, &[])).unwrap();
    let before = namespace.everything();
    let over = namespace.enact(&Step::new(3, &[], &KEYS)).unwrap();
    assert_over(&over);
    let after = namespace.everything();
    assert_ne!(after, before);
    let output = namespace.run("sh", &late);
    assert_eq!(output.status.code(), Some(74));
    assert_eq!(namespace.everything(), after);
    // A later one of the same deployment begins anew.
    namespace.enact(&Step::new(4, &KEYS, &[])).unwrap();
    assert_eq!(namespace.everything(), before);
}

#[test]
fn the_same_script_twice_is_the_same() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let script = Step::new(1, &KEYS, &[]).script(&namespace.facts());
    for _ in 0..2 {
        assert!(namespace.run("sh", &script).status.success());
    }
    assert_eq!(
        namespace
            .sh("nft list ruleset\n")
            .matches("plimsoll")
            .count(),
        1
    );
}

#[test]
fn a_record_that_moved_is_refused() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let facts = namespace.facts();
    namespace
        .enact(&Step::new(1, &KEYS, &[]).by("other"))
        .unwrap();
    let output = namespace.run("sh", &Step::new(1, &KEYS, &[]).script(&facts));
    assert_eq!(output.status.code(), Some(76));
}

#[test]
fn what_should_have_stayed_and_is_gone_is_refused() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    namespace
        .enact(&Step::new(1, &KEYS, &[]).by("other"))
        .unwrap();
    let script = Step::new(1, &KEYS, &[]).script(&namespace.facts());
    namespace.sh("ip addr del 65.52.0.1/32 dev lo\n");
    let output = namespace.run("sh", &script);
    assert_eq!(output.status.code(), Some(73));
    assert!(String::from_utf8_lossy(&output.stdout).contains("address 65.52.0.1 is gone"));
}

#[test]
fn a_held_lock_is_waited_for_and_then_refused() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let script = Step::new(1, &KEYS, &[]).script(&namespace.facts());
    let impatient = script.replace("flock -w 20 9", "flock -w 1 9");
    assert_ne!(impatient, script);
    namespace.sh("mkdir -m 700 /var/lib/plimsoll\n(flock 9; exec sleep 3) 9</var/lib/plimsoll >/dev/null 2>&1 &\nsleep 0.3\n");
    assert_eq!(namespace.run("sh", &impatient).status.code(), Some(75));
    assert_eq!(namespace.run("sh", &script).status.code(), Some(0));
}

#[test]
fn the_lock_without_flock_sees_through_a_dead_holder() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let script = Step::new(1, &KEYS, &[]).script(&namespace.facts());
    let without = script.replace("if have flock; then", "if false; then");
    assert_ne!(without, script);
    namespace.sh("mkdir /var/lib/plimsoll.lock; echo '999999 of another boot' >/var/lib/plimsoll.lock/holder\n");
    assert_eq!(namespace.run("sh", &without).status.code(), Some(0));
    assert_eq!(
        namespace.sh("ls -d /var/lib/plimsoll.lock 2>/dev/null; true\n"),
        ""
    );
}

#[test]
fn a_deny_of_the_administrator_is_named_and_not_bypassed() {
    let rules = DROPPING.replace(
        "iif lo accept",
        "iif lo accept\n\t\ttcp dport 80 drop comment \"no web here\"",
    );
    let Some(namespace) = Namespace::new(&rules) else {
        return;
    };
    let why = Step::new(1, &KEYS, &[])
        .try_script(&namespace.facts())
        .unwrap_err();
    assert!(
        why.contains("tcp dport 80 drop comment \"no web here\""),
        "{why}"
    );
    assert!(why.contains("inet filter input"), "{why}");
}

#[test]
fn a_tool_that_fails_is_quoted_and_a_next_run_goes_on() {
    let Some(namespace) = Namespace::new(DROPPING) else {
        return;
    };
    let facts = namespace.facts();
    let rules = namespace.sh("nft list ruleset\n");
    namespace.sh("nft flush ruleset\n");
    let output = namespace.run("sh", &Step::new(1, &KEYS, &[]).script(&facts));
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("firewall: `open_nft`") && said.contains("No such file"),
        "{said}"
    );
    namespace.sh(&format!("nft -f - <<'END'\n{rules}\nEND\n"));
    namespace.enact(&Step::new(2, &KEYS, &[])).unwrap();
}
