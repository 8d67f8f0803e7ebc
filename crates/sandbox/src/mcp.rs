//! A sample MCP server: something to protect.
//!
//! Either it believes the identity headers of the gateway in front of it, or it checks tokens itself: see [`Protection`].

mod behind;
mod caller;
mod exercises;
mod gate;
mod hold;
mod identity;
mod problem;
mod protection;
mod recorder;
mod tools;
mod transport;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use actix_web::{
    HttpRequest, HttpResponse,
    web::{self, Data, ServiceConfig},
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use serde_json::json;

use crate::running::{self, Running};

pub use caller::Caller;
pub use protection::{Guard, Need, Protection, Refusal};
pub use recorder::{Recorded, Recorder};

use exercises::{Changes, Offer};
use hold::Holds;
use tools::Tools;

/// The service behind `/mcp`, shared by all workers so that a session is not tied to one.
pub(crate) type Service = StreamableHttpService<Offer, LocalSessionManager>;

/// The largest request body, in bytes.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// How a sample server is set up.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The `Host`s that are answered, with or without a port. Empty: any, since the gateway in front decides.
    pub allowed_hosts: Vec<String>,
    /// How it is protected.
    pub protection: Protection,
    /// Whether it has what the official MCP conformance suite asks servers for, besides its own tools.
    pub exercises: bool,
}

/// A sample MCP server. Clones share their sessions and their recorder.
#[derive(Clone)]
pub struct SampleServer {
    service: Arc<Service>,
    recorder: Recorder,
    protection: Protection,
}

impl SampleServer {
    /// A server with these options; it serves nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut config = StreamableHttpServerConfig::default().with_max_request_body_bytes(LARGEST_BODY);
        // an empty list lets every host in
        config.allowed_hosts = options.allowed_hosts;
        let holds = Holds::default();
        let changes = options.exercises.then(Changes::default);
        let service = StreamableHttpService::new(
            move || Ok(Offer::new(Tools::new(holds.clone()), changes.clone())),
            Arc::new(LocalSessionManager::default()),
            config,
        );
        Self {
            service: Arc::new(service),
            recorder: Recorder::default(),
            protection: options.protection,
        }
    }

    /// What tells which requests reached the server.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Mounts `/mcp` and `/health`.
    pub fn configure(&self, config: &mut ServiceConfig) {
        if let Protection::Alone(guard) = &self.protection {
            guard.configure(config);
        }
        config
            .app_data(Data::new(self.protection.clone()))
            .app_data(Data::from(Arc::clone(&self.service)))
            .app_data(Data::new(self.recorder.clone()))
            .service(
                web::resource("/mcp")
                    .app_data(web::PayloadConfig::new(LARGEST_BODY))
                    .route(web::route().to(transport::relay)),
            )
            .route("/health", web::get().to(health));
    }

    /// Serves on a free port of 127.0.0.1, on a thread of its own.
    ///
    /// # Errors
    /// When no port can be bound or no thread started.
    pub fn start(&self) -> io::Result<RunningSample> {
        self.start_on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Serves on `address`, whichever it is: the gateway reaches it over a network, everybody else must not.
    ///
    /// # Errors
    /// When the address cannot be bound or no thread started.
    pub fn start_on(&self, address: SocketAddr) -> io::Result<RunningSample> {
        let server = self.clone();
        let running = running::start(address, move |config| {
            server.configure(config);
            config.default_service(web::route().to(elsewhere));
        })?;
        Ok(RunningSample {
            running,
            server: self.clone(),
        })
    }

    /// Ends every open session and stream.
    pub fn close(&self) {
        self.service.config.cancellation_token.cancel();
    }
}

impl Default for SampleServer {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl std::fmt::Debug for SampleServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SampleServer").finish_non_exhaustive()
    }
}

/// A sample server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct RunningSample {
    running: Running,
    server: SampleServer,
}

impl RunningSample {
    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// Its origin, without a trailing slash.
    #[must_use]
    pub fn url(&self) -> String {
        self.running.url()
    }

    /// Where MCP is spoken.
    #[must_use]
    pub fn mcp_url(&self) -> String {
        format!("{}/mcp", self.url())
    }

    /// What tells which requests reached the server.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.server.recorder()
    }

    /// Ends every session, closes every connection, and waits until that is done.
    pub async fn stop(self) {
        self.server.close();
        self.running.stop().await;
    }
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whatever else was asked for: it is not here, but it did get here.
async fn elsewhere(request: HttpRequest, recorder: Data<Recorder>) -> HttpResponse {
    recorder.record(&request);
    HttpResponse::NotFound().json(json!({ "error": "not found" }))
}
