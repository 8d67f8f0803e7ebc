//! A code becomes tokens ([RFC 6749 §4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3),
//! [RFC 7636 §4.6](https://www.rfc-editor.org/rfc/rfc7636#section-4.6)).
//!
//! Client, redirect URI, verifier and resource are compared before the code is used: who fails one of them has not used
//! it, and only who passes all of them with a spent code is a replay.

use mcp_gateway_model::{
    error::ErrorCode,
    grant::{Code, Grant},
    published,
};
use mcp_gateway_store::{HeldGrant, Redemption};

use super::{
    Call, invalid_grant,
    issue::{self, Entitlement, Issued},
    target::narrow,
};
use crate::{
    audit::{Event, Line},
    code::CodeText,
    door::Rejection,
    limit::permitted,
    metrics::Ended,
};

const UNKNOWN: &str = "the code is unknown, has ended, or was used before";

const PUBLISHED: &str = "DEMO_AUTH_CODE_12345 is printed in the demo's documents and opens nothing: send the code that /authorize adds \
                         to the redirect URI";

/// The grant type `authorization_code`. The code, if it could be read, and its grant as it lay there when the client was
/// looked up.
pub(super) async fn redeem(
    call: &Call<'_>,
    presented: Option<CodeText>,
    held: Option<Box<HeldGrant>>,
) -> Result<Issued, Rejection> {
    let (server, now) = (&call.context.server, call.context.now);
    let store = server.store.as_ref();
    let unknown = |reason| invalid_grant(UNKNOWN, reason);
    let resource = call.form.get("resource");

    if call.form.require("code")? == published::CODE {
        return Err(invalid_grant(PUBLISHED, "published_code"));
    }
    let (text, held) = presented.zip(held).ok_or_else(|| unknown("code_malformed"))?;
    let code = held.code(&text.digest, now).cloned();
    let code = code.ok_or_else(|| unknown("code_unknown"))?;
    if code.client != call.client.id {
        return Err(unknown("code_of_another_client"));
    }
    same_redirect(call, &code)?;
    code.challenge
        .verify(call.form.get("code_verifier"))
        .map_err(|bad| Rejection::new(ErrorCode::InvalidGrant, bad.to_string(), "pkce_failed"))?;
    let lived = held.grant().cloned();
    if let Some(grant) = &lived {
        narrow(&server.settings.resources, grant, resource)?;
    }
    let refreshes = lived
        .as_ref()
        .is_some_and(|grant| issue::may_refresh(call, &grant.scopes));
    let ready = issue::ready(call, refreshes).await?;
    let prolong = call.prolong(ready.until);
    // A replay that came between has ended the grant: then there is nothing to redeem.
    let redemption = permitted(store.redeem(held, &text.digest, prolong, now).await?)?;
    let (grant, generation) = match redemption {
        Redemption::Granted { grant, current } => (grant, current),
        Redemption::Replayed => return Err(replayed(call, &code, lived.as_ref()).await),
        Redemption::Unknown => return Err(unknown("code_ended")),
        Redemption::Ended => return Err(unknown("grant_ended")),
    };
    let issued = issue::issue(
        call,
        ready,
        Entitlement {
            grant: &grant,
            audience: narrow(&server.settings.resources, &grant, resource)?,
            scopes: &grant.scopes,
            generation,
            nonce: code.nonce.as_deref(),
        },
    )
    .await?;
    Line::of_grant(Event::TokenIssued, &call.context.request_id, &grant).write();
    Ok(issued)
}

/// RFC 6749 §4.1.3: required if the authorization request had one, and identical to it.
fn same_redirect(call: &Call<'_>, code: &Code) -> Result<(), Rejection> {
    match call.form.get("redirect_uri") {
        Some(sent) if sent == code.redirect_uri.as_str() => Ok(()),
        None if !code.redirect_uri_was_sent => Ok(()),
        None => Err(invalid_grant(
            "redirect_uri is missing: the authorization request had one",
            "redirect_missing",
        )),
        Some(_) => Err(invalid_grant(
            "redirect_uri is not the one of the authorization request",
            "redirect_differs",
        )),
    }
}

/// RFC 6749 §4.1.2: a code that comes back ends everything it ever led to. Its grant `lived` until now, or ended before.
async fn replayed(call: &Call<'_>, code: &Code, lived: Option<&Grant>) -> Rejection {
    let context = call.context;
    match context.server.store.end_grant(&code.grant, context.now).await {
        Ok(ended) => context.server.metrics.ended(Ended::Replayed, u64::from(ended)),
        Err(error) => return error.into(),
    }
    let mut line = match lived {
        Some(grant) => Line::of_grant(Event::Replayed, &context.request_id, grant),
        None => Line::new(Event::Replayed, &context.request_id),
    };
    line.client = Some(&code.client);
    line.reason = Some("code_replayed");
    line.write();
    invalid_grant(UNKNOWN, "code_replayed")
}
