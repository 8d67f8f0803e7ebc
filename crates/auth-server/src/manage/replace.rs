//! `PUT /register/{client_id}` ([RFC 7592 §2.2](https://www.rfc-editor.org/rfc/rfc7592#section-2.2)): the whole record is
//! replaced; what the request leaves out is gone.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use mcp_gateway_model::{
    client::{AuthMethod, Client},
    error::ErrorCode,
    secret::{Secret, SecretKind},
};
use mcp_gateway_store::Replaced;
use serde_json::{Map, Value};

use super::{
    audited,
    holder::{self, Holder},
};
use crate::{
    audit::{Event, Line},
    door::Rejection,
    register::{JsonObject, Registration, Rules, issue_secret, read_metadata},
    request::{Context, body},
    settings::Settings,
};

/// How often the record is read again when something else changes it at the same time.
const ATTEMPTS: usize = 4;
/// What RFC 7592 §2.2 forbids a client to send.
const OURS: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// The route.
pub(crate) async fn replace(
    context: Context,
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Rejection> {
    let answer = change(&context, &id, &request, payload).await;
    audited(&context, &id, answer)
}

async fn change(
    context: &Context,
    id: &str,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Rejection> {
    holder::limit(context).await?;
    let object: JsonObject = body(request, payload).await?;
    for _ in 0..ATTEMPTS {
        let holder = Holder::find(context, id, request).await?;
        let next = successor(&holder, object.members(), &context.server.settings)?;
        let replaced = context
            .server
            .store
            .replace_client(&next.client, context.now)
            .await?;
        if replaced == Replaced::Done {
            let mut line = Line::new(Event::ClientChanged, &context.request_id);
            line.client = Some(&next.client.id);
            line.write();
            let settings = &context.server.settings;
            return Ok(Registration::new(settings, &next.client, &next.token, next.secret.as_ref()).ok());
        }
    }
    Err(Rejection::new(
        ErrorCode::TemporarilyUnavailable,
        "the registration is being changed by other requests: try again",
        "registration_contended",
    )
    .with_status(StatusCode::CONFLICT))
}

/// The record that takes the place of the holder's.
struct Successor {
    client: Client,
    token: Secret,
    secret: Option<Secret>,
}

fn successor(
    holder: &Holder,
    members: &Map<String, Value>,
    settings: &Settings,
) -> Result<Successor, Rejection> {
    let before = &holder.client;
    if let Some(name) = OURS.into_iter().find(|name| members.contains_key(*name)) {
        return Err(invalid(format!(
            "{name} must not be sent: it is the server's to say"
        )));
    }
    if members.get("client_id").and_then(Value::as_str) != Some(before.id.as_str()) {
        return Err(invalid(
            "client_id must be sent, and be the one that was issued".to_owned(),
        ));
    }
    let presented = presented_secret(before, members)?;
    let metadata = read_metadata(members, &Rules::of(settings, before.origin))?;
    let has_secret = !matches!(
        metadata.token_endpoint_auth_method,
        AuthMethod::None | AuthMethod::PrivateKeyJwt
    );
    let (digest, secret) = match before.secret {
        _ if !has_secret => (None, None),
        Some(digest) => (Some(digest), presented),
        None => {
            let fresh = issue_secret(&metadata);
            (fresh.as_ref().map(Secret::digest), fresh)
        }
    };
    let token = Secret::generate(SecretKind::RegistrationToken);
    let client = Client {
        metadata,
        secret: digest,
        registration_token: Some(token.digest()),
        previous_registration_token: Some(holder.token.digest()),
        revision: before.revision + 1,
        ..before.clone()
    };
    Ok(Successor {
        client,
        token,
        secret,
    })
}

/// The secret that was sent, if it is the client's own.
fn presented_secret(before: &Client, members: &Map<String, Value>) -> Result<Option<Secret>, Rejection> {
    let Some(value) = members.get("client_secret") else {
        return Ok(None);
    };
    let presented = value.as_str().map(|text| Secret::presented(text.to_owned()));
    match (presented, before.secret) {
        (Some(presented), Some(expected)) if presented.digest() == expected => Ok(Some(presented)),
        _ => Err(invalid(
            "client_secret must be the one that was issued, or be left out".to_owned(),
        )),
    }
}

fn invalid(description: String) -> Rejection {
    Rejection::new(ErrorCode::InvalidClientMetadata, description, "change_refused")
}
