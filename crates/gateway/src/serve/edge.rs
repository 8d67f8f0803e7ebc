//! What every request passes on its way in and out: a name, a line in the log, a limit on its time.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use actix_web::{
    HttpMessage, HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    dev::{ResponseHead, ServiceRequest, ServiceResponse},
    error::{ErrorRequestTimeout, InternalError},
    http::{
        ConnectionType, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use mcp_gateway_model::{error::LoggedReason, id::RequestId, proxy::TrustedProxies};
use serde_json::json;

use super::answers::Answers;
use crate::logs::{line::Line, requests};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long a request may take to come in and be decided. Bodies of answers that are streamed take what they need.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a path the log shows.
const PATH_SHOWN: usize = 200;

/// What is known about all requests.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Whether browsers are told to come by https only (RFC 6797).
    pub(crate) https_only: bool,
    /// Whose `X-Forwarded-For` and `X-Request-Id` are believed.
    pub(crate) trusted_proxies: TrustedProxies,
    /// Set when the process is about to end.
    pub(crate) draining: AtomicBool,
    /// Answers by status.
    pub(crate) answers: Answers,
    /// How long a request may take; `None` for as long as it likes.
    pub(crate) patience: Option<Duration>,
}

impl Edge {
    /// The edge with its counter in `registry`.
    ///
    /// # Errors
    /// When the registry has such a counter already.
    pub(crate) fn new(
        trusted_proxies: TrustedProxies,
        https_only: bool,
        registry: &prometheus::Registry,
    ) -> Result<Self, prometheus::Error> {
        Ok(Self {
            https_only,
            trusted_proxies,
            draining: AtomicBool::new(false),
            answers: Answers::register(registry)?,
            patience: Some(PATIENCE),
        })
    }

    /// The request's name: the proxy's, if a trusted one sent a good one, else a new one.
    fn request_id(&self, request: &ServiceRequest, peer: IpAddr) -> RequestId {
        request
            .headers()
            .get(REQUEST_ID)
            .filter(|_| self.trusted_proxies.trusts(peer))
            .and_then(|value| RequestId::parse(value.to_str().ok()?).ok())
            .unwrap_or_else(RequestId::generate)
    }

    fn client_address(&self, request: &ServiceRequest, peer: IpAddr) -> IpAddr {
        let forwarded: Vec<_> = request
            .headers()
            .get_all("x-forwarded-for")
            .filter_map(|value| value.to_str().ok())
            .collect();
        self.trusted_proxies.client_address(peer, &forwarded.join(","))
    }
}

/// The middleware.
pub(crate) async fn pass<B: MessageBody + 'static>(
    edge: web::Data<Edge>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let began = Began::now();
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    let id = edge.request_id(&request, peer);
    let address = edge.client_address(&request, peer);
    let method = request.method().clone();
    let path: String = request.path().chars().take(PATH_SHOWN).collect();
    request.extensions_mut().insert(id.clone());
    // the framework needs the request to itself until it has found a route, so nothing of it is held on to here
    let answer = match edge.patience {
        Some(patience) => match actix_web::rt::time::timeout(patience, next.call(request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(ErrorRequestTimeout("")),
        },
        None => next.call(request).await,
    };
    let answer = answer.map(|answer| explained(answer.map_into_boxed_body()));
    let (answer, status, reason) = match answer {
        Ok(mut answer) => {
            finish(&edge, answer.response_mut().head_mut(), &id);
            let reason = answer.response().extensions().get::<LoggedReason>().cloned();
            let status = answer.status();
            (Ok(answer), status, reason)
        }
        Err(error) => {
            let mut response = explained_error(&error);
            finish(&edge, response.head_mut(), &id);
            let status = response.status();
            (
                Err(InternalError::from_response(error, response).into()),
                status,
                None,
            )
        }
    };
    edge.answers.count(status);
    let took = began.elapsed();
    requests::write(&Line {
        at: began.micros_after(took),
        method: method.as_str(),
        path: &path,
        status: status.as_u16(),
        ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        request_id: id.as_str(),
        client: address,
        reason: reason.as_ref().map(|reason| reason.code),
        detail: reason
            .as_ref()
            .map(|reason| reason.detail.as_str())
            .filter(|detail| !detail.is_empty()),
    });
    answer
}

/// When a request came: by the clock on the wall, and by one that only goes forward.
#[derive(Clone, Copy, Debug)]
struct Began {
    wall: SystemTime,
    instant: Instant,
}

impl Began {
    #[expect(
        clippy::disallowed_methods,
        reason = "the outermost edge, where a request's time is measured"
    )]
    fn now() -> Self {
        Self {
            wall: SystemTime::now(),
            instant: Instant::now(),
        }
    }

    fn elapsed(self) -> Duration {
        self.instant.elapsed()
    }

    /// Microseconds since the epoch, so long after it.
    fn micros_after(self, duration: Duration) -> u64 {
        let wall = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default() + duration;
        u64::try_from(wall.as_micros()).unwrap_or(u64::MAX)
    }
}

fn finish(edge: &Edge, head: &mut ResponseHead, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        head.headers_mut().insert(REQUEST_ID, value);
    }
    if edge.https_only {
        head.headers_mut().insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    if edge.draining.load(Ordering::SeqCst) {
        // the framework writes the header itself
        head.set_connection_type(ConnectionType::Close);
    }
}

/// Refusals of the framework have no body, or a plain one: they get the JSON that all others have.
fn explained(answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = answer.status();
    let plain = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    let bare = matches!(
        answer.response().body().size(),
        BodySize::None | BodySize::Sized(_)
    );
    if !plain || !bare || !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }
    let mut answer = answer.map_body(|_, _| BoxBody::new(explanation(status)));
    json_headers(answer.headers_mut());
    answer
}

/// The answer to an error that no handler has made one of.
fn explained_error(error: &actix_web::Error) -> HttpResponse {
    let status = error.as_response_error().status_code();
    let mut response = HttpResponse::build(status).body(explanation(status));
    json_headers(response.headers_mut());
    response
}

fn json_headers(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

/// What a status means here, as JSON.
fn explanation(status: StatusCode) -> String {
    let (error, description) = match status {
        StatusCode::NOT_FOUND => ("not_found", "there is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this address does not know this method"),
        StatusCode::REQUEST_TIMEOUT => ("invalid_request", "the request took too long to come in"),
        StatusCode::PAYLOAD_TOO_LARGE => ("invalid_request", "the body is too large"),
        StatusCode::MISDIRECTED_REQUEST => ("misdirected_request", "this host is not served here"),
        status if status.is_server_error() => (
            "server_error",
            "something went wrong here; the log knows the request id",
        ),
        _ => ("invalid_request", "the request cannot be understood"),
    };
    json!({ "error": error, "error_description": description }).to_string()
}
