//! One request: its pace, its repeats, its headers.

use super::{Answer, Client};
use crate::error::{ArmError, Refusal, excerpt};
use crate::pace::Toll;
use crate::patience::{Repeat, Verdict, after_break, after_refusal, seconds};
use azure_core::Uuid;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{Context, Method, PipelineSendOptions, Request};
use plimsoll_core::apply::Progress;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// One request.
pub(crate) struct Call<'a> {
    pub method: Method,
    pub url: Url,
    pub body: Option<&'a Value>,
    pub condition: Condition<'a>,
    pub repeat: Repeat,
}

/// What a write is conditional on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    None,
    /// `If-Match`: it is still as it was read.
    Etag(&'a str),
    /// `If-None-Match: *`: there is still none. Whether Resource Manager honours it is not documented.
    Absent,
}

impl Client {
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
        // Whoever answers writes it into its log, also where the answer never arrives.
        let client_id: Box<str> = Uuid::new_v4().to_string().into();
        http.insert_header("x-ms-client-request-id", client_id.to_string());
        match call.condition {
            Condition::None => {}
            Condition::Etag(etag) => http.insert_header("if-match", etag.to_owned()),
            Condition::Absent => http.insert_header("if-none-match", "*"),
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
            .map_err(|source| Attempt::from(transport_error(request, client_id.clone(), source)))?;
        let (status, headers, body) = response.deconstruct();
        let status = u16::from(status);
        tracing::debug!(request, status, "azure answered");
        let correlation = header(&headers, "x-ms-correlation-request-id")
            .or_else(|| header(&headers, "x-ms-request-id"));
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
                        client_id: client_id.clone(),
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
                correlation,
                client_id,
            });
        }
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

fn transport_error(request: &str, client_id: Box<str>, source: azure_core::Error) -> ArmError {
    let request = request.to_owned();
    match source.kind() {
        ErrorKind::Connection => ArmError::Unreachable {
            request,
            client_id,
            sent: false,
            source: Box::new(source),
        },
        ErrorKind::Io => ArmError::Unreachable {
            request,
            client_id,
            sent: true,
            source: Box::new(source),
        },
        // Everything before the transport is about the token: fetching it, or refusing to send it without TLS.
        _ => ArmError::SignIn { request, source },
    }
}

/// `PUT …/rg-web/loadBalancers/web`: enough to know which, short enough to read.
pub(super) fn describe(call: &Call<'_>) -> String {
    let segments: Vec<&str> = call.url.path().trim_matches('/').split('/').collect();
    let tail = |n: usize| segments[segments.len().saturating_sub(n)..].join("/");
    format!("{} …/{}", call.method, tail(2))
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
    fn retry_after_is_seconds() {
        assert_eq!(retry_after("17"), Some(Duration::from_secs(17)));
        assert_eq!(retry_after("soon"), None);
    }
}
