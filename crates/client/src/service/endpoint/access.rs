//! `access-resource`, any method: a request to a protected resource with the user's token
//! ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)), which the caller need not hold.
//!
//! A JSON answer to GET is wrapped as `{"data": ...}`; everything else passes as it comes, streams included.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web::{Bytes, Payload},
};
use futures_util::{StreamExt, TryStreamExt};
use reqwest::{Method, Response, header};
use serde_json::{Value, json};
use url::Url;

use super::read_body;
use crate::{
    discover::Challenge,
    http::HttpFault,
    service::{
        caller::Caller,
        calls::Permit,
        fault::Fault,
        resource,
        store::{Grant, Held},
    },
};

/// What the headers of MCP begin with. All of them are passed on, and back: those of a tool's parameters (`Mcp-Param-Region`)
/// have names that nobody knows before.
const OF_MCP: &str = "mcp-";
/// The other headers of a request that are passed on: what content needs, and nothing that tells who asks.
const TO_RESOURCE: [&str; 5] = [
    "accept",
    "accept-language",
    "content-type",
    "last-event-id",
    "if-none-match",
];
/// The other headers of an answer that are passed back.
const TO_CALLER: [&str; 5] = [
    "content-type",
    "content-language",
    "etag",
    "last-modified",
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
    let permit = caller.service.calls.begin(&caller.user)?;
    let passed = Passed {
        method: method(&request)?,
        url: caller.parameters.target("resource_url", &caller.service.http)?,
        headers: headers(&request),
        body: read_body(body, &caller.service, caller.service.settings.limits.body).await?,
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
    if is_wrapped {
        let patience = caller.service.settings.limits.answer;
        let wrapped = tokio::time::timeout(patience, wrap(&caller, &passed.url, response)).await;
        let late = |_| Fault::of_call(passed.url.as_str(), &HttpFault::TimedOut(patience));
        wrapped.map_err(late)?
    } else {
        Ok(pass(response, permit, caller.service.settings.limits.stream))
    }
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
    let response = response.map_err(|fault| Fault::of_call(passed.url.as_str(), &fault))?;
    // after a 101 the connection would be a tunnel: a proxy in front would let its user write there whatever it likes
    if (200..600).contains(&response.status().as_u16()) {
        return Ok(response);
    }
    Err(Fault::bad_gateway(format!(
        "{} answers with status {}.",
        passed.url,
        response.status().as_u16()
    )))
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
    for (name, value) in request.headers() {
        if !is_passed(name.as_str(), &TO_RESOURCE) {
            continue;
        }
        let name = header::HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, header::HeaderValue::from_bytes(value.as_bytes())) {
            passed.append(name, value);
        }
    }
    let usual = header::HeaderValue::from_static("application/json, text/event-stream");
    passed.entry(header::ACCEPT).or_insert(usual);
    passed
}

fn is_passed(name: &str, others: &[&str]) -> bool {
    name.starts_with(OF_MCP) || others.contains(&name)
}

/// The headers of an answer that are passed back; of several types the first, which is the one that is judged.
fn passed_back(response: &Response) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    response.headers().iter().filter_map(|(name, value)| {
        let name = name.as_str();
        let is_first = name != "content-type" || response.headers().get(name) == Some(value);
        (is_first && is_passed(name, &TO_CALLER)).then_some(())?;
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
    })
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
    for field in passed_back(&response).filter(|(name, _)| name.as_str().starts_with(OF_MCP)) {
        answer.append_header(field);
    }
    Ok(answer.json(json!({ "data": data })))
}

/// The answer as it comes, while it comes, but not for longer than `most`. It counts as a call until it ends.
fn pass(response: Response, permit: Permit, most: Duration) -> HttpResponse {
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut answer = HttpResponse::build(status);
    for field in passed_back(&response) {
        answer.append_header(field);
    }
    let essence = media_type(&response);
    if !essence.is_empty() && !SHOWN.contains(&essence.as_str()) {
        answer.insert_header(("content-disposition", "attachment"));
    }
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // even an empty stream would leave bytes behind that the next answer on the connection begins with
        return answer.finish();
    }
    let broken = move |error: reqwest::Error| {
        let _ = &permit;
        std::io::Error::other(error.without_url())
    };
    let body = response.bytes_stream().map_err(broken);
    answer.streaming(body.take_until(tokio::time::sleep(most)))
}
