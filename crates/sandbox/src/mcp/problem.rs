//! Answers that say what is wrong: problem documents (RFC 9457).

use actix_web::{HttpResponse, HttpResponseBuilder, http::StatusCode};
use serde_json::{Value, json};

use super::protection::Refusal;

/// The media type (RFC 9457 §6.1).
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// A problem document, without a type of its own: the title is what the status means (RFC 9457 §4.2.1).
pub(super) fn document(status: StatusCode, detail: &str) -> Value {
    json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Problem"),
        "status": status.as_u16(),
        "detail": detail,
    })
}

/// The answer to whoever is refused.
pub(super) fn refused(refusal: &Refusal) -> HttpResponse {
    let mut builder = HttpResponseBuilder::new(refusal.status);
    for (name, value) in &refusal.headers {
        builder.append_header((name.clone(), value.clone()));
    }
    let mut document = document(refusal.status, &refusal.detail);
    if !refusal.scopes.is_empty() {
        document["scopes"] = refusal.scopes.clone().into();
    }
    send(&mut builder, &document)
}

fn send(builder: &mut HttpResponseBuilder, document: &Value) -> HttpResponse {
    builder.content_type(MEDIA_TYPE).body(document.to_string())
}
