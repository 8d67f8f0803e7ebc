//! Preflights of browsers: answered here, with nothing reflected from the request but an origin that is listed.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web,
};
use mcp_gateway_model::cors::CorsOrigins;
use serde_json::json;

use crate::{cors, verifier::Verifier};

pub(crate) const ALL_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
pub(crate) const READ_METHODS: &str = "GET, HEAD";

/// Any path where nothing is mounted: a preflight for a server behind, or 404.
pub(crate) async fn elsewhere(request: HttpRequest, verifier: web::Data<Verifier>) -> HttpResponse {
    let cors = &verifier.settings.cors;
    answer(&request, cors, ALL_METHODS).unwrap_or_else(|| {
        let mut response = HttpResponse::build(StatusCode::NOT_FOUND);
        cors::add(&mut response, cors, &request);
        response
            .json(json!({ "error": "not_found", "error_description": "there is nothing at this address" }))
    })
}

/// A document asked with another method than GET and HEAD.
pub(crate) async fn at_document(request: HttpRequest, verifier: web::Data<Verifier>) -> HttpResponse {
    at(&request, &verifier.settings.cors, READ_METHODS)
}

/// A preflight, or a mistake.
pub(crate) fn at(request: &HttpRequest, cors: &CorsOrigins, methods: &'static str) -> HttpResponse {
    answer(request, cors, methods).unwrap_or_else(|| {
        HttpResponse::MethodNotAllowed()
            .insert_header((header::ALLOW, methods))
            .finish()
    })
}

/// The answer to a preflight; `None` for any other request.
pub(crate) fn answer(
    request: &HttpRequest,
    cors: &CorsOrigins,
    methods: &'static str,
) -> Option<HttpResponse> {
    let asks = request
        .headers()
        .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() != Method::OPTIONS || !asks || cors::origin(request).is_none() {
        return None;
    }
    let mut response = HttpResponse::NoContent();
    cors::add(&mut response, cors, request);
    response
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, CorsOrigins::REQUEST_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, CorsOrigins::MAX_AGE));
    Some(response.finish())
}
