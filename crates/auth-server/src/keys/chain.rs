//! The keys of a running server. It looks at the ring in the store again before it signs, at most every few seconds, so
//! that a rotation by another process is noticed, and a store that came back empty gets its keys again.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mcp_gateway_model::{clock::Timestamp, id::KeyId, key::JwkSet};
use mcp_gateway_store::{KeyRing, RingKey, Store, Swapped};
use tokio::{sync::Mutex, task::spawn_blocking};

use super::{Configured, KeyError, SigningKey, ring};

/// How often the ring is tried when other processes change it at the same time.
const ATTEMPTS: usize = 16;
/// How old the ring may be when something is signed.
const SIGNING_AGE: Duration = Duration::from_secs(5);
/// How old the ring may be when it is published or verifies.
const PUBLISHING_AGE: Duration = Duration::from_secs(1);
/// How long a key that took over is known before it signs: verifiers look for keys they do not know once a second.
const SPREADING: Duration = Duration::from_secs(2);

/// The keys of a running server.
pub(crate) struct KeyChain {
    configured: Configured,
    held: RwLock<Arc<Held>>,
    /// Held by the one request that asks the store.
    reading: Mutex<()>,
}

/// What the last look at the store gave.
struct Held {
    signing: Arc<SigningKey>,
    ring: KeyRing,
    read_at: Timestamp,
    /// The key that will sign, and when it was first seen here.
    successor: Option<(KeyId, Timestamp)>,
}

impl Held {
    fn entry(&self) -> Option<&RingKey> {
        self.ring.key(self.signing.kid())
    }

    /// Since when `kid` is known as the key that will sign.
    fn awaits(&self, kid: &KeyId) -> Option<Timestamp> {
        let (_, since) = self.successor.as_ref().filter(|(known, _)| known == kid)?;
        Some(*since)
    }
}

impl KeyChain {
    /// Loads the keys, or makes the first one.
    ///
    /// # Errors
    /// [`KeyError`] says which setting is wrong, or that the store cannot be asked.
    pub(crate) async fn start(
        configured: Configured,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Self, KeyError> {
        let held = settle(&configured, store, None, now).await?;
        Ok(Self {
            configured,
            held: RwLock::new(Arc::new(held)),
            reading: Mutex::new(()),
        })
    }

    /// The key that signs now.
    pub(crate) async fn signing(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Arc<SigningKey>, KeyError> {
        Ok(Arc::clone(&self.look(store, SIGNING_AGE, now).await?.signing))
    }

    /// Everything that verifies ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
    pub(crate) async fn published(&self, store: &dyn Store, now: Timestamp) -> Result<JwkSet, KeyError> {
        let held = self.look(store, PUBLISHING_AGE, now).await?;
        Ok(JwkSet {
            keys: held
                .ring
                .public_keys()
                .into_iter()
                .map(|stored| stored.key)
                .collect(),
        })
    }

    /// Whether `kid` is the shared secret of HS256.
    pub(crate) fn is_shared(&self, kid: &KeyId) -> bool {
        self.configured
            .key
            .as_ref()
            .is_some_and(|key| key.algorithm().is_symmetric() && key.kid() == kid)
    }

    async fn look(&self, store: &dyn Store, age: Duration, now: Timestamp) -> Result<Arc<Held>, KeyError> {
        if let Some(held) = self.fresh(age, now) {
            return Ok(held);
        }
        let _reading = self.reading.lock().await;
        if let Some(held) = self.fresh(age, now) {
            return Ok(held);
        }
        let before = self.last();
        let held = Arc::new(settle(&self.configured, store, Some(&before), now).await?);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&held);
        Ok(held)
    }

    fn last(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn fresh(&self, age: Duration, now: Timestamp) -> Option<Arc<Held>> {
        let held = self.last();
        let is_fresh = held.read_at.until(now) < age && now.until(held.read_at) < age;
        let is_due = |(_, since): &(KeyId, Timestamp)| since.until(now) >= SPREADING;
        (is_fresh && !held.successor.as_ref().is_some_and(is_due)).then_some(held)
    }
}

/// Reads the ring, and changes it until it holds the key that signs.
async fn settle(
    configured: &Configured,
    store: &dyn Store,
    before: Option<&Held>,
    now: Timestamp,
) -> Result<Held, KeyError> {
    for _ in 0..ATTEMPTS {
        let ring = store.key_ring().await?;
        let next = match plan(configured, &ring, before, now).await? {
            Plan::Sign(signing) => {
                return Ok(Held {
                    signing,
                    ring,
                    read_at: now,
                    successor: None,
                });
            }
            Plan::Await(kid, since, signing) => {
                return Ok(Held {
                    signing,
                    ring,
                    read_at: now,
                    successor: Some((kid, since)),
                });
            }
            Plan::Put(entry) => ring::signed_by(&ring, entry, now),
        };
        match store.replace_key_ring(&next).await? {
            // The ring is read again: what is there counts, not what was meant.
            Swapped::Done | Swapped::Outdated => {}
        }
    }
    Err(KeyError::Contended)
}

enum Plan {
    /// The ring is as it should be.
    Sign(Arc<SigningKey>),
    /// The named key took over, which was first seen at this time; until verifiers can know it, the one before signs.
    Await(KeyId, Timestamp, Arc<SigningKey>),
    /// This key must become the one that signs.
    Put(RingKey),
}

async fn plan(
    configured: &Configured,
    ring: &KeyRing,
    before: Option<&Held>,
    now: Timestamp,
) -> Result<Plan, KeyError> {
    let is_start = before.is_none();
    if let Some(key) = &configured.key {
        let is_known = ring.key(key.kid()).is_some();
        let signs = ring.signing.as_ref() == Some(key.kid());
        // A running server leaves the name of the signer to whoever started last: keys change host by host.
        return if key.algorithm().is_symmetric() || (is_known && (signs || !is_start)) {
            Ok(Plan::Sign(Arc::clone(key)))
        } else {
            ring::published(key, now).map(Plan::Put)
        };
    }
    let Some(entry) = ring::signer(ring, configured.algorithm) else {
        return match before.and_then(Held::entry) {
            Some(entry) => Ok(Plan::Put(entry.clone())),
            None => generate(configured, now).await.map(Plan::Put),
        };
    };
    let held = before.filter(|before| before.signing.kid() == &entry.public.kid);
    if let Some(held) = held {
        return Ok(Plan::Sign(Arc::clone(&held.signing)));
    }
    if let Some(before) = before.filter(|before| ring.key(before.signing.kid()).is_some()) {
        let kid = &entry.public.kid;
        let since = before.awaits(kid).unwrap_or(now);
        if since.until(now) < SPREADING {
            return Ok(Plan::Await(kid.clone(), since, Arc::clone(&before.signing)));
        }
    }
    let (key, sealed_again) = open(configured, entry)?;
    let signs = ring.signing.as_ref() == Some(key.kid());
    match sealed_again {
        Some(entry) if is_start => Ok(Plan::Put(entry)),
        None if is_start && !signs => Ok(Plan::Put(entry.clone())),
        _ => Ok(Plan::Sign(Arc::new(key))),
    }
}

/// Opens a kept key; also the entry sealed again, if it was sealed under an older secret.
fn open(configured: &Configured, entry: &RingKey) -> Result<(SigningKey, Option<RingKey>), KeyError> {
    let kid = &entry.public.kid;
    let unopened = || KeyError::Sealed(kid.clone());
    let sealed = entry.private.as_ref().ok_or_else(unopened)?;
    let opened = configured
        .sealer
        .open(kid.as_str(), sealed)
        .map_err(|_| unopened())?;
    let key = SigningKey::from_pkcs8(entry.public.alg, &opened.bytes).map_err(|_| unopened())?;
    if opened.is_current {
        return Ok((key, None));
    }
    let again = ring::kept(&key, &configured.sealer, entry.created_at)?;
    Ok((key, Some(again)))
}

async fn generate(configured: &Configured, now: Timestamp) -> Result<RingKey, KeyError> {
    let algorithm = configured.algorithm;
    let key = spawn_blocking(move || SigningKey::generate(algorithm))
        .await
        .map_err(|_| KeyError::Crypto)??;
    ring::kept(&key, &configured.sealer, now)
}
