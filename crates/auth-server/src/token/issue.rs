//! What a token request is answered with ([RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)). Whatever can
//! fail is done before anything is used up.

use actix_web::{HttpResponse, http::header};
use mcp_gateway_model::{
    client::GrantType,
    clock::Timestamp,
    grant::Grant,
    resource::ResourceUri,
    scope::{OFFLINE_ACCESS, ScopeSet},
    secret::random_text,
    token::{AccessClaims, RefreshToken},
};
use serde::Serialize;

use super::Call;
use crate::{
    access_token, client_life,
    door::Rejection,
    id_token::{self, Beside},
    jwt::Pen,
    settings::RefreshTokens,
};

/// Everything that issuing needs, ready before a code or a refresh token is used.
pub(super) struct Ready {
    pen: Pen,
    /// Whether there will be a refresh token.
    refreshes: bool,
    /// Until when the grant will live.
    pub(super) until: Timestamp,
}

/// Takes up the key, and keeps the client at least as long as its grant will live: longer if it gets a refresh token
/// (`refreshes`).
pub(super) async fn ready(call: &Call<'_>, refreshes: bool) -> Result<Ready, Rejection> {
    let (server, now) = (&call.context.server, call.context.now);
    let lifetimes = &server.settings.lifetimes;
    let until = if refreshes {
        now.plus(lifetimes.refresh_token.max(lifetimes.access_token))
    } else {
        now.plus(lifetimes.access_token)
    };
    client_life::given_tokens(call.context, call.client, until).await?;
    Ok(Ready {
        pen: Pen::take(server, now).await?,
        refreshes,
        until,
    })
}

/// Takes up the key, for a client that acts for itself: its grant ends with the access token.
pub(super) async fn for_itself(call: &Call<'_>, until: Timestamp) -> Result<Ready, Rejection> {
    let server = &call.context.server;
    Ok(Ready {
        pen: Pen::take(server, call.context.now).await?,
        refreshes: false,
        until,
    })
}

/// What a token is issued for.
pub(super) struct Entitlement<'a> {
    /// The grant it is a key to.
    pub(super) grant: &'a Grant,
    /// The resource it opens.
    pub(super) audience: &'a ResourceUri,
    /// What it allows there.
    pub(super) scopes: &'a ScopeSet,
    /// The generation of the refresh token beside it.
    pub(super) generation: u64,
    /// The `nonce` that an ID token beside it carries.
    pub(super) nonce: Option<&'a str>,
}

/// Signs the access token, and an ID token and a refresh token beside it.
pub(super) async fn issue(
    call: &Call<'_>,
    ready: Ready,
    entitlement: Entitlement<'_>,
) -> Result<Issued, Rejection> {
    let (server, now) = (&call.context.server, call.context.now);
    let lifetime = server.settings.lifetimes.access_token;
    let grant = entitlement.grant;
    if grant.memberships.is_some() {
        let until = now.plus(lifetime);
        server.store.recheck_until(&grant.id, until, now).await?;
    }
    let claims = AccessClaims {
        iss: server.settings.issuer.as_str().to_owned(),
        sub: grant.subject(),
        aud: entitlement.audience.as_str().to_owned(),
        client_id: grant.client.as_str().to_owned(),
        scope: entitlement.scopes.to_string(),
        jti: random_text::<16>(),
        iat: now.secs(),
        exp: now.secs().saturating_add(lifetime.as_secs()),
        grant: grant.id.clone(),
        username: grant.username().to_owned(),
    };
    let refresh = RefreshToken {
        grant: grant.id.clone(),
        generation: entitlement.generation,
    };
    let refresh_key = server.refresh_keys.first().filter(|_| ready.refreshes);
    let access_token = access_token::sign(server, &ready.pen, &claims).await?;
    let beside = Beside {
        access_token: &access_token,
        scopes: entitlement.scopes,
        nonce: entitlement.nonce,
    };
    Ok(Issued {
        refresh_token: refresh_key.map(|key| refresh.seal(key)),
        id_token: id_token::issue(server, &ready.pen, grant, beside, now).await?,
        scope: claims.scope,
        access_token,
        token_type: "Bearer",
        expires_in: lifetime.as_secs(),
    })
}

/// Whether a client that was granted `scopes` gets a refresh token.
pub(super) fn may_refresh(call: &Call<'_>, scopes: &ScopeSet) -> bool {
    let registered = &call.client.metadata.grant_types;
    let granted = match call.context.server.settings.refresh_tokens {
        RefreshTokens::Always => true,
        RefreshTokens::OfflineAccess => scopes.contains(OFFLINE_ACCESS),
    };
    granted && registered.contains(&GrantType::RefreshToken)
}

/// The answer.
#[derive(Serialize)]
pub(super) struct Issued {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    scope: String,
}

impl Issued {
    /// 200, never to be kept by a cache.
    pub(super) fn answer(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::PRAGMA, "no-cache"))
            .json(self)
    }
}
