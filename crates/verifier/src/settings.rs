//! What an operator can set.

use mcp_gateway_model::{
    access::{AllowedUsers, MembershipLife},
    cors::CorsOrigins,
    id::KeyId,
    issuer::Issuer,
    metadata::Offers,
    proxy::TrustedProxies,
    resource::{ResourceUri, Resources},
    scope::ScopeSet,
    secret::{Digest, Secret},
};

/// Everything the verifier needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Whose tokens are accepted.
    pub issuer: Issuer,
    /// What is protected.
    pub resources: Resources,
    /// Whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// Which browser origins may read answers.
    pub cors: CorsOrigins,
    /// Whether the server behind gets the client's token.
    pub pass_token: PassToken,
    /// The key of HS256; only where the process signs as well.
    pub shared_key: Option<SharedKey>,
    /// Whether challenges point to metadata on the issuer's host: for routers that do not send the discovery paths of
    /// protected hosts here.
    pub metadata_at_issuer: bool,
    /// What its metadata on protected hosts says of the authorization server.
    pub offers: Offers,
    /// Whether there is an authorization server (`MCP_OAUTH_ENABLED`); without one only the API key and personal access
    /// tokens are good.
    pub oauth_enabled: bool,
    /// Who may log in at all, where that is known: then it is checked on every look at the store. Without it personal
    /// access tokens are not good.
    pub allowed_users: Option<AllowedUsers>,
    /// For how long it counts where GitHub said that people belong.
    pub memberships: MembershipLife,
    /// The one configured key (`MCP_API_KEY`).
    pub api_key: Option<ApiKey>,
    /// How much is remembered.
    pub cache: CacheSettings,
}

/// How many tokens that were found good are remembered (`VERIFIER_CACHE_ENTRIES`, `VERIFIER_CACHE_BYTES`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// The most of them in the process; 0 for none.
    pub entries: usize,
    /// The most bytes that they take; 0 for none.
    pub bytes: usize,
    /// How many threads share this out among themselves; each remembers for itself.
    pub threads: usize,
}

impl CacheSettings {
    /// Nothing is remembered.
    pub const NOTHING: Self = Self {
        entries: 0,
        bytes: 0,
        threads: 1,
    };

    /// Whether anything may be remembered.
    pub(crate) const fn is_any(self) -> bool {
        self.entries > 0 && self.bytes > 0
    }
}

impl Default for CacheSettings {
    /// 50 000 tokens in 64 MiB, in one thread.
    fn default() -> Self {
        Self {
            entries: 50_000,
            bytes: 64 * 1024 * 1024,
            threads: 1,
        }
    }
}

/// A key that the operator configured for programs that can nothing else.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The SHA-256 of the key.
    pub digest: Digest,
    /// What it opens.
    pub audiences: Vec<ResourceUri>,
    /// What it allows there.
    pub scopes: ScopeSet,
}

/// What `X-Auth-Token` carries (`X_AUTH_TOKEN`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PassToken {
    /// Nothing; the header is sent empty, so that the proxy replaces what the client sent.
    #[default]
    Off,
    /// The client's access token, without the word `Bearer`.
    Bearer,
}

/// A key that verifies what the same secret signed (RFC 7518 §3.2).
#[derive(Debug)]
pub struct SharedKey {
    /// The `kid` of tokens signed with it.
    pub kid: KeyId,
    /// The secret, at least 32 bytes.
    pub secret: Secret,
}
