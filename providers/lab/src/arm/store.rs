//! The world in a file, shared between server, fabric and daemon.

use std::fs;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::watch;

use super::catalog::Identity;
use super::fault::FaultError;
use super::message::{ArmAnswer, ArmRequest};
use super::refusal::Refusal;
use super::resource_id::{ResourcePath, canonical};
use super::run_command::{self, ScriptOutcome};
use super::shown::{descend, show};
use super::world::{Settings, World};
use super::{answer, operation, public_ip, resource_group, seed};

/// Where time comes from; tests turn it by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The file's format; a newer one is refused.
const FORMAT: u32 = 1;
const FILE: &str = "arm.json";
/// The request log forgets its oldest entries beyond this.
const LOG_LIMIT: usize = 200_000;
/// Every api-version is older: documents are shown whole.
const NEWEST: &str = "9999-12-31";

/// Why the emulator's file could not be used.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("cannot {what} {path}: check that the folder exists and is yours", path = path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{path} is damaged: move it away, or run `plimsoll lab reset`", path = path.display())]
    Damaged {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("{path} has format {format}, this version knows up to {FORMAT}: use the newer plimsoll, or run `plimsoll lab reset`", path = path.display())]
    Newer { path: PathBuf, format: u32 },
    #[error("cannot put this into the emulator: {0}")]
    Document(String),
}

/// What kind of request it was, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestClass {
    /// A resource of Microsoft.Network.
    Network,
    /// A poll of an operation.
    Operation,
    Other,
}

/// One ARM request as it was answered.
#[derive(Debug, Clone, Serialize)]
pub struct LogEntry {
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub query: String,
    pub status: u16,
    pub request_bytes: usize,
    pub response_bytes: usize,
    pub milliseconds: f64,
    pub class: RequestClass,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    identity: Identity,
    world: World,
}

struct Inner {
    kept: Mutex<Kept>,
    log: Mutex<Vec<LogEntry>>,
    revision: watch::Sender<u64>,
    clock: Clock,
    file: Option<PathBuf>,
}

/// The emulator's state. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("file", &self.inner.file)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens `<directory>/arm.json`, or starts an empty world there.
    ///
    /// # Errors
    /// When the file cannot be read or is not ours.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Self::open_with(directory, Arc::new(Timestamp::now))
    }

    /// The same with a clock of the caller's.
    ///
    /// # Errors
    /// When the file cannot be read or is not ours.
    pub fn open_with(directory: &Path, clock: Clock) -> Result<Self, StoreError> {
        let file = directory.join(FILE);
        let mut kept = match fs::read(&file) {
            Ok(text) => parse(&file, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => fresh(),
            Err(source) => {
                return Err(StoreError::File {
                    what: "read",
                    path: file,
                    source,
                });
            }
        };
        run_command::interrupt_all(&mut kept.world, clock());
        let store = Self::new(kept, clock, Some(file));
        store.save(&store.lock())?;
        Ok(store)
    }

    /// A store without a file, for tests.
    #[must_use]
    pub fn in_memory(clock: Clock) -> Self {
        Self::new(fresh(), clock, None)
    }

    fn new(kept: Kept, clock: Clock, file: Option<PathBuf>) -> Self {
        let revision = watch::Sender::new(kept.world.revision);
        let inner = Inner {
            kept: Mutex::new(kept),
            log: Mutex::new(Vec::new()),
            revision,
            clock,
            file,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere must not take the whole lab down; the world is plain data.
        self.inner
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, kept: &Kept) -> Result<(), StoreError> {
        let Some(file) = &self.inner.file else {
            return Ok(());
        };
        let refused = |what| {
            move |source| StoreError::File {
                what,
                path: file.clone(),
                source,
            }
        };
        let directory = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory).map_err(refused("make the folder of"))?;
        let mut temporary =
            tempfile::NamedTempFile::new_in(directory).map_err(refused("write beside"))?;
        let text = serde_json::to_vec(kept)
            .map_err(io::Error::from)
            .map_err(refused("encode"))?;
        temporary.write_all(&text).map_err(refused("write"))?;
        temporary
            .persist(file)
            .map_err(|error| refused("replace")(error.error))?;
        Ok(())
    }

    /// Changes the world, keeps it, and tells the watchers.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut World, Timestamp) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut kept = self.lock();
        let now = (self.inner.clock)();
        operation::settle(&mut kept.world, now);
        let result = change(&mut kept.world, now);
        self.save(&kept)?;
        self.announce(&kept);
        result
    }

    fn announce(&self, kept: &Kept) {
        self.inner.revision.send_if_modified(|revision| {
            let moved = *revision != kept.world.revision;
            *revision = kept.world.revision;
            moved
        });
    }

    /// Answers one ARM request, keeps what it changed, and logs it.
    #[must_use]
    pub fn answer(&self, request: &ArmRequest) -> ArmAnswer {
        let started = std::time::Instant::now();
        let mut kept = self.lock();
        let now = (self.inner.clock)();
        let before = kept.world.revision;
        let Kept {
            world, identity, ..
        } = &mut *kept;
        let mut answer = answer::answer(world, identity, request, now);
        if (kept.world.revision != before || request.method.writes())
            && let Err(error) = self.save(&kept)
        {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the emulator's file was not written"
            );
            answer = Refusal::service(500, "InternalServerError", error.to_string()).into_answer();
        }
        self.announce(&kept);
        drop(kept);
        self.log(request, &answer, now, started.elapsed());
        answer
    }

    fn log(
        &self,
        request: &ArmRequest,
        answer: &ArmAnswer,
        at: Timestamp,
        took: std::time::Duration,
    ) {
        let query: Vec<String> = request
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let entry = LogEntry {
            at,
            method: request.method.to_string(),
            path: request.path.clone(),
            query: query.join("&"),
            status: answer.status,
            request_bytes: request.body.len(),
            response_bytes: answer.text().len(),
            milliseconds: took.as_secs_f64() * 1000.0,
            class: class_of(&request.path),
        };
        let mut log = self
            .inner
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if log.len() >= LOG_LIMIT {
            log.drain(..LOG_LIMIT / 2);
        }
        log.push(entry);
    }

    /// The script of an operation is over.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish_script(
        &self,
        operation: &str,
        outcome: &ScriptOutcome,
    ) -> Result<(), StoreError> {
        self.change(|world, now| {
            run_command::finish(world, operation, outcome, now);
            Ok(())
        })
    }

    /// Ends what the clock has ended, so that watchers learn of it without a request.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn settle(&self) -> Result<(), StoreError> {
        self.change(|_, _| Ok(()))
    }

    /// How long until the clock alone changes something.
    #[must_use]
    pub fn next_due_in(&self) -> Option<std::time::Duration> {
        let due = self.lock().world.next_due()?;
        Some(
            due.duration_since((self.inner.clock)())
                .try_into()
                .unwrap_or_default(),
        )
    }

    /// All documents of a type as GET prints them, in order of creation.
    #[must_use]
    pub fn documents(&self, resource_type: &str) -> Vec<Value> {
        let mut kept = self.lock();
        operation::settle(&mut kept.world, (self.inner.clock)());
        let world = &kept.world;
        world
            .of_type(resource_type)
            .iter()
            .map(|(_, resource)| show(world, resource, NEWEST))
            .collect()
    }

    /// One document, or a part of one, by id in any case.
    #[must_use]
    pub fn document(&self, id: &str) -> Option<Value> {
        let mut kept = self.lock();
        operation::settle(&mut kept.world, (self.inner.clock)());
        let world = &kept.world;
        if let Some(resource) = world.resource(id) {
            return Some(show(world, resource, NEWEST));
        }
        let path = ResourcePath::parse(id)?;
        let owner = world.resource(&path.ancestor(1).to_string())?;
        descend(&show(world, owner, NEWEST), path.segments.get(2..)?).cloned()
    }

    /// Moves with every change of a document.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.revision.subscribe()
    }

    #[must_use]
    pub fn identity(&self) -> Identity {
        self.lock().identity.clone()
    }

    #[must_use]
    pub fn settings(&self) -> Settings {
        self.lock().world.settings.clone()
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn change_settings(&self, settings: Settings) -> Result<(), StoreError> {
        self.change(|world, _| {
            world.settings = settings;
            Ok(())
        })
    }

    /// The requests so far, oldest first. They are kept in memory only.
    #[must_use]
    pub fn requests(&self) -> Vec<LogEntry> {
        self.inner
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn clear_requests(&self) {
        self.inner
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Switches a fault on; `off` clears all.
    ///
    /// # Errors
    /// When the text is not understood.
    pub fn set_fault(&self, text: &str) -> Result<(), FaultError> {
        let mut kept = self.lock();
        kept.world.faults.set(text)?;
        if let Err(error) = self.save(&kept) {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the fault will not outlive this process"
            );
        }
        Ok(())
    }

    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.lock().world.faults.texts()
    }

    /// Empties the world; settings, faults and identity stay as at the start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reset(&self) -> Result<(), StoreError> {
        self.clear_requests();
        self.change(|world, _| {
            let revision = world.revision;
            *world = World::new(random());
            world.revision = revision + 1;
            Ok(())
        })
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn ensure_resource_group(
        &self,
        subscription: &str,
        name: &str,
        location: &str,
    ) -> Result<(), StoreError> {
        self.change(|world, _| {
            resource_group::ensure(world, subscription, name, location);
            Ok(())
        })
    }

    /// The interface has this ip configuration with this address; memberships stay as they are.
    ///
    /// # Errors
    /// When the id is none of a network interface, the address is taken, or the file cannot be written.
    pub fn ensure_network_interface(
        &self,
        id: &str,
        ip_configuration: &str,
        private_address: IpAddr,
        location: &str,
    ) -> Result<(), StoreError> {
        self.change(|world, _| {
            seed::ensure_network_interface(world, id, ip_configuration, private_address, location)
                .map_err(StoreError::Document)
        })
    }

    /// The machine exists and holds the interfaces; `os` is `Linux` or `Windows`.
    ///
    /// # Errors
    /// When the id is none of a virtual machine, or the file cannot be written.
    pub fn ensure_virtual_machine(
        &self,
        id: &str,
        os: &str,
        network_interfaces: &[String],
        location: &str,
    ) -> Result<(), StoreError> {
        self.change(|world, _| {
            seed::ensure_virtual_machine(world, id, os, network_interfaces, location)
                .map_err(StoreError::Document)
        })
    }

    /// The public IP has this address, or will get it when it is created.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn prefer_address(&self, public_ip_id: &str, address: IpAddr) -> Result<(), StoreError> {
        self.change(|world, _| {
            world.preferred.insert(canonical(public_ip_id), address);
            public_ip::move_to_preferred(world, public_ip_id);
            Ok(())
        })
    }

    /// Puts ARM documents, as GET prints them, into the world as existing infrastructure.
    ///
    /// # Errors
    /// When something is not an ARM document, or the file cannot be written.
    pub fn load(&self, document: &Value) -> Result<Vec<String>, StoreError> {
        self.change(|world, _| seed::load(world, document).map_err(StoreError::Document))
    }

    /// Runs a closure on the world itself: for tests and tools beside the emulator.
    pub fn with_world<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock().world)
    }
}

fn parse(file: &Path, text: &[u8]) -> Result<Kept, StoreError> {
    let damaged = |source| StoreError::Damaged {
        path: file.to_owned(),
        source,
    };
    let value: Value = serde_json::from_slice(text).map_err(damaged)?;
    let format = value
        .get("format")
        .and_then(Value::as_u64)
        .and_then(|format| u32::try_from(format).ok());
    if let Some(format) = format.filter(|format| *format > FORMAT) {
        return Err(StoreError::Newer {
            path: file.to_owned(),
            format,
        });
    }
    serde_json::from_value(value).map_err(damaged)
}

fn fresh() -> Kept {
    Kept {
        format: FORMAT,
        identity: new_identity(),
        world: World::new(random()),
    }
}

fn random() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// The token looks like a JWT, because some clients read its claims; only its whole text counts.
fn new_identity() -> Identity {
    let guid = || uuid::Uuid::new_v4().to_string();
    let (tenant_id, client_id) = (guid(), guid());
    let claims = json!({
        "aud": "https://management.azure.com/", "iss": format!("https://sts.windows.net/{tenant_id}/"),
        "iat": 1_700_000_000_u64, "nbf": 1_700_000_000_u64, "exp": 4_102_444_800_u64,
        "appid": client_id, "oid": guid(), "tid": tenant_id, "ver": "1.0",
    });
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let secret = URL_SAFE_NO_PAD.encode([guid(), guid()].concat());
    let token = format!(
        "{}.{}.{secret}",
        encode(&json!({"typ": "JWT", "alg": "none"})),
        encode(&claims)
    );
    Identity {
        tenant_id,
        subscription_id: guid(),
        client_id,
        token,
    }
}

fn class_of(path: &str) -> RequestClass {
    let lower = path.to_ascii_lowercase();
    if lower.contains("/operations/") || lower.contains("/operationresults/") {
        RequestClass::Operation
    } else if lower.contains("/providers/microsoft.network/") {
        RequestClass::Network
    } else {
        RequestClass::Other
    }
}
