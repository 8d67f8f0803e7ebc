//! A store that can be told to fail, and that counts.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use mcp_gateway_model::{clock::Timestamp, grant::Grant, id::GrantId, key::PublicKey};
use mcp_gateway_store::{GrantReader, Health, StoreError, StoredPublicKey, Watch};

type Meanwhile = Box<dyn FnOnce(&FakeStore) + Send>;

#[derive(Default)]
pub(crate) struct FakeStore {
    grants: Mutex<HashMap<GrantId, Grant>>,
    keys: Mutex<Vec<PublicKey>>,
    fails: AtomicBool,
    /// What hears of changes, if the store can tell of them.
    pub(crate) watch: Option<Arc<Watch>>,
    meanwhile: Mutex<Option<Meanwhile>>,
    /// How often somebody asked for the watch.
    pub(crate) watchers: AtomicUsize,
    pub(crate) grant_reads: AtomicUsize,
    pub(crate) key_reads: AtomicUsize,
}

impl FakeStore {
    /// A store whose changes this watch hears of.
    pub(crate) fn heard_by(watch: Option<Watch>) -> Self {
        Self {
            watch: watch.map(Arc::new),
            ..Self::default()
        }
    }

    pub(crate) fn put(&self, grant: &Grant) {
        self.grants
            .lock()
            .unwrap()
            .insert(grant.id.clone(), grant.clone());
        self.tell(&grant.id);
    }

    pub(crate) fn end(&self, grant: &GrantId) {
        self.grants.lock().unwrap().remove(grant);
        self.tell(grant);
    }

    /// Tells of a change, if there was one or not.
    pub(crate) fn tell(&self, grant: &GrantId) {
        if let Some(watch) = &self.watch {
            watch.touch(grant.as_str());
        }
    }

    /// What happens after the next grant was read, before it is answered.
    pub(crate) fn meanwhile(&self, happens: impl FnOnce(&Self) + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(happens));
    }

    pub(crate) fn publish(&self, key: Option<PublicKey>) {
        self.keys.lock().unwrap().extend(key);
    }

    pub(crate) fn retire_all(&self) {
        self.keys.lock().unwrap().clear();
    }

    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    fn ask(&self, counter: &AtomicUsize) -> Result<(), StoreError> {
        counter.fetch_add(1, Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            Err(StoreError::Unavailable("connection refused at 10.0.0.9".into()))
        } else {
            Ok(())
        }
    }
}

#[async_trait]
impl GrantReader for FakeStore {
    async fn grant(&self, id: &GrantId, now: Timestamp) -> Result<Option<Grant>, StoreError> {
        self.ask(&self.grant_reads)?;
        let grant = self.grants.lock().unwrap().get(id).cloned();
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(happens) = meanwhile {
            happens(self);
        }
        Ok(grant.filter(|g| !g.expires_at.has_passed(now)))
    }

    async fn public_keys(&self) -> Result<Vec<StoredPublicKey>, StoreError> {
        self.ask(&self.key_reads)?;
        // others get their turn while the answer is under way
        tokio::task::yield_now().await;
        let keys = self.keys.lock().unwrap();
        Ok(keys
            .iter()
            .map(|key| StoredPublicKey { key: key.clone() })
            .collect())
    }

    fn watch(&self) -> Option<Arc<Watch>> {
        self.watchers.fetch_add(1, Ordering::SeqCst);
        self.watch.clone()
    }

    async fn health(&self, _now: Timestamp) -> Result<Health, StoreError> {
        Ok(Health {
            clock_skew: Duration::ZERO,
        })
    }
}
