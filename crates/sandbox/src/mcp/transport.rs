//! Between actix-web and rmcp: their `http` types are of two generations, and answers must stream.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header::HeaderValue},
    web::{Bytes, BytesMut, Data},
};
use futures_util::{StreamExt, TryStreamExt, future::ready, stream::once};
use http_body_util::{BodyExt, Full};
use tokio::time::sleep;

use super::{Caller, Protection, Refusal, SampleServer, gate, problem};

/// Names the session of a request, or the one that an answer has opened.
const SESSION: &str = "mcp-session-id";
/// What comes within this time comes at once.
const AT_ONCE: Duration = Duration::from_millis(20);

pub(super) type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

/// Hands a request to rmcp and its answer back, each piece when it comes.
pub(super) async fn relay(request: HttpRequest, body: Bytes, server: Data<SampleServer>) -> HttpResponse {
    let caller = match admitted(&request, &body, &server.protection).await {
        Ok(caller) => caller,
        Err(refusal) => return problem::refused(&refusal),
    };
    let user = caller.as_ref().map(|caller| caller.user.clone());
    let session = request.headers().get(SESSION).map(HeaderValue::as_bytes);
    let session = session.map(String::from_utf8_lossy);
    let is_new = session.is_none();
    if session.is_some_and(|id| !server.owners.admit(&id, user.as_deref())) {
        let detail = "no session of yours has this id: begin another with initialize";
        return problem::answer(StatusCode::NOT_FOUND, detail);
    }
    if is_new && user.is_none() && !server.owners.has_room().await {
        let detail = "too many sessions are open of clients without a token: send one, or try again later";
        return problem::answer(StatusCode::SERVICE_UNAVAILABLE, detail);
    }
    let answer = match inbound(&request, body, caller) {
        Ok(request) => server.service.handle(request).await,
        Err(error) => {
            tracing::debug!(%error, "a request that rmcp's types cannot hold");
            return HttpResponse::BadRequest().finish();
        }
    };
    let opened = answer.headers().get(SESSION).and_then(|id| id.to_str().ok());
    if let Some(id) = opened.filter(|_| is_new) {
        server.owners.note(id, user.as_deref()).await;
    }
    outbound(answer).await
}

/// Who is calling, if they may. Whoever lacks something is told by a status, so that a client can log in or ask for more; behind the
/// gateway, where no status helps somebody whom it does not name, each tool answers for itself.
pub(super) async fn admitted(
    request: &HttpRequest,
    body: &[u8],
    protection: &Protection,
) -> Result<Option<Caller>, Refusal> {
    let caller = protection.caller(request).await?;
    if caller.is_some() || matches!(protection, Protection::Alone(_)) {
        protection.admit(request, caller.as_ref(), &gate::needs(body))?;
    }
    Ok(caller)
}

/// The request in rmcp's types, with who sent it.
pub(super) fn inbound(
    request: &HttpRequest,
    body: Bytes,
    caller: Option<Caller>,
) -> Result<http::Request<Full<Bytes>>, http::Error> {
    let mut builder = http::Request::builder()
        .method(request.method().as_str())
        .uri(request.uri().to_string());
    for (name, value) in request.headers() {
        builder = builder.header(name.as_str(), value.as_bytes());
    }
    if let Some(caller) = caller {
        builder = builder.extension(caller);
    }
    builder.body(Full::new(body))
}

async fn outbound(response: http::Response<Body>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    let status = StatusCode::from_u16(parts.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut builder = HttpResponseBuilder::new(status);
    for (name, value) in &parts.headers {
        builder.append_header((name.as_str(), value.as_bytes()));
    }
    let kind = parts.headers.get(http::header::CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        // complete already: it is sent with its length
        return match body.collect().await {
            Ok(whole) => builder.body(whole.to_bytes()),
            Err(never) => match never {},
        };
    }
    stream(&mut builder, body).await
}

/// Sends the pieces as they come. What comes at once goes out as one: a reverse proxy written in Go may cut an answer that
/// begins while it is still looking for the end of the request's body, and reads to its end only what has arrived by then.
async fn stream(builder: &mut HttpResponseBuilder, body: Body) -> HttpResponse {
    let mut pieces = body.into_data_stream();
    let mut early = BytesMut::new();
    let at_once = sleep(AT_ONCE);
    tokio::pin!(at_once);
    loop {
        tokio::select! {
            piece = pieces.next() => match piece {
                Some(Ok(piece)) => early.extend_from_slice(&piece),
                Some(Err(never)) => match never {},
                None => return builder.body(early.freeze()),
            },
            () = &mut at_once => break,
        }
    }
    let rest = pieces.map_err(|never| -> std::io::Error { match never {} });
    if early.is_empty() {
        return builder.streaming(rest);
    }
    builder.streaming(once(ready(Ok(early.freeze()))).chain(rest))
}
