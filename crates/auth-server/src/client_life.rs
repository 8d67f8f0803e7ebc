//! How long a registration lives ([RFC 7591 §5](https://www.rfc-editor.org/rfc/rfc7591#section-5): a server may end
//! registrations that are not used). Nothing that anybody can do without a person lengthens it by more than a day.

use mcp_gateway_model::{
    client::{Client, ClientOrigin},
    clock::Timestamp,
    id::ClientId,
};
use mcp_gateway_store::StoreError;

use crate::{clients, documents, fetch, request::Context, settings::Lifetimes};

/// When a registration goes that no person ever allowed anything.
pub(crate) fn unused_end(lifetimes: &Lifetimes, now: Timestamp) -> Timestamp {
    let client = lifetimes.client.unwrap_or(lifetimes.unused_client);
    now.plus(client.min(lifetimes.unused_client))
}

/// A client came to the authorization endpoint, as anybody can make it do: it stays for the login that may follow.
pub(crate) async fn asked(context: &Context, id: &ClientId) -> Result<(), StoreError> {
    if documents::is_address(id) {
        return Ok(());
    }
    let end = next_hour(unused_end(&context.server.settings.lifetimes, context.now));
    let store = &context.server.store;
    store.touch_client(id, Some(end), false, context.now).await
}

/// A person allowed a client something: it lives at least until `until`, when its grant ends.
pub(crate) async fn used(context: &Context, id: &ClientId, until: Timestamp) -> Result<(), StoreError> {
    documents::keep(context, id).await?;
    let end = used_end(context, until);
    let store = &context.server.store;
    store.touch_client(id, end, true, context.now).await
}

fn used_end(context: &Context, until: Timestamp) -> Option<Timestamp> {
    let lifetime = context.server.settings.lifetimes.client;
    lifetime.map(|lifetime| next_hour(context.now.plus(lifetime).max(until)))
}

/// As [`used`], for a client that was given tokens: its keys, if they are published at an address, are kept as well.
pub(crate) async fn given_tokens(
    context: &Context,
    client: &Client,
    until: Timestamp,
) -> Result<(), StoreError> {
    if let Some(address) = &client.metadata.jwks_uri {
        fetch::keys::keep(context, address).await?;
    }
    documents::keep(context, &client.id).await?;
    touch(context, client, used_end(context, until), true).await
}

/// A client acts for itself until `until`. One that nobody vouched for lives no longer by that than one that nobody uses.
pub(crate) async fn acted(context: &Context, client: &Client, until: Timestamp) -> Result<(), StoreError> {
    if client.origin != ClientOrigin::Registered {
        return given_tokens(context, client, until).await;
    }
    let unused = unused_end(&context.server.settings.lifetimes, context.now);
    let end = next_hour(unused.max(until));
    touch(context, client, Some(end), false).await
}

/// Notes a use of a client whose record was read just now. Its end is never drawn nearer and a use never forgotten: what says
/// enough then says enough now, and the store is not asked again.
async fn touch(
    context: &Context,
    client: &Client,
    end: Option<Timestamp>,
    seen: bool,
) -> Result<(), StoreError> {
    let lives = match (client.expires_at, end) {
        (None, _) => true,
        (Some(known), Some(end)) => known >= end,
        (Some(_), None) => false,
    };
    if lives && (client.seen || !seen) || clients::configured(context, &client.id).is_some() {
        return Ok(());
    }
    let store = &context.server.store;
    store.touch_client(&client.id, end, seen, context.now).await
}

/// The full hour after `time`: a client that comes often is written once an hour, not every time.
fn next_hour(time: Timestamp) -> Timestamp {
    Timestamp::from_secs((time.secs() / 3600 + 1) * 3600)
}
