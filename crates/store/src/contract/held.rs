//! A grant and what goes with it, as they were read at one moment. What is decided about them is written only if nothing has
//! changed since.

use std::fmt;

use mcp_gateway_model::{
    clock::Timestamp,
    grant::{Code, Grant},
    id::GrantId,
    secret::Digest,
};
use serde::de::DeserializeOwned;

use super::{
    grants::{self, Issued},
    markers::{self, Stop},
    read,
    refresh::Chain,
};
use crate::{
    engine::{Answer, Answers, Engine, Held, Raw, Step, Swap, Then, Value},
    keys::Keys,
    value::encode,
    verbs::Prolong,
};

/// A record as it was read.
struct Lying<T> {
    key: String,
    bytes: Option<Raw>,
    record: Option<T>,
}

impl<T: DeserializeOwned> Lying<T> {
    fn new(key: String, bytes: Option<Raw>) -> Answer<Self> {
        let record = read(&key, bytes.as_ref())?;
        Ok(Self { key, bytes, record })
    }
}

/// A grant, its code and its chain of refresh tokens, as they were read for a call. Only the store can use it, for what the call
/// does next.
pub struct HeldGrant {
    id: GrantId,
    grant: Lying<Grant>,
    code: Lying<Issued>,
    chain: Lying<Chain>,
    upstream_key: String,
    upstream: Option<Raw>,
}

impl fmt::Debug for HeldGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeldGrant").field(&self.id).finish()
    }
}

/// What is written beside the grant.
pub(super) struct Next {
    pub(super) chain: Chain,
    /// The code, if it was used.
    pub(super) used: Option<Issued>,
}

/// What became of an attempt to write.
pub(super) enum Wrote {
    /// It is written.
    Yes(Box<Grant>),
    /// Somebody was found to have stopped it, before it was written or after, and it has been ended.
    Stopped(Stop),
    /// Something had changed: nothing is written.
    Outdated,
    /// There was no permit: nothing is written.
    Wait(std::time::Duration),
}

impl HeldGrant {
    /// What is to be read, together: it lies in one slot.
    pub(super) fn keys(keys: &Keys, id: &GrantId) -> [String; 4] {
        [keys.grant(id), keys.code(id), keys.refresh(id), keys.upstream(id)]
    }

    /// What was read under these keys. Only a grant that lives at `now` counts as one.
    pub(super) fn new(
        id: &GrantId,
        keys: [String; 4],
        found: Vec<Option<Raw>>,
        now: Timestamp,
    ) -> Answer<Self> {
        let [grant, code, chain, upstream_key] = keys;
        let mut found = found.into_iter();
        let mut next = || found.next().flatten();
        let mut grant: Lying<Grant> = Lying::new(grant, next())?;
        grant.record = grant.record.filter(|grant| !grant.expires_at.has_passed(now));
        Ok(Self {
            id: id.clone(),
            grant,
            code: Lying::new(code, next())?,
            chain: Lying::new(chain, next())?,
            upstream_key,
            upstream: next(),
        })
    }

    /// Reads it all.
    pub(super) async fn read<E: Engine>(engine: &E, id: &GrantId, now: Timestamp) -> Answer<Self> {
        let keys = Self::keys(engine.keys(), id);
        let found = engine.get(&keys).await?;
        Self::new(id, keys, found, now)
    }

    /// The grant, if it lived when it was read.
    #[must_use]
    pub const fn grant(&self) -> Option<&Grant> {
        self.grant.record.as_ref()
    }

    /// The grant, for who wants nothing else.
    #[must_use]
    pub fn into_grant(self) -> Option<Grant> {
        self.grant.record
    }

    /// What the code was issued for, used or not. `None` when it was never issued, or was never used and has ended.
    #[must_use]
    pub fn code(&self, digest: &Digest, now: Timestamp) -> Option<&Code> {
        self.issued(digest, now).map(|issued| &issued.code)
    }

    pub(super) const fn id(&self) -> &GrantId {
        &self.id
    }

    pub(super) fn issued(&self, digest: &Digest, now: Timestamp) -> Option<&Issued> {
        let issued = self.code.record.as_ref();
        issued.filter(|issued| issued.is_known(digest, now))
    }

    pub(super) const fn chain(&self) -> Option<Chain> {
        self.chain.record
    }

    /// Writes what is `next`, and the grant and what goes with it until `until`, if nothing has
    /// changed since. The indexes come first, so that they never forget a grant that lives; the markers of client and user are
    /// read last, so that whoever puts one finds the grant in the index, or is found here.
    pub(super) async fn go_on<E: Engine>(
        &self,
        engine: &E,
        next: Next,
        Prolong { permit, until }: Prolong,
        now: Timestamp,
    ) -> Answer<Wrote> {
        let Some(lived) = self.grant() else {
            return Ok(Wrote::Outdated);
        };
        let mut grant = Box::new(lived.clone());
        let mut steps = Vec::with_capacity(9);
        steps.extend(permit.map(|permit| super::permit_step(engine, permit)));
        let markers = markers::keys(engine.keys(), &grant);
        let vacant = markers::vacant_step(&markers);
        let has_user = vacant.is_some();
        steps.extend(vacant);
        let mut indexed = 0;
        if grant.expires_at < until {
            grant.expires_at = until;
            let index = grants::index_steps(engine.keys(), &grant, until);
            indexed = index.len();
            steps.extend(index);
        }
        steps.push(Step::Swap(self.swaps(&grant, next)?));
        steps.push(Step::Gather(markers.clone()));

        let mut answers = Answers::new(engine.steps(steps, now).await?);
        if permit.is_some()
            && let Some(wait) = answers.wait()?
        {
            return Ok(Wrote::Wait(wait));
        }
        if has_user && !answers.vacant()? {
            grants::end(engine, &self.id, now).await?;
            return Ok(Wrote::Stopped(Stop::User));
        }
        for _ in 0..indexed {
            answers.indexed()?;
        }
        if !answers.swapped()? {
            return Ok(Wrote::Outdated);
        }
        if let Some(stop) = markers::stop(&markers, &mut answers, now)? {
            grants::end(engine, &self.id, now).await?;
            return Ok(Wrote::Stopped(stop));
        }
        Ok(Wrote::Yes(grant))
    }

    fn swaps(&self, grant: &Grant, Next { chain, used }: Next) -> Answer<Vec<Swap>> {
        let ends = Some(grant.expires_at);
        let put = |lies: &str, held: &Option<Raw>, value| {
            Swap::new(lies.to_owned(), held.clone(), Then::Put(value))
        };
        let value = grants::written(&self.grant.key, grant)?;
        let mut swaps = vec![put(&self.grant.key, &self.grant.bytes, value)];
        if let Some(issued) = used {
            swaps.push(put(
                &self.code.key,
                &self.code.bytes,
                issued.written(&self.code.key)?,
            ));
        }
        let bytes = encode(&self.chain.key, chain)?;
        swaps.push(put(&self.chain.key, &self.chain.bytes, Value { bytes, ends }));
        if let Some(bytes) = self.upstream.clone() {
            swaps.push(put(&self.upstream_key, &self.upstream, Value { bytes, ends }));
        }
        Ok(swaps)
    }

    /// Ends the grant, if nothing has changed since.
    pub(super) async fn end<E: Engine>(&self, engine: &E, now: Timestamp) -> Answer<bool> {
        let swaps = vec![
            Swap::new(self.grant.key.clone(), self.grant.bytes.clone(), Then::Remove),
            Swap::new(self.chain.key.clone(), self.chain.bytes.clone(), Then::Remove),
            Swap {
                key: self.upstream_key.clone(),
                held: Held::Anything,
                then: Then::Remove,
            },
        ];
        let ended = engine.swap(swaps, now).await?;
        if ended && let Some(grant) = self.grant() {
            grants::unindex(engine, grant).await?;
        }
        Ok(ended)
    }
}
