//! The endpoints, a file each.

mod access;
mod callback;
mod discover;
mod refresh;
mod register;
mod start;

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{Bytes, Data, Payload},
};
use futures_util::StreamExt;
use mcp_gateway_model::clock::Timestamp;
use serde::Serialize;

pub(super) use access::access_resource;
pub(super) use callback::callback;
pub(super) use discover::{discover_auth_server, discover_resource};
pub(super) use refresh::refresh_token;
pub(super) use register::register_client;
pub(super) use start::start_authorization;

use super::{Service, fault::Fault, store::Grant};
use crate::http::HttpFault;

/// The most bytes of a body that the service itself reads.
const BODY: usize = 64 * 1024;

/// What a token endpoint answers ([RFC 6749 §5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).
#[derive(Serialize)]
struct TokenAnswer<'g> {
    access_token: &'g str,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'g str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'g str>,
}

/// The tokens of a grant as they are at `now`, for its user.
fn tokens(grant: &Grant, now: Timestamp) -> TokenAnswer<'_> {
    TokenAnswer {
        access_token: &grant.access_token,
        token_type: "Bearer",
        expires_in: grant.expires_at.map(|end| whole_seconds(now.until(end))),
        refresh_token: grant.refresh_token.as_deref(),
        scope: grant.scope.as_deref(),
    }
}

/// What is found out about a server, if it is in time: discovery makes many calls.
///
/// # Errors
/// Those of the search, and a [`Fault`] with status 504.
async fn found<T, F: Into<Fault>>(
    service: &Service,
    search: impl Future<Output = Result<T, F>>,
) -> Result<T, Fault> {
    let patience = service.settings.limits.discovery;
    match tokio::time::timeout(patience, search).await {
        Ok(found) => found.map_err(Into::into),
        Err(_) => Err(Fault::of_call(
            "The servers do not say who they are",
            &HttpFault::TimedOut(patience),
        )),
    }
}

/// The nearest number of seconds: a token that came just now lasts as long as its server said.
fn whole_seconds(time: Duration) -> u64 {
    time.saturating_add(Duration::from_millis(500)).as_secs()
}

/// The body of a request, if it has at most `limit` bytes and comes in time.
///
/// # Errors
/// A [`Fault`] with status 400.
async fn read_body(body: Payload, service: &Service, limit: usize) -> Result<Bytes, Fault> {
    let patience = service.settings.limits.body_patience;
    let read = tokio::time::timeout(patience, read_whole(body, limit)).await;
    read.unwrap_or_else(|_| Err(Fault::request("The body takes too long.")))
}

async fn read_whole(mut body: Payload, limit: usize) -> Result<Bytes, Fault> {
    let mut read = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Fault::request("The body ends before it is whole."))?;
        if read.len() + chunk.len() > limit {
            return Err(Fault::request(format!(
                "The body must have at most {limit} bytes."
            )));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.into())
}

/// What is at no address of the service.
pub(super) async fn unknown() -> Result<HttpResponse, Fault> {
    Err(Fault::request(
        "There is no such endpoint, or not with this method: see /openapi.json.",
    ))
}

/// Whether the process lives.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether the service can do its work.
pub(super) async fn ready(service: Data<Service>) -> Result<&'static str, Fault> {
    service.keeper.store.check().await?;
    Ok("ok\n")
}
