//! The service: an HTTP interface with which a web backend acts as MCP client for its users (`mcp-oauth serve`).
//!
//! It finds, registers, authorizes, refreshes and calls, and keeps the tokens of each user sealed under that user's name. Who
//! asks is said by the gateway in front, in a header or by an access token; nobody sees what is another's. Every address that a
//! caller names is judged before it is asked, and so is every address that the answer names.

mod authority;
mod caller;
mod calls;
mod client;
mod endpoint;
mod fault;
mod keeper;
mod key_file;
mod log;
mod openapi;
mod parameters;
mod resource;
mod run;
pub mod settings;
pub mod store;
mod user;

use std::sync::Arc;

use actix_web::{middleware::from_fn, web};
use mcp_gateway_model::clock::Clock;

use crate::http::{self, BadSettings, Http, PublicOnly, Targets};
use calls::Calls;
use keeper::Keeper;
pub use run::{RunFault, run};
use settings::{BASE, Settings};
use store::Store;
use user::{Tokens, Users};

/// The service, put together.
pub struct Service {
    settings: Settings,
    /// For the addresses that callers name.
    http: Http,
    users: Users,
    calls: Calls,
    keeper: Arc<Keeper>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service(..)")
    }
}

impl Service {
    /// Puts the service together.
    ///
    /// # Errors
    /// [`BadSettings`] when no calls can be made.
    pub fn new(settings: Settings, store: Store, clock: Arc<dyn Clock>) -> Result<Self, BadSettings> {
        let http = Http::new(settings.http.clone())?;
        let tokens = settings.tokens.clone().map(|tokens| {
            Ok::<_, BadSettings>(Tokens::new(tokens, Http::new(towards_gateway(&settings.http))?))
        });
        Ok(Self {
            calls: Calls::new(settings.limits.calls),
            users: Users::new(settings.trusted_proxies.clone(), tokens.transpose()?),
            keeper: Arc::new(Keeper::new(
                http.clone(),
                store,
                Arc::clone(&clock),
                settings.limits.clone(),
            )),
            settings,
            http,
            clock,
        })
    }

    /// Removes what has ended, and answers how much it was.
    ///
    /// # Errors
    /// [`store::StoreFault`] when the store cannot be written.
    pub async fn sweep(&self) -> Result<u64, store::StoreFault> {
        self.keeper.store.sweep(self.clock.now()).await
    }

    /// Its routes, for an actix application.
    pub fn routes(self: Arc<Self>) -> impl FnOnce(&mut web::ServiceConfig) {
        let service = web::Data::from(self);
        move |config| {
            let base = web::scope(BASE)
                .wrap(from_fn(log::around))
                .route("/discover-resource", web::get().to(endpoint::discover_resource))
                .route(
                    "/discover-auth-server",
                    web::get().to(endpoint::discover_auth_server),
                )
                .route("/register-client", web::post().to(endpoint::register_client))
                .route(
                    "/start-authorization",
                    web::get().to(endpoint::start_authorization),
                )
                .route("/callback", web::get().to(endpoint::callback))
                .route("/refresh-token", web::post().to(endpoint::refresh_token))
                .route("/access-resource", web::to(endpoint::access_resource))
                .default_service(web::to(endpoint::unknown));
            config
                .app_data(service)
                .service(base)
                .route("/openapi.json", web::get().to(openapi::answer))
                .route("/healthz", web::get().to(endpoint::alive))
                .route("/readyz", web::get().to(endpoint::ready));
        }
    }
}

/// Calls to the gateway, whose address the operator names: it may be anywhere.
fn towards_gateway(settings: &http::Settings) -> http::Settings {
    let targets = match &settings.targets {
        Targets::Public(only) if !only.name_servers.is_empty() => Targets::Public(PublicOnly {
            allowed: ["0.0.0.0/0", "::/0"]
                .iter()
                .filter_map(|all| all.parse().ok())
                .collect(),
            ..only.clone()
        }),
        _ => Targets::Any { plain_http: false },
    };
    http::Settings {
        targets,
        ..settings.clone()
    }
}
