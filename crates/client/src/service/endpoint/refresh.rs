//! `POST refresh-token`: for callers that hold tokens themselves
//! ([RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
//!
//! A refresh token that the service knows is refreshed as the service does it for itself: with the client's secret, one at a
//! time, and whoever comes with an older one of the same grant gets what is current.

use actix_web::{HttpResponse, web::Payload};

use super::{BODY, deprecate, read_body, register::client_at, tokens};
use crate::{
    discover::{self, Trail},
    service::{caller::Caller, fault::Fault, parameters::Parameters, store::Held},
};

/// Answers with new tokens.
pub(in crate::service) async fn refresh_token(caller: Caller, body: Payload) -> Result<HttpResponse, Fault> {
    let Caller {
        service,
        user,
        parameters,
        now,
    } = caller;
    let parameters = and_form(parameters, &read_body(body, BODY).await?)?;
    let keeper = &service.keeper;
    parameters.target("auth_server_url", &service.http)?;
    let issuer = parameters.require("auth_server_url")?;
    let client_id = parameters.require("client_id")?;
    let token = parameters.require("refresh_token")?;

    let known = match keeper.store.refreshed_by(&user, token).await? {
        Some(name) => keeper.store.grant(&user, &[name]).await?,
        None => None,
    };
    let grant = if let Some(held) = known {
        is_of(&held, issuer, client_id)?;
        let is_current = held.grant.refresh_token.as_deref() == Some(token);
        // who asks with the current one wants another access token; who comes with an older one, the current
        let refused = is_current.then(|| held.grant.access_token.clone());
        let before = held.grant.scope.clone();
        let mut grant = keeper.fresh(held, refused.as_deref()).await?;
        // what is as it was need not be said again (RFC 6749 §5.1)
        grant.scope = grant.scope.filter(|scope| before.as_ref() != Some(scope));
        grant
    } else {
        let server = discover::server(&service.http, issuer, &mut Trail::default()).await?;
        let (client, _) = client_at(&service, &server, client_id, now).await?;
        keeper.refresh_of_caller(user, client, token.to_owned()).await?
    };
    let mut answer = HttpResponse::Ok().json(tokens(&grant, now));
    deprecate(&mut answer, &parameters, &["refresh_token"]);
    Ok(answer)
}

/// The parameters of the address and those of the form, where there is one.
fn and_form(parameters: Parameters, body: &[u8]) -> Result<Parameters, Fault> {
    let form = std::str::from_utf8(body).map_err(|_| Fault::request("The body must be a form."))?;
    parameters.and_form(form)
}

/// Whether a grant is the named client's at the named server.
fn is_of(held: &Held, issuer: &str, client_id: &str) -> Result<(), Fault> {
    let client = &held.grant.client;
    if client.issuer == issuer && client.client_id == client_id {
        return Ok(());
    }
    Err(Fault::bad(
        "invalid_grant",
        "The refresh token is another client's, or of another authorization server.",
    ))
}
