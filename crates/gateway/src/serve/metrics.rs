//! `/metrics` for Prometheus, on a listener of its own.

use std::net::{SocketAddr, TcpListener};

use actix_web::{App, HttpResponse, HttpServer, dev::ServerHandle, rt, web};
use prometheus::{Registry, TextEncoder};

use crate::failure::Failure;

/// Begins to answer `/metrics` at `address`.
///
/// # Errors
/// [`Failure::Runtime`] when the address is taken.
pub(crate) fn begin(address: SocketAddr, registry: &Registry) -> Result<ServerHandle, Failure> {
    let listener = TcpListener::bind(address)
        .map_err(|error| Failure::Runtime(format!("METRICS_LISTEN: {address} cannot be used: {error}")))?;
    let registry = web::Data::new(registry.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(registry.clone())
            .route("/metrics", web::get().to(metrics))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)
    .map_err(Failure::runtime)?
    .run();
    let handle = server.handle();
    rt::spawn(server);
    Ok(handle)
}

async fn metrics(registry: web::Data<Registry>) -> HttpResponse {
    match TextEncoder::new().encode_to_string(&registry.gather()) {
        Ok(text) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
