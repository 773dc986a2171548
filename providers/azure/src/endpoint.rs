//! Which Azure to speak to: its resource manager, its sign-in authority, and whom to trust on the way.

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::http::{ClientOptions, HttpClient, RetryOptions, Transport};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Connecting takes milliseconds or does not work; 20 s is what Microsoft's own clients allow.
const CONNECT: Duration = Duration::from_secs(20);
/// Azure answers within seconds and moves long work into operations, so a silent minute means a lost connection.
const READ: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct Endpoint {
    pub resource_manager: Url,
    /// Where tokens come from: `https://login.microsoftonline.com`.
    pub authority: Url,
    /// What the token is for.
    pub scope: String,
    /// The only certificate authority to trust, as PEM. Without it, the system's.
    pub ca_pem: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("{0:?} is no cloud that plimsoll knows: use public, usgovernment or china")]
    UnknownCloud(String),
    #[error("{text:?} is not an address of an endpoint: write it as https://host[:port]")]
    NotAnUrl {
        text: String,
        #[source]
        source: url::ParseError,
    },
    #[error(
        "{0} is not https: a token is only sent over TLS, so give the https address of the endpoint"
    )]
    NotTls(Url),
    #[error("the certificate authority in the given PEM text cannot be used: check the CA file")]
    BadCertificate(#[source] reqwest::Error),
    #[error("the HTTPS client cannot be set up")]
    Transport(#[source] reqwest::Error),
}

impl Endpoint {
    pub fn public() -> Self {
        Self::known(
            "https://management.azure.com",
            "https://login.microsoftonline.com",
        )
    }

    pub fn us_government() -> Self {
        Self::known(
            "https://management.usgovcloudapi.net",
            "https://login.microsoftonline.us",
        )
    }

    pub fn china() -> Self {
        Self::known(
            "https://management.chinacloudapi.cn",
            "https://login.chinacloudapi.cn",
        )
    }

    fn known(resource_manager: &str, authority: &str) -> Self {
        let url = |text: &str| Url::parse(text).expect("the addresses above are written correctly");
        Self {
            resource_manager: url(resource_manager),
            authority: url(authority),
            scope: format!("{resource_manager}/.default"),
            ca_pem: None,
        }
    }

    /// By the name that `ARM_ENVIRONMENT` takes in azurerm.
    pub fn cloud(name: &str) -> Result<Self, EndpointError> {
        match name.to_ascii_lowercase().as_str() {
            "public" | "global" | "azurecloud" => Ok(Self::public()),
            "usgovernment" | "usgovernmentl4" | "usgovernmentl5" | "azureusgovernment" => {
                Ok(Self::us_government())
            }
            "china" | "azurechinacloud" => Ok(Self::china()),
            _ => Err(EndpointError::UnknownCloud(name.to_owned())),
        }
    }

    /// An endpoint of one's own that answers for the resource manager and for the token, such as the lab.
    pub fn custom(base: &str, ca_pem: Option<String>) -> Result<Self, EndpointError> {
        let url = Url::parse(base).map_err(|source| EndpointError::NotAnUrl {
            text: base.to_owned(),
            source,
        })?;
        if url.scheme() != "https" {
            return Err(EndpointError::NotTls(url));
        }
        Ok(Self {
            scope: format!("{}/.default", base.trim_end_matches('/')),
            authority: url.clone(),
            resource_manager: url,
            ca_pem,
        })
    }

    /// What follows `https://ACCOUNT.` in the address of a storage account's blobs. Clouds of one's own have no such rule:
    /// there the public one's name stands.
    pub fn blob_domain(&self) -> &'static str {
        match self.resource_manager.host_str() {
            Some("management.usgovcloudapi.net") => "blob.core.usgovcloudapi.net",
            Some("management.chinacloudapi.cn") => "blob.core.chinacloudapi.cn",
            Some(_) | None => "blob.core.windows.net",
        }
    }

    /// The HTTPS client. It does not follow redirects: a token must not travel to where an answer points.
    pub fn transport(&self) -> Result<Arc<dyn HttpClient>, EndpointError> {
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(READ)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &self.ca_pem {
            let certificate = reqwest::Certificate::from_pem(pem.as_bytes())
                .map_err(EndpointError::BadCertificate)?;
            // A lab on loopback is never behind a proxy, and its own authority is the only one that counts.
            builder = builder.tls_certs_only([certificate]).no_proxy();
        }
        Ok(Arc::new(builder.build().map_err(EndpointError::Transport)?))
    }

    /// Options for the credentials of `azure_identity`. Their authority is always given, so that they do not look for
    /// one in the environment.
    pub(crate) fn credential_options(&self) -> Result<ClientOptions, EndpointError> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.authority.to_string();
        Ok(ClientOptions {
            transport: Some(Transport::new(self.transport()?)),
            // The default goes on for a minute and more, silently, even when the connection is refused.
            retry: RetryOptions::exponential(azure_core::http::ExponentialRetryOptions {
                max_retries: 2,
                ..Default::default()
            }),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..ClientOptions::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_have_their_own_addresses() {
        let gov = Endpoint::cloud("usgovernment").unwrap();
        assert_eq!(gov.scope, "https://management.usgovcloudapi.net/.default");
        assert_eq!(gov.blob_domain(), "blob.core.usgovcloudapi.net");
        assert!(matches!(
            Endpoint::cloud("mars"),
            Err(EndpointError::UnknownCloud(_))
        ));
    }

    #[test]
    fn a_custom_endpoint_must_be_tls() {
        assert!(matches!(
            Endpoint::custom("http://127.0.0.1:1", None),
            Err(EndpointError::NotTls(_))
        ));
        assert!(Endpoint::custom("nonsense", None).is_err());
        let lab = Endpoint::custom("https://127.0.0.1:4443/", None).unwrap();
        assert_eq!(lab.scope, "https://127.0.0.1:4443/.default");
    }
}
