//! Client authentication ([RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)), the same step at every
//! endpoint: a client that has a secret must present it, and one that has none must not.
//!
//! A confidential client may present its secret either way, whichever it registered: both prove the same.

mod credentials;
mod guessing;

use actix_web::http::header::{self, HeaderValue};
use mcp_gateway_model::{client::Client, error::ErrorCode, id::ClientId};

pub(crate) use credentials::{Credentials, bearer, claimed};
pub(crate) use guessing::wrong_secret;

use crate::{door::Rejection, limit, request::Context};

/// A client that proved who it is, or that has nothing to prove it with.
#[derive(Debug)]
pub(crate) struct AuthenticatedClient(pub(crate) Client);

/// Finds the client, checks its secret, and takes its permit for a call of `endpoint`.
///
/// # Errors
/// `invalid_client`, the same for a client that is not there and for a wrong secret; 429 for who guesses, and for a client
/// that comes too often.
pub(crate) async fn authenticate(
    context: &Context,
    endpoint: &'static str,
    credentials: &Credentials,
) -> Result<AuthenticatedClient, Rejection> {
    let client = prove(context, credentials).await?;
    limit::by_client(context, endpoint, &client.id).await?;
    Ok(AuthenticatedClient(client))
}

async fn prove(context: &Context, credentials: &Credentials) -> Result<Client, Rejection> {
    let server = &context.server;
    let client = match ClientId::parse(&credentials.id) {
        Ok(id) => server.store.client(&id, context.now).await?,
        Err(_) => None,
    };
    let refused = match client {
        None => "unknown_client",
        Some(client) => match (&client.secret, &credentials.secret) {
            (Some(expected), Some(presented)) if *expected == presented.digest() => {
                return Ok(client);
            }
            (Some(_), Some(_)) => {
                wrong_secret(context, &credentials.id).await?;
                "wrong_secret"
            }
            (Some(_), None) => "secret_missing",
            (None, Some(_)) => "public_client_with_secret",
            (None, None) => return Ok(client),
        },
    };
    Err(not_authenticated(refused))
}

/// The one answer to whoever did not prove who it is (RFC 6749 §5.2), with the challenge that every 401 has
/// ([RFC 9110 §15.5.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2)).
pub(crate) fn not_authenticated(reason: &'static str) -> Rejection {
    Rejection::new(
        ErrorCode::InvalidClient,
        "the client is unknown, or did not prove who it is: register again, or send the client_secret that was issued",
        reason,
    )
    .with_header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"clients\", charset=\"UTF-8\""),
    )
}
