//! Creating what is not there, whether or not Azure honours `If-None-Match`.

use crate::fake::{Fake, Fault, Shown, error};
use plimsoll_azure::Writer;
use plimsoll_core::apply::{EnactAzure as _, WorldError};
use plimsoll_core::model::{ArmId, Attr, Fingerprint, PublicIp};
use serde_json::json;

fn address() -> PublicIp {
    PublicIp {
        id: ArmId::network("s", "rg-web", "publicIPAddresses", "green"),
        attributes: [
            ("location".to_owned(), Attr::Text("westeurope".into())),
            ("sku".to_owned(), Attr::Text("Standard".into())),
        ]
        .into(),
        address: None,
        failed: false,
        rest: serde_json::Map::new(),
    }
}

async fn create(fake: &Fake, shown: &Shown) -> Result<PublicIp, WorldError> {
    let address = address();
    Writer::new(fake.client())
        .put_public_ip(
            &address,
            &Fingerprint::absent(),
            &address.fingerprint(),
            shown,
        )
        .await
}

/// Someone else creates it between our GET and our PUT, with tags of their own.
fn overtaken(fake: &Fake) {
    fake.fault(
        "PUT",
        Fault::Meanwhile(|body| {
            body.insert("location".into(), json!("westeurope"));
            body.insert("sku".into(), json!({ "name": "Standard" }));
            body.insert("tags".into(), json!({ "owner": "someone" }));
            body.insert(
                "properties".into(),
                json!({ "publicIPAllocationMethod": "Static", "idleTimeoutInMinutes": 30 }),
            );
        }),
    );
}

#[tokio::test(start_paused = true)]
async fn what_someone_else_created_in_the_meantime_is_not_written_over() {
    let fake = Fake::default();
    fake.honour_if_none_match();
    overtaken(&fake);
    let error = create(&fake, &Shown::default()).await.unwrap_err();
    assert!(matches!(error, WorldError::Stale { .. }), "{error}");
    let there = fake.document(&address().id).unwrap();
    assert_eq!(there["tags"], json!({ "owner": "someone" }));
}

#[tokio::test(start_paused = true)]
async fn where_the_condition_is_ignored_the_look_before_has_to_do() {
    let fake = Fake::default();
    create(&fake, &Shown::default()).await.unwrap();
    assert_eq!(
        fake.requests(),
        [
            "GET publicIPAddresses/green",
            "PUT publicIPAddresses/green if-none-match",
            "GET operation",
            "GET operation",
            "GET publicIPAddresses/green"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn where_the_condition_is_refused_it_is_left_out_and_said() {
    let fake = Fake::default();
    let refused = error(
        "InvalidHeaderValue",
        "The If-None-Match header is not supported for this resource.",
    );
    fake.fault("PUT", Fault::Answer(400, vec![], refused));
    let shown = Shown::default();
    create(&fake, &shown).await.unwrap();
    assert!(fake.document(&address().id).is_some());
    let requests = fake.requests();
    assert_eq!(requests[2], "PUT publicIPAddresses/green");
    assert!(
        shown.all()[0].contains("writing without the condition"),
        "{:?}",
        shown.all()
    );
}
