use crate::support::{Folder, namespaces};

const EXAMPLE: &str = include_str!("../../../../../testdata/valid/prefix-outbound/web.plim.hcl");
const PREFIX: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/publicIPPrefixes/out";
const BALANCER: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-web/providers/Microsoft.Network/loadBalancers/web";

#[test]
fn an_outbound_rule_takes_addresses_from_a_prefix() {
    if !namespaces() {
        return;
    }
    let by_data = EXAMPLE.replace(&format!("{PREFIX:?}"), "data.public_ip_prefix.out")
        + "\ndata \"public_ip_prefix\" \"out\" {\n  resource_group = \"rg-web\"\n}\n";
    let folder = Folder::new(&by_data);
    folder.apply();
    let of = |id: &str| folder.lab(&["lab", "arm", "GET", id]).exits(0).json();
    let lb = of(BALANCER);
    let frontend = &lb["properties"]["frontendIPConfigurations"][1];
    assert_eq!(frontend["properties"]["publicIPPrefix"]["id"], PREFIX);
    let user = &of(PREFIX)["properties"]["loadBalancerFrontendIpConfiguration"]["id"];
    assert_eq!(user, &frontend["id"]);
    folder.clear_requests();
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    let reads = folder.requests();
    let of_prefix = |r: &&String| r.contains("publicIPPrefixes/out");
    assert_eq!(reads.iter().filter(of_prefix).count(), 1, "{reads:?}");
    // Its id says the same.
    folder.write(EXAMPLE);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    let imported = folder.lab(&["import", BALANCER]).exits(0).stdout;
    assert!(imported.contains(PREFIX), "{imported}");

    // 16 addresses have 1,024,000 ports; Azure would refuse more.
    let ports = |count: u32| {
        by_data.replace(
            "protocol     = \"All\"",
            &format!("protocol     = \"All\"\n    allocated_outbound_ports = {count}"),
        )
    };
    folder.write(&ports(64_000));
    folder.apply();
    let pools = by_data.replace(
        "frontends    = [frontend.out]",
        "frontends    = [frontend.out]\n    allocated_outbound_ports = 8",
    );
    folder.write(&pools);
    folder.lab(&["plan", "--detailed-exitcode"]).exits(2);
}

/// From nothing to addresses of a block of one's own, taken over by `import`, and given up in the right order.
#[test]
fn a_prefix_of_ones_own_lives_and_goes_with_what_uses_it() {
    if !namespaces() {
        return;
    }
    let own = EXAMPLE.replace(&format!("{PREFIX:?}"), "public_ip_prefix.out")
        + "\npublic_ip_prefix \"out\" {\n  resource_group = \"rg-web\"\n  location       = \"westeurope\"\n  prefix_length  = 30\n}\n"
        + "\npublic_ip \"of_it\" {\n  resource_group   = \"rg-web\"\n  location         = \"westeurope\"\n  public_ip_prefix = public_ip_prefix.out\n}\n";
    let folder = Folder::new(&own);
    folder.apply();
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);
    let of = |id: &str| folder.lab(&["lab", "arm", "GET", id]).exits(0).json();
    let prefix = of(PREFIX);
    assert_eq!(prefix["properties"]["prefixLength"], 30);
    let address = of(&PREFIX.replace("publicIPPrefixes/out", "publicIPAddresses/of_it"));
    let block: ipnet::Ipv4Net = text(&prefix, "ipPrefix").parse().unwrap();
    assert!(
        block.contains(
            &text(&address, "ipAddress")
                .parse::<std::net::Ipv4Addr>()
                .unwrap()
        )
    );

    // Another hand adds a tag: what is not declared is kept, and what is declared is put back.
    let tagged = own.replace(
        "prefix_length  = 30",
        "prefix_length  = 30\n  tags           = { team = \"web\" }",
    );
    folder.write(&tagged);
    folder.apply();
    assert_eq!(of(PREFIX)["tags"]["team"], "web");
    folder.lab(&["plan", "--detailed-exitcode"]).exits(0);

    // Without a state it is adopted by the block that import writes.
    let state = std::fs::read(folder.state()).unwrap();
    std::fs::remove_file(folder.state()).unwrap();
    let imported = folder.lab(&["import", BALANCER]).exits(0).stdout;
    let import = format!("import {{\n  to = public_ip_prefix.out\n  id = {PREFIX:?}\n}}");
    assert!(imported.contains(&import), "{imported}");
    folder.write(&imported);
    let plan = folder.lab(&["plan", "--json"]).exits(0).json();
    let changes = plan["changes"].as_array().unwrap();
    let quiet = |c: &&serde_json::Value| c["action"] != "adopt" && c["action"] != "no_op";
    assert_eq!(changes.iter().filter(quiet).count(), 0, "{plan:#}");
    std::fs::write(folder.state(), state).unwrap();
    folder.write(&tagged);

    folder.clear_requests();
    folder
        .lab(&["destroy", "--auto-approve", "--release-addresses"])
        .exits(0);
    let requests = folder.requests();
    let deleted: Vec<&str> = requests
        .iter()
        .filter_map(|r| r.strip_prefix("DELETE Microsoft.Network/"))
        .filter(|r| r.contains("web") || r.ends_with("/out") || r.ends_with("/of_it"))
        .collect();
    let last: Vec<&str> = deleted.iter().rev().take(2).rev().copied().collect();
    assert_eq!(
        last,
        ["publicIPAddresses/of_it", "publicIPPrefixes/out"],
        "{requests:#?}"
    );
}

fn text<'a>(document: &'a serde_json::Value, property: &str) -> &'a str {
    document["properties"][property]
        .as_str()
        .unwrap_or_default()
}
