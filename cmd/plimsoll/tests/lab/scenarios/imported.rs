use crate::support::{Folder, namespaces};
use serde_json::Value;
use std::path::Path;

/// Examples with load balancers of their own, and whether its guests are looked at too. The lab knows guests of a
/// `for_each` by names that no block can have, so what is generated for their NICs are other guests there; and where a
/// cluster owns the address, Azure does not tell.
const EXAMPLES: [(&str, bool); 7] = [
    ("dns", false),
    ("dual-stack", false),
    ("floating-ip", true),
    ("other-backend-port", false),
    ("sap-netweaver", false),
    ("sql-always-on", false),
    ("tls-endpoints", false),
];

fn balancers(folder: &Folder) -> Vec<String> {
    let all = "/subscriptions/00000000-0000-0000-0000-000000000000/providers/Microsoft.Network/loadBalancers";
    let listed = folder.lab(&["lab", "arm", "GET", all]).exits(0).json();
    let value = listed["value"].as_array().into_iter().flatten();
    value
        .filter_map(|lb| lb["id"].as_str().map(str::to_owned))
        .collect()
}

/// The configuration files of a folder, which are taken away, and the deployment that they name.
fn taken_away(folder: &Path) -> String {
    let mut deployment = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".plim.hcl") {
            let text = std::fs::read_to_string(&path).unwrap();
            let named = text.lines().find(|line| line.contains("deployment "));
            let quoted = named.and_then(|line| line.split('"').nth(1));
            deployment = quoted.map_or(deployment, str::to_owned);
            std::fs::remove_file(&path).unwrap();
        }
    }
    deployment
}

/// A guest is labelled after its NIC where no machine holds that; in the lab its label is who it is.
fn by_its_own_name(text: &str, deployment: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let line = match line.split_once('"') {
            Some(("guest ", _)) => line.replace("-nic\" {", "\" {"),
            Some((word, _)) if word.trim_start().starts_with("deployment") => {
                format!("{word}{deployment:?}")
            }
            _ => line.to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// What a plan would write, beyond the record of who claims what.
fn written(plan: &Value, guests: bool) -> Vec<String> {
    let changes = plan["changes"].as_array().into_iter().flatten();
    changes
        .filter(|change| {
            let guest = change["address"]
                .as_str()
                .is_some_and(|a| a.starts_with("guest."));
            guests || !guest
        })
        .filter(|change| {
            let action = change["action"].as_str().unwrap_or_default();
            !["no_op", "no-op", "adopt", "forget"].contains(&action)
        })
        .map(Value::to_string)
        .collect()
}

#[test]
fn what_is_imported_of_an_example_changes_nothing() {
    if !namespaces() {
        return;
    }
    for (example, guests) in EXAMPLES {
        let folder = Folder::example(example);
        let mut apply = vec!["apply", "--auto-approve"];
        if example == "sql-always-on" {
            // They run Windows, and no lab has such guests.
            for guest in ["guest.sql[\"sql1\"]", "guest.sql[\"sql2\"]"] {
                apply.extend(["--accept-unready", guest]);
            }
        }
        folder.lab(&apply);
        let deployment = taken_away(folder.path());
        let balancers = balancers(&folder);
        assert!(!balancers.is_empty(), "{example}");
        // Without a state: everything is found, nothing is remembered.
        std::fs::remove_file(folder.state()).unwrap();
        for id in balancers {
            let _ = std::fs::remove_file(folder.path().join("web.plim.hcl"));
            let text = folder.lab(&["import", &id]).exits(0).stdout;
            let text = by_its_own_name(&text, &deployment);
            folder.write(&text);
            folder.real(&["fmt", "--check"], &[]).exits(0);
            let planned = folder.lab(&["plan", "--json"]);
            let written = written(&planned.json(), guests);
            assert!(written.is_empty(), "{example}: {written:#?}\n{text}");
        }
    }
}
