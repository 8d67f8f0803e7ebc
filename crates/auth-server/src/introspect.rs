//! Tokens are asked about ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)): by a confidential client about its own, by
//! whoever holds a live access token about those of the same grant, by a resource server about those for it.

mod answer;
mod inquirer;

use actix_web::{HttpRequest, HttpResponse, web::Payload};

use crate::{
    door::Rejection,
    introspect::{
        answer::{active, inactive},
        inquirer::Inquirer,
    },
    limit,
    presented::Presented,
    request::{Context, Form, body},
};

/// `POST /introspect`. Whatever the caller may not know about is inactive, and nothing else is said of it (RFC 7662 §2.2).
pub(crate) async fn introspect(
    context: Context,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let server = &context.server;
    let rate = server.settings.limits.introspect;
    limit::by_address(
        server.store.as_ref(),
        "introspect",
        context.address,
        rate,
        context.now,
    )
    .await?;
    let Form(mut form) = body(&request, payload).await?;
    let inquirer = Inquirer::read(&context, &request, &mut form).await?;
    let Some(token) = Presented::read(&context, form.require("token")?).await? else {
        return Ok(inactive());
    };
    if !inquirer.may_know(&server.settings.resources, &token) || !token.is_live(&context).await? {
        return Ok(inactive());
    }
    Ok(active(&context, &token))
}
