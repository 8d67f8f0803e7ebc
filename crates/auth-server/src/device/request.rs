//! A device asks ([RFC 8628 §3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1),
//! [§3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2)).

use actix_web::{HttpRequest, HttpResponse, http::header, web::Payload};
use mcp_gateway_model::{
    client::Client,
    error::ErrorCode,
    scope::ScopeSet,
    secret::{Secret, SecretKind},
};
use mcp_gateway_store::{DeviceAsked, DeviceRequest, DeviceStage};
use serde_json::json;

use super::{INTERVAL, LIFETIME, UserCode, may_ask};
use crate::{
    audit::{Event, Line},
    authorize::{client_may_ask_for, granted},
    client_auth::{AuthenticatedClient, Credentials, authenticate, claimed},
    client_life,
    door::Rejection,
    limit,
    request::{Context, Form, Parameters, body},
};

/// How often a code is made that another device has already: there are 25 billion.
const ATTEMPTS: usize = 8;

/// `POST /device_authorization`.
pub(crate) async fn device_authorization(
    context: Context,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let form = read(&context, &request, payload).await;
    let claimed = claimed(&request, form.as_ref().ok().map(|form| &form.0));
    let answer = ask(&context, &request, form).await;
    if let Err(rejection) = &answer {
        let mut line = Line::new(Event::DeviceRefused, &context.request_id);
        line.client = claimed.as_ref();
        line.reason = Some(rejection.reason().code);
        line.write();
    }
    answer
}

async fn read(context: &Context, request: &HttpRequest, payload: Payload) -> Result<Form, Rejection> {
    let server = &context.server;
    let rate = server.settings.limits.device;
    limit::by_address(
        server.store.as_ref(),
        "device",
        context.address,
        rate,
        context.now,
    )
    .await?;
    body(request, payload).await
}

async fn ask(
    context: &Context,
    request: &HttpRequest,
    form: Result<Form, Rejection>,
) -> Result<HttpResponse, Rejection> {
    let settings = &context.server.settings;
    let Form(mut form) = form?;
    let credentials = Credentials::read(request, &mut form)?;
    let AuthenticatedClient(client) = authenticate(context, "device", &credentials).await?;
    may_ask(&settings.device_grant, &client)?;
    let device_code = Secret::generate(SecretKind::DeviceCode);
    let wanted = wanted(context, &client, &form, &device_code)?;
    client_life::asked(context, &client.id).await?;
    let user_code = keep(context, &wanted).await?;
    let mut line = Line::new(Event::DeviceAsked, &context.request_id);
    line.client = Some(&client.id);
    line.resource = Some(wanted.audience.as_str().into());
    line.write();
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .json(json!({
            "device_code": device_code.reveal(),
            "user_code": user_code.to_string(),
            "verification_uri": settings.issuer.endpoint("/device"),
            "expires_in": LIFETIME.as_secs(),
            "interval": INTERVAL.as_secs(),
        })))
}

/// What is asked for: resource and scopes as at the authorization endpoint.
fn wanted(
    context: &Context,
    client: &Client,
    form: &Parameters,
    device_code: &Secret,
) -> Result<DeviceRequest, Rejection> {
    let settings = &context.server.settings;
    let target = settings
        .resources
        .resolve(form.get("resource"))
        .map_err(|why| Rejection::new(ErrorCode::InvalidTarget, why.to_string(), "bad_target"))?;
    client_may_ask_for(client, settings, &target)?;
    let requested = ScopeSet::parse(form.get("scope").unwrap_or_default())
        .map_err(|why| Rejection::new(ErrorCode::InvalidScope, why.to_string(), "bad_scope"))?;
    Ok(DeviceRequest {
        digest: device_code.digest(),
        client: client.id.clone(),
        scopes: granted(settings, &requested, client, &target)?,
        audience: target.audience,
        stage: DeviceStage::Waiting,
        interval: INTERVAL,
        polled_at: None,
        expires_at: context.now.plus(LIFETIME),
    })
}

/// Keeps the request under a code that leads to no other.
async fn keep(context: &Context, wanted: &DeviceRequest) -> Result<UserCode, Rejection> {
    let server = &context.server;
    for _ in 0..ATTEMPTS {
        let code = UserCode::generate();
        let key = server.desk.user_code_keys.first();
        let Some(digest) = key.and_then(|key| code.digest(key)) else {
            break;
        };
        match server.store.ask_by_device(&digest, wanted, context.now).await? {
            DeviceAsked::Kept => return Ok(code),
            DeviceAsked::CodeTaken => {}
        }
    }
    Err(Rejection::new(
        ErrorCode::TemporarilyUnavailable,
        "no code is free: try again in a moment",
        "no_user_code",
    ))
}
