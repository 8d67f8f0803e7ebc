//! A server without a fault, and the same with one.

use actix_web::{HttpResponse, HttpResponseBuilder, http::StatusCode};
use mcp_gateway_client::{
    doctor::{self, Options, Report},
    http::{Http, Settings},
};
use serde_json::{Value, json};
use url::Url;

use crate::support::site::{self, Asked, Site};

pub(crate) const PRM: &str = "/.well-known/oauth-protected-resource";
pub(crate) const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// An answer that pages anywhere may read.
pub(crate) fn open(status: u16) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    answer.append_header(("Access-Control-Allow-Origin", "*"));
    answer.append_header((
        "Access-Control-Expose-Headers",
        "WWW-Authenticate, Mcp-Session-Id",
    ));
    answer
}

/// A 401 with this challenge.
pub(crate) fn challenge(text: &str) -> HttpResponse {
    open(401).append_header(("WWW-Authenticate", text)).finish()
}

/// The challenge of a server without a fault, `more` behind it.
pub(crate) fn good_challenge(base: &str, more: &str) -> HttpResponse {
    challenge(&format!("Bearer resource_metadata=\"{base}{PRM}/mcp\"{more}"))
}

/// What the resource's metadata says, changed.
pub(crate) fn resource(base: &str, change: impl FnOnce(&mut Value)) -> HttpResponse {
    let mut document = json!({
        "resource": format!("{base}/mcp"),
        "authorization_servers": [base],
        "scopes_supported": ["read", "write"],
        "bearer_methods_supported": ["header"],
    });
    change(&mut document);
    open(200).json(document)
}

/// What the authorization server's metadata says, changed.
pub(crate) fn metadata(base: &str, change: impl FnOnce(&mut Value)) -> HttpResponse {
    let mut document = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "registration_endpoint": format!("{base}/register"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
    });
    change(&mut document);
    open(200).json(document)
}

/// What was asked for, without its query.
pub(crate) fn place(asked: &Asked) -> (&str, &str) {
    let path = asked.path.split('?').next().unwrap();
    (asked.method.as_str(), path)
}

/// Whether the MCP server is asked for something without a token.
pub(crate) fn is_first(asked: &Asked) -> bool {
    place(asked) == ("POST", "/mcp") && asked.header("authorization").is_none()
}

/// What a server without a fault answers.
pub(crate) fn healthy(base: &str, asked: &Asked) -> HttpResponse {
    match place(asked) {
        ("OPTIONS", _) => open(204)
            .append_header(("Access-Control-Allow-Methods", "GET, POST, DELETE"))
            .append_header((
                "Access-Control-Allow-Headers",
                "authorization, content-type, mcp-protocol-version, mcp-session-id, last-event-id, mcp-method, mcp-name",
            ))
            .finish(),
        (_, "/mcp") if asked.header("authorization").is_some() => {
            good_challenge(base, ", error=\"invalid_token\"")
        }
        (_, "/mcp") => good_challenge(base, ", scope=\"read\""),
        ("GET", "/.well-known/oauth-protected-resource/mcp") => resource(base, |_| ()),
        ("GET", OAUTH) => metadata(base, |_| ()),
        ("GET", "/authorize") => site::page(400),
        ("POST", "/token") => open(401).json(json!({"error": "invalid_client"})),
        ("POST", "/register") => registered(base, &asked.body),
        ("DELETE", "/register/1") => open(204).finish(),
        _ => open(404).finish(),
    }
}

/// The answer to a registration.
pub(crate) fn registered(base: &str, body: &str) -> HttpResponse {
    let mut client: Value = serde_json::from_str(body).unwrap();
    client["client_id"] = "1".into();
    client["registration_client_uri"] = format!("{base}/register/1").into();
    client["registration_access_token"] = "secret".into();
    open(201).json(client)
}

/// A server that answers `broken` says otherwise like one without a fault.
pub(crate) fn start(broken: impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static) -> Site {
    Site::start(move |base, asked| broken(base, asked).unwrap_or_else(|| healthy(base, asked)))
}

pub(crate) fn http() -> Http {
    Http::new(doctor::settings()).unwrap()
}

/// Limits of calls, changed.
pub(crate) fn http_with(change: impl FnOnce(&mut Settings)) -> Http {
    let mut settings = doctor::settings();
    change(&mut settings);
    Http::new(settings).unwrap()
}

pub(crate) async fn examine(server: &Url) -> Report {
    let options = Options::default();
    doctor::examine(&http(), server, &options).await.unwrap()
}

/// The names of what was found.
pub(crate) fn ids(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.kind.id).collect()
}

/// Examines a server with one fault: `id` is found, and nothing else.
pub(crate) async fn only(
    id: &str,
    broken: impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static,
) -> Report {
    only_with(id, &Options::default(), broken).await
}

/// The same, examined in another way.
pub(crate) async fn only_with(
    id: &str,
    options: &Options,
    broken: impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static,
) -> Report {
    let site = start(broken);
    let report = doctor::examine(&http(), &site.at("/mcp"), options).await.unwrap();
    assert_eq!(
        ids(&report),
        [id],
        "{}",
        doctor::render(&report, doctor::Look::default())
    );
    report
}

/// The names of the clients that get through.
pub(crate) fn passing(report: &Report) -> Vec<&'static str> {
    let passing = report.clients.iter().filter(|journey| journey.passes);
    passing.map(|journey| journey.name).collect()
}
