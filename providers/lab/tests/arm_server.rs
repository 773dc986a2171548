//! The emulator over TLS, as a client meets it: its own authority, a token, then ARM.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::routing::get;
use plimsoll_lab::arm::{
    RunScript, ScriptOutcome, ScriptRequest, ServeOptions, Served, Store, serve,
};
use reqwest::{Certificate, Client, StatusCode};
use serde_json::{Value, json};

const GROUP: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg";
const VERSION: &str = "?api-version=2024-01-01";

#[derive(Debug)]
struct Echo;

#[async_trait]
impl RunScript for Echo {
    async fn run(&self, request: ScriptRequest) -> ScriptOutcome {
        ScriptOutcome::Exited {
            exit_code: 0,
            stdout: format!("ran: {}", request.script),
            stderr: String::new(),
        }
    }
}

struct Lab {
    store: Store,
    served: Served,
    client: Client,
}

async fn start(directory: &std::path::Path) -> Lab {
    // A second test of this binary may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let store = Store::open(directory).unwrap();
    let options = ServeOptions {
        listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        directory: directory.to_owned(),
        extra: Router::new().route("/_lab/ping", get(|| async { "pong" })),
        scripts: Some(Arc::new(Echo)),
    };
    let served = serve(store.clone(), options).await.unwrap();
    let authority = std::fs::read(&served.certificate_authority).unwrap();
    let authority = Certificate::from_pem(&authority).unwrap();
    let client = Client::builder()
        .tls_certs_only([authority])
        .no_proxy()
        .build()
        .unwrap();
    Lab {
        store,
        served,
        client,
    }
}

impl Lab {
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.served.endpoint)
    }

    async fn token(&self) -> String {
        let identity = self.store.identity();
        let url = self.url(&format!("/{}/oauth2/v2.0/token", identity.tenant_id));
        let form = "grant_type=client_credentials&client_id=x&client_secret=y&scope=https%3A%2F%2Fmanagement.azure.com%2F.default";
        let request = self
            .client
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let body: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(body["token_type"], "Bearer");
        body["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_in_and_creates_a_public_ip() {
    let folder = tempfile::tempdir().unwrap();
    let lab = start(folder.path()).await;
    let path = lab.url(&format!(
        "{GROUP}/providers/Microsoft.Network/publicIPAddresses/green%20ip{VERSION}"
    ));
    let refused = lab.client.get(&path).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(
        refused.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .contains("authorization_uri")
    );
    assert_eq!(
        refused.json::<Value>().await.unwrap()["error"]["code"],
        "AuthenticationFailed"
    );
    let wrong = lab
        .client
        .get(&path)
        .bearer_auth("wrong")
        .send()
        .await
        .unwrap();
    assert_eq!(
        wrong.json::<Value>().await.unwrap()["error"]["code"],
        "InvalidAuthenticationToken"
    );

    let token = lab.token().await;
    let body = json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}});
    let made = lab
        .client
        .put(&path)
        .bearer_auth(&token)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let operation = made.headers()["azure-asyncoperation"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(operation.starts_with(&lab.served.endpoint), "{operation}");
    let mut state = Value::Null;
    for _ in 0..100 {
        state = lab
            .client
            .get(&operation)
            .bearer_auth(&token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        if state["status"] == "Succeeded" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(state, json!({"status": "Succeeded"}));
    let shown = lab
        .client
        .get(&path)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    let etag = shown.headers()["etag"].to_str().unwrap().to_owned();
    let shown: Value = shown.json().await.unwrap();
    assert_eq!(shown["name"], "green ip");
    assert_eq!(shown["etag"], json!(etag));
    assert_eq!(
        lab.client
            .get(lab.url("/_lab/ping"))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "pong"
    );
    assert!(
        lab.store
            .requests()
            .iter()
            .all(|entry| !entry.path.contains("/oauth2/") && !entry.path.starts_with("/_lab"))
    );
    lab.served.stop();
    tokio::time::timeout(Duration::from_secs(5), lab.served.stopped())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_outlives_the_process_and_only_we_can_read_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let first = start(folder.path()).await;
    first
        .store
        .prefer_address(
            &format!("{GROUP}/providers/Microsoft.Network/publicIPAddresses/p"),
            "65.52.0.1".parse().unwrap(),
        )
        .unwrap();
    let token = first.token().await;
    let path = format!("{GROUP}/providers/Microsoft.Network/publicIPAddresses/p{VERSION}");
    first.store.set_fault("slow=400ms").unwrap();
    let body = json!({"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}});
    let made = first
        .client
        .put(first.url(&path))
        .bearer_auth(&token)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    first.served.stop();
    first.served.stopped().await;

    let second = start(folder.path()).await;
    assert_eq!(second.store.identity().token, token);
    // The operation that was running ends by the clock, and watchers learn of it without a request.
    let mut changes = second.store.subscribe();
    let address = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            let shown = second
                .store
                .document(&format!(
                    "{GROUP}/providers/Microsoft.Network/publicIPAddresses/p"
                ))
                .unwrap();
            if let Some(address) = shown["properties"]["ipAddress"].as_str() {
                return address.to_owned();
            }
            changes.changed().await.unwrap();
        }
    });
    assert_eq!(address.await.unwrap(), "65.52.0.1");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(folder.path().join("ca.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_connection_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let lab = start(folder.path()).await;
    let token = lab.token().await;
    lab.store
        .ensure_resource_group("11111111-1111-1111-1111-111111111111", "rg", "westeurope")
        .unwrap();
    lab.store.set_fault("drop-connection on=PUT").unwrap();
    let path = lab.url(&format!(
        "{GROUP}/providers/Microsoft.Network/publicIPAddresses/p{VERSION}"
    ));
    let body = json!({"location": "westeurope", "properties": {}});
    let sent = lab
        .client
        .put(&path)
        .bearer_auth(&token)
        .json(&body)
        .send()
        .await;
    assert!(sent.is_err(), "{sent:?}");
    let carried_out = lab
        .client
        .get(&path)
        .bearer_auth(&token)
        .send()
        .await
        .unwrap();
    assert_eq!(carried_out.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_command_runs_what_the_embedding_program_gives() {
    let folder = tempfile::tempdir().unwrap();
    let lab = start(folder.path()).await;
    let token = lab.token().await;
    let machine = format!("{GROUP}/providers/Microsoft.Compute/virtualMachines/vm1");
    lab.store
        .ensure_virtual_machine(&machine, "Linux", &[], "westeurope")
        .unwrap();
    let body = json!({"commandId": "RunShellScript", "script": ["echo hello"]});
    let url = lab.url(&format!("{machine}/runCommand?api-version=2024-03-01"));
    let sent = lab
        .client
        .post(url)
        .bearer_auth(&token)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), StatusCode::ACCEPTED);
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    assert!(location.contains("monitor=true"));
    let mut answer = None;
    for _ in 0..100 {
        let polled = lab
            .client
            .get(&location)
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        if polled.status() == StatusCode::OK {
            answer = Some(polled.json::<Value>().await.unwrap());
            break;
        }
        assert_eq!(polled.status(), StatusCode::ACCEPTED);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let answer = answer.unwrap();
    assert_eq!(answer["value"][0]["code"], "ProvisioningState/succeeded");
    assert_eq!(
        answer["value"][0]["message"],
        "Enable succeeded: \n[stdout]\nran: echo hello\n[stderr]\n"
    );

    let managed = lab.url(&format!("{machine}/runCommands/c1?api-version=2024-03-01"));
    let body = json!({"location": "westeurope", "properties": {"source": {"script": "id"}}});
    let made = lab
        .client
        .put(&managed)
        .bearer_auth(&token)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    assert_eq!(
        made.json::<Value>().await.unwrap()["properties"]["provisioningState"],
        "Creating"
    );
    let mut shown = Value::Null;
    for _ in 0..100 {
        shown = lab
            .client
            .get(format!("{managed}&$expand=instanceView"))
            .bearer_auth(&token)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        if shown["properties"]["provisioningState"] == "Succeeded" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(shown["properties"]["instanceView"]["output"], "ran: id");
    assert_eq!(
        shown["properties"]["instanceView"]["executionState"],
        "Succeeded"
    );
}
