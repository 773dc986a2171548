use super::others::{LOAD_BALANCERS, eventually, put};
use crate::support::{Folder, namespaces};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SCOPE: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network";

/// Two guests, and a pool of their addresses with one floating rule; `others` is somebody else's.
fn configuration(members: &[(&str, &str)]) -> String {
    let blocks: String = members
        .iter()
        .map(|(name, address)| {
            format!("    address {name:?} {{\n      ip_address = {address:?}\n    }}\n")
        })
        .collect();
    let guests: String = ["vm1", "vm2"]
        .iter()
        .map(|name| {
            format!(
                r#"
guest "{name}" {{
  os = "linux"
  network_interface "main" {{
    id               = "{SCOPE}/networkInterfaces/{name}-nic"
    ip_configuration = "ipconfig1"
  }}
  connection "ssh" {{
    host = "{name}.internal"
  }}
}}
"#
            )
        })
        .collect();
    format!(
        r#"
plimsoll {{
  deployment = "addresses"
}}

provider "azure" {{
  subscription_id = "00000000-0000-0000-0000-000000000000"
}}

load_balancer "web" {{
  resource_group = "rg-web"
  location       = "westeurope"

  frontend "green" {{
    subnet             = "{SCOPE}/virtualNetworks/lab/subnets/lab"
    private_ip_address = "10.0.0.201"
  }}

  backend_pool "ips" {{
    virtual_network = "{SCOPE}/virtualNetworks/lab"
{blocks}  }}

  probe "http" {{
    protocol     = "Http"
    port         = 8080
    request_path = "/healthz"
  }}

  rule "green" {{
    frontend      = frontend.green
    backend_pools = [backend_pool.ips]
    probe         = probe.http
    protocol      = "Tcp"
    frontend_port = 80
    backend_port  = 80
    floating_ip   = true
  }}
}}
{guests}"#
    )
}

fn who_answers(folder: &Folder) -> BTreeSet<String> {
    let answers = folder.probe("10.0.0.201:80", 32);
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

fn addresses(pool: &Value) -> BTreeSet<String> {
    let all = pool["properties"]["loadBalancerBackendAddresses"].as_array();
    all.into_iter()
        .flatten()
        .filter_map(|a| a["properties"]["ipAddress"].as_str().map(str::to_owned))
        .collect()
}

fn holds(folder: &Folder, guest: &str) -> bool {
    folder
        .inside(guest, "ip -o addr show dev lo")
        .contains("10.0.0.201")
}

#[test]
fn a_pool_of_addresses_lives_through_create_change_drift_and_delete() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(&configuration(&[]));
    folder.lab(&["lab", "up"]).exits(0);
    let own = |guest: &str| {
        let shown = folder
            .lab(&[
                "lab",
                "arm",
                "GET",
                &format!("{SCOPE}/networkInterfaces/{guest}-nic"),
            ])
            .exits(0)
            .json();
        let of = &shown["properties"]["ipConfigurations"][0]["properties"];
        of["privateIPAddress"].as_str().unwrap().to_owned()
    };
    let (one, two) = (own("vm1"), own("vm2"));
    let pool = format!("{LOAD_BALANCERS}/web/backendAddressPools/ips");
    let shown = || folder.lab(&["lab", "arm", "GET", &pool]).exits(0).json();

    // Created with one member, which is made ready before it is one.
    folder.write(&configuration(&[("a", &one)]));
    folder.apply();
    answered_by(&folder, ["vm1"]);
    assert!(holds(&folder, "vm1") && !holds(&folder, "vm2"));
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    folder.lab(&["trace", "10.0.0.201:80"]).exits(0);

    // A second one, then the other alone: who left keeps nothing.
    folder.write(&configuration(&[("a", &one), ("b", &two)]));
    folder.apply();
    answered_by(&folder, ["vm1", "vm2"]);
    folder.write(&configuration(&[("b", &two)]));
    folder.apply();
    answered_by(&folder, ["vm2"]);
    assert!(!holds(&folder, "vm1") && holds(&folder, "vm2"));

    // Somebody takes the member out: that is drift, and apply heals it.
    let id = format!("{LOAD_BALANCERS}/web");
    let mut document = folder.lab(&["lab", "arm", "GET", &id]).exits(0).json();
    let before = document.clone();
    document["properties"]["backendAddressPools"][0]["properties"]["loadBalancerBackendAddresses"] =
        json!([]);
    put(&folder, &id, &document);
    assert_eq!(addresses(&shown()), BTreeSet::new());
    let drift = folder.lab(&["drift"]).exits(2).stdout;
    assert!(drift.contains("ips"), "{drift}");
    folder.apply();
    answered_by(&folder, ["vm2"]);

    // A pool whose members the configuration does not name is filled by others, and they stay.
    put(&folder, &id, &before);
    folder.write(&configuration(&[]));
    folder.apply();
    assert_eq!(addresses(&shown()), [two].into());
    let ready = || holds(&folder, "vm2");
    eventually("who is in the pool is ready, whoever put it there", ready);
    answered_by(&folder, ["vm2"]);

    folder.lab(&["destroy", "--auto-approve"]).exits(0);
    folder.lab(&["lab", "arm", "GET", &id]).exits(1);
    assert!(!holds(&folder, "vm1") && !holds(&folder, "vm2"));
}
