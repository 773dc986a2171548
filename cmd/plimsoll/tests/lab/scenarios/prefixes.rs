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
