//! What every JSON endpoint answers besides its own work: preflights, CORS headers for browsers
//! ([Fetch §3.2](https://fetch.spec.whatwg.org/#http-cors-protocol)), headers that keep browsers from doing anything
//! with the answer, and the counting of rejections. Credentials are never allowed: tokens travel in headers and forms
//! that scripts fill themselves.

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web,
};
use mcp_gateway_model::{cors::CorsOrigins, error::LoggedReason};

use crate::{request::Context, state::AuthServer};

/// An endpoint as its answers name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint {
    /// Its name in metrics.
    pub(crate) name: &'static str,
    /// The methods it answers.
    pub(crate) allow: &'static str,
}

/// Answers preflights, and adds the common headers to every other answer.
pub(crate) async fn around(
    endpoint: Endpoint,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut response = if request.method() == Method::OPTIONS {
        let preflight = preflight(endpoint);
        request.into_response(preflight)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let request = response.request().clone();
    if let Some(server) = request.app_data::<web::Data<AuthServer>>() {
        if let Some(reason) = response.response().extensions().get::<LoggedReason>() {
            server.metrics.rejected(endpoint.name, reason.code);
        }
        add_origin(response.headers_mut(), &server.settings.cors, &request);
    }
    add_guards(response.headers_mut());
    Ok(response)
}

fn preflight(endpoint: Endpoint) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, format!("{}, OPTIONS", endpoint.allow)))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, endpoint.allow))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, CorsOrigins::REQUEST_HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, CorsOrigins::MAX_AGE))
        .finish()
}

fn add_origin(headers: &mut HeaderMap, cors: &CorsOrigins, request: &HttpRequest) {
    if *cors != CorsOrigins::Any {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let allowed = cors.allow(Context::origin(request).unwrap_or_default());
    if let Some(allowed) = allowed.and_then(|a| HeaderValue::from_str(a).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(CorsOrigins::EXPOSED_HEADERS),
        );
    }
}

fn add_guards(headers: &mut HeaderMap) {
    let guards: [(HeaderName, &'static str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in guards {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
