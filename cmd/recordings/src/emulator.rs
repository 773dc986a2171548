//! The emulator against recorded writes: every one is sent to it, and its answer compared with Azure's.
//!
//! Compared: status, the headers that matter, and the whole body but for what cannot agree (guids, etags, addresses that
//! Azure chose). Between writes the world is brought up from the recorded GETs where deployments created things behind the
//! recorder's back.

use crate::cassette::{Exchange, File, Format};
use jiff::Timestamp;
use plimsoll_lab::arm::{ArmAnswer, ArmRequest, Method, ScriptOutcome, Store};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const REGION: &str = "Azure shows enableAcceleratedNetworking: false for a new interface in eastus and eastus2, not in westus; the request does not decide it";
const OLD_SUBNET: &str = "in 2019-09-01 a subnet began with privateEndpointNetworkPolicies Enabled and enableVmProtection was shown; the emulator has the later defaults";
/// Differences that stay, each with its reason: file, number of the interaction, why.
const KNOWN: &[(&str, usize, &str)] = &[
    ("cli_network_lb_address_pool_addresses", 8, REGION),
    ("cli_network_nic_app_gateway", 73, REGION),
    ("cli_network_nic_lb_address_pools", 5, REGION),
    ("net_nat_rules", 7, OLD_SUBNET),
    ("net_nat_rules", 10, REGION),
    ("net_nat_rules", 20, REGION),
    ("net_outbound_rule", 1, OLD_SUBNET),
];

/// How many differences of one write are shown.
const SHOWN: usize = 12;

/// One recorded write, and how the emulator's answer differs from Azure's.
#[derive(Clone, Debug)]
pub struct Agreement {
    pub number: usize,
    /// `PUT Microsoft.Network/loadBalancers/web`
    pub what: String,
    pub differences: Vec<String>,
    /// Why a difference stays.
    pub reason: Option<&'static str>,
}

impl Agreement {
    /// For people; nothing where it agrees.
    pub fn told(&self, file: &str) -> Option<String> {
        if self.differences.is_empty() {
            return None;
        }
        let why = self.reason.unwrap_or("UNEXPLAINED");
        let shown: Vec<String> = self
            .differences
            .iter()
            .take(SHOWN)
            .map(|difference| format!("\n    {difference}"))
            .collect();
        let Self { number, what, .. } = self;
        Some(format!("{file} #{number} {what}: {why}{}", shown.concat()))
    }
}

/// Sends one file's requests to a fresh emulator.
pub fn replay(file: &File) -> Vec<Agreement> {
    if file.format == Format::Java {
        return Vec::new();
    }
    let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
    let hand = Arc::clone(&clock);
    let store = Store::in_memory(Arc::new(move || {
        Timestamp::from_millisecond(hand.load(Ordering::Relaxed)).unwrap_or_default()
    }));
    let mut results = Vec::new();
    for exchange in &file.exchanges {
        // The client polled to the end before it went on.
        clock.fetch_add(1000, Ordering::Relaxed);
        let Ok(method) = exchange.method.parse::<Method>() else {
            continue;
        };
        if !method.writes() {
            if exchange.status == 200 {
                learn(&store, exchange);
            }
            continue;
        }
        let comparable = is_comparable(exchange);
        let machine = exchange
            .path()
            .to_ascii_lowercase()
            .contains("/microsoft.compute/virtualmachines/");
        if machine && method == Method::Put && exchange.request.is_some() && !comparable {
            // Machines are not compared, but their interfaces know them.
            let request = ArmRequest::new(method, &exchange.url, exchange.request.as_ref());
            let _ = store.answer(&request);
        }
        if !comparable || (method == Method::Put && exchange.request.is_none()) {
            continue;
        }
        make_up_references(&store, exchange);
        let request = ArmRequest::new(method, &exchange.url, exchange.request.as_ref());
        let answer = store.answer(&request);
        if let Some((operation, _)) = &answer.script {
            let why = "replay".to_owned();
            let _ = store.finish_script(operation, &ScriptOutcome::NotRun { why });
        }
        let path = exchange.path();
        let short = path.rsplit("/providers/").next().unwrap_or(path);
        let known = KNOWN
            .iter()
            .find(|known| known.0 == file.name && known.1 == exchange.number);
        results.push(Agreement {
            number: exchange.number,
            what: format!("{method} {short}"),
            differences: compare(exchange, &answer),
            reason: known.map(|known| known.2),
        });
        // What Azure made of it goes on from here, so that one difference is counted once.
        if exchange.status < 300 {
            learn(&store, exchange);
        }
    }
    results
}

/// A write of a resource type that the emulator serves.
fn is_comparable(exchange: &Exchange) -> bool {
    let path = exchange.path().to_ascii_lowercase();
    let served = [
        "loadbalancers",
        "publicipaddresses",
        "publicipprefixes",
        "networkinterfaces",
        "virtualnetworks",
        "networksecuritygroups",
    ];
    let network = served
        .iter()
        .any(|kind| path.contains(&format!("/providers/microsoft.network/{kind}/")));
    // A 429 is Azure being busy, not a judgement of the request.
    (network || path.contains("/runcommand")) && exchange.status != 429
}

/// Takes over what a recorded answer shows, where the emulator does not hold it.
fn learn(store: &Store, exchange: &Exchange) {
    let Some(response) = &exchange.response else {
        return;
    };
    let documents = response
        .get("value")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_else(|| vec![response.clone()]);
    for document in documents {
        let id = document["id"].as_str().unwrap_or_default();
        let held = store.document(id);
        let machine = |document: &Value| document.pointer("/properties/virtualMachine").is_some();
        let news = held.is_none_or(|held| machine(&document) && !machine(&held));
        if is_whole(id) && id.contains("/providers/") && news {
            // Deployments and unrelated types may hold what is no document; that is no loss here.
            let _ = store.load(&document);
        }
    }
}

/// Of a resource, not of a part of one.
fn is_whole(id: &str) -> bool {
    id.split("/providers/")
        .last()
        .is_some_and(|rest| rest.split('/').count() == 3)
}

/// What a request refers to and the recording never shows being made.
fn make_up_references(store: &Store, exchange: &Exchange) {
    let Some(request) = &exchange.request else {
        return;
    };
    if let Some((group, _)) = exchange.path().split_once("/securityRules/")
        && store.document(group).is_none()
    {
        let _ = store
            .load(&json!({"id": group, "location": "westus", "properties": {"securityRules": []}}));
    }
    let word = |path: &str, default: &str| {
        let found = request.pointer(path).and_then(Value::as_str);
        found.unwrap_or(default).to_owned()
    };
    let sku = json!({"name": word("/sku/name", "Basic"), "tier": word("/sku/tier", "Regional")});
    let location = word("/location", "westeurope");
    for id in ids(request) {
        if store.document(&id).is_some() || !is_whole(&id) {
            continue;
        }
        let properties = if id.contains("/publicIPAddresses/") {
            json!({"provisioningState": "Succeeded", "publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static", "ipAddress": "192.0.2.1"})
        } else if id.contains("/publicIPPrefixes/") {
            json!({"provisioningState": "Succeeded", "prefixLength": 28, "ipPrefix": "192.0.2.16/28"})
        } else {
            continue;
        };
        let _ = store
            .load(&json!({"id": id, "location": location, "sku": sku, "properties": properties}));
    }
}

fn ids(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| match member {
                Value::String(text) if name == "id" => vec![text.clone()],
                other => ids(other),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(ids).collect(),
        _ => Vec::new(),
    }
}

fn compare(exchange: &Exchange, answer: &ArmAnswer) -> Vec<String> {
    if exchange.status != answer.status {
        let error = answer.body.as_ref().map(|body| body["error"].to_string());
        return vec![format!(
            "status: Azure {}, emulator {} {}",
            exchange.status,
            answer.status,
            error.unwrap_or_default()
        )];
    }
    let mut differences = Vec::new();
    for header in ["azure-asyncoperation", "location", "etag"] {
        let theirs = exchange.headers.contains_key(header);
        let ours = answer.header(header).is_some();
        if theirs != ours {
            differences.push(format!("header {header}: Azure {theirs}, emulator {ours}"));
        }
    }
    let null = Value::Null;
    let theirs = exchange.response.as_ref().unwrap_or(&null);
    let ours = answer.body.as_ref().unwrap_or(&null);
    differences.extend(differences_in(theirs, ours));
    let mut etags: Vec<&Value> = Vec::new();
    collect(ours, "etag", &mut etags);
    etags.dedup();
    if etags.len() > 1 {
        differences.push(format!("etags: {etags:?}"));
    }
    differences
}

fn collect<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            if key == name {
                found.push(member);
            } else {
                collect(member, name, found);
            }
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, name, found)),
        _ => {}
    }
}

/// Values that only have to be there on both sides.
const ANY: [&str; 9] = [
    "etag",
    "resourceGuid",
    "ipAddress",
    "ipPrefix",
    "privateIPAddress",
    "internalDomainNameSuffix",
    "macAddress",
    "vmId",
    "message",
];

/// Where a document of the emulator's differs from Azure's.
pub fn differences_in(theirs: &Value, ours: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    walk("", theirs, ours, &mut differences);
    differences
}

fn walk(at: &str, theirs: &Value, ours: &Value, differences: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(left), Value::Object(right)) => {
            for (name, value) in left {
                let at = format!("{at}/{name}");
                match right.get(name) {
                    None => differences.push(format!("{at}: Azure {value}, emulator has none")),
                    Some(_) if ANY.contains(&name.as_str()) && value.is_string() => {}
                    Some(other) => walk(&at, value, other, differences),
                }
            }
            for (name, value) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
                differences.push(format!("{at}/{name}: Azure has none, emulator {value}"));
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                walk(&format!("{at}/{index}"), left, right, differences);
            }
        }
        (Value::String(left), Value::String(right)) if left.eq_ignore_ascii_case(right) => {}
        (left, right) if left == right => {}
        (left, right) => differences.push(format!("{at}: Azure {left}, emulator {right}")),
    }
}
