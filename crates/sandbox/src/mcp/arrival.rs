//! What happens to every request first: it is recorded, its `Host` is looked at, and pages of other origins are told what
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
use mcp_gateway_model::cors::CorsOrigins;

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
        let detail = "this server does not answer to this Host";
        Some(problem::answer(StatusCode::FORBIDDEN, detail))
    } else if is_preflight(&request) {
        Some(preflight())
    } else {
        None
    };
    let mut answered = match answer {
        Some(answer) => request.into_response(answer),
        None => next.call(request).await?.map_into_boxed_body(),
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
