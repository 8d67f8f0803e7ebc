//! Access tokens: JSON Web Tokens in the profile of [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068).

use mcp_gateway_model::{
    clock::Timestamp,
    grant::Grant,
    token::{ACCESS_TOKEN_TYPE, AccessClaims},
};

use crate::{
    jwt::{self, Pen},
    keys::KeyError,
    state::AuthServer,
};

/// Signs claims.
pub(crate) async fn sign(server: &AuthServer, pen: &Pen, claims: &AccessClaims) -> Result<String, KeyError> {
    jwt::sign(server, pen, ACCESS_TOKEN_TYPE, claims).await
}

/// A token that is good at this moment, and the living grant it is a key to.
#[derive(Debug)]
pub(crate) struct LiveToken {
    /// What it says.
    pub(crate) claims: AccessClaims,
    /// What it opens.
    pub(crate) grant: Grant,
}

/// Reads an access token of ours: signature, type, issuer, time, and the life of its grant. `None` for anything else.
///
/// # Errors
/// [`KeyError::Store`] when the store cannot be asked.
pub(crate) async fn open(
    server: &AuthServer,
    token: &str,
    now: Timestamp,
) -> Result<Option<LiveToken>, KeyError> {
    let Some(claims) = read(server, token, now).await? else {
        return Ok(None);
    };
    let grant = server.store.grant(&claims.grant, now).await?;
    Ok(alive(claims, grant))
}

/// As [`open`], but for the life of the grant, which is looked at by [`alive`].
///
/// # Errors
/// As [`open`].
pub(crate) async fn read(
    server: &AuthServer,
    token: &str,
    now: Timestamp,
) -> Result<Option<AccessClaims>, KeyError> {
    let claims = jwt::claims::<AccessClaims>(server, token, ACCESS_TOKEN_TYPE, now).await?;
    Ok(claims.filter(|claims| {
        claims.iss == server.settings.issuer.as_str() && !Timestamp::from_secs(claims.exp).has_passed(now)
    }))
}

/// The token that says this, if its living grant is of whom and for what it says.
pub(crate) fn alive(claims: AccessClaims, grant: Option<Grant>) -> Option<LiveToken> {
    let grant = grant.filter(|grant| {
        grant.subject() == claims.sub
            && grant.client.as_str() == claims.client_id
            && grant
                .audiences
                .iter()
                .any(|audience| audience.as_str() == claims.aud)
    });
    grant.map(|grant| LiveToken { claims, grant })
}
