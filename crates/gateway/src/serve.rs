//! The servers: put together, listening, and ended without losing a request.

pub(crate) mod answers;
pub(crate) mod drain;
pub(crate) mod edge;
mod explanation;
pub(crate) mod front;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod parts;
mod passage;
mod rechecks;
pub(crate) mod tls;
mod waiting;

use std::{net::TcpListener, time::Duration};

use actix_service::IntoServiceFactory as _;
use actix_web::{App, HttpServer, dev::ServerHandle, rt, web};
use tracing::{info, warn};

use crate::{
    admin::{self, socket::Socket},
    config::{Config, Listen, Role, StoreConfig},
    failure::Failure,
    logs,
};
use front::Front;
use parts::Parts;
use tls::Renewal;

/// How long an idle connection is kept: longer than proxies keep theirs (Traefik: 90 s), so that it is the proxy who closes
/// it. The other way round a request can meet a connection that is just being closed.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// How long the head of a request may take to come in.
pub(crate) const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the server, or both, until a signal ends it.
///
/// # Errors
/// [`Failure`] when the server cannot start.
pub(crate) async fn run(config: Config, role: Role) -> Result<(), Failure> {
    logs::begin(&config.logs)?;
    for warning in &config.warnings {
        warn!("configuration: {warning}");
    }
    let tls = config.listen.tls.as_ref().map(tls::set_up).transpose();
    let tls = tls.map_err(|problem| Failure::Configuration(problem.to_string()))?;
    let (tls, renewal) = tls.unzip();
    let _renewing = renewal.map(Renewal::begin);
    let listener = bind(&config.listen.host, config.listen.port)?;
    let Some(parts) = waiting::for_parts(&config, role, &listener, tls.as_ref()).await? else {
        return Ok(());
    };
    let _socket = take_orders(&config, &parts)?;
    let _rechecks = parts.begin_rechecks();
    let address = listener.local_addr().map_err(Failure::runtime)?;
    let mut handles = Vec::new();
    if let Some(metrics) = config.listen.metrics {
        handles.push(metrics::begin(metrics, &parts.registry)?);
    }
    let edge = parts.edge.clone();
    let server = listen(&parts, listener, tls, config.listen.shutdown_delay)?;
    let name = role.name();
    info!(%address, issuer = %config.issuer, "{name} {} listens", env!("CARGO_PKG_VERSION"));
    until_signalled(server, handles, edge, &config.listen).await
}

/// With an embedded store, takes an operator's orders over a socket beside it.
///
/// # Errors
/// [`Failure`] when the socket cannot be made.
pub(crate) fn take_orders(config: &Config, parts: &Parts) -> Result<Option<Socket>, Failure> {
    match (&config.store, &parts.office) {
        (StoreConfig::Directory(directory), Some(office)) => {
            admin::socket::listen(directory, office.clone()).map(Some)
        }
        _ => Ok(None),
    }
}

/// Takes the address.
///
/// # Errors
/// [`Failure::Runtime`] that names the port when it is taken.
pub(crate) fn bind(host: &str, port: u16) -> Result<TcpListener, Failure> {
    bind_for(host, port, "--port")
}

/// As [`bind`], where the port is set by `option`.
///
/// # Errors
/// [`Failure::Runtime`] names the way out.
pub(crate) fn bind_for(host: &str, port: u16, option: &str) -> Result<TcpListener, Failure> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    TcpListener::bind((host, port)).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Failure::Runtime(format!(
            "port {port} on {host} is in use by another program: choose another one with {option}"
        )),
        _ => Failure::Runtime(format!("{host}:{port} cannot be listened on: {error}")),
    })
}

fn listen(
    parts: &Parts,
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    shutdown_delay: Duration,
) -> Result<actix_web::dev::Server, Failure> {
    let parts = parts.clone();
    let server = HttpServer::new(move || {
        let app = App::new().configure(parts.routes()).into_factory();
        Front::new(app, parts.edge.clone(), parts.quick())
    })
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_PATIENCE)
    .shutdown_timeout(drain::left_after(shutdown_delay))
    .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls),
        None => server.listen(listener),
    };
    Ok(server.map_err(Failure::runtime)?.run())
}

/// Runs the server until a signal comes and what was in flight has finished.
pub(crate) async fn until_signalled(
    server: actix_web::dev::Server,
    mut others: Vec<ServerHandle>,
    edge: web::Data<edge::Edge>,
    listen: &Listen,
) -> Result<(), Failure> {
    others.insert(0, server.handle());
    let ending = rt::spawn(drain::on_signal(others, edge, listen.shutdown_delay));
    server.await.map_err(Failure::runtime)?;
    ending.abort();
    info!("ended");
    Ok(())
}
