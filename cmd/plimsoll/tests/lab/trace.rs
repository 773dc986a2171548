use crate::support::{EXAMPLE, Folder, namespaces};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const GREEN: &str = "65.52.0.1:80";

/// What is done to vm2, the hop that the trace must name, and whether Azure goes on sending packets there.
const FAULTS: &[(&str, &str, &str, bool)] = &[
    (
        "the address is missing",
        "ip addr del 65.52.0.1/32 dev lo",
        "address",
        true,
    ),
    (
        "our opening is gone",
        "nft delete rule inet filter input handle $(nft -a list chain inet filter input | \
         sed -n '/65.52.0.1 tcp dport 80 /s/.*handle //p')",
        "firewall",
        true,
    ),
    (
        "a deny stands before our opening",
        "nft insert rule inet filter input tcp dport 80 drop",
        "firewall",
        true,
    ),
    (
        "the probe is refused",
        "nft insert rule inet filter input tcp dport 8081 drop",
        "probe",
        false,
    ),
];

#[test]
fn a_trace_says_what_packets_show() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    let ahead = folder.lab(&["trace", GREEN, "--desired"]).exits(0);
    assert!(
        ahead.stdout.contains("serves after apply"),
        "{}",
        ahead.stdout
    );
    folder.lab(&["trace", GREEN]).exits(2);
    folder.apply();
    let all = [
        GREEN,
        "65.52.0.2:80",
        "65.52.0.1:8000",
        "65.52.0.1:81",
        "65.52.0.2:53/udp",
    ];
    let words = [&["trace", "--json"][..], &all].concat();
    let traces = folder.lab(&words).exits(0).json();
    assert_eq!(
        (&traces["kind"], &traces["serves"]),
        (&json!("traces"), &json!(true))
    );
    for (destination, trace) in all.iter().zip(traces["traces"].as_array().unwrap()) {
        assert_eq!(trace["serves"], true, "{trace}");
        assert!(answering(&folder, destination).1, "{destination}");
    }
    for (name, script, hop, receives) in FAULTS {
        folder.inside("vm2", script);
        let trace = folder.lab(&["trace", GREEN, "--json"]).exits(2).json();
        let vm2 = of(&trace, "vm2");
        assert_eq!(vm2["verdict"]["at"], *hop, "{name}: {vm2}");
        assert_eq!(vm2["receives"], *receives, "{name}: {vm2}");
        assert_eq!(of(&trace, "vm1")["verdict"]["is"], "serves", "{name}");
        wait_until(&folder, &["vm1"], !*receives);
        let seen = folder.lab(&["trace", GREEN]).exits(2).stdout;
        assert!(
            seen.contains("does not serve") && seen.contains("Fix: "),
            "{seen}"
        );
        mend(&folder);
    }
    denied_by_azure(&folder);
}

/// With floating IP a network security group sees the frontend's address: one that speaks of the VM's own misses it.
fn denied_by_azure(folder: &Folder) {
    let scope = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network";
    let put = |id: &str, body: &Value| {
        let file = folder.path().join("body.json");
        std::fs::write(&file, body.to_string()).unwrap();
        let path = file.to_string_lossy().into_owned();
        folder.lab(&["lab", "arm", "PUT", id, &path]).exits(0);
    };
    let group = format!("{scope}/networkSecurityGroups/vm2-nsg");
    let allow = |destination: &str| {
        json!({ "location": "westeurope", "properties": { "securityRules": [{ "name": "web", "properties": {
            "protocol": "Tcp", "access": "Allow", "priority": 100, "direction": "Inbound",
            "sourceAddressPrefix": "*", "sourcePortRange": "*",
            "destinationAddressPrefix": destination, "destinationPortRange": "80"
        }}]}})
    };
    put(&group, &allow("10.0.0.12"));
    let id = format!("{scope}/networkInterfaces/vm2-nic");
    let mut nic = folder.lab(&["lab", "arm", "GET", &id]).exits(0).json();
    nic["properties"]["networkSecurityGroup"] = json!({ "id": group });
    put(&id, &nic);
    let trace = folder.lab(&["trace", GREEN, "--json"]).exits(2).json();
    let vm2 = of(&trace, "vm2");
    assert_eq!(vm2["verdict"]["at"], "security_group", "{vm2}");
    wait_until(folder, &["vm1"], false);
    put(&group, &allow("65.52.0.1"));
    folder.lab(&["trace", GREEN]).exits(0);
    wait_until(folder, &["vm1", "vm2"], true);
}

/// Azure needs a moment to notice what a probe tells, and to enact a write.
#[track_caller]
fn wait_until(folder: &Folder, guests: &[&str], all_answered: bool) {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (found, all) = answering(folder, GREEN);
        if found.iter().map(String::as_str).eq(guests.iter().copied()) && all == all_answered {
            return;
        }
        assert!(Instant::now() < end, "{found:?}, all answered: {all}");
    }
}

/// Undoes what faults leave behind: apply mends what is ours, and a person takes the denies away.
fn mend(folder: &Folder) {
    let denies = "for handle in $(nft -a list chain inet filter input | \
                  sed -n '/^\\t*tcp dport [0-9]* drop/s/.*handle //p'); do \
                  nft delete rule inet filter input handle \"$handle\"; done";
    folder.inside("vm2", denies);
    folder.apply();
    wait_until(folder, &["vm1", "vm2"], true);
}

fn of<'a>(trace: &'a Value, guest: &str) -> &'a Value {
    let members = trace["routes"][0]["members"].as_array();
    members
        .and_then(|members| members.iter().find(|m| m["name"] == guest))
        .unwrap_or_else(|| panic!("{trace}"))
}

/// Who answered, and whether every packet was answered.
fn answering(folder: &Folder, destination: &str) -> (BTreeSet<String>, bool) {
    let answers = folder.probe(destination, 12);
    let guest = |a: &Value| a["guest"].as_str().map(str::to_owned);
    (
        answers.iter().filter_map(guest).collect(),
        answers.iter().all(|a| a["ok"] == true),
    )
}
