//! The client: one request to Azure Resource Manager, with its token, its waiting and its errors.
//!
//! `azure_core`'s pipeline carries it, with that pipeline's own retries off: they repeat what must not be repeated and
//! wait where nobody sees it.

mod answer;
mod send;

pub use answer::{Answer, Document};
pub(crate) use send::Call;
pub use send::Condition;

use crate::endpoint::{Endpoint, EndpointError};
use crate::error::{ArmError, Meaning};
use crate::pace::Pace;
use crate::patience::{Patience, Repeat};
use crate::versions::api_version;
use answer::document;
use azure_core::credentials::TokenCredential;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{ClientOptions, HttpClient, Method, Pipeline, RetryOptions, Transport};
use plimsoll_core::apply::Progress;
use plimsoll_core::model::ArmId;
use send::describe;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Semaphore;
use url::Url;

/// Requests that are under way at once. A thousand network interfaces are read in seconds with this many, and Resource
/// Manager's bucket (250 reads, refilled with 25 a second) is not emptied in one gulp.
const AT_ONCE: usize = 16;

/// Begins the user agent.
const CLIENT: &str = "plimsoll";

#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    endpoint: Endpoint,
    pipeline: Pipeline,
    patience: Patience,
    under_way: Semaphore,
    /// Only before Azure itself: an endpoint of one's own has no such limits.
    pace: Option<Pace>,
}

impl Client {
    pub fn new(
        endpoint: Endpoint,
        credential: Arc<dyn TokenCredential>,
    ) -> Result<Self, EndpointError> {
        let transport = endpoint.transport()?;
        Ok(Self::with_transport(
            endpoint,
            credential,
            transport,
            Patience::default(),
        ))
    }

    /// With a transport of one's own: how tests answer without a network.
    pub fn with_transport(
        endpoint: Endpoint,
        credential: Arc<dyn TokenCredential>,
        transport: Arc<dyn HttpClient>,
        patience: Patience,
    ) -> Self {
        // It refuses to send a token anywhere but over TLS.
        let bearer = BearerTokenAuthorizationPolicy::new(credential, [endpoint.scope.clone()]);
        let options = ClientOptions {
            transport: Some(Transport::new(transport)),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        let pipeline = Pipeline::new(
            Some(CLIENT),
            Some(env!("CARGO_PKG_VERSION")),
            options,
            Vec::new(),
            vec![Arc::new(bearer)],
            None,
        );
        let pace = endpoint.ca_pem.is_none().then(Pace::of_resource_manager);
        Self {
            inner: Arc::new(Inner {
                pace,
                endpoint,
                pipeline,
                patience,
                under_way: Semaphore::new(AT_ONCE),
            }),
        }
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.endpoint
    }

    pub(crate) fn patience(&self) -> &Patience {
        &self.inner.patience
    }

    /// The resource, or `None` when there is none of that id.
    pub async fn get(
        &self,
        id: &ArmId,
        progress: &dyn Progress,
    ) -> Result<Option<Document>, ArmError> {
        self.get_url(self.url(id, "")?, progress).await
    }

    async fn get_url(
        &self,
        url: Url,
        progress: &dyn Progress,
    ) -> Result<Option<Document>, ArmError> {
        let call = Call {
            method: Method::Get,
            url,
            body: None,
            condition: Condition::None,
            repeat: Repeat::Always,
        };
        let request = describe(&call);
        match self.send(call, progress).await {
            Ok(answer) => document(&request, answer).map(Some),
            Err(error) if error.meaning() == Some(Meaning::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Like [`Client::get`], with the part of it that Azure sends only when asked for: `instanceView`.
    pub async fn get_expanded(
        &self,
        id: &ArmId,
        what: &str,
        progress: &dyn Progress,
    ) -> Result<Option<Document>, ArmError> {
        let mut url = self.url(id, "")?;
        url.query_pairs_mut().append_pair("$expand", what);
        self.get_url(url, progress).await
    }

    /// Writes the whole resource. It does not wait for the operation: [`Client::finish`] does.
    pub async fn put(
        &self,
        id: &ArmId,
        body: &Value,
        condition: Condition<'_>,
        progress: &dyn Progress,
    ) -> Result<Answer, ArmError> {
        let call = Call {
            method: Method::Put,
            url: self.url(id, "")?,
            body: Some(body),
            condition,
            repeat: Repeat::WhenRefused,
        };
        self.send(call, progress).await
    }

    pub async fn delete(
        &self,
        id: &ArmId,
        condition: Condition<'_>,
        progress: &dyn Progress,
    ) -> Result<Answer, ArmError> {
        let call = Call {
            method: Method::Delete,
            url: self.url(id, "")?,
            body: None,
            condition,
            repeat: Repeat::WhenRefused,
        };
        self.send(call, progress).await
    }

    /// An action, such as `runCommand`: sent once, whatever happens.
    pub async fn post(
        &self,
        id: &ArmId,
        action: &str,
        body: &Value,
        progress: &dyn Progress,
    ) -> Result<Answer, ArmError> {
        let call = Call {
            method: Method::Post,
            url: self.url(id, action)?,
            body: Some(body),
            condition: Condition::None,
            repeat: Repeat::Never,
        };
        self.send(call, progress).await
    }

    fn url(&self, id: &ArmId, action: &str) -> Result<Url, ArmError> {
        let mut url = self.inner.endpoint.resource_manager.clone();
        let mut path = format!("/{}", id.as_str().trim_matches('/'));
        if !action.is_empty() {
            path.push('/');
            path.push_str(action);
        }
        url.set_path(&path);
        url.query_pairs_mut()
            .clear()
            .append_pair("api-version", api_version(id));
        Ok(url)
    }

    /// Whether a token may go there: Azure's answers name the addresses to poll, and a wrong one must not get it.
    pub(crate) fn is_ours(&self, url: &Url) -> bool {
        let base = &self.inner.endpoint.resource_manager;
        url.scheme() == "https"
            && url.port_or_known_default() == base.port_or_known_default()
            && match (url.host_str(), base.host_str()) {
                (Some(host), Some(ours)) => {
                    host.eq_ignore_ascii_case(ours)
                        || host
                            .to_ascii_lowercase()
                            .ends_with(&format!(".{}", ours.to_ascii_lowercase()))
                }
                _ => false,
            }
    }
}
