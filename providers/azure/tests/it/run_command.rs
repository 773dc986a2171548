//! Scripts through Run Command, against the lab's Resource Manager: both ways, busy, stopped, gone.

use crate::fake::Shown;
use async_trait::async_trait;
use plimsoll_azure::run_command::{Shell, run, run_managed};
use plimsoll_azure::{Client, ClientSecret, Endpoint, RunCommandError};
use plimsoll_core::model::ArmId;
use plimsoll_lab::arm::{
    RunScript, ScriptOutcome, ScriptRequest, ServeOptions, Served, Settings, Store, serve,
};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// Runs `sh -c` right here.
#[derive(Debug)]
struct Here;

#[async_trait]
impl RunScript for Here {
    async fn run(&self, request: ScriptRequest) -> ScriptOutcome {
        let output = tokio::process::Command::new("sh")
            .args(["-c", &request.script])
            .output()
            .await
            .unwrap();
        ScriptOutcome::Exited {
            exit_code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

struct Lab {
    store: Store,
    client: Client,
    machine: ArmId,
    _served: Served,
    _folder: tempfile::TempDir,
}

async fn lab() -> Lab {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let quick = Settings {
        updating_for: Duration::from_millis(50),
        ..store.settings()
    };
    store.change_settings(quick).unwrap();
    let options = ServeOptions {
        listener: std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        directory: folder.path().to_owned(),
        extra: axum::Router::new(),
        scripts: Some(Arc::new(Here)),
    };
    let served = serve(store.clone(), options).await.unwrap();
    let identity = store.identity();
    let ca = std::fs::read_to_string(&served.certificate_authority).unwrap();
    let endpoint = Endpoint::custom(&served.endpoint, Some(ca)).unwrap();
    let credential = ClientSecret {
        tenant_id: identity.tenant_id,
        client_id: identity.client_id,
        client_secret: "any".into(),
    }
    .sign_in(&endpoint)
    .unwrap();
    let machine = format!(
        "/subscriptions/{}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm1",
        identity.subscription_id
    );
    store
        .ensure_virtual_machine(&machine, "Linux", &[], "westeurope")
        .unwrap();
    Lab {
        client: Client::new(endpoint, credential).unwrap(),
        store,
        machine: ArmId::new(machine),
        _served: served,
        _folder: folder,
    }
}

impl Lab {
    /// A scale set with one instance.
    fn instance(&self) -> ArmId {
        let set = self.machine.parent().unwrap();
        let set = set.as_str().trim_end_matches('/');
        let set = ArmId::new(format!("{set}/virtualMachineScaleSets/web"));
        let instance = set.child("virtualMachines", "0");
        for id in [&set, &instance] {
            let document = json!({"id": id.as_str(), "location": "westeurope", "properties": {}});
            self.store.load(&document).unwrap();
        }
        instance
    }

    async fn run(&self, script: &str) -> Result<(String, String), RunCommandError> {
        let shown = Shown::default();
        run(
            &self.client,
            &self.machine,
            Shell::Posix,
            script,
            LIMIT,
            &shown,
        )
        .await
        .map(|printed| (printed.stdout, printed.stderr))
    }
}

#[tokio::test]
async fn a_script_prints_and_only_its_end_comes_back() {
    let lab = lab().await;
    let (stdout, stderr) = lab.run("echo a 'b\nc'\necho oh >&2\nexit 3").await.unwrap();
    assert_eq!((stdout.as_str(), stderr.as_str()), ("a b\nc\n", "oh\n"));
    let (stdout, _) = lab.run("seq 1 5000").await.unwrap();
    assert!(stdout.ends_with("\n5000\n") && stdout.len() <= 4096);
}

#[tokio::test]
async fn a_managed_run_command_tells_its_exit_status_and_is_deleted() {
    let lab = lab().await;
    let shown = Shown::default();
    for machine in [&lab.machine, &lab.instance()] {
        let script = "echo x; exit 3";
        let ran = run_managed(&lab.client, machine, "plimsoll", script, LIMIT, &shown);
        let printed = ran.await.unwrap();
        assert_eq!(
            (printed.stdout.as_str(), printed.exit_code),
            ("x\n", Some(3))
        );
        let id = machine.child("runCommands", "plimsoll");
        assert_eq!(lab.store.document(id.as_str()), None);
    }
}

/// The action takes an instance of a scale set as it takes a virtual machine.
#[tokio::test]
async fn a_script_runs_in_an_instance_of_a_scale_set() {
    let lab = lab().await;
    let shown = Shown::default();
    let instance = lab.instance();
    let ran = run(
        &lab.client,
        &instance,
        Shell::Posix,
        "echo in",
        LIMIT,
        &shown,
    );
    assert_eq!(ran.await.unwrap().stdout, "in\n");
}

#[tokio::test]
async fn a_managed_run_command_in_a_stopped_or_missing_machine_says_so() {
    let lab = lab().await;
    let shown = Shown::default();
    let instance = lab.instance();
    let missing = instance.parent().unwrap().child("virtualMachines", "9");
    let mut stopped = lab.store.document(instance.as_str()).unwrap();
    stopped["properties"]["x-lab-power"] = json!("deallocated");
    lab.store.load(&stopped).unwrap();
    let ran = run_managed(&lab.client, &instance, "plimsoll", "echo x", LIMIT, &shown);
    let error = ran.await.unwrap_err();
    assert!(matches!(error, RunCommandError::NotRunning(_)), "{error}");
    let ran = run_managed(&lab.client, &missing, "plimsoll", "echo x", LIMIT, &shown);
    let error = ran.await.unwrap_err();
    assert!(matches!(error, RunCommandError::Gone(_)), "{error}");
}

#[tokio::test]
async fn a_busy_machine_is_waited_for_and_it_shows() {
    let lab = lab().await;
    let first = lab.run("sleep 3; echo first");
    let shown = Shown::default();
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let script = "echo second";
        run(
            &lab.client,
            &lab.machine,
            Shell::Posix,
            script,
            LIMIT,
            &shown,
        )
        .await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap().0, "first\n");
    assert_eq!(second.unwrap().stdout, "second\n");
    let notes = shown.all();
    let busy = "vm1: another script runs there, waiting 10 s".to_owned();
    assert!(notes.contains(&busy), "{notes:?}");
}

#[tokio::test]
async fn a_machine_that_is_stopped_or_gone_says_so() {
    let lab = lab().await;
    let mut stopped = lab.store.document(lab.machine.as_str()).unwrap();
    stopped["properties"]["x-lab-power"] = json!("deallocated");
    lab.store.load(&stopped).unwrap();
    let error = lab.run("echo x").await.unwrap_err();
    assert!(matches!(error, RunCommandError::NotRunning(_)), "{error}");
    assert!(error.to_string().contains("az vm start"), "{error}");
    let nowhere = Lab {
        machine: ArmId::new(lab.machine.as_str().replace("vm1", "vm2")),
        ..lab
    };
    let error = nowhere.run("echo x").await.unwrap_err();
    assert!(matches!(error, RunCommandError::Gone(_)), "{error}");
}

#[tokio::test]
async fn a_script_that_takes_too_long_is_not_waited_for() {
    let lab = lab().await;
    let shown = Shown::default();
    let ran = run(
        &lab.client,
        &lab.machine,
        Shell::Posix,
        "sleep 5",
        Duration::from_secs(1),
        &shown,
    );
    let error = ran.await.unwrap_err();
    assert!(
        matches!(error, RunCommandError::TimedOut { .. }) && error.is_retryable(),
        "{error}"
    );
}
