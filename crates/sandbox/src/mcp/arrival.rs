//! What happens to every request first: it is recorded, its `Host` and what proves that it comes through the gateway are looked at, and pages of other origins are told what
//! they may do (CORS).

use actix_web::{
    HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use mcp_gateway_model::{cors::CorsOrigins, secret::Digest};

use super::{SampleServer, problem};

/// The `Host`s that are answered, with or without a port. None: any.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(pub(super) Vec<String>);

impl Hosts {
    fn hold(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let mut allowed = self.0.iter();
        self.0.is_empty()
            || allowed.any(|allowed| allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(name))
    }
}

/// In which header a gateway on the same machine shows that it is the one.
pub(super) const PROOF: &str = "x-gateway-proof";

/// What the gateway in front shows with every request. None: whoever is here is believed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Proof(pub(super) Option<Digest>);

impl Proof {
    fn is_shown(self, headers: &HeaderMap) -> bool {
        let mut shown = headers.get_all(PROOF);
        self.0.is_none_or(|proof| {
            let one = shown.next().filter(|_| shown.next().is_none());
            one.is_some_and(|one| Digest::of(one.as_bytes()) == proof)
        })
    }
}

const METHODS: &str = "GET, HEAD, POST, PUT, DELETE";
const EXPOSED_HEADERS: &str = "WWW-Authenticate, Mcp-Session-Id, Retry-After, Location, Allow";

/// The middleware.
pub(super) async fn pass<B: MessageBody + 'static>(
    server: Data<SampleServer>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    server.recorder.record(request.request());
    let host = request.headers().get(header::HOST);
    let answer = if !server
        .hosts
        .hold(host.and_then(|host| host.to_str().ok()).unwrap_or_default())
    {
        let names = server.hosts.0.join(" or ");
        let detail = format!("this server does not answer to this Host: call it at {names}");
        Some(problem::answer(StatusCode::FORBIDDEN, &detail))
    } else if !server.proof.is_shown(request.headers()) {
        let detail = "this server stands behind a gateway: call it at the gateway's address";
        Some(problem::answer(StatusCode::FORBIDDEN, detail))
    } else {
        None
    };
    match answer {
        Some(answer) => {
            let mut answered = request.into_response(answer);
            open(answered.headers_mut());
            Ok(answered)
        }
        None => open_to_pages(request, next).await,
    }
}

/// The part of it that is for pages of other origins.
pub(super) async fn open_to_pages<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let mut answered = if is_preflight(&request) {
        request.into_response(preflight())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    open(answered.headers_mut());
    Ok(answered)
}

fn is_preflight(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The same to every page: nothing of the request is reflected.
fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, CorsOrigins::REQUEST_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, CorsOrigins::MAX_AGE))
        .finish()
}

/// Every page may read the answer; none gets a browser to send credentials of its own.
fn open(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_answered_with_its_port_or_without() {
        let hosts = |names: &[&str]| Hosts(names.iter().map(|&name| name.to_owned()).collect());
        for (names, host, held) in [
            (&[][..], "any.example.com", true),
            (&["echo.example.com"], "Echo.example.com:8443", true),
            (&["echo.example.com:8443"], "echo.example.com:8443", true),
            (&["echo.example.com:8443"], "echo.example.com:9000", false),
            (&["echo.example.com:8443"], "echo.example.com", false),
            (&["[::1]"], "[::1]:8000", true),
            (&["echo.example.com"], "evil.example.com", false),
            (&["echo.example.com"], "", false),
        ] {
            assert_eq!(hosts(names).hold(host), held, "{names:?} {host}");
        }
    }
}
