//! The server's own documents: its metadata ([RFC 9728](https://www.rfc-editor.org/rfc/rfc9728)), and the way to the issuer's.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    guard::{Any, Get, Head},
    http::header,
    web::{self, Data, ServiceConfig},
};
use mcp_gateway_model::metadata::ProtectedResourceMetadata;
use serde_json::json;

use super::ResourceServer;
use crate::{
    cors,
    discovery::{self, RESOURCE_METADATA, SERVER_METADATA},
    preflight::{self, READ_METHODS},
    reason::Reason,
};

impl ResourceServer {
    /// Mounts the metadata of the server at the root and below it, and sends clients that look here for the authorization
    /// server's (as those of MCP 2025-03-26 do) to the issuer.
    pub fn configure(self: &Arc<Self>) -> impl FnOnce(&mut ServiceConfig) + use<> {
        let server = Data::from(Arc::clone(self));
        move |routes| {
            routes.app_data(server);
            let read = || web::route().guard(Any(Get()).or(Head()));
            let mut mount = |path: &str, route| {
                let document = web::resource([path.to_owned(), format!("{path}/{{below:.*}}")]);
                routes.service(document.route(route).default_service(web::to(otherwise)));
            };
            mount(RESOURCE_METADATA, read().to(metadata));
            for path in SERVER_METADATA {
                mount(path, read().to(at_the_issuer));
            }
        }
    }
}

/// Where the metadata is that a client of `path` looks for. Nothing of it comes from the `Host` header.
pub(super) fn metadata_url(server: &ResourceServer, path: &str) -> String {
    let uri = &server.settings.uri;
    let path = if described(server, path).is_some() {
        path.strip_suffix('/').unwrap_or(path)
    } else {
        uri.path()
    };
    format!("{}{RESOURCE_METADATA}{path}", uri.origin())
}

/// The server's URI as a client has to find it in the metadata at `path`, byte for byte (RFC 9728 §3.3); at the root, the
/// configured one.
fn described(server: &ResourceServer, path: &str) -> Option<String> {
    let uri = &server.settings.uri;
    if path.is_empty() || path == "/" {
        return Some(uri.to_string());
    }
    let protected = server.resources.at(uri.authority(), path)?;
    discovery::as_typed(&protected, path)
}

/// RFC 9728 §3.
async fn metadata(request: HttpRequest, server: Data<ResourceServer>) -> HttpResponse {
    let settings = &server.settings;
    let path = request.path().strip_prefix(RESOURCE_METADATA).unwrap_or_default();
    let Some(uri) = described(&server, path) else {
        let mut response = HttpResponse::NotFound();
        cors::add(&mut response, &settings.cors, &request);
        let description = Reason::NotProtected.description();
        return response.json(json!({ "error": "not_found", "error_description": description }));
    };
    let name = settings.name.clone();
    let mut response = HttpResponse::Ok();
    cors::add(&mut response, &settings.cors, &request);
    response.insert_header((header::CACHE_CONTROL, "public, max-age=300"));
    response.json(ProtectedResourceMetadata::new(
        uri,
        name,
        &settings.scopes,
        &settings.issuer,
    ))
}

/// The issuer describes itself.
async fn at_the_issuer(request: HttpRequest, server: Data<ResourceServer>) -> HttpResponse {
    let settings = &server.settings;
    let known = SERVER_METADATA
        .into_iter()
        .find(|place| request.path().starts_with(place));
    let mut response = HttpResponse::TemporaryRedirect();
    cors::add(&mut response, &settings.cors, &request);
    let there = settings.issuer.endpoint(known.unwrap_or_default());
    response.insert_header((header::LOCATION, there)).finish()
}

/// Another method than GET and HEAD.
async fn otherwise(request: HttpRequest, server: Data<ResourceServer>) -> HttpResponse {
    preflight::at(&request, &server.settings.cors, READ_METHODS)
}
