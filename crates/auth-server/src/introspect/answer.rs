//! What is said of a token ([RFC 7662 §2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)).

use actix_web::{HttpResponse, http::header};
use mcp_gateway_model::{grant::Grant, resource::ResourceUri};
use serde::Serialize;
use serde_json::json;

use crate::{presented::Presented, request::Context};

#[derive(Serialize)]
struct Active<'a> {
    #[serde(rename = "active")]
    live: bool,
    scope: String,
    client_id: &'a str,
    username: &'a str,
    token_type: &'static str,
    exp: u64,
    iat: u64,
    sub: String,
    aud: Audience,
    iss: &'a str,
    jti: String,
}

/// One audience is a text, several are a list (RFC 7519 §4.1.3).
#[derive(Serialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn of(audiences: &[ResourceUri]) -> Self {
        match audiences {
            [one] => Self::One(one.to_string()),
            several => Self::Several(several.iter().map(ToString::to_string).collect()),
        }
    }
}

/// Nothing is said but that.
pub(super) fn inactive() -> HttpResponse {
    answer(&json!({ "active": false }))
}

/// Everything about a live token.
pub(super) fn active(context: &Context, token: &Presented, audiences: &[ResourceUri]) -> HttpResponse {
    let issuer = context.server.settings.issuer.as_str();
    let grant = token.grant();
    let active = match token {
        Presented::Access(access) => Active {
            scope: access.0.scope.clone(),
            token_type: "Bearer",
            exp: access.0.exp,
            iat: access.0.iat,
            aud: Audience::One(access.0.aud.clone()),
            jti: access.0.jti.clone(),
            ..Active::of(grant, issuer)
        },
        Presented::Refresh(refresh) => Active {
            jti: format!("{}.{}", refresh.0.grant, refresh.0.generation),
            ..Active::of(grant, issuer)
        },
        Presented::Personal(grant) => Active {
            token_type: "Bearer",
            aud: Audience::of(audiences),
            jti: grant.id.to_string(),
            ..Active::of(grant, issuer)
        },
    };
    answer(&active)
}

impl<'a> Active<'a> {
    /// What a grant says of its refresh token, or of its personal access token.
    fn of(grant: &'a Grant, iss: &'a str) -> Self {
        Self {
            live: true,
            scope: grant.scopes.to_string(),
            client_id: grant.client.as_str(),
            username: grant.username(),
            token_type: "refresh_token",
            exp: grant.expires_at.secs(),
            iat: grant.created_at.secs(),
            sub: grant.subject(),
            aud: Audience::of(grant.audiences.get(..1).unwrap_or_default()),
            iss,
            jti: String::new(),
        }
    }
}

fn answer(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .json(body)
}
