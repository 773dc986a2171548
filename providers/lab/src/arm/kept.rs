//! The world's file: `arm.json`, written whole after each change and read once.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use super::catalog::Identity;
use super::world::World;

/// The file's format; a newer one is refused.
const FORMAT: u32 = 1;
pub(super) const FILE: &str = "arm.json";

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

/// What the file holds.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    format: u32,
    pub(super) identity: Identity,
    pub(super) world: World,
}

impl Kept {
    /// An empty world with an identity of its own.
    pub(super) fn fresh() -> Self {
        Self {
            format: FORMAT,
            identity: new_identity(),
            world: World::new(random()),
        }
    }

    /// What the file of this directory holds; `None` without such a file.
    ///
    /// # Errors
    /// When it cannot be read or is not ours.
    pub(super) fn read(file: &Path) -> Result<Option<Self>, StoreError> {
        match fs::read(file) {
            Ok(text) => parse(file, &text).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::File {
                what: "read",
                path: file.to_owned(),
                source,
            }),
        }
    }

    /// Replaces the file by what is here, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(&self, file: &Path) -> Result<(), StoreError> {
        let refused = |what| {
            move |source| StoreError::File {
                what,
                path: file.to_owned(),
                source,
            }
        };
        let directory = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory).map_err(refused("make the folder of"))?;
        let mut temporary =
            tempfile::NamedTempFile::new_in(directory).map_err(refused("write beside"))?;
        let text = serde_json::to_vec(self)
            .map_err(io::Error::from)
            .map_err(refused("encode"))?;
        temporary.write_all(&text).map_err(refused("write"))?;
        temporary
            .persist(file)
            .map_err(|error| refused("replace")(error.error))?;
        Ok(())
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

pub(super) fn random() -> u64 {
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
