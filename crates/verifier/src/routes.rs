//! Where everything is mounted. Each group brings its own state, so that it can stand beside other routes in one app.

use std::sync::Arc;

use actix_web::{
    guard::{Any, Get, Head},
    web::{self, ServiceConfig},
};

use crate::{
    discovery::{self, RESOURCE_METADATA, SERVER_METADATA},
    preflight,
    verifier::Verifier,
    verify,
    worker::Worker,
};

/// `/verify`. To be called on the thread that will serve it: what is remembered is remembered by thread, and shared with
/// [`Verifier::quick`] there.
pub fn configure_verify(verifier: &Arc<Verifier>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let state = web::Data::new(Worker::here(verifier));
    move |routes| {
        routes
            .app_data(state)
            .service(web::resource("/verify").to(verify::verify));
    }
}

/// Protected resource metadata (RFC 9728) with and without a path: on protected hosts, and below the issuer with the
/// host in the path. An app with the authorization server alone has it too, for routers that only reach the issuer.
pub fn configure_resource_metadata(verifier: &Arc<Verifier>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let state = web::Data::from(Arc::clone(verifier));
    move |routes| {
        routes
            .app_data(state)
            .service(document(RESOURCE_METADATA).route(read().to(discovery::resource_metadata)));
    }
}

/// The authorization server's metadata (RFC 8414, OpenID Connect Discovery) with and without a path, for clients that
/// ask the protected host for it. Not for an app in which the authorization server itself is mounted: it answers the
/// same paths.
pub fn configure_discovery_for_protected_hosts(
    verifier: &Arc<Verifier>,
) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let state = web::Data::from(Arc::clone(verifier));
    move |routes| {
        routes.app_data(state);
        for path in SERVER_METADATA {
            routes.service(document(path).route(read().to(discovery::server_metadata)));
        }
    }
}

/// The default service: answers preflights of browsers on any path that nothing else is mounted at, and 404 to the rest.
/// The proxy sends `OPTIONS` with `Access-Control-Request-Method` on protected hosts here, past ForwardAuth.
pub fn configure_preflight(verifier: &Arc<Verifier>) -> impl FnOnce(&mut ServiceConfig) + use<> {
    let state = web::Data::from(Arc::clone(verifier));
    move |routes| {
        routes
            .app_data(state)
            .default_service(web::to(preflight::elsewhere));
    }
}

/// A document at `path` and everywhere below it; other methods than those of its routes are preflights or mistakes.
fn document(path: &str) -> actix_web::Resource {
    web::resource([path.to_owned(), format!("{path}/{{below:.*}}")])
        .default_service(web::to(preflight::at_document))
}

fn read() -> actix_web::Route {
    web::route().guard(Any(Get()).or(Head()))
}
