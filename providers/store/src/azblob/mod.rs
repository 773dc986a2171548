//! The state in a blob: read without a lock, written whole, under a lease that Azure Storage itself enforces.
//!
//! While it is leased, Azure refuses every write that does not carry the lease, so that a holder who lost it cannot write
//! over the next one. A holder that dies stops renewing, and its lease ends by itself. Who holds it is in the blob's
//! metadata. Beside `web.json` lies `web.json.backup`, the serial before the last. An empty blob is no state yet: a lease
//! needs a blob to stand on.

mod access;
mod held;
mod refused;

pub use access::{BlobAccess, BlobPlace, SharedAccessSignature};
pub use refused::BlobError;

use crate::error::StoreError;
use crate::lock::LockInfo;
use crate::state_store::{HeldState, StateStore, Unlocked};
use access::Client;
use async_trait::async_trait;
use azure_core::http::HttpClient;
use azure_storage_blob::models::{
    BlobClientAcquireLeaseOptions, BlobClientBreakLeaseOptions,
    BlobClientGetPropertiesResultHeaders as _, BlobClientSetMetadataOptions, LeaseState,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use held::{Content, HeldBlob};
use refused::{Code, code};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Long enough that a slow minute at Azure's end does not end a run, short enough to wait for after a crash. Azure takes
/// 15 to 60 s.
pub const LEASE: Duration = Duration::from_secs(60);

/// The name in the blob's metadata under which the holder says who it is.
const HOLDER: &str = "plimsoll_lock";

/// A state in a blob.
#[derive(Clone, Debug)]
pub struct BlobStore {
    blob: Client,
    backup: Client,
    lease: Duration,
}

impl BlobStore {
    /// `transport` is the HTTPS client, with its time limits and whom it trusts.
    pub fn new(
        place: &BlobPlace,
        access: &BlobAccess,
        transport: Arc<dyn HttpClient>,
    ) -> Result<Self, BlobError> {
        Ok(Self {
            blob: Client::new(place, &place.key, access, Arc::clone(&transport))?,
            backup: Client::new(place, &format!("{}.backup", place.key), access, transport)?,
            lease: LEASE,
        })
    }

    /// Another time than [`LEASE`] after which the lock of a dead process ends: 15 to 60 s.
    #[must_use]
    pub fn with_lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Takes the lease under an id of our own, so that asking twice because an answer was lost still gets it.
    async fn acquire(&self) -> Result<String, StoreError> {
        let id = uuid::Uuid::new_v4().to_string();
        let seconds = i32::try_from(self.lease.as_secs()).unwrap_or(60);
        let options = || {
            Some(BlobClientAcquireLeaseOptions {
                proposed_lease_id: Some(id.clone()),
                ..Default::default()
            })
        };
        let mut answer = self.blob.client.acquire_lease(seconds, options()).await;
        if answer
            .as_ref()
            .is_err_and(|e| code(e) == Code::BlobNotFound)
        {
            self.blob.create_empty().await?;
            answer = self.blob.client.acquire_lease(seconds, options()).await;
        }
        match answer {
            Ok(_) => Ok(id),
            Err(error) if code(&error) == Code::Leased => Err(StoreError::Locked {
                place: self.place(),
                by: self.holder().await?.map(Box::new),
                ends_within: Some(self.lease),
            }),
            Err(error) => Err(self.blob.refused(&error).into()),
        }
    }

    async fn say_who(&self, lease: &str, info: &LockInfo) -> Result<(), StoreError> {
        let options = BlobClientSetMetadataOptions {
            lease_id: Some(lease.to_owned()),
            ..Default::default()
        };
        self.blob
            .client
            .set_metadata(&metadata(info), Some(options))
            .await
            .map(|_| ())
            .map_err(|error| self.blob.refused(&error).into())
    }

    async fn lease(&self, lease: &str, info: &LockInfo) -> Result<Content, StoreError> {
        self.say_who(lease, info).await?;
        match self.blob.download().await? {
            Some(content) => Ok(content),
            None => Err(StoreError::Moved {
                place: self.place(),
                moved: "it was deleted while it was being locked".to_owned(),
            }),
        }
    }
}

#[async_trait]
impl StateStore for BlobStore {
    fn place(&self) -> String {
        self.blob.shown.clone()
    }

    async fn read(&self) -> Result<Option<String>, StoreError> {
        Ok(self.blob.download().await?.and_then(|content| content.text))
    }

    async fn read_backup(&self) -> Result<Option<String>, StoreError> {
        let content = self.backup.download().await?;
        Ok(content.and_then(|content| content.text))
    }

    async fn lock(&self, info: &LockInfo) -> Result<Box<dyn HeldState>, StoreError> {
        let lease = self.acquire().await?;
        let content = match self.lease(&lease, info).await {
            Ok(content) => content,
            Err(error) => {
                // Not left to run out: whoever comes next need not wait for nobody.
                let _ = self.blob.client.release_lease(lease, None).await;
                return Err(error);
            }
        };
        Ok(Box::new(HeldBlob::new(
            self.clone(),
            lease,
            metadata(info),
            content,
        )))
    }

    async fn holder(&self) -> Result<Option<LockInfo>, StoreError> {
        let properties = match self.blob.client.get_properties(None).await {
            Ok(properties) => properties,
            Err(error) if code(&error) == Code::BlobNotFound => return Ok(None),
            Err(error) => return Err(self.blob.refused(&error).into()),
        };
        let held = matches!(
            properties.lease_state(),
            Ok(Some(LeaseState::Leased | LeaseState::Breaking))
        );
        let said = properties.metadata().unwrap_or_default();
        Ok(said
            .iter()
            .find(|(name, _)| held && name.eq_ignore_ascii_case(HOLDER))
            .and_then(|(_, value)| STANDARD.decode(value).ok())
            .and_then(|json| serde_json::from_slice(&json).ok()))
    }

    async fn unlock(&self) -> Result<Unlocked, StoreError> {
        let options = BlobClientBreakLeaseOptions {
            break_period: Some(0),
            ..Default::default()
        };
        match self.blob.client.break_lease(Some(options)).await {
            Ok(_) => Ok(Unlocked::Broken),
            Err(error) if matches!(code(&error), Code::LeaseGone | Code::BlobNotFound) => {
                Ok(Unlocked::WasNotLocked)
            }
            Err(error) => Err(self.blob.refused(&error).into()),
        }
    }
}

/// Headers carry ASCII only, and a user's name need not be.
fn metadata(info: &LockInfo) -> HashMap<String, String> {
    let json = serde_json::to_vec(info).expect("it holds texts and a number");
    HashMap::from([(HOLDER.to_owned(), STANDARD.encode(json))])
}
