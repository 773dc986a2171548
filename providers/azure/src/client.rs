//! The client: one request to Azure Resource Manager, with its token, its waiting and its errors.
//!
//! `azure_core`'s pipeline carries it, with that pipeline's own retries off: they repeat what must not be repeated and
//! wait where nobody sees it.

use crate::endpoint::{Endpoint, EndpointError};
use crate::error::{ArmError, Meaning, Refusal, excerpt};
use crate::pace::{Pace, Toll};
use crate::patience::{Patience, Repeat, Verdict, after_break, after_refusal, seconds};
use crate::versions::api_version;
use crate::wire::{Body, provisioning_state};
use azure_core::credentials::TokenCredential;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{
    ClientOptions, Context, HttpClient, Method, Pipeline, PipelineSendOptions, Request,
    RetryOptions, Transport,
};
use plimsoll_core::apply::Progress;
use plimsoll_core::model::ArmId;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
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

/// A resource as Azure sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub body: Body,
    pub etag: Option<String>,
}

impl Document {
    pub fn provisioning_state(&self) -> Option<&str> {
        provisioning_state(&self.body)
    }

    /// Azure is still changing it: it is neither what it was nor what it will be.
    pub fn is_changing(&self) -> bool {
        self.provisioning_state().is_some_and(|state| {
            !["Succeeded", "Failed", "Canceled"]
                .iter()
                .any(|end| state.eq_ignore_ascii_case(end))
        })
    }
}

/// An answer of status 2xx.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// `null` when there is none.
    pub body: Value,
    pub etag: Option<String>,
    /// Where to ask how a long-running operation goes on.
    pub operation: Option<String>,
    pub location: Option<String>,
    pub retry_after: Option<Duration>,
}

/// One request.
pub(crate) struct Call<'a> {
    pub method: Method,
    pub url: Url,
    pub body: Option<&'a Value>,
    pub if_match: Option<&'a str>,
    pub repeat: Repeat,
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
            if_match: None,
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
        if_match: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<Answer, ArmError> {
        let call = Call {
            method: Method::Put,
            url: self.url(id, "")?,
            body: Some(body),
            if_match,
            repeat: Repeat::WhenRefused,
        };
        self.send(call, progress).await
    }

    pub async fn delete(
        &self,
        id: &ArmId,
        if_match: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<Answer, ArmError> {
        let call = Call {
            method: Method::Delete,
            url: self.url(id, "")?,
            body: None,
            if_match,
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
            if_match: None,
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

    /// Sends until there is an answer to give: waits when Azure asks to, says so, and stops when it has waited enough.
    pub(crate) async fn send(
        &self,
        call: Call<'_>,
        progress: &dyn Progress,
    ) -> Result<Answer, ArmError> {
        let request = describe(&call);
        let mut waited = Duration::ZERO;
        for attempt in 0.. {
            self.keep_pace(call.method, progress).await;
            // Queueing behind our own requests is no waiting for Azure; a connection that hangs is.
            let permit = self.inner.under_way.acquire().await;
            let begun = Instant::now();
            let error = match self.send_once(&call, &request).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            drop(permit);
            waited += begun.elapsed();
            let verdict = match &error.error {
                ArmError::Refused(refusal) => after_refusal(
                    refusal.meaning(),
                    error.retry_after,
                    call.repeat,
                    attempt,
                    waited,
                    self.patience(),
                ),
                ArmError::Unreachable { sent, .. } => {
                    after_break(*sent, call.repeat, attempt, waited, self.patience())
                }
                ArmError::SignIn { .. }
                | ArmError::OutOfPatience { .. }
                | ArmError::Garbled { .. }
                | ArmError::OperationFailed { .. }
                | ArmError::StillRunning { .. } => Verdict::GiveUp,
            };
            match (verdict, error.error) {
                (Verdict::Wait(time, why), _) => {
                    progress.note(&format!("{why}, waiting {}", seconds(time)));
                    tokio::time::sleep(time).await;
                    waited += time;
                }
                (Verdict::OutOfPatience(wait), ArmError::Refused(refusal)) => {
                    return Err(ArmError::OutOfPatience { refusal, wait });
                }
                (Verdict::OutOfPatience(_) | Verdict::GiveUp, error) => return Err(error),
            }
        }
        unreachable!("the loop above only ends by returning")
    }

    async fn keep_pace(&self, method: Method, progress: &dyn Progress) {
        let toll = match method {
            Method::Get | Method::Head => Toll::Read,
            Method::Delete => Toll::Delete,
            _ => Toll::Write,
        };
        let time = self
            .inner
            .pace
            .as_ref()
            .map_or(Duration::ZERO, |pace| pace.take(toll));
        if time >= Duration::from_secs(1) {
            progress.note(&format!(
                "waiting {} to stay below Azure's request limits",
                seconds(time)
            ));
        }
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    async fn send_once(&self, call: &Call<'_>, request: &str) -> Result<Answer, Attempt> {
        let mut http = Request::new(call.url.clone(), call.method);
        http.insert_header("accept", "application/json");
        if let Some(etag) = call.if_match {
            http.insert_header("if-match", etag.to_owned());
        }
        match call.body {
            Some(body) => {
                http.insert_header("content-type", "application/json");
                http.set_body(body.to_string());
            }
            // Resource Manager wants a length with every write.
            None if call.method != Method::Get => http.insert_header("content-length", "0"),
            None => {}
        }
        let options = PipelineSendOptions {
            skip_checks: true,
            ..PipelineSendOptions::default()
        };
        let response = self
            .inner
            .pipeline
            .send(&Context::new(), &mut http, Some(options))
            .await
            .map_err(|source| Attempt::from(transport_error(request, source)))?;
        let (status, headers, body) = response.deconstruct();
        let status = u16::from(status);
        tracing::debug!(request, status, "azure answered");
        let retry_after = header(&headers, "retry-after").and_then(|text| retry_after(&text));
        if (200..300).contains(&status) {
            let body: &[u8] = &body;
            let json = if body.iter().all(u8::is_ascii_whitespace) {
                Value::Null
            } else {
                serde_json::from_slice(body).map_err(|_| {
                    Attempt::from(ArmError::Garbled {
                        request: request.to_owned(),
                        excerpt: excerpt(body),
                    })
                })?
            };
            return Ok(Answer {
                status,
                body: json,
                etag: header(&headers, "etag"),
                operation: header(&headers, "azure-asyncoperation"),
                location: header(&headers, "location"),
                retry_after,
            });
        }
        let correlation = header(&headers, "x-ms-correlation-request-id")
            .or_else(|| header(&headers, "x-ms-request-id"));
        let refusal = Refusal::parse(request, status, &body, correlation);
        Err(Attempt {
            error: ArmError::Refused(Box::new(refusal)),
            retry_after,
        })
    }
}

/// An attempt that gave no answer, and how long Azure asks to wait before the next.
struct Attempt {
    error: ArmError,
    retry_after: Option<Duration>,
}

impl From<ArmError> for Attempt {
    fn from(error: ArmError) -> Self {
        Self {
            error,
            retry_after: None,
        }
    }
}

fn transport_error(request: &str, source: azure_core::Error) -> ArmError {
    let request = request.to_owned();
    match source.kind() {
        ErrorKind::Connection => ArmError::Unreachable {
            request,
            sent: false,
            source,
        },
        ErrorKind::Io => ArmError::Unreachable {
            request,
            sent: true,
            source,
        },
        // Everything before the transport is about the token: fetching it, or refusing to send it without TLS.
        _ => ArmError::SignIn { request, source },
    }
}

/// `PUT …/rg-web/loadBalancers/web`: enough to know which, short enough to read.
fn describe(call: &Call<'_>) -> String {
    let segments: Vec<&str> = call.url.path().trim_matches('/').split('/').collect();
    let tail = |n: usize| segments[segments.len().saturating_sub(n)..].join("/");
    format!("{} …/{}", call.method, tail(2))
}

fn document(request: &str, answer: Answer) -> Result<Document, ArmError> {
    match answer.body {
        Value::Object(body) => {
            // The header and the body say the same (1,177 of 1,177 recorded answers); some gateways drop the header.
            let etag = answer
                .etag
                .or_else(|| body.get("etag")?.as_str().map(str::to_owned));
            Ok(Document { body, etag })
        }
        other => Err(ArmError::Garbled {
            request: request.to_owned(),
            excerpt: excerpt(other.to_string().as_bytes()),
        }),
    }
}

fn header(headers: &Headers, name: &'static str) -> Option<String> {
    headers.get_optional_string(&HeaderName::from_static(name))
}

/// Seconds. The date form of HTTP is not used by Azure.
fn retry_after(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_azure_is_doing_shows_in_the_provisioning_state() {
        let of = |state: &str| Document {
            body: serde_json::json!({ "properties": { "provisioningState": state } })
                .as_object()
                .expect("it is written as an object")
                .clone(),
            etag: None,
        };
        assert!(of("Updating").is_changing());
        assert!(of("Deleting").is_changing());
        assert!(!of("succeeded").is_changing());
        assert!(!of("Failed").is_changing());
    }

    #[test]
    fn retry_after_is_seconds() {
        assert_eq!(retry_after("17"), Some(Duration::from_secs(17)));
        assert_eq!(retry_after("soon"), None);
    }
}
