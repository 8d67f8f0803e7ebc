//! A sample MCP server: something to protect.
//!
//! Either it believes the identity headers of the gateway in front of it, or it checks tokens itself: see [`Protection`].

mod alone;
mod arrival;
mod behind;
mod body;
mod caller;
mod exercises;
mod gate;
mod hold;
mod identity;
mod items;
mod owners;
mod plain;
mod problem;
mod protection;
mod recorder;
mod rest;
mod sse;
mod tools;
mod transport;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{
    HttpRequest, HttpResponse,
    guard::{self, GuardContext},
    http::{Method, StatusCode},
    middleware::from_fn,
    web::{self, Data, ServiceConfig},
};
use mcp_gateway_model::secret::Digest;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use serde_json::json;

use crate::running::{self, Running};

pub use caller::Caller;
pub use items::{Items, MOST_ITEMS, OpenError};
pub use protection::{Guard, Need, Protection, Refusal};
pub use recorder::{Recorded, Recorder};

use arrival::{Hosts, Proof};
use exercises::{Changes, Offer};
use owners::Owners;
use plain::Plain;
use sse::Streams;
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
    /// What the gateway in front shows with every request, in the header `X-Gateway-Proof`: nobody is believed without it, so that
    /// other accounts of the machine cannot say who they are. `None`: the network keeps everybody else away.
    pub proof: Option<Digest>,
    /// How it is protected.
    pub protection: Protection,
    /// Whether it has what the official MCP conformance suite asks servers for, besides its own tools.
    pub exercises: bool,
    /// The data it keeps for its users.
    pub items: Items,
}

/// A sample MCP server. Clones share their sessions, their data and their recorder.
#[derive(Clone)]
pub struct SampleServer {
    service: Arc<Service>,
    owners: Owners,
    plain: Arc<Plain>,
    streams: Streams,
    tools: Tools,
    items: Items,
    protection: Protection,
    hosts: Hosts,
    proof: Proof,
    recorder: Recorder,
}

impl SampleServer {
    /// A server with these options; it serves nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let tools = Tools::new(options.items.clone(), options.protection.clone());
        // hosts are looked at when a request arrives
        let config = StreamableHttpServerConfig::default()
            .with_max_request_body_bytes(LARGEST_BODY)
            .disable_allowed_hosts();
        let (of_sessions, of_messages) = (tools.clone(), tools.clone());
        let changes = options.exercises.then(Changes::default);
        let sessions = Arc::new(LocalSessionManager::default());
        let service = StreamableHttpService::new(
            move || Ok(Offer::new(of_sessions.clone(), changes.clone())),
            Arc::clone(&sessions),
            config,
        );
        Self {
            service: Arc::new(service),
            owners: Owners::new(sessions),
            plain: Arc::new(plain::service(move || of_messages.clone())),
            streams: Streams::default(),
            tools,
            items: options.items,
            protection: options.protection,
            hosts: Hosts(options.allowed_hosts),
            proof: Proof(options.proof),
            recorder: Recorder::default(),
        }
    }

    /// What tells which requests reached the server.
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Mounts `/mcp`, `/mcp/v1` and what is below it, `/api` and `/health`.
    pub fn configure(&self, config: &mut ServiceConfig) {
        if let Protection::Alone(guard) = &self.protection {
            guard.configure(config);
        }
        config
            .app_data(Data::new(self.clone()))
            .service(
                web::resource("/mcp/v1")
                    .guard(guard::fn_guard(is_of_a_stream))
                    .route(web::get().to(sse::open))
                    .route(web::post().to(sse::message))
                    .wrap(from_fn(arrival::pass)),
            )
            .service(
                web::resource(["/mcp", "/mcp/v1"])
                    .app_data(web::PayloadConfig::new(LARGEST_BODY))
                    .route(web::route().to(transport::relay))
                    .wrap(from_fn(arrival::pass)),
            )
            .service(
                web::scope("/mcp/v1")
                    .configure(sse::configure)
                    .configure(plain::configure)
                    .default_service(web::to(nothing_here))
                    .wrap(from_fn(arrival::pass)),
            )
            .service(
                web::scope("/api")
                    .configure(rest::configure)
                    .default_service(web::to(nothing_here))
                    .wrap(from_fn(arrival::pass)),
            )
            .service(
                problem::resource("/health", "GET, HEAD")
                    .route(web::get().to(health))
                    .route(web::head().to(health))
                    .wrap(from_fn(arrival::open_to_pages)),
            );
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
        self.start_at(TcpListener::bind(address)?)
    }

    /// As [`SampleServer::start_on`], at a listener that its caller has bound.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start_at(&self, listener: TcpListener) -> io::Result<RunningSample> {
        let server = self.clone();
        let running = running::serve_at(listener, move |config| {
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

    /// Ends every session, closes every connection, and waits until that is done. Its data directory is free then.
    pub async fn stop(self) {
        self.server.close();
        self.running.stop().await;
        self.server.items.close();
    }
}

/// A message of a stream, or a GET that belongs to no session, of a client of a revision that knows such streams: of 2024-11-05,
/// above all.
fn is_of_a_stream(context: &GuardContext<'_>) -> bool {
    let head = context.head();
    let version = head.headers().get("mcp-protocol-version");
    let is_free = !head.headers().contains_key("mcp-session-id");
    match head.method {
        Method::GET => is_free && version.is_none_or(|version| version.as_bytes() < &b"2026-07-28"[..]),
        Method::POST => is_free && sse::names_a_stream(head.uri.query()),
        _ => false,
    }
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Below an address that is here.
async fn nothing_here() -> HttpResponse {
    problem::answer(StatusCode::NOT_FOUND, "there is nothing at this address")
}

/// Whatever else was asked for: it is not here, but it did get here.
async fn elsewhere(request: HttpRequest, server: Data<SampleServer>) -> HttpResponse {
    server.recorder.record(&request);
    nothing_here().await
}
