//! ID tokens ([OpenID Connect Core §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)): they tell a client
//! who logged in, and open nothing.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::{
    clock::Timestamp,
    grant::{Grant, User},
    id::UserId,
    key::Algorithm,
    scope::{EMAIL, OPENID, PROFILE, ScopeSet},
    token::{ID_TOKEN_TYPE, IdClaims, PersonClaims},
};

use crate::{
    jwt::{self, Pen},
    keys::KeyError,
    settings::Settings,
    state::AuthServer,
};

/// What an ID token is issued beside.
pub(crate) struct Beside<'a> {
    /// The access token.
    pub(crate) access_token: &'a str,
    /// The scopes of that.
    pub(crate) scopes: &'a ScopeSet,
    /// The `nonce` of the authorization request; none at refresh (§12.2).
    pub(crate) nonce: Option<&'a str>,
}

/// Signs an ID token about the person of `grant`; `None` unless `openid` was granted and ID tokens are offered.
///
/// # Errors
/// [`KeyError`] when nothing can be signed.
pub(crate) async fn issue(
    server: &AuthServer,
    pen: &Pen,
    grant: &Grant,
    beside: Beside<'_>,
    now: Timestamp,
) -> Result<Option<String>, KeyError> {
    let settings = &server.settings;
    let Some(user) = grant.user.as_ref().filter(|_| beside.scopes.contains(OPENID)) else {
        return Ok(None);
    };
    if settings.offers.openid.is_none() || pen.key.algorithm().is_symmetric() {
        return Ok(None);
    }
    let claims = IdClaims {
        iss: settings.issuer.as_str().to_owned(),
        sub: user.id.to_string(),
        aud: grant.client.as_str().to_owned(),
        exp: now.plus(settings.lifetimes.access_token).secs(),
        iat: now.secs(),
        auth_time: grant.authenticated_at.secs(),
        nonce: beside.nonce.map(ToOwned::to_owned),
        at_hash: half_hash(pen.key.algorithm(), beside.access_token),
        person: told(settings, user, beside.scopes),
    };
    jwt::sign(server, pen, ID_TOKEN_TYPE, &claims).await.map(Some)
}

/// What `scopes` tell of a person (§5.4). What GitHub did not say is left out.
pub(crate) fn told(settings: &Settings, user: &User, scopes: &ScopeSet) -> PersonClaims {
    let mut told = PersonClaims::default();
    if scopes.contains(PROFILE) {
        let github = settings.github.web_url.as_str().trim_end_matches('/');
        told.name.clone_from(&user.name);
        told.profile = Some(format!("{github}/{}", user.shown_login));
        told.preferred_username = Some(user.shown_login.clone());
    }
    if scopes.contains(EMAIL) {
        told.email.clone_from(&user.email);
    }
    told
}

/// The left half of a hash of `token`, by the hash of the signature's algorithm (§3.1.3.6); of Ed25519 that is SHA-512.
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let hash = match algorithm {
        Algorithm::EdDsa => &SHA512,
        Algorithm::Rs256 | Algorithm::Es256 | Algorithm::Hs256 => &SHA256,
    };
    let whole = digest(hash, token.as_bytes());
    let (left, _) = whole.as_ref().split_at(whole.as_ref().len() / 2);
    URL_SAFE_NO_PAD.encode(left)
}

/// Whom an ID token of ours names, ended or not (`id_token_hint`, §3.1.2.1). `None` for anything else.
///
/// # Errors
/// [`KeyError::Store`] when the store cannot be asked.
pub(crate) async fn subject(
    server: &AuthServer,
    token: &str,
    now: Timestamp,
) -> Result<Option<UserId>, KeyError> {
    let claims = jwt::claims::<IdClaims>(server, token, ID_TOKEN_TYPE, now).await?;
    let claims = claims.filter(|claims| claims.iss == server.settings.issuer.as_str());
    Ok(claims.and_then(|claims| claims.sub.parse().ok().map(UserId)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_hash_is_that_of_the_specification() {
        // OpenID Connect Core, appendix A.3: the access token and its at_hash, signed with RS256.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(half_hash(Algorithm::EdDsa, token).len(), 43);
    }
}
