//! Between actix-web and rmcp: their `http` types are of two generations, and answers must stream.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::StatusCode,
    web::{Bytes, Data},
};
use futures_util::TryStreamExt;
use http_body_util::{BodyExt, Full};

use super::{Recorder, Service};

type Body = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

/// Hands a request to rmcp and its answer back, each piece when it comes.
pub(super) async fn relay(
    request: HttpRequest,
    body: Bytes,
    service: Data<Service>,
    recorder: Data<Recorder>,
) -> HttpResponse {
    recorder.record(&request);
    match inbound(&request, body) {
        Ok(request) => outbound(service.handle(request).await).await,
        Err(error) => {
            tracing::debug!(%error, "a request that rmcp's types cannot hold");
            HttpResponse::BadRequest().finish()
        }
    }
}

fn inbound(request: &HttpRequest, body: Bytes) -> Result<http::Request<Full<Bytes>>, http::Error> {
    let mut builder = http::Request::builder()
        .method(request.method().as_str())
        .uri(request.uri().to_string());
    for (name, value) in request.headers() {
        builder = builder.header(name.as_str(), value.as_bytes());
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
    builder.streaming(
        body.into_data_stream()
            .map_err(|never| -> std::io::Error { match never {} }),
    )
}
