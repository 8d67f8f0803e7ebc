//! A device comes back for its tokens ([RFC 8628 §3.4](https://www.rfc-editor.org/rfc/rfc8628#section-3.4),
//! [§3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)).

use actix_web::http::StatusCode;
use mcp_gateway_model::{error::ErrorCode, id::GrantId, secret::Secret};
use mcp_gateway_store::{DeviceRedemption, DeviceRequest, DeviceStage, Polled, Prolonged};

use super::{
    Call, invalid_grant,
    issue::{self, Entitlement, Issued},
    refresh_token::{Blocks, still_admitted},
    target::narrow,
};
use crate::{
    audit::{Event, Line},
    device,
    door::Rejection,
    metrics::Ended,
};

const UNKNOWN: &str = "the device code is unknown, has ended, or was used before";

/// The grant type `urn:ietf:params:oauth:grant-type:device_code`.
pub(super) async fn poll(call: &Call<'_>) -> Result<Issued, Rejection> {
    let (server, now) = (&call.context.server, call.context.now);
    call.due.settle(call.context).await?;
    device::may_ask(&server.settings.device_grant, call.client)?;
    let code = Secret::presented(call.form.require("device_code")?.to_owned());
    let digest = code.digest();
    let polled = server.store.poll_device(&digest, &call.client.id, now).await?;
    let device = answered(polled)?;
    let (DeviceStage::Granted(id) | DeviceStage::Redeemed(id)) = &device.stage else {
        return Err(invalid_grant(UNKNOWN, "device_not_granted"));
    };
    redeem(call, &device, id).await
}

/// What the person decided, if they have (§3.5).
fn answered(polled: Polled) -> Result<Box<DeviceRequest>, Rejection> {
    let rejected = |code, description: String, reason| {
        Err(Rejection::new(code, description, reason).with_status(StatusCode::BAD_REQUEST))
    };
    match polled {
        Polled::Granted(device) => Ok(device),
        Polled::Waiting => rejected(
            ErrorCode::AuthorizationPending,
            "nobody has decided yet: ask again".to_owned(),
            "authorization_pending",
        ),
        Polled::TooSoon(interval) => rejected(
            ErrorCode::SlowDown,
            format!(
                "asked too soon: wait {} s between two questions",
                interval.as_secs()
            ),
            "slow_down",
        ),
        Polled::Denied => rejected(
            ErrorCode::AccessDenied,
            "the user denied the request".to_owned(),
            "device_denied",
        ),
        Polled::Ended => rejected(
            ErrorCode::ExpiredToken,
            "nobody decided in time: ask for a new device_code".to_owned(),
            "device_code_ended",
        ),
        Polled::Unknown => Err(invalid_grant(UNKNOWN, "device_code_unknown")),
    }
}

/// As a code becomes tokens: whatever can fail is done before the grant is handed out.
async fn redeem(call: &Call<'_>, device: &DeviceRequest, id: &GrantId) -> Result<Issued, Rejection> {
    let (server, now) = (&call.context.server, call.context.now);
    let store = server.store.as_ref();
    let unknown = |reason| invalid_grant(UNKNOWN, reason);
    let requested = call.form.get("resource");
    if let Some(grant) = store.grant(id, now).await? {
        let audience = narrow(&server.settings.resources, &grant, requested)?;
        still_admitted(call, &grant, audience, Blocks::Now).await?;
    }
    let ready = issue::ready(call, issue::may_refresh(call, &device.scopes)).await?;
    match store.redeem_device(&device.digest, now).await? {
        DeviceRedemption::Granted(_) => {}
        DeviceRedemption::Replayed(id) => return Err(replayed(call, &id).await),
        DeviceRedemption::Unknown => return Err(unknown("device_code_ended")),
    }
    // Whoever was thrown out between, or a replay, has ended the grant: then there is nothing to prolong.
    let generation = match store.prolong(id, ready.until, now).await? {
        Prolonged::Lives(generation) => generation,
        Prolonged::Ended => return Err(unknown("grant_ended")),
    };
    let grant = store
        .grant(id, now)
        .await?
        .ok_or_else(|| unknown("grant_ended"))?;
    let entitlement = Entitlement {
        grant: &grant,
        audience: narrow(&server.settings.resources, &grant, requested)?,
        scopes: &grant.scopes,
        generation,
        nonce: None,
    };
    let issued = issue::issue(call, ready, entitlement).await?;
    Line::of_grant(Event::TokenIssued, &call.context.request_id, &grant).write();
    Ok(issued)
}

/// A device code that comes back ends everything it ever led to, as an authorization code does (RFC 6749 §4.1.2).
async fn replayed(call: &Call<'_>, id: &GrantId) -> Rejection {
    let context = call.context;
    match context.server.store.end_grant(id, context.now).await {
        Ok(ended) => context.server.metrics.ended(Ended::Replayed, u64::from(ended)),
        Err(error) => return error.into(),
    }
    let mut line = Line::new(Event::Replayed, &context.request_id);
    line.client = Some(&call.client.id);
    line.reason = Some("device_code_replayed");
    line.write();
    invalid_grant(UNKNOWN, "device_code_replayed")
}
