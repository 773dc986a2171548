//! The state in a local file: read without a lock, written whole or not at all, under the operating system's lock.
//!
//! Beside `web.json` lie `web.json.lock` (empty unless it is held; a killed process leaves no lock behind, since the
//! operating system takes it off) and `web.json.backup` (the serial before the last).

use crate::error::StoreError;
use crate::identity::{Identity, identity, words};
use crate::lock::LockInfo;
use crate::state_store::{HeldState, StateStore, Unlocked};
use async_trait::async_trait;
use plimsoll_core::apply::{KeepState, WorldError};
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug)]
pub struct LocalStore {
    path: PathBuf,
}

/// The state while this process holds its lock.
#[derive(Debug)]
pub struct LockedStore {
    inner: Arc<Mutex<Held>>,
}

#[derive(Debug)]
struct Held {
    path: PathBuf,
    /// Its lock goes when it is closed.
    lock: File,
    /// What the file is known to hold: read when the lock was taken, then whatever was saved last.
    known: Option<Identity>,
}

impl LocalStore {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `None` when there is no state yet. Takes no lock: a state is replaced in one go, so that this is never half of one.
    pub fn read(&self) -> Result<Option<String>, StoreError> {
        read(&self.path)
    }

    /// Takes the lock, or says who has it.
    pub fn lock(&self, info: &LockInfo) -> Result<LockedStore, StoreError> {
        make_folder(&self.path)?;
        match self.try_lock()? {
            Tried::Taken(mut lock) => {
                say_who(&mut lock, info).map_err(|source| self.no_lock(source))?;
                let known = read(&self.path)?.map(|text| identity(&text));
                Ok(LockedStore {
                    inner: Arc::new(Mutex::new(Held {
                        path: self.path.clone(),
                        lock,
                        known,
                    })),
                })
            }
            Tried::Held(by) => Err(StoreError::Locked {
                place: self.place(),
                by: by.map(Box::new),
                ends_within: None,
            }),
        }
    }

    fn try_lock(&self) -> Result<Tried, StoreError> {
        // Not truncated: until the lock is ours, the text is the holder's.
        let mut lock = private()
            .read(true)
            .create(true)
            .truncate(false)
            .open(beside(&self.path, ".lock"))
            .map_err(|source| self.no_lock(source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Tried::Taken(lock)),
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let by = lock
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| serde_json::from_str(&text).ok());
                Ok(Tried::Held(by))
            }
            Err(TryLockError::Error(source)) => Err(self.no_lock(source)),
        }
    }

    fn no_lock(&self, source: io::Error) -> StoreError {
        StoreError::TakeLock {
            path: beside(&self.path, ".lock"),
            source,
        }
    }

    /// Who holds the lock, without taking it. `None` when nobody ever locked it.
    fn tried(&self) -> Result<Option<Tried>, StoreError> {
        if beside(&self.path, ".lock").exists() {
            self.try_lock().map(Some)
        } else {
            Ok(None)
        }
    }
}

/// What trying to take the lock found.
enum Tried {
    Taken(File),
    /// Absent when the holder has not said who it is.
    Held(Option<LockInfo>),
}

#[async_trait]
impl StateStore for LocalStore {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    async fn read(&self) -> Result<Option<String>, StoreError> {
        Self::read(self)
    }

    async fn read_backup(&self) -> Result<Option<String>, StoreError> {
        read(&beside(&self.path, ".backup"))
    }

    async fn lock(&self, info: &LockInfo) -> Result<Box<dyn HeldState>, StoreError> {
        let locked: LockedStore = Self::lock(self, info)?;
        Ok(Box::new(locked))
    }

    async fn holder(&self) -> Result<Option<LockInfo>, StoreError> {
        Ok(match self.tried()? {
            Some(Tried::Held(by)) => by,
            Some(Tried::Taken(_)) | None => None,
        })
    }

    /// The operating system's lock goes with its process, and only with it.
    async fn unlock(&self) -> Result<Unlocked, StoreError> {
        match self.tried()? {
            Some(Tried::Held(by)) => Err(StoreError::Alive {
                place: self.place(),
                by: by.map(Box::new),
            }),
            Some(Tried::Taken(_)) | None => Ok(Unlocked::WasNotLocked),
        }
    }
}

impl LockedStore {
    pub fn read(&self) -> Result<Option<String>, StoreError> {
        read(&self.held().path)
    }

    /// Written whole, and durable when it returns.
    pub fn save(&self, text: &str) -> Result<(), StoreError> {
        self.held().save(text)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        // A panic while saving leaves either the old or the new file in place, and both are whole.
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl KeepState for LockedStore {
    async fn save(&self, text: &str) -> Result<(), WorldError> {
        let inner = Arc::clone(&self.inner);
        let text = text.to_owned();
        // fsync can take long; the engine has guests to talk to meanwhile.
        let saved = tokio::task::spawn_blocking(move || {
            let mut held = inner
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            held.save(&text)
        })
        .await;
        match saved {
            Ok(result) => result.map_err(WorldError::from),
            Err(panic) => Err(WorldError::Refused {
                message: format!("saving the state failed: {panic}; this is a bug in plimsoll"),
            }),
        }
    }
}

#[async_trait]
impl HeldState for LockedStore {
    async fn read(&self) -> Result<Option<String>, StoreError> {
        Self::read(self)
    }

    async fn release(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Held {
    fn save(&mut self, text: &str) -> Result<(), StoreError> {
        let new: Identity = serde_json::from_str(text).map_err(|source| StoreError::NotAState {
            place: self.path.display().to_string(),
            source,
        })?;
        let old = read(&self.path)?;
        let found = old.as_deref().map(identity);
        if found != self.known {
            return Err(StoreError::Moved {
                place: self.path.display().to_string(),
                moved: format!(
                    "it was {}, it is {}",
                    words(self.known.as_ref()),
                    words(found.as_ref())
                ),
            });
        }
        make_folder(&self.path)?;
        // Several saves of one serial are one run's journal; the backup is the state before that run's.
        if let Some(old) = old
            && found.as_ref() != Some(&new)
        {
            let backup = beside(&self.path, ".backup");
            replace(&backup, &old)?;
        }
        replace(&self.path, text)?;
        self.known = Some(new);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Empty, so that nobody takes it for a lock that is held. The file itself stays: removing it could hand the
        // same lock to two processes that opened it at different times.
        let _ = self.lock.set_len(0);
        let _ = self.lock.unlock();
    }
}

fn read(path: &Path) -> Result<Option<String>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(StoreError::NotText {
                place: path.display().to_string(),
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder).map_err(|source| StoreError::MakeFolder {
        path: folder.to_owned(),
        source,
    })
}

/// `state.json` has the parent "", which no system call takes.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Replaces the file in one go: at any moment, and after a crash at any moment, it holds the old text or the new.
fn replace(path: &Path, text: &str) -> Result<(), StoreError> {
    let wrong = |source| StoreError::Write {
        path: path.to_owned(),
        source,
    };
    // Someone who linked the state to another place wants it there.
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = folder_of(path);
    // In the same folder, since a rename does not cross file systems. tempfile makes it readable for its owner only.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(wrong)?;
    file.write_all(text.as_bytes()).map_err(wrong)?;
    file.as_file().sync_all().map_err(wrong)?;
    file.persist(path).map_err(|error| wrong(error.error))?;
    sync_folder(folder).map_err(wrong)
}

/// Makes the rename itself durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows cannot open a folder to flush it; its journal keeps the order of renames.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// A file that only its owner may read, for writing.
fn private() -> std::fs::OpenOptions {
    let mut options = File::options();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

fn say_who(lock: &mut File, info: &LockInfo) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    lock.write_all(
        serde_json::to_string(info)
            .expect("it holds texts and a number")
            .as_bytes(),
    )?;
    lock.flush()
}
