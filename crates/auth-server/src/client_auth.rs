//! Client authentication ([RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3)), the same step at every
//! endpoint: a client that has a secret must present it, one that has keys must sign, and one that has neither must not.
//!
//! A confidential client may present its secret either way, whichever it registered: both prove the same.

mod assertion;
mod client_keys;
mod credentials;
mod guessing;
mod key_source;

use std::borrow::Cow;

use actix_web::http::header::{self, HeaderValue};
use mcp_gateway_model::{
    client::{AuthMethod, Client},
    error::ErrorCode,
    id::ClientId,
    secret::Secret,
};

pub(crate) use client_keys::{ClientKeys, PRIVATE};
pub(crate) use credentials::{Credentials, Proof, bearer, claimed};
pub(crate) use guessing::wrong_secret;

use crate::{
    clients::{self, NoClient, Purpose},
    door::Rejection,
    limit,
    request::Context,
};

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
    match credentials.proof {
        Proof::Nothing => limit::by_client_at_address(context, endpoint, &client.id).await?,
        Proof::Secret(_) | Proof::Assertion(_) => limit::by_client(context, endpoint, &client.id).await?,
    }
    Ok(AuthenticatedClient(client))
}

async fn prove(context: &Context, credentials: &Credentials) -> Result<Client, Rejection> {
    let client = match ClientId::parse(&credentials.id) {
        Ok(id) => match clients::find(context, &id, Purpose::Use).await {
            Ok(client) => Some(client),
            Err(NoClient::Unknown) => None,
            Err(no_client) => return Err(no_client.rejection()),
        },
        Err(_) => None,
    };
    match (client, &credentials.proof) {
        (None, Proof::Assertion(_)) => Err(assertion::not_accepted("unknown_client")),
        (None, _) if credentials.id.is_empty() => Err(invalid_client(
            "no client is named: send client_id, or HTTP Basic",
            "unknown_client",
        )),
        (None, _) => Err(not_authenticated("unknown_client")),
        (Some(client), Proof::Assertion(assertion)) => {
            assertion.prove(context, &client).await?;
            Ok(client)
        }
        (Some(client), Proof::Secret(presented)) => {
            by_secret(context, &client, presented).await?;
            Ok(client)
        }
        (Some(client), Proof::Nothing) => match client.metadata.token_endpoint_auth_method {
            AuthMethod::None => Ok(client),
            AuthMethod::PrivateKeyJwt => Err(assertion::not_accepted("assertion_missing")),
            AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => {
                Err(not_authenticated("secret_missing"))
            }
        },
    }
}

async fn by_secret(context: &Context, client: &Client, presented: &Secret) -> Result<(), Rejection> {
    match (client.metadata.token_endpoint_auth_method, client.secret) {
        (AuthMethod::None, _) => Err(not_authenticated("public_client_with_secret")),
        (AuthMethod::PrivateKeyJwt, _) => Err(assertion::not_accepted("secret_for_an_assertion")),
        (_, Some(expected)) if expected == presented.digest() => Ok(()),
        _ => {
            wrong_secret(context, client.id.as_str()).await?;
            Err(not_authenticated("wrong_secret"))
        }
    }
}

/// The one answer to whoever did not prove who it is (RFC 6749 §5.2), with the challenge that every 401 has
/// ([RFC 9110 §15.5.2](https://www.rfc-editor.org/rfc/rfc9110#section-15.5.2)).
pub(crate) fn not_authenticated(reason: &'static str) -> Rejection {
    invalid_client(
        "the client is unknown, or did not prove who it is: register again, or send the client_secret that was issued",
        reason,
    )
}

/// `invalid_client`, in words that say more.
pub(crate) fn invalid_client(description: impl Into<Cow<'static, str>>, reason: &'static str) -> Rejection {
    Rejection::new(ErrorCode::InvalidClient, description, reason).with_header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"clients\", charset=\"UTF-8\""),
    )
}
