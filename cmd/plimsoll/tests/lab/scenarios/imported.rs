use super::others::terraform_made;
use crate::support::{Folder, namespaces};
use serde_json::Value;
use std::path::Path;

/// What an example needs beside its own apply, for its load balancer to be there and to serve.
fn set_up(example: &str, folder: &Folder) -> Vec<&'static str> {
    let mut apply = vec!["apply", "--auto-approve"];
    // A cluster puts its addresses onto the node that is active.
    let held: &[(&str, &str)] = match example {
        "sql-always-on" => &[("sql1", "10.0.0.100"), ("sql2", "10.0.0.101")],
        "sap-netweaver" => &[
            ("cs1", "10.0.0.7"),
            ("cs2", "10.0.0.8"),
            ("hana1", "10.0.0.13"),
        ],
        _ => &[],
    };
    if example == "sql-always-on" {
        // The lab has no Windows.
        apply.extend(["--var", "os=linux"]);
    }
    let up = [&["lab", "up"], &apply[2..]].concat();
    folder.lab(&up).exits(0);
    for (guest, address) in held {
        folder.inside(guest, &format!("ip addr add {address}/24 dev eth0"));
    }
    if example == "terraform-keeps-the-load-balancer" {
        terraform_made(folder, &["green", "purple"]);
    }
    apply
}

/// How often the text must say so: Azure does not know who holds an address, the guests do.
fn modes(load_balancer: &str) -> (usize, usize) {
    match load_balancer {
        "sql" | "central_services" => (2, 0),
        "hana" => (1, 0),
        "outside" | "inside" => (0, 1),
        _ => (0, 0),
    }
}

fn balancers(folder: &Folder) -> Vec<String> {
    let all = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Network/loadBalancers";
    let listed = folder.lab(&["lab", "arm", "GET", all]).exits(0).json();
    let value = listed["value"].as_array().into_iter().flatten();
    value
        .filter_map(|lb| lb["id"].as_str().map(str::to_owned))
        .collect()
}

/// Nothing is left of the configuration and its state: the folder has a lab and nothing else.
fn empty(folder: &Folder) {
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".plim.hcl") {
            std::fs::remove_file(&path).unwrap();
        }
    }
    std::fs::remove_file(folder.state()).unwrap();
}

/// What a plan would do beyond taking over.
fn written(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().into_iter().flatten();
    changes
        .filter(|change| {
            let action = change["action"].as_str().unwrap_or_default();
            !["no_op", "adopt"].contains(&action)
        })
        .map(Value::to_string)
        .collect()
}

#[test]
fn what_is_imported_of_every_example_changes_nothing() {
    if !namespaces() {
        return;
    }
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let folders = std::fs::read_dir(examples).unwrap();
    let names = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // How to run it in a pipeline: no configuration of its own.
    let mut names: Vec<String> = names.filter(|name| name != "ci").collect();
    names.sort();
    assert!(names.len() >= 11, "{names:?}");
    for example in names {
        let folder = Folder::example(&example);
        let apply = set_up(&example, &folder);
        folder.lab(&apply).exits(0);
        empty(&folder);
        let balancers = balancers(&folder);
        assert!(!balancers.is_empty(), "{example}");
        for id in balancers {
            let text = folder.lab(&["import", &id]).exits(0).stdout;
            let times = |words: &str| text.matches(words).count();
            let said = (
                times("guest_mode = \"cluster\""),
                times("guest_mode = \"none\""),
            );
            let name = id.rsplit('/').next().unwrap_or_default();
            assert_eq!(said, modes(name), "{example}:\n{text}");
            let guests = times("guest \"");
            assert_eq!(guests == 0, example == "scale-set", "{example}:\n{text}");
            folder.write(&text);
            folder.real(&["fmt", "--check"], &[]).exits(0);
            let plan = folder.lab(&["plan", "--json"]).json();
            assert_eq!(plan["complete"], true, "{example}: {plan:#}");
            let written = written(&plan);
            assert!(written.is_empty(), "{example}: {written:#?}\n{text}");
        }
    }
}
