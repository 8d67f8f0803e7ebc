//! What the issuer says of a token ([RFC 7662 §2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)).

use mcp_gateway_model::{clock::Timestamp, resource::Resources, scope::ScopeSet};
use serde::Deserialize;

use super::{ResourceServerSettings, TokenHolder};
use crate::{
    reason::{Cause, Reason},
    token::Claims,
};

/// The members of the answer that are looked at. One that is missing is as good as empty, and nothing is good that is empty.
#[derive(Deserialize)]
pub(super) struct Introspected {
    active: bool,
    #[serde(default)]
    iss: String,
    #[serde(default)]
    aud: Audience,
    #[serde(default)]
    token_type: String,
    #[serde(default)]
    exp: u64,
    #[serde(default)]
    sub: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    scope: String,
}

/// One audience is a text, several are a list (RFC 7519 §4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Default for Audience {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Audience {
    fn any(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(one) => is_meant(one),
            Self::Several(all) => all.iter().any(|one| is_meant(one)),
        }
    }
}

impl Introspected {
    /// Whether the token is one for this server, and lives.
    pub(super) fn is_good(
        &self,
        settings: &ResourceServerSettings,
        resources: &Resources,
        now: Timestamp,
    ) -> Result<(), Reason> {
        if !self.active {
            return Err(Reason::GrantEnded);
        }
        if !self.token_type.eq_ignore_ascii_case("bearer") {
            return Err(Reason::Type);
        }
        if self.iss != settings.issuer.as_str() {
            return Err(Reason::Issuer);
        }
        let own = resources
            .of_audience(settings.uri.as_str())
            .ok_or(Reason::Audience)?;
        if !self.aud.any(|audience| resources.is_audience_of(audience, &own)) {
            return Err(Reason::Audience);
        }
        if Timestamp::from_secs(self.exp).has_passed(now) {
            return Err(Reason::Expired);
        }
        if self.sub.is_empty() || self.client_id.is_empty() {
            return Err(Reason::Claims);
        }
        Ok(())
    }

    /// Whether it says the same as the token itself.
    pub(super) fn describes(&self, claims: &Claims<'_>) -> Result<(), Reason> {
        if claims.are_of(&self.sub, &self.client_id) {
            Ok(())
        } else {
            Err(Reason::GrantDiffers)
        }
    }

    /// Who holds the token.
    pub(super) fn holder(self) -> Result<TokenHolder, Cause> {
        let scopes = ScopeSet::parse(&self.scope).map_err(|_| Reason::Claims)?;
        Ok(TokenHolder {
            subject: self.sub,
            username: self.username,
            client: self.client_id,
            scopes,
        })
    }
}
