//! Who the person is ([OpenID Connect Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)): for
//! whoever holds a live access token with the scope `openid`.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, HeaderValue},
};
use mcp_gateway_model::{
    error::ErrorCode,
    scope::{OPENID, ScopeSet},
    token::PersonClaims,
};
use serde::Serialize;

use crate::{access_token, client_auth::bearer, door::Rejection, id_token, limit, request::Context};

#[derive(Serialize)]
struct About {
    sub: String,
    #[serde(flatten)]
    person: PersonClaims,
}

/// `GET /userinfo`, and `POST`. The token stands in the header (RFC 6750 §2.1), and nowhere else.
pub(crate) async fn userinfo(context: Context, request: HttpRequest) -> Result<HttpResponse, Rejection> {
    let (server, now) = (&context.server, context.now);
    let rate = server.settings.limits.userinfo;
    limit::by_address(server.store.as_ref(), "userinfo", context.address, rate, now).await?;
    let token = bearer(&request)?.ok_or_else(no_token)?;
    let live = access_token::open(server, token, now)
        .await?
        .ok_or_else(dead_token)?;
    limit::by_client_at_address(&context, "userinfo", &live.grant.client).await?;
    let scopes = ScopeSet::parse(&live.claims.scope).unwrap_or_default();
    let user = live.grant.user.as_ref().filter(|_| scopes.contains(OPENID));
    let user = user.ok_or_else(insufficient)?;
    let about = About {
        sub: user.id.to_string(),
        person: id_token::told(&server.settings, user, &scopes),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .json(about))
}

/// RFC 6750 §3.1: who sends no token is told no error in the challenge.
fn no_token() -> Rejection {
    challenged(
        ErrorCode::InvalidToken,
        "send an access token with the scope openid in the Authorization header",
        "token_missing",
        "Bearer realm=\"userinfo\", scope=\"openid\"",
    )
}

fn dead_token() -> Rejection {
    challenged(
        ErrorCode::InvalidToken,
        "the access token in the Authorization header is not valid",
        "bearer_not_live",
        "Bearer realm=\"userinfo\", error=\"invalid_token\"",
    )
}

fn insufficient() -> Rejection {
    challenged(
        ErrorCode::InsufficientScope,
        "the access token does not have the scope openid",
        "openid_not_granted",
        "Bearer realm=\"userinfo\", error=\"insufficient_scope\", scope=\"openid\"",
    )
}

fn challenged(
    code: ErrorCode,
    description: &'static str,
    reason: &'static str,
    challenge: &'static str,
) -> Rejection {
    Rejection::new(code, description, reason)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}
