//! What an operator can set. Texts come in as they were written, and all that is wrong with them is said at once.

mod read;
mod return_to;

use std::{path::PathBuf, time::Duration};

use mcp_gateway_model::{proxy::TrustedProxies, secret::Secret};

use super::store::Rate;
use crate::http;
pub use return_to::ReturnTargets;

/// Where the endpoints are, below the public address.
pub const BASE: &str = "/api/mcp/oauth";

/// The settings as they were written: names are those of the environment without `MCP_CLIENT_`.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// Where the service listens.
    pub host: String,
    /// And at which port.
    pub port: u16,
    /// Its address as browsers and authorization servers know it.
    pub public_url: Option<String>,
    /// Proxies whose identity headers are believed, separated by commas.
    pub trusted_proxies: String,
    /// The gateway whose access tokens say who asks.
    pub gateway_issuer: Option<String>,
    /// What these tokens are for.
    pub audience: Option<String>,
    /// The directory of the embedded store.
    pub data_dir: PathBuf,
    /// What every key in Redis begins with.
    pub redis_prefix: String,
    /// Networks that may be asked besides the public internet, separated by commas.
    pub allowed_networks: String,
    /// Ports of the public internet that may be asked.
    pub allowed_ports: String,
    /// Name servers in the place of the system's.
    pub dns_servers: String,
    /// A file of root certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Where browsers may be sent after a login, separated by commas.
    pub return_to: String,
    /// How often one user may ask in a minute.
    pub requests_per_minute: u32,
}

/// Secrets as they were written; they have no `Debug` text.
#[derive(Debug, Default)]
pub struct WrittenSecrets {
    /// What is kept is sealed under the first, and opened by any; separated by commas.
    pub encryption_key: Option<Secret>,
    /// Redis, in the place of the embedded store.
    pub redis_url: Option<Secret>,
    /// The password of Redis, if it does not stand in the address.
    pub redis_password: Option<Secret>,
}

/// The settings of the service.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens.
    pub host: String,
    /// And at which port.
    pub port: u16,
    /// Its address without a trailing slash.
    pub public_url: String,
    /// Proxies whose identity headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Whose access tokens are believed, and what for.
    pub tokens: Option<TokenSettings>,
    /// Where it remembers.
    pub store: StoreSettings,
    /// The keys that seal; none means one that is made and kept beside the embedded store.
    pub encryption_keys: Vec<Secret>,
    /// Where calls may go.
    pub http: http::Settings,
    /// Where browsers may be sent after a login.
    pub return_to: ReturnTargets,
    /// How often things may happen.
    pub limits: Limits,
}

/// Access tokens of a gateway that say who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// The gateway's issuer, byte for byte.
    pub issuer: String,
    /// The `aud` that a token must have.
    pub audience: String,
}

/// Where the service remembers.
#[derive(Debug)]
pub enum StoreSettings {
    /// In a file below this directory.
    Directory(PathBuf),
    /// In Redis.
    Redis(RedisSettings),
}

/// How Redis is reached.
#[derive(Debug)]
pub struct RedisSettings {
    /// Its address: `redis://`, or `rediss://` for TLS. A password may stand in it.
    pub url: Secret,
    /// Its password, if that does not stand in the address.
    pub password: Option<Secret>,
    /// What every key begins with.
    pub prefix: String,
    /// Certificate authorities to trust with TLS (PEM), in the place of the system's.
    pub ca: Option<Vec<u8>>,
}

/// How often things may happen, and how much may come in.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests of one user.
    pub requests: Rate,
    /// Logins that one user begins.
    pub logins: Rate,
    /// Clients that are registered for one user.
    pub registrations: Rate,
    /// Requests from one address whose sender is not known.
    pub strangers: Rate,
    /// Calls and streams of one user that run at once.
    pub calls: usize,
    /// How long a stream may last.
    pub stream: Duration,
    /// How long the body of a request may take.
    pub body_patience: Duration,
    /// How long it may take to find out about a server.
    pub discovery: Duration,
    /// Bytes of a request that is passed on.
    pub body: usize,
    /// Bytes of a JSON answer that is wrapped.
    pub wrapped: usize,
    /// How long a resource may take until it begins to answer.
    pub answer: Duration,
    /// For how long a login may take.
    pub login: Duration,
    /// For how long a grant that is not used is kept.
    pub unused_grant: Duration,
    /// For how long a registration that is not used is kept.
    pub unused_registration: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        Self {
            requests: Rate::per_minute(300),
            logins: Rate::per_minute(20),
            registrations: Rate {
                count: 20,
                period: Duration::from_secs(3600),
                burst: 5,
            },
            strangers: Rate::per_minute(60),
            calls: 32,
            stream: Duration::from_secs(3600),
            body_patience: Duration::from_secs(30),
            discovery: Duration::from_secs(30),
            body: 4 << 20,
            wrapped: 4 << 20,
            answer: Duration::from_secs(60),
            login: Duration::from_secs(600),
            unused_grant: DAY * 90,
            unused_registration: DAY * 90,
        }
    }
}

/// All that is wrong with the settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    fn note(&mut self, name: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("{name}: {problem}"));
    }

    /// What `read` gives, or its fault noted under `name`.
    fn or_note<T, E: std::fmt::Display>(&mut self, name: &str, read: Result<T, E>) -> Option<T> {
        read.map_err(|problem| self.note(name, problem)).ok()
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Faults {}

impl Settings {
    /// Where authorization servers send browsers back to.
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        format!("{}{BASE}/callback", self.public_url)
    }
}
