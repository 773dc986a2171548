//! What is put into the emulator from outside.

use plimsoll_lab::arm::Method;
use serde_json::{Value, json};

use crate::lab::{GROUP, Lab, balancer, network, nic, public_ip};

#[test]
fn what_is_loaded_keeps_everything() {
    let lab = Lab::new();
    let pool = format!("{}/backendAddressPools/vms", balancer());
    let scale_set = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0/networkInterfaces/n/ipConfigurations/i";
    let document = json!({"name": "web", "id": balancer(), "etag": "W/\"kept\"", "type": "Microsoft.Network/loadBalancers",
        "location": "westeurope", "sku": {"name": "Standard", "tier": "Regional"}, "properties": {
        "provisioningState": "Succeeded", "resourceGuid": "g", "futureThing": {"a": 1},
        "frontendIPConfigurations": [{"name": "green", "id": format!("{}/frontendIPConfigurations/green", balancer()), "etag": "W/\"kept\"",
            "properties": {"provisioningState": "Succeeded", "publicIPAddress": {"id": public_ip("green")}}}],
        "backendAddressPools": [{"name": "vms", "id": pool, "etag": "W/\"kept\"", "properties": {"provisioningState": "Succeeded",
            "backendIPConfigurations": [{"id": format!("{}/ipConfigurations/ipconfig1", nic())}, {"id": scale_set}]}}],
    }});
    assert_eq!(
        lab.store.load(&json!({"value": [document]})).unwrap(),
        [balancer()]
    );
    let shown = lab.get(&balancer());
    assert_eq!(shown["etag"], "W/\"kept\"");
    assert_eq!(shown["properties"]["futureThing"], json!({"a": 1}));
    let members =
        &shown["properties"]["backendAddressPools"][0]["properties"]["backendIPConfigurations"];
    assert_eq!(members.as_array().unwrap().len(), 2, "{members}");
    assert_eq!(
        lab.get(&nic())["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"],
        json!([{"id": pool}])
    );
    assert!(lab.get(&public_ip("green"))["properties"]["ipAddress"].is_string());
    // A PUT by a client that strips read-only members keeps both memberships.
    let mut body = shown.clone();
    body["properties"]["backendAddressPools"] = json!([{"name": "vms"}]);
    let after = lab.settle(&balancer(), &body);
    let kept =
        &after["properties"]["backendAddressPools"][0]["properties"]["backendIPConfigurations"];
    assert_eq!(kept.as_array().unwrap().len(), 2);
    assert_eq!(after["properties"]["futureThing"], json!({"a": 1}));
    for bad in [
        json!(3),
        json!({}),
        json!({"id": "/x"}),
        json!([{"id": balancer(), "properties": 3}]),
    ] {
        assert!(lab.store.load(&bad).is_err(), "{bad}");
    }
}

#[test]
fn the_labs_own_interfaces_hold_their_addresses() {
    let lab = Lab::new();
    let ensure = |configuration: &str, address: &str| {
        lab.store.ensure_network_interface(
            &nic(),
            configuration,
            address.parse().unwrap(),
            "westeurope",
        )
    };
    ensure("ipconfig1", "10.7.0.4").unwrap();
    ensure("ipv6", "fd00:7::4").unwrap();
    ensure("ipconfig1", "10.7.0.4").unwrap();
    let shown = lab.get(&nic());
    let addresses: Vec<&Value> = shown["properties"]["ipConfigurations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| &part["properties"]["privateIPAddress"])
        .collect();
    assert_eq!(addresses, ["10.7.0.4", "fd00:7::4"]);
    let other = network("networkInterfaces", "other");
    assert!(
        lab.store
            .ensure_network_interface(&other, "i", "10.7.0.4".parse().unwrap(), "westeurope")
            .is_err(),
        "taken"
    );
    assert!(
        lab.store
            .ensure_network_interface("/nonsense", "i", "10.7.0.9".parse().unwrap(), "westeurope")
            .is_err()
    );
    let machine = format!("{GROUP}/providers/Microsoft.Compute/virtualMachines/vm1");
    lab.store
        .ensure_virtual_machine(&machine, "Linux", &[nic()], "westeurope")
        .unwrap();
    assert_eq!(
        lab.get(&nic())["properties"]["virtualMachine"],
        json!({"id": machine})
    );
    assert_eq!(
        lab.send(Method::Delete, &nic(), None).error_code(),
        Some("NicInUse")
    );
}
