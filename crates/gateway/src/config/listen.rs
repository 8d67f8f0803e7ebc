//! Where requests come in.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::reader::Reader;
use crate::serve::tls::{self, Problem};

/// Where requests come in, and how that ends.
#[derive(Clone, Debug)]
pub(crate) struct Listen {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) shutdown_delay: Duration,
}

/// Certificate and key of TLS by the gateway itself.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificates: PathBuf,
    pub(crate) key: PathBuf,
}

pub(super) fn read(r: &mut Reader<'_>) -> Listen {
    let mut file = |name: &'static str| {
        r.parsed(name, |text| {
            std::fs::File::open(text)
                .map(|_| PathBuf::from(text))
                .map_err(|error| format!("{text} cannot be read: {error}"))
        })
    };
    let (certificates, key) = (file("MCP_SSL_CERT_FILE"), file("MCP_SSL_KEY_FILE"));
    let enabled = r.boolean("MCP_HTTPS_ENABLED", false);
    for name in ["MCP_SSL_CERT_FILE", "MCP_SSL_KEY_FILE"] {
        if enabled && !r.has(name) {
            r.faults.add(name, "is not set, and MCP_HTTPS_ENABLED is true");
        }
    }
    let files = certificates
        .zip(key)
        .filter(|_| enabled)
        .map(|(certificates, key)| TlsFiles { certificates, key });
    if let Some(Err(Problem { setting, problem })) = files.as_ref().map(tls::set_up) {
        r.faults.add(setting, problem);
    }
    Listen {
        host: r.text("HOST").unwrap_or("127.0.0.1").to_owned(),
        port: r.number("PORT", 8000),
        metrics: r.parsed("METRICS_LISTEN", metrics_address).flatten(),
        tls: files,
        shutdown_delay: shutdown_delay(r),
    }
}

fn shutdown_delay(r: &mut Reader<'_>) -> Duration {
    let seconds = r.number::<u8>("SHUTDOWN_DELAY", 1);
    if seconds > 20 {
        r.faults.add(
            "SHUTDOWN_DELAY",
            "must be at most 20: the end takes 30 seconds in all",
        );
    }
    Duration::from_secs(u64::from(seconds))
}

fn metrics_address(text: &str) -> Result<Option<SocketAddr>, &'static str> {
    if text.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| "must be an address and a port such as 127.0.0.1:9000")
}
