//! Where the lab keeps things, all of it below `<configuration directory>/.plimsoll/lab/`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::seed::Inventory;

/// The paths of one lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The lab that belongs to a configuration directory; creates nothing.
    pub fn new(configuration: &Path) -> Self {
        // Absolute, because the daemon outlives the directory its starter stood in.
        let configuration =
            std::path::absolute(configuration).unwrap_or_else(|_| configuration.to_path_buf());
        Self {
            root: configuration.join(".plimsoll").join("lab"),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How a running lab is reached; holds its control token.
    pub fn lab_file(&self) -> PathBuf {
        self.root.join("lab.json")
    }

    /// Held by a command while it starts the daemon.
    pub fn start_lock(&self) -> PathBuf {
        self.root.join("start.lock")
    }

    /// Held by the daemon for as long as it lives.
    pub fn daemon_lock(&self) -> PathBuf {
        self.root.join("daemon.lock")
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("daemon.log")
    }

    /// The guests and NICs that were ever seeded, with their addresses.
    pub fn inventory(&self) -> PathBuf {
        self.root.join("inventory.json")
    }

    /// An empty directory on which the lab's root namespace mounts its /run.
    pub fn stage(&self) -> PathBuf {
        self.root.join("stage")
    }

    /// The guest that is meant: its name, what else a configuration calls the machine, or the last part of its name where
    /// no other guest ends like that. An instance `guest.vm["vm1"]` is `vm.vm1` here, and people call it `vm1`.
    pub fn guest_named(&self, typed: &str) -> Result<GuestName, LabError> {
        let name = GuestName::parse(typed)?;
        if self.guest(&name).exists() {
            return Ok(name);
        }
        let inventory = fs::read(self.inventory()).ok();
        let inventory: Option<Inventory> =
            inventory.and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(known) = inventory.as_ref().and_then(|all| all.guest(typed).ok()) {
            return Ok(known.name.clone());
        }
        let end = format!(".{typed}");
        let mut alike: Vec<String> = std::fs::read_dir(self.root.join("guests"))
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|known| known.ends_with(&end))
            .collect();
        match (alike.pop(), alike.is_empty()) {
            (Some(only), true) => GuestName::parse(&only),
            (Some(_), false) | (None, _) => Ok(name),
        }
    }

    pub fn guest(&self, name: &GuestName) -> PathBuf {
        self.root.join("guests").join(name.as_str())
    }

    pub fn guest_etc(&self, name: &GuestName) -> PathBuf {
        self.guest(name).join("etc")
    }

    /// The process 1 of the lab's root namespaces, as the host numbers it.
    pub fn root_pid(&self) -> PathBuf {
        self.root.join("root.pid")
    }

    /// The process that is the guest's init, as the host numbers it.
    pub fn guest_pid(&self, name: &GuestName) -> PathBuf {
        self.guest(name).join("init.pid")
    }

    /// Makes the directory, readable by its owner only: it holds tokens and guests' files.
    pub fn create(&self) -> Result<(), LabError> {
        create_private_directory(&self.root)?;
        create_private_directory(&self.stage())?;
        create_private_directory(&self.root.join("guests"))
    }
}

/// A guest's name, checked so that it is one harmless path component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct GuestName(String);

impl GuestName {
    pub fn parse(name: &str) -> Result<Self, LabError> {
        let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let fits = (1..=64).contains(&name.len());
        // A leading dot would allow `..`; a leading dash would read as an option of some tool.
        if fits && name.chars().all(harmless) && !name.starts_with(['.', '-']) {
            Ok(Self(name.to_owned()))
        } else {
            Err(LabError::GuestName {
                name: name.to_owned(),
            })
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for GuestName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for GuestName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The content of `lab.json`: how to reach the running lab.
#[derive(Clone, Serialize, Deserialize)]
pub struct LabFile {
    /// The daemon's process.
    pub pid: u32,
    pub endpoint: String,
    pub token_endpoint: String,
    pub ca_file: PathBuf,
    pub subscription: String,
    pub tenant: String,
    pub client_id: String,
    pub client_secret: String,
    pub control_token: String,
    /// Whether the lab's namespaces hang below a user namespace, that is, it was started without root.
    pub user_namespace: bool,
}

// By hand, so that the secrets cannot reach a log through `{:?}`.
impl std::fmt::Debug for LabFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LabFile")
            .field("pid", &self.pid)
            .field("endpoint", &self.endpoint)
            .field("secrets", &"(sensitive)")
            .finish_non_exhaustive()
    }
}

impl LabFile {
    /// Reads it if it is there and whole.
    pub fn read(layout: &Layout) -> Option<Self> {
        let text = fs::read(layout.lab_file()).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub fn write(&self, layout: &Layout) -> Result<(), LabError> {
        let text = serde_json::to_vec_pretty(self).expect("plain strings and numbers serialize");
        write_private(&layout.lab_file(), &text)
    }
}

/// Replaces a file at once, readable by its owner only.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), LabError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".new");
    let partial = PathBuf::from(partial);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .map_err(LabError::file("create", &partial))?;
    file.write_all(content)
        .map_err(LabError::file("write", &partial))?;
    fs::rename(&partial, path).map_err(LabError::file("replace", path))
}

pub(crate) fn create_private_directory(path: &Path) -> Result<(), LabError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(LabError::file("create the directory", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_name_is_one_harmless_path_component() {
        for good in ["vm1", "web-1.internal", "a_b", "7"] {
            assert!(GuestName::parse(good).is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for bad in [
            "", ".", "..", "a/b", "-rf", "a b", "a\n", "ü", ".hidden", &long,
        ] {
            assert!(GuestName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_lab_file_is_private_and_its_debug_form_holds_no_secret() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        layout.create().unwrap();
        let file = LabFile {
            pid: 1,
            endpoint: "https://127.0.0.1:1".into(),
            token_endpoint: "https://127.0.0.1:1/t".into(),
            ca_file: "ca.pem".into(),
            subscription: "s".into(),
            tenant: "t".into(),
            client_id: "c".into(),
            client_secret: "hush".into(),
            control_token: "hush".into(),
            user_namespace: false,
        };
        file.write(&layout).unwrap();
        let mode = fs::metadata(layout.lab_file())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{file:?}").contains("hush"));
        assert_eq!(LabFile::read(&layout).unwrap().control_token, "hush");
    }
}
