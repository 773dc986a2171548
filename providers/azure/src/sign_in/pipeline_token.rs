//! Workload identity: a token that the pipeline or the cluster vouches with, exchanged for one of Azure.

use super::Names;
use async_trait::async_trait;
use azure_core::credentials::Secret;
use azure_core::error::ErrorKind;
use azure_core::http::{ClientMethodOptions, HttpClient, Method, Request};
use azure_identity::ClientAssertion;
use std::path::PathBuf;
use std::sync::Arc;

/// What Entra ID expects an exchanged token to be for.
const AUDIENCE: &str = "api://AzureADTokenExchange";

/// Where the token that Entra ID exchanges for ours comes from.
pub(super) enum Assertion {
    Given(Secret),
    /// Read at each use: Kubernetes renews it.
    File(PathBuf),
    GitHub {
        url: String,
        token: Secret,
    },
    AzureDevOps {
        url: String,
        service_connection: String,
        token: Secret,
    },
}

impl Assertion {
    pub(super) fn find(names: &Names<'_>) -> Option<(&'static str, Self)> {
        if let Some(token) = names.get("ARM_OIDC_TOKEN") {
            return Some((
                "workload identity (ARM_OIDC_TOKEN)",
                Self::Given(Secret::new(token)),
            ));
        }
        if let Some(path) = names.either("ARM_OIDC_TOKEN_FILE_PATH", "AZURE_FEDERATED_TOKEN_FILE") {
            return Some((
                "workload identity (token file)",
                Self::File(PathBuf::from(path)),
            ));
        }
        let connection = names.either(
            "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
            "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID",
        );
        if let (Some(url), Some(service_connection), Some(token)) = (
            names.get("SYSTEM_OIDCREQUESTURI"),
            connection,
            names.get("SYSTEM_ACCESSTOKEN"),
        ) {
            return Some((
                "workload identity (Azure DevOps)",
                Self::AzureDevOps {
                    url,
                    service_connection,
                    token: Secret::new(token),
                },
            ));
        }
        let url = names.either("ARM_OIDC_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_URL")?;
        let token = names.either("ARM_OIDC_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")?;
        // GitHub sets both for every job that may ask, also when it signs in with the Azure CLI: the application's id
        // tells whether plimsoll shall.
        names.either("ARM_CLIENT_ID", "AZURE_CLIENT_ID")?;
        Some((
            "workload identity (GitHub Actions)",
            Self::GitHub {
                url,
                token: Secret::new(token),
            },
        ))
    }
}

pub(super) struct PipelineToken {
    pub(super) source: Assertion,
    pub(super) transport: Arc<dyn HttpClient>,
}

impl std::fmt::Debug for PipelineToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PipelineToken (sensitive)")
    }
}

#[async_trait]
impl ClientAssertion for PipelineToken {
    async fn secret(
        &self,
        _options: Option<ClientMethodOptions<'_>>,
    ) -> azure_core::Result<String> {
        match &self.source {
            Assertion::Given(token) => Ok(token.secret().to_owned()),
            Assertion::File(path) => match tokio::fs::read_to_string(path).await {
                Ok(token) => Ok(token.trim().to_owned()),
                Err(error) => Err(azure_core::Error::with_error(
                    ErrorKind::Credential,
                    error,
                    format!("the token file {} cannot be read", path.display()),
                )),
            },
            Assertion::GitHub { url, token } => {
                let url = with_query(url, &[("audience", AUDIENCE)])?;
                self.ask(Method::Get, url, token, "value").await
            }
            Assertion::AzureDevOps {
                url,
                service_connection,
                token,
            } => {
                let query = [
                    ("api-version", "7.1"),
                    ("serviceConnectionId", service_connection.as_str()),
                    ("audience", AUDIENCE),
                ];
                let url = with_query(url, &query)?;
                self.ask(Method::Post, url, token, "oidcToken").await
            }
        }
    }
}

impl PipelineToken {
    async fn ask(
        &self,
        method: Method,
        url: url::Url,
        token: &Secret,
        field: &str,
    ) -> azure_core::Result<String> {
        let wrong = |text: String| azure_core::Error::with_message(ErrorKind::Credential, text);
        let mut request = Request::new(url, method);
        request.insert_header("authorization", format!("Bearer {}", token.secret()));
        request.insert_header("accept", "application/json");
        if method == Method::Post {
            request.insert_header("content-length", "0");
        }
        let answer = self.transport.execute_request(&request).await?;
        let answer = answer.try_into_raw_response().await?;
        let status = u16::from(answer.status());
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        match body.get(field).and_then(serde_json::Value::as_str) {
            Some(token) => Ok(token.to_owned()),
            None => Err(wrong(format!(
                "the pipeline's token service answered {status} without {field:?}; may this job ask for a token?"
            ))),
        }
    }
}

fn with_query(url: &str, query: &[(&str, &str)]) -> azure_core::Result<url::Url> {
    let mut url = url::Url::parse(url).map_err(|error| {
        azure_core::Error::with_error(
            ErrorKind::Credential,
            error,
            "the pipeline's token service has no valid address",
        )
    })?;
    url.query_pairs_mut().extend_pairs(query);
    Ok(url)
}
