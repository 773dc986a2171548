//! The methods that exchange a pipeline's token: which requests they send and what they say when they fail.

use azure_core::credentials::TokenCredential;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use plimsoll_azure::{Endpoint, sign_in};
use plimsoll_lab::arm::{ServeOptions, Served, Store, serve};
use std::sync::{Arc, Mutex};

/// The lab's token endpoint, and beside it one that hands out the pipeline's own tokens.
struct Tokens {
    served: Served,
    endpoint: Endpoint,
    asked: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

impl Tokens {
    async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let answer = move |request: axum::extract::Request| async move {
            let authorization = request.headers()["authorization"]
                .to_str()
                .unwrap()
                .to_owned();
            let line = format!("{} {} {authorization}", request.method(), request.uri());
            log.lock().unwrap().push(line);
            r#"{"count": 1, "value": "github-jwt", "oidcToken": "devops-jwt"}"#
        };
        let options = ServeOptions {
            listener: std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
            directory: folder.path().to_owned(),
            extra: axum::Router::new().route("/_lab/oidc", axum::routing::any(answer)),
            scripts: None,
        };
        let served = serve(Store::open(folder.path()).unwrap(), options)
            .await
            .unwrap();
        let ca = std::fs::read_to_string(&served.certificate_authority).unwrap();
        Self {
            endpoint: Endpoint::custom(&served.endpoint, Some(ca)).unwrap(),
            served,
            asked,
            folder,
        }
    }

    async fn token(&self, variables: &[(&str, &str)]) -> azure_core::Result<String> {
        let base = self.served.endpoint.clone();
        let env = |name: &str| {
            let value = match name {
                "ARM_TENANT_ID" => "11111111-1111-1111-1111-111111111111",
                "ARM_CLIENT_ID" => "22222222-2222-2222-2222-222222222222",
                _ => variables.iter().find(|(n, _)| *n == name)?.1,
            };
            Some(value.replace("BASE", &base))
        };
        let credential: Arc<dyn TokenCredential> = sign_in(&env, &self.endpoint).unwrap();
        let token = credential.get_token(&[&self.endpoint.scope], None).await?;
        Ok(token.token.secret().to_owned())
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

#[tokio::test]
async fn github_actions() {
    let tokens = Tokens::new().await;
    let variables = [
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "BASE/_lab/oidc?api-version=2",
        ),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job"),
    ];
    assert!(!tokens.token(&variables).await.unwrap().is_empty());
    assert_eq!(
        tokens.asked(),
        ["GET /_lab/oidc?api-version=2&audience=api%3A%2F%2FAzureADTokenExchange Bearer job"]
    );
}

#[tokio::test]
async fn azure_devops() {
    let tokens = Tokens::new().await;
    let variables = [
        ("SYSTEM_OIDCREQUESTURI", "BASE/_lab/oidc"),
        ("SYSTEM_ACCESSTOKEN", "job"),
        ("ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID", "conn"),
    ];
    assert!(!tokens.token(&variables).await.unwrap().is_empty());
    assert_eq!(
        tokens.asked(),
        [
            "POST /_lab/oidc?api-version=7.1&serviceConnectionId=conn&audience=api%3A%2F%2FAzureADTokenExchange Bearer job"
        ]
    );
}

#[tokio::test]
async fn a_token_file_is_read_when_it_is_needed() {
    let tokens = Tokens::new().await;
    let path = tokens.folder.path().join("federated-token");
    let variables = [("AZURE_FEDERATED_TOKEN_FILE", path.to_str().unwrap())];
    let error = tokens.token(&variables).await.unwrap_err().to_string();
    assert!(
        error.contains("workload identity (token file) failed"),
        "{error}"
    );
    assert!(error.contains("federated-token cannot be read"), "{error}");
    assert!(
        error.contains("client secret: ARM_CLIENT_SECRET"),
        "{error}"
    );
    std::fs::write(&path, "jwt\n").unwrap();
    assert!(!tokens.token(&variables).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_pipeline_that_gives_no_token_is_named() {
    let tokens = Tokens::new().await;
    let variables = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "BASE/_lab/nothing-here"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job-secret"),
    ];
    let error = tokens.token(&variables).await.unwrap_err().to_string();
    assert!(
        error.contains("workload identity (GitHub Actions) failed"),
        "{error}"
    );
    assert!(error.contains("may this job ask for a token?"), "{error}");
    assert!(!error.contains("job-secret"), "{error}");
}

/// The certificate's own tool says whether its key signed: not the code under test.
#[tokio::test]
async fn a_client_certificate_signs_in_with_an_assertion_that_openssl_accepts() {
    let tokens = Tokens::new().await;
    let folder = tokens.folder.path().to_owned();
    let openssl = |arguments: &[&str]| {
        let mut command = std::process::Command::new("openssl");
        command.args(arguments).current_dir(&folder).output()
    };
    let made = openssl(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=plimsoll",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
    ]);
    if made.is_err() {
        println!("skipped: openssl is missing");
        return;
    }
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let both = folder.join("both.pem");
    std::fs::write(&both, read("cert.pem") + &read("key.pem")).unwrap();
    let path = ("ARM_CLIENT_CERTIFICATE_PATH", both.to_str().unwrap());
    let token = tokens.token(&[path]).await.unwrap();
    assert!(!token.is_empty());

    let both = std::fs::read(&both).unwrap();
    let client = "22222222-2222-2222-2222-222222222222";
    let assertion =
        plimsoll_azure::sign_in::client_assertion(&both, &tokens.endpoint, "tenant", client)
            .await
            .unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let decode = |text: &str| BASE64.decode(text).unwrap();
    let json = |text: &str| serde_json::from_slice::<serde_json::Value>(&decode(text)).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    assert_eq!(json(header)["alg"], "PS256");
    let claims = json(claims);
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&client.into(), &client.into())
    );
    let audience = format!("{}/tenant/oauth2/v2.0/token", tokens.served.endpoint);
    assert_eq!(claims["aud"], audience);
    std::fs::write(folder.join("signed"), signed).unwrap();
    std::fs::write(folder.join("signature"), decode(signature)).unwrap();
    let key = openssl(&["x509", "-in", "cert.pem", "-pubkey", "-noout"]).unwrap();
    std::fs::write(folder.join("public.pem"), key.stdout).unwrap();
    let checked = openssl(&[
        "dgst",
        "-sha256",
        "-sigopt",
        "rsa_padding_mode:pss",
        "-sigopt",
        "rsa_pss_saltlen:digest",
        "-verify",
        "public.pem",
        "-signature",
        "signature",
        "signed",
    ])
    .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
