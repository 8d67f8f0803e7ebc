//! The configuration: read from all its sources at once, checked as a whole, typed from here on.

mod allow;
mod api_key;
mod cache;
pub(crate) mod clients;
pub(crate) mod dev;
mod device;
pub(crate) mod dotenv;
mod faults;
mod keys;
mod lifetimes;
mod limits;
mod listen;
mod logs;
mod published;
mod quirks;
mod reader;
mod registration;
mod resources;
mod rules;
mod show;
mod sources;
mod store;
mod typos;
pub(crate) mod variables;

use std::net::IpAddr;

use mcp_gateway_auth_server::{
    AutoApprove, DocumentPolicy, Gate, RegistrationSettings,
    settings::{DeviceGrant, Lifetimes, Limits, RefreshTokens, ResourceServer},
};
use mcp_gateway_model::{
    access::{AllowedUsers, MembershipLife},
    client::Client,
    cors::CorsOrigins,
    issuer::{Issuer, is_loopback},
    metadata::Offers,
    proxy::TrustedProxies,
    resource::Resources,
    secret::Secret,
};
use mcp_gateway_verifier::{ApiKey, CacheSettings};
use url::Url;

pub(crate) use faults::Faults;
pub(crate) use keys::SigningConfig;
pub(crate) use listen::{Listen, TlsFiles};
pub(crate) use logs::{LogConfig, LogFormat};
pub(crate) use published::PublishedConfig;
pub(crate) use show::{Shown, shown};
pub(crate) use sources::{Flags, Sources};
pub(crate) use store::{RedisConfig, StoreConfig};

use quirks::Quirks;
use reader::Reader;

/// What the configuration is for: what must be there, and what must not, depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Both servers in one process.
    Serve,
    /// The authorization server alone.
    AuthServer,
    /// The verifier alone: it must not be able to mint a token.
    Verifier,
    /// Both, on this machine only, with everything they need made up.
    #[cfg(feature = "sandbox")]
    #[value(skip)]
    Dev,
}

impl Role {
    /// The name of the subcommand.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::AuthServer => "auth-server",
            Self::Verifier => "verifier",
            #[cfg(feature = "sandbox")]
            Self::Dev => "dev",
        }
    }
}

/// A configuration without faults.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: Listen,
    pub(crate) logs: LogConfig,
    pub(crate) store: StoreConfig,
    pub(crate) issuer: Issuer,
    pub(crate) resources: Resources,
    pub(crate) resource_servers: Vec<ResourceServer>,
    /// No setting: only `dev` asks nobody, on this machine.
    pub(crate) auto_approve: Option<AutoApprove>,
    pub(crate) github: GithubConfig,
    /// Who may log in; `None` for a verifier on its own that was not told.
    pub(crate) allowed_users: Option<AllowedUsers>,
    /// Who may look at any client's registration.
    pub(crate) admins: AllowedUsers,
    pub(crate) cors: CorsOrigins,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) signing: SigningConfig,
    /// Empty with the embedded engine, which keeps a key of its own.
    pub(crate) sealing_secrets: Vec<Secret>,
    /// The configured key, and what it opens; where a verifier runs.
    pub(crate) api_key: Option<ApiKey>,
    pub(crate) pass_token: bool,
    pub(crate) metadata_at_issuer: bool,
    /// Whether there is an authorization server at all; without one only the API key and personal access tokens are.
    pub(crate) oauth_enabled: bool,
    pub(crate) lifetimes: Lifetimes,
    /// How much the verifier remembers.
    pub(crate) cache: CacheSettings,
    /// For how long it counts where GitHub said that people belong.
    pub(crate) memberships: MembershipLife,
    pub(crate) limits: Limits,
    pub(crate) registration: RegistrationSettings,
    /// Clients that stand in the configuration.
    pub(crate) clients: Vec<Client>,
    pub(crate) refresh_tokens: RefreshTokens,
    pub(crate) published: PublishedConfig,
    pub(crate) device_grant: DeviceGrant,
    pub(crate) quirks: Quirks,
    /// What is odd but no fault.
    pub(crate) warnings: Vec<String>,
}

/// The OAuth App at GitHub.
#[derive(Debug)]
pub(crate) struct GithubConfig {
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) web_url: Url,
    pub(crate) api_url: Url,
}

impl Config {
    /// What the authorization server offers; both servers say the same.
    pub(crate) fn offers(&self) -> Offers {
        let algorithm = self.signing.algorithm;
        Offers {
            openid: Some(algorithm).filter(|algorithm| !algorithm.is_symmetric()),
            registration: self.registration.gate != Gate::Off,
            metadata_documents: self.published.documents != DocumentPolicy::Off,
            device: self.device_grant != DeviceGrant::Off,
            iss: self.quirks.response_iss,
            ..Offers::default()
        }
    }

    /// Checks everything.
    ///
    /// # Errors
    /// All faults at once.
    pub(crate) fn parse(sources: &Sources, role: Role, mut faults: Faults) -> Result<Self, Faults> {
        let mut reader = Reader {
            sources,
            faults: &mut faults,
            warnings: sources.warnings.clone(),
        };
        let parsed = read(&mut reader, role);
        match parsed {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(faults.with_hints(&sources.warnings)),
        }
    }
}

fn read(r: &mut Reader<'_>, role: Role) -> Option<Config> {
    let listen = listen::read(r);
    let issuer = resources::issuer(r, &listen);
    let (resources, resource_servers) = resources::read(r, issuer.as_ref(), role);
    let api_key = api_key::read(r, &resources, role);
    let clients = clients::read(r, issuer.as_ref(), &resources, role);
    let signing = keys::signing(r, role);
    let store = store::read(r, role);
    let sealing_secrets = keys::sealing(r, role, &store);
    Some(Config {
        logs: logs::read(r),
        github: github(r, role),
        allowed_users: allowed_users(r, role),
        admins: r
            .parsed("ADMIN_GITHUB_USERS", admins)
            .unwrap_or_else(AllowedUsers::nobody),
        cors: r
            .parsed("MCP_CORS_ORIGINS", CorsOrigins::parse)
            .unwrap_or_default(),
        trusted_proxies: r
            .parsed("TRUSTED_PROXIES", TrustedProxies::parse)
            .unwrap_or_default(),
        pass_token: r
            .parsed("X_AUTH_TOKEN", |text| match text.to_ascii_lowercase().as_str() {
                "bearer" => Ok(true),
                "off" => Ok(false),
                _ => Err("must be bearer or off"),
            })
            .unwrap_or_default(),
        metadata_at_issuer: r.boolean("METADATA_AT_ISSUER", false),
        oauth_enabled: r.boolean("MCP_OAUTH_ENABLED", true),
        quirks: quirks::read(r),
        cache: cache::read(r),
        lifetimes: lifetimes::read(r),
        memberships: lifetimes::memberships(r),
        limits: limits::read(r),
        registration: registration::read(r, role),
        device_grant: device::read(r, role),
        refresh_tokens: r
            .parsed("REFRESH_TOKENS", |text| {
                match text.to_ascii_lowercase().as_str() {
                    "always" => Ok(RefreshTokens::Always),
                    "offline_access" => Ok(RefreshTokens::OfflineAccess),
                    _ => Err("must be always or offline_access"),
                }
            })
            .unwrap_or_default(),
        published: published::read(r, role),
        listen,
        store,
        issuer: issuer?,
        resources,
        resource_servers,
        auto_approve: None,
        clients,
        signing,
        sealing_secrets,
        api_key,
        warnings: warnings(r, role),
    })
}

/// The list, even an empty one. A verifier on its own need not have it.
fn allowed_users(r: &mut Reader<'_>, role: Role) -> Option<AllowedUsers> {
    let told = role != Role::Verifier || r.sources.get("ALLOWED_GITHUB_USERS").is_some();
    let listed = r.parsed("ALLOWED_GITHUB_USERS", AllowedUsers::parse);
    told.then(|| listed.unwrap_or_else(AllowedUsers::nobody))
}

/// The list of admins. Everybody is none.
fn admins(text: &str) -> Result<AllowedUsers, String> {
    match AllowedUsers::parse(text).map_err(|bad| bad.to_string())? {
        AllowedUsers::Everybody => {
            Err("must name logins or numeric ids: * would make everybody an admin".to_owned())
        }
        listed @ AllowedUsers::Listed { .. } => Ok(listed),
    }
}

fn github(r: &mut Reader<'_>, role: Role) -> GithubConfig {
    let (client_id, client_secret) = if role == Role::Verifier || !r.boolean("MCP_OAUTH_ENABLED", true) {
        (String::new(), String::new())
    } else {
        (r.required("GITHUB_CLIENT_ID"), r.required("GITHUB_CLIENT_SECRET"))
    };
    let mut url = |name, default| {
        let url = r
            .url(name, default)
            .unwrap_or_else(|| unreachable!("the default is an address"));
        if url.scheme() != "https" && !is_loopback(&url) {
            r.faults.add(
                name,
                "must be https: client secrets and codes go there; http is for loopback only",
            );
        }
        url
    };
    GithubConfig {
        web_url: url("GITHUB_WEB_URL", "https://github.com"),
        api_url: url("GITHUB_API_URL", "https://api.github.com"),
        client_id,
        client_secret: Secret::presented(client_secret),
    }
}

fn warnings(r: &mut Reader<'_>, role: Role) -> Vec<String> {
    let mut warnings = std::mem::take(&mut r.warnings);
    if r.has("MCP_PROTOCOL_VERSION") {
        warnings.push("MCP_PROTOCOL_VERSION has no effect: the gateway passes every revision on".to_owned());
    }
    if role != Role::Verifier && !r.has("ALLOWED_GITHUB_USERS") {
        warnings.push("ALLOWED_GITHUB_USERS is empty: nobody can log in".to_owned());
    }
    if r.text("X_AUTH_TOKEN")
        .is_some_and(|text| text.eq_ignore_ascii_case("bearer"))
    {
        warnings.push("X_AUTH_TOKEN=bearer: backends are handed their users' tokens".to_owned());
    }
    if r.text("TRUSTED_PROXIES")
        .and_then(|list| TrustedProxies::parse(list).ok())
        .is_some_and(|proxies| proxies.trusts(IpAddr::from([8, 8, 8, 8])))
    {
        warnings.push(
            "TRUSTED_PROXIES trusts everybody: whoever reaches the port is whoever they say".to_owned(),
        );
    }
    if !r.boolean("MCP_OAUTH_ENABLED", true) {
        warnings.push(
            "MCP_OAUTH_ENABLED=false: nobody can log in, and only MCP_API_KEY and personal access tokens are good".to_owned(),
        );
    }
    if role == Role::Verifier {
        let minting = [
            "GITHUB_CLIENT_SECRET",
            "JWT_PRIVATE_KEY_B64",
            "JWT_SECRET",
            "MCP_OAUTH_SECRET_KEY",
            "STORE_ENCRYPTION_KEY",
        ];
        for name in minting.into_iter().filter(|name| r.has(name)) {
            warnings.push(format!(
                "{name} is ignored here: take it out of the verifier's environment"
            ));
        }
    }
    warnings
}
