//! `import`: for every load balancer in recorded traffic, the configuration that is generated from it plans nothing but
//! adoptions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use jiff::Timestamp;
use plimsoll_azure::wire::{decode_load_balancer, decode_public_ip};
use plimsoll_core::config::generate::{Existing, Inside, generate};
use plimsoll_core::config::{Inputs, SourceSet, load};
use plimsoll_core::lang::NoFiles;
use plimsoll_core::model::observed::{Observation, Observed};
use plimsoll_core::model::{
    ArmId, Attr, IpConfiguration, ItemKind, LoadBalancer, NetworkInterface, PublicIp,
};
use plimsoll_core::plan::{Action, Mode, Question, needed, plan};
use plimsoll_lab::arm::{ArmRequest, Method, Store};
use plimsoll_recordings::{Kind, bodies, read_folder};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Public IP addresses that were not recorded with the load balancer that stands on them.
fn public_ip(id: &ArmId, sku: &str) -> PublicIp {
    let text = |value: &str| Attr::Text(value.to_owned());
    PublicIp {
        id: id.clone(),
        attributes: [
            ("location".to_owned(), text("westeurope")),
            ("sku".to_owned(), text(sku)),
        ]
        .into(),
        address: None,
        failed: false,
        rest: serde_json::Map::new(),
    }
}

/// The interfaces that the back-references name, as Azure would show them.
fn interfaces(lb: &LoadBalancer) -> Vec<NetworkInterface> {
    let mut all: BTreeMap<ArmId, NetworkInterface> = BTreeMap::new();
    for (pool, members) in &lb.members {
        for member in members {
            let Some(id) = member.parent() else { continue };
            let of_scale_set = id
                .as_str()
                .to_ascii_lowercase()
                .contains("virtualmachinescalesets");
            if of_scale_set {
                continue;
            }
            let count = u8::try_from(all.len() % 200).unwrap();
            let nic = all.entry(id.clone()).or_insert_with(|| NetworkInterface {
                id,
                ip_configurations: Default::default(),
                virtual_machine: (count % 2 == 0).then(|| {
                    ArmId::new(format!(
                        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm{count}"
                    ))
                }),
                failed: false,
                rest: serde_json::Map::new(),
            });
            let configuration = nic.ip_configurations.entry(member.name().to_owned());
            let configuration = configuration.or_insert(IpConfiguration {
                private_address: Some([10, 0, 0, count + 4].into()),
                primary: true,
                backend_pools: Vec::new(),
            });
            let pool = lb.id_of(ItemKind::BackendPool, pool);
            configuration.backend_pools.push(pool);
        }
    }
    all.into_values().collect()
}

/// What is wrong with the configuration that says this load balancer, in words.
/// `None` where the kind of load balancer cannot be said at all.
fn wrong(lb: &LoadBalancer, known: &BTreeMap<ArmId, PublicIp>) -> Option<String> {
    // Azure accepts no other public IP addresses than those of the same SKU.
    let sku = lb.attributes.get("sku").and_then(Attr::as_text);
    let sku = sku.unwrap_or("Basic");
    let same = |ip: &PublicIp| ip.attributes.get("sku").and_then(Attr::as_text) == Some(sku);
    let public_ips: BTreeMap<ArmId, PublicIp> = lb
        .of_kind(ItemKind::Frontend)
        .filter_map(|frontend| frontend.text("public_ip").map(ArmId::new))
        .map(|id| {
            (
                id.clone(),
                known
                    .get(&id)
                    .filter(|ip| same(ip))
                    .cloned()
                    .unwrap_or_else(|| public_ip(&id, sku)),
            )
        })
        .collect();
    let existing = Existing {
        load_balancer: lb.clone(),
        public_ip_prefixes: Vec::new(),
        public_ips: public_ips.values().cloned().collect(),
        network_interfaces: interfaces(lb),
        windows: BTreeSet::new(),
        inside: Inside::new(),
    };
    let text = generate(&existing).ok()?;
    let mut sources = SourceSet::default();
    sources
        .files
        .insert("main.plim.hcl".into(), text.as_str().into());
    let (configuration, problems) = load(&sources, &Inputs::default(), &NoFiles);
    let Some(configuration) = configuration else {
        let said: Vec<String> = problems
            .iter()
            .filter(|p| p.is_error())
            .map(|p| {
                format!(
                    "  {} {} {:?}",
                    p.code,
                    p.summary,
                    p.labels.iter().map(|l| &l.text).collect::<Vec<_>>()
                )
            })
            .collect();
        return Some(format!("{}\n{text}", said.join("\n")));
    };
    let mut observed = Observed::default();
    let present = Observation::Present(lb.clone());
    observed.load_balancers.insert(lb.id.clone(), present);
    for (id, ip) in public_ips {
        observed.public_ips.insert(id, Observation::Present(ip));
    }
    for nic in existing.network_interfaces {
        let present = Observation::Present(nic.clone());
        observed.network_interfaces.insert(nic.id, present);
    }
    for addr in needed(&configuration.desired, None).guests.into_keys() {
        let why = "nobody asks it here".to_owned();
        observed
            .guests
            .insert(addr, Observation::Unreadable { why });
    }
    let plan = plan(&Question {
        configuration: &configuration,
        prior: None,
        observed: &observed,
        mode: Mode::Apply,
        lab: false,
        now: "2026-01-01T00:00:00Z".to_owned(),
        fresh_lineage: "lineage".to_owned(),
        release_addresses: false,
        refinements: plimsoll_core::plan::Refinements::default(),
    });
    let mut out = String::new();
    for change in &plan.changes {
        let quiet = matches!(change.action, Action::NoOp | Action::Adopt);
        let is_guest = change.addr.kind == plimsoll_core::model::Kind::Guest;
        if (!quiet && !is_guest) || !change.memberships.is_empty() {
            writeln!(
                out,
                "  {:?} {} {:?} {:?} {:?}",
                change.action, change.addr, change.fields, change.items, change.memberships
            )
            .unwrap();
        }
    }
    Some(if out.is_empty() { out } else { out + &text })
}

/// The answer of an emulator that nothing else was loaded into.
fn in_emulator(document: &Map<String, Value>) -> Map<String, Value> {
    let store = Store::in_memory(Arc::new(|| Timestamp::UNIX_EPOCH));
    let ids = store.load(&Value::Object(document.clone())).unwrap();
    let read = format!("{}?api-version=2024-01-01", ids[0]);
    let answer = store.answer(&ArmRequest::new(Method::Get, &read, None));
    match answer.body {
        Some(Value::Object(shown)) if answer.status == 200 => shown,
        other => panic!("{}: {} {other:?}", ids[0], answer.status),
    }
}

#[test]
fn every_recorded_load_balancer_is_imported_without_a_change() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/azure/recordings");
    if !folder.is_dir() {
        println!("skipped: ../shared is absent");
        return;
    }
    let mut public_ips = BTreeMap::new();
    let mut balancers: Vec<(String, LoadBalancer)> = Vec::new();
    for file in read_folder(&folder).unwrap() {
        let all = file.exchanges.iter().flat_map(bodies);
        for body in all.filter(|body| body.answered) {
            match body.kind {
                Kind::PublicIp => {
                    let ip = decode_public_ip(&body.id, &body.json);
                    public_ips.insert(body.id, ip);
                }
                Kind::LoadBalancer => {
                    // As it was recorded, and as the emulator shows it that holds it.
                    for shown in [in_emulator(&body.json), body.json] {
                        let mut lb = decode_load_balancer(&body.id, &shown);
                        // The API of 2016 knew one SKU and did not name it; the version that we ask for always does.
                        let basic = Attr::Text("Basic".to_owned());
                        lb.attributes.entry("sku".to_owned()).or_insert(basic);
                        if !balancers.iter().any(|(_, known)| *known == lb) {
                            balancers.push((file.name.clone(), lb));
                        }
                    }
                }
                Kind::PublicIpPrefix
                | Kind::NetworkInterface
                | Kind::RunCommand
                | Kind::RunCommandOutput => {}
            }
        }
    }
    let (mut out, mut count, mut refused) = (String::new(), 0, 0);
    for (file, lb) in &balancers {
        let Some(wrong) = wrong(lb, &public_ips) else {
            refused += 1;
            continue;
        };
        if !wrong.is_empty() {
            count += 1;
            writeln!(out, "{file} {}\n{wrong}", lb.id.name()).unwrap();
        }
    }
    println!(
        "{} load balancers, {refused} of a kind that is not managed, {count} not imported cleanly",
        balancers.len()
    );
    assert!(balancers.len() > 100 && refused < 25, "{refused} refused");
    assert!(out.is_empty(), "{count} of {}\n{out}", balancers.len());
}
