//! A client acts for itself ([RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)): for a resource that it
//! may use, with a grant of its own that ends with the access token.

use mcp_gateway_model::{
    error::ErrorCode,
    grant::{Grant, GrantKind},
    id::GrantId,
    resource::Target,
    scope::{IDENTITY, OFFLINE_ACCESS, ScopeSet},
};
use mcp_gateway_store::Begun;

use super::{
    Call,
    issue::{self, Entitlement, Issued},
};
use crate::{
    audit::{Event, Line},
    authorize::granted,
    client_auth::not_authenticated,
    client_life,
    door::Rejection,
    limit::permitted,
    reach::{Reach, reach},
};

/// The grant type `client_credentials`.
pub(super) async fn act(call: &Call<'_>) -> Result<Issued, Rejection> {
    let (server, now) = (&call.context.server, call.context.now);
    may_act(call)?;
    let target = target(call)?;
    let scopes = scopes(call, &target)?;
    let until = now.plus(server.settings.lifetimes.access_token);
    client_life::acted(call.context, call.client, until).await?;
    let ready = issue::for_itself(call, until).await?;
    let grant = Grant {
        id: GrantId::generate(),
        client: call.client.id.clone(),
        user: None,
        kind: GrantKind::ClientCredentials,
        memberships: None,
        audiences: vec![target.audience.clone()],
        scopes,
        authenticated_at: now,
        created_at: now,
        expires_at: until,
    };
    let begun = server
        .store
        .begin_own_grant(&grant, call.due.client.take(), now)
        .await?;
    if permitted(begun)? == Begun::Refused {
        return Err(not_authenticated("client_ended"));
    }
    let issued = issue::issue(
        call,
        ready,
        Entitlement {
            grant: &grant,
            audience: &target.audience,
            scopes: &grant.scopes,
            generation: 0,
            nonce: None,
        },
    )
    .await?;
    Line::of_grant(Event::TokenIssued, &call.context.request_id, &grant).write();
    Ok(issued)
}

/// RFC 6749 §4.4: confidential clients only, and of these the ones that somebody vouched for.
fn may_act(call: &Call<'_>) -> Result<(), Rejection> {
    let registration = &call.context.server.settings.registration;
    if call.client.is_confidential() && registration.may_act_for_itself(call.client.origin) {
        return Ok(());
    }
    Err(Rejection::new(
        ErrorCode::UnauthorizedClient,
        "client_credentials is for clients that prove who they are and that the operator entered, or that registered with an \
         initial access token",
        "client_may_not_act",
    ))
}

fn target(call: &Call<'_>) -> Result<Target, Rejection> {
    let resources = &call.context.server.settings.resources;
    let rejected =
        |description: String, reason| Rejection::new(ErrorCode::InvalidTarget, description, reason);
    let target = resources
        .resolve(call.form.get("resource"))
        .map_err(|why| rejected(why.to_string(), "target_unknown"))?;
    let is_for_listed_people = target.protected.resource.allow.is_some();
    match reach(call.client, resources, &target) {
        Reach::Named => Ok(target),
        Reach::Unsaid if !is_for_listed_people => Ok(target),
        Reach::Unsaid | Reach::NotNamed => Err(rejected(
            "the client may not use this resource for itself: its operator has to name the resource for the client".into(),
            "target_not_for_client",
        )),
    }
}

/// What it asks for, as far as there is that: nobody's identity, and nothing to be prolonged.
fn scopes(call: &Call<'_>, target: &Target) -> Result<ScopeSet, Rejection> {
    let requested = ScopeSet::parse(call.form.get("scope").unwrap_or_default())
        .map_err(|bad| Rejection::new(ErrorCode::InvalidScope, bad.to_string(), "scope_malformed"))?;
    let requested = requested.filter(|scope| !IDENTITY.contains(&scope) && scope != OFFLINE_ACCESS);
    granted(&call.context.server.settings, &requested, call.client, target)
}
