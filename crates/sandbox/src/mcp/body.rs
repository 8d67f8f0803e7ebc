//! Bodies of requests, read as far as they may go.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{Bytes, BytesMut, Payload},
};
use futures_util::StreamExt as _;
use serde_json::{Map, Value};

use super::{items::Fault, problem};

/// Reads a body of at most `largest` bytes.
///
/// # Errors
/// The answer to one that is larger (RFC 9110 §15.5.14), or broken off.
pub(super) async fn read(mut payload: Payload, largest: usize) -> Result<Bytes, HttpResponse> {
    let mut body = BytesMut::new();
    while let Some(piece) = payload.next().await {
        let Ok(piece) = piece else {
            return Err(problem::answer(StatusCode::BAD_REQUEST, "the body breaks off"));
        };
        if body.len() + piece.len() > largest {
            let detail = format!("the body is too large: the most is {largest} bytes");
            return Err(problem::answer(StatusCode::PAYLOAD_TOO_LARGE, &detail));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// Whether the body says that it is JSON (RFC 8259 §11), or a kind of it.
///
/// # Errors
/// The answer to one that says otherwise (RFC 9110 §15.5.16).
pub(super) fn says_json(request: &HttpRequest) -> Result<(), HttpResponse> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let json =
        essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if json {
        return Ok(());
    }
    let detail = match kind {
        "" => "the body has no Content-Type: send application/json".to_owned(),
        kind => format!("the body is {kind}: send application/json"),
    };
    let mut answer = problem::answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, &detail);
    let accepted = header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::ACCEPT, accepted);
    Err(answer)
}

/// Reads a JSON object.
///
/// # Errors
/// The answer to what is no JSON, saying where it is wrong, or no object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, HttpResponse> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(problem::faulty(&[Fault {
            member: "",
            detail: "the body must be a JSON object".to_owned(),
        }])),
        Err(error) => {
            let detail = format!("the body is not JSON: {error}");
            Err(problem::answer(StatusCode::BAD_REQUEST, &detail))
        }
    }
}
