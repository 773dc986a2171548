use crate::support::{EXAMPLE, Folder, namespaces};

fn empty() -> Folder {
    let folder = Folder::new("");
    std::fs::remove_file(folder.path().join("web.plim.hcl")).unwrap();
    folder
}

/// Whatever is chosen: formatted, and it plans.
#[test]
fn what_init_writes_plans() {
    if !namespaces() {
        return;
    }
    let subnet = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v/subnets/s";
    for options in [
        &[][..],
        &["--port", "53", "--protocol", "udp", "--guest", "dns1"],
        &[
            "--subnet",
            subnet,
            "--address",
            "10.0.0.100",
            "--port",
            "1433",
        ],
        &["--backend", "azblob", "--account", "contosostate"],
    ] {
        let folder = empty();
        folder.real(&[&["init"], options].concat(), &[]).exits(0);
        folder.real(&["fmt", "--check"], &[]).exits(0);
        let plan = folder.lab(&["plan"]).exits(0).seen();
        assert!(plan.contains("To apply:"), "{plan}");
    }
    // A second one does not write over it.
    let folder = Folder::new(EXAMPLE);
    let refused = folder.real(&["init"], &[]).exits(1).seen();
    assert!(refused.contains("has a configuration already"), "{refused}");
    // What is no configuration is said like in any other, and not written.
    let folder = empty();
    let refused = folder
        .real(&["init", "--deployment", "Not A Name"], &[])
        .exits(1);
    assert!(refused.seen().contains("deployment"), "{}", refused.seen());
    assert!(!folder.path().join("main.plim.hcl").exists());
}

/// From a load balancer that exists, guests included: the next plan changes nothing.
#[test]
fn init_begins_with_what_exists() {
    if !namespaces() {
        return;
    }
    let folder = Folder::new(EXAMPLE);
    folder.apply();
    std::fs::rename(
        folder.path().join("web.plim.hcl"),
        folder.path().join("kept"),
    )
    .unwrap();
    let id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/loadBalancers/web";
    folder.lab(&["init", "--load-balancer", id]).exits(0);
    let plan = folder.lab(&["plan", "--json"]).exits(0).json();
    let writes = plan["steps"].as_array().map(Vec::len);
    let written: Vec<&serde_json::Value> = plan["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|step| step.to_string().contains("put_"))
        .collect();
    assert!(written.is_empty(), "{writes:?}: {written:?}");
}
