use crate::support::{Folder, namespaces};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(super) const LOAD_BALANCERS: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/loadBalancers";

/// Another tool's write. Azure asks for patience while what it refers to is still being made.
pub(super) fn put(folder: &Folder, id: &str, body: &Value) {
    let file = folder.path().join("body.json");
    std::fs::write(&file, body.to_string()).unwrap();
    let path = file.to_string_lossy().into_owned();
    eventually("the write is taken", || {
        let answer = folder.lab(&["lab", "arm", "PUT", id, &path]);
        assert!(
            answer.code == 0 || answer.seen().contains("RetryableError"),
            "{}",
            answer.seen()
        );
        answer.code == 0
    });
}

pub(super) fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Another tool's load balancer with a floating rule for each of the frontends.
pub(super) fn terraforms(rules: &[&str]) -> Value {
    let id = format!("{LOAD_BALANCERS}/web");
    let part = |collection: &str, name: &str| json!({ "id": format!("{id}/{collection}/{name}") });
    let frontends: Vec<Value> = [("green", "10.0.0.201"), ("purple", "10.0.0.202")]
        .iter()
        .map(|(name, address)| {
            json!({ "name": name, "properties": {
                "privateIPAddress": address,
                "privateIPAllocationMethod": "Static",
                "subnet": { "id": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/virtualNetworks/vnet/subnets/web" }
            }})
        })
        .collect();
    let rules: Vec<Value> = rules
        .iter()
        .map(|name| {
            json!({ "name": name, "properties": {
                "protocol": "Tcp", "frontendPort": 80, "backendPort": 80, "enableFloatingIP": true,
                "frontendIPConfiguration": part("frontendIPConfigurations", name),
                "backendAddressPools": [part("backendAddressPools", "vms")],
                "probe": part("probes", "http")
            }})
        })
        .collect();
    json!({
        "location": "westeurope",
        "sku": { "name": "Standard" },
        "properties": {
            "frontendIPConfigurations": frontends,
            "backendAddressPools": [{ "name": "vms" }],
            "probes": [{ "name": "http", "properties": { "protocol": "Http", "port": 8080, "requestPath": "/healthz" } }],
            "loadBalancingRules": rules
        }
    })
}

/// The load balancer of `terraform-keeps-the-load-balancer`, with both VMs in its pool.
pub(super) fn terraform_made(folder: &Folder, rules: &[&str]) {
    put(folder, &format!("{LOAD_BALANCERS}/web"), &terraforms(rules));
    for vm in ["vm1", "vm2"] {
        join(folder, vm);
    }
}

fn join(folder: &Folder, vm: &str) {
    let id = format!(
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/networkInterfaces/{vm}-nic"
    );
    let mut nic = folder.lab(&["lab", "arm", "GET", &id]).exits(0).json();
    nic["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] =
        json!([{ "id": format!("{LOAD_BALANCERS}/web/backendAddressPools/vms") }]);
    put(folder, &id, &nic);
}

fn writes(folder: &Folder) -> Vec<String> {
    let all = folder.requests();
    all.into_iter().filter(|r| !r.starts_with("GET")).collect()
}

/// The VMs are ready before Terraform adds a rule, and lose what it needed only after Terraform has removed it.
#[test]
fn guests_follow_a_load_balancer_that_terraform_keeps() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("terraform-keeps-the-load-balancer");
    let id = format!("{LOAD_BALANCERS}/web");
    folder.lab(&["lab", "up"]).exits(0);
    terraform_made(&folder, &["green"]);
    folder.clear_requests();
    folder.apply();
    assert_eq!(
        writes(&folder),
        Vec::<String>::new(),
        "only guests are written"
    );
    folder.lab(&["trace", "10.0.0.201:80"]).exits(0);
    // Announced by `expect`: the guests hold purple's address already, and Azure sends nothing yet.
    let held = folder.inside("vm1", "ip -o addr show dev lo");
    assert!(held.contains("10.0.0.202/32"), "{held}");
    folder.lab(&["trace", "10.0.0.202:80"]).exits(2);

    // Terraform adds it, and it serves at once.
    put(&folder, &id, &terraforms(&["green", "purple"]));
    eventually("purple serves", || {
        let answers = folder.probe("10.0.0.202:80", 8);
        answers.iter().all(|a| a["ok"] == true)
    });
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);

    // Terraform removes green: it is no longer needed, and nothing else is.
    put(&folder, &id, &terraforms(&["purple"]));
    folder.apply();
    let held = folder.inside("vm1", "ip -o addr show dev lo");
    assert!(
        !held.contains("10.0.0.201") && held.contains("10.0.0.202/32"),
        "{held}"
    );
}

/// What is declared is adopted without a write; what is not declared stays in every PUT.
#[test]
fn a_load_balancer_of_the_portal_is_taken_over() {
    if !namespaces() {
        return;
    }
    let folder = Folder::example("adopt");
    folder.lab(&["lab", "up"]).exits(0);
    let scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-old/providers/Microsoft.Network";
    let id = format!("{scope}/loadBalancers/web-lb");
    put(
        &folder,
        &format!("{scope}/publicIPAddresses/web-ip"),
        &json!({ "location": "westeurope", "sku": { "name": "Standard" }, "properties": { "publicIPAllocationMethod": "Static" } }),
    );
    let part = |collection: &str, name: &str| json!({ "id": format!("{id}/{collection}/{name}") });
    let rule = |name: &str, port: u16, floating: bool| {
        json!({ "name": name, "properties": {
            "protocol": "Tcp", "frontendPort": port, "backendPort": port, "enableFloatingIP": floating,
            "disableOutboundSnat": true,
            "frontendIPConfiguration": part("frontendIPConfigurations", "web"),
            "backendAddressPools": [part("backendAddressPools", "vms")],
            "probe": part("probes", "http")
        }})
    };
    put(
        &folder,
        &id,
        &json!({
            "location": "westeurope",
            "tags": { "owner": "portal" },
            "sku": { "name": "Standard" },
            "properties": {
                "frontendIPConfigurations": [{ "name": "web", "properties": { "publicIPAddress": { "id": format!("{scope}/publicIPAddresses/web-ip") } } }],
                "backendAddressPools": [{ "name": "vms" }],
                "probes": [{ "name": "http", "properties": { "protocol": "Http", "port": 8080, "requestPath": "/healthz" } }],
                "loadBalancingRules": [rule("LBRule-80", 80, true), rule("legacy", 8081, false)]
            }
        }),
    );
    let plan = folder.lab(&["plan"]).exits(0).stdout;
    assert!(
        plan.contains("adopted") && plan.contains("legacy"),
        "{plan}"
    );
    folder.clear_requests();
    folder.apply();
    let written = writes(&folder);
    assert!(
        written.iter().all(|w| w.contains("networkInterfaces")),
        "the load balancer is as declared, so nobody writes it: {written:?}"
    );
    let after = folder.lab(&["lab", "arm", "GET", &id]).exits(0).json();
    assert_eq!(after["tags"]["owner"], "portal");
    let names: Vec<&str> = after["properties"]["loadBalancingRules"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["name"].as_str())
        .collect();
    assert_eq!(names, ["LBRule-80", "legacy"]);
    folder.lab(&["trace", "65.52.8.1:80"]).exits(0);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
}
