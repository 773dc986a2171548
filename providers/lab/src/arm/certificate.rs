//! The lab's own certificate authority, and a server certificate for loopback.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    #[error("cannot {what} {path}: check that the folder is yours", path = path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot make the lab's certificate from {path}: remove that file, it will be made anew", path = path.display())]
    Make { path: PathBuf, source: rcgen::Error },
    #[error("the lab's certificate was refused by TLS: this is a bug in plimsoll")]
    Tls(#[from] rustls::Error),
}

/// TLS for the server, and the file that clients trust.
#[derive(Debug)]
pub(super) struct Tls {
    pub config: Arc<ServerConfig>,
    pub authority: PathBuf,
}

/// Loads or makes the authority in the folder, and issues a certificate for loopback.
///
/// # Errors
/// When files cannot be read or written, or the kept key is damaged.
pub(super) fn tls(directory: &Path) -> Result<Tls, CertificateError> {
    let (authority, key_file) = (directory.join("ca.pem"), directory.join("ca.key"));
    let make = |source| CertificateError::Make {
        path: key_file.clone(),
        source,
    };
    let file = |what, path: &Path| {
        let path = path.to_owned();
        move |source| CertificateError::File { what, path, source }
    };
    fs::create_dir_all(directory).map_err(file("make", directory))?;
    let known = match (fs::read_to_string(&key_file), authority.exists()) {
        (Ok(pem), true) => Some(KeyPair::from_pem(&pem).map_err(make)?),
        _ => None,
    };
    let params = authority_params();
    let key = match known {
        Some(key) => key,
        None => {
            let key = KeyPair::generate().map_err(make)?;
            let certificate = params.self_signed(&key).map_err(make)?;
            write(&key_file, &key.serialize_pem(), 0o600).map_err(file("write", &key_file))?;
            write(&authority, &certificate.pem(), 0o644).map_err(file("write", &authority))?;
            key
        }
    };
    // The same name and key as in `ca.pem`: what it signs chains up to that file.
    let issuer = Issuer::new(params, key);
    let server_key = KeyPair::generate().map_err(make)?;
    let certificate = server_params()
        .and_then(|params| params.signed_by(&server_key, &issuer))
        .map_err(make)?;
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, private)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls {
        config: Arc::new(config),
        authority,
    })
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("plimsoll lab certificate authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

fn server_params() -> Result<CertificateParams, rcgen::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named("plimsoll lab");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Never readable by others, not even for a moment.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let _ = fs::remove_file(path);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?
        .write_all(text.as_bytes())
}
