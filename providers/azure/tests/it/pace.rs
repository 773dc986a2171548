//! A thousand guests stay below the documented limits: paused time, so that minutes take none.

use crate::fake::Fake;
use plimsoll_azure::{Client, Endpoint, Patience, Quiet, Reader, Writer};
use plimsoll_core::apply::{EnactAzure as _, ObserveAzure as _};
use plimsoll_core::model::ArmId;
use plimsoll_core::plan::MembershipEdit;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::time::{Duration, Instant};

const GUESTS: usize = 1000;

/// Resource Manager's buckets: so many at once, and one more each so many milliseconds (request-limits-and-throttling).
const READS: (usize, u64) = (250, 40);
const WRITES: (usize, u64) = (200, 100);
/// Microsoft.Network's own: so many in five minutes.
const NETWORK_WRITES: usize = 1000;
const WINDOW: Duration = Duration::from_secs(300);

/// Whether a bucket of this size would have refused any of these requests.
fn overflows((size, refill): (usize, u64), moments: &[Instant]) -> bool {
    let refill = Duration::from_millis(refill);
    let mut full_at = moments[0];
    moments.iter().any(|moment| {
        full_at = full_at.max(*moment) + refill;
        full_at.duration_since(*moment) > refill * u32::try_from(size).unwrap()
    })
}

fn most_in_a_window(moments: &[Instant]) -> usize {
    let mut window: VecDeque<Instant> = VecDeque::new();
    let mut most = 0;
    for moment in moments {
        window.push_back(*moment);
        while window
            .front()
            .is_some_and(|first| *moment - *first >= WINDOW)
        {
            window.pop_front();
        }
        most = most.max(window.len());
    }
    most
}

fn interface(number: usize) -> ArmId {
    ArmId::network("s", "g", "networkInterfaces", &format!("nic{number}"))
}

#[tokio::test(start_paused = true)]
async fn a_thousand_guests_join_without_being_throttled() {
    let fake = Fake::default();
    for number in 0..GUESTS {
        let body = serde_json::json!({ "location": "westeurope", "properties": { "ipConfigurations": [
            { "name": "ipconfig1", "properties": { "primary": true } }
        ] } });
        fake.load(&interface(number), body);
    }
    let client = Client::with_transport(
        Endpoint::custom(crate::fake::BASE, None).unwrap(),
        fake.token(),
        Arc::new(fake.clone()),
        Patience::default(),
    );
    let reader = Reader::new(client.clone(), Arc::new(Quiet));
    let writer = Writer::new(client);
    let begun = Instant::now();
    let reads = (0..GUESTS).map(|number| {
        let reader = &reader;
        async move { reader.network_interface(&interface(number)).await }
    });
    futures::future::join_all(reads).await;
    let read = begun.elapsed();
    let pool = ArmId::network("s", "g", "loadBalancers", "web").child("backendAddressPools", "vms");
    let joins = (0..GUESTS).map(|number| {
        let (writer, pool) = (&writer, pool.clone());
        async move {
            let edit = MembershipEdit {
                ip_configuration: "ipconfig1".to_owned(),
                pool,
                join: true,
            };
            writer
                .put_network_interface(&interface(number), &[edit], &Quiet)
                .await
        }
    });
    for joined in futures::future::join_all(joins).await {
        joined.unwrap();
    }
    let (reads, writes) = fake.moments();
    assert_eq!(writes.len(), GUESTS);
    assert!(!overflows(READS, &reads), "{} reads", reads.len());
    assert!(!overflows(WRITES, &writes));
    let most = most_in_a_window(&writes);
    assert!(most <= NETWORK_WRITES, "{most} writes in five minutes");
    // Slow enough, and no slower than the limits ask: 1,000 reads take 30 s.
    assert!(read < Duration::from_secs(35), "{read:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(600),
        "{:?}",
        begun.elapsed()
    );
}
