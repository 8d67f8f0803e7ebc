//! Enterprise-managed authorization
//! ([MCP extension](https://modelcontextprotocol.io/extensions/auth/enterprise-managed-authorization)): the company's
//! identity provider turns a person's ID token into an assertion for one authorization server (ID-JAG, by [RFC
//! 8693](https://www.rfc-editor.org/rfc/rfc8693)), which that server takes instead of a login.

use std::{fmt, sync::Arc};

use mcp_gateway_model::{clock::Timestamp, scope::ScopeSet, secret::Secret};
use serde::Deserialize;
use url::Url;

use super::assertion::AssertionKey;
use crate::{
    connection::{Assertions, ConnectionFault},
    discover::ServerMetadata,
    http::Http,
    identity::Identity,
    token::{TokenEndpoint, TokenFault},
};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// What a client that does this says of itself to MCP servers.
pub const EXTENSION: &str = "io.modelcontextprotocol/enterprise-managed-authorization";

/// The company's identity provider, who the program is there, and who the person is.
pub struct Enterprise {
    /// The provider's issuer.
    pub issuer: String,
    /// The provider's token endpoint.
    pub token_endpoint: Url,
    /// Who the program is there.
    pub identity: Identity,
    /// What signs its assertions there, if it proves itself by a key (`private_key_jwt`).
    pub key: Option<AssertionKey>,
    /// Where the person's ID token comes from: it is asked for each time, for ID tokens end.
    pub id_token: Arc<dyn Assertions>,
}

impl fmt::Debug for Enterprise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enterprise")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Exchanged {
    access_token: String,
    issued_token_type: String,
}

impl Enterprise {
    /// The assertion for `issuer` and `resource`.
    ///
    /// # Errors
    /// [`ConnectionFault`] says why there is none.
    pub async fn assertion(
        &self,
        http: &Http,
        issuer: &str,
        (resource, scopes): (&str, Option<&ScopeSet>),
        now: Timestamp,
    ) -> Result<Secret, ConnectionFault> {
        let id_token = self.id_token.assertion(&self.issuer).await?;
        let mut provider = ServerMetadata::bare(&self.issuer);
        provider.token_endpoint = Some(self.token_endpoint.clone());
        let endpoint = TokenEndpoint {
            http,
            server: &provider,
            identity: &self.identity,
            key: self.key.as_ref(),
            dpop: None,
            now,
        };
        let scopes = scopes.map(ToString::to_string).filter(|text| !text.is_empty());
        let mut fields = vec![
            ("grant_type", TOKEN_EXCHANGE),
            ("requested_token_type", ID_JAG),
            ("audience", issuer),
            ("resource", resource),
            ("subject_token", id_token.reveal()),
            ("subject_token_type", ID_TOKEN),
        ];
        fields.extend(scopes.as_deref().map(|scopes| ("scope", scopes)));
        let answer = endpoint.post(&self.token_endpoint, &fields).await?;
        let exchanged: Exchanged = answer.json().map_err(|_| TokenFault::Malformed)?;
        if exchanged.issued_token_type != ID_JAG {
            let found = crate::words::shown(&exchanged.issued_token_type);
            return Err(TokenFault::UnusableType(found).into());
        }
        Ok(Secret::presented(exchanged.access_token))
    }
}
