//! Grants and their codes.

use mcp_gateway_model::{
    clock::Timestamp,
    grant::{Code, Grant},
    id::GrantId,
    secret::Digest,
};
use serde::{Deserialize, Serialize};

use super::{
    get_one,
    held::{HeldGrant, Next, Wrote},
    markers, permit_step, read,
    refresh::Chain,
};
use crate::{
    engine::{ATTEMPTS, Answer, Answers, Engine, Raw, Step, Swap, Then, Value, contended},
    keys::Keys,
    value::{decode, encode},
    verbs::{Begun, Permit, Permitted, Prolong, Redemption, StoreError},
};

/// A code as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Issued {
    pub(super) code: Code,
    /// When it was used; from then on it is a tombstone.
    used_at: Option<Timestamp>,
    /// How long the tombstone stays.
    remembered_until: Timestamp,
}

impl Issued {
    pub(super) fn is_known(&self, digest: &Digest, now: Timestamp) -> bool {
        let end = if self.used_at.is_some() {
            self.remembered_until
        } else {
            self.code.expires_at
        };
        self.code.digest == *digest && !end.has_passed(now)
    }

    pub(super) fn written(&self, key: &str) -> Answer<Value> {
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
    let code_key = engine.keys().code(&grant.id);
    let issued = Issued {
        code: code.clone(),
        used_at: None,
        remembered_until,
    };
    let swap = Swap::new(code_key.clone(), None, Then::Put(issued.written(&code_key)?));
    match begun(engine, grant, Some(swap), None, now).await? {
        Permitted::Yes(Begun::Refused) => {
            engine.remove(vec![code_key]).await?;
            Ok(Begun::Refused)
        }
        begun => begun.without_permit(),
    }
}

/// Begins a grant that has no code.
pub(super) async fn add<E: Engine>(engine: &E, grant: &Grant, now: Timestamp) -> Answer<Begun> {
    begun(engine, grant, None, None, now).await?.without_permit()
}

/// Begins a grant, with what lies beside it: the indexes first, then the records, then the markers are read.
pub(super) async fn begun<E: Engine>(
    engine: &E,
    grant: &Grant,
    beside: Option<Swap>,
    permit: Option<Permit>,
    now: Timestamp,
) -> Answer<Permitted<Begun>> {
    let key = engine.keys().grant(&grant.id);
    let mut swaps = vec![Swap::new(key.clone(), None, Then::Put(written(&key, grant)?))];
    swaps.extend(beside);
    let index = index_steps(engine.keys(), grant, grant.expires_at);
    let indexed = index.len();
    let markers = markers::keys(engine.keys(), grant);
    let mut steps: Vec<_> = permit
        .map(|permit| permit_step(engine, permit))
        .into_iter()
        .collect();
    let vacant = markers::vacant_step(&markers);
    let has_user = vacant.is_some();
    steps.extend(vacant);
    steps.extend(index);
    steps.push(Step::Swap(swaps));
    steps.push(Step::Gather(markers.clone()));

    let mut answers = Answers::new(engine.steps(steps, now).await?);
    if permit.is_some()
        && let Some(wait) = answers.wait()?
    {
        return Ok(Permitted::Wait(wait));
    }
    if has_user && !answers.vacant()? {
        return Ok(Permitted::Yes(Begun::Refused));
    }
    for _ in 0..indexed {
        answers.indexed()?;
    }
    if !answers.swapped()? {
        return Err(StoreError::Refused(
            "a grant with this id is there already".into(),
        ));
    }
    if markers::stop(&markers, &mut answers, now)?.is_some() {
        end(engine, &grant.id, now).await?;
        return Ok(Permitted::Yes(Begun::Refused));
    }
    Ok(Permitted::Yes(Begun::Yes))
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
    mut held: Box<HeldGrant>,
    digest: &Digest,
    mut prolong: Prolong,
    now: Timestamp,
) -> Answer<Permitted<Redemption>> {
    for _ in 0..ATTEMPTS {
        let Some(issued) = held.issued(digest, now) else {
            return Ok(Permitted::Yes(Redemption::Unknown));
        };
        if issued.used_at.is_some() {
            return Ok(Permitted::Yes(Redemption::Replayed));
        }
        if held.grant().is_none() {
            return Ok(Permitted::Yes(Redemption::Unknown));
        }
        let used = Issued {
            used_at: Some(now),
            ..issued.clone()
        };
        let chain = held.chain().unwrap_or_else(|| Chain::opened(now));
        let next = Next {
            chain,
            used: Some(used),
        };
        let wrote = held.go_on(engine, next, prolong, now).await?;
        return Ok(Permitted::Yes(match wrote {
            Wrote::Yes(grant) => Redemption::Granted {
                grant,
                current: chain.current,
            },
            Wrote::Stopped(_) => Redemption::Ended,
            Wrote::Wait(wait) => return Ok(Permitted::Wait(wait)),
            Wrote::Outdated => {
                prolong.permit = None;
                *held = HeldGrant::read(engine, held.id(), now).await?;
                continue;
            }
        }));
    }
    Err(contended(&engine.keys().code(held.id())))
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

/// Enters the grant in the indexes by client and by user, and the user in that of the login, until `ends` at least. Always
/// before the grant itself.
pub(super) fn index_steps(keys: &Keys, grant: &Grant, ends: Timestamp) -> Vec<Step> {
    let step = |key, member: &str| Step::Index {
        key,
        member: member.to_owned(),
        ends,
    };
    let mut steps = Vec::with_capacity(3);
    steps.push(step(keys.client_grants(&grant.client), grant.id.as_str()));
    if let Some(user) = &grant.user {
        steps.push(step(keys.login_users(&user.login), &user.id.to_string()));
        steps.push(step(keys.user_grants(user.id), grant.id.as_str()));
    }
    steps
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
