//! The emulator as Microsoft's own clients for Python see it. `cargo xtask test` installs them.

#![expect(
    clippy::print_stdout,
    reason = "a test that cannot run here says so out loud"
)]

use async_trait::async_trait;
use plimsoll_lab::arm::{RunScript, ScriptOutcome, ScriptRequest, ServeOptions, Store, serve};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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

/// The interpreter that knows the clients, if they are installed.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = std::env::var_os("PLIMSOLL_CLIENTS_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or_else(|| root.join("target/microsoft-clients/bin/python"));
    if python.is_file() {
        return Some(python);
    }
    println!("skipped: Microsoft's clients are not installed; cargo xtask test does it");
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_floating_ip_load_balancer_from_creation_to_deletion() {
    let Some(python) = python() else { return };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let identity = store.identity();
    let machine = format!(
        "/subscriptions/{}/resourceGroups/rg-web/providers/Microsoft.Compute/virtualMachines/vm1",
        identity.subscription_id
    );
    store
        .ensure_virtual_machine(&machine, "Linux", &[], "westeurope")
        .unwrap();
    let options = ServeOptions::alone(
        TcpListener::bind("127.0.0.1:0").unwrap(),
        folder.path().to_owned(),
        Some(Arc::new(Echo)),
    );
    let served = serve(store, options).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/floating_ip.py");
    let client = tokio::process::Command::new(python)
        .arg(script)
        .env("LAB_ENDPOINT", &served.endpoint)
        .env("LAB_SUBSCRIPTION", &identity.subscription_id)
        .env("LAB_TENANT", &identity.tenant_id)
        .env("LAB_CLIENT", &identity.client_id)
        .env("REQUESTS_CA_BUNDLE", &served.certificate_authority)
        .env("SSL_CERT_FILE", &served.certificate_authority)
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(180), client)
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.ends_with("created, changed, listed, joined, left, ran, deleted\n"),
        "{said}"
    );
}
