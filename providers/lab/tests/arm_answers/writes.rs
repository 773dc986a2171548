//! What a write leaves behind, and when.

use plimsoll_lab::arm::{ArmAnswer, ArmRequest, Method};
use serde_json::{Value, json};

use crate::lab::{
    Lab, all, balancer, balancer_body, network, nic, nic_body, part, public_ip, rule,
};

#[test]
fn a_public_ip_gets_its_address_when_its_operation_is_done() {
    let lab = Lab::new();
    lab.store
        .prefer_address(
            &public_ip("green").to_uppercase(),
            "65.52.0.1".parse().unwrap(),
        )
        .unwrap();
    let answer = lab.put(
        &public_ip("green"),
        &json!({"location": "West Europe", "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"}}),
    );
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body.as_ref().unwrap()["location"], "westeurope");
    assert_eq!(
        answer.body.as_ref().unwrap()["properties"].get("ipAddress"),
        None
    );
    assert_eq!(
        all(answer.body.as_ref().unwrap(), "provisioningState"),
        ["Updating"]
    );
    lab.wait(299);
    assert_eq!(
        lab.get(&public_ip("green"))["properties"]["provisioningState"],
        "Updating"
    );
    lab.wait(1);
    let done = lab.get(&public_ip("green"));
    assert_eq!(done["properties"]["ipAddress"], "65.52.0.1");
    assert_ne!(
        done["etag"],
        answer.body.unwrap()["etag"],
        "the etag moves when an update ends"
    );
}

#[test]
fn the_service_completes_a_load_balancer() {
    let lab = Lab::with_balancer();
    let shown = lab.get(&balancer());
    let rule = &shown["properties"]["loadBalancingRules"][0];
    let expected = json!({
        "provisioningState": "Succeeded",
        "frontendIPConfiguration": part("frontendIPConfigurations", "green"),
        "frontendPort": 80, "backendPort": 80, "enableFloatingIP": true, "idleTimeoutInMinutes": 4, "protocol": "Tcp",
        "enableDestinationServiceEndpoint": false, "enableTcpReset": false, "allowBackendPortConflict": false,
        "loadDistribution": "Default", "disableOutboundSnat": false,
        "backendAddressPool": part("backendAddressPools", "vms"),
        "backendAddressPools": [part("backendAddressPools", "vms")],
        "probe": part("probes", "http"),
    });
    assert_eq!(rule["properties"], expected);
    assert_eq!(
        rule["type"],
        "Microsoft.Network/loadBalancers/loadBalancingRules"
    );
    let back = json!([part("loadBalancingRules", "green")]);
    for array in ["frontendIPConfigurations", "backendAddressPools", "probes"] {
        assert_eq!(
            shown["properties"][array][0]["properties"]["loadBalancingRules"], back,
            "{array}"
        );
    }
    let mut etags = all(&shown, "etag");
    etags.dedup();
    assert_eq!(
        etags.len(),
        1,
        "one etag for the resource and all its parts"
    );
    assert_eq!(
        lab.get(&public_ip("green"))["properties"]["ipConfiguration"],
        part("frontendIPConfigurations", "green")
    );
}

#[test]
fn a_put_replaces_the_whole_but_not_the_members() {
    let lab = Lab::with_balancer().with_member();
    let before = lab.get(&balancer());
    assert_eq!(
        before["properties"]["backendAddressPools"][0]["properties"]["backendIPConfigurations"],
        json!([{"id": format!("{}/ipConfigurations/ipconfig1", nic())}])
    );
    let answer = lab.put(&balancer(), &balancer_body(&[rule("blue", 81, 81, false)]));
    assert_eq!(answer.status, 200);
    assert!(answer.header("Azure-AsyncOperation").is_some());
    assert_eq!(
        (answer.header("ETag"), answer.header("Location")),
        (None, None)
    );
    let body = answer.body.unwrap();
    assert!(
        all(&body, "provisioningState")
            .iter()
            .all(|state| state == "Updating"),
        "members make it take time"
    );
    assert_eq!(
        body["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(body["properties"]["loadBalancingRules"][0]["name"], "blue");
    assert_eq!(
        body["properties"]["resourceGuid"],
        before["properties"]["resourceGuid"]
    );
    lab.wait(300);
    let after = lab.get(&balancer());
    assert!(
        all(&after, "provisioningState")
            .iter()
            .all(|state| state == "Succeeded")
    );
    assert_eq!(
        after["properties"]["backendAddressPools"][0]["properties"]["backendIPConfigurations"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let etags = [&before, &body, &after].map(|document| document["etag"].clone());
    assert!(
        etags[0] != etags[1] && etags[1] != etags[2],
        "a new etag at the PUT and at its end: {etags:?}"
    );
}

#[test]
fn the_operation_says_when_it_is_done() {
    let lab = Lab::with_balancer().with_member();
    let answer = lab.put(&balancer(), &balancer_body(&[]));
    let link = answer
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://management.lab", "");
    assert!(link.contains("/locations/westeurope/operations/"), "{link}");
    assert_eq!(lab.get(&link), json!({"status": "InProgress"}));
    lab.wait(300);
    assert_eq!(lab.get(&link), json!({"status": "Succeeded"}));
}

#[test]
fn a_later_put_supersedes_a_running_one() {
    let lab = Lab::with_balancer().with_member();
    let first = lab.put(&balancer(), &balancer_body(&[]));
    let second = lab.put(&balancer(), &balancer_body(&[rule("green", 80, 80, true)]));
    lab.wait(300);
    let link = |answer: &ArmAnswer| {
        answer
            .header("Azure-AsyncOperation")
            .unwrap()
            .replace("https://management.lab", "")
    };
    let ended = lab.get(&link(&first));
    assert_eq!(ended["status"], "Canceled");
    assert_eq!(
        ended["error"]["details"][0]["code"],
        "CanceledAndSupersededDueToAnotherOperation"
    );
    assert_eq!(lab.get(&link(&second)), json!({"status": "Succeeded"}));
    assert_eq!(
        lab.get(&balancer())["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn if_match_guards_load_balancers_and_interfaces_as_the_fault_says() {
    let lab = Lab::with_balancer().with_member();
    let guarded = |path: &str, body: &Value, etag: &str| {
        let mut request = ArmRequest::new(
            Method::Put,
            &format!("{path}?api-version=2024-01-01"),
            Some(body),
        );
        request.if_match = Some(etag.to_owned());
        let answer = lab.store.answer(&request);
        lab.wait(1000);
        answer
    };
    let stale = guarded(&balancer(), &balancer_body(&[]), "W/\"x\"");
    assert_eq!(
        (stale.status, stale.error_code()),
        (412, Some("PreconditionFailed"))
    );
    assert_eq!(
        stale.body.unwrap()["error"]["details"][0]["code"],
        "PreconditionFailedEtagMismatch"
    );
    let etag = lab.get(&balancer())["etag"].as_str().unwrap().to_owned();
    assert_eq!(guarded(&balancer(), &balancer_body(&[]), &etag).status, 200);
    for (mode, status) in [("honoured", 412), ("ignored", 200), ("refused", 400)] {
        lab.store
            .set_fault(&format!("nic-if-match={mode}"))
            .unwrap();
        assert_eq!(
            guarded(&nic(), &nic_body(&["vms"]), "W/\"x\"").status,
            status,
            "{mode}"
        );
    }
}

#[test]
fn an_interface_that_joins_moves_the_load_balancers_etag() {
    let lab = Lab::with_balancer();
    let before = lab.get(&balancer())["etag"].clone();
    lab.settle(&nic(), &nic_body(&[]));
    assert_eq!(lab.get(&balancer())["etag"], before);
    lab.settle(&nic(), &nic_body(&["vms"]));
    assert_ne!(lab.get(&balancer())["etag"], before);
    assert_eq!(
        lab.get(&nic())["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"],
        "10.0.0.4"
    );
}

#[test]
fn what_goes_with_a_load_balancer() {
    let lab = Lab::with_balancer().with_member();
    let in_use = lab.send(Method::Delete, &public_ip("green"), None);
    assert_eq!(
        (in_use.status, in_use.error_code()),
        (400, Some("PublicIPAddressCannotBeDeleted"))
    );
    let gone = lab.send(Method::Delete, &balancer(), None);
    assert_eq!((gone.status, gone.body.as_ref()), (202, None));
    let results = gone
        .header("Location")
        .unwrap()
        .replace("https://management.lab", "");
    assert_eq!(lab.send(Method::Get, &results, None).status, 202);
    lab.wait(300);
    assert_eq!(lab.send(Method::Get, &results, None).status, 204);
    assert_eq!(lab.send(Method::Delete, &balancer(), None).status, 204);
    let missing = lab.send(Method::Get, &balancer(), None);
    assert_eq!(
        (missing.status, missing.error_code()),
        (404, Some("ResourceNotFound"))
    );
    assert_eq!(
        lab.get(&nic())["properties"]["ipConfigurations"][0]["properties"]
            .get("loadBalancerBackendAddressPools"),
        None
    );
    assert_eq!(
        lab.send(Method::Delete, &public_ip("green"), None).status,
        202
    );
}

#[test]
fn children_have_their_own_get_and_two_their_own_put() {
    let lab = Lab::with_balancer();
    let rule = format!("{}/loadBalancingRules/green", balancer());
    assert_eq!(lab.get(&rule)["name"], "green");
    assert_eq!(lab.put(&rule, &json!({"properties": {}})).status, 405);
    let pool = format!("{}/backendAddressPools/addresses", balancer());
    let body = json!({"properties": {"loadBalancerBackendAddresses": [{"name": "a", "properties": {"ipAddress": "10.1.0.4",
        "virtualNetwork": {"id": network("virtualNetworks", "vnet")}}}]}});
    let answer = lab.put(&pool, &body);
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    assert_eq!(
        answer.body.unwrap()["properties"]["provisioningState"],
        "Updating"
    );
    lab.wait(300);
    let shown = lab.get(&pool);
    assert_eq!(
        shown["properties"]["loadBalancerBackendAddresses"][0]["properties"]["ipAddress"],
        "10.1.0.4"
    );
    assert_eq!(
        lab.get(&format!("{}/backendAddressPools", balancer()))["value"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(lab.send(Method::Delete, &pool, None).status, 202);
    lab.wait(300);
    assert_eq!(lab.send(Method::Get, &pool, None).status, 404);
    assert_eq!(lab.get(&rule)["name"], "green", "the rest stays");
}

#[test]
fn ten_changed_rules_are_one_put_in_the_log() {
    let lab = Lab::with_balancer();
    lab.store.clear_requests();
    let rules: Vec<Value> = (0..10)
        .map(|at| rule(&format!("r{at}"), 100 + at, 100 + at, true))
        .collect();
    lab.settle(&balancer(), &balancer_body(&rules));
    let log = lab.store.requests();
    let summary: Vec<String> = log
        .iter()
        .map(|entry| format!("{} {}", entry.method, entry.status))
        .collect();
    assert_eq!(summary, ["PUT 200", "GET 200"]);
    assert!(log[0].request_bytes > 1000 && log[0].response_bytes > log[0].request_bytes);
}
