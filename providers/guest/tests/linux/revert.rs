//! A reload of firewalld makes its rules anew from files, and these may keep out whoever came to write the guest.

use crate::kinds::firewalld;
use crate::namespace::{Namespace, Step, assert_same, reference};
use async_trait::async_trait;
use plimsoll_core::apply::{EnactGuests, GuestOrder};
use plimsoll_core::model::guest::{Fate, GuestRef, Unconfirmed};
use plimsoll_guest::linux::revert;
use plimsoll_guest::transport::{Output, Transport, TransportError};
use plimsoll_guest::{Guests, Limits};
use std::sync::Arc;
use std::time::{Duration, Instant};

const KEYS: [&str; 2] = ["address 65.52.0.1", "firewall tcp port 80 to 65.52.0.1"];
const OWN: &str = "203.0.113.1";

/// ssh is let in by what runs. By what firewalld will read next it is not: its lists look the same.
fn prepared() -> Option<Namespace> {
    let namespace = firewalld()?;
    namespace.join_client();
    namespace.sh(
        "sed s/22/2222/ /usr/lib/firewalld/services/ssh.xml >/etc/firewalld/services/ssh.xml\n",
    );
    assert!(namespace.arrives(OWN, 22));
    Some(namespace)
}

const TABLE: &str = "nft -s list table inet firewalld\n";
const MEND: &str = "rm /etc/firewalld/services/ssh.xml; firewall-cmd --reload\n";

#[test]
fn a_reload_that_nobody_confirms_is_taken_back() {
    let Some(namespace) = prepared() else { return };
    let table = namespace.sh(TABLE);
    let everything = namespace.everything();
    let everything = everything.replace("/etc/firewalld/services/ssh.xml\n", "");
    let step = Step::new(1, &KEYS, &[]);
    let facts = namespace.facts();
    let script = step.script(&facts);
    let patient = script.replace("\nconfirm_within=60\n", "\nconfirm_within=100000\n");
    assert_ne!(patient, script);
    assert!(namespace.run("sh", &patient).status.success());
    assert!(!namespace.arrives(OWN, 22), "the reload cuts off");
    let waits = namespace.facts();
    let state = waits.state_of(&KEYS[1].parse().unwrap());
    assert!(state.live && !state.survives && waits.waits(), "{waits:?}");
    let again = namespace.run("sh", &Step::new(2, &KEYS, &[]).script(&waits));
    assert_eq!(again.status.code(), Some(75));

    // What the clock would run.
    namespace
        .sh("sh /var/lib/plimsoll/revert.sh of-another-run; test -e /var/lib/plimsoll/revert.sh\n");
    namespace.sh("sh /var/lib/plimsoll/revert.sh\n");
    assert_same(&namespace.sh(TABLE), &table, "the table as it ran");
    assert!(namespace.arrives(OWN, 22));
    let over = namespace.facts();
    let taken_back = Unconfirmed {
        fate: Fate::TakenBack,
        what: "run 1: firewalld was loaded anew".to_owned(),
    };
    assert_eq!(over.unconfirmed, Some(taken_back));
    assert!(!over.state_of(&KEYS[1].parse().unwrap()).live);
    let late = namespace.run("sh", &revert::confirm());
    assert_eq!(late.status.code(), Some(71));

    // It is not tried again before somebody has mended what cut off.
    let why = namespace.enact(&Step::new(2, &KEYS, &[])).unwrap_err();
    assert!(
        why.contains("see that `firewall-cmd --reload` lets you in"),
        "{why}"
    );
    assert!(namespace.arrives(OWN, 22));
    namespace.sh(MEND);
    let confirmed = namespace.enact(&Step::new(3, &KEYS, &[])).unwrap();
    assert_eq!(confirmed.unconfirmed, None);
    assert!(namespace.arrives(OWN, 22) && namespace.arrives("65.52.0.1", 80));
    namespace.enact(&Step::new(4, &[], &KEYS)).unwrap();
    assert_same(&namespace.everything(), &everything, "nothing of it stays");
}

/// As over ssh: who writes is in already, and who confirms must come in through the firewall.
struct Through {
    namespace: Arc<Namespace>,
    /// Seconds that a change waits.
    within: u32,
}

#[async_trait]
impl Transport for Through {
    async fn run(&self, _: &GuestRef, script: &str) -> Result<Output, TransportError> {
        let wait = format!("\nconfirm_within={}\n", self.within);
        let script = script.replace("\nconfirm_within=60\n", &wait);
        let output = self.namespace.run("sh", &script);
        Ok(Output {
            stdout: output.stdout,
            stderr: output.stderr,
            status: output.status.code(),
        })
    }

    async fn run_anew(&self, guest: &GuestRef, script: &str) -> Result<Output, TransportError> {
        if self.namespace.arrives(OWN, 22) {
            return self.run(guest, script).await;
        }
        Err(TransportError::Unavailable("no way in".to_owned()))
    }
}

async fn enact(namespace: &Arc<Namespace>, within: u32, run: u64) -> Result<(), String> {
    let through = Through {
        namespace: Arc::clone(namespace),
        within,
    };
    let guests = Guests::new(Limits::default()).instead(Box::new(through));
    let facts = namespace.facts();
    let step = Step::new(run, &KEYS, &[]);
    let guest_step = step.guest_step(&facts);
    let order = GuestOrder {
        step: &guest_step,
        facts: &facts,
        claim: &step.claim,
        run,
    };
    let facts = guests
        .enact(&order)
        .await
        .map_err(|error| error.to_string())?;
    assert_eq!(facts.unconfirmed, None);
    assert_eq!(facts, namespace.facts());
    Ok(())
}

#[tokio::test]
async fn the_clock_of_the_guest_takes_it_back_and_the_step_says_so() {
    let Some(namespace) = prepared() else { return };
    let namespace = Arc::new(namespace);
    let why = enact(&namespace, 1, 1).await.unwrap_err();
    assert!(
        why.starts_with(&format!("{}: ", reference().addr))
            && why.contains("firewalld was loaded anew: no new connection came through in time"),
        "{why}"
    );
    let began = Instant::now();
    while !namespace.arrives(OWN, 22) {
        assert!(began.elapsed() < Duration::from_secs(60));
    }
    namespace.sh(MEND);
    // Without anything in the way it is confirmed at once, and the clock is stopped.
    enact(&namespace, 100_000, 2).await.unwrap();
    namespace.sh("test ! -e /var/lib/plimsoll/revert.sh\n");
    assert!(namespace.arrives(OWN, 22) && namespace.arrives("65.52.0.1", 80));
}

/// A run that ended between the write and its confirmation: the next one confirms, since it came in.
#[tokio::test]
async fn what_an_interrupted_run_left_is_confirmed_by_the_next_one() {
    let Some(namespace) = firewalld() else { return };
    namespace.join_client();
    let namespace = Arc::new(namespace);
    let script = Step::new(1, &KEYS, &[]).script(&namespace.facts());
    assert!(namespace.run("sh", &script).status.success());
    assert!(namespace.facts().waits());
    enact(&namespace, 100_000, 2).await.unwrap();
}
