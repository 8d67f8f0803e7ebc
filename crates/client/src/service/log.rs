//! One line for each request: never its parameters, which may hold codes and tokens.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderName, HeaderValue},
    middleware::Next,
    web::Data,
};
use url::form_urlencoded;

use super::{Service, fault::Fault, store::UserId};

/// What every answer says besides: nobody keeps it, and whatever another server put into it is no page of this site.
const GUARDS: [(HeaderName, HeaderValue); 4] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// What opens something, and stands in the address of requests all the same.
const SECRETS: [&str; 2] = ["access_token", "refresh_token"];
/// Since when it should not ([RFC 9745 §2](https://www.rfc-editor.org/rfc/rfc9745#section-2)): 2026-11-21.
const DEPRECATED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("deprecation"),
    HeaderValue::from_static("@1795219200"),
);

/// Answers a request, guards the answer, and writes the line. What comes with a token in its address is deprecated, however it
/// is answered.
pub(super) async fn around(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let clock = request
        .app_data::<Data<Service>>()
        .map(|service| service.clock.clone());
    let started = clock.as_ref().map(|clock| clock.ticks());
    let is_deprecated = form_urlencoded::parse(request.query_string().as_bytes())
        .any(|(name, _)| SECRETS.contains(&name.as_ref()));
    let mut response = next.call(request).await?;
    for (name, value) in GUARDS.into_iter().chain(is_deprecated.then_some(DEPRECATED)) {
        response.headers_mut().insert(name, value);
    }
    let took = started
        .zip(clock)
        .map(|(started, clock)| started.until(clock.ticks()));
    let asked = response.request();
    let user = asked.extensions().get::<UserId>().cloned();
    let error = response.response().error();
    let fault = error.and_then(|error| error.as_error::<Fault>());
    tracing::info!(
        method = %asked.method(),
        path = asked.path(),
        status = response.status().as_u16(),
        user = user.as_ref().map(UserId::as_str),
        error = fault.map(|fault| fault.code.as_ref()),
        cause = fault.and_then(|fault| fault.cause.as_deref()),
        ms = took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        "request"
    );
    Ok(response)
}
