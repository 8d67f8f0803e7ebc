//! The version of all that is kept.

use std::time::Duration;

use mcp_gateway_model::clock::Timestamp;

use super::{Store, StoreFault, engine::Value, number};

/// The version that this release writes and reads.
const SCHEMA: u64 = 1;
/// How long the mark of it is good: longer than anything else.
const LIFE: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Store {
    /// Whether the store answers, and no newer release has written it.
    ///
    /// # Errors
    /// [`StoreFault::Unavailable`] when it does not, [`StoreFault::TooNew`] when one has.
    pub async fn check(&self) -> Result<(), StoreFault> {
        self.schema().await.map(drop)
    }

    /// Marks a store that has no mark yet: releases that write it in another way then know.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn mark(&self, now: Timestamp) -> Result<(), StoreFault> {
        if self.schema().await?.is_none() {
            let value = Value {
                bytes: SCHEMA.to_string().into_bytes(),
                ends: now.plus(LIFE),
            };
            // if another process was faster, it is marked as well
            self.engine
                .swap(&self.key("schema", &[]), None, Some(value), now)
                .await?;
        }
        self.check().await
    }

    /// What it is that an operator should know about the store at its start.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn inspect(&self, now: Timestamp) -> Result<Vec<String>, StoreFault> {
        self.engine.inspect(now).await
    }

    async fn schema(&self) -> Result<Option<u64>, StoreFault> {
        let key = self.key("schema", &[]);
        let Some(raw) = self.engine.get(std::slice::from_ref(&key)).await?.pop().flatten() else {
            return Ok(None);
        };
        match number(&raw) {
            Some(SCHEMA) => Ok(Some(SCHEMA)),
            Some(newer) => Err(StoreFault::TooNew(newer)),
            None => Err(StoreFault::Corrupt(key)),
        }
    }
}
