//! The emulator as Microsoft's own clients for Python see it. `cargo xtask test` installs them.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

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

/// A program of an environment below `target`, if it is installed there.
fn installed(environment: &str, program: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = root
        .join("target")
        .join(environment)
        .join("bin")
        .join(program);
    found.is_file().then_some(found)
}

/// Runs a client's script against an emulator that holds one virtual machine, and returns what it said.
async fn run(mut client: tokio::process::Command, script: &str) -> String {
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
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let output = client
        .arg(scripts.join(script))
        .env("LAB_ENDPOINT", &served.endpoint)
        .env("LAB_SUBSCRIPTION", &identity.subscription_id)
        .env("LAB_TENANT", &identity.tenant_id)
        .env("LAB_CLIENT", &identity.client_id)
        .env("LAB_MACHINE", &machine)
        .env("REQUESTS_CA_BUNDLE", &served.certificate_authority)
        .env("SSL_CERT_FILE", &served.certificate_authority)
        .env("NO_PROXY", "127.0.0.1")
        .env("AZURE_CONFIG_DIR", folder.path().join("azure-cli"))
        .kill_on_drop(true)
        .output();
    // azure-cli starts Python anew for each of its fifty commands.
    let output = tokio::time::timeout(Duration::from_secs(20 * 60), output)
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_floating_ip_load_balancer_from_creation_to_deletion() {
    let named = std::env::var_os("PLIMSOLL_CLIENTS_PYTHON").map(PathBuf::from);
    let Some(python) = named.or_else(|| installed("microsoft-clients", "python")) else {
        println!("skipped: Microsoft's clients are not installed; cargo xtask test does it");
        return;
    };
    let said = run(tokio::process::Command::new(python), "floating_ip.py").await;
    let last = "created, changed, listed, joined, left, ran, deleted\n";
    assert!(said.ends_with(last), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "azure-cli is large and slow; cargo xtask nightly installs and runs it"]
async fn azure_cli_does_the_same() {
    let az = installed("azure-cli", "az").expect("cargo xtask nightly installs azure-cli");
    let mut shell = tokio::process::Command::new("sh");
    let found = std::env::var_os("PATH").unwrap_or_default();
    let bin = az.parent().expect("it lies in a folder").to_owned();
    let path = std::iter::once(bin).chain(std::env::split_paths(&found));
    shell.env("PATH", std::env::join_paths(path).unwrap());
    let said = run(shell, "floating_ip.sh").await;
    let last = "created, changed, listed, joined, left, ran, deleted\n";
    assert!(said.ends_with(last), "{said}");
}
