//! The token endpoint ([OAuth 2.1 §3.2](https://www.ietf.org/archive/id/draft-ietf-oauth-v2-1-13.html#section-3.2)):
//! codes, refresh tokens, the client itself and assertions become access tokens, and tokens are ended.

mod caller;
mod device;
mod fault;
mod form;
mod revoke;

use std::time::Duration;

use mcp_gateway_model::{client::AuthMethod, clock::Timestamp, scope::ScopeSet, secret::Secret};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, PkceCodeVerifier,
    RedirectUrl, RefreshToken, Scope, TokenResponse, TokenUrl,
    basic::{BasicClient, BasicTokenResponse},
};
use serde::{Deserialize, Serialize};

pub use device::{DeviceLogin, Polled};
pub use fault::TokenFault;

use crate::{
    authorize::{Code, Pending},
    discover::ServerMetadata,
    extensions::{assertion::AssertionKey, dpop::DpopKey},
    http::Http,
    identity::Identity,
    words::{self, copy, kept},
};
use caller::Caller;

/// How a token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenType {
    /// Whoever holds it may use it ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)).
    Bearer,
    /// With a proof that the sender has the key ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)).
    #[serde(rename = "DPoP")]
    Dpop,
}

impl TokenType {
    /// The authentication scheme.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// What the token endpoint gave.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tokens {
    /// The access token.
    #[serde(with = "kept")]
    pub access_token: Secret,
    /// How it is sent.
    pub token_type: TokenType,
    /// When it came.
    #[serde(default)]
    pub issued_at: Option<Timestamp>,
    /// When it ends, if that was said.
    pub expires_at: Option<Timestamp>,
    /// What gets the next one.
    #[serde(with = "kept::maybe")]
    pub refresh_token: Option<Secret>,
    /// What was granted: what was said, else what was asked for.
    pub scopes: ScopeSet,
}

/// How long before its end a token is replaced, unless its whole life is short.
const AHEAD: Duration = Duration::from_secs(60);
/// Which part of a short life is left then.
const PART: u32 = 4;

impl Tokens {
    /// Whether the access token still opens something at `now`.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| !end.has_passed(now))
    }

    /// Whether it is time for the next one: a minute before the end, or in the last quarter of a short life.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        let Some(end) = self.expires_at else { return false };
        let ahead = self
            .issued_at
            .map_or(AHEAD, |begin| AHEAD.min(begin.until(end) / PART));
        end.minus(ahead).has_passed(now)
    }
}

/// A token endpoint, and who asks there.
#[derive(Clone, Copy, Debug)]
pub struct TokenEndpoint<'a> {
    /// The way there.
    pub http: &'a Http,
    /// The server.
    pub server: &'a ServerMetadata,
    /// Who asks.
    pub identity: &'a Identity,
    /// What signs its assertions (`private_key_jwt`).
    pub key: Option<&'a AssertionKey>,
    /// What its tokens are bound to.
    pub dpop: Option<&'a DpopKey>,
    /// The time.
    pub now: Timestamp,
}

/// What a token is for.
#[derive(Clone, Copy, Debug)]
pub struct For<'a> {
    /// The resource, byte for byte (RFC 8707).
    pub resource: &'a str,
    /// The scopes; `None` leaves them to the server.
    pub scopes: Option<&'a ScopeSet>,
}

type Client = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl TokenEndpoint<'_> {
    /// Redeems the code of a login ([RFC 6749 §4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3), [RFC 7636
    /// §4.5](https://www.rfc-editor.org/rfc/rfc7636#section-4.5)).
    ///
    /// # Errors
    /// [`TokenFault`] says why there is no token.
    pub async fn exchange(&self, pending: &Pending, code: Code) -> Result<Tokens, TokenFault> {
        let redirect = RedirectUrl::new(pending.redirect_uri.clone()).map_err(|_| TokenFault::OtherServer)?;
        if pending.issuer != self.server.issuer || pending.client_id != self.identity.client_id {
            return Err(TokenFault::OtherServer);
        }
        let client = self.client()?.set_redirect_uri(redirect);
        let mut request = client
            .exchange_code(AuthorizationCode::new(code.0.reveal().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier.reveal().to_owned()))
            .add_extra_param("resource", pending.resource.clone());
        for (name, value) in self.assertion()? {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&self.caller()).await;
        self.tokens(&answer.map_err(TokenFault::of)?, pending.scopes.as_ref())
    }

    /// Gets the next token ([RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)). The refresh token stays the same
    /// if no other comes.
    ///
    /// # Errors
    /// [`TokenFault`] says why there is none; [`TokenFault::is_invalid_grant`] that there will be none either.
    pub async fn refresh(&self, before: &Tokens, resource: &str) -> Result<Tokens, TokenFault> {
        let presented = before.refresh_token.as_ref().ok_or(TokenFault::NoRefreshToken)?;
        let token = RefreshToken::new(presented.reveal().to_owned());
        let client = self.client()?;
        let mut request = client
            .exchange_refresh_token(&token)
            .add_extra_param("resource", resource.to_owned());
        for (name, value) in self.assertion()? {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&self.caller()).await;
        let mut tokens = self.tokens(&answer.map_err(TokenFault::of)?, Some(&before.scopes))?;
        if before.token_type == TokenType::Dpop && tokens.token_type != TokenType::Dpop {
            // whoever sees it could use it
            return Err(TokenFault::UnusableType(tokens.token_type.scheme().to_owned()));
        }
        if tokens.refresh_token.is_none() {
            tokens.refresh_token = Some(copy(presented));
        }
        Ok(tokens)
    }

    /// Gets a token for the client itself ([RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)).
    ///
    /// # Errors
    /// [`TokenFault`] says why there is none.
    pub async fn client_credentials(&self, wanted: For<'_>) -> Result<Tokens, TokenFault> {
        let client = self.client()?;
        let scopes = wanted.scopes.into_iter().flat_map(ScopeSet::iter);
        let mut request = client
            .exchange_client_credentials()
            .add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())))
            .add_extra_param("resource", wanted.resource.to_owned());
        for (name, value) in self.assertion()? {
            request = request.add_extra_param(name, value);
        }
        let answer = request.request_async(&self.caller()).await;
        self.tokens(&answer.map_err(TokenFault::of)?, wanted.scopes)
    }

    fn client(&self) -> Result<Client, TokenFault> {
        let url = self.server.token_endpoint.clone();
        let url = url.ok_or_else(|| TokenFault::NoEndpoint(self.server.issuer.clone()))?;
        let identity = self.identity;
        let client = BasicClient::new(ClientId::new(identity.client_id.clone()))
            .set_token_uri(TokenUrl::from_url(url));
        let secret = || {
            let secret = identity.secret.as_ref().ok_or(TokenFault::NoSecret)?;
            Ok::<_, TokenFault>(ClientSecret::new(secret.reveal().to_owned()))
        };
        Ok(match identity.method {
            AuthMethod::None | AuthMethod::PrivateKeyJwt => client.set_auth_type(AuthType::RequestBody),
            AuthMethod::ClientSecretPost => client
                .set_client_secret(secret()?)
                .set_auth_type(AuthType::RequestBody),
            AuthMethod::ClientSecretBasic => client
                .set_client_secret(secret()?)
                .set_auth_type(AuthType::BasicAuth),
        })
    }

    /// What proves a client that has a key ([RFC 7523 §2.2](https://www.rfc-editor.org/rfc/rfc7523#section-2.2)).
    fn assertion(&self) -> Result<Vec<(&'static str, String)>, TokenFault> {
        if self.identity.method != AuthMethod::PrivateKeyJwt {
            return Ok(Vec::new());
        }
        let key = self.key.ok_or(TokenFault::NoKey)?;
        let assertion = key.client_assertion(&self.identity.client_id, &self.server.issuer, self.now)?;
        Ok(vec![
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned(),
            ),
            ("client_assertion", assertion),
        ])
    }

    fn caller(&self) -> Caller<'_> {
        Caller {
            http: self.http,
            dpop: self.dpop,
            now: self.now,
        }
    }

    fn tokens(&self, answer: &BasicTokenResponse, asked: Option<&ScopeSet>) -> Result<Tokens, TokenFault> {
        let token_type = match answer.token_type().as_ref() {
            text if text.eq_ignore_ascii_case("bearer") => TokenType::Bearer,
            text if text.eq_ignore_ascii_case("dpop") && self.dpop.is_some() => TokenType::Dpop,
            text => return Err(TokenFault::UnusableType(words::shown(text))),
        };
        let access_token = answer.access_token().secret();
        // it goes into a header field, and to whoever prints it ([RFC 6749
        // A.12](https://www.rfc-editor.org/rfc/rfc6749#appendix-A.12))
        if access_token.is_empty() || !access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenFault::Malformed);
        }
        let granted = answer.scopes().map(|granted| {
            let texts = granted.iter().map(|scope| scope.as_str());
            words::scopes(texts)
        });
        Ok(Tokens {
            access_token: Secret::presented(access_token.clone()),
            token_type,
            issued_at: Some(self.now),
            expires_at: answer.expires_in().map(|lifetime| self.now.plus(lifetime)),
            refresh_token: answer
                .refresh_token()
                .map(|token| Secret::presented(token.secret().clone())),
            scopes: granted.or_else(|| asked.cloned()).unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_due_a_minute_before_its_end_or_in_the_last_quarter_of_a_short_life() {
        let begin = Timestamp::from_secs(1_000_000);
        let tokens = |issued_at: Option<Timestamp>, life: u64| Tokens {
            access_token: Secret::presented("a".to_owned()),
            token_type: TokenType::Bearer,
            issued_at,
            expires_at: Some(begin.plus(Duration::from_secs(life))),
            refresh_token: None,
            scopes: ScopeSet::default(),
        };
        for (issued_at, life, due) in [
            (Some(begin), 3600, 3540),
            (Some(begin), 240, 180),
            (Some(begin), 60, 45),
            (Some(begin), 4, 3),
            (Some(begin), 0, 0),
            (None, 3600, 3540),
        ] {
            let tokens = tokens(issued_at, life);
            let after = |seconds: u64| begin.plus(Duration::from_secs(seconds));
            assert!(tokens.is_due(after(due)), "{life}");
            assert!(due == 0 || !tokens.is_due(after(due - 1)), "{life}");
        }
    }
}
