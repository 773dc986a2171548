use crate::support::{Folder, namespaces};
use serde_json::{Value, json};
use std::path::Path;

/// A load balancer as an administrator made it, with properties that plimsoll does not model.
const EXISTING: &str = include_str!("../../../../testdata/arm/existing-load-balancer.json");

#[test]
fn one_rule_on_an_existing_load_balancer_changes_nothing_else() {
    if namespaces() {
        one_rule(&serde_json::from_str(EXISTING).unwrap());
    }
}

#[test]
fn one_rule_on_load_balancers_recorded_from_azure() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/azure/recordings");
    if !folder.is_dir() {
        println!("skipped: ../shared is absent");
        return;
    }
    if !namespaces() {
        return;
    }
    let recorded = recorded_load_balancers(&folder);
    assert!(recorded.len() >= 4, "{} load balancers", recorded.len());
    recorded.iter().for_each(one_rule);
}

/// The last answer for each Standard load balancer that has what a rule needs, a dozen of them.
fn recorded_load_balancers(folder: &Path) -> Vec<Value> {
    let mut all: std::collections::BTreeMap<String, Value> = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for body in bodies(&text) {
            let usable = |array: &str| {
                body["properties"][array]
                    .as_array()
                    .is_some_and(|a| !a.is_empty())
            };
            // With an outbound rule on the frontend Azure would demand another rule than ours.
            let plain = usable("frontendIPConfigurations")
                && usable("backendAddressPools")
                && !usable("outboundRules");
            if plain && body["sku"]["tier"] == "Regional" && body["sku"]["name"] == "Standard" {
                all.insert(
                    body["id"].as_str().unwrap_or_default().to_ascii_lowercase(),
                    body,
                );
            }
        }
    }
    all.into_values().take(12).collect()
}

/// Every load balancer in a recording: bodies are JSON inside strings, in YAML and in JSON cassettes alike.
fn bodies(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    if let Ok(document) = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(text) {
        strings(&document, &mut |text| {
            if let Ok(body) = serde_json::from_str::<Value>(text) {
                let items = body["value"].as_array().cloned().unwrap_or_default();
                found.push(body);
                found.extend(items);
            }
        });
    }
    found.retain(|b| {
        b["type"]
            .as_str()
            .is_some_and(|t| t.eq_ignore_ascii_case("Microsoft.Network/loadBalancers"))
    });
    found
}

fn strings(value: &serde_yaml_ng::Value, see: &mut dyn FnMut(&str)) {
    use serde_yaml_ng::Value as Yaml;
    match value {
        Yaml::String(text) if text.starts_with('{') => see(text),
        Yaml::Sequence(items) => items.iter().for_each(|item| strings(item, see)),
        Yaml::Mapping(entries) => entries.values().for_each(|item| strings(item, see)),
        Yaml::Tagged(tagged) => strings(&tagged.value, see),
        Yaml::String(_) | Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => {}
    }
}

fn one_rule(document: &Value) {
    let id = document["id"].as_str().unwrap();
    let parts: Vec<&str> = id.split('/').collect();
    let properties = &document["properties"];
    let probe = properties["probes"][0]["name"]
        .as_str()
        .map(|n| format!("    probe         = {n:?}\n"))
        .unwrap_or_default();
    let folder = Folder::new(&format!(
        r#"
provider "azure" {{
  subscription_id = "{}"
}}

load_balancer "existing" {{
  name           = {}
  resource_group = "{}"
  location       = {}

  rule "ours" {{
    frontend      = {}
    backend_pools = [{}]
{probe}    protocol      = "Tcp"
    frontend_port = 4711
    backend_port  = 4711
    floating_ip   = true
  }}
}}
"#,
        parts[2],
        document["name"],
        parts[4],
        document["location"],
        properties["frontendIPConfigurations"][0]["name"],
        properties["backendAddressPools"][0]["name"],
    ));
    folder.lab(&["lab", "up"]).exits(0);
    let file = folder.path().join("existing.json");
    std::fs::write(&file, document.to_string()).unwrap();
    folder
        .lab(&["lab", "load", file.to_str().unwrap()])
        .exits(0);
    let before = folder.lab(&["lab", "arm", "GET", id]).exits(0).json();

    let plan = folder.lab(&["plan", "--json"]).exits(0).json();
    let changes: Vec<&Value> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["action"] != "no_op")
        .collect();
    assert_eq!(changes.len(), 1, "{id}: {changes:?}");
    assert_eq!(changes[0]["action"], "adopt", "{id}");
    assert!(
        changes[0]
            .get("fields")
            .is_none_or(|f| f.as_array().is_some_and(Vec::is_empty)),
        "{id}: {}",
        changes[0]
    );
    let items: Vec<(Value, Value)> = changes[0]["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| (i["name"].clone(), i["action"].clone()))
        .collect();
    assert_eq!(items, [(json!("ours"), json!("create"))], "{id}");

    folder.apply();
    let mut after = folder.lab(&["lab", "arm", "GET", id]).exits(0).json();
    let rules = after["properties"]["loadBalancingRules"]
        .as_array_mut()
        .unwrap();
    rules.retain(|r| r["name"] != "ours");
    assert_eq!(quiet(&before), quiet(&after), "{id}");
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}

/// Without etags, provisioning states and the back-references to our own rule.
fn quiet(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(key, _)| !["etag", "provisioningState"].contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), quiet(value)))
                .filter(|(key, value)| !(key == "loadBalancingRules" && value == &json!([])))
                .collect(),
        ),
        Value::Array(list) => Value::Array(
            list.iter()
                .filter(|v| {
                    !v["id"]
                        .as_str()
                        .is_some_and(|id| id.ends_with("/loadBalancingRules/ours"))
                })
                .map(quiet)
                .collect(),
        ),
        other => other.clone(),
    }
}
