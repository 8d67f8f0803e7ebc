//! What changes several records, within one transaction.

use std::time::Duration;

use mcp_gateway_model::clock::Timestamp;

use super::{MEMBER, swept_at, tables::Tables};
use crate::{
    engine::{Answer, Bound, Done, Held, INDEX_SLACK, SLACK, Step, Swap, Then},
    limits::{Bucket, Permit, ends_at},
    value::{decode, encode},
};

/// The file can fail, and then the whole commit does; a record can be damaged, and then only this fails.
type Outcome<T> = Result<Answer<T>, redb::Error>;

/// Does steps in their order, until a permit is not to be had or a swap does not take place.
pub(super) fn all(tables: &mut Tables<'_>, steps: Vec<Step>, now: Timestamp) -> Outcome<Vec<Done>> {
    let mut all = Vec::with_capacity(steps.len());
    for step in steps {
        let done = match one(tables, step, now)? {
            Ok(done) => done,
            Err(fault) => return Ok(Err(fault)),
        };
        let goes_on = done.goes_on();
        all.push(done);
        if !goes_on {
            break;
        }
    }
    Ok(Ok(all))
}

fn one(tables: &mut Tables<'_>, step: Step, now: Timestamp) -> Outcome<Done> {
    Ok(Ok(match step {
        Step::Get(keys) | Step::Gather(keys) => Done::Got(
            keys.iter()
                .map(|key| tables.get(key))
                .collect::<Result<_, redb::Error>>()?,
        ),
        Step::Permit { key, bucket } => {
            return Ok(take_permit(tables, &key, bucket, now)?.map(Done::Permit));
        }
        Step::Vacant(keys) => {
            let found: Vec<_> = keys
                .iter()
                .map(|key| tables.get(key))
                .collect::<Result<_, redb::Error>>()?;
            Done::Vacant(found.iter().all(Option::is_none))
        }
        Step::Index { key, member, ends } => {
            index(tables, &key, &member, ends)?;
            Done::Indexed
        }
        Step::Unindex { key, member } => {
            tables.remove(&format!("{key}{MEMBER}{member}"))?;
            Done::Indexed
        }
        Step::Members(key) => {
            let members = tables.ends_below(&format!("{key}{MEMBER}"))?;
            Done::Members(members.into_iter().map(|(_, member)| member).collect())
        }
        Step::Swap(swaps) => Done::Swapped(swap(tables, swaps)?),
        Step::Try(swaps) => Done::Tried(swap(tables, swaps)?),
        Step::Soonest { key, bound } => {
            let living = tables.ends_below(&format!("{key}{MEMBER}"))?;
            Done::Members(soonest(living, bound, now))
        }
    }))
}

pub(super) fn swap(tables: &mut Tables<'_>, swaps: Vec<Swap>) -> Result<bool, redb::Error> {
    for swap in &swaps {
        if let Held::Exactly(held) = &swap.held
            && tables.get(&swap.key)? != *held
        {
            return Ok(false);
        }
    }
    for swap in swaps {
        match swap.then {
            Then::Keep => {}
            Then::Put(value) => tables.put(&swap.key, &value.bytes, swept_at(value.ends, SLACK))?,
            Then::Remove => drop(tables.remove(&swap.key)?),
        }
    }
    Ok(true)
}

pub(super) fn index(
    tables: &mut Tables<'_>,
    key: &str,
    member: &str,
    ends: Timestamp,
) -> Result<(), redb::Error> {
    let entry = format!("{key}{MEMBER}{member}");
    let ends = swept_at(Some(ends), INDEX_SLACK);
    if !tables.stays_until(&entry, ends)? {
        tables.put(&entry, b"", ends)?;
    }
    Ok(())
}

pub(super) fn take_permit(
    tables: &mut Tables<'_>,
    key: &str,
    bucket: Bucket,
    now: Timestamp,
) -> Outcome<Option<Duration>> {
    let held = tables.get(key)?.map(|bytes| decode(key, &bytes)).transpose();
    let taken = held.and_then(|full_at| match bucket.take(full_at, now) {
        Permit::Wait(wait) => Ok((Some(wait), None)),
        Permit::Taken(full_at) => Ok((None, Some((encode(key, full_at)?, ends_at(full_at))))),
    });
    Ok(match taken {
        Ok((wait, None)) => Ok(wait),
        Ok((wait, Some((bytes, ends)))) => {
            tables.put(key, &bytes, swept_at(Some(ends), SLACK))?;
            Ok(wait)
        }
        Err(fault) => Err(fault),
    })
}

/// Of members by when they end: those that end soonest, if there are more than may be.
pub(super) fn soonest(mut living: Vec<(u64, String)>, bound: Bound, now: Timestamp) -> Vec<String> {
    living.retain(|(ends, _)| *ends >= now.millis());
    let too_many = living.len().saturating_sub(bound.most as usize);
    if too_many == 0 || !(too_many - 1).is_multiple_of(bound.every as usize) {
        return Vec::new();
    }
    living.sort_unstable();
    living.truncate((too_many + bound.more as usize).min(bound.at_once as usize));
    living.into_iter().map(|(_, member)| member).collect()
}
