//! `POST register-client`: dynamic client registration ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)).
//!
//! The client is the service, whoever has it registered: whoever asks an authorization server for the same client gets the
//! one that there is. Its secret is used by the service and is shown to the user whose request made it.

use actix_web::{HttpResponse, web::Payload};
use mcp_gateway_model::{clock::Timestamp, secret::Digest};
use serde_json::{Map, Value, json};
use url::Url;

use super::{BODY, read_body};
use crate::{
    discover::{self, ServerMetadata, Trail},
    http::Http,
    service::{
        Service, authority,
        caller::Caller,
        fault::Fault,
        store::{ClientAt, Registration},
    },
};

/// How a client of this service can prove itself.
const AUTH_METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];
/// After how long a registration that is used is kept anew.
const KEPT_ANEW: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Registers the service at an authorization server, or finds that it is.
pub(in crate::service) async fn register_client(
    caller: Caller,
    body: Payload,
) -> Result<HttpResponse, Fault> {
    let service = &caller.service;
    let endpoint = caller.parameters.target("registration_url", &service.http)?;
    let metadata = metadata(&read_body(body, BODY).await?, &service.settings.redirect_uri())?;
    let named = caller.parameters.get("auth_server_url");
    let wanted = serde_json::to_string(&metadata).unwrap_or_default();
    let request = Digest::of(format!("{endpoint}\n{}\n{wanted}", named.unwrap_or_default()).as_bytes());
    let store = &service.keeper.store;
    if let Some(known) = store.registration(&request, caller.now).await? {
        keep(service, &known, caller.now).await?;
        return Ok(answer(&known, &caller));
    }
    let rate = service.settings.limits.registrations;
    let permit = format!("registrations {}", caller.user.as_str());
    service.keeper.permit(&permit, rate, caller.now).await?;
    let issuer = match named {
        Some(issuer) => Some(of_issuer(&service.http, issuer, &endpoint).await?),
        None => issuer_of(&service.http, &endpoint).await,
    };
    let registered = authority::register(&service.http, &endpoint, &metadata).await?;
    let registration = registration(&caller, (request, issuer, &endpoint), &registered)?;
    let ends = caller.now.plus(service.settings.limits.unused_registration);
    store.put_registration(&registration, ends, caller.now).await?;
    Ok(answer(&registration, &caller))
}

/// What is registered: what was asked for, with what has to be there.
fn metadata(body: &[u8], redirect_uri: &str) -> Result<Map<String, Value>, Fault> {
    let bad = |text: &str| Fault::bad("invalid_client_metadata", text);
    let mut metadata: Map<String, Value> = serde_json::from_slice(body)
        .map_err(|_| bad("The body must be a JSON object with the client's metadata."))?;
    let ours = json!([redirect_uri]);
    if metadata.get("redirect_uris").is_some_and(|uris| *uris != ours) {
        return Err(Fault::bad(
            "invalid_redirect_uri",
            format!("redirect_uris must be [\"{redirect_uri}\"]: the service answers nowhere else."),
        ));
    }
    metadata.insert("redirect_uris".to_owned(), ours);
    let method = metadata.get("token_endpoint_auth_method");
    if method.is_some_and(|method| !AUTH_METHODS.iter().any(|known| method == known)) {
        return Err(bad(
            "token_endpoint_auth_method must be client_secret_basic, client_secret_post or none.",
        ));
    }
    for (name, value) in [
        ("client_name", json!("mcp-oauth")),
        ("application_type", json!("web")),
        ("grant_types", json!(["authorization_code", "refresh_token"])),
        ("response_types", json!(["code"])),
    ] {
        metadata.entry(name).or_insert(value);
    }
    Ok(metadata)
}

/// The issuer that was named, if its metadata names this registration endpoint.
async fn of_issuer(http: &Http, issuer: &str, endpoint: &Url) -> Result<String, Fault> {
    let found = discover::server(http, issuer, &mut Trail::default()).await?;
    if found.registration_endpoint.as_ref() == Some(endpoint) {
        return Ok(found.issuer);
    }
    Err(Fault::request(format!(
        "registration_url is not the registration_endpoint of {issuer}."
    )))
}

/// The issuer whose registration endpoint this is, where it lies above it at the same origin: as it does nearly everywhere.
async fn issuer_of(http: &Http, endpoint: &Url) -> Option<String> {
    let origin = endpoint.origin().ascii_serialization();
    let mut path = endpoint.path();
    let mut above = vec![String::new()];
    while let Some((shorter, _)) = path.rsplit_once('/').filter(|(shorter, _)| !shorter.is_empty()) {
        above.push(shorter.to_owned());
        path = shorter;
    }
    for path in above.iter().take(3) {
        let issuer = format!("{origin}{path}");
        let found = discover::server(http, &issuer, &mut Trail::default()).await;
        if let Ok(found) = found
            && found.registration_endpoint.as_ref() == Some(endpoint)
        {
            return Some(found.issuer);
        }
    }
    None
}

/// What the server answered, as it is kept ([RFC 7591 §3.2.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1)).
fn registration(
    caller: &Caller,
    (request, issuer, endpoint): (Digest, Option<String>, &Url),
    registered: &Map<String, Value>,
) -> Result<Registration, Fault> {
    let text = |name: &str| {
        let value = registered.get(name).and_then(Value::as_str);
        value.filter(|value| !value.is_empty()).map(ToOwned::to_owned)
    };
    let client_id = text("client_id");
    let expires_at = registered.get("client_secret_expires_at").and_then(Value::as_u64);
    Ok(Registration {
        user: caller.user.clone(),
        request,
        issuer,
        endpoint: endpoint.as_str().to_owned(),
        client_id: client_id
            .ok_or_else(|| Fault::bad_gateway(format!("{endpoint} answers without a client_id.")))?,
        client_secret: text("client_secret"),
        auth_method: text("token_endpoint_auth_method"),
        scope: text("scope"),
        secret_expires_at: expires_at.filter(|end| *end > 0).map(Timestamp::from_secs),
        kept_at: caller.now,
    })
}

/// The answer as documented: the id, and the secret for whom it was made.
fn answer(registration: &Registration, caller: &Caller) -> HttpResponse {
    let mut answer = json!({ "client_id": registration.client_id });
    let is_theirs = registration.user == caller.user;
    if let Some(secret) = registration.client_secret.as_ref().filter(|_| is_theirs) {
        answer["client_secret"] = json!(secret);
    }
    HttpResponse::Ok().json(answer)
}

/// Keeps a registration that is used.
async fn keep(service: &Service, registration: &Registration, now: Timestamp) -> Result<(), Fault> {
    if !registration.kept_at.plus(KEPT_ANEW).has_passed(now) {
        return Ok(());
    }
    let registration = Registration {
        kept_at: now,
        ..registration.clone()
    };
    let ends = now.plus(service.settings.limits.unused_registration);
    Ok(service
        .keeper
        .store
        .put_registration(&registration, ends, now)
        .await?)
}

/// A client at an authorization server: with its secret, if it was registered there through the service. A server that names
/// another one's registration endpoint as its own gets no secret of it.
pub(super) async fn client_at(
    service: &Service,
    server: &ServerMetadata,
    client_id: &str,
    now: Timestamp,
) -> Result<(ClientAt, Option<Registration>), Fault> {
    let lacks = || Fault::bad_gateway(format!("{} publishes no token_endpoint.", server.issuer));
    let token_endpoint = server.token_endpoint.as_ref().ok_or_else(lacks)?;
    let registration = match &server.registration_endpoint {
        None => None,
        Some(endpoint) => {
            service
                .keeper
                .store
                .client(endpoint.as_str(), client_id, now)
                .await?
        }
    };
    let registration = registration.filter(|registration| is_of(registration, server));
    if let Some(registration) = &registration {
        keep(service, registration, now).await?;
    }
    let client = ClientAt {
        issuer: server.issuer.clone(),
        token_endpoint: token_endpoint.as_str().to_owned(),
        client_id: client_id.to_owned(),
        client_secret: registration.as_ref().and_then(|one| one.client_secret.clone()),
        auth_method: registration.as_ref().and_then(|one| one.auth_method.clone()),
        registration: registration.as_ref().map(|one| one.request),
    };
    Ok((client, registration))
}

fn is_of(registration: &Registration, server: &ServerMetadata) -> bool {
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    if let Some(issuer) = &registration.issuer {
        return *issuer == server.issuer;
    }
    let ours = origin(&registration.endpoint);
    let token_endpoint = server.token_endpoint.as_ref().map(Url::origin);
    ours.is_some() && ours == origin(&server.issuer) && ours == token_endpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://avatarai.social/api/mcp/oauth/callback";

    #[test]
    fn codes_come_back_to_the_service_alone() {
        let asked = |body: Value| metadata(body.to_string().as_bytes(), OURS);
        let registered = asked(json!({"client_name": "x", "redirect_uris": [OURS]})).unwrap();
        assert_eq!(registered["redirect_uris"], json!([OURS]));
        assert_eq!(asked(json!({})).unwrap()["redirect_uris"], json!([OURS]));
        for uris in [
            json!(["https://evil.com/callback"]),
            json!([OURS, "https://evil.com/callback"]),
            json!([]),
            json!(OURS),
            json!(null),
        ] {
            let fault = asked(json!({ "redirect_uris": uris })).unwrap_err();
            assert_eq!(fault.code, "invalid_redirect_uri");
        }
    }

    #[test]
    fn what_is_needed_is_added_and_what_cannot_be_done_is_refused() {
        let registered = metadata(b"{}", OURS).unwrap();
        assert_eq!(registered["application_type"], "web");
        assert_eq!(registered["response_types"], json!(["code"]));
        for body in [
            "",
            "[]",
            "{",
            r#"{"token_endpoint_auth_method": "private_key_jwt"}"#,
        ] {
            assert_eq!(
                metadata(body.as_bytes(), OURS).unwrap_err().code,
                "invalid_client_metadata",
                "{body}"
            );
        }
    }
}
