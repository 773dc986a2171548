//! Which blob, who we are to it, and the few requests that are made of it.

use super::held::Content;
use super::refused::{self, BlobError, Code, code};
use crate::error::StoreError;
use azure_core::credentials::TokenCredential;
use azure_core::http::{
    ClientOptions, Etag, ExponentialRetryOptions, HttpClient, RequestContent, RetryOptions,
    Transport,
};
use azure_core::time::Duration;
use azure_storage_blob::models::BlobClientUploadOptions;
use azure_storage_blob::{BlobClient, BlobClientOptions};
use std::fmt;
use std::sync::Arc;
use url::Url;

/// The names that `backend "azblob"` gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobPlace {
    pub account: String,
    pub container: String,
    pub key: String,
    /// `https://ACCOUNT.blob.core.windows.net`, or where else the account answers.
    pub service: Url,
}

/// Who we are to the storage account. Its shared key is not among them on purpose: it opens everything in the account.
#[derive(Clone)]
pub enum BlobAccess {
    /// Microsoft Entra ID, over https only.
    Token(Arc<dyn TokenCredential>),
    Sas(SharedAccessSignature),
}

impl fmt::Debug for BlobAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::Sas(_) => "Sas",
        })
    }
}

/// A token that is a URL's query. A secret: nothing prints it.
#[derive(Clone)]
pub struct SharedAccessSignature(String);

impl SharedAccessSignature {
    /// As it is copied from the portal or printed by `az storage … generate-sas`, with or without its question mark.
    pub fn parse(text: &str) -> Result<Self, BlobError> {
        let query = text.trim().trim_matches('"').trim_start_matches('?');
        let signed = query.split('&').any(|pair| pair.starts_with("sig="));
        if signed && !query.contains(char::is_whitespace) {
            Ok(Self(query.to_owned()))
        } else {
            Err(BlobError::NotASas)
        }
    }
}

impl fmt::Debug for SharedAccessSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(sensitive)")
    }
}

/// One blob.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) client: Arc<BlobClient>,
    /// Its address, without any token.
    pub(super) shown: String,
    account: String,
    container: String,
    by_sas: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.shown).finish()
    }
}

impl Client {
    pub(super) fn new(
        place: &BlobPlace,
        key: &str,
        access: &BlobAccess,
        transport: Arc<dyn HttpClient>,
    ) -> Result<Self, BlobError> {
        let mut url = place.service.clone();
        url.path_segments_mut()
            .map_err(|()| BlobError::Address {
                address: place.service.to_string(),
            })?
            .pop_if_empty()
            .push(&place.container)
            .extend(key.split('/'));
        let shown = url.to_string();
        let credential = match access {
            BlobAccess::Token(_) if url.scheme() != "https" => {
                return Err(BlobError::TokenNeedsTls { address: shown });
            }
            BlobAccess::Token(credential) => Some(Arc::clone(credential)),
            BlobAccess::Sas(SharedAccessSignature(query)) => {
                url.set_query(Some(query));
                None
            }
        };
        let options = BlobClientOptions {
            client_options: ClientOptions {
                transport: Some(Transport::new(transport)),
                // The default goes on for a minute, in which nobody hears anything and the lease runs out.
                retry: RetryOptions::exponential(ExponentialRetryOptions {
                    max_retries: 4,
                    max_total_elapsed: Duration::seconds(20),
                    max_delay: Duration::seconds(5),
                    ..Default::default()
                }),
                ..ClientOptions::default()
            },
            ..BlobClientOptions::default()
        };
        let client = BlobClient::new(url, credential, Some(options))
            .map_err(|error| refused::without_answer(&shown, &error))?;
        Ok(Self {
            client: Arc::new(client),
            shown,
            account: place.account.clone(),
            container: place.container.clone(),
            by_sas: matches!(access, BlobAccess::Sas(_)),
        })
    }

    /// `None` when there is no blob.
    pub(super) async fn download(&self) -> Result<Option<Content>, StoreError> {
        let found = match self.client.download(None).await {
            Ok(found) => found,
            Err(error) if code(&error) == Code::BlobNotFound => return Ok(None),
            Err(error) => return Err(self.refused(&error).into()),
        };
        let etag = found.properties.etag.clone();
        let bytes = found
            .body
            .collect()
            .await
            .map_err(|error| self.refused(&error))?;
        match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Ok(Some(Content {
                text: (!text.is_empty()).then_some(text),
                etag,
            })),
            Err(_) => Err(StoreError::NotText {
                place: self.shown.clone(),
            }),
        }
    }

    /// The new etag.
    pub(super) async fn upload(
        &self,
        text: &str,
        options: BlobClientUploadOptions<'_>,
    ) -> azure_core::Result<Option<Etag>> {
        let options = BlobClientUploadOptions {
            blob_content_type: Some("application/json".to_owned()),
            ..options
        };
        let content = RequestContent::from(text.as_bytes().to_vec());
        let answer = self.client.upload(content, Some(options)).await?;
        Ok(answer.etag)
    }

    /// That somebody else just made it is as good.
    pub(super) async fn create_empty(&self) -> Result<(), StoreError> {
        let options = BlobClientUploadOptions {
            if_none_match: Some(Etag::from("*")),
            ..Default::default()
        };
        match self.upload("", options).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(code(&error), Code::Exists | Code::Leased) => Ok(()),
            Err(error) => Err(self.refused(&error).into()),
        }
    }

    pub(super) fn refused(&self, error: &azure_core::Error) -> BlobError {
        refused::refused(
            &self.shown,
            &self.account,
            &self.container,
            self.by_sas,
            error,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sas_is_taken_as_people_have_it_and_never_shown() {
        for text in [
            "?sv=1&sig=hunter2",
            "sv=1&sig=hunter2\n",
            "\"sv=1&sig=hunter2\"",
        ] {
            let sas = SharedAccessSignature::parse(text).unwrap();
            assert_eq!(sas.0, "sv=1&sig=hunter2");
            assert_eq!(format!("{sas:?}"), "(sensitive)");
        }
        for text in [
            "",
            "hunter2",
            "https://a.blob.core.windows.net/c",
            "sig=a b",
        ] {
            assert!(SharedAccessSignature::parse(text).is_err(), "{text:?}");
        }
    }
}
