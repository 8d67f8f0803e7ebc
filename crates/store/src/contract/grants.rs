//! Grants and their codes.

use mcp_gateway_model::{
    clock::Timestamp,
    grant::{Code, Grant},
    id::GrantId,
    secret::Digest,
};
use serde::{Deserialize, Serialize};

use super::{blocks, clients, get_each, get_one, read};
use crate::{
    engine::{ATTEMPTS, Answer, Engine, Raw, Swap, Then, Value, contended},
    value::{decode, encode},
    verbs::{Begun, Redemption, StoreError},
};

/// A code as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Issued {
    code: Code,
    /// When it was used; from then on it is a tombstone.
    used_at: Option<Timestamp>,
    /// How long the tombstone stays.
    remembered_until: Timestamp,
}

impl Issued {
    fn is_known(&self, digest: &Digest, now: Timestamp) -> bool {
        let end = if self.used_at.is_some() {
            self.remembered_until
        } else {
            self.code.expires_at
        };
        self.code.digest == *digest && !end.has_passed(now)
    }

    fn written(&self, key: &str) -> Answer<Value> {
        let ends = if self.used_at.is_some() {
            self.remembered_until
        } else {
            self.code.expires_at
        };
        Ok(Value {
            bytes: encode(key, self)?,
            ends: Some(ends),
        })
    }
}

/// The grant in bytes that were found under `key`, if it lives.
pub(crate) fn living(key: &str, found: Option<&Raw>, now: Timestamp) -> Answer<Option<Grant>> {
    Ok(read(key, found)?.filter(|grant: &Grant| !grant.expires_at.has_passed(now)))
}

/// The grant as it is written.
pub(super) fn written(key: &str, grant: &Grant) -> Answer<Value> {
    Ok(Value {
        bytes: encode(key, grant)?,
        ends: Some(grant.expires_at),
    })
}

pub(super) async fn begin<E: Engine>(
    engine: &E,
    grant: &Grant,
    code: &Code,
    remembered_until: Timestamp,
    now: Timestamp,
) -> Answer<Begun> {
    let (grant_key, code_key) = (engine.keys().grant(&grant.id), engine.keys().code(&grant.id));
    let issued = Issued {
        code: code.clone(),
        used_at: None,
        remembered_until,
    };
    index(engine, grant, grant.expires_at, now).await?;
    let swaps = vec![
        Swap::new(grant_key.clone(), None, Then::Put(written(&grant_key, grant)?)),
        Swap::new(code_key.clone(), None, Then::Put(issued.written(&code_key)?)),
    ];
    if !engine.swap(swaps, now).await? {
        return Err(there_already());
    }
    if is_stopped(engine, grant, now).await? {
        end(engine, &grant.id, now).await?;
        engine.remove(vec![code_key]).await?;
        return Ok(Begun::Refused);
    }
    Ok(Begun::Yes)
}

/// Begins a grant that has no code.
pub(super) async fn add<E: Engine>(engine: &E, grant: &Grant, now: Timestamp) -> Answer<Begun> {
    let key = engine.keys().grant(&grant.id);
    index(engine, grant, grant.expires_at, now).await?;
    let swap = Swap::new(key.clone(), None, Then::Put(written(&key, grant)?));
    if !engine.swap(vec![swap], now).await? {
        return Err(there_already());
    }
    if is_stopped(engine, grant, now).await? {
        end(engine, &grant.id, now).await?;
        return Ok(Begun::Refused);
    }
    Ok(Begun::Yes)
}

fn there_already() -> StoreError {
    StoreError::Refused("a grant with this id is there already".into())
}

pub(super) async fn code<E: Engine>(
    engine: &E,
    grant: &GrantId,
    digest: &Digest,
    now: Timestamp,
) -> Answer<Option<Code>> {
    let (key, found) = get_one(engine, engine.keys().code(grant)).await?;
    let issued = read::<Issued>(&key, found.as_ref())?;
    Ok(issued
        .filter(|issued| issued.is_known(digest, now))
        .map(|issued| issued.code))
}

pub(super) async fn redeem<E: Engine>(
    engine: &E,
    id: &GrantId,
    digest: &Digest,
    now: Timestamp,
) -> Answer<Redemption> {
    let keys = engine.keys();
    for _ in 0..ATTEMPTS {
        let [(code_key, code), (grant_key, held)] = get_each(engine, [keys.code(id), keys.grant(id)]).await?;
        let issued = read::<Issued>(&code_key, code.as_ref())?.filter(|issued| issued.is_known(digest, now));
        let Some(mut issued) = issued else {
            return Ok(Redemption::Unknown);
        };
        if issued.used_at.is_some() {
            return Ok(Redemption::Replayed);
        }
        let Some(grant) = living(&grant_key, held.as_ref(), now)? else {
            return Ok(Redemption::Unknown);
        };
        issued.used_at = Some(now);
        let swaps = vec![
            Swap::new(code_key.clone(), code, Then::Put(issued.written(&code_key)?)),
            Swap::new(grant_key, held, Then::Keep),
        ];
        if engine.swap(swaps, now).await? {
            return Ok(Redemption::Granted(Box::new(grant)));
        }
    }
    Err(contended(&keys.code(id)))
}

/// Ends a grant: whoever takes the record ended it. What is left behind points to nothing.
pub(super) async fn end<E: Engine>(engine: &E, id: &GrantId, now: Timestamp) -> Answer<bool> {
    let key = engine.keys().grant(id);
    let Some(bytes) = engine.take(key.clone()).await? else {
        return Ok(false);
    };
    let beside = vec![engine.keys().refresh(id), engine.keys().upstream(id)];
    engine.remove(beside).await?;
    let grant: Grant = decode(&key, &bytes)?;
    unindex(engine, &grant).await?;
    Ok(!grant.expires_at.has_passed(now))
}

/// Enters the grant in the indexes by client and by user, and the user in that of the login, until `ends` at least. Always before the grant itself.
pub(super) async fn index<E: Engine>(
    engine: &E,
    grant: &Grant,
    ends: Timestamp,
    now: Timestamp,
) -> Answer<()> {
    let id = grant.id.as_str();
    engine
        .index(engine.keys().client_grants(&grant.client), id, ends, now)
        .await?;
    if let Some(user) = &grant.user {
        let users = engine.keys().login_users(&user.login);
        engine.index(users, &user.id.to_string(), ends, now).await?;
        let key = engine.keys().user_grants(user.id);
        engine.index(key, id, ends, now).await?;
    }
    Ok(())
}

/// Takes an ended grant out of the indexes.
pub(super) async fn unindex<E: Engine>(engine: &E, grant: &Grant) -> Answer<()> {
    let id = grant.id.as_str();
    engine
        .unindex(engine.keys().client_grants(&grant.client), id)
        .await?;
    if let Some(user) = &grant.user {
        engine.unindex(engine.keys().user_grants(user.id), id).await?;
    }
    Ok(())
}

/// The living grants that an index points to.
pub(super) async fn indexed<E: Engine>(engine: &E, index: &str, now: Timestamp) -> Answer<Vec<Grant>> {
    let ids = engine.members(index).await?;
    let keys: Vec<_> = ids
        .iter()
        .filter_map(|id| GrantId::parse(id).ok())
        .map(|id| engine.keys().grant(&id))
        .collect();
    let found = engine.get_scattered(&keys).await?;
    let mut grants = Vec::new();
    for (key, bytes) in keys.iter().zip(&found) {
        grants.extend(living(key, bytes.as_ref(), now)?);
    }
    Ok(grants)
}

/// Whether a marker says that the grant may not begin or go on: of its client, or of its user's number or login.
pub(super) async fn is_stopped<E: Engine>(engine: &E, grant: &Grant, now: Timestamp) -> Answer<bool> {
    let mut markers = vec![engine.keys().ended_client(&grant.client)];
    if let Some(user) = &grant.user {
        markers.extend(blocks::markers(engine, user.id, &user.login));
    }
    let found = engine.get_scattered(&markers).await?;
    let (client, user) = found.split_at(1);
    let is_ended = clients::is_marked(&markers[0], client[0].as_ref(), now)?;
    Ok(is_ended || user.iter().any(Option::is_some))
}
