//! Every load balancer, public IP address and network interface in recorded traffic of real Azure: decoded, encoded
//! again without losing anything that may be written, and no difference between what was sent and what was stored.
//!
//! What is read-only comes from the API descriptions themselves, not from the code under test.

use plimsoll_azure::judge::{Whole, differences};
use plimsoll_azure::wire::{
    Body, decode_load_balancer, decode_network_interface, decode_public_ip, encode_load_balancer,
    encode_network_interface, encode_public_ip,
};
use plimsoll_core::model::{ArmId, LoadBalancer, PublicIp};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Exchange {
    pub(crate) file: String,
    method: String,
    path: String,
    sent: Value,
    status: u64,
    answered: Value,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    LoadBalancer,
    PublicIp,
    NetworkInterface,
}

impl Kind {
    /// Of the resource itself, not of its parts.
    fn of(id: &str) -> Option<Self> {
        let id = ArmId::new(id.split('?').next().unwrap_or_default());
        let is = |word: &str| id.kind().eq_ignore_ascii_case(word);
        if is("loadBalancers") {
            Some(Self::LoadBalancer)
        } else if is("publicIPAddresses") {
            Some(Self::PublicIp)
        } else if is("networkInterfaces") {
            Some(Self::NetworkInterface)
        } else {
            None
        }
    }

    fn definition(self) -> (&'static str, &'static str) {
        match self {
            Self::LoadBalancer => ("loadBalancer", "LoadBalancer"),
            Self::PublicIp => ("publicIpAddress", "PublicIPAddress"),
            Self::NetworkInterface => ("networkInterface", "NetworkInterface"),
        }
    }

    /// The body after decoding and encoding; and once more, which must not change it.
    fn round_trip(self, id: &ArmId, body: &Body) -> Body {
        let once = |body: &Body| match self {
            Self::LoadBalancer => encode_load_balancer(&decode_load_balancer(id, body)),
            Self::PublicIp => encode_public_ip(&decode_public_ip(id, body)),
            Self::NetworkInterface => encode_network_interface(&decode_network_interface(id, body)),
        };
        let encoded = once(body);
        assert_eq!(once(&encoded), encoded, "{id}");
        encoded
    }
}

pub(crate) fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/azure");
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: ../shared is absent");
    None
}

fn json_text(value: &Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        Value::Object(map) => json_text(map.get("string").unwrap_or(&Value::Null)),
        _ => Value::Null,
    }
}

pub(crate) fn exchanges(folder: &Path) -> (usize, Vec<Exchange>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let mut all = Vec::new();
    for path in &paths {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).unwrap();
        let text_of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
        if file.ends_with(".yaml") {
            let cassette: Value = serde_yaml_ng::from_str(&text).unwrap();
            for entry in list(&cassette, "interactions") {
                let (request, response) = (&entry["request"], &entry["response"]);
                all.push(Exchange {
                    file: file.clone(),
                    method: text_of(&request["method"]),
                    path: path_of(&text_of(&request["uri"])),
                    sent: json_text(&request["body"]),
                    status: response["status"]["code"].as_u64().unwrap_or(0),
                    answered: json_text(&response["body"]),
                });
            }
            continue;
        }
        let cassette: Value = serde_json::from_str(&text).unwrap();
        for entry in list(&cassette, "Entries") {
            all.push(Exchange {
                file: file.clone(),
                method: text_of(&entry["RequestMethod"]),
                path: path_of(&text_of(&entry["RequestUri"])),
                sent: json_text(&entry["RequestBody"]),
                status: entry["StatusCode"].as_u64().unwrap_or(0),
                answered: json_text(&entry["ResponseBody"]),
            });
        }
        for entry in list(&cassette, "networkCallRecords") {
            let response = &entry["Response"];
            all.push(Exchange {
                file: file.clone(),
                method: text_of(&entry["Method"]),
                path: path_of(&text_of(&entry["Uri"])),
                sent: Value::Null,
                status: text_of(&response["StatusCode"]).parse().unwrap_or(0),
                answered: json_text(&response["Body"]),
            });
        }
    }
    (paths.len(), all)
}

/// Without host and query.
fn path_of(uri: &str) -> String {
    let path = uri.split('?').next().unwrap_or_default();
    match path.find("/subscriptions/") {
        Some(start) => path[start..].to_owned(),
        None => path.to_owned(),
    }
}

/// Every body of a resource in an exchange: what was sent, what was answered, each item of a list.
fn bodies(exchange: &Exchange) -> Vec<(Kind, ArmId, &Body)> {
    let mut found = Vec::new();
    if exchange.method == "PUT"
        && let (Some(kind), Some(body)) = (Kind::of(&exchange.path), exchange.sent.as_object())
    {
        found.push((kind, ArmId::new(&*exchange.path), body));
    }
    found.extend(answers(exchange));
    found
}

/// What Azure answered.
pub(crate) fn answers(exchange: &Exchange) -> impl Iterator<Item = (Kind, ArmId, &Body)> {
    let answered = std::iter::once(&exchange.answered)
        .chain(exchange.answered["value"].as_array().into_iter().flatten());
    answered.filter_map(Value::as_object).filter_map(|body| {
        let id = body.get("id").and_then(Value::as_str)?;
        Some((Kind::of(id)?, ArmId::new(id), body))
    })
}

/// The API descriptions, to ask what is read-only.
struct Descriptions(Map<String, Value>);

impl Descriptions {
    fn read(folder: &Path) -> Self {
        let mut all = Map::new();
        for name in [
            "loadBalancer",
            "publicIpAddress",
            "networkInterface",
            "network",
        ] {
            let path = folder.join(format!("swagger/{name}-2024-01-01.json"));
            let mut document: Value =
                serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            all.insert(name.to_owned(), document["definitions"].take());
        }
        Self(all)
    }

    /// Takes away what the definition says is read-only; what it does not know stays.
    fn strip(&self, file: &str, definition: &Value, value: &mut Value) {
        if let Some(reference) = definition["$ref"].as_str() {
            let (other, name) = reference.split_once("#/definitions/").unwrap_or_default();
            let other = other.trim_start_matches("./").trim_end_matches(".json");
            let file = if other.is_empty() { file } else { other };
            if let Some(definition) = self.0.get(file).and_then(|d| d.get(name)) {
                self.strip(file, definition, value);
            }
            return;
        }
        for part in definition["allOf"].as_array().into_iter().flatten() {
            self.strip(file, part, value);
        }
        if let Some(items) = value.as_array_mut() {
            for item in items {
                self.strip(file, &definition["items"], item);
            }
        }
        let (Some(known), Some(map)) =
            (definition["properties"].as_object(), value.as_object_mut())
        else {
            return;
        };
        map.retain(|name, _| known.get(name).is_none_or(|p| p["readOnly"] != json!(true)));
        for (name, inner) in map {
            if let Some(definition) = known.get(name) {
                self.strip(file, definition, inner);
            }
        }
    }
}

/// What may be written, by the descriptions and by what is written down in the facts about Azure.
fn writable(descriptions: &Descriptions, kind: Kind, body: &Body) -> Value {
    let mut value = Value::Object(body.clone());
    let dynamic_and_mirrored = value.clone();
    let (file, name) = kind.definition();
    descriptions.strip(file, &descriptions.0[file][name], &mut value);
    // The resource itself is named by the address of the PUT, its parts by their names.
    for name in ["id", "name", "type"] {
        value.as_object_mut().unwrap().shift_remove(name);
    }
    let properties = &mut value["properties"];
    match kind {
        // Azure keeps the address of a resource whose PUT does not mention it.
        Kind::PublicIp => {
            remove(properties, &["ipAddress"]);
            // What leaving it out means.
            if properties["ddosSettings"] == json!({ "protectionMode": "VirtualNetworkInherited" })
            {
                remove(properties, &["ddosSettings"]);
            }
        }
        Kind::NetworkInterface => {
            for part in each(properties, "ipConfigurations") {
                remove(part, &["id", "type"]);
                for pool in each(&mut part["properties"], "loadBalancerBackendAddressPools") {
                    only_id(pool);
                }
            }
        }
        Kind::LoadBalancer => {
            if properties["inboundNatPools"]
                .as_array()
                .is_some_and(|p| !p.is_empty())
            {
                remove(properties, &["inboundNatRules"]);
            }
            for array in [
                "frontendIPConfigurations",
                "backendAddressPools",
                "loadBalancingRules",
                "probes",
                "inboundNatRules",
                "inboundNatPools",
                "outboundRules",
            ] {
                for (index, part) in each(properties, array).into_iter().enumerate() {
                    remove(part, &["id"]);
                    let original = &dynamic_and_mirrored["properties"][array][index];
                    load_balancer_part(array, &mut part["properties"], original);
                }
            }
        }
    }
    value
}

fn load_balancer_part(array: &str, properties: &mut Value, original: &Value) {
    for reference in [
        "frontendIPConfiguration",
        "backendAddressPool",
        "probe",
        "publicIPAddress",
        "publicIPPrefix",
        "subnet",
    ] {
        if let Some(reference) = properties.get_mut(reference) {
            only_id(reference);
        }
    }
    match array {
        "frontendIPConfigurations" => {
            if properties["privateIPAllocationMethod"] != "Static" {
                remove(properties, &["privateIPAddress"]);
            }
            // Azure itself drops it there.
            if properties.get("subnet").is_none() {
                remove(properties, &["privateIPAddressVersion"]);
            }
        }
        // A rule for a range of ports shows 0.
        "inboundNatRules" if properties["frontendPort"] == 0 => {
            remove(properties, &["frontendPort"]);
        }
        // Two names for one list.
        "loadBalancingRules" => {
            let single = properties["backendAddressPool"].take();
            remove(properties, &["backendAddressPool"]);
            if single.is_object() && properties["backendAddressPools"].is_null() {
                properties["backendAddressPools"] = json!([single]);
            }
        }
        "backendAddressPools" => {
            let mut index = 0;
            if let Some(list) = properties
                .get_mut("loadBalancerBackendAddresses")
                .and_then(Value::as_array_mut)
            {
                for address in list.iter_mut() {
                    remove(address, &["id", "type", "etag"]);
                    remove(&mut address["properties"], &["provisioningState"]);
                }
                list.retain(|_| {
                    let of = &original["properties"]["loadBalancerBackendAddresses"][index]["properties"];
                    index += 1;
                    // NICs of a NIC-based pool once more; Azure refuses them.
                    of.get("networkInterfaceIPConfiguration").is_none() || of.get("ipAddress").is_some()
                });
            }
        }
        _ => {}
    }
}

fn each<'a>(properties: &'a mut Value, array: &str) -> Vec<&'a mut Value> {
    let array = properties.get_mut(array).and_then(Value::as_array_mut);
    array.into_iter().flatten().collect()
}

fn remove(value: &mut Value, names: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        for name in names {
            map.shift_remove(*name);
        }
    }
}

fn only_id(reference: &mut Value) {
    if let Some(map) = reference.as_object_mut() {
        map.retain(|name, _| name == "id");
    }
}

/// What `wanted` has and `found` has not, or has otherwise. Nothing, an empty list and an empty object are the same.
fn lost(path: &str, wanted: &Value, found: &Value, out: &mut String) {
    match (wanted, found) {
        (Value::Object(wanted), _) => {
            for (name, value) in wanted {
                lost(&format!("{path}.{name}"), value, &found[name], out);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                lost(&format!("{path}[{index}]"), wanted, found, out);
            }
        }
        (Value::Array(wanted), Value::Null) if wanted.is_empty() => {}
        (Value::Null, _) => {}
        _ if wanted == found => {}
        _ => writeln!(out, "{path}: {wanted} became {found}").unwrap(),
    }
}

#[test]
fn every_recorded_body_goes_through_without_loss() {
    let Some(folder) = shared() else { return };
    let descriptions = Descriptions::read(&folder);
    let (files, all) = exchanges(&folder.join("recordings"));
    let (mut count, mut wrong) = (0, String::new());
    for exchange in &all {
        for (kind, id, body) in bodies(exchange) {
            count += 1;
            let encoded = Value::Object(kind.round_trip(&id, body));
            let mut missing = String::new();
            lost(
                "",
                &writable(&descriptions, kind, body),
                &encoded,
                &mut missing,
            );
            // Nothing read-only goes out, and nothing is made up.
            let clean = writable(&descriptions, kind, encoded.as_object().unwrap());
            lost("read-only", &encoded, &clean, &mut missing);
            if !missing.is_empty() {
                writeln!(wrong, "{} {id}\n{missing}", exchange.file).unwrap();
            }
        }
    }
    println!("{count} bodies in {files} files: decoded {count}, lossless unless listed");
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 500, "{count}");
}

#[test]
fn what_was_sent_is_what_was_stored() {
    let Some(folder) = shared() else { return };
    let (_, all) = exchanges(&folder.join("recordings"));
    let (mut count, mut equal, mut wrong) = (0, 0, String::new());
    for exchange in &all {
        let (Some(sent), Some(answered)) =
            (exchange.sent.as_object(), exchange.answered.as_object())
        else {
            continue;
        };
        let ok = exchange.method == "PUT" && (200..=201).contains(&exchange.status);
        let id = ArmId::new(&*exchange.path);
        let (differences, same) = match Kind::of(&exchange.path) {
            Some(Kind::LoadBalancer) if ok => compare::<LoadBalancer>(&id, sent, answered),
            Some(Kind::PublicIp) if ok => {
                let mut sent = sent.clone();
                // Who says nothing gets Dynamic from Azure; we always say it (see `encode_public_ip`).
                let method = &answered["properties"]["publicIPAllocationMethod"];
                let properties = sent.entry("properties").or_insert(json!({}));
                if properties["publicIPAllocationMethod"].is_null() {
                    properties["publicIPAllocationMethod"] = method.clone();
                }
                compare::<PublicIp>(&id, &sent, answered)
            }
            _ => continue,
        };
        count += 1;
        equal += usize::from(same);
        if !differences.is_empty() {
            writeln!(wrong, "{} {id}: {}", exchange.file, differences.join(", ")).unwrap();
        }
    }
    println!(
        "{count} writes: {equal} with equal fingerprints, the others but for what Azure added"
    );
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 70, "{count}");
}

/// What differs from what was sent, and whether the fingerprints are equal outright.
fn compare<T: Whole>(id: &ArmId, sent: &Body, answered: &Body) -> (Vec<String>, bool) {
    let (sent, stored) = (T::decode(id, sent), T::decode(id, answered));
    let planned = sent.fingerprint();
    (
        differences(Some(&stored), &planned, Some(&sent)),
        stored.fingerprint() == planned,
    )
}
