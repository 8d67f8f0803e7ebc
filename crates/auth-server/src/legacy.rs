//! `/authorize`, `/token` and `/register` at the origin of a protected server: where clients look that find no metadata
//! ([MCP 2025-03-26, fallbacks without metadata discovery](https://modelcontextprotocol.io/specification/2025-03-26/basic/authorization#233-fallbacks-for-servers-without-metadata-discovery)).
//! Unless `LEGACY_ENDPOINTS` turns them on, there is nothing of ours on those hosts. No page is ever shown there and no cookie
//! set: `/authorize` only sends the browser on to the issuer.

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode, header},
    middleware::Next,
    web,
};
use serde_json::json;

use crate::{request, settings::Settings, state::AuthServer};

/// The endpoints that these clients know, and the other names they have here.
const ENDPOINTS: [&str; 6] = [
    "/authorize",
    "/token",
    "/register",
    "/oauth/authorize",
    "/oauth/token",
    "/oauth/register",
];

/// Around every endpoint: those that these clients know are not on the hosts of protected servers, or not as elsewhere.
pub(crate) async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let server = request.app_data::<web::Data<AuthServer>>().cloned();
    let elsewhere = server.and_then(|server| at_protected_host(request.request(), &server.settings));
    match elsewhere {
        Some(answer) => Ok(request.into_response(answer)),
        None => next.call(request).await.map(ServiceResponse::map_into_boxed_body),
    }
}

/// The answer on a protected server's host, if the endpoint does not answer there as it does at the issuer.
fn at_protected_host(request: &HttpRequest, settings: &Settings) -> Option<HttpResponse> {
    // as the routes read it: an escaped letter leads to the same endpoint
    let path = request.match_info().as_str();
    if !ENDPOINTS.contains(&path) && !path.starts_with("/oauth/clients/") {
        return None;
    }
    let host = request::host(request, settings)?;
    if host == settings.issuer.authority() || !settings.resources.protects_host(&host) {
        return None;
    }
    match path {
        "/token" | "/register" if settings.legacy_endpoints => None,
        "/authorize" if settings.legacy_endpoints => Some(send_on(request, &host, settings)),
        _ => Some(refused(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is nothing at this address",
        )),
    }
}

/// To the issuer's endpoint with the same query. A client that names no resource means the one it talks to, if there is
/// only one.
fn send_on(request: &HttpRequest, host: &str, settings: &Settings) -> HttpResponse {
    if request.method() != Method::GET {
        let description = "this endpoint answers GET only";
        return refused(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", description);
    }
    let mut query = request.query_string().to_owned();
    let names_resource = url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "resource");
    if !names_resource && let Some(only) = settings.resources.only_one_on(host) {
        let resource = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("resource", &only.identity.to_string())
            .finish();
        query = if query.is_empty() {
            resource
        } else {
            format!("{query}&{resource}")
        };
    }
    let place = settings.issuer.endpoint("/authorize");
    HttpResponse::Found()
        .insert_header((header::LOCATION, format!("{place}?{query}")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish()
}

fn refused(status: StatusCode, error: &'static str, description: &'static str) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.insert_header((header::ALLOW, "GET"));
    }
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .json(json!({ "error": error, "error_description": description }))
}
