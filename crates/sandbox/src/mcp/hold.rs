//! Calls that wait until another call lets them go.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// The calls that wait, by name. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Holds {
    waiting: Arc<Mutex<HashMap<String, oneshot::Sender<()>>>>,
}

impl Holds {
    /// Waits under this name; an earlier call that waits under it is let go.
    pub(super) fn wait(&self, name: &str) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.retain(|_, sender| !sender.is_closed());
        waiting.insert(name.to_owned(), sender);
        receiver
    }

    /// Lets the call go that waits under this name; false when none does.
    pub(super) fn release(&self, name: &str) -> bool {
        let sender = self.waiting().remove(name);
        sender.is_some_and(|sender| sender.send(()).is_ok())
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
