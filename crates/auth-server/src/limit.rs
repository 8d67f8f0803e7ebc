//! Rate limits, shared by all processes through the store.

use std::net::IpAddr;

use mcp_gateway_model::{
    clock::Timestamp,
    id::{ClientId, GrantId},
    secret::Digest,
};
use mcp_gateway_store::{Rate, Store};

use crate::{documents, door::Rejection, request::Context};

/// Takes a permit for something that `address` does.
///
/// # Errors
/// A rejection with status 429 and `Retry-After` when there is none, and 503 when the store cannot be asked.
pub(crate) async fn by_address(
    store: &dyn Store,
    what: &'static str,
    address: IpAddr,
    rate: Rate,
    now: Timestamp,
) -> Result<(), Rejection> {
    let bucket = Digest::of(format!("{what} address {}", counted(address)).as_bytes());
    take(store, &bucket, rate, now).await
}

/// Takes a permit for what a client that has just proved who it is does at an endpoint, wherever it does it from. Only for a
/// client that there is, so that nobody can fill the store with made-up names.
///
/// # Errors
/// As [`by_address`].
pub(crate) async fn by_client(
    context: &Context,
    endpoint: &'static str,
    client: &ClientId,
) -> Result<(), Rejection> {
    // Many devices share the address of a description: none of them may use up what the others need.
    if documents::is_address(client) {
        return by_client_at_address(context, endpoint, client).await;
    }
    by_whom(context, endpoint, client.as_str()).await
}

/// As [`by_client`], for who only says which client it is: anybody can, so that none may use up what the others need.
///
/// # Errors
/// As [`by_address`].
pub(crate) async fn by_client_at_address(
    context: &Context,
    endpoint: &'static str,
    client: &ClientId,
) -> Result<(), Rejection> {
    let whose = format!("{client} address {}", counted(context.address));
    by_whom(context, endpoint, &whose).await
}

async fn by_whom(context: &Context, endpoint: &'static str, whose: &str) -> Result<(), Rejection> {
    let server = &context.server;
    let bucket = Digest::of(format!("{endpoint} client {whose}").as_bytes());
    take(
        server.store.as_ref(),
        &bucket,
        server.settings.limits.client,
        context.now,
    )
    .await
}

/// Takes a permit for what the holder of a personal access token does at an endpoint: what stands in its client's place
/// is shared by all of them.
///
/// # Errors
/// As [`by_address`].
pub(crate) async fn by_grant(
    context: &Context,
    endpoint: &'static str,
    grant: &GrantId,
) -> Result<(), Rejection> {
    let server = &context.server;
    let bucket = Digest::of(format!("{endpoint} grant {grant}").as_bytes());
    take(
        server.store.as_ref(),
        &bucket,
        server.settings.limits.client,
        context.now,
    )
    .await
}

/// Takes a permit from the bucket called `name`.
///
/// # Errors
/// As [`by_address`].
pub(crate) async fn by_name(context: &Context, name: &str, rate: Rate) -> Result<(), Rejection> {
    let bucket = Digest::of(name.as_bytes());
    take(context.server.store.as_ref(), &bucket, rate, context.now).await
}

async fn take(store: &dyn Store, bucket: &Digest, rate: Rate, now: Timestamp) -> Result<(), Rejection> {
    match store.take_permit(bucket, rate, now).await? {
        None => Ok(()),
        Some(wait) => Err(Rejection::too_many(wait)),
    }
}

/// What is counted as one: an IPv4 address, or the /64 that one IPv6 customer has.
pub(crate) fn counted(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x}/64", address.to_bits() >> 64),
    }
}
