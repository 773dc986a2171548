//! `kill -9`, with the emulator or the storage account holding still where it happens: between any two requests to Azure,
//! and at any write of the journal.
//!
//! CI tries some of the points, spread over all of them; `PLIMSOLL_KILLS=all` tries every one.

use crate::azurite::{Azurite, Pass, Stand, Way, sas};
use crate::support::{EXAMPLE, Folder, in_blob, namespaces, without_rules};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How many points CI tries of each kind.
const SOME: usize = 4;

/// Numbers below `all`: every one, or some that are spread evenly.
fn points(all: usize) -> Vec<usize> {
    if std::env::var_os("PLIMSOLL_KILLS").is_some_and(|value| value == "all") {
        return (0..all).collect();
    }
    let mut some: Vec<usize> = (0..SOME).map(|n| (2 * n + 1) * all / (2 * SOME)).collect();
    some.dedup();
    some
}

fn start(folder: &Folder, environment: &[(&str, &str)]) -> Child {
    folder
        .command()
        .args(["--lab", "-C"])
        .arg(folder.path())
        .args(["apply", "--auto-approve"])
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// When a write of the state is held: before Azurite has it, or before the writer knows that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Before,
    After,
}

/// Counts the writes of the state, and holds one of them.
#[derive(Default)]
struct HoldsOne {
    writes: AtomicU32,
    /// The number of the write that is held; 0 holds none.
    hold: AtomicU32,
    after: AtomicBool,
    is_held: AtomicBool,
}

impl HoldsOne {
    /// Holds one write after so many passed.
    fn hold(&self, skip: u32, when: When) {
        self.is_held.store(false, Ordering::SeqCst);
        self.after.store(when == When::After, Ordering::SeqCst);
        self.hold.store(
            self.writes.load(Ordering::SeqCst) + skip + 1,
            Ordering::SeqCst,
        );
    }

    fn hold_nothing(&self) {
        self.hold.store(0, Ordering::SeqCst);
    }
}

impl Stand for HoldsOne {
    fn request(&self, bytes: &[u8]) -> Pass {
        if !writes_the_state(bytes) {
            return Pass::On;
        }
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if number == self.hold.load(Ordering::SeqCst) {
            Pass::Held {
                delivered: self.after.load(Ordering::SeqCst),
            }
        } else {
            Pass::On
        }
    }

    fn answer(&self) -> bool {
        true
    }

    fn holds(&self) {
        self.is_held.store(true, Ordering::SeqCst);
    }
}

/// Whether a request begins here that writes a state: not a lease, not who holds it, not a backup.
fn writes_the_state(bytes: &[u8]) -> bool {
    let line = bytes.split(|b| *b == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.starts_with("PUT ") && !line.contains("comp=") && !line.contains(".backup?")
}

/// Waits until the program stands still where it is to die, and kills it. False when it ended before it came there.
fn kill_when(mut child: Child, there: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !there() {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it hangs");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// All that the guests hold of ours or beside it, in an order of its own; only the number of runs does not count.
fn guests(folder: &Folder) -> Vec<String> {
    let script = "ip -o addr show dev lo | sed 's/ *valid_lft.*//'; nft -s list ruleset; \
                  ls /etc/systemd/system /etc/systemd/system/*.wants 2>/dev/null";
    let mut all = Vec::new();
    for guest in ["vm1", "vm2"] {
        let run = |script: &str| {
            folder
                .lab(&["lab", "exec", guest, "--", "sh", "-c", script])
                .stdout
        };
        let record: serde_json::Value =
            serde_json::from_str(&run("cat /var/lib/plimsoll/record.json || echo {}")).unwrap();
        let entries = record["entries"].as_object().into_iter().flatten();
        all.extend(entries.map(|(key, entry)| format!("{guest}: {key} {entry}")));
        let lines = run(script);
        all.extend(
            lines
                .lines()
                .map(|line| format!("{guest}: {}", line.trim())),
        );
    }
    all.sort();
    all
}

/// Whatever a death left: whole documents, and traffic as before.
fn nothing_is_corrupt(folder: &Folder, state: &str, point: &str) {
    serde_json::from_str::<serde_json::Value>(state)
        .unwrap_or_else(|error| panic!("{point}: the state is {error}: {state}"));
    for guest in ["vm1", "vm2"] {
        let record = folder.lab(&[
            "lab",
            "exec",
            guest,
            "--",
            "sh",
            "-c",
            "cat /var/lib/plimsoll/record.json 2>/dev/null || echo {}",
        ]);
        serde_json::from_str::<serde_json::Value>(&record.stdout)
            .unwrap_or_else(|error| panic!("{point}: the record of {guest} is {error}"));
    }
    let dead: Vec<_> = folder.probe("65.52.0.1:80", 4);
    assert!(dead.iter().all(|p| p["ok"] == true), "{point}: {dead:?}");
}

/// Two configurations, there and back: one takes away what the other adds.
struct Ends {
    texts: [String; 2],
    /// What the guests hold after an apply that nothing disturbed.
    reference: [Vec<String>; 2],
}

impl Ends {
    /// Ends at the first configuration.
    fn new(folder: &Folder, configure: impl Fn(&str) -> String, apply: impl Fn()) -> Self {
        let other = without_rules(EXAMPLE, &["purple", "dns"])
            .replace("frontend_port = 8000", "frontend_port = 8001");
        let texts = [configure(EXAMPLE), configure(&other)];
        // There and back once, so that leftovers of the way are in the reference too.
        let mut reference = [Vec::new(), Vec::new()];
        for index in [0, 1, 0, 1, 0] {
            folder.write(&texts[index]);
            apply();
            reference[index] = guests(folder);
        }
        Self { texts, reference }
    }

    fn reached(&self, folder: &Folder, index: usize, point: &str) {
        assert_eq!(guests(folder), self.reference[index], "{point}");
        folder.serves("65.52.0.1:80", &["65.52.0.1:80"]);
        if index == 0 {
            folder.serves("65.52.0.2:80", &["65.52.0.2:80"]);
        } else {
            folder
                .lab(&["lab", "probe", "65.52.0.2:80", "-n", "1"])
                .exits(2);
        }
    }
}

#[test]
fn between_any_two_requests() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.lab(&["lab", "up"]).exits(0);
    let ends = Ends::new(&folder, str::to_owned, || {
        folder.apply();
    });
    folder.write(&ends.texts[1]);
    folder.clear_requests();
    folder.apply();
    let requests = folder.requests().len();
    folder.write(&ends.texts[0]);
    folder.apply();
    let mut killed = 0;
    for (round, skip) in points(requests).into_iter().enumerate() {
        for (when, to) in [("before", 1), ("after", 0)] {
            let point = format!("round {round}, {when} answering request {skip}, to {to}");
            folder.write(&ends.texts[to]);
            let fault = format!("hold={when};skip={skip}");
            folder.lab(&["lab", "fault", &fault]).exits(0);
            let there = || {
                let status = folder.lab(&["lab", "status", "--json"]).exits(0).json();
                status["faults"].as_array().is_some_and(Vec::is_empty)
            };
            killed += usize::from(kill_when(start(&folder, &[]), there));
            folder.lab(&["lab", "fault", "off"]).exits(0);
            let state = std::fs::read_to_string(folder.state()).unwrap();
            nothing_is_corrupt(&folder, &state, &point);
            // The operating system took the lock off: nobody waits.
            folder.apply();
            folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
            ends.reached(&folder, to, &point);
        }
    }
    assert!(
        killed >= requests.min(2 * SOME) / 2,
        "only {killed} kills of {requests} requests"
    );
    println!("{killed} kills, {requests} requests in one apply");
}

/// Azure took the PUT and its writer died. Whoever goes on asks the operation how it ended, and sends nothing twice.
#[test]
fn an_operation_outlives_its_writer() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.apply();
    folder.write(&EXAMPLE.replace("frontend_port = 8000", "frontend_port = 8001"));
    folder.lab(&["plan", "--out", "p.plim"]).exits(0);
    folder.lab(&["lab", "fault", "slow=8s"]).exits(0);
    folder.clear_requests();
    let mut command = folder.command();
    command.args(["--lab", "-C"]).arg(folder.path());
    command.args(["apply", "p.plim"]);
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let journal = || std::fs::read_to_string(folder.state()).unwrap_or_default();
    assert!(kill_when(child, || journal().contains("/operations/")));
    let writes = |requests: &[String]| requests.iter().filter(|r| r.starts_with("PUT")).count();
    assert_eq!(writes(&folder.requests()), 1);
    // The address that is kept opens nothing by itself.
    let kept = journal();
    let (_, query) = kept.split_once("/operations/").unwrap();
    let (_, query) = query.split_once('?').unwrap();
    let (query, _) = query.split_once('"').unwrap();
    assert!(
        query.split('&').all(|p| p.starts_with("api-version=")),
        "{query}"
    );

    folder.lab(&["lab", "fault", "off"]).exits(0);
    folder.clear_requests();
    folder.lab(&["apply", "p.plim"]).exits(0);
    let requests = folder.requests();
    let of_operations = |r: &String| r.starts_with("GET ") && r.contains("/operations/");
    assert!(
        requests.first().is_some_and(of_operations),
        "the operation is asked first: {requests:#?}"
    );
    assert_eq!(writes(&requests), 0, "{requests:#?}");
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    let served = folder.probe("65.52.0.1:8001", 4);
    assert!(served.iter().all(|p| p["ok"] == true), "{served:?}");
}

#[test]
fn at_any_write_of_the_journal() {
    if !namespaces() {
        return;
    }
    let Some(azurite) = Azurite::with_container(&[]) else {
        return;
    };
    let stand = Arc::new(HoldsOne::default());
    let way = Way::to(&azurite, &stand);
    let token = sas("rwac");
    let environment = [("ARM_SAS_TOKEN", token.as_str())];
    let configure = |text: &str| in_blob(text, &way.service());
    let folder = Folder::new(&configure(EXAMPLE));
    let run = |arguments: &[&str]| folder.lab_with(arguments, &environment);
    let apply = || {
        run(&["apply", "--auto-approve"]).exits(0);
    };
    run(&["lab", "up"]).exits(0);
    let ends = Ends::new(&folder, configure, apply);
    assert!(!folder.state().exists(), "the state is in the blob alone");
    let before = stand.writes.load(Ordering::SeqCst);
    folder.write(&ends.texts[1]);
    apply();
    let writes = usize::try_from(stand.writes.load(Ordering::SeqCst) - before).unwrap();
    folder.write(&ends.texts[0]);
    apply();
    let mut killed = 0;
    for (round, skip) in points(writes).into_iter().enumerate() {
        for (when, to) in [(When::Before, 1), (When::After, 0)] {
            let point = format!("round {round}, {when:?} write {skip} of the state, to {to}");
            folder.write(&ends.texts[to]);
            stand.hold(u32::try_from(skip).unwrap(), when);
            let died = kill_when(start(&folder, &environment), || {
                stand.is_held.load(Ordering::SeqCst)
            });
            stand.hold_nothing();
            nothing_is_corrupt(&folder, &run(&["state", "pull"]).exits(0).stdout, &point);
            // Steps that end together are written together: an apply may come to its end with a write less than the
            // one that was counted. Then nobody holds the lock.
            if died {
                killed += 1;
                let refused = run(&["apply", "--auto-approve"]).exits(5).seen();
                assert!(
                    refused.contains("runs apply since") && refused.contains("within 60 s"),
                    "{point}: {refused}"
                );
                run(&["state", "unlock", "--force"]).exits(0);
            }
            apply();
            run(&["plan", "--detailed-exitcode"]).exits(0);
            ends.reached(&folder, to, &point);
        }
    }
    assert!(
        killed >= writes.min(SOME),
        "only {killed} kills of {writes} writes"
    );
    println!("{killed} kills, {writes} writes of the state in one apply");
}
