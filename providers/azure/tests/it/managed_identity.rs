//! Managed identity: what is asked of the metadata service, and what its answers come to.

use axum::http::StatusCode;
use plimsoll_azure::{Endpoint, sign_in};
use std::sync::{Arc, Mutex};

/// A metadata service that gives these answers, one after the other, and keeps what it was asked.
struct Service {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn new(answers: Vec<(u16, &'static str)>) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answers) = (Arc::clone(&asked), Arc::new(Mutex::new(answers)));
        let answer = move |request: axum::extract::Request| async move {
            let metadata = request.headers().get("metadata").cloned();
            let line = format!("{} {} {metadata:?}", request.method(), request.uri());
            log.lock().unwrap().push(line);
            let (status, body) = answers.lock().unwrap().remove(0);
            (StatusCode::from_u16(status).unwrap(), body)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/token", axum::routing::any(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked }
    }

    async fn token(&self, variables: &[(&str, &str)]) -> azure_core::Result<String> {
        let env = |name: &str| match name {
            "ARM_USE_MSI" => Some("true".to_owned()),
            "ARM_MSI_ENDPOINT" => Some(self.url.clone()),
            _ => {
                let found = variables.iter().find(|(known, _)| *known == name)?;
                Some(found.1.to_owned())
            }
        };
        let endpoint = Endpoint::public();
        let credential = sign_in(&env, &endpoint).unwrap();
        let token = credential.get_token(&[&endpoint.scope], None).await?;
        assert!(token.expires_on > azure_core::time::OffsetDateTime::now_utc());
        Ok(token.token.secret().to_owned())
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

const TOKEN: &str = r#"{"access_token": "t", "expires_in": "3599", "token_type": "Bearer"}"#;

#[tokio::test]
async fn the_machines_own_identity_and_one_of_the_users() {
    let service = Service::new(vec![(200, TOKEN), (200, TOKEN)]).await;
    assert_eq!(service.token(&[]).await.unwrap(), "t");
    assert_eq!(service.token(&[("ARM_CLIENT_ID", "c")]).await.unwrap(), "t");
    let own = "GET /token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com";
    assert_eq!(
        service.asked(),
        [
            format!("{own} Some(\"true\")"),
            format!("{own}&client_id=c Some(\"true\")")
        ]
    );
}

#[tokio::test]
async fn a_service_that_is_being_updated_is_asked_again() {
    let service = Service::new(vec![(429, "{}"), (200, TOKEN)]).await;
    assert_eq!(service.token(&[]).await.unwrap(), "t");
    assert_eq!(service.asked().len(), 2);
}

#[tokio::test]
async fn a_refusal_says_why_and_which_other_methods_were_not_used() {
    let refused = r#"{"error": "invalid_request", "error_description": "Identity not found"}"#;
    let service = Service::new(vec![(400, refused)]).await;
    let error = service.token(&[]).await.unwrap_err().to_string();
    for words in [
        "a managed identity failed",
        "answered 400: Identity not found",
        "client secret: ARM_CLIENT_SECRET (or AZURE_CLIENT_SECRET) is not set",
        "workload identity: none of",
    ] {
        assert!(error.contains(words), "{words:?} is not in {error}");
    }
}
