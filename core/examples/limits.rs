//! Seconds and memory at Azure's limits: 1,500 rules, 600 frontends, 1,000 guests in 5 pools. Run with `--release`.
//!
//! `limits [each|written] [SCALE]`: with `for_each`, or every block written out. SCALE 100 is Azure's limits.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and its own memory, and prints"
)]

use plimsoll_core::config::{Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::guest::{
    Chain, Firewall, FirewallKind, GuestFacts, InterfaceAddress, RecordFact, Target,
};
use plimsoll_core::model::observed::{Observation, Observed};
use plimsoll_core::model::{ArmId, IpConfiguration, NetworkInterface};
use plimsoll_core::plan::{Mode, Question, needed, plan};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

#[path = "../tests/sizes/mod.rs"]
mod sizes;

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
        network: plimsoll_core::model::guest::NetworkFacts::default(),
        unread: Vec::new(),
    }
}

fn memory(what: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|l| l.starts_with(what))
        .unwrap_or_default();
    line.split_whitespace()
        .skip(1)
        .collect::<Vec<_>>()
        .join(" ")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let scale = arguments.get(1).and_then(|a| a.parse().ok()).unwrap_or(100);
    let text = match arguments.first().map(String::as_str) {
        Some("written") => sizes::written(scale),
        _ => sizes::each(scale),
    };
    let mut sources = SourceSet::default();
    println!("{} lines, {} bytes", text.lines().count(), text.len());
    sources.files.insert("web.plim.hcl".into(), text.into());
    let inputs = Inputs {
        lab: true,
        ..Inputs::default()
    };
    let started = Instant::now();
    let (configuration, problems) = load(&sources, &inputs, &NoFiles);
    println!(
        "validate {:.3} s, peak {}",
        started.elapsed().as_secs_f64(),
        memory("VmHWM")
    );
    let Some(configuration) = configuration else {
        println!(
            "{} problems; the first: {:#?}",
            problems.len(),
            problems.first()
        );
        return;
    };
    println!("{} problems that are no errors", problems.len());
    let wanted = needed(&configuration.desired, None);
    let mut observed = Observed::default();
    for id in &wanted.load_balancers {
        observed
            .load_balancers
            .insert(id.clone(), Observation::Absent);
    }
    for id in &wanted.public_ips {
        observed.public_ips.insert(id.clone(), Observation::Absent);
    }
    for (number, id) in wanted.network_interfaces.iter().enumerate() {
        let own = sizes::own_address(number);
        let configuration = IpConfiguration {
            private_address: own.parse().ok(),
            primary: true,
            backend_pools: Vec::<ArmId>::new(),
        };
        let nic = NetworkInterface {
            id: id.clone(),
            ip_configurations: [("ipconfig1".to_owned(), configuration)]
                .into_iter()
                .collect(),
            virtual_machine: None,
            failed: false,
            rest: serde_json::Map::new(),
        };
        observed
            .network_interfaces
            .insert(id.clone(), Observation::Present(nic));
    }
    for (number, addr) in wanted.guests.keys().enumerate() {
        let facts = facts(&sizes::own_address(number));
        observed
            .guests
            .insert(addr.clone(), Observation::Present(facts));
    }
    let started = Instant::now();
    let plan = plan(&Question {
        configuration: &configuration,
        prior: None,
        observed: &observed,
        mode: Mode::Apply,
        lab: true,
        now: "2026-01-01T00:00:00Z".to_owned(),
        fresh_lineage: "benchmark".to_owned(),
        release_addresses: false,
        refinements: plimsoll_core::plan::Refinements::default(),
    });
    println!(
        "plan {:.3} s: {} changes, {} steps, {} findings, peak {}",
        started.elapsed().as_secs_f64(),
        plan.changes.len(),
        plan.steps.len(),
        plan.findings.len(),
        memory("VmHWM")
    );
    println!("blocked: {:?}", plan.blocked.first());
}
