//! What becomes of the ring of keys in the store. Nothing here reads or writes it.

use mcp_gateway_model::{clock::Timestamp, id::KeyId, key::Algorithm};
use mcp_gateway_store::{KeyRing, RingKey, Sealed};

use super::{KeyError, SigningKey};
use crate::seal::Sealer;

/// The entry of a key that the store keeps.
pub(super) fn kept(key: &SigningKey, sealer: &Sealer, now: Timestamp) -> Result<RingKey, KeyError> {
    let private = sealer
        .seal(key.kid().as_str(), &key.to_pkcs8()?)
        .map_err(|_| KeyError::Crypto)?;
    entry(key, Some(private), now)
}

/// The entry of a key that the configuration holds: its public part, for verifiers.
pub(super) fn published(key: &SigningKey, now: Timestamp) -> Result<RingKey, KeyError> {
    entry(key, None, now)
}

fn entry(key: &SigningKey, private: Option<Sealed>, now: Timestamp) -> Result<RingKey, KeyError> {
    Ok(RingKey {
        public: key.public()?.ok_or(KeyError::NoSharedSecret)?,
        private,
        created_at: now,
        replaced_at: None,
    })
}

/// The kept key that signs with `algorithm`: the one the ring names, else the newest.
pub(super) fn signer(ring: &KeyRing, algorithm: Algorithm) -> Option<&RingKey> {
    let usable = |key: &&RingKey| key.private.is_some() && key.public.alg == algorithm;
    let named = ring.signing.as_ref().and_then(|kid| ring.key(kid)).filter(usable);
    named.or_else(|| ring.keys.iter().filter(usable).max_by_key(|key| key.created_at))
}

/// The ring in which `key` signs, and the one that did only verifies.
pub(super) fn signed_by(ring: &KeyRing, key: RingKey, now: Timestamp) -> KeyRing {
    let kid = key.public.kid.clone();
    let mut keys: Vec<_> = ring
        .keys
        .iter()
        .filter(|other| other.public.kid != kid)
        .cloned()
        .collect();
    for other in &mut keys {
        other.replaced_at = other.replaced_at.or(Some(now));
    }
    keys.push(RingKey {
        replaced_at: None,
        ..key
    });
    KeyRing {
        revision: ring.revision + 1,
        keys,
        signing: Some(kid),
    }
}

/// The ring without `kid`.
///
/// # Errors
/// [`KeyError::Unknown`], or [`KeyError::Signs`] for the key that signs.
pub(super) fn without(ring: &KeyRing, kid: &KeyId) -> Result<KeyRing, KeyError> {
    if ring.key(kid).is_none() {
        return Err(KeyError::Unknown(kid.clone()));
    }
    if ring.signing.as_ref() == Some(kid) {
        return Err(KeyError::Signs(kid.clone()));
    }
    let mut ring = ring.clone();
    ring.keys.retain(|key| key.public.kid != *kid);
    ring.revision += 1;
    Ok(ring)
}
