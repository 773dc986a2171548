use super::others::{LOAD_BALANCERS, eventually, put, terraforms};
use crate::support::{Folder, namespaces};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const GROUP: &str =
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers";

const CONFIGURATION: &str = r#"
plimsoll {
  deployment = "discovered"
}

provider "azure" {
  subscription_id = "00000000-0000-0000-0000-000000000000"
}

data "load_balancer" "web" {
  resource_group = "rg-web"
}

guest "vm" {
  for_each = data.load_balancer.web.backend_pool.vms.members

  os = each.value.os

  network_interface "main" {
    id               = each.value.network_interface
    ip_configuration = each.value.ip_configuration
    backend_pools    = [data.load_balancer.web.backend_pool.vms]
  }

  connection "ssh" {
    host = each.value.private_ip_address
  }
}
"#;

fn configurations() -> Value {
    json!([{ "name": "ipconfig1", "properties": {
        "primary": true,
        "subnet": { "id": format!("{GROUP}/Microsoft.Network/virtualNetworks/vnet/subnets/web") },
        "loadBalancerBackendAddressPools": [{ "id": format!("{LOAD_BALANCERS}/web/backendAddressPools/vms") }]
    }}])
}

/// Another tool makes a virtual machine in the pool.
fn machine(folder: &Folder, name: &str) {
    let nic = format!("{GROUP}/Microsoft.Network/networkInterfaces/{name}-nic");
    put(
        folder,
        &nic,
        &json!({ "location": "westeurope", "properties": { "ipConfigurations": configurations() } }),
    );
    put(
        folder,
        &format!("{GROUP}/Microsoft.Compute/virtualMachines/{name}"),
        &json!({ "location": "westeurope", "properties": {
            "storageProfile": { "osDisk": { "osType": "Linux" } },
            "networkProfile": { "networkInterfaces": [{ "id": nic }] }
        }}),
    );
}

fn instance(number: u32) -> String {
    format!("{GROUP}/Microsoft.Compute/virtualMachineScaleSets/web/virtualMachines/{number}")
}

/// Its scale set makes an instance in the pool.
fn scaled(folder: &Folder, number: u32) {
    let interface = json!({ "name": "main", "properties": { "primary": true, "ipConfigurations": configurations() } });
    put(
        folder,
        &instance(number),
        &json!({ "location": "westeurope", "properties": { "networkProfileConfiguration": { "networkInterfaceConfigurations": [interface] } } }),
    );
}

fn who_answers(folder: &Folder) -> BTreeSet<String> {
    let answers = folder.probe("10.0.0.201:80", 48);
    let answers = answers.iter().filter(|a| a["ok"] == true);
    answers
        .filter_map(|a| a["guest"].as_str().map(str::to_owned))
        .collect()
}

/// Azure sends to a member once its probe has passed, so that takes its time.
fn answered_by<const N: usize>(folder: &Folder, names: [&str; N]) {
    let names: BTreeSet<String> = names.map(str::to_owned).into();
    eventually(&format!("{names:?} answer"), || {
        who_answers(folder) == names
    });
}

#[test]
fn guests_are_whoever_is_in_the_pool() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(CONFIGURATION);
    // Nothing is read to validate, and nothing is wrong.
    let valid = folder.real(&["validate"], &[]).exits(0).seen();
    assert!(
        valid.contains("guest.vm: known once the members of pool \"vms\" of web are read"),
        "{valid}"
    );
    // Guessing that nobody is there would let guests go.
    let nothing = folder.lab(&["plan"]).exits(1).seen();
    assert!(nothing.contains("create it first"), "{nothing}");

    put(
        &folder,
        &format!("{LOAD_BALANCERS}/web"),
        &terraforms(&["green"]),
    );
    // Its instances do not say what they run; its model does.
    let profile = json!({ "storageProfile": { "osDisk": { "osType": "Linux" } } });
    let scale_set = json!({ "location": "westeurope", "sku": { "name": "Standard_B2s" }, "properties": { "virtualMachineProfile": profile } });
    let set = format!("{GROUP}/Microsoft.Compute/virtualMachineScaleSets/web");
    put(&folder, &set, &scale_set);
    machine(&folder, "vm1");
    scaled(&folder, 0);
    let snapshot = folder.path().join("facts.json").display().to_string();
    folder.lab(&["snapshot", "--out", &snapshot]).exits(0);
    let offline = folder
        .lab(&["plan", "--snapshot", &snapshot])
        .exits(0)
        .stdout;
    assert!(
        offline.contains("vm1") && offline.contains("web_0"),
        "{offline}"
    );
    folder.apply();
    answered_by(&folder, ["vm.vm1", "vm.web_0"]);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    folder.lab(&["drift"]).exits(0);

    // Scaled out: the new instance is in the pool at once, and serves once it is a guest.
    scaled(&folder, 1);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(2);
    folder.apply();
    answered_by(&folder, ["vm.vm1", "vm.web_0", "vm.web_1"]);

    // Scaled in: the instance is gone, and so is its guest.
    folder.lab(&["lab", "arm", "DELETE", &instance(0)]).exits(0);
    let pools = format!("{LOAD_BALANCERS}/web/backendAddressPools/vms");
    eventually("it has left the pool", || {
        let pool = folder.lab(&["lab", "arm", "GET", &pools]).exits(0).json();
        let members = pool["properties"]["backendIPConfigurations"].as_array();
        members.map(Vec::len) == Some(2)
    });
    folder.apply();
    answered_by(&folder, ["vm.vm1", "vm.web_1"]);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    let written = folder.requests();
    let by_us: Vec<&String> = written
        .iter()
        .filter(|r| {
            r.starts_with("PUT") && r.contains("networkInterfaces") && !r.contains("vm1-nic")
        })
        .collect();
    assert!(by_us.is_empty(), "{by_us:?}");
    // Written down, a machine is a guest of what its disk says, and an instance is its scale set's.
    let imported = folder
        .lab(&["import", &format!("{LOAD_BALANCERS}/web")])
        .exits(0)
        .stdout;
    let machine = "guest \"vm1\" {\n  os = \"linux\"";
    let instance = format!("member {}", instance(1));
    for said in [machine, &instance, "connection \"run_command\" {}"] {
        assert!(imported.contains(said), "{said}: {imported}");
    }
    // What goes is in the state, so nobody has to be discovered: the load balancer may be gone.
    let id = format!("{LOAD_BALANCERS}/web");
    folder.lab(&["lab", "arm", "DELETE", &id]).exits(0);
    eventually("it is gone", || {
        folder.lab(&["lab", "arm", "GET", &id]).code != 0
    });
    folder.lab(&["destroy", "--auto-approve"]).exits(0);
    let held = folder.inside("vm.vm1", "ip -o addr show dev lo");
    assert!(!held.contains("10.0.0.201"), "{held}");
}
