//! Clients: one record each, and a marker that outlives it for a day.

use std::time::Duration;

use mcp_gateway_model::{client::Client, clock::Timestamp, id::ClientId};

use super::{client_lists, get_each, get_one, grants, read};
use crate::{
    engine::{ATTEMPTS, Answer, Done, Engine, Raw, Step, Swap, Then, Value, contended},
    value::encode,
    verbs::{Replaced, StoreError},
};

/// How long the marker of a removed client stays: far longer than any login or code that is under way.
const MARKED_FOR: Duration = Duration::from_secs(86400);

/// What a client was used for.
#[derive(Clone, Copy)]
pub(super) struct Use {
    pub(super) until: Option<Timestamp>,
    pub(super) seen: bool,
}

pub(super) async fn add<E: Engine>(engine: &E, client: &Client, now: Timestamp) -> Answer<()> {
    client_lists::enlist(engine, client, now).await?;
    if client.id.is_reserved() {
        return Err(StoreError::Refused(
            "this id stands for a credential that is no client's".into(),
        ));
    }
    for _ in 0..ATTEMPTS {
        let [(key, found), (marker, mark)] = record_and_marker(engine, &client.id).await?;
        let old = living(&key, found.as_ref(), now)?;
        if old.is_some() || is_marked(&marker, mark.as_ref(), now)? {
            return Err(StoreError::Refused(
                "a client with this id is there already, or was removed less than a day ago".into(),
            ));
        }
        let swaps = vec![
            Swap::new(key.clone(), found, Then::Put(written(&key, client)?)),
            Swap::new(marker, mark, Then::Keep),
        ];
        if engine.swap(swaps, now).await? {
            return Ok(());
        }
    }
    Err(contended(&engine.keys().client(&client.id)))
}

pub(super) async fn get<E: Engine>(engine: &E, id: &ClientId, now: Timestamp) -> Answer<Option<Client>> {
    let (key, found) = get_one(engine, engine.keys().client(id)).await?;
    living(&key, found.as_ref(), now)
}

/// A use that was noted since the caller read the record is kept.
pub(super) async fn replace<E: Engine>(engine: &E, client: &Client, now: Timestamp) -> Answer<Replaced> {
    for _ in 0..ATTEMPTS {
        let (key, found) = get_one(engine, engine.keys().client(&client.id)).await?;
        let Some(old) = living(&key, found.as_ref(), now)? else {
            return Ok(Replaced::Outdated);
        };
        if old.revision.checked_add(1) != Some(client.revision) {
            return Ok(Replaced::Outdated);
        }
        let new = Client {
            expires_at: later(old.expires_at, client.expires_at),
            seen: old.seen || client.seen,
            ..client.clone()
        };
        let then = Then::Put(written(&key, &new)?);
        if engine.swap(vec![Swap::new(key, found, then)], now).await? {
            return Ok(Replaced::Done);
        }
    }
    Err(contended(&engine.keys().client(&client.id)))
}

pub(super) async fn touch<E: Engine>(engine: &E, id: &ClientId, used: Use, now: Timestamp) -> Answer<()> {
    for _ in 0..ATTEMPTS {
        let (key, found) = get_one(engine, engine.keys().client(id)).await?;
        let Some(old) = living(&key, found.as_ref(), now)? else {
            return Ok(());
        };
        let new = Client {
            expires_at: later(old.expires_at, used.until),
            seen: old.seen || used.seen,
            ..old.clone()
        };
        if new == old {
            return Ok(());
        }
        // the lists are supersets: one that goes on unused is listed before, one that is used is struck after
        let mut steps: Vec<_> = client_lists::unused_step(engine.keys(), &new)
            .into_iter()
            .collect();
        let then = Then::Put(written(&key, &new)?);
        steps.push(Step::Swap(vec![Swap::new(key, found, then)]));
        if matches!(engine.steps(steps, now).await?.last(), Some(Done::Swapped(true))) {
            if new.seen && !old.seen {
                client_lists::strike(engine, id, false).await?;
            }
            return Ok(());
        }
    }
    Err(contended(&engine.keys().client(id)))
}

/// Ends the client. If this stops half-way the record is still there, so that it can be asked for again.
pub(super) async fn end<E: Engine>(engine: &E, id: &ClientId, now: Timestamp) -> Answer<u64> {
    let keys = engine.keys();
    let marker = keys.ended_client(id);
    let until = now.plus(MARKED_FOR);
    let value = Value {
        bytes: encode(&marker, until)?,
        ends: Some(until),
    };
    engine.put(marker, value, now).await?;
    let mut ended = 0;
    for grant in grants::indexed(engine, &keys.client_grants(id), now).await? {
        if grant.client == *id {
            ended += u64::from(grants::end(engine, &grant.id, now).await?);
        }
    }
    engine.remove(vec![keys.client(id)]).await?;
    client_lists::strike(engine, id, true).await?;
    Ok(ended)
}

/// Whether the marker says that a client was removed not long ago, so that nothing may begin or go on for it.
pub(super) fn is_marked(marker: &str, found: Option<&Raw>, now: Timestamp) -> Answer<bool> {
    Ok(read::<Timestamp>(marker, found)?.is_some_and(|until| !until.has_passed(now)))
}

async fn record_and_marker<E: Engine>(engine: &E, id: &ClientId) -> Answer<[(String, Option<Raw>); 2]> {
    get_each(engine, [engine.keys().client(id), engine.keys().ended_client(id)]).await
}

pub(super) fn living(key: &str, found: Option<&Raw>, now: Timestamp) -> Answer<Option<Client>> {
    Ok(read(key, found)?.filter(|client: &Client| !client.has_expired(now)))
}

pub(super) fn written(key: &str, client: &Client) -> Answer<Value> {
    Ok(Value {
        bytes: encode(key, client)?,
        ends: client.expires_at,
    })
}

/// The later of two ends; `None` is for ever.
fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.zip(other).map(|(one, other)| one.max(other))
}
