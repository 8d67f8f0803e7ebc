//! What an engine has to be able to do. The verbs are written once, on top of this; their atomicity comes from here.

mod steps;

use std::{future::Future, sync::Arc, time::Duration};

use mcp_gateway_model::clock::Timestamp;
use mcp_gateway_watch::Watch;

use crate::{
    keys::Keys,
    limits::Bucket,
    verbs::{Health, StoreError, Warning},
};
pub(crate) use steps::{Answers, Done, Step, one_by_one};

/// How much longer than its end a record may stay: `now` judges, so clocks that differ a little lose nothing.
pub(crate) const SLACK: Duration = Duration::from_secs(60);

/// How much longer an entry of an index stays than what it points to. An index is a superset, also for a clock behind.
pub(crate) const INDEX_SLACK: Duration = Duration::from_secs(3600);

/// How often a verb starts over because another process changed the record between reading and writing.
pub(crate) const ATTEMPTS: u32 = 100;

pub(crate) type Raw = Vec<u8>;
pub(crate) type Answer<T> = Result<T, StoreError>;

/// A value to write, and when the broom may take it; `None` for never.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) bytes: Raw,
    pub(crate) ends: Option<Timestamp>,
}

/// What must lie under a key for a swap to take place.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    Anything,
    Exactly(Option<Raw>),
}

/// What a swap does to a key.
#[derive(Clone, Debug)]
pub(crate) enum Then {
    Keep,
    Put(Value),
    Remove,
}

/// One key of a swap.
#[derive(Clone, Debug)]
pub(crate) struct Swap {
    pub(crate) key: String,
    pub(crate) held: Held,
    pub(crate) then: Then,
}

impl Swap {
    /// If `held` still lies under `key`, `then` happens.
    pub(crate) const fn new(key: String, held: Option<Raw>, then: Then) -> Self {
        Self {
            key,
            held: Held::Exactly(held),
            then,
        }
    }
}

/// How many members of an index there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) most: u32,
    /// How many more are named than there are too many.
    pub(crate) more: u32,
    /// How many are named at most.
    pub(crate) at_once: u32,
    /// When there is one too many, they are named, and then again whenever there are so many more: of those that find too many
    /// at the same time, one is to make room.
    pub(crate) every: u32,
}

/// A database with just enough to build the verbs on. Keys that are handed over together share a slot.
pub(crate) trait Engine: Send + Sync + Sized + 'static {
    /// Where the records lie.
    fn keys(&self) -> &Keys;

    /// What knows when a grant that was read changes; keys are the grants' ids.
    fn watch(&self) -> Option<Arc<Watch>>;

    /// The values of keys of one slot, read at one moment.
    fn get(&self, keys: &[String]) -> impl Future<Output = Answer<Vec<Option<Raw>>>> + Send;

    /// The values of keys of any slots.
    fn get_scattered(&self, keys: &[String]) -> impl Future<Output = Answer<Vec<Option<Raw>>>> + Send;

    /// Writes, whatever was there.
    fn put(&self, key: String, value: Value, now: Timestamp) -> impl Future<Output = Answer<()>> + Send;

    /// Writes for ever if nothing is there; answers what is.
    fn put_new(&self, key: String, bytes: Raw) -> impl Future<Output = Answer<Option<Raw>>> + Send;

    /// Removes the value and answers it: of many at once, one gets it.
    fn take(&self, key: String) -> impl Future<Output = Answer<Option<Raw>>> + Send;

    /// Removes keys of one slot.
    fn remove(&self, keys: Vec<String>) -> impl Future<Output = Answer<()>> + Send;

    /// If every key holds what it must, everything happens, else nothing. Answers which. One slot.
    fn swap(&self, swaps: Vec<Swap>, now: Timestamp) -> impl Future<Output = Answer<bool>> + Send;

    /// Adds a member to an index, at least until `ends`; never shortened.
    fn index(
        &self,
        key: String,
        member: &str,
        ends: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Answer<()>> + Send;

    /// Takes a member out of an index.
    fn unindex(&self, key: String, member: &str) -> impl Future<Output = Answer<()>> + Send;

    /// The members of an index.
    fn members(&self, key: &str) -> impl Future<Output = Answer<Vec<String>>> + Send;

    /// Of an index that has more members than the bound allows that have not ended at `now`, those that end soonest.
    fn soonest(
        &self,
        key: &str,
        bound: Bound,
        now: Timestamp,
    ) -> impl Future<Output = Answer<Vec<String>>> + Send;

    /// Takes one permit from a bucket, or answers how long to wait.
    fn take_permit(
        &self,
        key: String,
        bucket: Bucket,
        now: Timestamp,
    ) -> impl Future<Output = Answer<Option<Duration>>> + Send;

    /// Does several things in this order. Where all keys lie together, in one trip and at one moment; else one after the
    /// other, and what comes later sees what came before.
    fn steps(&self, steps: Vec<Step>, now: Timestamp) -> impl Future<Output = Answer<Vec<Done>>> + Send {
        one_by_one(self, steps, now)
    }

    /// That the engine answers.
    fn health(&self, now: Timestamp) -> impl Future<Output = Answer<Health>> + Send;

    /// What an operator should know.
    fn inspect(&self, now: Timestamp) -> impl Future<Output = Answer<Vec<Warning>>> + Send;
}

/// That others changed a record again and again between reading and writing it.
pub(crate) fn contended(key: &str) -> StoreError {
    StoreError::Unavailable(format!("too many changes at once to {key}"))
}
