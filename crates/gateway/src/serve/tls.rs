//! TLS by the gateway itself.

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::config::TlsFiles;

/// The TLS set-up from two files of PEM.
///
/// # Errors
/// The setting that names the file that cannot be used, and why it cannot.
pub(crate) fn set_up(files: &TlsFiles) -> Result<ServerConfig, (&'static str, String)> {
    let (certificate, private_key) = ("MCP_SSL_CERT_FILE", "MCP_SSL_KEY_FILE");
    let certificates = CertificateDer::pem_file_iter(&files.certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| (certificate, error.to_string()))?;
    if certificates.is_empty() {
        return Err((certificate, "holds no certificate".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| (private_key, error.to_string()))?;
    ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| (private_key, error.to_string()))
}
