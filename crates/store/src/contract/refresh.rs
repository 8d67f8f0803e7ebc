//! The chain of a grant's refresh tokens. The store knows only which generation is current, and since when.

use mcp_gateway_model::{clock::Timestamp, grant::Grant, id::GrantId};
use serde::{Deserialize, Serialize};

use super::{get_each, grants, read};
use crate::{
    engine::{ATTEMPTS, Answer, Engine, Held as Lies, Raw, Swap, Then, Value, contended},
    value::encode,
    verbs::{Presented, Prolonged, Rotation},
};

/// Where a chain of refresh tokens stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Chain {
    current: u64,
    turned_at: Timestamp,
}

/// What is to be done about a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// This becomes current.
    Turn(u64),
    Again,
    Replay,
    Unknown,
}

impl Chain {
    fn judge(self, presented: Presented, now: Timestamp) -> Verdict {
        let Presented { generation, grace } = presented;
        let Some(next) = generation.checked_add(1).filter(|_| generation > 0) else {
            return Verdict::Unknown;
        };
        if generation == self.current || Some(generation) == self.current.checked_add(1) {
            Verdict::Turn(next)
        } else if generation > self.current {
            Verdict::Unknown
        } else if next == self.current && !self.turned_at.plus(grace).has_passed(now) {
            Verdict::Again
        } else {
            Verdict::Replay
        }
    }
}

/// A living grant and its chain, as they were read.
struct Held {
    grant: Grant,
    grant_key: String,
    grant_bytes: Option<Raw>,
    chain: Option<Chain>,
    chain_key: String,
    chain_bytes: Option<Raw>,
    upstream_key: String,
    upstream_bytes: Option<Raw>,
}

impl Held {
    async fn read<E: Engine>(engine: &E, id: &GrantId, now: Timestamp) -> Answer<Option<Self>> {
        let keys = [
            engine.keys().grant(id),
            engine.keys().refresh(id),
            engine.keys().upstream(id),
        ];
        let [
            (grant_key, grant_bytes),
            (chain_key, chain_bytes),
            (upstream_key, upstream_bytes),
        ] = get_each(engine, keys).await?;
        let chain = read(&chain_key, chain_bytes.as_ref())?;
        Ok(
            grants::living(&grant_key, grant_bytes.as_ref(), now)?.map(|grant| Self {
                grant,
                grant_key,
                grant_bytes,
                chain,
                chain_key,
                chain_bytes,
                upstream_key,
                upstream_bytes,
            }),
        )
    }

    /// Writes the chain, and the grant and what goes with it until `until`, if nothing has changed since. The indexes come first, so that
    /// they never forget a grant that lives.
    async fn go_on<E: Engine>(
        self,
        engine: &E,
        chain: Chain,
        until: Timestamp,
        now: Timestamp,
    ) -> Answer<Option<Grant>> {
        let mut grant = self.grant;
        if grant.expires_at < until {
            grant.expires_at = until;
            grants::index(engine, &grant, until, now).await?;
        }
        let chain = Value {
            bytes: encode(&self.chain_key, chain)?,
            ends: Some(grant.expires_at),
        };
        let value = grants::written(&self.grant_key, &grant)?;
        let mut swaps = vec![
            Swap::new(self.grant_key, self.grant_bytes, Then::Put(value)),
            Swap::new(self.chain_key, self.chain_bytes, Then::Put(chain)),
        ];
        if let Some(bytes) = self.upstream_bytes {
            let same = Value {
                bytes: bytes.clone(),
                ends: Some(grant.expires_at),
            };
            swaps.push(Swap::new(self.upstream_key, Some(bytes), Then::Put(same)));
        }
        Ok(engine.swap(swaps, now).await?.then_some(grant))
    }

    /// Ends the grant, if nothing has changed since.
    async fn end<E: Engine>(self, engine: &E, now: Timestamp) -> Answer<bool> {
        let swaps = vec![
            Swap::new(self.grant_key, self.grant_bytes, Then::Remove),
            Swap::new(self.chain_key, self.chain_bytes, Then::Remove),
            Swap {
                key: self.upstream_key,
                held: Lies::Anything,
                then: Then::Remove,
            },
        ];
        let ended = engine.swap(swaps, now).await?;
        if ended {
            grants::unindex(engine, &self.grant).await?;
        }
        Ok(ended)
    }
}

pub(super) async fn prolong<E: Engine>(
    engine: &E,
    id: &GrantId,
    until: Timestamp,
    now: Timestamp,
) -> Answer<Prolonged> {
    for _ in 0..ATTEMPTS {
        let Some(held) = Held::read(engine, id, now).await? else {
            return Ok(Prolonged::Ended);
        };
        let chain = held.chain.unwrap_or(Chain {
            current: 1,
            turned_at: now,
        });
        if let Some(grant) = held.go_on(engine, chain, until, now).await? {
            return Ok(if ended_by_marker(engine, &grant, now).await? {
                Prolonged::Ended
            } else {
                Prolonged::Lives(chain.current)
            });
        }
    }
    Err(contended(&engine.keys().grant(id)))
}

pub(super) async fn rotate<E: Engine>(
    engine: &E,
    id: &GrantId,
    presented: Presented,
    until: Timestamp,
    now: Timestamp,
) -> Answer<Rotation> {
    for _ in 0..ATTEMPTS {
        let Some(held) = Held::read(engine, id, now).await? else {
            return Ok(Rotation::Unknown);
        };
        let Some(old) = held.chain else {
            return Ok(Rotation::Unknown);
        };
        let verdict = old.judge(presented, now);
        if verdict == Verdict::Replay {
            if held.end(engine, now).await? {
                return Ok(Rotation::Replayed);
            }
            continue;
        }
        let new = match verdict {
            Verdict::Unknown | Verdict::Replay => return Ok(Rotation::Unknown),
            Verdict::Again => old,
            Verdict::Turn(current) => Chain {
                current,
                turned_at: now,
            },
        };
        if let Some(grant) = held.go_on(engine, new, until, now).await? {
            return if ended_by_marker(engine, &grant, now).await? {
                Ok(Rotation::Unknown)
            } else {
                Ok(rotated(verdict, Box::new(grant), new.current))
            };
        }
    }
    Err(contended(&engine.keys().refresh(id)))
}

pub(super) async fn is_live<E: Engine>(
    engine: &E,
    id: &GrantId,
    presented: Presented,
    now: Timestamp,
) -> Answer<bool> {
    let Some(held) = Held::read(engine, id, now).await? else {
        return Ok(false);
    };
    let usable = held
        .chain
        .is_some_and(|chain| matches!(chain.judge(presented, now), Verdict::Turn(_) | Verdict::Again));
    Ok(usable && !grants::is_stopped(engine, &held.grant, now).await?)
}

fn rotated(verdict: Verdict, grant: Box<Grant>, current: u64) -> Rotation {
    if verdict == Verdict::Again {
        Rotation::Again { grant, current }
    } else {
        Rotation::Turned { grant, current }
    }
}

/// Ends a grant whose client was removed while it was prolonged.
async fn ended_by_marker<E: Engine>(engine: &E, grant: &Grant, now: Timestamp) -> Answer<bool> {
    let stopped = grants::is_stopped(engine, grant, now).await?;
    if stopped {
        grants::end(engine, &grant.id, now).await?;
    }
    Ok(stopped)
}
