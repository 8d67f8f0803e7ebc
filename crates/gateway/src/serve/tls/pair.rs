//! A certificate and its key, as they lie in two files.

use std::{fmt, fs::File, io::Read, path::Path, sync::Arc};

use mcp_gateway_model::{clock::Timestamp, secret::Digest};
use rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer, UnixTime,
        pem::{self, PemObject},
    },
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use crate::config::TlsFiles;

const CERTIFICATE: &str = "MCP_SSL_CERT_FILE";
const KEY: &str = "MCP_SSL_KEY_FILE";
/// How many bytes of a file are read at most.
const LONGEST: u64 = 1024 * 1024;

/// Why a file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The setting that names the file.
    pub(crate) setting: &'static str,
    /// What is wrong with it, and what to do.
    pub(crate) problem: String,
}

impl Problem {
    pub(super) const fn of_certificate(problem: String) -> Self {
        Self {
            setting: CERTIFICATE,
            problem,
        }
    }

    const fn of_key(problem: String) -> Self {
        Self {
            setting: KEY,
            problem,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.problem)
    }
}

/// What is in the two files.
pub(super) struct Pair {
    certificates: Vec<u8>,
    key: Vec<u8>,
}

impl Pair {
    /// Reads both files.
    ///
    /// # Errors
    /// The file that cannot be read.
    pub(super) fn read(files: &TlsFiles) -> Result<Self, Problem> {
        Ok(Self {
            certificates: read(&files.certificates).map_err(Problem::of_certificate)?,
            key: read(&files.key).map_err(Problem::of_key)?,
        })
    }

    /// Stands for what is in the files: a file may be replaced by one with the same size and time.
    pub(super) fn digests(&self) -> [Digest; 2] {
        [&self.certificates, &self.key].map(|bytes| Digest::of(bytes))
    }

    /// The chain and its key, if they belong together.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn certified(&self, files: &TlsFiles) -> Result<CertifiedKey, Problem> {
        let (chain_file, key_file) = (files.certificates.display(), files.key.display());
        let certificates = CertificateDer::pem_slice_iter(&self.certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| {
                let problem = unfinished(&error);
                Problem::of_certificate(format!(
                    "{chain_file} {problem}: write the certificate chain there"
                ))
            })?;
        if certificates.is_empty() {
            return Err(Problem::of_certificate(format!(
                "{chain_file} holds no certificate: write the certificate chain there, in PEM"
            )));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            let problem = match &error {
                pem::Error::NoItemsFound => "holds no private key in PEM".to_owned(),
                error => unfinished(error),
            };
            Problem::of_key(format!(
                "{key_file} {problem}: write the key of the certificate there, without a passphrase"
            ))
        })?;
        CertifiedKey::from_der(certificates, key, &provider()).map_err(|error| match error {
            Error::InconsistentKeys(_) => Problem::of_key(format!(
                "{key_file} does not hold the key of the first certificate in {chain_file}: write the two that belong \
                 together"
            )),
            Error::InvalidCertificate(_) => Problem::of_certificate(format!(
                "{chain_file} begins with something that is not a certificate for TLS: write the server's certificate \
                 first"
            )),
            _ => Problem::of_key(format!(
                "{key_file} holds a key that cannot be used: it must be RSA of 2048 bits or more, ECDSA or Ed25519"
            )),
        })
    }
}

/// What signs and verifies for TLS.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Whether clients take the certificate at this moment, as far as its time goes.
///
/// # Errors
/// It has ended, or has not begun.
pub(super) fn is_valid(files: &TlsFiles, certified: &CertifiedKey, now: Timestamp) -> Result<(), Problem> {
    let file = files.certificates.display();
    let Some(parsed) = certified
        .cert
        .first()
        .and_then(|first| ParsedCertificate::try_from(first).ok())
    else {
        return Ok(());
    };
    // nobody is trusted here, so this never succeeds; but the time of the certificate itself is looked at first
    let judged = verify_server_cert_signed_by_trust_anchor(
        &parsed,
        &RootCertStore::empty(),
        &[],
        UnixTime::since_unix_epoch(std::time::Duration::from_millis(now.millis())),
        provider().signature_verification_algorithms.all,
    );
    match judged {
        Err(Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => Err(Problem::of_certificate(format!(
            "the certificate in {file} has ended: clients refuse it; renew it"
        ))),
        Err(Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => Err(Problem::of_certificate(format!(
            "the certificate in {file} is not valid yet: clients refuse it; wait, or set this machine's clock"
        ))),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|error| {
            let file = path.display();
            format!("{file} cannot be read: {error}; put it there, and let the gateway's user read it")
        })?;
    Ok(bytes)
}

/// What is wrong with a PEM text, without any of it.
fn unfinished(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "breaks off in the middle".to_owned(),
        _ => "is not PEM".to_owned(),
    }
}
