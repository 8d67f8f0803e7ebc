//! Refusals of the framework have no body, or a plain one: they get the JSON that all others have.

use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody as _},
    dev::Response,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
};
use serde_json::json;

/// The answer, explained if it is a refusal that nobody has explained.
pub(super) fn explained(answer: Response<BoxBody>) -> Response<BoxBody> {
    let status = answer.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return answer;
    }
    let plain = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    let bare = matches!(answer.body().size(), BodySize::None | BodySize::Sized(_));
    if !plain || !bare {
        return answer;
    }
    let mut answer = answer.map_body(|_, _| BoxBody::new(explanation(status)));
    json_headers(answer.headers_mut());
    answer
}

/// The answer to an error that no handler has made one of.
pub(super) fn explained_error(error: &actix_web::Error) -> Response<BoxBody> {
    let status = error.as_response_error().status_code();
    let mut response = HttpResponse::build(status).body(explanation(status));
    json_headers(response.headers_mut());
    response.into()
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
