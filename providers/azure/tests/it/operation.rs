//! Operations that outlive a run, and the ids that an error has to carry.

use crate::fake::{BASE, Fake, Fault, Shown, error};
use plimsoll_azure::{Quiet, Writer};
use plimsoll_core::apply::EnactAzure as _;
use plimsoll_core::model::{ArmId, Attr, Fingerprint, PublicIp};
use serde_json::{Map, json};

fn address() -> PublicIp {
    PublicIp {
        id: ArmId::network("s", "rg-web", "publicIPAddresses", "green"),
        attributes: [("location".to_owned(), Attr::Text("westeurope".into()))].into(),
        address: None,
        failed: false,
        rest: Map::new(),
    }
}

async fn create(fake: &Fake, shown: &Shown) -> Result<PublicIp, String> {
    let address = address();
    let after = address.fingerprint();
    Writer::new(fake.client())
        .put_public_ip(&address, &Fingerprint::absent(), &after, shown)
        .await
        .map_err(|error| error.to_string())
}

/// The address that is told, and so kept in a journal, is enough to go on and opens nothing by itself.
#[tokio::test(start_paused = true)]
async fn a_kept_address_carries_no_signature_and_still_resumes() {
    let fake = Fake::default();
    let shown = Shown::default();
    create(&fake, &shown).await.unwrap();
    let told = shown.all();
    let kept = told[0].strip_prefix("operation ").unwrap();
    assert!(kept.starts_with(BASE), "{kept}");
    assert!(kept.ends_with("?api-version=2024-01-01"), "{kept}");
    fake.requests();

    // Another run, and the operation is still going on.
    let url = fake.begin_again(&address().id);
    Writer::new(fake.client()).resume(&url, &shown).await;
    assert_eq!(fake.requests(), ["GET operation", "GET operation"]);
    assert!(
        shown.all().last().unwrap().contains("earlier run"),
        "{:?}",
        shown.all()
    );
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_gone_or_not_ours_stops_nobody() {
    let fake = Fake::default();
    let writer = Writer::new(fake.client());
    let gone = format!("{BASE}/subscriptions/s/operations/none");
    writer.resume(&gone, &Quiet).await;
    assert_eq!(fake.requests(), ["GET operation"]);
    writer
        .resume("https://evil.test/operations/1", &Quiet)
        .await;
    writer.resume("nonsense", &Quiet).await;
    assert_eq!(fake.requests(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn every_error_names_the_request_to_microsofts_support() {
    let failed = json!({ "status": "Failed", "error": { "code": "X", "message": "no" } });
    let long = vec![("retry-after", "9999")];
    for (on, fault, id) in [
        (
            "GET",
            Fault::Answer(403, vec![], error("AuthorizationFailed", "no")),
            "correlation id corr-1",
        ),
        (
            "GET",
            Fault::Answer(429, long, error("TooManyRequests", "")),
            "correlation id corr-1",
        ),
        ("PUT", Fault::OperationEnds(failed), "correlation id corr-1"),
        // No answer of Resource Manager's: the id that we sent is the only one.
        (
            "GET",
            Fault::Answer(200, vec![], json!("what")),
            "client request id ",
        ),
    ] {
        let fake = Fake::default();
        fake.fault(on, fault);
        let text = create(&fake, &Shown::default()).await.unwrap_err();
        assert!(text.contains(id), "{text}");
    }
}
