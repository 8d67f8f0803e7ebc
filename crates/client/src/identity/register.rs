//! Dynamic client registration ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)), and its end ([RFC 7592
//! §2.3](https://www.rfc-editor.org/rfc/rfc7592#section-2.3)).

use mcp_gateway_model::{client::AuthMethod, clock::Timestamp, secret::Secret};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{ApplicationType, Identity, IdentityFault, IdentityOrigin, Management, Profile, preferred};
use crate::{
    discover::ServerMetadata,
    http::{Answer, Http},
    words::shown,
};

/// What a client says of itself ([RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2)).
#[derive(Serialize)]
struct Registration<'a> {
    client_name: &'a str,
    redirect_uris: [&'a str; 1],
    grant_types: Vec<&'static str>,
    response_types: [&'static str; 1],
    token_endpoint_auth_method: AuthMethod,
    application_type: ApplicationType,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_uri: Option<&'a Url>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dpop_bound_access_tokens: Option<bool>,
}

/// What it is told ([RFC 7591 §3.2.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1)).
#[derive(Deserialize)]
struct Registered {
    client_id: String,
    #[serde(default)]
    client_secret: Option<String>,
    #[serde(default)]
    client_secret_expires_at: Option<u64>,
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    #[serde(default)]
    redirect_uris: Option<Vec<String>>,
    #[serde(default)]
    registration_client_uri: Option<Url>,
    #[serde(default)]
    registration_access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

/// Registers the program, with `redirect_uri` for its logins.
///
/// # Errors
/// [`IdentityFault`] when nobody can register, or the registration is refused.
pub async fn register(
    http: &Http,
    profile: &Profile,
    server: &ServerMetadata,
    redirect_uri: &str,
) -> Result<Identity, IdentityFault> {
    let Some(url) = &server.registration_endpoint else {
        return Err(IdentityFault::NoWay(server.issuer.clone()));
    };
    let wanted = wanted(profile.application, server);
    let body = Registration {
        client_name: &profile.name,
        redirect_uris: [redirect_uri],
        grant_types: grant_types(server),
        response_types: ["code"],
        token_endpoint_auth_method: wanted,
        application_type: profile.application,
        client_uri: profile.uri.as_ref(),
        software_id: profile.software_id.as_deref(),
        dpop_bound_access_tokens: profile.bound_tokens.then_some(true),
    };
    let answer = ask(http, url, &body).await?;
    if !answer.status.is_success() {
        return Err(refused(url, &answer));
    }
    let registered: Registered = answer
        .json()
        .map_err(|_| IdentityFault::Malformed(url.as_str().to_owned()))?;
    Ok(identity(server, registered, wanted, redirect_uri))
}

async fn ask(http: &Http, url: &Url, body: &Registration<'_>) -> Result<Answer, IdentityFault> {
    let request = http.request(Method::POST, url.clone()).json(body).build();
    let called = match request {
        Ok(request) => http.call(request).await,
        Err(_) => return Err(IdentityFault::Malformed(url.as_str().to_owned())),
    };
    called.map_err(|fault| IdentityFault::Unreachable {
        url: url.as_str().to_owned(),
        fault,
    })
}

fn refused(url: &Url, answer: &Answer) -> IdentityFault {
    let reason = match answer.json::<Refusal>() {
        Ok(Refusal {
            error,
            error_description: Some(text),
        }) => format!("{}: {}", shown(&error), shown(&text)),
        Ok(Refusal {
            error,
            error_description: None,
        }) => shown(&error),
        Err(_) => "no reason is given".to_owned(),
    };
    IdentityFault::Refused {
        url: url.as_str().to_owned(),
        status: answer.status.as_u16(),
        reason,
    }
}

/// How the client wants to prove itself: a program on a person's machine can keep no secret from that person.
fn wanted(application: ApplicationType, server: &ServerMetadata) -> AuthMethod {
    const NATIVE: [AuthMethod; 3] = AuthMethod::WITHOUT_KEY;
    const WEB: [AuthMethod; 3] = [
        AuthMethod::ClientSecretBasic,
        AuthMethod::ClientSecretPost,
        AuthMethod::None,
    ];
    match application {
        ApplicationType::Native => preferred(server, &NATIVE),
        ApplicationType::Web => preferred(server, &WEB),
    }
}

/// What the client will send to the token endpoint, as far as the server has it. One that says nothing may refresh all the
/// same.
fn grant_types(server: &ServerMetadata) -> Vec<&'static str> {
    const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
    let mut types = vec!["authorization_code"];
    if server.grant_types_supported.is_none() || server.has_grant_type("refresh_token") {
        types.push("refresh_token");
    }
    if server.has_grant_type(DEVICE) && server.device_authorization_endpoint.is_some() {
        types.push(DEVICE);
    }
    types
}

fn identity(
    server: &ServerMetadata,
    registered: Registered,
    wanted: AuthMethod,
    redirect_uri: &str,
) -> Identity {
    let said = registered.token_endpoint_auth_method.as_deref();
    let said = said.and_then(|said| AuthMethod::ALL.into_iter().find(|one| one.as_str() == said));
    let method = match (said.unwrap_or(wanted), &registered.client_secret) {
        (AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost, None) => AuthMethod::None,
        (method, _) => method,
    };
    let ends = registered.client_secret_expires_at.filter(|at| *at > 0);
    let management = match (
        registered.registration_client_uri,
        registered.registration_access_token,
    ) {
        (Some(uri), Some(token)) => Some(Management {
            uri,
            token: Secret::presented(token),
        }),
        _ => None,
    };
    Identity {
        issuer: server.issuer.clone(),
        client_id: registered.client_id,
        method,
        secret: registered.client_secret.map(Secret::presented),
        secret_expires_at: ends.map(Timestamp::from_secs),
        origin: IdentityOrigin::Registered,
        // some answer with an empty list, or with none
        redirect_uris: match registered.redirect_uris {
            Some(uris) if !uris.is_empty() => uris,
            _ => vec![redirect_uri.to_owned()],
        },
        management,
    }
}

/// Ends the registration of `identity`, if it can be ended. One that is not there any more is fine.
///
/// # Errors
/// [`IdentityFault`] when the server cannot be asked or says no.
pub async fn unregister(http: &Http, identity: &Identity) -> Result<bool, IdentityFault> {
    let Some(management) = &identity.management else {
        return Ok(false);
    };
    let url = &management.uri;
    let request = http
        .request(Method::DELETE, url.clone())
        .bearer_auth(management.token.reveal())
        .build();
    let called = match request {
        Ok(request) => http.call(request).await,
        Err(_) => return Err(IdentityFault::Malformed(url.as_str().to_owned())),
    };
    let answer = called.map_err(|fault| IdentityFault::Unreachable {
        url: url.as_str().to_owned(),
        fault,
    })?;
    match answer.status.as_u16() {
        200..=299 | 401 | 404 | 410 => Ok(true),
        _ => Err(refused(url, &answer)),
    }
}
