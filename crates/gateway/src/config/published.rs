//! What clients publish: whose descriptions are believed, and where they may be read.

use std::net::SocketAddr;

use mcp_gateway_auth_server::{DocumentPolicy, FetchSettings};
use mcp_gateway_model::proxy::Network;

use super::{Role, reader::Reader};

/// Whose descriptions are believed, and where they may be read.
#[derive(Clone, Debug)]
pub(crate) struct PublishedConfig {
    pub(crate) documents: DocumentPolicy,
    pub(crate) fetch: FetchSettings,
}

pub(super) fn read(r: &mut Reader<'_>, role: Role) -> PublishedConfig {
    let default = FetchSettings::default();
    PublishedConfig {
        documents: r
            .parsed("CLIENT_ID_METADATA_DOCUMENTS", DocumentPolicy::parse)
            .unwrap_or_default(),
        fetch: FetchSettings {
            allowed_networks: r
                .parsed("FETCH_ALLOWED_NETWORKS", |text| list(text, str::parse))
                .unwrap_or_else(|| networks(role)),
            ports: r
                .parsed("FETCH_PORTS", |text| list(text, port))
                .unwrap_or(default.ports),
            extra_roots: r.parsed("FETCH_CA_FILE", certificates),
            dns_servers: r
                .parsed("FETCH_DNS_SERVERS", |text| list(text, server))
                .unwrap_or_default(),
            patience: default.patience,
            unused_copies: default.unused_copies,
        },
    }
}

/// On this machine alone, clients may be described on it.
fn networks(role: Role) -> Vec<Network> {
    let loopback: &[&str] = match role {
        #[cfg(feature = "sandbox")]
        Role::Dev => &["127.0.0.0/8", "::1"],
        _ => &[],
    };
    loopback.iter().filter_map(|text| text.parse().ok()).collect()
}

fn list<T, E: ToString>(text: &str, parse: impl Fn(&str) -> Result<T, E>) -> Result<Vec<T>, String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| parse(entry).map_err(|error| error.to_string()))
        .collect()
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| format!("must be ports such as 443, 8443, not \"{text}\""))
}

/// `9.9.9.9`, `9.9.9.9:53` or `[2620:fe::fe]:53`.
fn server(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse();
    let without = || text.parse().map(|address| SocketAddr::new(address, 53));
    with_port
        .or_else(|_| without())
        .map_err(|_| format!("must be addresses such as 9.9.9.9 or 10.0.0.2:5353, not \"{text}\""))
}

fn certificates(path: &str) -> Result<Vec<u8>, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    let has_certificate = String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----");
    has_certificate
        .then_some(pem)
        .ok_or_else(|| format!("{path} has no certificate in PEM"))
}
