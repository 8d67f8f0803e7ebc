//! GitHub's token of who began a grant, and who asks again where that person belongs, and when.

use mcp_gateway_model::{clock::Timestamp, grant::Memberships, id::GrantId};
use serde::{Deserialize, Serialize};

use super::{get_each, get_one, grants, read};
use crate::{
    engine::{ATTEMPTS, Answer, Engine, Swap, Then, Value, contended},
    records::Sealed,
    value::encode,
};

/// A token as it lies in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Upstream {
    token: Sealed,
    /// Until when an access token of the grant may live.
    recheck_until: Option<Timestamp>,
    /// Until when somebody is asking GitHub.
    claimed_until: Option<Timestamp>,
}

pub(super) async fn keep<E: Engine>(
    engine: &E,
    grant: &GrantId,
    token: &Sealed,
    ends: Timestamp,
    now: Timestamp,
) -> Answer<()> {
    let key = engine.keys().upstream(grant);
    let upstream = Upstream {
        token: token.clone(),
        recheck_until: None,
        claimed_until: None,
    };
    let value = Value {
        bytes: encode(&key, upstream)?,
        ends: Some(ends),
    };
    engine.put(key, value, now).await
}

pub(super) async fn token<E: Engine>(engine: &E, grant: &GrantId) -> Answer<Option<Sealed>> {
    let (key, found) = get_one(engine, engine.keys().upstream(grant)).await?;
    Ok(read::<Upstream>(&key, found.as_ref())?.map(|upstream| upstream.token))
}

/// The index first: it is a superset.
pub(super) async fn recheck_until<E: Engine>(
    engine: &E,
    grant: &GrantId,
    until: Timestamp,
    now: Timestamp,
) -> Answer<()> {
    let index = engine.keys().rechecks();
    engine.index(index, grant.as_str(), until, now).await?;
    change(engine, grant, now, |upstream| {
        upstream.recheck_until = upstream.recheck_until.max(Some(until));
        true
    })
    .await
    .map(drop)
}

pub(super) async fn claim<E: Engine>(
    engine: &E,
    grant: &GrantId,
    until: Timestamp,
    now: Timestamp,
) -> Answer<Option<Sealed>> {
    let claimed = change(engine, grant, now, |upstream| {
        let is_needed = upstream.recheck_until.is_some_and(|end| !end.has_passed(now));
        let is_free = upstream.claimed_until.is_none_or(|end| end.has_passed(now));
        upstream.claimed_until = Some(until);
        is_needed && is_free
    })
    .await?;
    Ok(claimed.map(|upstream| upstream.token))
}

/// Changes the record of a grant that lives, if `change` wants to. Answers the record as it was written.
async fn change<E: Engine>(
    engine: &E,
    grant: &GrantId,
    now: Timestamp,
    change: impl Fn(&mut Upstream) -> bool,
) -> Answer<Option<Upstream>> {
    let keys = engine.keys();
    for _ in 0..ATTEMPTS {
        let both = [keys.grant(grant), keys.upstream(grant)];
        let [(grant_key, held), (key, found)] = get_each(engine, both).await?;
        let living = grants::living(&grant_key, held.as_ref(), now)?;
        let upstream = read::<Upstream>(&key, found.as_ref())?;
        let Some((grant, mut upstream)) = living.zip(upstream) else {
            return Ok(None);
        };
        if !change(&mut upstream) {
            return Ok(None);
        }
        let value = Value {
            bytes: encode(&key, &upstream)?,
            ends: Some(grant.expires_at),
        };
        let swaps = vec![
            Swap::new(key, found, Then::Put(value)),
            Swap::new(grant_key, held, Then::Keep),
        ];
        if engine.swap(swaps, now).await? {
            return Ok(Some(upstream));
        }
    }
    Err(contended(&keys.upstream(grant)))
}

pub(super) async fn note<E: Engine>(
    engine: &E,
    id: &GrantId,
    memberships: &Memberships,
    now: Timestamp,
) -> Answer<bool> {
    for _ in 0..ATTEMPTS {
        let (key, found) = get_one(engine, engine.keys().grant(id)).await?;
        let Some(mut grant) = grants::living(&key, found.as_ref(), now)? else {
            return Ok(false);
        };
        let is_newer = |known: &Memberships| known.checked_at >= memberships.checked_at;
        if grant.memberships.as_ref().is_some_and(is_newer) {
            return Ok(true);
        }
        grant.memberships = Some(memberships.clone());
        let then = Then::Put(grants::written(&key, &grant)?);
        if engine.swap(vec![Swap::new(key, found, then)], now).await? {
            return Ok(true);
        }
    }
    Err(contended(&engine.keys().grant(id)))
}
