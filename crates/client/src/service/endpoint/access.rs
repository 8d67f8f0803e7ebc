//! `access-resource`, any method: a request to a protected resource with the user's token
//! ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)), which the caller need not hold.
//!
//! A JSON answer to GET is wrapped as `{"data": ...}`; everything else passes as it comes, streams included.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web::{Bytes, Payload},
};
use futures_util::TryStreamExt;
use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use url::Url;

use super::{deprecate, read_body};
use crate::{
    discover::Challenge,
    http::HttpFault,
    service::{
        caller::Caller,
        fault::Fault,
        resource,
        store::{Grant, Held},
    },
};

/// The headers of a request that are passed on: what MCP and content need, and nothing that tells who asks.
const TO_RESOURCE: [&str; 9] = [
    "accept",
    "accept-language",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "if-none-match",
];
/// The headers of an answer that are passed back.
const TO_CALLER: [&str; 7] = [
    "content-type",
    "content-language",
    "etag",
    "last-modified",
    "mcp-protocol-version",
    "mcp-session-id",
    "retry-after",
];
/// What a browser may show of an answer; everything else it may only save.
const SHOWN: [&str; 3] = ["application/json", "text/event-stream", "text/plain"];

/// What is sent, as often as it has to be.
struct Passed {
    method: Method,
    url: Url,
    headers: header::HeaderMap,
    body: Bytes,
}

/// Passes a request on, and its answer back.
pub(in crate::service) async fn access_resource(
    request: HttpRequest,
    caller: Caller,
    body: Payload,
) -> Result<HttpResponse, Fault> {
    let raw = caller.parameters.flag("raw")?;
    let passed = Passed {
        method: method(&request)?,
        url: caller.parameters.target("resource_url", &caller.service.http)?,
        headers: headers(&request),
        body: read_body(body, caller.service.settings.limits.body).await?,
    };
    let response = match caller.parameters.get("access_token") {
        Some(token) => send(&caller, &passed, token).await?,
        None => send_with_grant(&caller, &passed).await?,
    };
    if let Some(fault) = refusal(&response) {
        return Err(fault);
    }
    let is_wrapped =
        !raw && passed.method == Method::GET && response.status().is_success() && is_json(&response);
    let mut answer = if is_wrapped {
        wrap(&caller, &passed.url, response).await?
    } else {
        pass(response)
    };
    deprecate(&mut answer, &caller.parameters, &["access_token"]);
    Ok(answer)
}

/// Sends a request with the user's own token: refreshed ahead of its end, and once more if the resource refuses it all the
/// same.
async fn send_with_grant(caller: &Caller, passed: &Passed) -> Result<Response, Fault> {
    let held = held(caller, &passed.url).await?;
    let keeper = &caller.service.keeper;
    let grant: Grant = keeper.fresh(held, None).await?;
    let response = send(caller, passed, &grant.access_token).await?;
    if response.status() != StatusCode::UNAUTHORIZED.as_u16() || grant.refresh_token.is_none() {
        return Ok(response);
    }
    let held = self::held(caller, &passed.url).await?;
    let renewed = keeper.fresh(held, Some(&grant.access_token)).await?;
    send(caller, passed, &renewed.access_token).await
}

/// The user's grant that covers an address.
async fn held(caller: &Caller, url: &Url) -> Result<Held, Fault> {
    let names = resource::covering(url);
    let held = caller.service.keeper.store.grant(&caller.user, &names).await?;
    held.ok_or_else(|| {
        Fault::unauthorized(
            "no_token",
            "The user has not allowed anything at this resource: start an authorization for it.",
        )
    })
}

async fn send(caller: &Caller, passed: &Passed, token: &str) -> Result<Response, Fault> {
    let http = &caller.service.http;
    let mut bearer = header::HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| Fault::request("access_token has characters that no token has."))?;
    bearer.set_sensitive(true);
    let built = http
        .request(passed.method.clone(), passed.url.clone())
        .headers(passed.headers.clone())
        .header(header::AUTHORIZATION, bearer)
        .body(passed.body.clone())
        .build();
    let built = built.map_err(|error| Fault::server(error.without_url().to_string()))?;
    let patience = caller.service.settings.limits.answer;
    let response = tokio::time::timeout(patience, http.stream(built)).await;
    let response = response.unwrap_or(Err(HttpFault::TimedOut(patience)));
    response.map_err(|fault| Fault::of_call(passed.url.as_str(), &fault))
}

/// What the resource says against the token. Its challenge goes no further: it would be taken for one of this service.
fn refusal(response: &Response) -> Option<Fault> {
    match response.status().as_u16() {
        401 => Some(Fault::unauthorized(
            "invalid_token",
            "The resource does not accept the token: start an authorization for it again.",
        )),
        403 => {
            let challenge = Challenge::for_token(response.headers())?;
            (challenge.error() == Some("insufficient_scope")).then(|| {
                Fault::forbidden(
                    "The resource wants more than the user has allowed: start an authorization with this scope.",
                    challenge.scope().map(ToOwned::to_owned),
                )
            })
        }
        _ => None,
    }
}

/// The method, if it is one that asks a resource for something.
fn method(request: &HttpRequest) -> Result<Method, Fault> {
    let method = Method::from_bytes(request.method().as_str().as_bytes()).ok();
    let method = method.filter(|method| *method != Method::CONNECT && *method != Method::TRACE);
    method.ok_or_else(|| Fault::request("This method is not passed on."))
}

fn headers(request: &HttpRequest) -> header::HeaderMap {
    let mut passed = header::HeaderMap::new();
    for name in TO_RESOURCE {
        for value in request.headers().get_all(name) {
            if let Ok(value) = header::HeaderValue::from_bytes(value.as_bytes()) {
                passed.append(header::HeaderName::from_static(name), value);
            }
        }
    }
    let usual = header::HeaderValue::from_static("application/json, text/event-stream");
    passed.entry(header::ACCEPT).or_insert(usual);
    passed
}

/// The media type of an answer, without parameters.
fn media_type(response: &Response) -> String {
    let value = response.headers().get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

fn is_json(response: &Response) -> bool {
    let essence = media_type(response);
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The documented form of a JSON answer.
async fn wrap(caller: &Caller, url: &Url, mut response: Response) -> Result<HttpResponse, Fault> {
    let limit = caller.service.settings.limits.wrapped;
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        match chunk.map_err(|_| Fault::bad_gateway(format!("{url} broke its answer off.")))? {
            None => break,
            Some(chunk) if body.len() + chunk.len() > limit => {
                return Err(Fault::bad_gateway(format!(
                    "The answer of {url} has more than {limit} bytes: ask with raw=true."
                )));
            }
            Some(chunk) => body.extend_from_slice(&chunk),
        }
    }
    let data: Value = serde_json::from_slice(&body)
        .map_err(|_| Fault::bad_gateway(format!("The answer of {url} says that it is JSON, and is not.")))?;
    let mut answer = HttpResponse::Ok();
    for name in TO_CALLER.into_iter().filter(|name| name.starts_with("mcp-")) {
        if let Some(value) = response
            .headers()
            .get(name)
            .and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok())
        {
            answer.insert_header((HeaderName::from_static(name), value));
        }
    }
    Ok(answer.json(json!({ "data": data })))
}

/// The answer as it comes, while it comes.
fn pass(response: Response) -> HttpResponse {
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut answer = HttpResponse::build(status);
    for name in TO_CALLER {
        for value in response.headers().get_all(name) {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                answer.append_header((HeaderName::from_static(name), value));
            }
        }
    }
    let essence = media_type(&response);
    if !essence.is_empty() && !SHOWN.contains(&essence.as_str()) {
        answer.insert_header(("content-disposition", "attachment"));
    }
    let broken = |error: reqwest::Error| std::io::Error::other(error.without_url());
    answer.streaming(response.bytes_stream().map_err(broken))
}
