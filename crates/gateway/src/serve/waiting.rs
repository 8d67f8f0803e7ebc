//! The time before the servers are put together: the store may be away, and signing keys may have to be made. Until then
//! the gateway is alive, not ready, and ends when it is told to.

use std::{net::TcpListener, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, http::header, rt, web};
use futures_util::future::{Either, select};
use serde_json::json;

use super::{drain, health, parts::Parts};
use crate::{
    config::{Config, Role},
    failure::Failure,
};

/// How long putting together may take before the port answers.
const PATIENCE: Duration = Duration::from_millis(500);

/// Puts the servers together, answering on `listener` as long as that takes; `None` when a signal came first.
///
/// # Errors
/// [`Failure`] says what is in the way.
pub(super) async fn for_parts(
    config: &Config,
    role: Role,
    listener: &TcpListener,
    tls: Option<&rustls::ServerConfig>,
) -> Result<Option<Parts>, Failure> {
    let mut parts = Box::pin(Parts::put_together(config, role));
    if let Ok(parts) = rt::time::timeout(PATIENCE, &mut parts).await {
        return parts.map(Some);
    }
    let server = HttpServer::new(|| App::new().configure(routes))
        .workers(1)
        .shutdown_timeout(1)
        .disable_signals();
    let listener = listener.try_clone().map_err(Failure::runtime)?;
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls.clone()),
        None => server.listen(listener),
    };
    let server = server.map_err(Failure::runtime)?.run();
    let handle = server.handle();
    rt::spawn(server);
    let outcome = match select(parts, Box::pin(drain::signalled())).await {
        Either::Left((parts, _)) => parts.map(Some),
        Either::Right((signalled, _)) => signalled.map(|()| None).map_err(Failure::runtime),
    };
    handle.stop(true).await;
    outcome
}

fn routes(routes: &mut web::ServiceConfig) {
    routes
        .service(web::resource(["/healthz", "/health"]).to(health::alive))
        .service(web::resource("/version").to(health::version))
        .default_service(web::to(not_yet));
}

async fn not_yet() -> HttpResponse {
    let mut builder = HttpResponse::ServiceUnavailable();
    builder.insert_header((header::RETRY_AFTER, "1"));
    health::answer(
        builder,
        &json!({
            "error": "temporarily_unavailable",
            "error_description": "the gateway is starting and waits for its store; try again in a moment",
        }),
    )
}
