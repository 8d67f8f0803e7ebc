//! Tokens are given back ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)): by their client, or by whoever holds a live
//! access token of the same grant. Either token ends the grant, and with it every other.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Payload};
use mcp_gateway_model::error::ErrorCode;

use crate::{
    audit::{Event, Line},
    door::Rejection,
    limit::{self, Due},
    metrics::Ended,
    presented::{Caller, Presented},
    request::{Context, Form, body},
};

/// `POST /revoke`. A token that is unknown or has ended is fine (RFC 7009 §2.2); one of another client is refused, and
/// lives on (§2.1).
pub(crate) async fn revoke(
    context: Context,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let server = &context.server;
    let store = server.store.as_ref();
    let rate = server.settings.limits.revoke;
    limit::by_address(store, "revoke", context.address, rate, context.now).await?;
    let Form(mut form) = body(&request, payload).await?;
    let caller = Caller::read(&context, "revoke", &request, &mut form).await?;
    let Some(token) = Presented::read(&context, form.require("token")?, &Due::default()).await? else {
        return Ok(done());
    };
    let grant = token.grant();
    if !caller.owns(grant) {
        return Err(Rejection::new(
            ErrorCode::InvalidGrant,
            "the token was not issued to this client",
            "token_of_another_client",
        ));
    }
    let lived = store.end_grant(&grant.id, context.now).await?;
    server.metrics.ended(Ended::Revoked, u64::from(lived));
    Line::of_grant(Event::Revoked, &context.request_id, grant).write();
    Ok(done())
}

fn done() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .finish()
}
