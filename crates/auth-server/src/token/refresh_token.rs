//! A refresh token becomes the next one, and a fresh access token
//! ([RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6)).
//!
//! The token names its grant, and its code proves that we issued it; the store knows which generation is current. Client,
//! scope, resource and access rules are checked before the token turns.

use mcp_gateway_model::{
    error::ErrorCode,
    grant::Grant,
    resource::ResourceUri,
    scope::{OFFLINE_ACCESS, ScopeSet},
    token::RefreshToken,
};
use mcp_gateway_store::{HeldGrant, Presented, Rotation};

use super::{
    Call, invalid_grant,
    issue::{self, Entitlement, Issued},
    target::narrow,
};
use crate::{
    admit::{Admitted, Refusal, admit, admit_again},
    audit::{Event, Line},
    door::Rejection,
    limit::permitted,
    memberships::{self, Asked},
    metrics::Ended,
};

const UNKNOWN: &str = "the refresh token is unknown, has ended, or was revoked";

/// The grant type `refresh_token`. The token, if we issued it, and its grant as it lay there when the client was looked up.
pub(super) async fn refresh(
    call: &Call<'_>,
    presented: Option<RefreshToken>,
    held: Option<Box<HeldGrant>>,
) -> Result<Issued, Rejection> {
    let (server, now) = (&call.context.server, call.context.now);
    let store = server.store.as_ref();
    let unknown = |reason| invalid_grant(UNKNOWN, reason);

    call.form.require("refresh_token")?;
    let (token, held) = presented
        .zip(held)
        .ok_or_else(|| unknown("refresh_token_unknown"))?;
    let grant = held.grant().cloned().ok_or_else(|| unknown("grant_ended"))?;
    if grant.client != call.client.id {
        return Err(unknown("refresh_token_of_another_client"));
    }
    let scopes = narrowed_scopes(call, &grant)?;
    let audience = narrow(&server.settings.resources, &grant, call.form.get("resource"))?;
    still_admitted(call, &grant, audience, Blocks::Later).await?;
    // Whoever was given a refresh token keeps one, also when the setting has changed since.
    let ready = issue::ready(call, true).await?;
    let presented = Presented {
        generation: token.generation,
        grace: server.settings.lifetimes.refresh_grace,
    };
    let prolong = call.prolong(ready.until);
    let rotation = permitted(store.rotate(held, presented, prolong, now).await?)?;
    let (prolonged, generation, reason) = match rotation {
        Rotation::Turned { grant, current } => (grant, current, None),
        Rotation::Again { grant, current } => (grant, current, Some("answered_again")),
        Rotation::Replayed => {
            server.metrics.ended(Ended::Replayed, 1);
            audit(call, &grant, Event::Replayed, Some("refresh_token_replayed"));
            return Err(unknown("refresh_token_replayed"));
        }
        Rotation::Blocked => {
            server.metrics.ended(Ended::NotAdmitted, 1);
            audit(call, &grant, Event::LoginRefused, Some(Refusal::Blocked.reason()));
            return Err(unknown(Refusal::Blocked.reason()));
        }
        Rotation::Unknown => return Err(unknown("refresh_token_ended")),
    };
    let issued = issue::issue(
        call,
        ready,
        Entitlement {
            grant: &prolonged,
            audience,
            scopes: &scopes,
            generation,
            nonce: None,
        },
    )
    .await?;
    audit(call, &prolonged, Event::TokenRefreshed, reason);
    Ok(issued)
}

/// What the access token is for: all that was granted, or the part of it that the request names. Scopes that do not exist
/// here are dropped, as they were when the person was asked: clients repeat what they asked for then.
fn narrowed_scopes(call: &Call<'_>, grant: &Grant) -> Result<ScopeSet, Rejection> {
    let Some(text) = call.form.get("scope") else {
        return Ok(grant.scopes.clone());
    };
    let rejected = |description: String, reason| Rejection::new(ErrorCode::InvalidScope, description, reason);
    let asked = ScopeSet::parse(text).map_err(|bad| rejected(bad.to_string(), "scope_malformed"))?;
    let settings = &call.context.server.settings;
    let catalogue = settings.resources.all_scopes();
    let identity = settings.offers.identity(&asked);
    let asked = asked.filter(|s| catalogue.contains(s) || s == OFFLINE_ACCESS || identity.contains(s));
    if asked.is_empty() {
        Ok(grant.scopes.clone())
    } else if grant.scopes.covers(&asked) {
        Ok(asked)
    } else {
        Err(rejected(
            "scope goes beyond what was granted".to_owned(),
            "scope_not_granted",
        ))
    }
}

/// Who looks whether the user is blocked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Nobody has: it is done now.
    Now,
    /// The store, when the grant goes on.
    Later,
}

/// The access rules are asked again: whoever was let in once may be let in no longer.
pub(super) async fn still_admitted(
    call: &Call<'_>,
    grant: &Grant,
    audience: &ResourceUri,
    blocks: Blocks,
) -> Result<(), Rejection> {
    let server = &call.context.server;
    let Some(user) = &grant.user else {
        return Err(invalid_grant(UNKNOWN, "grant_of_no_user"));
    };
    let belonging = memberships::again(server, grant, audience, call.context.now).await?;
    let known = match &belonging {
        Asked::Withdrawn => return refused(call, grant, Err(Refusal::Withdrawn)).await,
        Asked::Nothing => None,
        Asked::Known(theirs) => Some(theirs),
    };
    let admitted = match blocks {
        Blocks::Now => admit(server, user, audience, known).await,
        Blocks::Later => admit_again(server, user, audience, known).await,
    };
    refused(call, grant, admitted).await
}

/// Ends the grant of who is let in no longer.
async fn refused(
    call: &Call<'_>,
    grant: &Grant,
    admitted: Result<Admitted, Refusal>,
) -> Result<(), Rejection> {
    let server = &call.context.server;
    match admitted {
        Ok(_) => Ok(()),
        Err(Refusal::Store(error)) => Err(error.into()),
        Err(refusal) => {
            let lived = server.store.end_grant(&grant.id, call.context.now).await?;
            server.metrics.ended(Ended::NotAdmitted, u64::from(lived));
            audit(call, grant, Event::LoginRefused, Some(refusal.reason()));
            Err(invalid_grant(UNKNOWN, refusal.reason()))
        }
    }
}

fn audit(call: &Call<'_>, grant: &Grant, event: Event, reason: Option<&'static str>) {
    let mut line = Line::of_grant(event, &call.context.request_id, grant);
    line.reason = reason;
    line.write();
}
