//! Copies of what clients publish.

use mcp_gateway_model::{clock::Timestamp, secret::Digest};

use super::{get_one, read};
use crate::{
    engine::{ATTEMPTS, Answer, Engine, Raw, Swap, Then, Value, contended},
    records::Document,
    value::encode,
};

pub(super) async fn get<E: Engine>(engine: &E, key: &Digest, now: Timestamp) -> Answer<Option<Document>> {
    let (key, found) = get_one(engine, engine.keys().document(key)).await?;
    living(&key, found.as_ref(), now)
}

pub(super) async fn put<E: Engine>(
    engine: &E,
    key: &Digest,
    document: &Document,
    now: Timestamp,
) -> Answer<()> {
    change(engine, key, now, |old| {
        let used = document.used || old.is_some_and(|old| old.used);
        Some(Document {
            used,
            ..document.clone()
        })
    })
    .await
}

pub(super) async fn keep<E: Engine>(engine: &E, key: &Digest, now: Timestamp) -> Answer<()> {
    change(engine, key, now, |old| {
        old.filter(|old| !old.used)
            .map(|old| Document { used: true, ..old })
    })
    .await
}

/// Replaces the copy by what `then` makes of it; nothing happens where that is nothing.
async fn change<E: Engine>(
    engine: &E,
    key: &Digest,
    now: Timestamp,
    then: impl Fn(Option<Document>) -> Option<Document>,
) -> Answer<()> {
    for _ in 0..ATTEMPTS {
        let (key, found) = get_one(engine, engine.keys().document(key)).await?;
        let Some(new) = then(living(&key, found.as_ref(), now)?) else {
            return Ok(());
        };
        let value = Value {
            bytes: encode(&key, &new)?,
            ends: Some(new.ends_at()),
        };
        if engine
            .swap(vec![Swap::new(key, found, Then::Put(value))], now)
            .await?
        {
            return Ok(());
        }
    }
    Err(contended(&engine.keys().document(key)))
}

pub(super) fn living(key: &str, found: Option<&Raw>, now: Timestamp) -> Answer<Option<Document>> {
    Ok(read(key, found)?.filter(|document: &Document| !document.ends_at().has_passed(now)))
}
