//! What is kept.

use std::time::Duration;

use mcp_gateway_model::{
    client::AuthMethod,
    clock::Timestamp,
    secret::{Digest, Secret},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    authorize::Pending,
    discover::ServerMetadata,
    identity::{Identity, IdentityOrigin},
};

/// Whose things these are: the user as the gateway names them. It has no other use than to be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(String);

impl UserId {
    /// Reads a user's id: 1 to 255 visible ASCII characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_plain.then(|| Self(text.to_owned()))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An authorization request that waits for its user ([RFC 6749
/// §4.1.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.1)).
#[derive(Debug, Serialize, Deserialize)]
pub struct Login {
    /// Who began it, and alone may end it.
    pub user: UserId,
    /// Until when it may be ended.
    pub expires_at: Timestamp,
    /// The client at its authorization server.
    pub client: ClientAt,
    /// What its answer is compared with, and what redeems the code.
    pub pending: Pending,
    /// What was asked for, as it was written.
    pub scope: Option<String>,
    /// Where the user's browser goes afterwards.
    pub return_to: Option<String>,
}

/// A client at one authorization server: what is needed to ask for tokens there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientAt {
    /// The authorization server, byte for byte.
    pub issuer: String,
    /// Where its tokens come from.
    pub token_endpoint: String,
    /// The client's id there.
    pub client_id: String,
    /// Its secret, if it has one.
    pub client_secret: Option<String>,
    /// How it proves itself (`token_endpoint_auth_method`); without one as its server prefers.
    pub auth_method: Option<String>,
    /// The request that registered it, if one did.
    pub registration: Option<Digest>,
}

impl ClientAt {
    /// The authorization server, as far as it is asked.
    pub(in crate::service) fn server(&self) -> Option<ServerMetadata> {
        let known = json!({ "issuer": self.issuer, "token_endpoint": self.token_endpoint });
        serde_json::from_value(known).ok()
    }

    /// Who the client is there.
    pub(in crate::service) fn identity(&self) -> Identity {
        let named = self.auth_method.as_deref();
        let method = match (&self.client_secret, named) {
            (None, _) | (_, Some("none")) => AuthMethod::None,
            (Some(_), Some("client_secret_post")) => AuthMethod::ClientSecretPost,
            // what a server means that names none (RFC 7591 §2)
            (Some(_), _) => AuthMethod::ClientSecretBasic,
        };
        Identity {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            method,
            secret: self.client_secret.clone().map(Secret::presented),
            secret_expires_at: None,
            origin: IdentityOrigin::Registered,
            redirect_uris: Vec::new(),
            management: None,
        }
    }
}

/// A client that registered itself ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Who had it made.
    pub user: UserId,
    /// The digest of what was asked for.
    pub request: Digest,
    /// The authorization server it was made for, byte for byte; `None` when nothing says which one it is: then it is for those
    /// of the same origin that name the same registration endpoint.
    pub issuer: Option<String>,
    /// Where it was made.
    pub endpoint: String,
    /// The id.
    pub client_id: String,
    /// The secret, if it was given one.
    pub client_secret: Option<String>,
    /// How it proves itself (`token_endpoint_auth_method`).
    pub auth_method: Option<String>,
    /// The scopes it was registered for.
    pub scope: Option<String>,
    /// When its secret ends.
    pub secret_expires_at: Option<Timestamp>,
    /// When it was last put into the store.
    pub kept_at: Timestamp,
}

/// What a user may do at a resource, as long as it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Whose it is.
    pub user: UserId,
    /// What it opens, byte for byte as it was asked for.
    pub resource: String,
    /// Where it came from.
    pub client: ClientAt,
    /// The access token.
    pub access_token: String,
    /// Until when, as the authorization server said.
    pub expires_at: Option<Timestamp>,
    /// What the next one is had for.
    pub refresh_token: Option<String>,
    /// What it allows.
    pub scope: Option<String>,
    /// When the tokens came.
    pub issued_at: Timestamp,
}

impl Grant {
    /// How long before its end its access token is replaced: `most`, but no more than a quarter of its life.
    #[must_use]
    pub fn margin(&self, most: Duration) -> Duration {
        let life = self.expires_at.map(|end| self.issued_at.until(end));
        life.map_or(most, |life| most.min(life / 4))
    }

    /// Whether its access token ends within `margin`.
    #[must_use]
    pub fn is_ending(&self, margin: Duration, now: Timestamp) -> bool {
        self.expires_at
            .is_some_and(|end| end.has_passed(now.plus(margin)))
    }
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many times
    pub count: u32,
    /// in this time,
    pub period: Duration,
    /// and so many of these at once.
    pub burst: u32,
}

impl Rate {
    /// So many times a minute, at most a third of them at once.
    #[must_use]
    pub const fn per_minute(count: u32) -> Self {
        Self {
            count,
            period: Duration::from_secs(60),
            burst: count.div_ceil(3),
        }
    }
}
