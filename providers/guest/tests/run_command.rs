//! Run Command as a transport: facts that fit, facts that come in windows, answers that were cut, writes that run once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use plimsoll_core::apply::ObserveGuests as _;
use plimsoll_core::model::guest::{Connection, GuestFacts, GuestRef, Os};
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::{Addr, Kind};
use plimsoll_guest::transport::{Local, RunCommand, RunInMachine, Transport, TransportError};
use plimsoll_guest::{Guests, Limits};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// This machine, as Azure would bring its words back: the last `kept` bytes of them.
#[derive(Clone)]
struct Machine {
    kept: usize,
    runs: Arc<AtomicUsize>,
}

#[async_trait]
impl RunInMachine for Machine {
    async fn run(&self, _: &GuestRef, script: &str) -> Result<String, TransportError> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        let from = output.stdout.len().saturating_sub(self.kept);
        Ok(String::from_utf8_lossy(&output.stdout[from..]).into_owned())
    }
}

fn machine(kept: usize) -> (RunCommand, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let machine = Machine {
        kept,
        runs: runs.clone(),
    };
    (
        RunCommand::new(Box::new(machine), Duration::from_secs(60)),
        runs,
    )
}

fn guest() -> GuestRef {
    GuestRef {
        addr: Addr::new(Kind::Guest, "here"),
        os: Os::Linux,
        connection: Connection::RunCommand {
            virtual_machine: None,
            managed: false,
        },
    }
}

async fn facts(transport: impl Transport + 'static) -> Observation<GuestFacts> {
    let guests = Guests::new(Limits::default()).with_run_command(Box::new(transport));
    guests.facts(&guest()).await
}

#[tokio::test]
async fn the_same_facts_as_by_the_short_way() {
    let (transport, _) = machine(4096);
    match (facts(transport).await, facts(Local).await) {
        (Observation::Present(far), Observation::Present(near)) => {
            assert_eq!(far.addresses, near.addresses);
            assert_eq!(far.firewall, near.firewall);
            assert_eq!(far.record, near.record);
            assert_eq!(far.survives, near.survives);
            assert_eq!(far.init, near.init);
        }
        // Where the tests do not run as root, or without `ip`: both ways say so.
        (Observation::Unreadable { why: far }, Observation::Unreadable { why: near }) => {
            assert_eq!(far, near);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn facts_of_which_the_beginning_was_cut_are_no_facts() {
    let (transport, _) = machine(200);
    let Observation::Unreadable { why } = facts(transport).await else {
        panic!("a part was taken for the whole");
    };
    assert!(why.contains("Run Command"), "{why}");
}

#[tokio::test]
async fn a_write_is_run_once_even_when_it_has_much_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let counted = folder.path().join("counted");
    let script = format!(
        "{{\necho once >>{}\nn=0\nwhile [ $n -lt 200 ]; do n=$((n + 1)); echo $n | sha256sum; done\nexit STATUS\n}}\n",
        counted.display()
    );
    let (transport, runs) = machine(4096);
    let output = transport
        .run(&guest(), &script.replace("STATUS", "0"))
        .await
        .unwrap();
    // The facts come by themselves.
    assert!(String::from_utf8_lossy(&output.stdout).contains("plimsoll-facts 1 "));
    assert!(runs.load(Ordering::Relaxed) >= 2);
    let failed = transport
        .run(&guest(), &script.replace("STATUS", "3"))
        .await;
    assert!(failed.unwrap_err().to_string().contains("cannot be read"));
    assert_eq!(std::fs::read_to_string(counted).unwrap(), "once\nonce\n");
}
