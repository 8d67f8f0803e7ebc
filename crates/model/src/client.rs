//! Clients and their metadata (RFC 7591 §2).

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp, id::ClientId, redirect::RedirectUri, resource::ResourceUri, scope::ScopeSet,
    secret::Digest,
};

/// How a client proves who it is at the token endpoint (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// Not at all: a public client.
    None,
    /// HTTP Basic.
    #[default]
    ClientSecretBasic,
    /// In the form.
    ClientSecretPost,
    /// By a signed assertion (RFC 7523 §2.2).
    PrivateKeyJwt,
}

impl AuthMethod {
    /// The methods that need no key, in the order metadata lists them.
    pub const WITHOUT_KEY: [Self; 3] = [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost];

    /// All methods, in the order metadata lists them.
    pub const ALL: [Self; 4] = [
        Self::None,
        Self::ClientSecretBasic,
        Self::ClientSecretPost,
        Self::PrivateKeyJwt,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }
}

/// What a client's assertion may be signed with (RFC 7523 §3): by its private key, never by a secret that both sides know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl AssertionAlgorithm {
    /// All of them, in the order metadata lists them.
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// Reads the name as in a header's `alg`; case counts.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    /// The name as in a header's `alg`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// What a client may send to the token endpoint (RFC 7591 §2, `grant_types`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 8628 §3.4.
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
}

impl GrantType {
    /// What a client may send that acts for people who consent in their browser.
    pub const BY_CONSENT: [Self; 2] = [Self::AuthorizationCode, Self::RefreshToken];

    /// All types, in the order metadata lists them.
    pub const ALL: [Self; 4] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::ClientCredentials,
        Self::DeviceCode,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
        }
    }
}

/// What kind of application a client is (OpenID Connect Dynamic Client Registration §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// Runs on a server.
    Web,
    /// Runs on the person's machine.
    Native,
}

/// What a client says of itself, as it was registered (RFC 7591 §2). Written in the names of the RFC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMetadata {
    /// Where it may be redirected to.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it proves who it is.
    pub token_endpoint_auth_method: AuthMethod,
    /// What it may send to the token endpoint.
    pub grant_types: Vec<GrantType>,
    /// Always `code`.
    pub response_types: Vec<String>,
    /// Its name, for people. Anybody can claim any name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Its home page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its logo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its terms of service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Its privacy policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Whom to write to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// What it may ask for; the empty set restricts nothing.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    /// The software's name for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// The software's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// What kind of application it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// Its public keys (RFC 7591 §2, `jwks`), as it sent them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<serde_json::Value>,
    /// Where its public keys are (RFC 7591 §2, `jwks_uri`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
}

/// How a client came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientOrigin {
    /// It registered itself (RFC 7591).
    Registered,
    /// It registered itself with an initial access token (RFC 7591 §3).
    RegisteredWithToken,
    /// The operator entered it, under an id of the operator's choice.
    PreRegistered,
    /// Its id is the address of its metadata (Client ID Metadata Document).
    MetadataDocument,
}

/// A client as the store knows it. Nothing in it opens anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// What it said of itself.
    pub metadata: ClientMetadata,
    /// How it came.
    pub origin: ClientOrigin,
    /// The SHA-256 of its secret, if it has one.
    pub secret: Option<Digest>,
    /// The SHA-256 of its registration access token (RFC 7592 §3).
    pub registration_token: Option<Digest>,
    /// The SHA-256 of the token before: it works until the newer one is first used.
    pub previous_registration_token: Option<Digest>,
    /// Counts replacements of the record, so that two at once cannot both win.
    pub revision: u64,
    /// When it was registered.
    pub issued_at: Timestamp,
    /// When it goes unless it is used before; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Whether a person ever allowed it something.
    pub seen: bool,
    /// The resources that the operator names for it, of all that there are; `None` names none in particular.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<ResourceUri>>,
}

impl Client {
    /// Whether the client has to prove who it is.
    #[must_use]
    pub const fn is_confidential(&self) -> bool {
        self.secret.is_some()
            || matches!(
                self.metadata.token_endpoint_auth_method,
                AuthMethod::PrivateKeyJwt
            )
    }

    /// The registered redirect URI that allows `requested` (RFC 6749 §3.1.2.3).
    #[must_use]
    pub fn allows_redirect(&self, requested: &RedirectUri) -> bool {
        self.metadata
            .redirect_uris
            .iter()
            .any(|registered| requested.matches(registered))
    }

    /// Whether the record has ended at `now`.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end.has_passed(now))
    }
}
