//! Every example as a plan, without Azure: nothing exists yet, and each guest answers like a fresh machine.

use super::{Places, PlanShown, Told};
use crate::host::Host;
use plimsoll_core::config::{Configuration, Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::ArmId;
use plimsoll_core::model::guest::{Chain, Firewall, FirewallKind, GuestFacts, RecordFact, Target};
use plimsoll_core::model::observed::{Observation, Observed};
use plimsoll_core::plan::{Mode, Plan, Question, needed, plan};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) struct Example {
    pub(crate) name: String,
    pub(crate) configuration: Configuration,
    pub(crate) told: Told,
    pub(crate) plan: Plan,
}

impl Example {
    pub(crate) fn shown<T>(&self, then: impl FnOnce(&PlanShown<'_>) -> T) -> T {
        let next = [(
            "To apply exactly this".to_owned(),
            "plimsoll apply plan.plim".to_owned(),
        )];
        then(&PlanShown {
            scripts: &[],
            plan: &self.plan,
            told: &self.told,
            took: None,
            next: &next,
            places: Places {
                known: Some((&self.configuration.desired, &self.told)),
                host: &Host::Elsewhere,
            },
        })
    }
}

/// All folders of `examples/` that hold a configuration.
pub(crate) fn all() -> Vec<Example> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders.iter().filter_map(|f| example(f)).collect()
}

fn example(folder: &Path) -> Option<Example> {
    let mut files: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).ok()? {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".plim.hcl") {
            files.insert(name.into(), std::fs::read_to_string(&path).unwrap().into());
        }
    }
    if files.is_empty() {
        return None;
    }
    let name = folder.file_name()?.to_string_lossy().into_owned();
    let set = SourceSet {
        files: files.clone(),
    };
    let inputs = Inputs {
        lab: true,
        ..Inputs::default()
    };
    let (configuration, diagnostics) = load(&set, &inputs, &NoFiles);
    let configuration = configuration.unwrap_or_else(|| panic!("{name}: {diagnostics:?}"));
    let observed = world(&configuration);
    let plan = plan(&Question {
        configuration: &configuration,
        prior: None,
        observed: &observed,
        mode: Mode::Apply,
        lab: true,
        now: "2026-11-22T12:00:00Z".to_owned(),
        fresh_lineage: "00000000-0000-0000-0000-000000000000".to_owned(),
        release_addresses: false,
        refinements: plimsoll_core::plan::Refinements::default(),
    });
    Some(Example {
        name,
        configuration,
        told: Told {
            diagnostics,
            texts: files,
            directory: PathBuf::new(),
        },
        plan,
    })
}

/// NICs that are in no pool, guests that drop what nobody allowed, and nothing else.
fn world(configuration: &Configuration) -> Observed {
    let wanted = needed(&configuration.desired, None);
    let mut observed = Observed::default();
    for id in wanted.load_balancers {
        observed.load_balancers.insert(id, Observation::Absent);
    }
    for id in wanted.public_ips {
        observed.public_ips.insert(id, Observation::Absent);
    }
    let mut number = 10;
    for (addr, guest) in &configuration.desired.guests {
        let own = format!("10.0.0.{}", number + 1);
        let mut nics: BTreeMap<&ArmId, serde_json::Map<String, Value>> = BTreeMap::new();
        for interface in &guest.interfaces {
            let nic = nics.entry(&interface.id).or_default();
            // A second one on the same NIC is for the other family.
            let address = if nic.is_empty() {
                number += 1;
                format!("10.0.0.{number}")
            } else {
                format!("fd00::{number}")
            };
            let configuration = json!({
                "private_address": address,
                "primary": nic.is_empty(),
                "backend_pools": [],
            });
            nic.insert(interface.ip_configuration.clone(), configuration);
        }
        for (id, configurations) in nics {
            // As its document: fields that no report shows may come and go.
            let nic = json!({ "id": id, "ip_configurations": configurations });
            let nic = serde_json::from_value(nic).unwrap();
            observed
                .network_interfaces
                .insert(id.clone(), Observation::Present(nic));
        }
        observed
            .guests
            .insert(addr.clone(), Observation::Present(facts(addr.name(), &own)));
    }
    observed
}

fn facts(name: &str, own: &str) -> GuestFacts {
    let facts = json!({
        "hostname": name,
        "boot_id": "1",
        "init": "systemd",
        "addresses": [
            { "interface": "lo", "address": "127.0.0.1/8" },
            { "interface": "eth0", "address": format!("{own}/24") },
        ],
        "firewall": Firewall {
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
        "listeners": [],
        "survives": [],
        "record": RecordFact::Absent,
        "settings": {},
    });
    serde_json::from_value(facts).unwrap()
}
