//! Metadata: where a client that was refused finds out whom to ask for a token. Every address comes from the
//! configuration; a host is echoed only when it is a protected one.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, http::header, web};
use mcp_gateway_model::{
    issuer::Issuer,
    metadata::ProtectedResourceMetadata,
    resource::{Protected, ResourceUri, Resources},
};
use serde_json::json;

use crate::{cors, forwarded, forwarded::Asked, reason::Reason, settings::Settings, verifier::Verifier};

/// Where protected resource metadata is (RFC 9728 §3).
pub(crate) const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource";
/// Where authorization server metadata is (RFC 8414 §3, OpenID Connect Discovery §4).
pub(crate) const SERVER_METADATA: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

/// Protected resource metadata ([RFC 9728 §3](https://www.rfc-editor.org/rfc/rfc9728#section-3)).
pub(crate) async fn resource_metadata(request: HttpRequest, verifier: web::Data<Verifier>) -> HttpResponse {
    let settings = &verifier.settings;
    let path = request
        .uri()
        .path()
        .strip_prefix(RESOURCE_METADATA)
        .unwrap_or_default();
    let described = forwarded::host(request.head(), &settings.trusted_proxies)
        .and_then(|host| described(&host, path, settings));
    let Some((resource, protected)) = described else {
        return missing(&verifier, &request);
    };
    let configured = &protected.resource;
    let name = configured.name.clone();
    let document = ProtectedResourceMetadata::new(resource, name, &configured.scopes, &settings.issuer);
    found(&verifier, &request).json(document)
}

/// Authorization server metadata ([RFC 8414 §3](https://www.rfc-editor.org/rfc/rfc8414#section-3)), the same at every
/// address: there is one issuer.
pub(crate) async fn server_metadata(request: HttpRequest, verifier: web::Data<Verifier>) -> HttpResponse {
    found(&verifier, &request)
        .content_type(header::ContentType::json())
        .body(verifier.server_metadata.clone())
}

/// Where the metadata of the resource is that was asked for. Its `resource` is the address that was asked, byte for byte
/// (RFC 9728 §3.3), as long as that address is written in the one plain way.
pub(crate) fn metadata_url(asked: &Asked<'_>, protected: &Protected, verifier: &Verifier) -> String {
    let settings = &verifier.settings;
    let identity = &protected.identity;
    let path = match as_typed(protected, asked.path) {
        Some(_) if asked.path == "/" => "",
        Some(_) => asked.path,
        None => identity.path(),
    };
    if settings.metadata_at_issuer || verifier.detours.include(asked.authority()) {
        let place = settings.issuer.endpoint(RESOURCE_METADATA);
        format!("{place}/{}{path}", identity.authority())
    } else {
        format!("{}{RESOURCE_METADATA}{path}", identity.origin())
    }
}

/// Whether a path is one that a client may look for metadata at.
pub(crate) fn is_sought(path: &str) -> bool {
    path.starts_with("/.well-known/")
}

/// Sends a client on that looks for metadata on a protected host whose router asks here about every request instead of
/// leading discovery to it: the issuer has the same documents. `None` for anything but such a request.
pub(crate) fn redirect(
    asked: &Asked<'_>,
    verifier: &Verifier,
    request: &HttpRequest,
) -> Option<HttpResponse> {
    let below = |place: &str| {
        let rest = asked.path.strip_prefix(place)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    };
    let there = if let Some(rest) = below(RESOURCE_METADATA) {
        format!("{RESOURCE_METADATA}/{}{rest}", asked.authority())
    } else {
        SERVER_METADATA.iter().find(|place| below(place).is_some())?;
        asked.path.to_owned()
    };
    if !asked.site.is_protected() {
        return None;
    }
    let location = verifier.settings.issuer.endpoint(&there);
    ResourceUri::parse_allowing_http(&location).ok()?;
    verifier.detours.note(asked.authority());
    let mut response = HttpResponse::TemporaryRedirect();
    cors::add(&mut response, &verifier.settings.cors, request);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    Some(response.insert_header((header::LOCATION, location)).finish())
}

/// The resource that the metadata at `path` below the well-known one describes, and how it is written there.
fn described(host: &str, path: &str, settings: &Settings) -> Option<(String, Arc<Protected>)> {
    let resources = &settings.resources;
    if is_issuer(host, &settings.issuer) {
        let (other, below) = split_host(path);
        if resources.protects_host(other) {
            return on_host(other, below, resources);
        }
    }
    on_host(host, path, resources)
}

/// `/host/path` in two.
fn split_host(path: &str) -> (&str, &str) {
    let rest = path.strip_prefix('/').unwrap_or_default();
    rest.split_at(rest.find('/').unwrap_or(rest.len()))
}

fn on_host(host: &str, path: &str, resources: &Resources) -> Option<(String, Arc<Protected>)> {
    if !path.is_empty()
        && let Some(protected) = resources.at(host, path)
    {
        return Some((as_typed(&protected, path)?, protected));
    }
    if path.is_empty() || path == "/" {
        let protected = resources.only_one_on(host)?;
        return Some((protected.identity.to_string(), protected));
    }
    None
}

/// The address of `path` at the resource's origin, if that is a resource's URI apart from a trailing slash.
pub(crate) fn as_typed(protected: &Protected, path: &str) -> Option<String> {
    let typed = format!("{}{path}", protected.identity.origin());
    let canonical = ResourceUri::parse_allowing_http(&typed).ok()?;
    (canonical.as_str() == typed.strip_suffix('/').unwrap_or(&typed)).then_some(typed)
}

/// Whether `authority` is the issuer's, which is written without the port of its scheme.
fn is_issuer(authority: &str, issuer: &Issuer) -> bool {
    let default_port = if issuer.is_https() { ":443" } else { ":80" };
    authority.strip_suffix(default_port).unwrap_or(authority) == issuer.authority()
}

fn found(verifier: &Verifier, request: &HttpRequest) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    cors::add(&mut response, &verifier.settings.cors, request);
    response.insert_header((header::CACHE_CONTROL, "public, max-age=300"));
    response
}

fn missing(verifier: &Verifier, request: &HttpRequest) -> HttpResponse {
    let mut response = HttpResponse::NotFound();
    cors::add(&mut response, &verifier.settings.cors, request);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response.json(json!({ "error": "not_found", "error_description": Reason::NotProtected.description() }))
}
