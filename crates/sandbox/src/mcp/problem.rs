//! Answers that say what is wrong: problem documents (RFC 9457).

use actix_web::{
    HttpResponse, HttpResponseBuilder, Resource,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
    web,
};
use serde_json::{Value, json};

use super::{
    items::{Fault, Unchanged},
    protection::Refusal,
};

/// The media type (RFC 9457 §6.1).
const MEDIA_TYPE: &str = "application/problem+json";

/// The answer with this status.
pub(super) fn answer(status: StatusCode, detail: &str) -> HttpResponse {
    send(&mut HttpResponseBuilder::new(status), &document(status, detail))
}

/// The answer to JSON with these faults; each is named by a JSON pointer (RFC 6901).
pub(super) fn faulty(faults: &[Fault]) -> HttpResponse {
    let details: Vec<_> = faults.iter().map(|fault| fault.detail.as_str()).collect();
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let mut document = document(status, &details.join("; "));
    let errors = faults.iter().map(|fault| {
        let pointer = match fault.member {
            "" => "#".to_owned(),
            member => format!("#/{member}"),
        };
        json!({ "detail": fault.detail, "pointer": pointer })
    });
    document["errors"] = errors.collect();
    send(&mut HttpResponseBuilder::new(status), &document)
}

/// The answer to a change that was not made.
pub(super) fn unchanged(reason: &Unchanged) -> HttpResponse {
    let status = match reason {
        Unchanged::Unknown => StatusCode::NOT_FOUND,
        Unchanged::TooMany => StatusCode::CONFLICT,
        Unchanged::Full => StatusCode::INSUFFICIENT_STORAGE,
        Unchanged::Unkept(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    answer(status, &reason.to_string())
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

/// A place that tells which methods it takes (RFC 9110 §15.5.6), once it has its routes.
pub(super) fn resource(path: &str, methods: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || async move {
        let detail = format!("this address takes {methods}");
        let mut answer = answer(StatusCode::METHOD_NOT_ALLOWED, &detail);
        let allowed = HeaderValue::from_static(methods);
        answer.headers_mut().insert(header::ALLOW, allowed);
        answer
    }))
}

/// A problem without a type of its own: the title is what the status means (RFC 9457 §4.2.1).
fn document(status: StatusCode, detail: &str) -> Value {
    json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Problem"),
        "status": status.as_u16(),
        "detail": detail,
    })
}

fn send(builder: &mut HttpResponseBuilder, document: &Value) -> HttpResponse {
    builder.content_type(MEDIA_TYPE).body(document.to_string())
}
