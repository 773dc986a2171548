//! A client certificate: an assertion that its private key signs, instead of a password.
//!
//! Source: <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>.

use super::SignInError;
use crate::endpoint::Endpoint;
use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_core::time::{Duration, OffsetDateTime};
use azure_identity::ClientAssertion;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rustls::SignatureScheme;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// How long an assertion is good for. It is used at once; the clocks may differ.
const LIFE: Duration = Duration::minutes(10);

/// Certificate and key from one PEM file, as `ARM_CLIENT_CERTIFICATE_PATH` names it.
pub(super) struct Certificate {
    key: Arc<dyn SigningKey>,
    thumbprint: String,
    audience: String,
    client_id: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    pub(super) fn new(
        pem: &[u8],
        endpoint: &Endpoint,
        tenant: &str,
        client_id: String,
    ) -> Result<Self, SignInError> {
        let wrong = |why| SignInError::Certificate { why };
        let certificate = CertificateDer::from_pem_slice(pem).map_err(|_| {
            wrong("it holds no certificate in PEM; convert a .pfx: openssl pkcs12 -in x.pfx -nodes -out x.pem")
        })?;
        let key = PrivateKeyDer::from_pem_slice(pem)
            .map_err(|_| wrong("it holds no private key in PEM without a password"))?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key)
            .ok()
            .filter(|key| {
                key.choose_scheme(&[SignatureScheme::RSA_PSS_SHA256])
                    .is_some()
            })
            .ok_or_else(|| wrong("its private key is no RSA key, and Entra ID takes no other"))?;
        Ok(Self {
            key,
            thumbprint: BASE64.encode(Sha256::digest(&certificate)),
            audience: format!(
                "{}/{tenant}/oauth2/v2.0/token",
                endpoint.authority.as_str().trim_end_matches('/')
            ),
            client_id,
        })
    }

    fn assertion(&self, now: OffsetDateTime, id: &str) -> Option<String> {
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": self.audience,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": id,
            "nbf": now.unix_timestamp(),
            "iat": now.unix_timestamp(),
            "exp": (now + LIFE).unix_timestamp(),
        });
        let [header, claims] = [header, claims].map(|part| BASE64.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signer = self.key.choose_scheme(&[SignatureScheme::RSA_PSS_SHA256])?;
        let signature = signer.sign(signed.as_bytes()).ok()?;
        Some(format!("{signed}.{}", BASE64.encode(signature)))
    }
}

#[async_trait]
impl ClientAssertion for Certificate {
    async fn secret(
        &self,
        _options: Option<ClientMethodOptions<'_>>,
    ) -> azure_core::Result<String> {
        let id = azure_core::Uuid::new_v4().to_string();
        self.assertion(OffsetDateTime::now_utc(), &id)
            .ok_or_else(|| {
                let text = "the certificate's private key cannot sign; is it damaged?";
                azure_core::Error::with_message(ErrorKind::Credential, text)
            })
    }
}
