//! TLS by the gateway itself. A certificate that is renewed is noticed, and used for connections from then on.

mod pair;
mod renewal;

use std::sync::Arc;

use mcp_gateway_model::clock::Timestamp;
use rustls::ServerConfig;

pub(crate) use pair::Problem;
pub(crate) use renewal::Renewal;

use crate::config::TlsFiles;
use pair::Pair;
use renewal::InUse;

/// The TLS set-up from two files of PEM, and what notices that they change.
///
/// # Errors
/// The setting that names the file that cannot be used, and why it cannot.
pub(crate) fn set_up(files: &TlsFiles) -> Result<(ServerConfig, Renewal), Problem> {
    let pair = Pair::read(files)?;
    let in_use = Arc::new(InUse::new(pair.certified(files)?));
    let tls = ServerConfig::builder_with_provider(pair::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Problem::of_certificate(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&in_use) as _);
    Ok((tls, Renewal::new(files.clone(), &pair, in_use)))
}

/// Whether what is in the files can be used at this moment.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn examine(files: &TlsFiles, now: Timestamp) -> Result<(), Problem> {
    let certified = Pair::read(files)?.certified(files)?;
    pair::is_valid(files, &certified, now)
}

#[cfg(test)]
mod tests;
