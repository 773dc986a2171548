//! Two hundred host names: what plimsoll adds to the time that bare ssh takes for the same scripts.

use crate::sshd::Sshd;
use futures::future::join_all;
use plimsoll_core::apply::{EnactGuests, GuestOrder, ObserveGuests};
use plimsoll_core::model::guest::{
    Claim, Connection, EntryKey, EntryState, GuestFacts, GuestRef, Os, Touch,
};
use plimsoll_core::model::observed::Observation;
use plimsoll_core::model::{Addr, Kind};
use plimsoll_core::plan::GuestStep;
use plimsoll_guest::{Guests, Limits, show_probe, show_script};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const HOSTS: usize = 200;
const SERVERS: usize = 4;
const AT_ONCE: usize = 32;
/// The budget: ours within so many times the bare time.
const MOST: f64 = 1.5;
/// What the ssh transport asks the login shell to run.
const REMOTE: &str =
    "sh -c 'if [ \"$(id -u)\" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi'";

/// Each session is a machine of its own, as it was when it was made.
const MACHINE: &str = "#!/bin/sh
exec unshare --mount --net sh -c '
for place in /run /var/lib /etc/systemd; do mount -t tmpfs none $place || exit 1; done
mkdir -p /run/systemd/system /etc/systemd/system
ip link set lo up
exec sh -c \"$SSH_ORIGINAL_COMMAND\"'
";

/// Seconds of processor time: of this process, and of the clients that it waited for.
fn processor() -> [f64; 2] {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<f64> = stat[stat.rfind(')').unwrap() + 2..]
        .split(' ')
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    // utime, stime, cutime and cstime, in hundredths of a second.
    [
        (fields[11] + fields[12]) / 100.0,
        (fields[13] + fields[14]) / 100.0,
    ]
}

fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.trim_start_matches("VmHWM:").trim().to_owned()
}

struct Spent {
    wall: Duration,
    own: f64,
    clients: f64,
}

impl Spent {
    async fn on<T>(work: impl Future<Output = T>) -> (Self, T) {
        let (began, before) = (Instant::now(), processor());
        let done = work.await;
        let (wall, after) = (began.elapsed(), processor());
        let spent = Self {
            wall,
            own: after[0] - before[0],
            clients: after[1] - before[1],
        };
        (spent, done)
    }
}

/// The same script to every host by the client alone, as many at once.
fn bare(config: &str, hosts: &[String], script: &str, directory: &Path) {
    let (file, remote) = (directory.join("script"), directory.join("remote"));
    fs::write(&file, script).unwrap();
    fs::write(&remote, REMOTE).unwrap();
    let one = format!(
        "exec ssh -T -o BatchMode=yes -F {config} -- \"$1\" \"$(cat {})\" <{} >/dev/null",
        remote.display(),
        file.display()
    );
    let status = Command::new("xargs")
        .args([
            "-P",
            &AT_ONCE.to_string(),
            "-n",
            "1",
            "sh",
            "-c",
            &one,
            "one",
        ])
        .stdin(fs::File::open(directory.join("hosts")).unwrap())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{} hosts", hosts.len());
}

fn step(guest: &GuestRef, facts: &GuestFacts, claim: &Claim) -> GuestStep {
    let keys = ["address 65.52.0.1", "firewall tcp port 80 to 65.52.0.1"];
    let touch = |key: &str| {
        let key: EntryKey = key.parse().unwrap();
        Touch {
            before: facts.state_of(&key),
            after: EntryState {
                live: true,
                survives: true,
                claims: [claim.clone()].into(),
            },
            key,
        }
    };
    GuestStep {
        guest: guest.clone(),
        ensure: keys.map(touch).to_vec().into(),
        release: Vec::new().into(),
    }
}

#[tokio::test]
#[ignore = "a measurement of a minute, for `cargo xtask nightly hosts`"]
async fn two_hundred_hosts_take_little_more_than_bare_ssh() {
    let is_root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !is_root {
        eprintln!("skipped: machines of their own behind sshd need root");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let machine = place.path().join("machine");
    fs::write(&machine, MACHINE).unwrap();
    let force = format!("/bin/sh {}", machine.display());
    let servers: Option<Vec<Sshd>> = (0..SERVERS).map(|_| Sshd::start(&force)).collect();
    let Some(servers) = servers else { return };
    let mut config = String::new();
    let mut known = String::new();
    for (number, sshd) in servers.iter().enumerate() {
        let at = sshd.directory.path().display();
        config += &format!(
            "Host *-{number}\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {at}/key\n",
            sshd.port
        );
        known += &fs::read_to_string(sshd.directory.path().join("known")).unwrap();
    }
    fs::write(place.path().join("known"), known).unwrap();
    config += &format!(
        "Host *\n  UserKnownHostsFile {}/known\n  GlobalKnownHostsFile none\n  IdentitiesOnly yes\n  IdentityAgent none\n",
        place.path().display()
    );
    let file = place.path().join("config");
    fs::write(&file, config).unwrap();
    let file = file.display().to_string();
    let hosts: Vec<String> = (0..HOSTS)
        .map(|n| format!("h{n}-{}", n % SERVERS))
        .collect();
    fs::write(place.path().join("hosts"), hosts.join("\n")).unwrap();
    let references: Vec<GuestRef> = hosts
        .iter()
        .map(|host| GuestRef {
            addr: Addr::new(Kind::Guest, host.as_str()),
            os: Os::Linux,
            connection: Connection::Ssh {
                host: host.clone(),
                user: None,
                port: None,
                identity_file: None,
                config_file: Some(file.clone()),
            },
        })
        .collect();
    let claim = Claim {
        deployment: "web".to_owned(),
        lineage: "lineage".to_owned(),
    };
    let guests = Guests::new(Limits {
        at_once: AT_ONCE,
        ..Limits::default()
    });

    let bare_run = async |script: &str| bare(&file, &hosts, script, place.path());
    let (bare_read, ()) = Spent::on(bare_run(&show_probe(Os::Linux))).await;
    let (read, facts) = Spent::on(join_all(references.iter().map(|g| guests.facts(g)))).await;
    let facts: Vec<GuestFacts> = facts
        .into_iter()
        .map(|found| match found {
            Observation::Present(facts) => facts,
            other => panic!("{other:?}"),
        })
        .collect();
    let steps: Vec<GuestStep> = references
        .iter()
        .zip(&facts)
        .map(|(guest, facts)| step(guest, facts, &claim))
        .collect();
    let order = |at: usize| GuestOrder {
        step: &steps[at],
        facts: &facts[at],
        claim: &claim,
        run: 1,
    };
    let (bare_write, ()) = Spent::on(bare_run(&show_script(&order(0)).unwrap())).await;
    let orders: Vec<GuestOrder<'_>> = (0..HOSTS).map(order).collect();
    let (write, written) = Spent::on(join_all(orders.iter().map(|o| guests.enact(o)))).await;
    for written in written {
        written.unwrap();
    }

    let mut too_slow = Vec::new();
    for (what, bare, ours) in [("read", bare_read, read), ("write", bare_write, write)] {
        let ratio = ours.wall.as_secs_f64() / bare.wall.as_secs_f64();
        println!(
            "{what} {HOSTS} hosts, {AT_ONCE} at once: {:.1} s, bare ssh {:.1} s, ratio {ratio:.2}; processor {:.1} s of our own, {:.1} s of clients (bare {:.1} s)",
            ours.wall.as_secs_f64(),
            bare.wall.as_secs_f64(),
            ours.own,
            ours.clients,
            bare.clients
        );
        if ratio > MOST {
            too_slow.push(what);
        }
    }
    println!("peak memory of this process: {}", peak_memory());
    assert!(too_slow.is_empty(), "{too_slow:?}");
}
