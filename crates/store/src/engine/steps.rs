//! Several things done in one trip to the store.

use std::time::Duration;

use mcp_gateway_model::clock::Timestamp;

use super::{Answer, Bound, Engine, Raw, Swap};
use crate::{limits::Bucket, verbs::StoreError};

/// One thing of several that are done in this order. Each but `Gather` and `Vacant` touches keys of one slot only; the slots of
/// two may differ.
pub(crate) enum Step {
    /// Reads keys.
    Get(Vec<String>),
    /// Reads keys, whatever their slots.
    Gather(Vec<String>),
    /// Takes a permit from a bucket. Where there is none nothing more is done.
    Permit { key: String, bucket: Bucket },
    /// Looks whether nothing lies under any of these keys, whatever their slots. Where something does nothing more is done.
    Vacant(Vec<String>),
    /// Adds a member to an index, as [`Engine::index`] does.
    Index {
        key: String,
        member: String,
        ends: Timestamp,
    },
    /// Takes a member out of an index.
    Unindex { key: String, member: String },
    /// Reads the members of an index.
    Members(String),
    /// Swaps. Where that does not take place nothing more is done.
    Swap(Vec<Swap>),
    /// Swaps, and goes on where that does not take place.
    Try(Vec<Swap>),
    /// Looks whom an index has too many of, as [`Engine::soonest`] does.
    Soonest { key: String, bound: Bound },
}

impl Step {
    /// The first key it touches: names what a fault is about.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Get(keys) | Self::Gather(keys) | Self::Vacant(keys) => {
                keys.first().map_or("", String::as_str)
            }
            Self::Permit { key, .. }
            | Self::Index { key, .. }
            | Self::Unindex { key, .. }
            | Self::Members(key)
            | Self::Soonest { key, .. } => key,
            Self::Swap(swaps) | Self::Try(swaps) => swaps.first().map_or("", |swap| &swap.key),
        }
    }
}

/// What came of a step.
#[derive(Debug)]
pub(crate) enum Done {
    Got(Vec<Option<Raw>>),
    /// How long to wait, if there was no permit.
    Permit(Option<Duration>),
    Vacant(bool),
    /// An index was changed.
    Indexed,
    Members(Vec<String>),
    Swapped(bool),
    Tried(bool),
}

impl Done {
    /// Whether the next step is done as well.
    pub(crate) const fn goes_on(&self) -> bool {
        !matches!(
            self,
            Self::Permit(Some(_)) | Self::Vacant(false) | Self::Swapped(false)
        )
    }
}

/// Does one step after the other: for keys that lie on several nodes.
pub(crate) async fn one_by_one<E: Engine>(engine: &E, steps: Vec<Step>, now: Timestamp) -> Answer<Vec<Done>> {
    let mut all = Vec::with_capacity(steps.len());
    for step in steps {
        let done = match step {
            Step::Get(keys) => Done::Got(engine.get(&keys).await?),
            Step::Gather(keys) => Done::Got(engine.get_scattered(&keys).await?),
            Step::Permit { key, bucket } => Done::Permit(engine.take_permit(key, bucket, now).await?),
            Step::Vacant(keys) => {
                let found = engine.get_scattered(&keys).await?;
                Done::Vacant(found.iter().all(Option::is_none))
            }
            Step::Index { key, member, ends } => {
                engine.index(key, &member, ends, now).await?;
                Done::Indexed
            }
            Step::Unindex { key, member } => {
                engine.unindex(key, &member).await?;
                Done::Indexed
            }
            Step::Members(key) => Done::Members(engine.members(&key).await?),
            Step::Swap(swaps) => Done::Swapped(engine.swap(swaps, now).await?),
            Step::Try(swaps) => Done::Tried(engine.swap(swaps, now).await?),
            Step::Soonest { key, bound } => Done::Members(engine.soonest(&key, bound, now).await?),
        };
        let goes_on = done.goes_on();
        all.push(done);
        if !goes_on {
            break;
        }
    }
    Ok(all)
}

/// What came of all steps, read in the order in which they were done.
pub(crate) struct Answers(std::vec::IntoIter<Done>);

impl Answers {
    pub(crate) fn new(done: Vec<Done>) -> Self {
        Self(done.into_iter())
    }

    /// How long to wait, if the step was a permit that there was not.
    pub(crate) fn wait(&mut self) -> Answer<Option<Duration>> {
        match self.0.next() {
            Some(Done::Permit(wait)) => Ok(wait),
            _ => Err(confused()),
        }
    }

    /// Whether nothing lay under any of the keys.
    pub(crate) fn vacant(&mut self) -> Answer<bool> {
        match self.0.next() {
            Some(Done::Vacant(vacant)) => Ok(vacant),
            _ => Err(confused()),
        }
    }

    /// Passes over an index.
    pub(crate) fn indexed(&mut self) -> Answer<()> {
        match self.0.next() {
            Some(Done::Indexed) => Ok(()),
            _ => Err(confused()),
        }
    }

    /// Whether the swap took place.
    pub(crate) fn swapped(&mut self) -> Answer<bool> {
        match self.0.next() {
            Some(Done::Swapped(swapped)) => Ok(swapped),
            _ => Err(confused()),
        }
    }

    /// What was read.
    pub(crate) fn got(&mut self) -> Answer<Vec<Option<Raw>>> {
        match self.0.next() {
            Some(Done::Got(found)) => Ok(found),
            _ => Err(confused()),
        }
    }

    /// The one value that was read.
    pub(crate) fn got_one(&mut self) -> Answer<Option<Raw>> {
        Ok(self.got()?.pop().flatten())
    }

    /// The members of an index, or those of which there are too many.
    pub(crate) fn members(&mut self) -> Answer<Vec<String>> {
        match self.0.next() {
            Some(Done::Members(members)) => Ok(members),
            _ => Err(confused()),
        }
    }
}

fn confused() -> StoreError {
    StoreError::Unavailable("the store answered something else than it was asked".into())
}
