//! How often things may happen: the generic cell rate algorithm.

use std::time::Duration;

use mcp_gateway_model::{clock::Timestamp, secret::Digest};

use super::{Rate, Store, StoreFault, engine::Value, number};

/// How often a permit is tried for that others take at the same time.
const TRIES: usize = 16;

impl Store {
    /// Takes one permit of those called `name`: `None` if there was one, else how long to wait for the next.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn take_permit(
        &self,
        name: &str,
        rate: Rate,
        now: Timestamp,
    ) -> Result<Option<Duration>, StoreFault> {
        let key = self.key("permit", &[&Digest::of(name.as_bytes()).to_string()]);
        let period = u64::try_from(rate.period.as_millis()).unwrap_or(u64::MAX);
        let interval = (period / u64::from(rate.count.max(1))).max(1);
        let deepest = now
            .millis()
            .saturating_add(interval.saturating_mul(u64::from(rate.burst.max(1))));
        for _ in 0..TRIES {
            let before = self.engine.get(std::slice::from_ref(&key)).await?.pop().flatten();
            // a time further ahead than the bucket is deep comes from a clock that was wrong
            let full_at = before.as_deref().and_then(number).unwrap_or(0);
            let next = full_at.clamp(now.millis(), deepest).saturating_add(interval);
            if next > deepest {
                return Ok(Some(Duration::from_millis(next - deepest)));
            }
            let value = Value {
                bytes: next.to_string().into_bytes(),
                ends: Timestamp::from_millis(next),
            };
            if self.engine.swap(&key, before, Some(value), now).await? {
                return Ok(None);
            }
        }
        Ok(Some(Duration::from_secs(1)))
    }
}
