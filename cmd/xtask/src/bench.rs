//! Seconds and memory of the real binary at Azure's limits, beside what DESIGN allows it.

#[path = "../../../core/tests/sizes/mod.rs"]
mod sizes;

use crate::tools::{self, Tool, ensure, find};
use plimsoll_core::config::{Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::guest::{
    Chain, Firewall, FirewallKind, GuestFacts, InterfaceAddress, NetworkFacts, RecordFact, Target,
};
use plimsoll_core::model::observed::{Observation, Observed};
use plimsoll_core::model::{IpConfiguration, NetworkInterface};
use plimsoll_core::plan::needed;
use plimsoll_core::snapshot::Snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// 1,500 rules, 600 frontends and 1,000 guests in 5 pools of 300 rules each.
const FULL: usize = 100;

/// What each command may take at full size on two cores.
const SECONDS: f64 = 1.0;
const MEGABYTES: f64 = 300.0;

/// The fastest of so many runs counts: whatever else the machine does only ever adds.
const RUNS: usize = 5;

const NEEDED: &[Tool] = &[Tool {
    program: "time",
    package: "time",
    purpose: "the peak memory of a program",
}];

/// Builds what is released, writes each form of the configuration at full and at half size, and runs it on them.
pub(crate) fn bench() -> Result<(), String> {
    ensure(NEEDED)?;
    tools::cargo(&["build", "--release", "--package", "plimsoll"])?;
    let target = target()?;
    let binary = target.join("release/plimsoll");
    println!(
        "{RUNS} runs each, the fastest; at most {SECONDS} s and {MEGABYTES} MB at full size\n\n\
         {:<22} {:>7} {:>7} {:>7} {:>7} {:>8}  {:>9} {:>9} {:>9}",
        "", "lines", "wall", "user", "system", "peak", "of time", "of memory", "to half"
    );
    let mut over = Vec::new();
    for (form, write) in FORMS {
        let (full, half) = (write(FULL), write(FULL / 2));
        let lines = full.lines().count();
        let [full, half] = [(full, "full"), (half, "half")]
            .map(|(text, size)| deployment(&target.join("bench").join(form).join(size), &text));
        let (full, half) = (full?, half?);
        for (command, arguments) in COMMANDS {
            let big = fastest(&binary, &full, arguments)?;
            let small = fastest(&binary, &half, arguments)?;
            let (of_time, of_memory) = (big.wall / SECONDS, big.megabytes / MEGABYTES);
            let name = format!("{command}, {form}");
            println!(
                "{name:<22} {lines:>7} {:>5.2} s {:>5.2} s {:>5.2} s {:>5.0} MB  {:>7.0} % {:>7.0} % {:>8.2}×",
                big.wall,
                big.user,
                big.system,
                big.megabytes,
                of_time * 100.0,
                of_memory * 100.0,
                big.wall / small.wall,
            );
            if of_time > 1.0 || of_memory > 1.0 {
                over.push(name);
            }
        }
    }
    if over.is_empty() {
        Ok(())
    } else {
        Err(format!("over budget: {}", over.join("; ")))
    }
}

type Form = (&'static str, fn(usize) -> String);

const FORMS: [Form; 3] = [
    ("for_each", sizes::each),
    ("dynamic", sizes::dynamic),
    ("written out", sizes::written),
];

const FACTS: &str = "facts.json";

const COMMANDS: [(&str, &[&str]); 2] = [
    ("validate", &["validate"]),
    ("plan", &["plan", "--snapshot", FACTS]),
];

/// What one run took.
struct Cost {
    wall: f64,
    user: f64,
    system: f64,
    megabytes: f64,
}

fn fastest(binary: &Path, folder: &Path, arguments: &[&str]) -> Result<Cost, String> {
    let mut best: Option<Cost> = None;
    for _ in 0..RUNS {
        let cost = run(binary, folder, arguments)?;
        if best.as_ref().is_none_or(|best| cost.wall < best.wall) {
            best = Some(cost);
        }
    }
    best.ok_or_else(|| "nothing was run".to_owned())
}

fn run(binary: &Path, folder: &Path, arguments: &[&str]) -> Result<Cost, String> {
    let measured = folder.join("cost.txt");
    let time = find("time").ok_or("the program time is gone")?;
    let status = Command::new(time)
        .arg("--format=%e %U %S %M")
        .arg("--output")
        .arg(&measured)
        .arg(binary)
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| format!("time could not be started: {error}"))?;
    if !status.success() {
        return Err(format!(
            "plimsoll {} failed in {} ({status})",
            arguments.join(" "),
            folder.display()
        ));
    }
    let text = std::fs::read_to_string(&measured)
        .map_err(|error| format!("{}: {error}", measured.display()))?;
    let numbers: Vec<f64> = text
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    match numbers.as_slice() {
        [wall, user, system, kilobytes] => Ok(Cost {
            wall: *wall,
            user: *user,
            system: *system,
            megabytes: kilobytes / 1000.0,
        }),
        _ => Err(format!("time said {text:?}")),
    }
}

/// Where cargo puts what it builds.
fn target() -> Result<PathBuf, String> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::path::absolute(&folder)
            .map_err(|error| format!("{}: {error}", Path::new(&folder).display())),
        None => Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target")),
    }
}

/// The configuration and a snapshot of a world in which nothing of it is there yet, so that everything is to do.
fn deployment(folder: &Path, text: &str) -> Result<PathBuf, String> {
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text)
            .map_err(|error| format!("{}: {error}", folder.join(name).display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    write("web.plim.hcl", text)?;
    write(FACTS, &snapshot(text)?.text())?;
    Ok(folder.to_owned())
}

fn snapshot(text: &str) -> Result<Snapshot, String> {
    let mut sources = SourceSet::default();
    sources.files.insert("web.plim.hcl".into(), text.into());
    let (configuration, problems) = load(&sources, &Inputs::default(), &NoFiles);
    let configuration = configuration
        .ok_or_else(|| format!("the configuration is wrong: {:#?}", problems.first()))?;
    let wanted = needed(&configuration.desired, None);
    let mut observed = Observed::default();
    for id in &wanted.load_balancers {
        let absent = Observation::Absent;
        observed.load_balancers.insert(id.clone(), absent);
    }
    for (number, id) in wanted.network_interfaces.iter().enumerate() {
        let own = IpConfiguration {
            private_address: own_address(number).parse().ok(),
            primary: true,
            backend_pools: Vec::new(),
        };
        let interface = NetworkInterface {
            id: id.clone(),
            ip_configurations: [("ipconfig1".to_owned(), own)].into(),
            virtual_machine: None,
            failed: false,
            rest: serde_json::Map::new(),
        };
        let present = Observation::Present(interface);
        observed.network_interfaces.insert(id.clone(), present);
    }
    for (number, addr) in wanted.guests.keys().enumerate() {
        let facts = facts(&own_address(number));
        let present = Observation::Present(facts);
        observed.guests.insert(addr.clone(), present);
    }
    Ok(Snapshot {
        taken: "2026-01-01T00:00:00Z".to_owned(),
        plimsoll_version: env!("CARGO_PKG_VERSION").to_owned(),
        deployment: configuration.settings.deployment,
        lab: false,
        complete: true,
        masked: Vec::new(),
        state: None,
        members: BTreeMap::new(),
        observed,
    })
}

fn own_address(number: usize) -> String {
    format!("10.0.{}.{}", number / 250, number % 250 + 4)
}

/// A guest as a cloud image has it, with a firewall that drops what nobody opened.
fn facts(own: &str) -> GuestFacts {
    let address = |interface: &str, address: &str| InterfaceAddress {
        interface: interface.to_owned(),
        address: address.parse().expect("an address of the benchmark"),
    };
    GuestFacts {
        hostname: own.to_owned(),
        boot_id: "1".to_owned(),
        init: "systemd".to_owned(),
        addresses: vec![
            address("lo", "127.0.0.1/8"),
            address("eth0", &format!("{own}/16")),
        ],
        interfaces: Vec::new(),
        firewall: Firewall {
            kind: FirewallKind::Nftables,
            active: true,
            base: vec![Chain {
                name: "inet filter input".to_owned(),
                policy: Target::Drop,
                ipv4: true,
                ipv6: true,
                rules: Vec::new(),
            }],
            other: Vec::new(),
        },
        listeners: Vec::new(),
        survives: BTreeSet::new(),
        record: RecordFact::Absent,
        settings: BTreeMap::new(),
        network: NetworkFacts::default(),
        unconfirmed: None,
        unread: Vec::new(),
    }
}
