//! What a client is told of its registration ([RFC 7591 §3.2.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1),
//! [RFC 7592 §3](https://www.rfc-editor.org/rfc/rfc7592#section-3)).

use actix_web::{HttpResponse, HttpResponseBuilder, http::header};
use mcp_gateway_model::{
    client::{Client, ClientMetadata},
    secret::Secret,
};
use serde::Serialize;

use crate::settings::Settings;

/// What a client is registered as, without anything by which it could prove itself.
#[derive(Serialize)]
pub(crate) struct Description<'a> {
    client_id: &'a str,
    client_id_issued_at: u64,
    client_secret_expires_at: u64,
    #[serde(flatten)]
    metadata: &'a ClientMetadata,
}

impl<'a> Description<'a> {
    /// Describes `client`.
    pub(crate) fn new(settings: &Settings, client: &'a Client) -> Self {
        Self {
            client_id: client.id.as_str(),
            client_id_issued_at: client.issued_at.secs(),
            client_secret_expires_at: secret_end(settings, client),
            metadata: &client.metadata,
        }
    }
}

/// The client information response. A secret is in it when it was issued or presented just now: the store has its
/// digest only, so nobody can be told it later.
#[derive(Serialize)]
pub(crate) struct Registration<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    #[serde(flatten)]
    description: Description<'a>,
    #[serde(rename = "registration_access_token")]
    token: &'a str,
    #[serde(rename = "registration_client_uri")]
    uri: String,
}

impl<'a> Registration<'a> {
    /// The registration of `client`, which goes on managing it with `token`.
    pub(crate) fn new(
        settings: &Settings,
        client: &'a Client,
        token: &'a Secret,
        secret: Option<&'a Secret>,
    ) -> Self {
        Self {
            client_secret: secret.map(Secret::reveal),
            description: Description::new(settings, client),
            token: token.reveal(),
            uri: settings.issuer.endpoint(&format!("/register/{}", client.id)),
        }
    }

    /// 201.
    pub(crate) fn created(&self) -> HttpResponse {
        self.answer(HttpResponse::Created())
    }

    /// 200.
    pub(crate) fn ok(&self) -> HttpResponse {
        self.answer(HttpResponse::Ok())
    }

    fn answer(&self, mut response: HttpResponseBuilder) -> HttpResponse {
        response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::PRAGMA, "no-cache"))
            .json(self)
    }
}

/// When the secret ends, in seconds since the epoch: with the registration, if that is used; 0 for never, and for
/// clients that have none.
fn secret_end(settings: &Settings, client: &Client) -> u64 {
    match settings.lifetimes.client {
        Some(lifetime) if client.secret.is_some() => {
            let used_once = client.issued_at.plus(lifetime);
            client.expires_at.map_or(0, |end| end.max(used_once).secs())
        }
        _ => 0,
    }
}
