//! Reading Azure: there, not there, or not readable, with the reason.

use crate::fake::{Fake, Fault, Shown, error};
use plimsoll_azure::{Quiet, Reader};
use plimsoll_core::apply::ObserveAzure as _;
use plimsoll_core::model::ArmId;
use plimsoll_core::model::observed::Observation;
use serde_json::json;
use std::sync::Arc;
use tokio::time::Duration;

fn id() -> ArmId {
    ArmId::network("s", "rg-web", "loadBalancers", "web")
}

#[tokio::test(start_paused = true)]
async fn one_get_tells_whether_it_is_there() {
    let fake = Fake::default();
    let reader = Reader::new(fake.client(), Arc::new(Quiet));
    assert_eq!(reader.load_balancer(&id()).await, Observation::Absent);
    fake.load(&id(), json!({ "location": "westeurope" }));
    let observed = reader.load_balancer(&id()).await;
    let attributes = &observed.present().unwrap().attributes;
    assert_eq!(attributes["location"].as_text(), Some("westeurope"));
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_read_is_not_absent() {
    let fake = Fake::default();
    let reader = Reader::new(fake.client(), Arc::new(Quiet));
    let forbidden = error(
        "AuthorizationFailed",
        "The client 'c' does not have authorization to perform action 'Microsoft.Network/loadBalancers/read' over scope '/s'",
    );
    fake.fault("GET", Fault::Answer(403, vec![], forbidden));
    let Observation::Unreadable { why } = reader.load_balancer(&id()).await else {
        panic!("a forbidden read is unreadable")
    };
    assert!(
        why.contains("allows Microsoft.Network/loadBalancers/read"),
        "{why}"
    );
    let gone = error(
        "SubscriptionNotFound",
        "The subscription 's' could not be found.",
    );
    fake.fault("GET", Fault::Answer(404, vec![], gone));
    let Observation::Unreadable { why } = reader.load_balancer(&id()).await else {
        panic!("a wrong subscription is not an absent load balancer")
    };
    assert!(why.contains("check subscription_id"), "{why}");
    fake.fault("GET", Fault::Answer(200, vec![], json!("a portal page")));
    assert!(matches!(
        reader.load_balancer(&id()).await,
        Observation::Unreadable { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn it_is_not_read_while_azure_changes_it() {
    let fake = Fake::default();
    let shown = Arc::new(Shown::default());
    let reader = Reader::new(fake.client(), shown.clone());
    fake.load(&id(), json!({ "location": "old" }));
    fake.set_state(&id(), "Updating");
    let settle = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        fake.load(&id(), json!({ "location": "new" }));
    };
    let lb = id();
    let (observed, ()) = tokio::join!(reader.load_balancer(&lb), settle);
    let attributes = &observed.present().unwrap().attributes;
    assert_eq!(attributes["location"].as_text(), Some("new"));
    assert_eq!(shown.all(), ["Azure is not done with it yet (Updating)"]);
    // And not for ever.
    fake.set_state(&id(), "Updating");
    let Observation::Unreadable { why } = reader.load_balancer(&id()).await else {
        panic!("it is never done")
    };
    assert!(why.contains("still working on it"), "{why}");
}
