//! Names that are good for one use.

use mcp_gateway_model::{clock::Timestamp, secret::Digest};

use super::{get_one, read};
use crate::{
    engine::{ATTEMPTS, Answer, Engine, Swap, Then, Value, contended},
    value::encode,
};

/// A name that nobody used is taken by one swap; only one that somebody did is looked at.
pub(super) async fn use_once<E: Engine>(
    engine: &E,
    name: &Digest,
    until: Timestamp,
    now: Timestamp,
) -> Answer<bool> {
    let key = engine.keys().once(name);
    let value = Value {
        bytes: encode(&key, until)?,
        ends: Some(until),
    };
    let mut held = None;
    for _ in 0..ATTEMPTS {
        let swap = Swap::new(key.clone(), held, Then::Put(value.clone()));
        if engine.swap(vec![swap], now).await? {
            return Ok(true);
        }
        let (_, found) = get_one(engine, key.clone()).await?;
        if read::<Timestamp>(&key, found.as_ref())?.is_some_and(|end| !end.has_passed(now)) {
            return Ok(false);
        }
        held = found;
    }
    Err(contended(&key))
}
