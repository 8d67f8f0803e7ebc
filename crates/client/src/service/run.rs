//! Listens until a signal ends it.

use std::{net::TcpListener, sync::Arc, time::Duration};

use actix_web::{App, HttpServer};
use mcp_gateway_model::clock::{Clock, SystemClock};

use super::{
    Service, key_file,
    settings::{Settings, StoreSettings},
    store::Store,
};

/// How often the broom goes through the embedded store.
const SWEEP: Duration = Duration::from_secs(300);
/// How long an idle connection is kept: longer than proxies keep theirs, so that it is the proxy who closes it.
const KEEP_ALIVE: Duration = Duration::from_secs(120);
/// How long the head of a request may take.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long requests under way may take after a signal, in seconds.
const DRAIN: u64 = 10;
/// The most connections at once, for each worker.
const CONNECTIONS: usize = 1024;

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RunFault(String);

/// Runs the service until a signal ends it; `started` is told its address once it listens.
///
/// # Errors
/// [`RunFault`] says what has to be mended.
pub async fn run(mut settings: Settings, started: impl FnOnce(std::net::SocketAddr)) -> Result<(), RunFault> {
    let fault = |error: &dyn std::fmt::Display| RunFault(error.to_string());
    let (host, port) = (settings.host.clone(), settings.port);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let listener = TcpListener::bind((bare, port))
        .map_err(|error| RunFault(format!("{host}:{port} cannot be listened on: {error}")))?;
    let address = listener.local_addr().map_err(|error| fault(&error))?;
    let store = open(&mut settings)?;
    let now = SystemClock.now();
    store.mark(now).await.map_err(|error| fault(&error))?;
    for warning in store.inspect(now).await.map_err(|error| fault(&error))? {
        tracing::warn!("{warning}");
    }
    let service = Service::new(settings, store, Arc::new(SystemClock)).map_err(|error| fault(&error))?;
    let service = Arc::new(service);
    let sweeping = tokio::spawn(sweep(Arc::clone(&service)));
    let server = HttpServer::new(move || App::new().configure(Arc::clone(&service).routes()))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEAD_PATIENCE)
        .max_connections(CONNECTIONS)
        .shutdown_timeout(DRAIN)
        .listen(listener)
        .map_err(|error| fault(&error))?;
    started(address);
    let ended = server.run().await;
    sweeping.abort();
    ended.map_err(|error| fault(&error))
}

/// Opens the store, with the key that is kept beside it if no other was given.
fn open(settings: &mut Settings) -> Result<Store, RunFault> {
    let keys = &mut settings.encryption_keys;
    let opened = match &settings.store {
        StoreSettings::Directory(directory) => {
            if keys.is_empty() {
                keys.push(key_file::read_or_make(&directory.join("service.key")).map_err(RunFault)?);
            }
            Store::open(&directory.join("service.redb"), keys)
        }
        StoreSettings::Redis(redis) => Store::redis(redis, keys),
    };
    opened.map_err(|error| RunFault(error.to_string()))
}

async fn sweep(service: Arc<Service>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Err(fault) = service.sweep().await {
            tracing::warn!(%fault, "what has ended cannot be removed");
        }
    }
}
