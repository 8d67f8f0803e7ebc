//! Slows down who guesses client secrets.
//!
//! Only a secret that was presented and is wrong is a guess: a client that is unknown, or that sends none, learns nothing.
//! Guesses are counted in the store, by client and address together and by address alone, so that nobody elsewhere
//! can slow a client down. The right secret always passes: those that we issue have 256 bits, and those of resource servers
//! at least 32 characters, so there is none to be found among guesses, and neighbours behind one address lock nobody out.

use mcp_gateway_model::secret::Digest;
use mcp_gateway_store::Rate;

use crate::{door::Rejection, limit::counted, request::Context};

/// How many clients an address may fail to be before the address as a whole has to wait.
const CLIENTS_OF_AN_ADDRESS: u32 = 4;

/// Counts a wrong secret.
///
/// # Errors
/// 429 with `Retry-After` when there were too many, 503 when the store cannot be asked.
pub(crate) async fn wrong_secret(context: &Context, client: &str) -> Result<(), Rejection> {
    let store = &context.server.store;
    let mut longest = None;
    for (bucket, rate) in buckets(context, client) {
        let wait = store.take_permit(&bucket, rate, context.now).await?;
        longest = longest.max(wait);
    }
    longest.map_or(Ok(()), |wait| Err(Rejection::too_many(wait)))
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
