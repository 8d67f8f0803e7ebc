//! Who refreshes a grant, or registers a client: one at a time, in whatever process.

use std::time::Duration;

use mcp_gateway_model::{
    clock::Timestamp,
    secret::{Digest, random_text},
};

use super::{
    Held, Store, StoreFault,
    engine::{Raw, Value},
    number,
};

/// How long one process may take before another one tries.
const PATIENCE: Duration = Duration::from_secs(30);

/// The right to do something, for a while.
#[derive(Debug)]
pub struct Claim {
    key: String,
    raw: Raw,
}

impl Store {
    /// Takes on the refresh of a grant: of many at once, in whatever process, one gets it, until it gives it back or half a
    /// minute has passed.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn claim_refresh(&self, held: &Held, now: Timestamp) -> Result<Option<Claim>, StoreFault> {
        self.claim(format!("{}:refresh", held.key), now).await
    }

    /// Takes on the registration of the client that `request` asks for, in the same way.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn claim_registration(
        &self,
        request: &Digest,
        now: Timestamp,
    ) -> Result<Option<Claim>, StoreFault> {
        let key = self.key("registration", &[&request.to_string(), "claim"]);
        self.claim(key, now).await
    }

    async fn claim(&self, key: String, now: Timestamp) -> Result<Option<Claim>, StoreFault> {
        let before = self.engine.get(std::slice::from_ref(&key)).await?.pop().flatten();
        if before
            .as_deref()
            .and_then(number)
            .is_some_and(|until| until > now.millis())
        {
            return Ok(None);
        }
        let ends = now.plus(PATIENCE);
        // two that claim in the same millisecond must not take each other's for their own
        let raw = format!("{} {}", ends.millis(), random_text::<9>()).into_bytes();
        let value = Value {
            bytes: raw.clone(),
            ends,
        };
        let is_ours = self.engine.swap(&key, before, Some(value), now).await?;
        Ok(is_ours.then_some(Claim { key, raw }))
    }

    /// Gives a right back.
    ///
    /// # Errors
    /// As [`Store::check`].
    pub async fn release(&self, claim: Claim, now: Timestamp) -> Result<(), StoreFault> {
        self.engine
            .swap(&claim.key, Some(claim.raw), None, now)
            .await
            .map(drop)
    }
}
