//! Managed identity: the metadata service of the virtual machine hands out a token, and asks for no secret.
//!
//! Source: <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token>.

use super::Names;
use crate::endpoint::EndpointError;
use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_core::http::{HttpClient, Method, Request};
use azure_core::time::{Duration as Life, OffsetDateTime};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const SERVICE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const API_VERSION: &str = "2018-02-01";

/// The service is one hop away: it answers within milliseconds or is not there at all.
const CONNECT: Duration = Duration::from_secs(3);

/// Microsoft asks to repeat 404, 410, 429 and 5xx: the service is updated while machines run. 1, 2, 4 and 8 s.
const TRIES: u32 = 5;

pub(super) struct ManagedIdentity {
    service: Url,
    /// Of a user-assigned identity; without it the machine's own.
    client_id: Option<String>,
    transport: Arc<dyn HttpClient>,
}

impl std::fmt::Debug for ManagedIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManagedIdentity")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

impl ManagedIdentity {
    pub(super) fn find(names: &Names<'_>) -> Result<Self, EndpointError> {
        let service = names.get("ARM_MSI_ENDPOINT");
        let text = service.as_deref().unwrap_or(SERVICE);
        let service = Url::parse(text).map_err(|source| EndpointError::NotAnUrl {
            text: text.to_owned(),
            source,
        })?;
        // A proxy could not reach the service of this machine, and must not see its tokens.
        let transport = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(Duration::from_secs(30))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(EndpointError::Transport)?;
        Ok(Self {
            service,
            client_id: names.either("ARM_CLIENT_ID", "AZURE_CLIENT_ID"),
            transport: Arc::new(transport),
        })
    }

    fn request(&self, scope: &str) -> Request {
        let mut url = self.service.clone();
        // The service knows resources, not scopes.
        let resource = scope.strip_suffix("/.default").unwrap_or(scope);
        url.query_pairs_mut()
            .append_pair("api-version", API_VERSION)
            .append_pair("resource", resource);
        if let Some(id) = &self.client_id {
            url.query_pairs_mut().append_pair("client_id", id);
        }
        let mut request = Request::new(url, Method::Get);
        // It refuses requests without it, so that nobody can be made to forward one.
        request.insert_header("metadata", "true");
        request
    }

    async fn ask(&self, request: &Request) -> azure_core::Result<(u16, Value)> {
        let answer = self.transport.execute_request(request).await?;
        let answer = answer.try_into_raw_response().await?;
        let body = serde_json::from_slice(answer.body()).unwrap_or_default();
        Ok((u16::from(answer.status()), body))
    }
}

#[async_trait]
impl TokenCredential for ManagedIdentity {
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let wrong = |text: String| azure_core::Error::with_message(ErrorKind::Credential, text);
        let request = self.request(scopes.first().copied().unwrap_or_default());
        let mut answer = Err(wrong("the metadata service was not asked".to_owned()));
        for attempt in 0..TRIES {
            answer = self.ask(&request).await;
            let again = match &answer {
                Ok((status, _)) => matches!(status, 404 | 410 | 429 | 500..),
                // No metadata service: this is no virtual machine of Azure's, and waiting makes it none.
                Err(_) => false,
            };
            if !again || attempt + 1 == TRIES {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1 << attempt)).await;
        }
        let (status, body) = answer.map_err(|error| {
            let text = "the metadata service cannot be reached; does this run on a virtual machine of Azure's?";
            azure_core::Error::with_error(ErrorKind::Credential, error, text)
        })?;
        let Some(token) = body.get("access_token").and_then(Value::as_str) else {
            let said = body.get("error_description").and_then(Value::as_str);
            return Err(wrong(format!(
                "the metadata service answered {status}: {}",
                said.unwrap_or("no token; has this machine an identity?")
            )));
        };
        Ok(AccessToken::new(
            token.to_owned(),
            OffsetDateTime::now_utc() + life(&body),
        ))
    }
}

/// Seconds, as a text or as a number. One that says nothing is used once.
fn life(body: &Value) -> Life {
    let seconds = body.get("expires_in").and_then(|value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    });
    Life::seconds(seconds.unwrap_or(0))
}
