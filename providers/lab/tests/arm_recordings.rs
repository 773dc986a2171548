//! The emulator against recorded real traffic: every recorded write is sent to it, and its answer
//! compared with Azure's.
//!
//! Compared: status, the headers that matter, and the whole body but for what cannot agree (guids,
//! etags, addresses that Azure chose). Between writes the world is brought up from the recorded
//! GETs where deployments created things behind the recorder's back.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use plimsoll_lab::arm::{ArmAnswer, ArmRequest, Method, ScriptOutcome, Store};
use serde_json::{Value, json};

const REGION: &str = "Azure shows enableAcceleratedNetworking: false for a new interface in eastus and eastus2, not in westus; the request does not decide it";
const OLD_SUBNET: &str = "in 2019-09-01 a subnet began with privateEndpointNetworkPolicies Enabled and enableVmProtection was shown; the emulator has the later defaults";
/// Differences that stay, each with its reason: (file, number of the interaction, why).
const KNOWN: &[(&str, usize, &str)] = &[
    ("cli_network_lb_address_pool_addresses", 8, REGION),
    ("cli_network_nic_app_gateway", 73, REGION),
    ("cli_network_nic_lb_address_pools", 5, REGION),
    ("net_nat_rules", 7, OLD_SUBNET),
    ("net_nat_rules", 10, REGION),
    ("net_nat_rules", 20, REGION),
    ("net_outbound_rule", 1, OLD_SUBNET),
];

/// One recorded request with Azure's answer.
struct Recorded {
    number: usize,
    method: Method,
    url: String,
    request: Option<Value>,
    status: u16,
    headers: BTreeMap<String, String>,
    response: Option<Value>,
}

impl Recorded {
    fn path(&self) -> &str {
        self.url.split('?').next().unwrap()
    }

    /// A write of a resource type that the emulator serves.
    fn is_comparable(&self) -> bool {
        let path = self.path().to_ascii_lowercase();
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
        self.method.writes() && (network || path.contains("/runcommand")) && self.status != 429
    }
}

#[test]
fn the_emulator_answers_recorded_writes_as_azure_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/azure/recordings");
    if !folder.is_dir() {
        println!("skipped: ../shared is absent");
        return;
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let (mut agreed, mut compared) = (0, 0);
    let mut unexplained = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let recorded = read(file);
        for (number, what, differences) in replay(&recorded) {
            compared += 1;
            if differences.is_empty() {
                agreed += 1;
                continue;
            }
            let reason = KNOWN
                .iter()
                .find(|known| known.0 == name && known.1 == number)
                .map(|known| known.2);
            println!(
                "{name} #{number} {what}: {}",
                reason.unwrap_or("UNEXPLAINED")
            );
            differences
                .iter()
                .take(12)
                .for_each(|difference| println!("    {difference}"));
            if reason.is_none() {
                unexplained.push(format!("{name} #{number}"));
            }
        }
    }
    println!("emulator agrees on {agreed} of {compared} writes");
    assert!(
        compared > 100,
        "the recordings hold more than a hundred writes"
    );
    assert!(
        unexplained.is_empty(),
        "unexplained differences: {unexplained:?}"
    );
    assert_eq!(
        compared - agreed,
        KNOWN.len(),
        "an explained difference is gone: remove it from the list"
    );
}

#[test]
fn recorded_documents_come_back_as_they_were_loaded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/azure/recordings");
    if !folder.is_dir() {
        println!("skipped: ../shared is absent");
        return;
    }
    let mut loaded = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        for recorded in read(&file) {
            let Some(response) = recorded.response.filter(|_| recorded.status == 200) else {
                continue;
            };
            let documents = response.get("value").and_then(Value::as_array).cloned();
            for document in documents.unwrap_or_else(|| vec![response.clone()]) {
                let types = [
                    "loadBalancers",
                    "publicIPAddresses",
                    "publicIPPrefixes",
                    "networkInterfaces",
                ];
                let kind = document["type"].as_str().unwrap_or_default();
                if !types
                    .iter()
                    .any(|name| kind == format!("Microsoft.Network/{name}"))
                {
                    continue;
                }
                // Generic lists show a few members only.
                if document.get("properties").is_none() {
                    continue;
                }
                let store = Store::in_memory(Arc::new(|| Timestamp::UNIX_EPOCH));
                let ids = store.load(&document).unwrap();
                let mut differences = Vec::new();
                walk(
                    "",
                    &document,
                    &store.document(&ids[0]).unwrap(),
                    &mut differences,
                );
                // A recorded document may have been caught while it changed; loaded ones are done. A document of an
                // older api-version gains the defaults that a newer one shows.
                differences.retain(|difference| {
                    !difference.contains("/provisioningState")
                        && !difference.contains(": Azure has none")
                });
                assert!(
                    differences.is_empty(),
                    "{}: {differences:#?}",
                    file.display()
                );
                loaded += 1;
                let lost = lost_when_put_back(&store, &ids[0]);
                assert!(lost.is_empty(), "{} {}: {lost:#?}", file.display(), ids[0]);
            }
        }
    }
    println!("{loaded} documents come back as they were loaded, and as they were when put back");
    assert!(loaded > 300);
}

/// Puts a document back as a careful client would, without the read-only members, and returns what
/// that changed. Defaults that an older version did not show may appear.
fn lost_when_put_back(store: &Store, id: &str) -> Vec<String> {
    let before = store.document(id).unwrap();
    let mut body = before.clone();
    for pool in body
        .pointer_mut("/properties/backendAddressPools")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let addresses = pool.pointer_mut("/properties/loadBalancerBackendAddresses");
        if let Some(addresses) = addresses.and_then(Value::as_array_mut) {
            addresses.retain(|address| {
                address
                    .pointer("/properties/networkInterfaceIPConfiguration")
                    .is_none()
            });
        }
    }
    let request = ArmRequest::new(
        Method::Put,
        &format!("{id}?api-version=2024-01-01"),
        Some(&body),
    );
    let answer = store.answer(&request);
    if answer.status >= 300 {
        return vec![answer.text()];
    }
    let mut differences = Vec::new();
    walk("", &before, &store.document(id).unwrap(), &mut differences);
    differences.retain(|difference| {
        !difference.contains(": Azure has none") && !difference.contains("provisioningState")
    });
    differences
}

/// Sends one file's requests to a fresh emulator; returns what each comparable write differed in.
fn replay(recorded: &[Recorded]) -> Vec<(usize, String, Vec<String>)> {
    let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
    let hand = Arc::clone(&clock);
    let store = Store::in_memory(Arc::new(move || {
        Timestamp::from_millisecond(hand.load(Ordering::Relaxed)).unwrap()
    }));
    let mut results = Vec::new();
    for entry in recorded {
        // The client polled to the end before it went on.
        clock.fetch_add(1000, Ordering::Relaxed);
        if !entry.method.writes() {
            if entry.status == 200 {
                learn(&store, entry);
            }
            continue;
        }
        let machine = entry
            .path()
            .to_ascii_lowercase()
            .contains("/microsoft.compute/virtualmachines/");
        if machine
            && entry.method == Method::Put
            && entry.request.is_some()
            && !entry.is_comparable()
        {
            // Machines are not compared, but their interfaces know them.
            let _ = store.answer(&ArmRequest::new(
                entry.method,
                &entry.url,
                entry.request.as_ref(),
            ));
        }
        if !entry.is_comparable() || (entry.method == Method::Put && entry.request.is_none()) {
            continue;
        }
        make_up_references(&store, entry);
        let request = ArmRequest::new(entry.method, &entry.url, entry.request.as_ref());
        let answer = store.answer(&request);
        if let Some((operation, _)) = &answer.script {
            store
                .finish_script(
                    operation,
                    &ScriptOutcome::NotRun {
                        why: "replay".to_owned(),
                    },
                )
                .unwrap();
        }
        let what = format!(
            "{} {}",
            entry.method,
            entry.path().rsplit("/providers/").next().unwrap()
        );
        results.push((entry.number, what, compare(entry, &answer)));
        // What Azure made of it goes on from here, so that one difference is counted once.
        if entry.status < 300 {
            learn(&store, entry);
        }
    }
    results
}

/// Takes over what a recorded answer shows, where the emulator does not hold it.
fn learn(store: &Store, entry: &Recorded) {
    let Some(response) = &entry.response else {
        return;
    };
    let documents = response
        .get("value")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_else(|| vec![response.clone()]);
    for document in documents {
        let id = document["id"].as_str().unwrap_or_default();
        let own = id
            .split("/providers/")
            .last()
            .is_some_and(|rest| rest.split('/').count() == 3);
        let held = store.document(id);
        let machine = |document: &Value| document.pointer("/properties/virtualMachine").is_some();
        let news = held.is_none_or(|held| machine(&document) && !machine(&held));
        if own && id.contains("/providers/") && news {
            // Deployments and unrelated types may hold what is no document; that is no loss here.
            let _ = store.load(&document);
        }
    }
}

/// What a request refers to and the recording never shows being made.
fn make_up_references(store: &Store, entry: &Recorded) {
    let Some(request) = &entry.request else {
        return;
    };
    if let Some((group, _)) = entry.path().split_once("/securityRules/")
        && store.document(group).is_none()
    {
        store
            .load(&json!({"id": group, "location": "westus", "properties": {"securityRules": []}}))
            .unwrap();
    }
    let sku = request
        .pointer("/sku/name")
        .and_then(Value::as_str)
        .unwrap_or("Basic");
    let tier = request
        .pointer("/sku/tier")
        .and_then(Value::as_str)
        .unwrap_or("Regional");
    let location = request
        .get("location")
        .cloned()
        .unwrap_or(json!("westeurope"));
    for id in ids(request) {
        if store.document(&id).is_some() {
            continue;
        }
        let properties = if id.contains("/publicIPAddresses/") {
            json!({"provisioningState": "Succeeded", "publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static", "ipAddress": "192.0.2.1"})
        } else if id.contains("/publicIPPrefixes/") {
            json!({"provisioningState": "Succeeded", "prefixLength": 28, "ipPrefix": "192.0.2.16/28"})
        } else {
            continue;
        };
        let own = id
            .split("/providers/")
            .last()
            .is_some_and(|rest| rest.split('/').count() == 3);
        if own {
            store.load(&json!({"id": id, "location": location, "sku": {"name": sku, "tier": tier}, "properties": properties})).unwrap();
        }
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

fn compare(entry: &Recorded, answer: &ArmAnswer) -> Vec<String> {
    let mut differences = Vec::new();
    if entry.status != answer.status {
        let code = answer
            .body
            .as_ref()
            .map(|body| body["error"].to_string())
            .unwrap_or_default();
        differences.push(format!(
            "status: Azure {}, emulator {} {code}",
            entry.status, answer.status
        ));
        return differences;
    }
    for header in ["azure-asyncoperation", "location", "etag"] {
        let (theirs, ours) = (
            entry.headers.contains_key(header),
            answer.header(header).is_some(),
        );
        if theirs != ours {
            differences.push(format!("header {header}: Azure {theirs}, emulator {ours}"));
        }
    }
    let null = Value::Null;
    let (theirs, ours) = (
        entry.response.as_ref().unwrap_or(&null),
        answer.body.as_ref().unwrap_or(&null),
    );
    walk("", theirs, ours, &mut differences);
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

fn read(file: &Path) -> Vec<Recorded> {
    let text = std::fs::read_to_string(file).unwrap();
    if file
        .extension()
        .is_some_and(|extension| extension == "yaml")
    {
        return read_cassette(&text);
    }
    let document: Value = serde_json::from_str(&text).unwrap();
    // The Java format holds no request bodies, so its writes cannot be repeated.
    let mut entries: Vec<Recorded> = document["Entries"]
        .as_array()
        .map(|entries| entries.iter().enumerate().map(read_entry).collect())
        .unwrap_or_default();
    // This format groups equal requests; the answers' dates tell the true order.
    entries.sort_by_key(|entry| {
        entry
            .headers
            .get("date")
            .and_then(|date| jiff::fmt::rfc2822::parse(date.trim_matches(['[', ']', '"'])).ok())
            .map(|date| date.timestamp())
    });
    entries
}

fn read_entry((number, entry): (usize, &Value)) -> Recorded {
    let headers = entry["ResponseHeaders"].as_object().into_iter().flatten();
    let uri = entry["RequestUri"].as_str().unwrap();
    Recorded {
        number,
        method: entry["RequestMethod"].as_str().unwrap().parse().unwrap(),
        url: without_host(uri),
        request: parse(entry["RequestBody"].as_str().unwrap_or_default()),
        status: entry["StatusCode"].as_u64().unwrap().try_into().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_string()))
            .collect(),
        response: parse(entry["ResponseBody"].as_str().unwrap_or_default()),
    }
}

fn read_cassette(text: &str) -> Vec<Recorded> {
    let cassette: Value = serde_yaml_ng::from_str(text).unwrap();
    let interactions = cassette["interactions"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate();
    interactions
        .filter_map(|(number, interaction)| {
            let (request, response) = (&interaction["request"], &interaction["response"]);
            let headers = response["headers"].as_object().into_iter().flatten();
            let body = &response["body"];
            let body = body
                .as_str()
                .or_else(|| body["string"].as_str())
                .unwrap_or_default();
            Some(Recorded {
                number,
                method: request["method"].as_str()?.parse().ok()?,
                url: without_host(request["uri"].as_str()?),
                request: parse(request["body"].as_str().unwrap_or_default()),
                status: response["status"]["code"].as_u64()?.try_into().ok()?,
                headers: headers
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.to_string()))
                    .collect(),
                response: parse(body),
            })
        })
        .collect()
}

fn without_host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map_or(url, |at| &rest[at..]).to_owned()
}

fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}
