//! What each method sends to the token endpoint, as a golden request: by Microsoft's description of the protocol, not by what
//! an emulator tolerates.

use azure_core::credentials::TokenCredential;
use plimsoll_azure::{Endpoint, sign_in};
use plimsoll_lab::arm::{ServeOptions, Served, Store, serve};
use std::sync::{Arc, Mutex};

const TENANT: &str = "11111111-1111-1111-1111-111111111111";
const CLIENT: &str = "22222222-2222-2222-2222-222222222222";
const JWT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";

/// A token endpoint over TLS that keeps what it is sent, and gives what it is told to.
struct Authority {
    _served: Served,
    endpoint: Endpoint,
    asked: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

impl Authority {
    async fn new(answer: &'static str) -> Self {
        Self::answering(axum::http::StatusCode::OK, answer).await
    }

    async fn answering(status: axum::http::StatusCode, answer: &'static str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let token = move |request: axum::extract::Request| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let mut pairs: Vec<String> = String::from_utf8_lossy(&body)
                .split('&')
                .map(str::to_owned)
                .collect();
            pairs.sort();
            let kind = parts.headers["content-type"].to_str().unwrap().to_owned();
            let line = format!("{} {} {kind}", parts.method, parts.uri);
            log.lock().unwrap().extend([line].into_iter().chain(pairs));
            (status, [("content-type", "application/json")], answer)
        };
        let oidc = || async { r#"{"value": "pipeline-jwt"}"# };
        let options = ServeOptions {
            listener: std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
            directory: folder.path().to_owned(),
            extra: axum::Router::new()
                .route("/{tenant}/oauth2/v2.0/token", axum::routing::any(token))
                .route("/_lab/oidc", axum::routing::any(oidc)),
            scripts: None,
        };
        let store = Store::open(folder.path()).unwrap();
        let served = serve(store, options).await.unwrap();
        let ca = std::fs::read_to_string(&served.certificate_authority).unwrap();
        Self {
            endpoint: Endpoint::custom(&served.endpoint, Some(ca)).unwrap(),
            _served: served,
            asked,
            folder,
        }
    }

    fn credential(&self, variables: &[(&str, String)]) -> Arc<dyn TokenCredential> {
        let env = |name: &str| match name {
            "ARM_TENANT_ID" => Some(TENANT.to_owned()),
            "ARM_CLIENT_ID" => Some(CLIENT.to_owned()),
            _ => {
                let found = variables.iter().find(|(known, _)| *known == name)?;
                Some(found.1.clone())
            }
        };
        sign_in(&env, &self.endpoint).unwrap()
    }

    /// What was sent: the request line, then the sorted form fields.
    async fn sent(&self, variables: &[(&str, String)]) -> Vec<String> {
        let credential = self.credential(variables);
        let token = credential.get_token(&[&self.endpoint.scope], None).await;
        assert_eq!(token.unwrap().token.secret(), "t");
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn scope(&self) -> String {
        let scope: String =
            url::form_urlencoded::byte_serialize(self.endpoint.scope.as_bytes()).collect();
        format!("scope={scope}")
    }
}

const TOKEN: &str = r#"{"token_type": "Bearer", "expires_in": 3599, "access_token": "t"}"#;

fn line() -> String {
    format!("POST /{TENANT}/oauth2/v2.0/token application/x-www-form-urlencoded")
}

#[tokio::test]
async fn a_client_secret() {
    let authority = Authority::new(TOKEN).await;
    let sent = authority
        .sent(&[("ARM_CLIENT_SECRET", "a+b&c".to_owned())])
        .await;
    let want = [
        line(),
        format!("client_id={CLIENT}"),
        "client_secret=a%2Bb%26c".to_owned(),
        "grant_type=client_credentials".to_owned(),
        authority.scope(),
    ];
    assert_eq!(sent, want);
}

/// Given, from a file, from GitHub: Entra ID sees the same exchange.
#[tokio::test]
async fn every_kind_of_workload_identity() {
    let authority = Authority::new(TOKEN).await;
    let file = authority.folder.path().join("token");
    std::fs::write(&file, "file-jwt").unwrap();
    let base = authority.endpoint.resource_manager.as_str();
    let github = [
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            format!("{base}_lab/oidc?x=y"),
        ),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job".to_owned()),
    ];
    for (variables, assertion) in [
        (
            &[("ARM_OIDC_TOKEN", "given-jwt".to_owned())][..],
            "given-jwt",
        ),
        (
            &[("ARM_OIDC_TOKEN_FILE_PATH", file.display().to_string())],
            "file-jwt",
        ),
        (
            &[("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string())],
            "file-jwt",
        ),
        (&github, "pipeline-jwt"),
    ] {
        let want = [
            line(),
            format!("client_assertion={assertion}"),
            format!("client_assertion_type={JWT}"),
            format!("client_id={CLIENT}"),
            "grant_type=client_credentials".to_owned(),
            authority.scope(),
        ];
        assert_eq!(authority.sent(variables).await, want, "{assertion}");
    }
}

/// A run that lasts longer than a token signs in again by itself.
#[tokio::test]
async fn a_token_that_runs_out_is_renewed() {
    let short = r#"{"token_type": "Bearer", "expires_in": 1, "access_token": "t"}"#;
    let authority = Authority::new(short).await;
    let credential = authority.credential(&[("ARM_CLIENT_SECRET", "s".to_owned())]);
    let client = plimsoll_azure::Client::new(authority.endpoint.clone(), credential).unwrap();
    let id = plimsoll_core::model::ArmId::network("s", "g", "loadBalancers", "none");
    for _ in 0..2 {
        // The emulator refuses this token; what counts is that each request asked for one.
        let _ = client.get(&id, &plimsoll_azure::Quiet).await;
    }
    let asked = authority.asked.lock().unwrap();
    let logins = asked.iter().filter(|line| line.starts_with("POST")).count();
    assert!(logins >= 2, "{logins} sign-ins");
}

/// What Entra ID says is shown, what was sent to it is not.
#[tokio::test]
async fn a_refusal_shows_the_reason_and_no_secret() {
    let refused = r#"{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}"#;
    let authority = Authority::answering(axum::http::StatusCode::UNAUTHORIZED, refused).await;
    let credential = authority.credential(&[("ARM_CLIENT_SECRET", "hunter2".to_owned())]);
    let error = credential
        .get_token(&[&authority.endpoint.scope], None)
        .await;
    let text = format!("{:?}", error.unwrap_err());
    assert!(text.contains("a client secret failed"), "{text}");
    assert!(text.contains("AADSTS7000215"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
