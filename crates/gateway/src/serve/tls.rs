//! TLS by the gateway itself.

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::{config::TlsFiles, failure::Failure};

/// The TLS set-up from two files of PEM.
///
/// # Errors
/// [`Failure::Configuration`] names the file that cannot be used.
pub(crate) fn set_up(files: &TlsFiles) -> Result<ServerConfig, Failure> {
    let bad = |setting: &str, problem: String| Failure::Configuration(format!("{setting}: {problem}"));
    let certificates = CertificateDer::pem_file_iter(&files.certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad("MCP_SSL_CERT_FILE", error.to_string()))?;
    if certificates.is_empty() {
        return Err(bad("MCP_SSL_CERT_FILE", "holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| bad("MCP_SSL_KEY_FILE", error.to_string()))?;
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| bad("MCP_SSL_KEY_FILE", error.to_string()))
}
