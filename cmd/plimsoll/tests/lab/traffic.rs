//! What clients notice, by a client that opens more than 50 connections a second all the while.

use crate::support::{EXAMPLE, Folder, namespaces};
use std::collections::BTreeSet;

/// What the example serves over TCP.
const SERVED: [&str; 4] = [
    "65.52.0.1:80",
    "65.52.0.2:80",
    "65.52.0.1:81",
    "65.52.0.1:8000",
];

/// Applies a configuration; nothing is interrupted but what the plan says ends. Answers what it said would.
fn applied_under_load(folder: &Folder, text: &str) -> BTreeSet<String> {
    folder.write(text);
    let plan = folder.lab(&["plan", "--json"]).exits(0).json();
    let announced: BTreeSet<String> = plan["traffic"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|flow| flow["effect"] == "ends")
        .map(|flow| format!("{}:{}", flow["destination"].as_str().unwrap(), flow["port"]))
        .collect();
    let targets: Vec<&str> = SERVED
        .into_iter()
        .filter(|target| !announced.contains(*target))
        .collect();
    folder.under_load(&targets, || {
        folder.apply();
    });
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    announced
}

#[test]
fn rules_move_pools_are_replaced_and_guests_are_rebuilt() {
    if !namespaces() {
        return;
    }
    // Connections that are open while a guest leaves have the time to end.
    let patient = EXAMPLE.replace(
        "load_balancer \"web\" {",
        "load_balancer \"web\" {\n  drain = \"1s\"",
    );
    let folder = Folder::new(&patient);
    folder.apply();
    folder.lab(&["lab", "fault", "slow=1s"]).exits(0);
    let nobody = BTreeSet::new();

    let replaced = patient
        .replace("backend_pool \"vms\"", "backend_pool \"blue\"")
        .replace("backend_pool.vms", "backend_pool.blue");
    assert_eq!(applied_under_load(&folder, &replaced), nobody, "the pool");

    // vm1 leaves, a machine under its name is set up anew with another interface, and joins.
    let at = replaced.find("guest \"vm1\" {").unwrap();
    let until = replaced.find("guest \"vm2\" {").unwrap();
    let without = format!("{}{}", &replaced[..at], &replaced[until..]);
    assert_eq!(applied_under_load(&folder, &without), nobody, "vm1 leaves");
    folder
        .lab(&[
            "lab",
            "exec",
            "vm1",
            "--",
            "sh",
            "-c",
            "rm -rf /var/lib/plimsoll /etc/systemd/system/*",
        ])
        .exits(0);
    let rebuilt = replaced.replace("vm1-nic", "vm1-new-nic");
    assert_eq!(applied_under_load(&folder, &rebuilt), nobody, "vm1 is new");
    // Another interface again, without leaving first.
    assert_eq!(applied_under_load(&folder, &replaced), nobody, "vm1's NIC");

    // A rule moves to another frontend: its old destination ends, and that is said.
    let rule = "rule \"alt\" {\n    frontend      = frontend.";
    let moved = replaced.replace(&format!("{rule}green"), &format!("{rule}purple"));
    let announced = applied_under_load(&folder, &moved);
    assert_eq!(announced, ["65.52.0.1:8000".to_owned()].into());
    folder.serves("65.52.0.2:8000", &["65.52.0.2:8080"]);
    for target in ["65.52.0.1:80", "65.52.0.2:80"] {
        folder.serves(target, &[target]);
    }
}
