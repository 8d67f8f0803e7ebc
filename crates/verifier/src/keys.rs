//! The keys that tokens may be signed with ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)): read from the store when
//! one is needed that is not known, at most once a second, and again when they have grown old, so that a retired key
//! stops working.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jsonwebtoken::DecodingKey;
use mcp_gateway_model::{
    clock::Timestamp,
    id::KeyId,
    key::{Algorithm, PublicKey, PublicNumbers},
    secret::Secret,
};
use mcp_gateway_store::{GrantReader, StoreError};
use tokio::sync::Mutex;
use tracing::warn;

/// A key with the one algorithm it verifies.
pub(crate) struct VerifyingKey {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerifyingKey {
    /// The key of HS256.
    pub(crate) fn shared(secret: &Secret) -> Self {
        Self {
            algorithm: Algorithm::Hs256,
            key: DecodingKey::from_secret(secret.reveal().as_bytes()),
        }
    }

    /// A published key; `None` if its numbers are not those of its algorithm. HS256 is never published.
    fn public(key: &PublicKey) -> Option<Self> {
        let decoding = match (key.alg, &key.numbers) {
            (Algorithm::Rs256, PublicNumbers::Rsa { n, e }) => DecodingKey::from_rsa_components(n, e),
            (Algorithm::Es256, PublicNumbers::P256 { crv, x, y }) if crv == "P-256" => {
                DecodingKey::from_ec_components(x, y)
            }
            (Algorithm::EdDsa, PublicNumbers::Ed25519 { crv, x }) if crv == "Ed25519" => {
                DecodingKey::from_ed_components(x)
            }
            _ => return None,
        };
        Some(Self {
            algorithm: key.alg,
            key: decoding.ok()?,
        })
    }

    /// The one algorithm it verifies.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` (in base64url) is this key's over `message`.
    pub(crate) fn verifies(&self, message: &str, signature: &str) -> bool {
        let algorithm = match self.algorithm {
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        };
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.key, algorithm).unwrap_or(false)
    }
}

/// All keys.
pub(crate) struct Keys {
    reader: Arc<dyn GrantReader>,
    shared: Option<(KeyId, Arc<VerifyingKey>)>,
    known: RwLock<Known>,
    /// Held by the one request that asks the store; what came of it, for those that waited.
    asked: Mutex<Option<Asked>>,
}

/// What the store said last.
#[derive(Default)]
struct Known {
    keys: HashMap<KeyId, Arc<VerifyingKey>>,
    read_at: Option<Timestamp>,
}

/// When the store was asked last, and whether it answered.
#[derive(Clone, Copy)]
struct Asked {
    at: Timestamp,
    answered: bool,
}

impl Keys {
    /// How long after one question to the store the next one is asked.
    const PAUSE: Duration = Duration::from_secs(1);
    /// How long the answer is believed.
    const MOST_AGE: Duration = Duration::from_secs(30);

    /// No keys yet, but the shared one if there is one.
    pub(crate) fn new(reader: Arc<dyn GrantReader>, shared: Option<(KeyId, VerifyingKey)>) -> Self {
        Self {
            reader,
            shared: shared.map(|(kid, key)| (kid, Arc::new(key))),
            known: RwLock::default(),
            asked: Mutex::default(),
        }
    }

    /// The key with this id, if tokens may be signed with it.
    pub(crate) async fn find(
        &self,
        kid: &KeyId,
        now: Timestamp,
    ) -> Result<Option<Arc<VerifyingKey>>, StoreError> {
        if let Some((_, key)) = self.shared.as_ref().filter(|(id, _)| id == kid) {
            return Ok(Some(Arc::clone(key)));
        }
        if let Some(key) = self.remembered(kid, now) {
            return Ok(Some(key));
        }
        let mut asked = self.asked.lock().await;
        if let Some(key) = self.remembered(kid, now) {
            return Ok(Some(key));
        }
        match *asked {
            Some(Asked { at, answered: true }) if is_within(at, now, Self::PAUSE) => return Ok(None),
            Some(Asked { at, answered: false }) if is_within(at, now, Self::PAUSE) => {
                return Err(StoreError::Unavailable("it gave no keys a moment ago".into()));
            }
            _ => {}
        }
        let read = self.read(now).await;
        *asked = Some(Asked {
            at: now,
            answered: read.is_ok(),
        });
        read?;
        Ok(self.remembered(kid, now))
    }

    fn remembered(&self, kid: &KeyId, now: Timestamp) -> Option<Arc<VerifyingKey>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = known.read_at.is_some_and(|at| is_within(at, now, Self::MOST_AGE));
        known.keys.get(kid).filter(|_| is_fresh).cloned()
    }

    async fn read(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut keys = HashMap::new();
        for stored in self.reader.public_keys().await? {
            if let Some(key) = VerifyingKey::public(&stored.key) {
                keys.insert(stored.key.kid, Arc::new(key));
            } else {
                warn!(kid = %stored.key.kid, "a published key cannot be used");
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = Known {
            keys,
            read_at: Some(now),
        };
        Ok(())
    }
}

/// Whether two points in time are less than `distance` apart, whichever comes first.
fn is_within(at: Timestamp, now: Timestamp, distance: Duration) -> bool {
    at.until(now) < distance && now.until(at) < distance
}
