//! The world in a file, shared between server, fabric and daemon.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::catalog::Identity;
use super::fault_text::FaultError;
use super::kept::{self, FILE, Kept, StoreError};
use super::message::{ArmAnswer, ArmRequest};
use super::refusal::Refusal;
use super::request_log::{LogEntry, RequestLog};
use super::resource_id::{ResourcePath, canonical};
use super::run_command::{self, ScriptOutcome};
use super::shown::{descend, show};
use super::world::{Settings, World};
use super::{answer, operation, public_ip, resource_group, seed};

/// Where time comes from; tests turn it by hand.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Every api-version is older: documents are shown whole.
const NEWEST: &str = "9999-12-31";

struct Inner {
    kept: Mutex<Kept>,
    log: Mutex<RequestLog>,
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
        let mut kept = Kept::read(&file)?.unwrap_or_else(Kept::fresh);
        run_command::interrupt_all(&mut kept.world, clock());
        let store = Self::new(kept, clock, Some(file));
        store.save(&store.lock())?;
        Ok(store)
    }

    /// A store without a file, for tests.
    #[must_use]
    pub fn in_memory(clock: Clock) -> Self {
        Self::new(Kept::fresh(), clock, None)
    }

    /// The same world once more, without a file and with a log of its own: tests branch off there.
    #[must_use]
    pub fn branch(&self, clock: Clock) -> Self {
        Self::new(self.lock().clone(), clock, None)
    }

    fn new(kept: Kept, clock: Clock, file: Option<PathBuf>) -> Self {
        let revision = watch::Sender::new(kept.world.revision);
        let inner = Inner {
            kept: Mutex::new(kept),
            log: Mutex::default(),
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

    fn log(&self) -> MutexGuard<'_, RequestLog> {
        self.inner
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, kept: &Kept) -> Result<(), StoreError> {
        match &self.inner.file {
            Some(file) => kept.write(file),
            None => Ok(()),
        }
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
        let entry = LogEntry::of(request, &answer, now, started.elapsed());
        self.log().push(entry);
        answer
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
        self.log().entries()
    }

    pub fn clear_requests(&self) {
        self.log().clear();
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
            *world = World::new(kept::random());
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

    /// The prefix exists: a /28 where it did not.
    ///
    /// # Errors
    /// When the id is none of a prefix, or the file cannot be written.
    pub fn ensure_public_ip_prefix(&self, id: &str, location: &str) -> Result<(), StoreError> {
        self.change(|world, _| {
            seed::ensure_public_ip_prefix(world, id, location).map_err(StoreError::Document)
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
