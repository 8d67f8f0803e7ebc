//! `POST refresh-token`: for callers that hold tokens themselves
//! ([RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
//!
//! A refresh token that the service knows is refreshed as the service does it for itself: with the client's secret, one at a
//! time, and whoever comes with an older one of the same grant gets what is current.

use actix_web::{HttpResponse, web::Payload};

use super::{BODY, found, read_body, tokens};
use crate::{
    discover::{self, Trail},
    service::{
        caller::Caller, client::client_at, fault::Fault, parameters::Parameters, resource::Resource,
        store::Held,
    },
};

/// Answers with new tokens.
pub(in crate::service) async fn refresh_token(caller: Caller, body: Payload) -> Result<HttpResponse, Fault> {
    let Caller {
        service,
        user,
        parameters,
        now,
    } = caller;
    let parameters = and_form(parameters, &read_body(body, &service, BODY).await?)?;
    let keeper = &service.keeper;
    parameters.target("auth_server_url", &service.http)?;
    let issuer = parameters.require("auth_server_url")?;
    let client_id = parameters.require("client_id")?;
    let token = parameters.require("refresh_token")?;
    let resource = parameters.get("resource").map(Resource::parse).transpose()?;

    let known = match keeper.store.refreshed_by(&user, token).await? {
        Some(name) => keeper.store.grant(&user, &[name]).await?,
        None => None,
    };
    let grant = if let Some(held) = known {
        is_of(&held, issuer, client_id)?;
        is_for(&held, resource.as_ref())?;
        let is_current = held.grant.refresh_token.as_deref() == Some(token);
        // who asks with the current one wants another access token; who comes with an older one, the current
        let refused = is_current.then(|| held.grant.access_token.clone());
        let before = held.grant.scope.clone();
        let mut grant = keeper.fresh_for_caller(held, refused.as_deref()).await?;
        // what is as it was need not be said again (RFC 6749 §5.1)
        grant.scope = grant.scope.filter(|scope| before.as_ref() != Some(scope));
        grant
    } else {
        let mut trail = Trail::default();
        let server = found(&service, discover::server(&service.http, issuer, &mut trail)).await?;
        let (client, _) = client_at(&service, &server, (client_id, &user), now).await?;
        let asked = (token.to_owned(), resource);
        keeper.refresh_of_caller(user, client, asked).await?
    };
    Ok(HttpResponse::Ok().json(tokens(&grant, service.clock.now())))
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

/// Whether a grant is for the resource that is named, where one is.
fn is_for(held: &Held, resource: Option<&Resource>) -> Result<(), Fault> {
    if resource.is_none_or(|resource| resource.name() == held.name) {
        return Ok(());
    }
    Err(Fault::bad(
        "invalid_target",
        "The refresh token is for another resource.",
    ))
}
