//! Which clients there are of two kinds: those that the operator entered, and those that nobody uses yet.

use std::time::Duration;

use mcp_gateway_model::{
    client::{Client, ClientOrigin},
    clock::Timestamp,
    id::ClientId,
};

use super::{clients, grants};
use crate::{
    engine::{Answer, Answers, Bound, Done, Engine, Step, Swap, Then},
    keys::Keys,
};

/// Until when a client is listed at least that does not leave its list by itself.
const FOR_EVER: Timestamp = Timestamp::from_millis(1 << 50);
/// How many of those above the bound are looked at in one call.
const AT_ONCE: u32 = 64;
/// Of so many registrations at the same time above a bound that is not small, one makes room: for more than so many.
const EVERY: u32 = 16;

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
pub(super) fn unused_step(keys: &Keys, client: &Client) -> Option<Step> {
    let is_anybodys = client.origin == ClientOrigin::Registered && !client.seen;
    if !is_anybodys || client.expires_at.is_none() {
        return None;
    }
    Some(Step::Index {
        key: keys.unused_clients(),
        member: client.id.as_str().to_owned(),
        ends: FOR_EVER.plus(Duration::from_millis(client.issued_at.millis())),
    })
}

/// How many there may be; a few more while somebody makes room, who does it for those that come next as well, so that few
/// registrations have to.
fn bound(most: u32) -> Bound {
    Bound {
        most,
        more: (most / AT_ONCE).min(AT_ONCE - 1),
        at_once: AT_ONCE,
        every: (most / EVERY).clamp(1, EVERY),
    }
}

/// Looks whether there are too many.
pub(super) fn too_many_step(keys: &Keys, most: u32) -> Step {
    Step::Soonest {
        key: keys.unused_clients(),
        bound: bound(most),
    }
}

/// Looks whether there are too many, and makes room.
pub(super) async fn bound_unused<E: Engine>(engine: &E, most: u32, now: Timestamp) -> Answer<u64> {
    let list = engine.keys().unused_clients();
    let first = engine.soonest(&list, bound(most), now).await?;
    make_room(engine, &first, now).await
}

/// Removes clients that nobody uses. One that somebody began to use meanwhile stays, and so does one with a grant; all leave
/// the list. Answers how many it removed.
pub(super) async fn make_room<E: Engine>(engine: &E, ids: &[String], now: Timestamp) -> Answer<u64> {
    if ids.is_empty() {
        return Ok(0);
    }
    let keys = engine.keys();
    let clients: Vec<_> = ids.iter().filter_map(|id| ClientId::parse(id).ok()).collect();
    let look = clients.iter().flat_map(|id| {
        [
            Step::Get(vec![keys.client(id)]),
            Step::Members(keys.client_grants(id)),
        ]
    });
    let mut answers = Answers::new(engine.steps(look.collect(), now).await?);
    let mut steps = Vec::with_capacity(2 * ids.len());
    for id in &clients {
        let (key, found) = (keys.client(id), answers.got_one()?);
        let has_grants = !answers.members()?.is_empty();
        let unused = clients::living(&key, found.as_ref(), now)?.filter(|client| !client.seen);
        if unused.is_some() && !(has_grants && has_living_grants(engine, id, now).await?) {
            steps.push(Step::Try(vec![Swap::new(key, found, Then::Remove)]));
        }
    }
    steps.extend(ids.iter().map(|id| Step::Unindex {
        key: keys.unused_clients(),
        member: id.clone(),
    }));
    let done = engine.steps(steps, now).await?;
    Ok(done
        .iter()
        .map(|done| u64::from(matches!(done, Done::Tried(true))))
        .sum())
}

async fn has_living_grants<E: Engine>(engine: &E, id: &ClientId, now: Timestamp) -> Answer<bool> {
    let of_client = engine.keys().client_grants(id);
    Ok(!grants::indexed(engine, &of_client, now).await?.is_empty())
}
