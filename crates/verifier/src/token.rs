//! Access tokens ([RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)): what can be checked without the store,
//! cheap things first. The signature comes last: until then nothing that the token says is believed, and what says the wrong
//! thing needs none.

use std::{borrow::Cow, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::{
    clock::Timestamp,
    grant::Grant,
    id::{GrantId, KeyId},
    issuer::Issuer,
    key::Algorithm,
    resource::{Protected, Resources},
    scope::ScopeSet,
    token::{ACCESS_TOKEN_TYPE, RefreshToken},
};
use mcp_gateway_store::Moment;
use serde::Deserialize;

use crate::{
    bearer::Bearer,
    keys::{Keys, VerifyingKey},
    reason::{Cause, Reason},
};

/// How far the clock that set `iat` or `nbf` may be ahead of ours.
const LEEWAY: Duration = Duration::from_secs(60);

/// The header of our tokens ([RFC 7515 §4](https://www.rfc-editor.org/rfc/rfc7515#section-4)). Anything more, such as
/// `crit`, `jwk`, `jku` or `x5u`, is not ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'t> {
    #[serde(borrow)]
    alg: Cow<'t, str>,
    #[serde(borrow)]
    typ: Option<Cow<'t, str>>,
    #[serde(borrow)]
    kid: Option<Cow<'t, str>>,
}

/// A token that has the form of ours.
pub(crate) struct AccessToken<'t> {
    message: &'t str,
    payload: &'t str,
    signature: &'t str,
    algorithm: Algorithm,
    kid: KeyId,
}

impl<'t> AccessToken<'t> {
    /// Takes a token apart, and reads its header.
    pub(crate) fn split(token: Bearer<'t>) -> Result<Self, Reason> {
        let token = token.reveal();
        if RefreshToken::looks_like(token) {
            return Err(Reason::RefreshToken);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Reason::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Reason::Malformed)?;
        if payload.contains('.') {
            return Err(Reason::Malformed);
        }
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Reason::Malformed)?;
        let header: Header<'_> = serde_json::from_slice(&header).map_err(|_| Reason::Header)?;
        if !header.typ.as_deref().is_some_and(is_access_token) {
            return Err(Reason::Type);
        }
        let kid = header.kid.as_deref().and_then(|kid| KeyId::parse(kid).ok());
        let known = [
            Algorithm::Rs256,
            Algorithm::Es256,
            Algorithm::EdDsa,
            Algorithm::Hs256,
        ];
        let algorithm = known.into_iter().find(|known| known.as_str() == header.alg);
        Ok(Self {
            message,
            payload,
            signature,
            kid: kid.ok_or(Reason::UnknownKey)?,
            algorithm: algorithm.ok_or(Reason::Algorithm)?,
        })
    }

    /// The claims as they are written.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, Reason> {
        URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| Reason::Claims)
    }

    /// Reads the claims.
    pub(crate) fn claims(payload: &[u8]) -> Result<Claims<'_>, Reason> {
        serde_json::from_slice(payload).map_err(|_| Reason::Claims)
    }

    /// The key of ours that it says has signed it.
    pub(crate) async fn key(&self, keys: &Keys, now: Moment) -> Result<Arc<VerifyingKey>, Cause> {
        let key = keys.find(&self.kid, now).await?.ok_or(Reason::UnknownKey)?;
        if self.algorithm == key.algorithm() {
            Ok(key)
        } else {
            Err(Reason::Algorithm.into())
        }
    }

    /// Whether the key has signed it.
    pub(crate) fn is_signed_with(&self, key: &VerifyingKey) -> bool {
        key.verifies(self.message, self.signature)
    }
}

/// What a token claims ([RFC 9068 §2.2](https://www.rfc-editor.org/rfc/rfc9068#section-2.2)), without what is not looked at
/// here.
#[derive(Deserialize)]
pub(crate) struct Claims<'t> {
    #[serde(borrow)]
    iss: Cow<'t, str>,
    #[serde(borrow)]
    sub: Cow<'t, str>,
    #[serde(borrow)]
    aud: Cow<'t, str>,
    #[serde(borrow)]
    client_id: Cow<'t, str>,
    #[serde(borrow)]
    scope: Cow<'t, str>,
    #[serde(borrow)]
    #[expect(dead_code, reason = "it must be there")]
    jti: Cow<'t, str>,
    iat: u64,
    exp: u64,
    nbf: Option<u64>,
    /// The grant that the token is a key to.
    pub(crate) grant: GrantId,
    /// The user's GitHub login; empty for a client that acts for itself.
    #[serde(borrow)]
    pub(crate) username: Cow<'t, str>,
}

impl Claims<'_> {
    /// `iss` is our issuer, byte for byte.
    pub(crate) fn are_from(&self, issuer: &Issuer) -> Result<(), Reason> {
        holds(self.iss == issuer.as_str(), Reason::Issuer)
    }

    /// `aud` means the resource that is asked for: resources are compared, not strings.
    pub(crate) fn are_for(&self, protected: &Protected, resources: &Resources) -> Result<(), Reason> {
        holds(resources.is_audience_of(&self.aud, protected), Reason::Audience)
    }

    /// `exp` has not passed; `iat` and `nbf` have, give or take a minute.
    pub(crate) fn are_in_time(&self, now: Timestamp) -> Result<(), Reason> {
        holds(!self.end().has_passed(now), Reason::Expired)?;
        holds(self.begin() <= now, Reason::NotYet)
    }

    /// Since when the token is good.
    pub(crate) fn begin(&self) -> Timestamp {
        let begins = Timestamp::from_secs(self.iat.max(self.nbf.unwrap_or_default()));
        begins.minus(LEEWAY)
    }

    /// When the token ends.
    pub(crate) const fn end(&self) -> Timestamp {
        Timestamp::from_secs(self.exp)
    }

    /// They are about this person or client, and this client holds the token.
    pub(crate) fn are_of(&self, subject: &str, client: &str) -> bool {
        self.sub == subject && self.client_id == client
    }

    /// The grant is the one that the token was issued for.
    pub(crate) fn describe(&self, grant: &Grant) -> Result<(), Reason> {
        let same_holder = self.are_of(&grant.subject(), grant.client.as_str());
        let same_audience = grant.audiences.iter().any(|a| a.as_str() == self.aud);
        holds(same_holder && same_audience, Reason::GrantDiffers)
    }

    /// What the token allows.
    pub(crate) fn scopes(&self) -> Result<ScopeSet, Reason> {
        ScopeSet::parse(&self.scope).map_err(|_| Reason::Claims)
    }
}

/// RFC 9068 §4: `at+jwt`, with or without `application/`, in any case.
fn is_access_token(typ: &str) -> bool {
    let prefix = "application/";
    let bare = typ
        .split_at_checked(prefix.len())
        .filter(|(before, _)| before.eq_ignore_ascii_case(prefix))
        .map_or(typ, |(_, bare)| bare);
    bare.eq_ignore_ascii_case(ACCESS_TOKEN_TYPE)
}

fn holds(condition: bool, otherwise: Reason) -> Result<(), Reason> {
    if condition { Ok(()) } else { Err(otherwise) }
}
