//! The emulator below the client's pipeline, without a network. Time is paused, so that a wait of minutes takes none.

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Request, StatusCode};
use azure_core::time::{Duration as TokenLife, OffsetDateTime};
use jiff::{SignedDuration, Timestamp};
use plimsoll_azure::{Client, Endpoint, Patience};
use plimsoll_lab::arm::{ArmRequest, Clock, Delivery, Store};
use std::sync::Arc;

const BASE: &str = "https://arm.test";

/// A clock for the emulator that moves with tokio's own, from this hour of an arbitrary day.
pub(crate) fn clock(hour: i64) -> Clock {
    let began = tokio::time::Instant::now();
    let start = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
    Arc::new(move || {
        let passed = SignedDuration::try_from(began.elapsed()).expect("a test takes no ages");
        start + passed
    })
}

pub(crate) fn client(wire: Wire) -> Client {
    Client::with_transport(
        Endpoint::custom(BASE, None).unwrap(),
        Arc::new(AnyToken),
        Arc::new(wire),
        Patience::default(),
    )
}

/// Called after each request that may have changed something.
pub(crate) type Watch = Arc<dyn Fn() + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) store: Store,
    pub(crate) watch: Watch,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

#[derive(Debug)]
struct AnyToken;

#[async_trait]
impl TokenCredential for AnyToken {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let end = OffsetDateTime::now_utc() + TokenLife::hours(1);
        Ok(AccessToken::new("token", end))
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let request = translated(request);
        let answer = self.store.answer(&request);
        if request.method.writes() {
            (self.watch)();
        }
        if answer.delivery == Delivery::Drop {
            // What the real transport says of a connection that broke after the request was sent.
            return Err(Error::with_message(ErrorKind::Io, "the connection broke"));
        }
        let mut headers = Headers::new();
        for (name, value) in &answer.headers {
            headers.insert(name.to_ascii_lowercase(), value.clone());
        }
        Ok(AsyncRawResponse::from_bytes(
            StatusCode::from(answer.status),
            headers,
            answer.text().into_bytes(),
        ))
    }
}

fn translated(request: &Request) -> ArmRequest {
    let url = request.url();
    let header = |name| {
        request
            .headers()
            .get_optional_string(&HeaderName::from_static(name))
    };
    let body = match request.body() {
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::SeekableStream(_) => panic!("the client sends whole bodies"),
    };
    ArmRequest {
        method: request.method().as_str().parse().expect("ARM knows it"),
        base_url: BASE.to_owned(),
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        if_match: header("if-match"),
        if_none_match: header("if-none-match"),
        body,
    }
}
