//! Signing in: which credential the environment asks for.
//!
//! The first method that is configured is the one that is used; one that is configured and fails does not silently give
//! way to another identity. Only when none is configured, the Azure CLI's session is taken. In order:
//! client secret, client certificate, a token from the pipeline (a given token or file, GitHub Actions, Azure DevOps, AKS), managed
//! identity, Azure CLI. Variables as azurerm (`ARM_*`) and Microsoft's SDKs (`AZURE_*`) name them.

mod certificate;
mod managed_identity;
mod pipeline_token;

use crate::endpoint::{Endpoint, EndpointError};
use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertion as _, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certificate::Certificate;
use managed_identity::ManagedIdentity;
use pipeline_token::{Assertion, PipelineToken};
use std::sync::Arc;

#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("signing in with {method} cannot work: {}; check the variables it is read from", cause(.source))]
    Credential {
        method: &'static str,
        source: azure_core::Error,
    },
    #[error("signing in with {method} needs {missing}, which is not set")]
    Incomplete {
        method: &'static str,
        missing: &'static str,
    },
    #[error("the client certificate cannot be used: {why}")]
    Certificate { why: &'static str },
    #[error("the client certificate {path} cannot be read; correct ARM_CLIENT_CERTIFICATE_PATH")]
    CertificateFile {
        path: String,
        #[source]
        source: std::io::Error,
    },
}

/// An application's id and password: `ARM_CLIENT_SECRET` and its companions, or the lab's own.
#[derive(Clone)]
pub struct ClientSecret {
    pub tenant_id: String,
    pub client_id: String,
    pub client_secret: String,
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSecret")
            .field("tenant_id", &self.tenant_id)
            .field("client_id", &self.client_id)
            .field("client_secret", &"(sensitive)")
            .finish()
    }
}

impl ClientSecret {
    pub fn sign_in(&self, endpoint: &Endpoint) -> Result<Arc<dyn TokenCredential>, SignInError> {
        let options = ClientSecretCredentialOptions {
            client_options: endpoint.credential_options()?,
        };
        let credential = ClientSecretCredential::new(
            &self.tenant_id,
            self.client_id.clone(),
            Secret::new(self.client_secret.clone()),
            Some(options),
        )
        .map_err(|source| SignInError::Credential {
            method: "a client secret",
            source,
        })?;
        Ok(credential)
    }
}

/// The credential that the environment asks for. It does not sign in yet: the first request does.
pub fn sign_in(
    env: &dyn Fn(&str) -> Option<String>,
    endpoint: &Endpoint,
) -> Result<Arc<dyn TokenCredential>, SignInError> {
    let names = Names { env };
    let (method, inner, others) = choose(&names, endpoint)?;
    Ok(Arc::new(Named {
        method,
        inner,
        others,
    }))
}

/// Method, credential, and what was not used and why.
type Choice = (&'static str, Arc<dyn TokenCredential>, Vec<String>);

fn choose(names: &Names<'_>, endpoint: &Endpoint) -> Result<Choice, SignInError> {
    let mut others = Vec::new();
    if let Some(client_secret) = names.either("ARM_CLIENT_SECRET", "AZURE_CLIENT_SECRET") {
        let method = "a client secret";
        let secret = ClientSecret {
            tenant_id: names.tenant(method)?,
            client_id: names.client(method)?,
            client_secret,
        };
        return Ok((method, secret.sign_in(endpoint)?, others));
    }
    others.push("client secret: ARM_CLIENT_SECRET (or AZURE_CLIENT_SECRET) is not set".to_owned());
    if let Some(pem) = certificate(names)? {
        let method = "a client certificate";
        let (tenant, client) = (names.tenant(method)?, names.client(method)?);
        let client_options = endpoint.credential_options()?;
        let assertion = Certificate::new(&pem, endpoint, &tenant, client.clone())?;
        let options = Some(ClientAssertionCredentialOptions { client_options });
        let credential = ClientAssertionCredential::new(tenant, client, assertion, options)
            .map_err(|source| SignInError::Credential { method, source })?;
        return Ok((method, credential, others));
    }
    others.push(
        "client certificate: ARM_CLIENT_CERTIFICATE_PATH (or AZURE_CLIENT_CERTIFICATE_PATH) is not set"
            .to_owned(),
    );
    if let Some((method, source)) = Assertion::find(names) {
        let client_options = endpoint.credential_options()?;
        let assertion = PipelineToken {
            source,
            transport: endpoint.transport()?,
        };
        let credential = ClientAssertionCredential::new(
            names.tenant(method)?,
            names.client(method)?,
            assertion,
            Some(ClientAssertionCredentialOptions { client_options }),
        )
        .map_err(|source| SignInError::Credential { method, source })?;
        return Ok((method, credential, others));
    }
    others.push(
        "workload identity: none of ARM_OIDC_TOKEN, ARM_OIDC_TOKEN_FILE_PATH, AZURE_FEDERATED_TOKEN_FILE, \
         ACTIONS_ID_TOKEN_REQUEST_URL (the job needs `permissions: id-token: write`) is set"
            .to_owned(),
    );
    if names.is_true("ARM_USE_MSI") {
        let method = "a managed identity";
        return Ok((method, Arc::new(ManagedIdentity::find(names)?), others));
    }
    others.push("managed identity: ARM_USE_MSI is not true".to_owned());
    let method = "the Azure CLI";
    // Whoever is at home in several tenants says which one is meant.
    let options = AzureCliCredentialOptions {
        tenant_id: names.either("ARM_TENANT_ID", "AZURE_TENANT_ID"),
        ..Default::default()
    };
    let credential = AzureCliCredential::new(Some(options))
        .map_err(|source| SignInError::Credential { method, source })?;
    Ok((method, credential, others))
}

/// The assertion that a certificate signs, by itself: for whoever exchanges it for a token.
pub async fn client_assertion(
    pem: &[u8],
    endpoint: &Endpoint,
    tenant: &str,
    client: &str,
) -> Result<String, SignInError> {
    let certificate = Certificate::new(pem, endpoint, tenant, client.to_owned())?;
    let method = "a client certificate";
    let signed = certificate.secret(None).await;
    signed.map_err(|source| SignInError::Credential { method, source })
}

/// The PEM text that a variable names, or holds in base64.
fn certificate(names: &Names<'_>) -> Result<Option<Vec<u8>>, SignInError> {
    let path = names.either(
        "ARM_CLIENT_CERTIFICATE_PATH",
        "AZURE_CLIENT_CERTIFICATE_PATH",
    );
    if let Some(path) = path {
        return match std::fs::read(&path) {
            Ok(pem) => Ok(Some(pem)),
            Err(source) => Err(SignInError::CertificateFile { path, source }),
        };
    }
    let Some(given) = names.get("ARM_CLIENT_CERTIFICATE") else {
        return Ok(None);
    };
    let given: String = given.split_whitespace().collect();
    STANDARD
        .decode(given)
        .map(Some)
        .map_err(|_| SignInError::Certificate {
            why: "ARM_CLIENT_CERTIFICATE is not base64",
        })
}

/// The environment, read through what `cmd` passed in.
struct Names<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
}

impl Names<'_> {
    /// An empty variable is a variable that is not set: pipelines make them from absent secrets.
    fn get(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.is_empty())
    }

    fn either(&self, first: &str, second: &str) -> Option<String> {
        self.get(first).or_else(|| self.get(second))
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
    }

    fn tenant(&self, method: &'static str) -> Result<String, SignInError> {
        self.either("ARM_TENANT_ID", "AZURE_TENANT_ID")
            .ok_or(SignInError::Incomplete {
                method,
                missing: "ARM_TENANT_ID (or AZURE_TENANT_ID)",
            })
    }

    fn client(&self, method: &'static str) -> Result<String, SignInError> {
        self.either("ARM_CLIENT_ID", "AZURE_CLIENT_ID")
            .ok_or(SignInError::Incomplete {
                method,
                missing: "ARM_CLIENT_ID (or AZURE_CLIENT_ID)",
            })
    }
}

/// A credential that says which one it is when it fails, and which others were not used.
#[derive(Debug)]
struct Named {
    method: &'static str,
    inner: Arc<dyn TokenCredential>,
    others: Vec<String>,
}

#[async_trait]
impl TokenCredential for Named {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.inner
            .get_token(scopes, options)
            .await
            .map_err(|error| {
                let mut text = format!("{} failed: {}", self.method, cause(&error).trim_end());
                // A line for each: in one they could not be read.
                for other in &self.others {
                    text.push_str("\nnot used, ");
                    text.push_str(other);
                }
                // Not wrapped: azure_core shows the outermost message only, and the cause is in the text already.
                azure_core::Error::with_message(ErrorKind::Credential, text)
            })
    }
}

/// The innermost message says what happened, the outer ones that something did.
fn cause(error: &azure_core::Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(error) = next {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)]) -> Result<&'static str, SignInError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let env = |name: &str| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        };
        choose(&Names { env: &env }, &Endpoint::public()).map(|(method, ..)| method)
    }

    const TENANT: (&str, &str) = ("ARM_TENANT_ID", "11111111-1111-1111-1111-111111111111");
    const CLIENT: (&str, &str) = ("ARM_CLIENT_ID", "22222222-2222-2222-2222-222222222222");

    #[test]
    fn the_first_configured_method_is_used() {
        let secret = ("ARM_CLIENT_SECRET", "s");
        let github = [
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://token.test/x?a=b"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"),
        ];
        assert_eq!(
            chosen(&[TENANT, CLIENT, secret, github[0], github[1]]).unwrap(),
            "a client secret"
        );
        assert_eq!(
            chosen(&[TENANT, CLIENT, github[0], github[1]]).unwrap(),
            "workload identity (GitHub Actions)"
        );
        // The job may ask for a token, but nobody said for which application: az login did.
        assert_eq!(chosen(&[github[0], github[1]]).unwrap(), "the Azure CLI");
        assert_eq!(
            chosen(&[
                ("AZURE_TENANT_ID", TENANT.1),
                ("AZURE_CLIENT_ID", CLIENT.1),
                ("AZURE_FEDERATED_TOKEN_FILE", "/t"),
            ])
            .unwrap(),
            "workload identity (token file)"
        );
        assert_eq!(
            chosen(&[("ARM_USE_MSI", "true")]).unwrap(),
            "a managed identity"
        );
        assert_eq!(chosen(&[]).unwrap(), "the Azure CLI");
    }

    #[test]
    fn half_a_configuration_names_the_missing_variable() {
        let error = chosen(&[("ARM_CLIENT_SECRET", "s"), TENANT]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "signing in with a client secret needs ARM_CLIENT_ID (or AZURE_CLIENT_ID), which is not set"
        );
        // An empty variable is what a pipeline makes of a secret that is not there.
        assert_eq!(
            chosen(&[("ARM_CLIENT_SECRET", "")]).unwrap(),
            "the Azure CLI"
        );
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = ClientSecret {
            tenant_id: "t".into(),
            client_id: "c".into(),
            client_secret: "hunter2".into(),
        };
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
