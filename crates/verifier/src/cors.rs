//! Which browser origins may read an answer (CORS). The proxy's own CORS middleware does not touch what ForwardAuth answers.

use actix_web::{
    HttpRequest, HttpResponseBuilder,
    http::header::{self, HeaderName, HeaderValue},
};
use mcp_gateway_model::cors::CorsOrigins;

/// Headers that let the request's origin read the answer, if it may.
pub(crate) fn headers(cors: &CorsOrigins, request: &HttpRequest) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::with_capacity(3);
    if *cors != CorsOrigins::Any {
        headers.push((header::VARY, HeaderValue::from_static("Origin")));
    }
    let allowed = cors.allow(origin(request).unwrap_or_default());
    if let Some(allowed) = allowed.and_then(|a| HeaderValue::from_str(a).ok()) {
        headers.push((header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed));
        headers.push((
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(CorsOrigins::EXPOSED_HEADERS),
        ));
    }
    headers
}

/// Adds [`headers`] to an answer.
pub(crate) fn add(response: &mut HttpResponseBuilder, cors: &CorsOrigins, request: &HttpRequest) {
    for header in headers(cors, request) {
        response.insert_header(header);
    }
}

/// The origin of the page that asks.
pub(crate) fn origin(request: &HttpRequest) -> Option<&str> {
    request.headers().get(header::ORIGIN)?.to_str().ok()
}
