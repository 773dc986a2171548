//! The blob while this process holds its lease, renewed in the background until it is released or dropped.

use super::refused::{Code, code};
use super::{BlobStore, Client};
use crate::error::StoreError;
use crate::identity::{Identity, identity, words};
use crate::state_store::{HeldState, StateStore as _};
use async_trait::async_trait;
use azure_core::http::Etag;
use azure_storage_blob::models::BlobClientUploadOptions;
use plimsoll_core::apply::{KeepState, WorldError};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// What the blob holds.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// `None` when it is empty.
    pub(super) text: Option<String>,
    pub(super) etag: Option<Etag>,
}

#[derive(Debug)]
pub(super) struct HeldBlob {
    store: BlobStore,
    lease: String,
    /// Who holds it; every upload has to say it again.
    metadata: HashMap<String, String>,
    /// What the blob is known to hold: read when the lease was taken, then whatever was saved last.
    known: Mutex<Content>,
    lost: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
}

impl HeldBlob {
    pub(super) fn new(
        store: BlobStore,
        lease: String,
        metadata: HashMap<String, String>,
        content: Content,
    ) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let renewal = renew(
            store.blob.clone(),
            lease.clone(),
            // Two renewals may fail before the lease is in danger.
            store.lease / 4,
            Arc::clone(&lost),
        );
        Self {
            store,
            lease,
            metadata,
            known: Mutex::new(content),
            lost,
            renewal: tokio::spawn(renewal),
        }
    }

    async fn write(&self, text: &str) -> Result<(), StoreError> {
        let place = self.store.place();
        let new: Identity =
            serde_json::from_str(text).map_err(|source| StoreError::NotAState { place, source })?;
        let mut known = self.known.lock().await;
        if self.lost.load(Ordering::SeqCst) {
            return Err(self.lost().await);
        }
        let options = BlobClientUploadOptions {
            lease_id: Some(self.lease.clone()),
            if_match: known.etag.clone(),
            metadata: Some(self.metadata.clone()),
            ..Default::default()
        };
        let etag = match self.store.blob.upload(text, options).await {
            Ok(etag) => etag,
            Err(error) => self.explain(text, &known, &error).await?,
        };
        let old = std::mem::replace(
            &mut *known,
            Content {
                text: Some(text.to_owned()),
                etag,
            },
        );
        // After the state itself: whoever lost the lease must not touch the backup either.
        match old.text {
            Some(old) if identity(&old) != new => self
                .store
                .backup
                .upload(&old, BlobClientUploadOptions::default())
                .await
                .map(|_| ())
                .map_err(|error| self.store.backup.refused(&error).into()),
            Some(_) | None => Ok(()),
        }
    }

    /// What a refused write means. A write that was sent twice because the first answer got lost is refused although it
    /// came true: then the new etag.
    async fn explain(
        &self,
        text: &str,
        known: &Content,
        error: &azure_core::Error,
    ) -> Result<Option<Etag>, StoreError> {
        match code(error) {
            Code::LeaseGone | Code::Leased => Err(self.lost().await),
            Code::Moved | Code::BlobNotFound => {
                let found = self.store.blob.download().await?;
                let found_text = found.as_ref().and_then(|content| content.text.as_deref());
                if found_text == Some(text) {
                    return Ok(found.and_then(|content| content.etag));
                }
                Err(StoreError::Moved {
                    place: self.store.place(),
                    moved: format!(
                        "it was {}, it is {}",
                        words(known.text.as_deref().map(identity).as_ref()),
                        words(found_text.map(identity).as_ref())
                    ),
                })
            }
            Code::NoContainer | Code::Exists | Code::Other => {
                Err(self.store.blob.refused(error).into())
            }
        }
    }

    async fn lost(&self) -> StoreError {
        self.lost.store(true, Ordering::SeqCst);
        StoreError::Lost {
            place: self.store.place(),
            // Only for the words: that it is lost is known without it.
            by: self.store.holder().await.ok().flatten().map(Box::new),
        }
    }
}

/// Until the lease is somebody else's. Whatever else goes wrong is tried again: the lease outlives it.
async fn renew(blob: Client, lease: String, every: Duration, lost: Arc<AtomicBool>) {
    loop {
        tokio::time::sleep(every).await;
        let renewed = tokio::time::timeout(every, blob.client.renew_lease(lease.clone(), None));
        if let Ok(Err(error)) = renewed.await
            && matches!(code(&error), Code::LeaseGone | Code::BlobNotFound)
        {
            lost.store(true, Ordering::SeqCst);
            return;
        }
    }
}

#[async_trait]
impl KeepState for HeldBlob {
    async fn save(&self, text: &str) -> Result<(), WorldError> {
        self.write(text).await.map_err(WorldError::from)
    }
}

#[async_trait]
impl HeldState for HeldBlob {
    async fn read(&self) -> Result<Option<String>, StoreError> {
        // Nobody else can have written it since.
        Ok(self.known.lock().await.text.clone())
    }

    async fn release(self: Box<Self>) -> Result<(), StoreError> {
        self.renewal.abort();
        let released = self
            .store
            .blob
            .client
            .release_lease(self.lease.clone(), None)
            .await;
        match released {
            Ok(_) => Ok(()),
            // It is not ours any more, which is what was asked.
            Err(error) if matches!(code(&error), Code::LeaseGone | Code::BlobNotFound) => Ok(()),
            Err(error) => Err(self.store.blob.refused(&error).into()),
        }
    }
}

impl Drop for HeldBlob {
    /// Not released: the lease then ends by itself.
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
