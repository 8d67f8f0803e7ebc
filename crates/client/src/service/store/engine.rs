//! What the verbs need of a database: one key at a time, and one way to change it that is atomic.

use async_trait::async_trait;
use mcp_gateway_model::clock::Timestamp;

use super::StoreFault;

/// What lies under a key.
pub(super) type Raw = Vec<u8>;

/// What an engine answers.
pub(super) type Answer<T> = Result<T, StoreFault>;

/// A value, and when the broom may take it. Whether it still counts is for the verbs to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) bytes: Raw,
    pub(super) ends: Timestamp,
}

/// A database. Each function does its whole work or none of it.
#[async_trait]
pub(super) trait Engine: Send + Sync {
    /// What lies under each key.
    async fn get(&self, keys: &[String]) -> Answer<Vec<Option<Raw>>>;

    /// Puts a value under a key, whatever lies there.
    async fn put(&self, key: &str, value: Value, now: Timestamp) -> Answer<()>;

    /// If exactly `held` lies under a key, puts `then` there, or removes it. Answers whether it did: of many at once that
    /// hold the same, one does.
    async fn swap(&self, key: &str, held: Option<Raw>, then: Option<Value>, now: Timestamp) -> Answer<bool>;

    /// Removes what may go at `now`, and answers how many.
    async fn sweep(&self, now: Timestamp) -> Answer<u64>;

    /// What an operator should know about it.
    async fn inspect(&self, now: Timestamp) -> Answer<Vec<String>>;
}
