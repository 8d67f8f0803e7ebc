//! Who holds the registration access token of a client.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderValue},
};
use mcp_gateway_model::{client::Client, error::ErrorCode, id::ClientId, secret::Secret};
use mcp_gateway_store::Replaced;

use crate::{client_auth::bearer, door::Rejection, limit, request::Context};

/// A client, and the token that was presented for it.
pub(super) struct Holder {
    /// The client.
    pub(super) client: Client,
    /// The token.
    pub(super) token: Secret,
}

impl Holder {
    /// Finds the client, compares the token, and takes the client's permit.
    ///
    /// # Errors
    /// 401, the same when the client is not there and when the token is wrong: nobody learns which clients there are. 429
    /// for a client that comes too often.
    pub(super) async fn find(context: &Context, id: &str, request: &HttpRequest) -> Result<Self, Rejection> {
        let token = bearer(request)?.ok_or_else(no_token)?;
        let token = Secret::presented(token.to_owned());
        let id = ClientId::parse(id).map_err(|_| not_the_holder("unknown_client"))?;
        let client = context.server.store.client(&id, context.now).await?;
        let client = client.ok_or_else(|| not_the_holder("unknown_client"))?;
        let digest = Some(token.digest());
        if digest == client.registration_token || digest == client.previous_registration_token {
            limit::by_client(context, "manage", &client.id).await?;
            Ok(Self { client, token })
        } else {
            Err(not_the_holder("wrong_registration_token"))
        }
    }

    /// Ends the token before this one, now that this one has arrived.
    pub(super) async fn settle(mut self, context: &Context) -> Result<Self, Rejection> {
        let is_current = self.client.registration_token == Some(self.token.digest());
        if !is_current || self.client.previous_registration_token.is_none() {
            return Ok(self);
        }
        let settled = Client {
            previous_registration_token: None,
            revision: self.client.revision + 1,
            ..self.client.clone()
        };
        // Whoever changed the record meanwhile has settled it, or the next use of the token will.
        if context.server.store.replace_client(&settled, context.now).await? == Replaced::Done {
            self.client = settled;
        }
        Ok(self)
    }
}

/// Takes a permit for a call of the management endpoint.
pub(super) async fn limit(context: &Context) -> Result<(), Rejection> {
    let server = &context.server;
    let rate = server.settings.limits.manage;
    limit::by_address(
        server.store.as_ref(),
        "manage",
        context.address,
        rate,
        context.now,
    )
    .await
}

fn not_the_holder(reason: &'static str) -> Rejection {
    refusal(
        reason,
        HeaderValue::from_static("Bearer realm=\"registrations\", error=\"invalid_token\""),
    )
}

/// A challenge without an error for a request without a token (RFC 6750 §3.1), whichever client it is about.
fn no_token() -> Rejection {
    refusal(
        "registration_token_missing",
        HeaderValue::from_static("Bearer realm=\"registrations\""),
    )
}

fn refusal(reason: &'static str, challenge: HeaderValue) -> Rejection {
    Rejection::new(
        ErrorCode::InvalidToken,
        "the registration access token is not one of a registered client",
        reason,
    )
    .with_header(header::WWW_AUTHENTICATE, challenge)
}
