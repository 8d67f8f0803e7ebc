//! The chain of a grant's refresh tokens. The store knows only which generation is current, and since when.

use mcp_gateway_model::{clock::Timestamp, grant::Grant, id::GrantId};
use serde::{Deserialize, Serialize};

use super::{
    held::{HeldGrant, Next, Wrote},
    markers::{self, Stop},
};
use crate::{
    engine::{ATTEMPTS, Answer, Engine, contended},
    verbs::{Permitted, Presented, Prolong, Prolonged, Rotation},
};

/// Where a chain of refresh tokens stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chain {
    pub(super) current: u64,
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
    /// A chain whose first token is about to be handed out.
    pub(super) const fn opened(now: Timestamp) -> Self {
        Self {
            current: 1,
            turned_at: now,
        }
    }

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

pub(super) async fn prolong<E: Engine>(
    engine: &E,
    id: &GrantId,
    until: Timestamp,
    now: Timestamp,
) -> Answer<Prolonged> {
    for _ in 0..ATTEMPTS {
        let held = HeldGrant::read(engine, id, now).await?;
        if held.grant().is_none() {
            return Ok(Prolonged::Ended);
        }
        let chain = held.chain().unwrap_or_else(|| Chain::opened(now));
        let (next, prolong) = (Next { chain, used: None }, Prolong { permit: None, until });
        match held.go_on(engine, next, prolong, now).await? {
            Wrote::Yes(_) => return Ok(Prolonged::Lives(chain.current)),
            Wrote::Stopped(_) => return Ok(Prolonged::Ended),
            Wrote::Outdated | Wrote::Wait(_) => {}
        }
    }
    Err(contended(&engine.keys().grant(id)))
}

pub(super) async fn rotate<E: Engine>(
    engine: &E,
    mut held: Box<HeldGrant>,
    presented: Presented,
    mut prolong: Prolong,
    now: Timestamp,
) -> Answer<Permitted<Rotation>> {
    for _ in 0..ATTEMPTS {
        let Some(old) = held.grant().and(held.chain()) else {
            return Ok(Permitted::Yes(Rotation::Unknown));
        };
        let verdict = old.judge(presented, now);
        let new = match verdict {
            Verdict::Unknown => return Ok(Permitted::Yes(Rotation::Unknown)),
            Verdict::Replay => {
                if held.end(engine, now).await? {
                    return Ok(Permitted::Yes(Rotation::Replayed));
                }
                *held = HeldGrant::read(engine, held.id(), now).await?;
                continue;
            }
            Verdict::Again => old,
            Verdict::Turn(current) => Chain {
                current,
                turned_at: now,
            },
        };
        let next = Next {
            chain: new,
            used: None,
        };
        let rotation = match held.go_on(engine, next, prolong, now).await? {
            Wrote::Yes(grant) => rotated(verdict, grant, new.current),
            Wrote::Stopped(Stop::User) => Rotation::Blocked,
            Wrote::Stopped(Stop::Client) => Rotation::Unknown,
            Wrote::Wait(wait) => return Ok(Permitted::Wait(wait)),
            Wrote::Outdated => {
                prolong.permit = None;
                *held = HeldGrant::read(engine, held.id(), now).await?;
                continue;
            }
        };
        return Ok(Permitted::Yes(rotation));
    }
    Err(contended(&engine.keys().refresh(held.id())))
}

pub(super) async fn is_live<E: Engine>(
    engine: &E,
    id: &GrantId,
    presented: Presented,
    now: Timestamp,
) -> Answer<bool> {
    let held = HeldGrant::read(engine, id, now).await?;
    let Some(grant) = held.grant() else {
        return Ok(false);
    };
    let usable = held
        .chain()
        .is_some_and(|chain| matches!(chain.judge(presented, now), Verdict::Turn(_) | Verdict::Again));
    Ok(usable && !markers::is_stopped(engine, grant, now).await?)
}

fn rotated(verdict: Verdict, grant: Box<Grant>, current: u64) -> Rotation {
    if verdict == Verdict::Again {
        Rotation::Again { grant, current }
    } else {
        Rotation::Turned { grant, current }
    }
}
