//! Recorded documents in the emulator: loaded, read, and put back by a careful client, they stay as Azure showed them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use jiff::Timestamp;
use plimsoll_lab::arm::{ArmRequest, Method, Store};
use plimsoll_recordings::{Format, bodies, differences_in, read_folder};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

#[test]
fn recorded_documents_come_back_as_they_were_loaded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/azure/recordings");
    if !folder.is_dir() {
        println!("skipped: ../shared is absent");
        return;
    }
    let types = [
        "loadBalancers",
        "publicIPAddresses",
        "publicIPPrefixes",
        "networkInterfaces",
    ];
    let mut loaded = 0;
    for file in read_folder(&folder).unwrap() {
        // Recorded with the API of 2016, which did not name SKUs: putting it back would ask for another one.
        if file.format == Format::Java {
            continue;
        }
        let exchanges = file.exchanges.iter().filter(|e| e.status == 200);
        for body in exchanges.flat_map(bodies).filter(|body| body.answered) {
            let document = Value::Object(body.json);
            let kind = document["type"].as_str().unwrap_or_default();
            let is_ours = types
                .iter()
                .any(|name| kind == format!("Microsoft.Network/{name}"));
            // Generic lists show a few members only.
            if !is_ours || document.get("properties").is_none() {
                continue;
            }
            let store = Store::in_memory(Arc::new(|| Timestamp::UNIX_EPOCH));
            let ids = store.load(&document).unwrap();
            let mut differences = differences_in(&document, &store.document(&ids[0]).unwrap());
            // A recorded document may have been caught while it changed; loaded ones are done. A document of an
            // older api-version gains the defaults that a newer one shows.
            differences.retain(|difference| {
                !difference.contains("/provisioningState")
                    && !difference.contains(": Azure has none")
            });
            assert!(differences.is_empty(), "{}: {differences:#?}", file.name);
            loaded += 1;
            let lost = lost_when_put_back(&store, &ids[0]);
            assert!(lost.is_empty(), "{} {}: {lost:#?}", file.name, ids[0]);
        }
    }
    println!("{loaded} documents come back as they were loaded, and as they were when put back");
    assert!(loaded > 300);
}

/// Puts a document back as a careful client would, without the read-only members, and returns what
/// that changed. Defaults that an older version did not show may appear.
fn lost_when_put_back(store: &Store, id: &str) -> Vec<String> {
    let before = store.document(id).unwrap();
    let mut body = before.clone();
    for pool in body
        .pointer_mut("/properties/backendAddressPools")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let addresses = pool.pointer_mut("/properties/loadBalancerBackendAddresses");
        if let Some(addresses) = addresses.and_then(Value::as_array_mut) {
            addresses.retain(|address| {
                address
                    .pointer("/properties/networkInterfaceIPConfiguration")
                    .is_none()
            });
        }
    }
    let request = ArmRequest::new(
        Method::Put,
        &format!("{id}?api-version=2024-01-01"),
        Some(&body),
    );
    let answer = store.answer(&request);
    if answer.status >= 300 {
        return vec![answer.text()];
    }
    let mut differences = differences_in(&before, &store.document(id).unwrap());
    differences.retain(|difference| {
        !difference.contains(": Azure has none") && !difference.contains("provisioningState")
    });
    differences
}
