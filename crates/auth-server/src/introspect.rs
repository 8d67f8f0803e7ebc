//! Tokens are asked about ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)): by a confidential client about its own, by
//! whoever holds a live access token about those of the same grant, by a resource server about those for it.

mod answer;
mod inquirer;

use actix_web::{HttpRequest, HttpResponse, web::Payload};

use mcp_gateway_model::{grant::Grant, resource::ResourceUri};

use crate::{
    admit::{Refusal, admit},
    door::Rejection,
    introspect::{
        answer::{active, inactive},
        inquirer::Inquirer,
    },
    limit::{self, Due},
    memberships,
    presented::Presented,
    request::{Context, Form, counted_body},
};

/// `POST /introspect`. Whatever the caller may not know about is inactive, and nothing else is said of it (RFC 7662 §2.2).
pub(crate) async fn introspect(
    context: Context,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let rate = context.server.settings.limits.introspect;
    let permit = limit::of_address("introspect", context.address, rate);
    let (form, due) = counted_body(&context, &request, payload, permit).await?;
    let answer = answer(&context, &request, form, &due).await;
    // Where nothing had to be looked up, that counts as well.
    due.settle(&context).await?;
    answer
}

async fn answer(
    context: &Context,
    request: &HttpRequest,
    Form(mut form): Form,
    due: &Due,
) -> Result<HttpResponse, Rejection> {
    let server = &context.server;
    let inquirer = Inquirer::read(context, request, &mut form, due).await?;
    let Some(token) = Presented::read(context, form.require("token")?, due).await? else {
        return Ok(inactive());
    };
    let resources = &server.settings.resources;
    if !inquirer.may_know(resources, &token) || !token.is_live(context).await? {
        return Ok(inactive());
    }
    let mut audiences = inquirer.audiences(resources, token.grant());
    match &token {
        Presented::Personal(grant) => audiences = still_open(context, grant, audiences).await?,
        Presented::Access(_) => {
            audiences.retain(|audience| memberships::stand(context, token.grant(), audience));
        }
        Presented::Refresh(_) => {}
    }
    if audiences.is_empty() {
        return Ok(inactive());
    }
    Ok(active(context, &token, &audiences))
}

/// Those of the audiences at which the access rules still let the person of a personal access token in: nobody refreshes it,
/// so they are applied whenever it is looked at.
async fn still_open(
    context: &Context,
    grant: &Grant,
    audiences: Vec<ResourceUri>,
) -> Result<Vec<ResourceUri>, Rejection> {
    let mut open = Vec::new();
    let Some(user) = &grant.user else {
        return Ok(open);
    };
    for audience in audiences {
        match admit(&context.server, user, &audience, None).await {
            Ok(_) => open.push(audience),
            Err(Refusal::Store(error)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(open)
}
