//! Access tokens ([RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)): what can be checked without the store,
//! cheap things first.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::{
    clock::Timestamp,
    grant::Grant,
    id::KeyId,
    issuer::Issuer,
    resource::{Protected, Resources},
    scope::ScopeSet,
    token::{ACCESS_TOKEN_TYPE, AccessClaims, RefreshToken},
};
use serde::Deserialize;

use crate::{
    bearer::Bearer,
    keys::Keys,
    reason::{Cause, Reason},
};

/// How far the clock that set `iat` or `nbf` may be ahead of ours.
const LEEWAY: Duration = Duration::from_secs(60);

/// The header of our tokens ([RFC 7515 §4](https://www.rfc-editor.org/rfc/rfc7515#section-4)). Anything more, such as
/// `crit`, `jwk`, `jku` or `x5u`, is not ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
}

/// Claims under a signature of ours.
#[derive(Deserialize)]
pub(crate) struct SignedClaims {
    #[serde(flatten)]
    claims: AccessClaims,
    nbf: Option<u64>,
}

impl SignedClaims {
    /// Reads a token and checks its signature.
    pub(crate) async fn read(token: Bearer<'_>, keys: &Keys, now: Timestamp) -> Result<Self, Cause> {
        let token = token.reveal();
        if RefreshToken::looks_like(token) {
            return Err(Reason::RefreshToken.into());
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Reason::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Reason::Malformed)?;
        if payload.contains('.') {
            return Err(Reason::Malformed.into());
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Reason::Malformed)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| Reason::Header)?;
        if !header.typ.as_deref().is_some_and(is_access_token) {
            return Err(Reason::Type.into());
        }
        let kid = header.kid.as_deref().and_then(|kid| KeyId::parse(kid).ok());
        let kid = kid.ok_or(Reason::UnknownKey)?;
        let key = keys.find(&kid, now).await?.ok_or(Reason::UnknownKey)?;
        if header.alg != key.algorithm().as_str() {
            return Err(Reason::Algorithm.into());
        }
        if !key.verifies(message, signature) {
            return Err(Reason::Signature.into());
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| Reason::Claims)?;
        serde_json::from_slice(&payload).map_err(|_| Reason::Claims.into())
    }

    /// `iss` is our issuer, byte for byte.
    pub(crate) fn are_from(&self, issuer: &Issuer) -> Result<(), Reason> {
        holds(self.claims.iss == issuer.as_str(), Reason::Issuer)
    }

    /// `aud` means the resource that is asked for: resources are compared, not strings.
    pub(crate) fn are_for(&self, protected: &Protected, resources: &Resources) -> Result<(), Reason> {
        holds(
            resources.is_audience_of(&self.claims.aud, protected),
            Reason::Audience,
        )
    }

    /// `exp` has not passed; `iat` and `nbf` have, give or take a minute.
    pub(crate) fn are_in_time(&self, now: Timestamp) -> Result<(), Reason> {
        let soon = now.plus(LEEWAY);
        let begins = self.claims.iat.max(self.nbf.unwrap_or_default());
        holds(
            !Timestamp::from_secs(self.claims.exp).has_passed(now),
            Reason::Expired,
        )?;
        holds(Timestamp::from_secs(begins) <= soon, Reason::NotYet)
    }

    /// The grant is the one that the token was issued for.
    pub(crate) fn describe(&self, grant: &Grant) -> Result<(), Reason> {
        let claims = &self.claims;
        let same_client = grant.client.as_str() == claims.client_id;
        let same_user = grant.subject() == claims.sub;
        let same_audience = grant.audiences.iter().any(|a| a.as_str() == claims.aud);
        holds(same_client && same_user && same_audience, Reason::GrantDiffers)
    }

    /// What the token allows.
    pub(crate) fn scopes(&self) -> Result<ScopeSet, Reason> {
        ScopeSet::parse(&self.claims.scope).map_err(|_| Reason::Claims)
    }

    /// The claims themselves.
    pub(crate) const fn claims(&self) -> &AccessClaims {
        &self.claims
    }
}

/// RFC 9068 §4: `at+jwt`, with or without `application/`, in any case.
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == ACCESS_TOKEN_TYPE
}

fn holds(condition: bool, otherwise: Reason) -> Result<(), Reason> {
    if condition { Ok(()) } else { Err(otherwise) }
}
