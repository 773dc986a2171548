//! The client against every recorded body: it reads it, writes it back without losing anything that may be written, and
//! sees no difference when the same is asked for.

use crate::body::{Body, Json, Kind};
use crate::cassette::Exchange;
use crate::writable::{compare, writable};
use plimsoll_azure::judge::{Whole, differences};
use plimsoll_azure::wire::{
    decode_load_balancer, decode_network_interface, decode_public_ip, decode_public_ip_prefix,
    decode_run_command, decode_run_command_output, encode_network_interface,
};
use plimsoll_core::model::item::{default_of, diff};
use plimsoll_core::model::schema::{Attribute, LOAD_BALANCER, PUBLIC_IP, PUBLIC_IP_PREFIX};
use plimsoll_core::model::{ArmId, Attributes, ItemKind, LoadBalancer, PublicIp, PublicIpPrefix};
use serde_json::{Value, json};

/// What is wrong with one body; nothing, as a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    pub undecoded: Vec<String>,
    pub lost: Vec<String>,
    pub false_differences: Vec<String>,
}

impl Judgement {
    pub fn lines(&self) -> Vec<String> {
        let groups = [
            ("not decoded", &self.undecoded),
            ("lost", &self.lost),
            ("false difference", &self.false_differences),
        ];
        let lines = |(what, all): (&str, &Vec<String>)| {
            let all = all.iter().map(|one| format!("{what}: {one}"));
            all.collect::<Vec<_>>()
        };
        groups.into_iter().flat_map(lines).collect()
    }
}

pub fn judge(exchange: &Exchange, body: &Body) -> Judgement {
    let encoded = body.kind.round_trip(&body.id, &body.json);
    let mut lost = Vec::new();
    let wanted = writable(body.kind, &body.json);
    compare("", &wanted, &Value::Object(encoded.clone()), &mut lost);
    // Nothing read-only goes out.
    if body.kind != Kind::RunCommandOutput {
        let clean = writable(body.kind, &encoded);
        let mut out = Vec::new();
        compare("", &Value::Object(encoded.clone()), &clean, &mut out);
        lost.extend(out.into_iter().map(|text| format!("read-only {text}")));
    }
    let mut false_differences = false_differences(exchange, body);
    if body.kind.round_trip(&body.id, &encoded) != encoded {
        false_differences.push("it reads otherwise once it is written back".to_owned());
    }
    Judgement {
        undecoded: undecoded(body),
        lost,
        false_differences,
    }
}

/// What a reader of this kind has to see and did not.
fn undecoded(body: &Body) -> Vec<String> {
    let properties = body.json.get("properties");
    let count = |array: &str| {
        let list = properties
            .and_then(|p| p.get(array))
            .and_then(Value::as_array);
        list.map_or(0, Vec::len)
    };
    let seen = |what: &str, there: usize, read: usize| {
        (there != read).then(|| format!("{what}: {there} there, {read} read"))
    };
    let has = |name: &str| properties.is_some_and(|p| p.get(name).is_some_and(|v| !v.is_null()));
    match body.kind {
        Kind::LoadBalancer => {
            let lb = decode_load_balancer(&body.id, &body.json);
            let of = |kind: ItemKind| seen(kind.arm(), count(kind.arm()), lb.of_kind(kind).count());
            ItemKind::ALL.into_iter().filter_map(of).collect()
        }
        Kind::NetworkInterface => {
            let nic = decode_network_interface(&body.id, &body.json);
            let configurations = "ipConfigurations";
            let read = nic.ip_configurations.len();
            seen(configurations, count(configurations), read)
                .into_iter()
                .collect()
        }
        Kind::PublicIp => {
            let read = decode_public_ip(&body.id, &body.json).address.is_some();
            let there = has("ipAddress") && body.answered;
            (there && !read)
                .then(|| "its address".to_owned())
                .into_iter()
                .collect()
        }
        Kind::PublicIpPrefix => {
            let read = decode_public_ip_prefix(&body.id, &body.json)
                .block
                .is_some();
            (has("ipPrefix") && !read)
                .then(|| "its block".to_owned())
                .into_iter()
                .collect()
        }
        Kind::RunCommand => {
            let read = decode_run_command(&body.json).view.is_some();
            (has("instanceView") && !read)
                .then(|| "its instance view".to_owned())
                .into_iter()
                .collect()
        }
        Kind::RunCommandOutput => unprinted(&body.json),
    }
}

/// Messages of a run command of which something did not arrive.
fn unprinted(answer: &Json) -> Vec<String> {
    let answer = Value::Object(answer.clone());
    let Some(printed) = decode_run_command_output(&answer) else {
        return vec!["what was printed".to_owned()];
    };
    let places = ["/properties/output/value", "/properties/output", "/value"];
    let items = places
        .iter()
        .find_map(|place| answer.pointer(place)?.as_array());
    let framed = format!("[stdout]\n{}\n[stderr]\n{}", printed.stdout, printed.stderr);
    items
        .into_iter()
        .flatten()
        .filter_map(|item| item["message"].as_str())
        .filter(|message| {
            let whole = [&printed.stdout, &printed.stderr]
                .iter()
                .any(|text| text == message);
            !whole && !message.ends_with(&framed)
        })
        .map(|message| format!("a part of {message:?}"))
        .collect()
}

/// Asks for what is there: as short as a configuration may say it, and with every default spelled out. What Azure answers
/// to a PUT is held against what the PUT asked for, too.
fn false_differences(exchange: &Exchange, body: &Body) -> Vec<String> {
    let mut all = Vec::new();
    match body.kind {
        Kind::LoadBalancer => {
            let there = decode_load_balancer(&body.id, &body.json);
            fields(LOAD_BALANCER, &there.attributes, "", &mut all);
            let mut short = there.clone();
            shorten(LOAD_BALANCER, &mut short.attributes);
            for kind in ItemKind::ALL {
                let table = kind.attributes();
                for item in there.of_kind(kind) {
                    let name = format!("{} {:?}: ", kind.word(), item.name);
                    fields(table, &item.attributes, &name, &mut all);
                }
                let items = short.items.entry(kind).or_default();
                items
                    .values_mut()
                    .for_each(|item| shorten(table, &mut item.attributes));
            }
            all.extend(differences(
                Some(&there),
                &short.fingerprint(),
                Some(&short),
            ));
            all.extend(answered_otherwise::<LoadBalancer>(exchange, body));
        }
        Kind::PublicIp => {
            let there = decode_public_ip(&body.id, &body.json);
            fields(PUBLIC_IP, &there.attributes, "", &mut all);
            let mut short = there.clone();
            shorten(PUBLIC_IP, &mut short.attributes);
            all.extend(differences(
                Some(&there),
                &short.fingerprint(),
                Some(&short),
            ));
            all.extend(answered_otherwise::<PublicIp>(exchange, body));
        }
        // Of these nothing is asked but membership, which is compared pool by pool.
        Kind::NetworkInterface => {
            let there = decode_network_interface(&body.id, &body.json);
            let again = decode_network_interface(&body.id, &encode_network_interface(&there));
            if there.ip_configurations.len() != again.ip_configurations.len()
                || there
                    .ip_configurations
                    .iter()
                    .any(|(name, c)| again.ip_configurations[name].backend_pools != c.backend_pools)
            {
                all.push("membership reads otherwise once it is written back".to_owned());
            }
        }
        Kind::PublicIpPrefix => {
            let there = decode_public_ip_prefix(&body.id, &body.json);
            fields(PUBLIC_IP_PREFIX, &there.attributes, "", &mut all);
            let mut short = there.clone();
            shorten(PUBLIC_IP_PREFIX, &mut short.attributes);
            all.extend(differences(
                Some(&there),
                &short.fingerprint(),
                Some(&short),
            ));
            all.extend(answered_otherwise::<PublicIpPrefix>(exchange, body));
        }
        Kind::RunCommand | Kind::RunCommandOutput => {}
    }
    all
}

fn is_default(attribute: &Attribute, attributes: &Attributes) -> bool {
    let default = default_of(attribute);
    let value = attributes.get(attribute.name);
    matches!((default, value), (Some(default), Some(value)) if default.same(value, attribute.shape))
}

/// Without what says only the default.
fn shorten(table: &[Attribute], attributes: &mut Attributes) {
    for attribute in table.iter().filter(|a| a.name != "allocation_method") {
        if is_default(attribute, attributes) {
            attributes.remove(attribute.name);
        }
    }
}

fn fields(table: &[Attribute], there: &Attributes, of: &str, all: &mut Vec<String>) {
    let mut short = there.clone();
    shorten(table, &mut short);
    let mut long = there.clone();
    for attribute in table {
        if let Some(default) = default_of(attribute) {
            long.entry(attribute.name.to_owned()).or_insert(default);
        }
    }
    for asked in [short, long] {
        let found = diff(table, there, &asked);
        all.extend(found.into_iter().map(|field| format!("{of}{}", field.name)));
    }
}

/// What differs between what a PUT asked for and what Azure stored.
fn answered_otherwise<T: Whole>(exchange: &Exchange, body: &Body) -> Vec<String> {
    let is_write = exchange.method == "PUT"
        && (200..=201).contains(&exchange.status)
        && ArmId::new(exchange.path()) == body.id;
    let (true, true, Some(Value::Object(sent))) = (is_write, body.answered, &exchange.request)
    else {
        return Vec::new();
    };
    let mut sent = sent.clone();
    if body.kind == Kind::PublicIp {
        // Who says nothing gets Dynamic from Azure; the client always says it.
        let properties = sent.entry("properties").or_insert_with(|| json!({}));
        if properties["publicIPAllocationMethod"].is_null() {
            let answered = body.json.get("properties");
            properties["publicIPAllocationMethod"] = answered
                .and_then(|p| p.get("publicIPAllocationMethod").cloned())
                .unwrap_or_default();
        }
    }
    let (sent, stored) = (T::decode(&body.id, &sent), T::decode(&body.id, &body.json));
    differences(Some(&stored), &sent.fingerprint(), Some(&sent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::bodies;
    use std::collections::BTreeMap;

    const ID: &str =
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/web";

    fn put(sent: &Value, answered: &Value) -> Exchange {
        Exchange {
            number: 0,
            method: "PUT".to_owned(),
            url: format!("{ID}?api-version=2024-01-01"),
            request: Some(sent.clone()),
            status: 200,
            headers: BTreeMap::new(),
            response: Some(answered.clone()),
        }
    }

    fn probe(more: &Value) -> Value {
        let mut properties = json!({ "protocol": "Tcp", "port": 80 });
        let members = properties.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        json!({ "id": ID, "location": "westeurope", "properties": {
            "probes": [{ "name": "p", "properties": properties }]
        } })
    }

    fn judged(sent: &Value, answered: &Value) -> Vec<Judgement> {
        let exchange = put(sent, answered);
        let bodies = bodies(&exchange);
        bodies.iter().map(|body| judge(&exchange, body)).collect()
    }

    #[test]
    fn what_azure_fills_in_is_no_difference_and_what_it_changes_is_one() {
        let sent = probe(&json!({}));
        let filled = probe(&json!({ "intervalInSeconds": 15, "numberOfProbes": 2 }));
        for judgement in judged(&sent, &filled) {
            assert_eq!(judgement, Judgement::default());
        }
        let changed = probe(&json!({ "intervalInSeconds": 5 }));
        let answer = judged(&sent, &changed).pop().unwrap();
        assert_eq!(answer.false_differences, ["probe \"p\" changed"]);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let nameless = json!({ "id": ID, "properties": { "probes": [{ "properties": {} }] } });
        let judgement = judged(&nameless, &json!({})).pop().unwrap();
        assert_eq!(judgement.undecoded, ["probes: 1 there, 0 read"]);
    }
}
