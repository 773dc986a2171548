//! Misbehaviour on demand.

use plimsoll_lab::arm::Method;
use serde_json::json;

use crate::lab::{Lab, balancer, balancer_body};

#[test]
fn faults_befall_what_they_name() {
    let lab = Lab::with_balancer().with_member();
    let put = || lab.put(&balancer(), &balancer_body(&[]));
    lab.store
        .set_fault("429=1;retry-after=3 on=PUT loadBalancers")
        .unwrap();
    let throttled = put();
    assert_eq!(
        (
            throttled.status,
            throttled.error_code(),
            throttled.header("Retry-After")
        ),
        (429, Some("RetryableError"), Some("3"))
    );
    lab.store.set_fault("409=1").unwrap();
    assert_eq!(put().error_code(), Some("AnotherOperationInProgress"));
    lab.store.set_fault("503=1 on=GET").unwrap();
    assert_eq!(lab.send(Method::Get, &balancer(), None).status, 503);
    assert_eq!(
        lab.get(&balancer())["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "nothing was carried out"
    );

    lab.store.set_fault("superseded").unwrap();
    let answer = put();
    assert_eq!(answer.status, 200);
    lab.wait(400);
    let link = answer
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://management.lab", "");
    assert_eq!(lab.get(&link)["status"], "Canceled");
    assert_eq!(
        lab.get(&balancer())["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "as before"
    );

    lab.store.set_fault("fail-operation").unwrap();
    let answer = put();
    lab.wait(400);
    let link = answer
        .header("Azure-AsyncOperation")
        .unwrap()
        .replace("https://management.lab", "");
    assert_eq!(lab.get(&link)["status"], "Failed");
    assert_eq!(
        lab.get(&balancer())["properties"]["provisioningState"],
        "Failed"
    );

    lab.store.set_fault("slow=2s").unwrap();
    put();
    lab.wait(1999);
    assert_eq!(
        lab.get(&balancer())["properties"]["provisioningState"],
        "Updating"
    );
    lab.wait(1);
    assert_eq!(
        lab.get(&balancer())["properties"]["provisioningState"],
        "Succeeded"
    );
}

#[test]
fn stale_reads_show_the_past_for_a_while() {
    let lab = Lab::with_balancer();
    lab.store.set_fault("stale-reads=5s").unwrap();
    let before = lab.get(&balancer())["etag"].clone();
    assert_eq!(lab.put(&balancer(), &balancer_body(&[])).status, 200);
    lab.wait(4900);
    assert_eq!(lab.get(&balancer())["etag"], before);
    lab.wait(500);
    assert_eq!(
        lab.get(&balancer())["properties"]["loadBalancingRules"],
        json!([])
    );
}
