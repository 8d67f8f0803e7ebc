//! Which clients there are of two kinds: those that the operator entered, and those that nobody uses yet.

use std::time::Duration;

use mcp_gateway_model::{
    client::{Client, ClientOrigin},
    clock::Timestamp,
    id::ClientId,
};

use super::{clients, get_one, grants};
use crate::engine::{Answer, Engine, Swap, Then};

/// Until when a client is listed at least that does not leave its list by itself.
const FOR_EVER: Timestamp = Timestamp::from_millis(1 << 50);
/// How many of those above the bound are looked at in one call.
const AT_ONCE: u32 = 64;

/// Lists a client that the operator enters; before its record, so that none is missing.
pub(super) async fn enlist<E: Engine>(engine: &E, client: &Client, now: Timestamp) -> Answer<()> {
    if client.origin == ClientOrigin::PreRegistered {
        let list = engine.keys().entered_clients();
        engine.index(list, client.id.as_str(), FOR_EVER, now).await?;
    }
    Ok(())
}

/// Takes a client off both lists, after its record is gone or it is used.
pub(super) async fn strike<E: Engine>(engine: &E, id: &ClientId, is_gone: bool) -> Answer<()> {
    if is_gone {
        engine
            .unindex(engine.keys().entered_clients(), id.as_str())
            .await?;
    }
    engine.unindex(engine.keys().unused_clients(), id.as_str()).await
}

pub(super) async fn entered<E: Engine>(engine: &E, now: Timestamp) -> Answer<Vec<Client>> {
    let ids = engine.members(&engine.keys().entered_clients()).await?;
    let ids: Vec<_> = ids.iter().filter_map(|id| ClientId::parse(id).ok()).collect();
    let keys: Vec<_> = ids.iter().map(|id| engine.keys().client(id)).collect();
    let found = engine.get_scattered(&keys).await?;
    let mut entered = Vec::new();
    for (key, bytes) in keys.iter().zip(&found) {
        let client = clients::living(key, bytes.as_ref(), now)?;
        entered.extend(client.filter(|client| client.origin == ClientOrigin::PreRegistered));
    }
    Ok(entered)
}

/// Lists a client that nobody uses yet, in the order of registration. Whoever only keeps a client alive, as anybody can, keeps
/// its place: else those that are kept would drive out each new one. What ended by itself stays listed until it is its turn.
pub(super) async fn list_unused<E: Engine>(engine: &E, client: &Client, now: Timestamp) -> Answer<()> {
    let is_anybodys = client.origin == ClientOrigin::Registered && !client.seen;
    if !is_anybodys || client.expires_at.is_none() {
        return Ok(());
    }
    let place = FOR_EVER.plus(Duration::from_millis(client.issued_at.millis()));
    let list = engine.keys().unused_clients();
    engine.index(list, client.id.as_str(), place, now).await
}

pub(super) async fn bound_unused<E: Engine>(
    engine: &E,
    client: &Client,
    most: u32,
    now: Timestamp,
) -> Answer<u64> {
    list_unused(engine, client, now).await?;
    let list = engine.keys().unused_clients();
    let mut removed = 0;
    for id in engine.soonest(&list, most, AT_ONCE, now).await? {
        let Ok(id) = ClientId::parse(&id) else { continue };
        removed += u64::from(make_room(engine, &id, now).await?);
        engine.unindex(list.clone(), id.as_str()).await?;
    }
    Ok(removed)
}

/// Removes a client that nobody uses. One that somebody began to use meanwhile stays, and so does one with a grant.
async fn make_room<E: Engine>(engine: &E, id: &ClientId, now: Timestamp) -> Answer<bool> {
    let (key, found) = get_one(engine, engine.keys().client(id)).await?;
    let unused = clients::living(&key, found.as_ref(), now)?.filter(|client| !client.seen);
    if unused.is_none() {
        return Ok(false);
    }
    let of_client = engine.keys().client_grants(id);
    if !grants::indexed(engine, &of_client, now).await?.is_empty() {
        return Ok(false);
    }
    engine.swap(vec![Swap::new(key, found, Then::Remove)], now).await
}
