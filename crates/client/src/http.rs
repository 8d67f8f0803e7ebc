//! Outbound calls. Each is bounded in time and size, goes only where [`Targets`] let it, and is never redirected unseen.

mod answer;
mod fault;
mod inside;
mod names;
mod targets;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use mcp_gateway_model::issuer::is_loopback;
use reqwest::{
    Certificate, Client, ClientBuilder, Method, Request, Response,
    header::{self, HeaderValue},
    redirect::Policy,
};
use tokio::time::Instant;
use url::Url;

pub use answer::Answer;
pub use fault::{BadSettings, HttpFault, RefusedTarget};
use names::{CheckedNames, Names};
pub use targets::{PublicOnly, Targets};
use targets::{Reach, is_elsewhere};

/// The most header fields of an answer.
const HEADERS: usize = 100;
/// How often a document may say that it is elsewhere.
const REDIRECTS: usize = 3;

/// The limits of outbound calls.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a connection may take to come about.
    pub connect: Duration,
    /// How long a whole call may take, its answer included. Streams are bounded by `idle` instead.
    pub call: Duration,
    /// How long a stream may be silent.
    pub idle: Duration,
    /// The most bytes of an answer.
    pub limit: usize,
    /// What is sent as `User-Agent`.
    pub user_agent: String,
    /// Where calls may go.
    pub targets: Targets,
    /// Root certificates besides those of the system, in PEM.
    pub extra_roots: Option<Vec<u8>>,
    /// Names and where they are, whatever name servers say. Only where any address may be asked.
    pub resolve: Vec<(String, IpAddr)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            limit: 256 * 1024,
            user_agent: concat!("mcp-oauth/", env!("CARGO_PKG_VERSION")).to_owned(),
            targets: Targets::default(),
            extra_roots: None,
            resolve: Vec::new(),
        }
    }
}

/// The HTTP client of all outbound calls.
#[derive(Clone, Debug)]
pub struct Http {
    /// For what any address may be asked.
    open: Client,
    /// For the allowed networks only.
    inside: Option<Client>,
    /// For this machine: never by way of a proxy.
    here: Arc<OnceLock<Client>>,
    /// Whether nothing inside of a network is asked.
    keeps_outside: bool,
    settings: Arc<Settings>,
}

impl Http {
    /// A client with these limits.
    ///
    /// # Errors
    /// [`BadSettings`] when certificates, name servers or the `User-Agent` cannot be used.
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        let (open, inside) = match &settings.targets {
            Targets::Any { .. } => (client(&settings, None)?, None),
            Targets::Public(only) => {
                let names = Names::new(&only.name_servers)?;
                let checked = |only_allowed| Arc::new(CheckedNames::new(names.clone(), only, only_allowed));
                let has_allowed = !only.allowed.is_empty();
                let inside = has_allowed.then(|| client(&settings, Some(checked(true))));
                (client(&settings, Some(checked(false)))?, inside.transpose()?)
            }
        };
        Ok(Self {
            open,
            inside,
            here: Arc::default(),
            keeps_outside: false,
            settings: Arc::new(settings),
        })
    }

    /// The same for what the documents of `server` name. A server of the public internet does not lead inside of a network
    /// ([MCP security best practices](https://modelcontextprotocol.io/docs/tutorials/security/security_best_practices#server-side-request-forgery-ssrf)),
    /// but to what [`Settings::resolve`] names.
    pub async fn for_documents_of(&self, server: &Url) -> Self {
        let is_any = matches!(self.settings.targets, Targets::Any { .. });
        Self {
            keeps_outside: is_any && !inside::is_inside(server, &self.settings).await,
            ..self.clone()
        }
    }

    /// The limits.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Starts a request, for [`Http::call`] and [`Http::stream`].
    pub fn request(&self, method: Method, url: Url) -> reqwest::RequestBuilder {
        self.open.request(method, url)
    }

    /// Makes a call and reads its whole answer. A redirect is an answer like any other.
    ///
    /// # Errors
    /// [`HttpFault`] says why there is no answer.
    pub async fn call(&self, request: Request) -> Result<Answer, HttpFault> {
        let url = request.url().clone();
        let started = Instant::now();
        let reading = async {
            let response = self.send(request).await?;
            answer::read(response, self.settings.limit, |error| self.fault(&error)).await
        };
        let read = tokio::time::timeout(self.settings.call, reading).await;
        let (status, headers, body) = read.unwrap_or(Err(HttpFault::TimedOut(self.settings.call)))?;
        Ok(Answer {
            url,
            status,
            headers,
            body,
            redirects: Vec::new(),
            elapsed: started.elapsed(),
        })
    }

    /// Makes a call of whose answer only the header is read: its body may be a stream that never ends.
    ///
    /// # Errors
    /// [`HttpFault`] says why there is no answer.
    pub async fn head(&self, request: Request) -> Result<Answer, HttpFault> {
        let url = request.url().clone();
        let started = Instant::now();
        let sent = tokio::time::timeout(self.settings.call, self.send(request)).await;
        let mut response = sent.unwrap_or(Err(HttpFault::TimedOut(self.settings.call)))?;
        Ok(Answer {
            url,
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: Vec::new(),
            redirects: Vec::new(),
            elapsed: started.elapsed(),
        })
    }

    /// Reads a document with GET. At most three redirects are followed, each judged like the address itself, and none from
    /// https to http; [`Answer::redirects`] tells of them.
    ///
    /// # Errors
    /// [`HttpFault`] says why there is no answer.
    pub async fn get(&self, url: &Url) -> Result<Answer, HttpFault> {
        let mut at = url.clone();
        let mut redirects = Vec::new();
        let started = Instant::now();
        loop {
            let request = self.request(Method::GET, at.clone());
            let accept = HeaderValue::from_static("application/json, application/*+json;q=0.9");
            let request = request.header(header::ACCEPT, accept).build();
            let request = request.map_err(|error| self.fault(&error))?;
            let mut answer = self.call(request).await?;
            let next = answer.location().filter(|_| redirects.len() < REDIRECTS);
            let Some(next) = next.filter(|next| !is_elsewhere(&at, next)) else {
                answer.redirects = redirects;
                answer.elapsed = started.elapsed();
                return Ok(answer);
            };
            redirects.push(next.clone());
            at = next;
        }
    }

    /// Makes a call and hands over its answer when the header is there: for answers that are streams. The body ends with an
    /// error when it is silent for too long.
    ///
    /// # Errors
    /// [`HttpFault`] says why there is no answer.
    pub async fn stream(&self, request: Request) -> Result<Response, HttpFault> {
        self.send(request).await
    }

    async fn send(&self, request: Request) -> Result<Response, HttpFault> {
        let url = request.url();
        let reach = self.settings.targets.judge(url)?;
        let is_named = || {
            url.domain()
                .is_some_and(|name| inside::named(name, &self.settings).is_some())
        };
        if self.keeps_outside && !is_named() && inside::is_inside(url, &self.settings).await {
            return Err(RefusedTarget::Inside.into());
        }
        let client = match reach {
            Reach::Open if is_loopback(url) => self.here()?,
            Reach::Open => &self.open,
            Reach::Inside => self
                .inside
                .as_ref()
                .ok_or(HttpFault::Refused(RefusedTarget::NotPublic))?,
        };
        client.execute(request).await.map_err(|error| self.fault(&error))
    }

    /// What is sent to this machine is nobody else's to carry, whatever proxies the environment names.
    fn here(&self) -> Result<&Client, HttpFault> {
        if let Some(client) = self.here.get() {
            return Ok(client);
        }
        let built = builder(&self.settings).and_then(|builder| built(builder.no_proxy()));
        let built = built.map_err(|bad| HttpFault::Broken(bad.to_string()))?;
        Ok(self.here.get_or_init(|| built))
    }

    fn fault(&self, error: &reqwest::Error) -> HttpFault {
        let tells = matches!(self.settings.targets, Targets::Any { .. });
        HttpFault::of(error, tells, self.settings.call)
    }
}

fn client(settings: &Settings, names: Option<Arc<CheckedNames>>) -> Result<Client, BadSettings> {
    let builder = builder(settings)?;
    built(match names {
        // a proxy would resolve the names itself
        Some(names) => builder.no_proxy().pool_max_idle_per_host(0).dns_resolver(names),
        // the port of the address that is asked stays
        None => settings.resolve.iter().fold(builder, |builder, (name, address)| {
            builder.resolve(name, SocketAddr::new(*address, 0))
        }),
    })
}

fn builder(settings: &Settings) -> Result<ClientBuilder, BadSettings> {
    let roots = match &settings.extra_roots {
        Some(pem) => {
            Certificate::from_pem_bundle(pem).map_err(|error| BadSettings::Roots(error.to_string()))?
        }
        None => Vec::new(),
    };
    Ok(Client::builder()
        .connect_timeout(settings.connect)
        .read_timeout(settings.idle)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .http1_max_headers(HEADERS)
        .user_agent(&settings.user_agent)
        .tls_certs_merge(roots))
}

fn built(builder: ClientBuilder) -> Result<Client, BadSettings> {
    let built = builder.build();
    built.map_err(|error| BadSettings::Client(fault::chain(&error)))
}
