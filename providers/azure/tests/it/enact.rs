//! Writing to Azure: what is sent, how often, and what becomes of it when something moves, breaks or comes late.

use crate::fake::{Fake, Fault, Shown, error};
use plimsoll_azure::Writer;
use plimsoll_core::apply::{EnactAzure as _, WorldError};
use plimsoll_core::model::{ArmId, Attr, Fingerprint, Item, ItemKind, LoadBalancer, PublicIp};
use serde_json::json;
use tokio::time::{Duration, Instant};

fn lb_id() -> ArmId {
    ArmId::network("s", "rg-web", "loadBalancers", "web")
}

/// As a plan makes it: it says nothing of what Azure fills in.
fn load_balancer(rules: &[(&str, i64)]) -> LoadBalancer {
    let mut lb = LoadBalancer::new(lb_id());
    let text = |t: &str| Attr::Text(t.to_owned());
    lb.attributes.insert("location".into(), text("westeurope"));
    lb.attributes.insert("sku".into(), text("Standard"));
    for (name, port) in rules {
        let rule = Item::new(*name)
            .with("protocol", text("Tcp"))
            .with("frontend_port", Attr::Int(*port))
            .with("backend_port", Attr::Int(*port))
            .with("floating_ip", Attr::Bool(true));
        lb.set(ItemKind::Rule, rule);
    }
    lb
}

/// A world that holds the load balancer with rule `a`, and the plan to add rule `b`.
struct Update {
    fake: Fake,
    writer: Writer,
    shown: Shown,
    before: LoadBalancer,
    after: LoadBalancer,
}

impl Update {
    fn new() -> Self {
        let fake = Fake::default();
        let before = load_balancer(&[("a", 80)]);
        let body = plimsoll_azure::wire::encode_load_balancer(&before);
        fake.load(&before.id, body.into());
        Self {
            writer: Writer::new(fake.client()),
            fake,
            shown: Shown::default(),
            before,
            after: load_balancer(&[("a", 80), ("b", 81)]),
        }
    }

    async fn run(&self) -> Result<LoadBalancer, WorldError> {
        let (before, after) = (self.before.fingerprint(), self.after.fingerprint());
        self.writer
            .put_load_balancer(&self.after, &before, &after, &self.shown)
            .await
    }

    fn has_rule(&self, name: &str) -> bool {
        let document = self.fake.document(&lb_id()).unwrap();
        let rules = document["properties"]["loadBalancingRules"]
            .as_array()
            .unwrap();
        rules.iter().any(|rule| rule["name"] == name)
    }

    fn puts(&self) -> usize {
        let requests = self.fake.requests();
        requests.iter().filter(|r| r.starts_with("PUT")).count()
    }
}

const UPDATE: [&str; 5] = [
    "GET loadBalancers/web",
    "PUT loadBalancers/web if-match",
    "GET operation",
    "GET operation",
    "GET loadBalancers/web",
];

#[tokio::test(start_paused = true)]
async fn an_update_is_one_get_one_put_polls_and_one_get() {
    let update = Update::new();
    let stored = update.run().await.unwrap();
    assert_eq!(update.fake.requests(), UPDATE);
    assert!(
        stored
            .item(ItemKind::Rule, "b")
            .unwrap()
            .flag("floating_ip")
    );
    let shown = update.shown.all();
    assert!(
        shown[0].starts_with("operation https://arm.test/"),
        "{shown:?}"
    );

    // The same once more, as after a crash: it is done already.
    update.run().await.unwrap();
    assert_eq!(update.fake.requests(), ["GET loadBalancers/web"]);
}

#[tokio::test(start_paused = true)]
async fn a_creation_costs_the_same() {
    let fake = Fake::default();
    let lb = load_balancer(&[("a", 80)]);
    let writer = Writer::new(fake.client());
    let absent = Fingerprint::absent();
    writer
        .put_load_balancer(&lb, &absent, &lb.fingerprint(), &Shown::default())
        .await
        .unwrap();
    assert_eq!(
        fake.requests(),
        [
            "GET loadBalancers/web",
            "PUT loadBalancers/web if-none-match",
            "GET operation",
            "GET operation",
            "GET loadBalancers/web"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_public_ip_is_created_static_and_deleted() {
    let fake = Fake::default();
    let writer = Writer::new(fake.client());
    let shown = Shown::default();
    let ip = PublicIp {
        id: ArmId::network("s", "rg-web", "publicIPAddresses", "green"),
        attributes: [
            ("location".to_owned(), Attr::Text("westeurope".into())),
            ("sku".to_owned(), Attr::Text("Standard".into())),
        ]
        .into(),
        address: None,
        failed: false,
        rest: serde_json::Map::new(),
    };
    let stored = writer
        .put_public_ip(&ip, &Fingerprint::absent(), &ip.fingerprint(), &shown)
        .await
        .unwrap();
    assert_eq!(
        fake.last_body()["properties"]["publicIPAllocationMethod"],
        "Static"
    );
    fake.requests();
    // The plan of the deletion saw what Azure made of it.
    writer
        .delete_public_ip(&ip.id, &stored.fingerprint(), &shown)
        .await
        .unwrap();
    assert_eq!(
        fake.requests(),
        [
            "GET publicIPAddresses/green",
            "DELETE publicIPAddresses/green if-match",
            "GET operation",
            "GET operation",
            "GET publicIPAddresses/green"
        ]
    );
    writer
        .delete_public_ip(&ip.id, &stored.fingerprint(), &shown)
        .await
        .unwrap();
    assert_eq!(fake.requests(), ["GET publicIPAddresses/green"]);
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_that_moved_is_not_deleted() {
    let update = Update::new();
    let id = lb_id();
    let error = update
        .writer
        .delete_load_balancer(&id, &update.after.fingerprint(), &update.shown)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "load balancer \"web\" is not as it was planned: rule \"b\" was removed"
    );
    update
        .writer
        .delete_load_balancer(&id, &update.before.fingerprint(), &update.shown)
        .await
        .unwrap();
    assert!(update.fake.document(&id).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_moved_since_the_plan_is_named_and_nothing_is_written() {
    let update = Update::new();
    update.fake.fault(
        "GET",
        Fault::Meanwhile(|body| {
            body["properties"]["loadBalancingRules"][0]["properties"]["backendPort"] = json!(8080);
        }),
    );
    let error = update.run().await.unwrap_err();
    assert!(
        matches!(&error, WorldError::Stale { moved, .. } if moved == &["rule \"a\" changed"]),
        "{error}"
    );
    assert_eq!(update.fake.requests(), ["GET loadBalancers/web"]);
}

#[tokio::test(start_paused = true)]
async fn an_etag_that_moved_for_another_reason_is_tried_again() {
    let update = Update::new();
    // A NIC that joins a pool moves the etag and nothing that a PUT carries.
    update.fake.fault("PUT", Fault::Meanwhile(|_| {}));
    update.run().await.unwrap();
    assert!(update.has_rule("b"));
    assert_eq!(update.puts(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_moved_between_get_and_put_is_not_overwritten() {
    let update = Update::new();
    update.fake.fault(
        "PUT",
        Fault::Meanwhile(|body| {
            body["properties"]["probes"] = json!([{ "name": "p", "properties": { "port": 1 } }]);
        }),
    );
    let error = update.run().await.unwrap_err();
    assert!(
        matches!(&error, WorldError::Stale { moved, .. } if moved == &["probe \"p\" was added"]),
        "{error}"
    );
    assert!(!update.has_rule("b"));
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_for_and_shown() {
    let update = Update::new();
    let throttled = || error("SubscriptionRequestsThrottled", "Please try again.");
    update.fake.fault(
        "PUT",
        Fault::Answer(429, vec![("retry-after", "10")], throttled()),
    );
    let start = Instant::now();
    update.run().await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(10));
    assert_eq!(update.shown.all()[0], "throttled, waiting 10 s");
    assert_eq!(update.puts(), 2);
}

#[tokio::test(start_paused = true)]
async fn azure_says_when_to_look_at_an_operation() {
    let update = Update::new();
    update.fake.fault("PUT", Fault::RetryAfter("10"));
    update.fake.fault("GET operation", Fault::RetryAfter("5"));
    let start = Instant::now();
    update.run().await.unwrap();
    let seconds = start.elapsed().as_secs();
    assert_eq!(seconds, 15);
    assert_eq!(update.fake.requests(), UPDATE);
}

#[tokio::test(start_paused = true)]
async fn a_large_run_stays_below_the_limits() {
    let fake = Fake::default();
    let client = fake.client();
    let shown = Shown::default();
    let start = Instant::now();
    for _ in 0..500 {
        client.get(&lb_id(), &shown).await.unwrap();
    }
    // 250 at once, the others at 25 a second.
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_hour_is_not_waited() {
    let update = Update::new();
    let throttled = error("SubscriptionRequestsThrottled", "Please try again.");
    update.fake.fault(
        "GET",
        Fault::Answer(429, vec![("retry-after", "3600")], throttled),
    );
    let start = Instant::now();
    let error = update.run().await.unwrap_err();
    assert!(matches!(error, WorldError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("3600 s"), "{error}");
    assert!(error.to_string().contains("corr-1"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_busy_neighbour_is_waited_for_whatever_the_status() {
    let update = Update::new();
    let busy = error(
        "AnotherOperationInProgress",
        "Another operation is in progress.",
    );
    update
        .fake
        .fault("PUT", Fault::Answer(409, vec![], busy.clone()));
    let busy = error("RetryableError", "A retryable error occurred.");
    update.fake.fault("PUT", Fault::Answer(429, vec![], busy));
    update.run().await.unwrap();
    assert_eq!(update.puts(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_after_before_anything_is_sent_again() {
    let update = Update::new();
    update.fake.fault("PUT", Fault::LostAnswer);
    // Nobody ends the operation of the fake by looking at it; Azure ends it by itself.
    let settle = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        update.fake.set_state(&lb_id(), "Succeeded");
    };
    let (result, ()) = tokio::join!(update.run(), settle);
    result.unwrap();
    assert_eq!(update.puts(), 1);

    let update = Update::new();
    update.fake.fault("PUT", Fault::LostRequest);
    update.run().await.unwrap();
    assert_eq!(update.puts(), 2);
    assert!(update.has_rule("b"));
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_azure_is_looked_after_too() {
    let update = Update::new();
    update.fake.fault(
        "PUT",
        Fault::Answer(
            500,
            vec![],
            error("InternalServerError", "An error occurred."),
        ),
    );
    update.run().await.unwrap();
    assert_eq!(
        update.fake.requests()[..3],
        [
            "GET loadBalancers/web",
            "PUT loadBalancers/web if-match",
            "GET loadBalancers/web"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_azure_is_given_up_soon() {
    let update = Update::new();
    for _ in 0..20 {
        update.fake.fault("GET", Fault::Unconnected);
    }
    let start = Instant::now();
    let error = update.run().await.unwrap_err();
    assert!(start.elapsed() <= Duration::from_secs(20));
    assert!(error.to_string().contains("cannot be reached"), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_operation_is_an_error_with_its_code_and_the_next_run_heals_it() {
    let update = Update::new();
    update.fake.fault(
        "PUT",
        Fault::OperationEnds(json!({
            "status": "Failed", "error": { "code": "NetworkingInternalOperationError", "message": "An unexpected error" }
        })),
    );
    let error = update.run().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "load balancer \"web\": the operation ended as Failed: NetworkingInternalOperationError: An unexpected error \
         — run the same command again in a few minutes, it goes on from there [correlation id corr-1]"
    );
    // The document reads as planned, but Azure says Failed: it is written again.
    update.fake.requests();
    update.run().await.unwrap();
    assert_eq!(update.puts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_superseded_write_is_judged_by_what_is_there() {
    let update = Update::new();
    update.fake.fault(
        "PUT",
        Fault::OperationEnds(json!({
            "status": "Canceled", "error": { "code": "Canceled", "message": "Operation was canceled.", "details": [
                { "code": "CanceledAndSupersededDueToAnotherOperation", "message": "…" }
            ] }
        })),
    );
    // The one that took its place removes what was written.
    update
        .fake
        .fault("GET loadBalancers", Fault::Meanwhile(|_| {}));
    update.fake.fault(
        "GET loadBalancers",
        Fault::Meanwhile(|body| {
            body["properties"]["loadBalancingRules"] = json!([]);
        }),
    );
    let error = update.run().await.unwrap_err();
    assert!(
        matches!(&error, WorldError::Stale { moved, .. } if moved == &["rule \"a\" was removed"]),
        "{error}"
    );
    assert_eq!(update.puts(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_azure_stores_otherwise_is_said() {
    let update = Update::new();
    update.fake.fault(
        "PUT",
        Fault::StoreChanged(|body| {
            body["properties"]["loadBalancingRules"][1]["properties"]["enableFloatingIP"] =
                json!(false);
        }),
    );
    let error = update.run().await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("Azure stored something else than was sent (rule \"b\" changed)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_read_that_comes_late_is_repeated() {
    let update = Update::new();
    update.fake.fault("PUT", Fault::LateReads(3));
    update.run().await.unwrap();
    assert_eq!(update.puts(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_does_not_follow_a_foreign_operation() {
    let update = Update::new();
    update.fake.fault(
        "PUT",
        Fault::OperationElsewhere("https://evil.test/operations/1"),
    );
    let settle = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        update.fake.set_state(&lb_id(), "Succeeded");
    };
    // The fake fails when a request goes anywhere else.
    let (result, ()) = tokio::join!(update.run(), settle);
    result.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_action_is_sent_once_whatever_happens() {
    let fake = Fake::default();
    let busy = error("TooManyRequests", "The request is being throttled.");
    fake.fault("POST", Fault::Answer(429, vec![("retry-after", "1")], busy));
    let vm = ArmId::new(
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm1",
    );
    let result = fake
        .client()
        .post(&vm, "runCommand", &json!({}), &Shown::default())
        .await;
    assert!(result.is_err());
    assert_eq!(fake.requests(), ["POST vm1/runCommand"]);
}
