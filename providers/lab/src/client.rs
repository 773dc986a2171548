//! A lab as a command sees it: found or started, then asked over its control routes.

mod start;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ipnet::IpNet;
use rustix::process::{Pid, test_kill_process};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::LabError;
use crate::agent::{ProbeAnswer, ProbeOrder};
use crate::daemon::GuestStatus;
use crate::layout::{GuestName, LabFile, Layout};
use crate::namespaces;
use crate::seed::{Inventory, Route, Seed, Silence};

pub use start::StartOptions;

/// A running lab.
#[derive(Debug, Clone)]
pub struct Lab {
    layout: Layout,
    file: LabFile,
    http: reqwest::Client,
}

/// What a client needs to sign in at the lab's token endpoint.
#[derive(Clone)]
pub struct LabCredentials {
    pub tenant: String,
    pub client_id: String,
    pub client_secret: String,
}

// By hand, so that the secret cannot reach a log through `{:?}`.
impl std::fmt::Debug for LabCredentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LabCredentials")
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .field("client_secret", &"(sensitive)")
            .finish()
    }
}

/// What `lab status` shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    pub pid: u32,
    pub endpoint: String,
    pub token_endpoint: String,
    pub ca_file: PathBuf,
    pub subscription: String,
    pub tenant: String,
    pub client_id: String,
    pub directory: PathBuf,
    pub log: PathBuf,
    pub guests: Vec<GuestStatus>,
    /// The last result of each health probe: kind, address, port and path; true is up.
    pub probes: BTreeMap<String, bool>,
    pub faults: Vec<String>,
}

/// The emulator's answer to `lab arm`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ArmReply {
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub body: Option<Value>,
}

impl Lab {
    /// The lab of a configuration directory, if it is up.
    pub fn attach(directory: &Path) -> Option<Self> {
        let layout = Layout::new(directory);
        let file = LabFile::read(&layout)?;
        // A file that a killed daemon left behind leads nowhere.
        let pid = Pid::from_raw(i32::try_from(file.pid).ok()?)?;
        test_kill_process(pid).ok()?;
        // The number may belong to another program by now; the lock belongs to the daemon alone.
        if !start::daemon_holds_lock(&layout) {
            return None;
        }
        let http = client(&file).ok()?;
        Some(Self { layout, file, http })
    }

    /// The lab of a configuration directory; started when it is not up. `program` is the embedding
    /// program, which must dispatch `lab-daemon` and `lab-agent`.
    pub async fn ensure_up(directory: &Path, program: &Path) -> Result<Self, LabError> {
        Self::ensure_up_with(directory, program, &StartOptions::default()).await
    }

    pub async fn ensure_up_with(
        directory: &Path,
        program: &Path,
        options: &StartOptions,
    ) -> Result<Self, LabError> {
        start::ensure_up(directory, program, options).await
    }

    /// Removes all that the lab holds on disk, ending it first when it is up.
    pub async fn reset(directory: &Path) -> Result<(), LabError> {
        if let Some(lab) = Self::attach(directory) {
            lab.down().await?;
        }
        let layout = Layout::new(directory);
        match fs::remove_dir_all(layout.root()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(LabError::file("remove", layout.root())(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    pub fn endpoint(&self) -> &str {
        &self.file.endpoint
    }

    pub fn token_endpoint(&self) -> &str {
        &self.file.token_endpoint
    }

    /// Where the certificate lies that the emulator's is signed with.
    pub fn ca_file(&self) -> &Path {
        &self.file.ca_file
    }

    pub fn ca_pem(&self) -> Result<Vec<u8>, LabError> {
        fs::read(&self.file.ca_file).map_err(LabError::file("read", &self.file.ca_file))
    }

    pub fn subscription(&self) -> &str {
        &self.file.subscription
    }

    pub fn credentials(&self) -> LabCredentials {
        LabCredentials {
            tenant: self.file.tenant.clone(),
            client_id: self.file.client_id.clone(),
            client_secret: self.file.client_secret.clone(),
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub async fn status(&self) -> Result<Status, LabError> {
        let world = self
            .send("tell its status", "GET", "status", None::<&()>)
            .await?;
        Ok(self.complete(world))
    }

    /// Makes up what the configuration refers to; safe to repeat.
    pub async fn seed(&self, seed: &Seed) -> Result<Status, LabError> {
        let world = self
            .send(
                "make up what the configuration refers to",
                "POST",
                "seed",
                Some(seed),
            )
            .await?;
        Ok(self.complete(world))
    }

    fn complete(&self, world: crate::daemon::WorldStatus) -> Status {
        Status {
            pid: self.file.pid,
            endpoint: self.file.endpoint.clone(),
            token_endpoint: self.file.token_endpoint.clone(),
            ca_file: self.file.ca_file.clone(),
            subscription: self.file.subscription.clone(),
            tenant: self.file.tenant.clone(),
            client_id: self.file.client_id.clone(),
            directory: self.layout.root().to_owned(),
            log: self.layout.log(),
            guests: world.guests,
            probes: world.probes,
            faults: world.faults,
        }
    }

    /// Sends real packets from the client's namespace; one answer an attempt.
    pub async fn probe(&self, order: &ProbeOrder) -> Result<Vec<ProbeAnswer>, LabError> {
        self.send("probe", "POST", "probe", Some(order)).await
    }

    /// Keeps `per_second` attempts a second up for `duration`, whether or not they are answered.
    pub async fn probe_sustained(
        &self,
        (address, port): (IpAddr, u16),
        per_second: u32,
        duration: Duration,
    ) -> Result<Vec<ProbeAnswer>, LabError> {
        let interval = (1000 / u64::from(per_second.clamp(1, 1000))).max(1);
        let count = duration.as_millis() / u128::from(interval);
        let order = ProbeOrder {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            interval_milliseconds: interval,
            ..ProbeOrder::tcp(address, port)
        };
        self.probe(&order).await
    }

    /// The emulator's request log, oldest first.
    pub async fn requests(&self) -> Result<Vec<Value>, LabError> {
        self.send("show its requests", "GET", "requests", None::<&()>)
            .await
    }

    pub async fn clear_requests(&self) -> Result<(), LabError> {
        self.send("clear its requests", "DELETE", "requests", None::<&()>)
            .await
    }

    /// Makes the emulator misbehave; answers the faults that are now on.
    pub async fn fault(&self, fault: &str) -> Result<Vec<String>, LabError> {
        let order = crate::daemon::FaultOrder {
            fault: fault.to_owned(),
        };
        self.send("misbehave", "POST", "fault", Some(&order)).await
    }

    /// Puts ARM documents in as existing infrastructure; answers their ids.
    pub async fn load(&self, document: &Value) -> Result<Vec<String>, LabError> {
        self.send("load the document", "POST", "load", Some(document))
            .await
    }

    /// Speaks to the emulator as an Azure client would, without HTTP.
    pub async fn arm(
        &self,
        method: &str,
        id: &str,
        body: Option<Value>,
    ) -> Result<ArmReply, LabError> {
        let order = crate::daemon::ArmOrder {
            method: method.to_owned(),
            id: id.to_owned(),
            body,
        };
        self.send("answer for Azure", "POST", "arm", Some(&order))
            .await
    }

    /// Turns a guest off and on: what is not persisted is gone, and what a boot runs has run.
    pub async fn reboot(&self, guest: &str) -> Result<(), LabError> {
        let name = self.layout.guest_named(guest)?;
        self.send(
            &format!("reboot `{name}`"),
            "POST",
            &format!("reboot/{name}"),
            None::<&()>,
        )
        .await
    }

    /// Sends what a guest sends to the prefix through a load balancer's frontend, as a user-defined route does.
    pub async fn route(
        &self,
        guest: &str,
        prefix: IpNet,
        next_hop: IpAddr,
    ) -> Result<(), LabError> {
        let route = Route {
            guest: self.layout.guest_named(guest)?,
            prefix,
            next_hop,
        };
        self.send("set the route", "POST", "route", Some(&route))
            .await
    }

    /// Leaves ports of a guest to an application in it, or has the responder answer on them again.
    pub async fn silence(&self, guest: &str, order: &Silence) -> Result<(), LabError> {
        let name = self.layout.guest_named(guest)?;
        self.send(
            &format!("leave ports of `{name}` alone"),
            "POST",
            &format!("silence/{name}"),
            Some(order),
        )
        .await
    }

    /// Ends the lab and waits until it is gone; what it holds on disk stays.
    pub async fn down(&self) -> Result<(), LabError> {
        let _: Value = self.send("end", "POST", "down", None::<&()>).await?;
        start::wait_until_down(&self.layout).await
    }

    /// A command in a guest, as its root in /root; standard input and output are the caller's to set.
    pub fn exec_command(&self, guest: &str, arguments: &[String]) -> Result<Command, LabError> {
        let name = self.layout.guest_named(guest)?;
        let pid = fs::read_to_string(self.layout.guest_pid(&name))
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let pid: u32 = pid.ok_or_else(|| self.why_not(guest, &name))?;
        let nsenter = namespaces::nsenter()?;
        Ok(namespaces::guest_command(
            nsenter,
            self.file.user_namespace,
            pid,
            arguments,
        ))
    }

    /// Why nothing can run in a guest that does not run.
    fn why_not(&self, typed: &str, name: &GuestName) -> LabError {
        let inventory = fs::read_to_string(self.layout.inventory()).ok();
        let inventory: Option<Inventory> =
            inventory.and_then(|text| serde_json::from_str(&text).ok());
        let known = inventory
            .as_ref()
            .and_then(|all| all.guest(name.as_str()).ok());
        if known.is_some_and(|guest| guest.windows) {
            return LabError::NotLinux {
                name: typed.to_owned(),
            };
        }
        LabError::UnknownGuest {
            name: typed.to_owned(),
            known: "`plimsoll lab status` lists the guests that run.".to_owned(),
        }
    }

    /// A command where the clients are that [`Lab::probe`] sends from; standard input and output are the caller's to set.
    pub fn client_command(&self, arguments: &[String]) -> Result<Command, LabError> {
        let root = fs::read_to_string(self.layout.root_pid()).ok();
        let root = root.and_then(|text| text.trim().parse().ok());
        let root: u32 = root.ok_or(LabError::NotUp)?;
        let nsenter = namespaces::nsenter()?;
        Ok(namespaces::client_command(
            &nsenter,
            self.file.user_namespace,
            root,
            arguments,
        ))
    }

    async fn send<B: Serialize + Sync, R: DeserializeOwned>(
        &self,
        operation: &str,
        method: &str,
        route: &str,
        body: Option<&B>,
    ) -> Result<R, LabError> {
        let failed = |source| LabError::Request {
            operation: operation.to_owned(),
            source,
        };
        let url = format!("{}/_lab/{route}", self.file.endpoint);
        let method = match method {
            "GET" => reqwest::Method::GET,
            "DELETE" => reqwest::Method::DELETE,
            _ => reqwest::Method::POST,
        };
        let mut request = self
            .http
            .request(method, url)
            .bearer_auth(&self.file.control_token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(failed)?;
        if response.status().is_success() {
            return response.json().await.map_err(failed);
        }
        let status = response.status();
        let text = response.text().await.map_err(failed)?;
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        let detail = match document.get("error").and_then(Value::as_str) {
            Some(error) => error.to_owned(),
            None => format!("{status} {text}"),
        };
        Err(LabError::Refused {
            operation: operation.to_owned(),
            detail,
        })
    }
}

fn client(file: &LabFile) -> Result<reqwest::Client, LabError> {
    // The program may have chosen a provider already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = fs::read(&file.ca_file).map_err(LabError::file("read", &file.ca_file))?;
    let failed = |source| LabError::Request {
        operation: "talk over TLS".to_owned(),
        source,
    };
    let certificate = reqwest::Certificate::from_pem(&pem).map_err(failed)?;
    reqwest::Client::builder()
        .tls_certs_only([certificate])
        // The lab is on this machine, whatever proxy the environment names.
        .no_proxy()
        .build()
        .map_err(failed)
}
