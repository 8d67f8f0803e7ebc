//! Which copies no grant needed yet: strangers name what is read, so these make room for each other.

use std::time::Duration;

use mcp_gateway_model::{clock::Timestamp, secret::Digest};

use super::{documents, get_one};
use crate::{
    engine::{Answer, Bound, Engine, Swap, Then},
    records::Document,
};

/// How long a copy is listed: no shorter than one is fresh. All have the same, so those read longest ago end first.
const LISTED: Duration = Duration::from_secs(86_400);
/// How many of those above the bound go in one call.
const AT_ONCE: u32 = 64;

/// Takes a copy off the list, after a grant needed it.
pub(super) async fn strike<E: Engine>(engine: &E, key: &Digest) -> Answer<()> {
    let list = engine.keys().unused_documents();
    engine.unindex(list, &key.to_string()).await
}

/// Lists a copy after it was put, and removes others until there are `most`. The list is a superset: one that a grant
/// needs leaves it without being removed.
pub(super) async fn bound<E: Engine>(
    engine: &E,
    key: &Digest,
    document: &Document,
    most: u32,
    now: Timestamp,
) -> Answer<()> {
    let (list, own) = (engine.keys().unused_documents(), key.to_string());
    let (record, found) = get_one(engine, engine.keys().document(key)).await?;
    if documents::living(&record, found.as_ref(), now)?.is_some_and(|copy| copy.used) {
        return Ok(());
    }
    engine
        .index(list.clone(), &own, document.read_at.plus(LISTED), now)
        .await?;
    // One more than there are too many: this one is not among those that go, whatever other clocks say.
    let others = most.saturating_sub(1);
    let bound = Bound {
        most: others,
        more: 0,
        at_once: AT_ONCE + 1,
        every: 1,
    };
    let mut oldest = engine.soonest(&list, bound, now).await?;
    let length = oldest.len();
    oldest.retain(|member| *member != own);
    if oldest.len() == length {
        oldest.pop();
    }
    for member in oldest {
        make_room(engine, &list, &member, now).await?;
    }
    Ok(())
}

/// Removes a copy that no grant needed. One that was read again meanwhile stays, and is listed.
async fn make_room<E: Engine>(engine: &E, list: &str, member: &str, now: Timestamp) -> Answer<()> {
    let Ok(key) = Digest::try_from(member.to_owned()) else {
        return engine.unindex(list.to_owned(), member).await;
    };
    let (key, found) = get_one(engine, engine.keys().document(&key)).await?;
    engine.unindex(list.to_owned(), member).await?;
    if documents::living(&key, found.as_ref(), now)?.is_some_and(|copy| copy.used) {
        return Ok(());
    }
    if !engine
        .swap(vec![Swap::new(key, found, Then::Remove)], now)
        .await?
    {
        engine
            .index(list.to_owned(), member, now.plus(LISTED), now)
            .await?;
    }
    Ok(())
}
