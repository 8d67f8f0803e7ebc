//! A certificate authority for one test, and a certificate for `localhost` from it.

use std::{error::Error, fs, path::Path};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// Writes `ca.crt`, `server.crt` and `server.key` into `directory`.
pub(super) fn write_certificates(directory: &Path) -> Result<(), Box<dyn Error>> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name
        .push(DnType::CommonName, "authority of one test");
    let ca_certificate = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate()?;
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;

    fs::write(directory.join("ca.crt"), ca_certificate.pem())?;
    fs::write(directory.join("server.crt"), certificate.pem())?;
    fs::write(directory.join("server.key"), key.serialize_pem())?;
    Ok(())
}
