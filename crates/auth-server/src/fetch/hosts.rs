//! How many addresses of one host are read from at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::Semaphore;
use url::Url;

/// How many at most: a host that takes its time does not keep those of others waiting.
const AT_ONCE: usize = 2;

/// The hosts that are being read from.
#[derive(Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Weak<Semaphore>>>);

impl Hosts {
    /// The permits of the host of `url`. They are forgotten when nobody holds them.
    pub(super) fn of(&self, url: &Url) -> Arc<Semaphore> {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|_, permits| permits.strong_count() > 0);
        let host = url.host_str().unwrap_or_default();
        if let Some(permits) = hosts.get(host).and_then(Weak::upgrade) {
            return permits;
        }
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        hosts.insert(host.to_owned(), Arc::downgrade(&permits));
        permits
    }
}
