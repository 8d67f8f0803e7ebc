//! What an operator does with signing keys. Running servers notice within seconds.

use mcp_gateway_model::{clock::Timestamp, id::KeyId, key::Algorithm, secret::Secret};
use mcp_gateway_store::{KeyRing, Store, Swapped};

use super::{Configured, KeyError, SigningKey, ring};
use crate::settings::SigningSettings;

/// How often a change is tried when other processes change the keys at the same time.
const ATTEMPTS: usize = 16;

/// A key of the ring, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// Its id.
    pub kid: KeyId,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// When it was made, or first seen in the configuration.
    pub created_at: Timestamp,
    /// When another took over; `None` while it signs.
    pub replaced_at: Option<Timestamp>,
    /// Whether it signs.
    pub signs: bool,
    /// Whether the store keeps its private part; if not the configuration does.
    pub is_kept: bool,
}

/// A new private key as PEM, for `JWT_PRIVATE_KEY_B64`. Takes a while for RSA.
///
/// # Errors
/// [`KeyError::NoSharedSecret`] for HS256, which has no private key.
pub fn generate(algorithm: Algorithm) -> Result<Secret, KeyError> {
    SigningKey::generate(algorithm)?.to_pem()
}

/// All keys, the oldest first.
///
/// # Errors
/// [`KeyError::Store`].
pub async fn list(store: &dyn Store) -> Result<Vec<ListedKey>, KeyError> {
    let ring = store.key_ring().await?;
    let mut keys: Vec<_> = ring
        .keys
        .iter()
        .map(|key| ListedKey {
            kid: key.public.kid.clone(),
            algorithm: key.public.alg,
            created_at: key.created_at,
            replaced_at: key.replaced_at,
            signs: ring.signing.as_ref() == Some(&key.public.kid),
            is_kept: key.private.is_some(),
        })
        .collect();
    keys.sort_by_key(|key| key.created_at);
    Ok(keys)
}

/// Makes a new key that signs from now on; the one before still verifies. Answers the new one.
///
/// # Errors
/// [`KeyError::Configured`] when the key that signs comes from the configuration.
pub async fn rotate(
    store: &dyn Store,
    signing: &SigningSettings,
    sealing: &[Secret],
    now: Timestamp,
) -> Result<KeyId, KeyError> {
    if signing.algorithm.is_symmetric() {
        return Err(KeyError::Configured("JWT_SECRET"));
    }
    let configured = Configured::read(signing, sealing)?;
    if configured.key.is_some() {
        return Err(KeyError::Configured("JWT_PRIVATE_KEY_B64"));
    }
    let algorithm = configured.algorithm;
    let key = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm))
        .await
        .map_err(|_| KeyError::Crypto)??;
    let entry = ring::kept(&key, &configured.sealer, now)?;
    change(store, |ring| Ok(ring::signed_by(ring, entry.clone(), now))).await?;
    Ok(key.kid().clone())
}

/// Removes a key: tokens it signed end at once, wherever they are.
///
/// # Errors
/// [`KeyError::Signs`] for the key that signs, [`KeyError::Unknown`] for one that is not there.
pub async fn retire(store: &dyn Store, kid: &KeyId) -> Result<(), KeyError> {
    change(store, |ring| ring::without(ring, kid)).await
}

async fn change(
    store: &dyn Store,
    to: impl Fn(&KeyRing) -> Result<KeyRing, KeyError>,
) -> Result<(), KeyError> {
    for _ in 0..ATTEMPTS {
        let next = to(&store.key_ring().await?)?;
        if store.replace_key_ring(&next).await? == Swapped::Done {
            return Ok(());
        }
    }
    Err(KeyError::Contended)
}
