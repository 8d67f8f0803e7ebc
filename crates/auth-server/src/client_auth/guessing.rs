//! Slows down who guesses client secrets.
//!
//! Only a secret that was presented and is wrong is a guess: a client that is unknown, or that sends none, learns nothing.
//! Guesses are counted in the store, by client and address together and by address alone, so that nobody elsewhere
//! can lock a client out. While a bucket is empty this process refuses to look at further secrets for it: a right guess
//! among them would otherwise be told apart.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use mcp_gateway_model::{clock::Timestamp, secret::Digest};
use mcp_gateway_store::Rate;

use super::Credentials;
use crate::{door::Rejection, limit::counted, request::Context};

/// How many waits are remembered at most.
const CAPACITY: usize = 20_000;
/// How many clients an address may fail to be before the address as a whole has to wait.
const CLIENTS_OF_AN_ADDRESS: u32 = 4;

/// Until when nobody there may try again.
#[derive(Debug, Default)]
pub(crate) struct Guessing(Mutex<HashMap<Digest, Timestamp>>);

impl Guessing {
    /// Refuses to look at the secret while the client at this address, or the address, has to wait. Whoever presents none
    /// does not wait.
    ///
    /// # Errors
    /// 429 with `Retry-After`.
    pub(crate) fn check(&self, context: &Context, credentials: &Credentials) -> Result<(), Rejection> {
        if credentials.secret.is_none() {
            return Ok(());
        }
        let waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = buckets(context, &credentials.id)
            .into_iter()
            .filter_map(|(bucket, _)| waits.get(&bucket).copied())
            .filter(|until| !until.has_passed(context.now))
            .max();
        until.map_or(Ok(()), |until| Err(Rejection::too_many(context.now.until(until))))
    }

    /// Counts a wrong secret.
    ///
    /// # Errors
    /// 429 with `Retry-After` when there were too many, 503 when the store cannot be asked.
    pub(crate) async fn failed(&self, context: &Context, client: &str) -> Result<(), Rejection> {
        let mut longest = None;
        for (bucket, rate) in buckets(context, client) {
            if let Some(wait) = context
                .server
                .store
                .take_permit(&bucket, rate, context.now)
                .await?
            {
                self.remember(bucket, context.now.plus(wait), context.now);
                longest = longest.max(Some(wait));
            }
        }
        longest.map_or(Ok(()), |wait| Err(Rejection::too_many(wait)))
    }

    fn remember(&self, bucket: Digest, until: Timestamp, now: Timestamp) {
        let mut waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waits.len() >= CAPACITY {
            waits.retain(|_, until| !until.has_passed(now));
        }
        if waits.len() < CAPACITY {
            waits.insert(bucket, until);
        }
    }
}

fn buckets(context: &Context, client: &str) -> [(Digest, Rate); 2] {
    let rate = context.server.settings.limits.client_failures;
    let address = counted(context.address);
    let of_address = Rate {
        count: rate.count.saturating_mul(CLIENTS_OF_AN_ADDRESS),
        burst: rate.burst.saturating_mul(CLIENTS_OF_AN_ADDRESS),
        ..rate
    };
    [
        (
            Digest::of(format!("failures address {address} client {client}").as_bytes()),
            rate,
        ),
        (
            Digest::of(format!("failures address {address}").as_bytes()),
            of_address,
        ),
    ]
}
