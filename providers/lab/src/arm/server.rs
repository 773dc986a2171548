//! The emulator on a loopback port behind TLS: a thin shell around the store.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::certificate::{self, CertificateError};
use super::message::{ArmAnswer, ArmRequest, Delivery, Method};
use super::refusal::Refusal;
use super::run_command::{RunScript, ScriptOutcome, ScriptRequest};
use super::sign_in;
use super::store::Store;

/// ARM takes bodies of up to 4 MB.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// Why the emulator does not serve.
#[derive(Debug, Error)]
pub enum ServeError {
    #[error("cannot use the emulator's socket: choose another port")]
    Socket(#[source] std::io::Error),
    #[error("cannot set up TLS for the emulator")]
    Certificate(#[from] CertificateError),
}

/// What to serve, and where.
#[derive(Debug)]
pub struct ServeOptions {
    /// Bound by the caller; port 0 is fine.
    pub listener: std::net::TcpListener,
    /// Where `ca.pem` and its key live.
    pub directory: PathBuf,
    /// Further routes, to be mounted under `/_lab/…`; neither authenticated nor logged here.
    pub extra: Router,
    /// Runs the scripts of Run Command; without it they fail.
    pub scripts: Option<Arc<dyn RunScript>>,
}

impl ServeOptions {
    /// The emulator and nothing beside it.
    pub fn alone(
        listener: std::net::TcpListener,
        directory: PathBuf,
        scripts: Option<Arc<dyn RunScript>>,
    ) -> Self {
        Self {
            listener,
            directory,
            extra: axum::Router::new(),
            scripts,
        }
    }
}

/// A serving emulator.
#[derive(Debug)]
pub struct Served {
    /// `https://127.0.0.1:PORT`
    pub endpoint: String,
    /// The PEM file that clients must trust.
    pub certificate_authority: PathBuf,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Served {
    /// Stops accepting; requests under way are answered.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the server has stopped.
    pub async fn stopped(self) {
        // An aborted or panicked task has stopped too.
        let _ = self.task.await;
    }
}

struct Shared {
    store: Store,
    scripts: Option<Arc<dyn RunScript>>,
}

/// Starts serving on the current tokio runtime and returns at once.
///
/// # Errors
/// When the socket or the certificate cannot be used.
pub async fn serve(store: Store, options: ServeOptions) -> Result<Served, ServeError> {
    let ServeOptions {
        listener,
        directory,
        extra,
        scripts,
    } = options;
    listener.set_nonblocking(true).map_err(ServeError::Socket)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(ServeError::Socket)?;
    let address = listener.local_addr().map_err(ServeError::Socket)?;
    let tls = certificates(&directory).await?;
    let shared = Arc::new(Shared {
        store: store.clone(),
        scripts,
    });
    let router = extra.fallback(move |request: Request| handle(Arc::clone(&shared), request));
    let (stop, stopped) = watch::channel(false);
    let acceptor = TlsAcceptor::from(tls.config);
    let clock = tokio::spawn(keep_time(store, stopped.clone()));
    let task = tokio::spawn(async move {
        accept(listener, acceptor, router, stopped).await;
        clock.abort();
    });
    Ok(Served {
        endpoint: format!("https://{address}"),
        certificate_authority: tls.authority,
        stop,
        task,
    })
}

async fn certificates(directory: &Path) -> Result<certificate::Tls, ServeError> {
    let directory = directory.to_owned();
    let made = tokio::task::spawn_blocking(move || certificate::tls(&directory)).await;
    let made = made.map_err(|error| ServeError::Socket(std::io::Error::other(error)))?;
    Ok(made?)
}

async fn accept(
    listener: tokio::net::TcpListener,
    acceptor: TlsAcceptor,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let graceful = hyper_util::server::graceful::GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, most likely: breathe, then go on.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (acceptor, router, watcher) = (acceptor.clone(), router.clone(), graceful.watcher());
        tokio::spawn(async move {
            // A client that does not trust the certificate hangs up here; that is its affair.
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let service = service_fn(move |request| deliver(router.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // Errors are the client's hanging up, or the fault that drops the connection.
            let _ = watcher.watch(connection).await;
        });
    }
    let _ = tokio::time::timeout(Duration::from_secs(2), graceful.shutdown()).await;
}

/// A connection that the fault `drop-connection` ends.
#[derive(Debug, Clone, Error)]
#[error("the connection was dropped by a fault of the lab")]
struct DroppedConnection;

async fn deliver(
    router: Router,
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<Response<Body>, DroppedConnection> {
    let service = TowerToHyperService::new(router);
    let Ok::<_, Infallible>(response) = service.call(request).await;
    if response.extensions().get::<DroppedConnection>().is_some() {
        return Err(DroppedConnection);
    }
    Ok(response)
}

/// Ends operations when their time has come, so that watchers learn of it without a request.
async fn keep_time(store: Store, mut stopped: watch::Receiver<bool>) {
    let mut changes = store.subscribe();
    loop {
        let wait = store.next_due_in().unwrap_or(Duration::from_secs(3600));
        tokio::select! {
            () = tokio::time::sleep(wait + Duration::from_millis(1)) => {
                if let Err(error) = store.settle() {
                    tracing::error!(error = &error as &dyn std::error::Error, "the emulator's file was not written");
                }
            }
            changed = changes.changed() => if changed.is_err() { return },
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

async fn handle(shared: Arc<Shared>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(method) = parts.method.as_str().parse::<Method>() else {
        return send(&ArmAnswer::empty(405));
    };
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        let message = "The request content size exceeds the maximum size of 4 MB.";
        return send(&Refusal::gateway(413, "RequestContentTooLarge", message).into_answer());
    };
    let host = text(&parts.headers, &HOST).unwrap_or_else(|| "localhost".to_owned());
    let decoded = percent_encoding::percent_decode_str(parts.uri.path()).decode_utf8_lossy();
    let request = ArmRequest {
        method,
        base_url: format!("https://{host}"),
        path: decoded.into_owned(),
        query: url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        if_match: text(&parts.headers, &IF_MATCH),
        if_none_match: text(&parts.headers, &IF_NONE_MATCH),
        body: body.to_vec(),
    };
    let identity = shared.store.identity();
    if let Some(answer) = sign_in::answer(
        &identity,
        &request.base_url,
        method,
        &request.path,
        &request.query,
        &request.body,
    ) {
        return send(&answer);
    }
    if let Err(refusal) = authenticate(&parts.headers, &identity.token) {
        let challenge = format!(
            "Bearer authorization_uri=\"{}/{}\", error=\"invalid_token\", error_description=\"The authentication failed.\"",
            request.base_url, identity.tenant_id
        );
        return send(
            &refusal
                .into_answer()
                .with_header("WWW-Authenticate", challenge),
        );
    }
    let store = shared.store.clone();
    // Answering writes a file: not on the runtime's own threads.
    let answered = tokio::task::spawn_blocking(move || store.answer(&request)).await;
    let mut answer = answered.unwrap_or_else(|_| {
        Refusal::service(500, "InternalServerError", "An error occurred.").into_answer()
    });
    if let Some((operation, script)) = answer.script.take() {
        tokio::spawn(run_script(
            shared.store.clone(),
            shared.scripts.clone(),
            operation,
            script,
        ));
    }
    if answer.delivery == Delivery::Never {
        // Until the client leaves, or the emulator ends.
        std::future::pending::<()>().await;
    }
    send(&answer)
}

async fn run_script(
    store: Store,
    scripts: Option<Arc<dyn RunScript>>,
    operation: String,
    script: ScriptRequest,
) {
    let timeout = script.timeout;
    let outcome = match scripts {
        None => ScriptOutcome::NotRun {
            why: "Nothing runs scripts for this machine: the emulator runs alone.".to_owned(),
        },
        Some(scripts) => tokio::time::timeout(timeout, scripts.run(script))
            .await
            .unwrap_or_else(|_| ScriptOutcome::NotRun {
                why: format!("The script ran longer than {} s.", timeout.as_secs()),
            }),
    };
    if let Err(error) = store.finish_script(&operation, &outcome) {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the emulator's file was not written"
        );
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Wording of ARM's 401 bodies from memory of the service [INF]; errors.json has only the expired one.
fn authenticate(headers: &HeaderMap, token: &str) -> Result<(), Refusal> {
    let Some(given) = text(headers, &AUTHORIZATION) else {
        return Err(Refusal::gateway(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        ));
    };
    let (scheme, given) = given.split_once(' ').unwrap_or((given.as_str(), ""));
    if scheme.eq_ignore_ascii_case("Bearer") && given.trim() == token {
        return Ok(());
    }
    Err(Refusal::gateway(
        401,
        "InvalidAuthenticationToken",
        "The access token is invalid.",
    ))
}

fn send(answer: &ArmAnswer) -> Response<Body> {
    let text = answer.text();
    let mut response = Response::new(Body::from(text));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if answer.body.is_some() {
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        );
    }
    headers.insert("cache-control", HeaderValue::from_static("no-cache"));
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    if answer.delivery == Delivery::Drop {
        response.extensions_mut().insert(DroppedConnection);
    }
    response
}
