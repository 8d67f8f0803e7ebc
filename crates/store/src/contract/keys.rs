//! The ring of signing keys, and its public part.

use super::{get_one, read};
use crate::{
    engine::{Answer, Engine, Held, Raw, Swap, Then, Value},
    records::{KeyRing, StoredPublicKey},
    value::encode,
    verbs::Swapped,
};
use mcp_gateway_model::clock::Timestamp;

pub(super) async fn ring<E: Engine>(engine: &E) -> Answer<KeyRing> {
    let (key, found) = get_one(engine, engine.keys().key_ring()).await?;
    Ok(read(&key, found.as_ref())?.unwrap_or_default())
}

pub(super) async fn replace<E: Engine>(engine: &E, ring: &KeyRing) -> Answer<Swapped> {
    let (key, found) = get_one(engine, engine.keys().key_ring()).await?;
    let old: KeyRing = read(&key, found.as_ref())?.unwrap_or_default();
    if old.revision.checked_add(1) != Some(ring.revision) {
        return Ok(Swapped::Outdated);
    }
    let public_key = engine.keys().public_keys();
    let swaps = vec![
        Swap::new(key.clone(), found, Then::Put(forever(encode(&key, ring)?))),
        Swap {
            held: Held::Anything,
            then: Then::Put(forever(encode(&public_key, ring.public_keys())?)),
            key: public_key,
        },
    ];
    // keys never end by themselves, so no time is needed to write them
    Ok(if engine.swap(swaps, Timestamp::from_millis(0)).await? {
        Swapped::Done
    } else {
        Swapped::Outdated
    })
}

/// The public keys in bytes that were found under `key`.
pub(crate) fn published(key: &str, found: Option<&Raw>) -> Answer<Vec<StoredPublicKey>> {
    Ok(read(key, found)?.unwrap_or_default())
}

const fn forever(bytes: Raw) -> Value {
    Value { bytes, ends: None }
}
