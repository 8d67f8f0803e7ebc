//! The issuer as a server reaches it that shares no store with it: its metadata, its keys, and what it says of tokens.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mcp_gateway_model::{
    clock::Clock,
    issuer::{Issuer, is_loopback},
    key::PublicKey,
    resource::ResourceUri,
    secret::Secret,
};
use mcp_gateway_store::{Moment, moment};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, RequestBuilder, StatusCode, Url, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{ResourceServerSettings, introspection::Introspected};
use crate::{
    keys::KeySource,
    reason::{Cause, Reason},
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long a whole call may take.
const CALL: Duration = Duration::from_secs(5);
/// How long after it could not be read the metadata is not asked for again.
const PAUSE: Duration = Duration::from_secs(1);
/// No answer of the issuer is longer, in bytes.
const LONGEST: usize = 256 * 1024;

/// There is no HTTP client to ask the issuer with.
#[derive(Debug, thiserror::Error)]
#[error("the issuer cannot be asked: {0}")]
pub struct NoClient(#[from] reqwest::Error);

/// The issuer, and how this server proves who it is there.
pub(super) struct Remote {
    client: Client,
    issuer: Issuer,
    uri: ResourceUri,
    secret: Secret,
    clock: Arc<dyn Clock>,
    /// Where things are; forgotten when something is not there any more.
    places: RwLock<Option<Arc<Places>>>,
    /// Held by the one request that reads the metadata; until when nobody does after that failed.
    reading: Mutex<Option<Moment>>,
    /// How often that failed: whoever waited meanwhile takes that for an answer, instead of waiting as long again.
    failures: AtomicU64,
}

/// Why there is no answer.
struct Unanswered {
    why: String,
    /// Whether what was asked may be somewhere else now.
    is_gone: bool,
}

/// What is looked at of the metadata ([RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)).
#[derive(Deserialize)]
struct Places {
    issuer: String,
    jwks_uri: Url,
    introspection_endpoint: Url,
}

/// A JWK set; keys of a kind that is not known are left out.
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Remote {
    /// A client with its limits. It follows no redirect: nothing that it sends is for anybody else.
    pub(super) fn new(settings: &ResourceServerSettings, clock: Arc<dyn Clock>) -> Result<Self, NoClient> {
        let builder = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(CALL)
            .redirect(Policy::none())
            .user_agent(concat!("mcp-gateway-verifier/", env!("CARGO_PKG_VERSION")));
        // proxies of the environment are not asked for this machine
        let builder = if is_loopback(settings.issuer.url()) {
            builder.no_proxy()
        } else {
            builder
        };
        Ok(Self {
            client: builder.build()?,
            issuer: settings.issuer.clone(),
            uri: settings.uri.clone(),
            secret: Secret::presented(settings.secret.reveal().to_owned()),
            clock,
            places: RwLock::default(),
            reading: Mutex::default(),
            failures: AtomicU64::default(),
        })
    }

    /// Asks about a token (RFC 7662 §2.1). User name is the resource's URI, password its secret, both encoded as forms are
    /// ([RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
    pub(super) async fn introspect(&self, token: &str) -> Result<Introspected, Cause> {
        let places = self.places().await?;
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let question = self
            .client
            .post(places.introspection_endpoint.clone())
            .basic_auth(encoded(self.uri.as_str()), Some(encoded(self.secret.reveal())))
            .form(&[("token", token)]);
        self.ask(question, "its introspection endpoint").await
    }

    /// Where the issuer's endpoints are.
    async fn places(&self) -> Result<Arc<Places>, Cause> {
        if let Some(places) = self.known() {
            return Ok(places);
        }
        let failures = self.failures.load(Ordering::Acquire);
        let mut pause_until = self.reading.lock().await;
        if let Some(places) = self.known() {
            return Ok(places);
        }
        let pauses = pause_until.is_some_and(|until| !until.has_passed(moment(&*self.clock)));
        if pauses || self.failures.load(Ordering::Acquire) != failures {
            return Err(unavailable("its metadata could not be read a moment ago".into()));
        }
        let read = self.read_places().await;
        if let Ok(places) = &read {
            self.know(Some(Arc::clone(places)));
        } else {
            let pause = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
            *pause_until = Some(moment(&*self.clock).plus_millis(pause));
            self.failures.fetch_add(1, Ordering::Release);
        }
        read
    }

    async fn read_places(&self) -> Result<Arc<Places>, Cause> {
        let address = self.issuer.endpoint("/.well-known/oauth-authorization-server");
        let places: Places = self.ask(self.client.get(address), "its metadata").await?;
        if places.issuer != self.issuer.as_str() {
            return Err(unavailable("its metadata name another issuer".into()));
        }
        let is_safe = |url: &Url| url.scheme() == "https" || is_loopback(url);
        if !is_safe(&places.jwks_uri) || !is_safe(&places.introspection_endpoint) {
            return Err(unavailable(
                "its metadata name an address that is not https".into(),
            ));
        }
        Ok(Arc::new(places))
    }

    fn known(&self) -> Option<Arc<Places>> {
        self.places.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn know(&self, places: Option<Arc<Places>>) {
        *self.places.write().unwrap_or_else(PoisonError::into_inner) = places;
    }

    /// The answer to a question. If nothing is there any more that answers, the next question begins with the metadata.
    async fn ask<T: DeserializeOwned>(&self, question: RequestBuilder, what: &str) -> Result<T, Cause> {
        read(question).await.map_err(|Unanswered { why, is_gone }| {
            if is_gone {
                self.know(None);
            }
            unavailable(format!("{what}: {why}"))
        })
    }
}

/// The issuer's keys, read over the network.
pub(super) struct IssuersKeys(pub(super) Arc<Remote>);

#[async_trait]
impl KeySource for IssuersKeys {
    async fn public_keys(&self) -> Result<Vec<PublicKey>, Cause> {
        let remote = &self.0;
        let places = remote.places().await?;
        let question = remote.client.get(places.jwks_uri.clone());
        let set: KeySet = remote.ask(question, "its keys").await?;
        let known = set.keys.into_iter();
        Ok(known.filter_map(|key| serde_json::from_value(key).ok()).collect())
    }
}

/// Sends a question and reads the answer, as far as one may be long.
async fn read<T: DeserializeOwned>(question: RequestBuilder) -> Result<T, Unanswered> {
    let unanswered = |why: &str| Unanswered {
        why: why.to_owned(),
        is_gone: false,
    };
    let broken = |error: reqwest::Error| Unanswered {
        is_gone: error.is_connect(),
        ..unanswered(said(&error))
    };
    let mut answer = question.send().await.map_err(broken)?;
    match answer.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED => {
            return Err(unanswered(
                "it does not accept this server's URI and secret: compare them with introspection_secret_file of the resource \
                 there",
            ));
        }
        StatusCode::TOO_MANY_REQUESTS => return Err(unanswered("it asks to wait (429)")),
        status => {
            return Err(Unanswered {
                why: format!("status {}", status.as_u16()),
                is_gone: [StatusCode::NOT_FOUND, StatusCode::GONE].contains(&status),
            });
        }
    }
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(broken)? {
        if body.len() + piece.len() > LONGEST {
            return Err(unanswered("the answer is too long"));
        }
        body.extend_from_slice(&piece);
    }
    serde_json::from_slice(&body).map_err(|_| unanswered("the answer cannot be read"))
}

/// The kind of failure, without an address.
fn said(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it takes too long"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    }
}

fn unavailable(detail: String) -> Cause {
    Cause {
        reason: Reason::IssuerUnavailable,
        detail,
    }
}
