//! `/healthz`, `/health`, `/readyz` and `/version`.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use actix_web::{HttpResponse, http::header, rt::time::timeout, web};
use mcp_gateway_model::clock::{Clock, Timestamp};
use mcp_gateway_store::{GrantReader, Store, StoreError, Warning};
use serde_json::json;
use tokio::sync::Mutex as AsyncMutex;
use tracing::warn;

use super::edge::Edge;

/// How long an answer of the store counts, in milliseconds.
const FRESH: u64 = 1000;
/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What readiness depends on.
pub(crate) struct Health {
    pub(crate) edge: web::Data<Edge>,
    pub(crate) reader: Arc<dyn GrantReader>,
    pub(crate) store: Option<Arc<dyn Store>>,
    pub(crate) clock: Arc<dyn Clock>,
    /// What the last question gave, and when it was asked: anybody may ask, the store is asked once a second.
    pub(crate) last: AsyncMutex<Option<(Timestamp, Result<(), String>)>>,
    /// What the operator was warned of last.
    pub(crate) warned: Mutex<Vec<Warning>>,
}

impl Health {
    /// Whether the store answers. An operator is warned when its set-up begins to be unsafe.
    async fn check(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.reader.health(now).await?;
        if let Some(store) = &self.store {
            self.warn(store.inspect(now).await?);
        }
        Ok(())
    }

    /// As [`Health::check`], at most once a second.
    async fn recent(&self) -> Result<(), String> {
        let mut last = self.last.lock().await;
        let now = self.clock.now();
        if let Some((asked, outcome)) = &*last
            && *asked <= now
            && now.millis() - asked.millis() < FRESH
        {
            return outcome.clone();
        }
        let outcome = match timeout(PATIENCE, self.check()).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        if let Err(reason) = &outcome {
            warn!(reason, "not ready: the store does not answer");
        }
        *last = Some((now, outcome.clone()));
        outcome
    }

    /// Logs warnings that are new.
    pub(crate) fn warn(&self, warnings: Vec<Warning>) {
        let Ok(mut warned) = self.warned.lock() else {
            return;
        };
        for Warning(text) in warnings.iter().filter(|warning| !warned.contains(warning)) {
            warn!("store: {text}");
        }
        *warned = warnings;
    }
}

/// Mounts them.
pub(crate) fn configure(health: web::Data<Health>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |routes| {
        routes
            .app_data(health)
            .service(
                web::resource(["/healthz", "/health"])
                    .route(web::get().to(alive))
                    .route(web::head().to(alive)),
            )
            .service(
                web::resource("/readyz")
                    .route(web::get().to(ready))
                    .route(web::head().to(ready)),
            )
            .service(web::resource("/version").route(web::get().to(version)));
    }
}

pub(super) async fn alive() -> HttpResponse {
    answer(HttpResponse::Ok(), &json!({ "status": "ok" }))
}

async fn ready(health: web::Data<Health>) -> HttpResponse {
    if health.edge.draining.load(Ordering::SeqCst) {
        return answer(HttpResponse::ServiceUnavailable(), &json!({ "status": "ending" }));
    }
    match health.recent().await {
        Ok(()) => answer(HttpResponse::Ok(), &json!({ "status": "ready" })),
        Err(_) => answer(
            HttpResponse::ServiceUnavailable(),
            &json!({ "status": "store_unavailable" }),
        ),
    }
}

pub(super) async fn version() -> HttpResponse {
    let body = json!({ "name": "mcp-oauth-gateway", "version": env!("CARGO_PKG_VERSION") });
    answer(HttpResponse::Ok(), &body)
}

pub(super) fn answer(mut builder: actix_web::HttpResponseBuilder, body: &serde_json::Value) -> HttpResponse {
    builder
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .json(body)
}
