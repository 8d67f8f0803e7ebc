//! What an operator can set.

use std::{net::SocketAddr, time::Duration};

use mcp_gateway_model::{
    access::{AllowedUsers, MembershipLife},
    client::Client,
    cors::CorsOrigins,
    issuer::Issuer,
    key::Algorithm,
    metadata::Offers,
    proxy::{Network, TrustedProxies},
    resource::Resources,
    secret::Secret,
};
use mcp_gateway_store::Rate;
use url::Url;

pub use crate::register::gate::RegistrationSettings;
use crate::{auto_approve::AutoApprove, documents::DocumentPolicy};

/// Everything the authorization server needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Who we are.
    pub issuer: Issuer,
    /// What is protected.
    pub resources: Resources,
    /// Who may log in.
    pub allowed_users: AllowedUsers,
    /// Who of them may look at any client's registration (`ADMIN_GITHUB_USERS`).
    pub admins: AllowedUsers,
    /// For how long it counts where GitHub said that people belong.
    pub memberships: MembershipLife,
    /// How people log in.
    pub github: GithubSettings,
    /// How long things last.
    pub lifetimes: Lifetimes,
    /// How often things may happen.
    pub limits: Limits,
    /// Which browser origins may read answers.
    pub cors: CorsOrigins,
    /// Whose forwarded headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// How access tokens are signed.
    pub signing: SigningSettings,
    /// What seals what must not be readable in the store, and authenticates refresh tokens. The first is used for new
    /// ones, all are tried on old ones. At least one, of at least 32 bytes.
    pub sealing_secrets: Vec<Secret>,
    /// What is offered beyond what always is.
    pub offers: Offers,
    /// Which clients may ask for devices.
    pub device_grant: DeviceGrant,
    /// Whether `/authorize`, `/token` and `/register` are also at the origins of the protected servers.
    pub legacy_endpoints: bool,
    /// Who may register, and what for.
    pub registration: RegistrationSettings,
    /// Clients that the operator wrote into the configuration, under ids of the operator's choice.
    pub clients: Vec<Client>,
    /// Who gets refresh tokens.
    pub refresh_tokens: RefreshTokens,
    /// Whose descriptions of clients are believed (`CLIENT_ID_METADATA_DOCUMENTS`).
    pub documents: DocumentPolicy,
    /// What may be read from addresses that clients name.
    pub fetch: FetchSettings,
    /// Secrets with which resource servers may ask about tokens for their audience (RFC 7662 §2.1).
    pub resource_servers: Vec<ResourceServer>,
    /// Whether requests on this machine are allowed without asking anybody.
    pub auto_approve: Option<AutoApprove>,
}

impl Settings {
    /// Who authorization responses say they are from ([RFC 9207 §2](https://www.rfc-editor.org/rfc/rfc9207#section-2)), unless
    /// that is turned off.
    pub(crate) fn response_issuer(&self) -> Option<&Issuer> {
        Some(&self.issuer).filter(|_| self.offers.iss)
    }
}

/// The OAuth app at GitHub.
#[derive(Debug)]
pub struct GithubSettings {
    /// Its client id.
    pub client_id: String,
    /// Its client secret.
    pub client_secret: Secret,
    /// Where people log in: `https://github.com`, or an Enterprise Server.
    pub web_url: Url,
    /// Where the API is: `https://api.github.com`, or an Enterprise Server's `/api/v3`.
    pub api_url: Url,
}

/// How access tokens are signed.
#[derive(Debug, Default)]
pub struct SigningSettings {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// A private key in PKCS#1, PKCS#8 or SEC1 PEM; without one a key is generated and kept in the store.
    pub private_key_pem: Option<Secret>,
    /// The secret of HS256, at least 32 bytes.
    pub shared_secret: Option<Secret>,
}

/// Which clients may ask for devices without a browser (`DEVICE_GRANT`,
/// [RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceGrant {
    /// None.
    Off,
    /// Those that the operator entered, and those whose metadata document is published at one of these hosts: a host, or
    /// `*.` and a domain, in lower case.
    Listed(Vec<String>),
    /// All. Whoever registered a minute ago may then ask people to type a code.
    Open,
}

impl Default for DeviceGrant {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

/// Who gets a refresh token, of the clients that are registered for it (`REFRESH_TOKENS`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefreshTokens {
    /// All.
    #[default]
    Always,
    /// Those that were granted `offline_access`.
    OfflineAccess,
}

/// What may be read from addresses that clients name: descriptions of clients, and their keys.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// Networks that may be reached although they are not public (`FETCH_ALLOWED_NETWORKS`): at any port, by any name.
    pub allowed_networks: Vec<Network>,
    /// Ports of the public internet that may be reached (`FETCH_PORTS`).
    pub ports: Vec<u16>,
    /// Certificates in PEM that are trusted beside the system's (`FETCH_CA_FILE`).
    pub extra_roots: Option<Vec<u8>>,
    /// Name servers to ask instead of the system's (`FETCH_DNS_SERVERS`).
    pub dns_servers: Vec<SocketAddr>,
    /// How long one reading may take, from the look-up of the name to the last byte.
    pub patience: Duration,
    /// How many copies are kept that no grant needed yet.
    pub unused_copies: u32,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            allowed_networks: Vec::new(),
            ports: vec![443],
            extra_roots: None,
            dns_servers: Vec::new(),
            patience: Duration::from_secs(3),
            unused_copies: 2000,
        }
    }
}

/// A protected server that may ask about tokens.
#[derive(Debug)]
pub struct ResourceServer {
    /// Its URI as configured: user name of its HTTP Basic credentials, and the audience it may ask about.
    pub resource: mcp_gateway_model::resource::ResourceUri,
    /// Its secret.
    pub secret: Secret,
}

/// How long things last.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// An access token (`ACCESS_TOKEN_LIFETIME`).
    pub access_token: Duration,
    /// A refresh token that is not used (`REFRESH_TOKEN_LIFETIME`).
    pub refresh_token: Duration,
    /// How long a used refresh token still gets the same answer.
    pub refresh_grace: Duration,
    /// A login under way (`SESSION_TIMEOUT`).
    pub login: Duration,
    /// A code.
    pub code: Duration,
    /// A registration that is not used (`CLIENT_LIFETIME`); `None` for ever.
    pub client: Option<Duration>,
    /// A registration that no person ever allowed anything.
    pub unused_client: Duration,
    /// How long one trip to GitHub serves a browser.
    pub browser: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access_token: Duration::from_secs(1800),
            refresh_token: Duration::from_secs(31_536_000),
            refresh_grace: Duration::from_secs(120),
            login: Duration::from_secs(300),
            code: Duration::from_secs(60),
            client: Some(Duration::from_secs(7_776_000)),
            unused_client: Duration::from_secs(86_400),
            browser: Duration::from_secs(900),
        }
    }
}

/// How often one address (or, where it says so, one client) may do something.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Registrations by an address.
    pub register: Rate,
    /// Calls of the management endpoint by an address.
    pub manage: Rate,
    /// Authorization requests by an address, and consents.
    pub authorize: Rate,
    /// Callbacks by an address.
    pub callback: Rate,
    /// Token requests by an address.
    pub token: Rate,
    /// What one client does at one endpoint, from all its addresses together.
    pub client: Rate,
    /// Wrong secrets for one client from one address: slows down who guesses secrets.
    pub client_failures: Rate,
    /// Descriptions and keys of clients, not read before or not to be read last time, that an address makes us read.
    pub fetch: Rate,
    /// Introspections by an address.
    pub introspect: Rate,
    /// Revocations by an address.
    pub revoke: Rate,
    /// Questions by an address who a person is.
    pub userinfo: Rate,
    /// Requests for devices by an address.
    pub device: Rate,
    /// Codes typed at an address.
    pub user_code: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        let per_minute = |count, burst| Rate {
            count,
            period: Duration::from_secs(60),
            burst,
        };
        Self {
            register: Rate {
                count: 20,
                period: Duration::from_secs(3600),
                burst: 5,
            },
            manage: per_minute(60, 20),
            authorize: per_minute(60, 30),
            callback: per_minute(60, 30),
            token: per_minute(300, 100),
            client: per_minute(600, 200),
            client_failures: per_minute(10, 10),
            fetch: Rate {
                count: 60,
                period: Duration::from_secs(3600),
                burst: 20,
            },
            introspect: per_minute(600, 200),
            revoke: per_minute(120, 60),
            userinfo: per_minute(600, 200),
            device: per_minute(30, 10),
            user_code: per_minute(10, 10),
        }
    }
}
