//! Clients register themselves ([RFC 7591 §3](https://www.rfc-editor.org/rfc/rfc7591#section-3)).

mod answer;
mod body;
pub(crate) mod gate;
mod metadata;
mod redirects;

use actix_web::{HttpRequest, HttpResponse, web::Payload};
use mcp_gateway_model::{
    client::{AuthMethod, Client, ClientMetadata},
    id::ClientId,
    secret::{Secret, SecretKind},
};

pub(crate) use answer::{Description, Registration};
pub(crate) use body::JsonObject;
pub(crate) use metadata::{Rules, read as read_metadata};

use crate::{
    audit::{Event, Line},
    client_life::unused_end,
    door::Rejection,
    limit::{self, Due},
    request::{Context, counted_body},
};

/// `POST /register`: whoever the gate admits may, and each registration is a client of its own.
pub(crate) async fn register(
    context: Context,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let answer = admit_and_add(&context, &request, payload).await;
    if let Err(rejection) = &answer {
        let mut line = Line::new(Event::RegistrationRefused, &context.request_id);
        line.reason = Some(rejection.reason().code);
        line.write();
    }
    answer
}

async fn admit_and_add(
    context: &Context,
    request: &HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let (server, now) = (&context.server, context.now);
    let permit = limit::of_address("register", context.address, server.settings.limits.register);
    let origin = match server.settings.registration.admit(request) {
        Ok(origin) => origin,
        Err(refused) => return Due::at_address(Some(permit)).settled(context, Err(refused)).await,
    };
    let (object, due): (JsonObject, Due) = counted_body(context, request, payload, permit).await?;
    let rules = Rules::of(&server.settings, origin);
    let metadata = due
        .settled(context, read_metadata(object.members(), &rules))
        .await?;
    let secret = issue_secret(&metadata);
    let token = Secret::generate(SecretKind::RegistrationToken);
    let client = Client {
        id: ClientId::generate(),
        origin,
        secret: secret.as_ref().map(Secret::digest),
        registration_token: Some(token.digest()),
        previous_registration_token: None,
        revision: 0,
        issued_at: now,
        expires_at: Some(unused_end(&server.settings.lifetimes, now)),
        seen: false,
        resources: None,
        metadata,
    };
    let most = server.settings.registration.unused_limit;
    let store = server.store.as_ref();
    let registered = store
        .register_client(&client, due.address.take(), most, now)
        .await?;
    server.metrics.made_room(limit::permitted(registered)?);
    server
        .metrics
        .registered(client.metadata.token_endpoint_auth_method.as_str());
    let mut line = Line::new(Event::ClientRegistered, &context.request_id);
    line.client = Some(&client.id);
    line.write();
    Ok(Registration::new(&server.settings, &client, &token, secret.as_ref()).created())
}

/// A secret for a client that is to have one.
pub(crate) fn issue_secret(metadata: &ClientMetadata) -> Option<Secret> {
    match metadata.token_endpoint_auth_method {
        AuthMethod::None | AuthMethod::PrivateKeyJwt => None,
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => {
            Some(Secret::generate(SecretKind::ClientSecret))
        }
    }
}
