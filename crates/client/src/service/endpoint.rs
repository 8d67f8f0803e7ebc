//! The endpoints, a file each.

mod access;
mod callback;
mod discover;
mod refresh;
mod register;
mod start;

use actix_web::{
    HttpResponse,
    http::header::{HeaderName, HeaderValue},
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

use super::{Service, fault::Fault, parameters::Parameters, store::Grant};

/// Since when tokens in addresses are deprecated ([RFC 9745 §2](https://www.rfc-editor.org/rfc/rfc9745#section-2)):
/// 2026-11-21.
const DEPRECATED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("deprecation"),
    HeaderValue::from_static("@1795219200"),
);
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

/// The tokens of a grant, for its user.
fn tokens(grant: &Grant, now: Timestamp) -> TokenAnswer<'_> {
    TokenAnswer {
        access_token: &grant.access_token,
        token_type: "Bearer",
        expires_in: grant.expires_at.map(|end| now.until(end).as_secs()),
        refresh_token: grant.refresh_token.as_deref(),
        scope: grant.scope.as_deref(),
    }
}

/// Marks an answer to a request that has one of these secrets in its address.
fn deprecate(answer: &mut HttpResponse, parameters: &Parameters, secrets: &[&str]) {
    if secrets.iter().any(|name| parameters.is_in_query(name)) {
        let (name, value) = DEPRECATED;
        answer.headers_mut().insert(name, value);
    }
}

/// The body of a request, if it has at most `limit` bytes.
///
/// # Errors
/// A [`Fault`] with status 400.
async fn read_body(mut body: Payload, limit: usize) -> Result<Bytes, Fault> {
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
