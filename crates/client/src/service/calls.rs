//! How many calls of one user run at once: streams last, and connections are few.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{fault::Fault, store::UserId};

/// How long to wait when there are too many.
const WAIT: Duration = Duration::from_secs(1);

/// The calls that run.
pub(super) struct Calls {
    most: usize,
    of_users: Mutex<HashMap<UserId, Weak<Semaphore>>>,
}

/// One call: until it is dropped.
pub(super) struct Permit {
    _one: OwnedSemaphorePermit,
}

impl Calls {
    /// So many at once for each user.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            of_users: Mutex::default(),
        }
    }

    /// Begins a call of `user`.
    ///
    /// # Errors
    /// A [`Fault`] with status 429 when too many run.
    pub(super) fn begin(&self, user: &UserId) -> Result<Permit, Fault> {
        let one = self.of(user).try_acquire_owned();
        one.map(|one| Permit { _one: one })
            .map_err(|_| Fault::too_many(WAIT))
    }

    fn of(&self, user: &UserId) -> Arc<Semaphore> {
        let mut users = self.of_users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = users.get(user).and_then(Weak::upgrade) {
            return known;
        }
        // a permit holds its semaphore
        users.retain(|_, calls| calls.strong_count() > 0);
        let calls = Arc::new(Semaphore::new(self.most));
        users.insert(user.clone(), Arc::downgrade(&calls));
        calls
    }
}
