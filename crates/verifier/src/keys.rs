//! The keys that tokens may be signed with ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)): read from where they are
//! published, the store or the issuer's JWKS, when one is needed that is not known, at most once a second, and again when they grow old, so that a retired key stops
//! working. That is done by one request ahead of time, so that no other has to wait.

mod verifying;

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mcp_gateway_model::{id::KeyId, key::PublicKey};
use mcp_gateway_store::{GrantReader, Moment};
use tokio::sync::Mutex;
use tracing::{debug, warn};

use crate::reason::{Cause, Reason};

pub(crate) use verifying::VerifyingKey;

/// Where the issuer publishes its keys.
#[async_trait]
pub(crate) trait KeySource: Send + Sync {
    /// All of them.
    async fn public_keys(&self) -> Result<Vec<PublicKey>, Cause>;
}

/// What the authorization server published in the store.
pub(crate) struct InStore(pub(crate) Arc<dyn GrantReader>);

#[async_trait]
impl KeySource for InStore {
    async fn public_keys(&self) -> Result<Vec<PublicKey>, Cause> {
        let stored = self.0.public_keys().await?;
        Ok(stored.into_iter().map(|stored| stored.key).collect())
    }
}

/// All keys.
pub(crate) struct Keys {
    source: Box<dyn KeySource>,
    shared: Option<(KeyId, Arc<VerifyingKey>)>,
    /// What the source said last.
    known: RwLock<HashMap<KeyId, Arc<VerifyingKey>>>,
    /// Held by the one request that asks the source; what came of it, for those that waited.
    asked: Mutex<Option<Asked>>,
    /// How often the source gave none: whoever waited meanwhile takes that for an answer, instead of waiting as long again.
    failures: AtomicU64,
}

/// Until when the source is not asked again, and why it gave no keys if it did not.
#[derive(Clone, Copy)]
struct Asked {
    pause_until: Moment,
    failed: Option<Reason>,
}

impl Keys {
    /// How long after one question to the source the next one is asked.
    const PAUSE: Duration = Duration::from_secs(1);
    /// How long the answer is believed.
    const MOST_AGE: Duration = Duration::from_secs(30);

    /// No keys yet, but the shared one if there is one.
    pub(crate) fn new(source: impl KeySource + 'static, shared: Option<(KeyId, VerifyingKey)>) -> Self {
        Self {
            source: Box::new(source),
            shared: shared.map(|(kid, key)| (kid, Arc::new(key))),
            known: RwLock::default(),
            asked: Mutex::default(),
            failures: AtomicU64::default(),
        }
    }

    /// The key with this id, if tokens may be signed with it.
    pub(crate) async fn find(&self, kid: &KeyId, now: Moment) -> Result<Option<Arc<VerifyingKey>>, Cause> {
        if let Some((_, key)) = self.shared.as_ref().filter(|(id, _)| id == kid) {
            return Ok(Some(Arc::clone(key)));
        }
        if let Some(key) = self.remembered(kid, now) {
            if !key.ages(now) {
                return Ok(Some(key));
            }
            self.renew_ahead(now).await;
            if key.is_good(now) {
                return Ok(Some(key));
            }
        }
        let failures = self.failures.load(Ordering::Acquire);
        let mut asked = self.asked.lock().await;
        let failed_meanwhile = self.failures.load(Ordering::Acquire) != failures;
        if let Some(key) = self.remembered(kid, now) {
            return Ok(Some(key));
        }
        match *asked {
            Some(Asked { pause_until, failed })
                if !pause_until.has_passed(now) || (failed_meanwhile && failed.is_some()) =>
            {
                return match failed {
                    None => Ok(None),
                    Some(reason) => Err(Cause {
                        reason,
                        detail: "it gave no keys a moment ago".into(),
                    }),
                };
            }
            _ => {}
        }
        self.ask(&mut asked, now).await?;
        Ok(self.remembered(kid, now))
    }

    /// Whether nobody asks the source at the moment or did a moment ago.
    pub(crate) fn may_be_asked(&self, now: Moment) -> bool {
        self.asked.try_lock().is_ok_and(|asked| !pauses(*asked, now))
    }

    /// Asks the source before it has to be: if somebody else does, or if it does not answer, all is as before.
    pub(crate) async fn renew_ahead(&self, now: Moment) {
        if let Ok(mut asked) = self.asked.try_lock()
            && !pauses(*asked, now)
            && let Err(error) = self.ask(&mut asked, now).await
        {
            debug!(
                code = error.reason.code(),
                detail = error.detail,
                "the keys could not be renewed ahead"
            );
        }
    }

    async fn ask(&self, asked: &mut Option<Asked>, now: Moment) -> Result<(), Cause> {
        let read = self.read(now).await;
        if read.is_err() {
            self.failures.fetch_add(1, Ordering::Release);
        }
        *asked = Some(Asked {
            pause_until: after(now, Self::PAUSE),
            failed: read.as_ref().err().map(|cause| cause.reason),
        });
        read
    }

    fn remembered(&self, kid: &KeyId, now: Moment) -> Option<Arc<VerifyingKey>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(kid).filter(|key| key.is_good(now)).cloned()
    }

    /// Reads all keys. One that is there still is the same as before, for those who remember what it signed; one that is not
    /// there any more ends at once.
    async fn read(&self, now: Moment) -> Result<(), Cause> {
        let published = self.source.public_keys().await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *known);
        for public in published {
            let kid = public.kid.clone();
            let same = before.remove(&kid);
            let same = same.filter(|key| {
                let same = key.is(&public);
                if !same {
                    key.end();
                }
                same
            });
            let Some(key) = same.or_else(|| VerifyingKey::public(public).map(Arc::new)) else {
                warn!(%kid, "a published key cannot be used");
                continue;
            };
            key.renew(after(now, Self::MOST_AGE));
            known.insert(kid, key);
        }
        for gone in before.values() {
            gone.end();
        }
        Ok(())
    }
}

/// Whether the source is left alone.
fn pauses(asked: Option<Asked>, now: Moment) -> bool {
    asked.is_some_and(|asked| !asked.pause_until.has_passed(now))
}

fn after(now: Moment, time: Duration) -> Moment {
    now.plus_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
