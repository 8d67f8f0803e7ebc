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
    id::{ClientId, GrantId},
    published,
    secret::Secret,
};
use mcp_gateway_store::{HeldGrant, Look};

pub(crate) use client_keys::{ClientKeys, PRIVATE};
pub(crate) use credentials::{Credentials, Proof, bearer, claimed};
pub(crate) use guessing::wrong_secret;

use crate::{
    clients::{self, NoClient, Purpose},
    door::Rejection,
    limit::{self, Due},
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
    let due = Due::default();
    let (client, _) = identify(context, endpoint, credentials, None, &due).await?;
    due.settle(context).await?;
    Ok(client)
}

/// As [`authenticate`], and looks at the `grant` that the call is about on the way. What is due is taken on the way as well; the
/// permit of a client that proved who it is becomes due.
///
/// # Errors
/// As [`authenticate`].
pub(crate) async fn identify(
    context: &Context,
    endpoint: &'static str,
    credentials: &Credentials,
    grant: Option<&GrantId>,
    due: &Due,
) -> Result<(AuthenticatedClient, Option<Box<HeldGrant>>), Rejection> {
    let id = ClientId::parse(&credentials.id).ok();
    let configured = id.as_ref().and_then(|id| clients::configured(context, id));
    let stored = id.as_ref().filter(|_| configured.is_none());
    let look = Look {
        permit: due.address.take(),
        client: stored,
        grant,
    };
    let seen = limit::permitted(context.server.store.look(look, context.now).await?)?;
    let found = match (&id, configured) {
        (_, Some(client)) => Some(client.clone()),
        (Some(id), None) => described(context, id, seen.client).await?,
        (None, None) => None,
    };
    let client = prove(context, credentials, found).await?;
    due.client.set(Some(match credentials.proof {
        Proof::Nothing => limit::of_client_at_address(context, endpoint, &client.id),
        Proof::Secret(_) | Proof::Assertion(_) => limit::of_client(context, endpoint, &client.id),
    }));
    Ok((AuthenticatedClient(client), seen.grant))
}

/// The client that is not in the configuration, if there is one.
async fn described(
    context: &Context,
    id: &ClientId,
    stored: Option<Client>,
) -> Result<Option<Client>, Rejection> {
    match clients::beside_configured(context, id, stored, Purpose::Use).await {
        Ok(client) => Ok(Some(client)),
        Err(NoClient::Unknown) => Ok(None),
        Err(no_client) => Err(no_client.rejection()),
    }
}

async fn prove(
    context: &Context,
    credentials: &Credentials,
    client: Option<Client>,
) -> Result<Client, Rejection> {
    match (client, &credentials.proof) {
        (_, Proof::Secret(secret)) if secret.reveal() == published::CLIENT_SECRET => Err(invalid_client(
            "demo_secret is printed in the demo's documents and opens nothing: send the secret that dev shows at its start, \
             or the one that a registration answered",
            "published_secret",
        )),
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
