//! Who a client is: the one place where any endpoint looks one up.

use actix_web::http::{
    StatusCode,
    header::{self, HeaderValue},
};
use mcp_gateway_model::{client::Client, error::ErrorCode, id::ClientId};
use mcp_gateway_store::StoreError;

use crate::{
    client_auth::{invalid_client, not_authenticated},
    documents,
    door::{Page, Rejection},
    request::Context,
};

/// What a client is looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A person is to be asked about it: what is known of it must be up to date.
    Consent,
    /// It acts on what it was allowed before: what was last known of it will do if there is nothing newer to be had.
    Use,
}

/// Why there is no client.
#[derive(Debug)]
pub(crate) enum NoClient {
    /// Nobody has this id.
    Unknown,
    /// The id is the address of a description, and that is not acceptable. Says why, to the client's developers.
    Unacceptable(String, &'static str),
    /// The description cannot be read now. Says why.
    Unavailable(String, &'static str),
    /// It has to wait, or the store cannot be asked.
    Rejected(Rejection),
}

/// Finds the client with this id: one that was entered or registered here, or one that is described where its id says.
///
/// # Errors
/// [`NoClient`] says why there is none.
pub(crate) async fn find(context: &Context, id: &ClientId, purpose: Purpose) -> Result<Client, NoClient> {
    if let Some(client) = configured(context, id) {
        return Ok(client.clone());
    }
    let stored = context.server.store.client(id, context.now).await?;
    beside_configured(context, id, stored, purpose).await
}

/// The client with this id in the configuration.
pub(crate) fn configured<'a>(context: &'a Context, id: &ClientId) -> Option<&'a Client> {
    let configured = &context.server.settings.clients;
    configured.iter().find(|client| client.id == *id)
}

/// As [`find`], for an id that is not in the configuration, with the client that the store has `stored` under it.
///
/// # Errors
/// As [`find`].
pub(crate) async fn beside_configured(
    context: &Context,
    id: &ClientId,
    stored: Option<Client>,
    purpose: Purpose,
) -> Result<Client, NoClient> {
    match stored {
        Some(client) => Ok(client),
        None => documents::find(context, id, purpose).await,
    }
}

impl NoClient {
    /// What the client is told at an endpoint for clients.
    pub(crate) fn rejection(self) -> Rejection {
        match self {
            Self::Unknown => not_authenticated("unknown_client"),
            Self::Unacceptable(why, reason) => invalid_client(format!("{WHICH} {why}"), reason),
            Self::Unavailable(why, reason) => Rejection::new(
                ErrorCode::TemporarilyUnavailable,
                format!("{WHICH} cannot be read now: {why}; try again in a minute"),
                reason,
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("60")),
            Self::Rejected(rejection) => rejection,
        }
    }

    /// What a person is told at the authorization endpoint about the client that calls itself `id`.
    pub(crate) fn page(self, id: &str) -> Page {
        match self {
            Self::Unknown => Page::new(StatusCode::BAD_REQUEST, "Unknown application", "unknown_client")
                .saying("This server does not know the application that sent you here. Its registration may have ended.")
                .saying("Remove this server from the application, add it again, and connect."),
            Self::Unacceptable(why, reason) => {
                Page::new(StatusCode::BAD_REQUEST, "Unknown application", reason)
                    .saying("The application that sent you here says that it is described at an address on the web, and this server does not accept what is there.")
                    .saying(format!("For its developers: {WHICH} {why}."))
            }
            Self::Unavailable(why, reason) => {
                Page::new(StatusCode::SERVICE_UNAVAILABLE, "Not possible right now", reason)
                    .saying("The application that sent you here is described at an address on the web, and this server cannot read it at the moment. Wait a minute, then go back to the application and connect again.")
                    .saying(format!("For its developers: {WHICH} cannot be read: {why}."))
                    .retry_after(HeaderValue::from_static("60"))
            }
            Self::Rejected(rejection) => return rejection.into(),
        }
        .because(id)
    }
}

/// What is meant, in every sentence about it.
const WHICH: &str = "the metadata document at client_id";

impl From<StoreError> for NoClient {
    fn from(error: StoreError) -> Self {
        Self::Rejected(error.into())
    }
}
