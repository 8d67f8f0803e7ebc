//! `mcp-oauth serve`: the service, set up by the environment or by options.

use std::{convert::Infallible, fmt, fs, path::PathBuf, str::FromStr};

use clap::Args;
use mcp_gateway_client::service::{
    self,
    settings::{Settings, Written, WrittenSecrets},
};
use mcp_gateway_model::secret::Secret;
use tracing::{Level, info};

use super::failure::Failure;

pub(super) const EXAMPLES: &str = "Examples:
  mcp-oauth serve --public-url https://app.example.com --host 0.0.0.0 --trusted-proxies 10.0.0.2
  MCP_CLIENT_GATEWAY_ISSUER=https://auth.example.com mcp-oauth serve

GET /openapi.json describes the interface. One JSON line for each request is written to standard error.";

/// Where the service listens, what it believes, and where it may go.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The address to listen at
    #[arg(long, env = "MCP_CLIENT_HOST", default_value = "127.0.0.1")]
    host: String,
    /// The port to listen at
    #[arg(long, env = "MCP_CLIENT_PORT", default_value_t = 8001)]
    port: u16,
    /// The service's address as browsers and authorization servers know it; `http://127.0.0.1:<port>` without it
    #[arg(long, env = "MCP_CLIENT_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    #[command(flatten)]
    callers: CallerArgs,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    targets: TargetArgs,
    /// How often one user may ask in a minute
    #[arg(
        long,
        env = "MCP_CLIENT_REQUESTS_PER_MINUTE",
        default_value_t = 300,
        value_name = "COUNT"
    )]
    requests_per_minute: u32,
    /// What is logged: error, warn, info, debug or trace
    #[arg(
        long,
        env = "MCP_CLIENT_LOG_LEVEL",
        default_value = "info",
        value_name = "LEVEL"
    )]
    log_level: Level,
}

/// Who says whose tokens these are: one of the two is needed.
#[derive(Debug, Args)]
struct CallerArgs {
    /// Addresses and ranges of the gateway's proxies, separated by commas: their X-User-Id header is believed
    #[arg(
        long,
        env = "MCP_CLIENT_TRUSTED_PROXIES",
        default_value = "",
        hide_default_value = true,
        value_name = "LIST"
    )]
    trusted_proxies: String,
    /// The gateway whose access tokens say who asks
    #[arg(long, env = "MCP_CLIENT_GATEWAY_ISSUER", value_name = "URL")]
    gateway_issuer: Option<String>,
    /// The audience that these tokens must have [default: the public URL]
    #[arg(long, env = "MCP_CLIENT_AUDIENCE", value_name = "URI")]
    audience: Option<String>,
}

/// Where the service remembers.
#[derive(Debug, Args)]
struct StoreArgs {
    /// The directory of the embedded store, for one process
    #[arg(
        long,
        env = "MCP_CLIENT_DATA_DIR",
        default_value = "mcp-oauth-data",
        value_name = "DIRECTORY"
    )]
    data_dir: PathBuf,
    /// A Redis or Valkey in its place, for several processes
    #[arg(
        long,
        env = "MCP_CLIENT_REDIS_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    redis_url: Option<Hidden>,
    /// The password of Redis; the environment or a file is the place for it
    #[arg(
        long,
        env = "MCP_CLIENT_REDIS_PASSWORD",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    redis_password: Option<Hidden>,
    /// The file with the password of Redis
    #[arg(
        long,
        env = "MCP_CLIENT_REDIS_PASSWORD_FILE",
        value_name = "FILE",
        conflicts_with = "redis_password"
    )]
    redis_password_file: Option<PathBuf>,
    /// What every key in Redis begins with
    #[arg(
        long,
        env = "MCP_CLIENT_REDIS_PREFIX",
        default_value = "mcpcl:",
        value_name = "TEXT"
    )]
    redis_prefix: String,
    /// What seals the tokens, at least 32 characters, and older ones behind it, separated by commas; the environment or a file is
    /// the place for it [default: one that is made and kept in the data directory]
    #[arg(
        long,
        env = "MCP_CLIENT_ENCRYPTION_KEY",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    encryption_key: Option<Hidden>,
    /// The file with what seals the tokens
    #[arg(
        long,
        env = "MCP_CLIENT_ENCRYPTION_KEY_FILE",
        value_name = "FILE",
        conflicts_with = "encryption_key"
    )]
    encryption_key_file: Option<PathBuf>,
}

/// Where calls, and browsers, may go.
#[derive(Debug, Args)]
struct TargetArgs {
    /// Networks that may be asked besides the public internet, separated by commas
    #[arg(
        long,
        env = "MCP_CLIENT_ALLOWED_NETWORKS",
        default_value = "",
        hide_default_value = true,
        value_name = "LIST"
    )]
    allowed_networks: String,
    /// Ports of the public internet that may be asked, separated by commas
    #[arg(
        long,
        env = "MCP_CLIENT_ALLOWED_PORTS",
        default_value = "443",
        value_name = "LIST"
    )]
    allowed_ports: String,
    /// Name servers in the place of those of the system, separated by commas
    #[arg(
        long,
        env = "MCP_CLIENT_DNS_SERVERS",
        default_value = "",
        hide_default_value = true,
        value_name = "LIST"
    )]
    dns_servers: String,
    /// A file of certificates (PEM) that are trusted besides those of the system
    #[arg(long, env = "MCP_CLIENT_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Addresses that browsers may be sent to after a login, from their path down, separated by commas
    #[arg(
        long,
        env = "MCP_CLIENT_RETURN_TO",
        default_value = "",
        hide_default_value = true,
        value_name = "LIST"
    )]
    return_to: String,
}

/// A text that opens something: it has no `Debug` text.
#[derive(Clone)]
struct Hidden(String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// Runs the service until a signal ends it.
///
/// # Errors
/// [`Failure::Usage`] with all faults of the settings, else [`Failure::Runtime`].
pub(super) async fn run(args: ServeArgs) -> Result<(), Failure> {
    let log_level = args.log_level;
    let settings = args.settings()?;
    tracing_subscriber::fmt()
        .json()
        .with_max_level(log_level)
        .with_writer(std::io::stderr)
        .init();
    let redirect_uri = settings.redirect_uri();
    let started = move |address: std::net::SocketAddr| {
        info!(%address, redirect_uri, "mcp-oauth {} serves", env!("CARGO_PKG_VERSION"));
    };
    service::run(settings, started).await.map_err(Failure::runtime)
}

impl ServeArgs {
    /// The settings, once all of them are good.
    fn settings(self) -> Result<Settings, Failure> {
        let secrets = WrittenSecrets {
            encryption_key: secret(self.store.encryption_key, self.store.encryption_key_file.as_ref())?,
            redis_url: secret(self.store.redis_url, None)?,
            redis_password: secret(self.store.redis_password, self.store.redis_password_file.as_ref())?,
        };
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let written = Written {
            host: self.host,
            port: self.port,
            public_url: given(self.public_url),
            trusted_proxies: self.callers.trusted_proxies,
            gateway_issuer: given(self.callers.gateway_issuer),
            audience: given(self.callers.audience),
            data_dir: self.store.data_dir,
            redis_prefix: self.store.redis_prefix,
            allowed_networks: self.targets.allowed_networks,
            allowed_ports: self.targets.allowed_ports,
            dns_servers: self.targets.dns_servers,
            ca_file: self.targets.ca_file.filter(|path| !path.as_os_str().is_empty()),
            return_to: self.targets.return_to,
            requests_per_minute: self.requests_per_minute,
        };
        Settings::read(written, secrets).map_err(|faults| Failure::Usage(faults.to_string()))
    }
}

/// A secret that was written, or that a file holds. An empty one is none.
fn secret(written: Option<Hidden>, file: Option<&PathBuf>) -> Result<Option<Secret>, Failure> {
    let text = match file.filter(|path| !path.as_os_str().is_empty()) {
        None => written.map(|Hidden(text)| text),
        Some(path) => {
            let text = fs::read_to_string(path);
            Some(text.map_err(|error| Failure::Usage(format!("{} cannot be read: {error}", path.display())))?)
        }
    };
    let text = text.map(|text| text.trim().to_owned());
    Ok(text.filter(|text| !text.is_empty()).map(Secret::presented))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Args, Command};

    use super::*;

    const PAGE: &str = include_str!("../../../../docs/client.md");

    #[test]
    fn the_page_and_the_options_have_the_same_settings_and_defaults() {
        let command = ServeArgs::augment_args(Command::new("serve"));
        let mut options = BTreeSet::new();
        for argument in command.get_arguments() {
            let name = argument.get_env().unwrap().to_str().unwrap();
            assert!(
                PAGE.contains(&format!("`{name}`")),
                "{name} is not in docs/client.md"
            );
            options.insert(name.to_owned());
            let default = argument
                .get_default_values()
                .first()
                .and_then(|value| value.to_str());
            if let Some(default) = default.filter(|default| !default.is_empty()) {
                let row = PAGE
                    .lines()
                    .find(|line| line.starts_with(&format!("| `{name}`")))
                    .unwrap();
                assert!(row.contains(&format!("| `{default}` |")), "{row}");
            }
        }
        let words = PAGE.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let named: BTreeSet<String> = words
            .filter(|word| word.starts_with("MCP_CLIENT_"))
            .map(ToOwned::to_owned)
            .collect();
        assert_eq!(named, options);
    }
}
