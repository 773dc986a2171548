//! Pool membership: whole-NIC PUTs that change nothing else.

use crate::fake::{Fake, Fault, Shown, error};
use plimsoll_azure::Writer;
use plimsoll_core::apply::EnactAzure as _;
use plimsoll_core::model::ArmId;
use plimsoll_core::plan::MembershipEdit;
use serde_json::json;

fn interface() -> (ArmId, serde_json::Value) {
    let id = ArmId::network("s", "rg-web", "networkInterfaces", "vm1-nic");
    let body = json!({
        "location": "westeurope",
        "properties": {
            "enableIPForwarding": true,
            "novelty": { "deep": [1, 2] },
            "networkSecurityGroup": { "id": "/nsg" },
            "virtualMachine": { "id": "/vm1" },
            "macAddress": "00-0D",
            "ipConfigurations": [
                { "name": "ipconfig1", "properties": {
                    "privateIPAddress": "10.0.0.4", "primary": true, "subnet": { "id": "/subnet" },
                    "loadBalancerInboundNatRules": [{ "id": "/nat" }],
                    "loadBalancerBackendAddressPools": [{ "id": "/LB/pools/Other" }]
                } },
                { "name": "ipconfig2", "properties": { "privateIPAddress": "10.0.0.5" } }
            ]
        }
    });
    (id, body)
}

fn edit(join: bool, pool: &str) -> MembershipEdit {
    MembershipEdit {
        ip_configuration: "ipconfig1".into(),
        pool: ArmId::new(pool),
        join,
    }
}

#[tokio::test(start_paused = true)]
async fn a_nic_joins_and_leaves_and_keeps_everything_else() {
    let fake = Fake::default();
    let (id, body) = interface();
    fake.load(&id, body);
    let writer = Writer::new(fake.client());
    let shown = Shown::default();
    let edits = [edit(true, "/lb/pools/vms"), edit(false, "/lb/pools/other")];
    writer
        .put_network_interface(&id, &edits, &shown)
        .await
        .unwrap();
    assert_eq!(
        fake.requests(),
        [
            "GET networkInterfaces/vm1-nic",
            "PUT networkInterfaces/vm1-nic if-match",
            "GET operation",
            "GET operation",
            "GET networkInterfaces/vm1-nic"
        ]
    );
    let (_, mut expected) = interface();
    let properties = expected["properties"].as_object_mut().unwrap();
    properties.shift_remove("virtualMachine");
    properties.shift_remove("macAddress");
    properties["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] =
        json!([{ "id": "/lb/pools/vms" }]);
    properties["ipConfigurations"][1]["properties"]["loadBalancerBackendAddressPools"] = json!([]);
    assert_eq!(fake.last_body(), expected);

    writer
        .put_network_interface(&id, &edits, &shown)
        .await
        .unwrap();
    assert_eq!(fake.requests(), ["GET networkInterfaces/vm1-nic"]);
}

#[tokio::test(start_paused = true)]
async fn a_nic_that_refuses_if_match_is_written_without() {
    let fake = Fake::default();
    let (id, body) = interface();
    fake.load(&id, body);
    let refused = error(
        "InvalidRequestHeader",
        "The header If-Match is not supported.",
    );
    fake.fault("PUT", Fault::Answer(400, vec![], refused));
    Writer::new(fake.client())
        .put_network_interface(&id, &[edit(true, "/p")], &Shown::default())
        .await
        .unwrap();
    let requests = fake.requests();
    assert_eq!(requests[1], "PUT networkInterfaces/vm1-nic if-match");
    assert_eq!(requests[2], "PUT networkInterfaces/vm1-nic");
}

#[tokio::test(start_paused = true)]
async fn a_membership_that_others_changed_meanwhile_stays() {
    let fake = Fake::default();
    let (id, body) = interface();
    fake.load(&id, body);
    fake.fault(
        "PUT",
        Fault::Meanwhile(|body| {
            body["properties"]["ipConfigurations"][0]["properties"]["loadBalancerBackendAddressPools"] =
                json!([{ "id": "/lb/pools/other" }, { "id": "/theirs" }]);
        }),
    );
    let nic = Writer::new(fake.client())
        .put_network_interface(&id, &[edit(true, "/ours")], &Shown::default())
        .await
        .unwrap();
    let pools = &nic.ip_configurations["ipconfig1"].backend_pools;
    let pools: Vec<&str> = pools.iter().map(ArmId::as_str).collect();
    assert_eq!(pools, ["/lb/pools/other", "/theirs", "/ours"]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_ip_configuration_or_nic_is_named() {
    let fake = Fake::default();
    let (id, body) = interface();
    let writer = Writer::new(fake.client());
    let shown = Shown::default();
    let missing = writer
        .put_network_interface(&id, &[edit(true, "/p")], &shown)
        .await
        .unwrap_err();
    assert!(
        missing
            .to_string()
            .contains("network interface \"vm1-nic\" does not exist")
    );
    fake.load(&id, body);
    let wrong = MembershipEdit {
        ip_configuration: "ipconfig9".into(),
        ..edit(true, "/p")
    };
    let error = writer
        .put_network_interface(&id, &[wrong], &shown)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("it has: ipconfig1, ipconfig2"),
        "{error}"
    );
}
