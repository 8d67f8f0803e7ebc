//! The runtime that connections belong to.

use std::{
    future::{Future, poll_fn},
    pin::pin,
};

use tokio::runtime::{EnterGuard, Handle};

/// A connection lives in a task of the runtime that made it. A server with a runtime for each of its threads must not lose
/// what all of them share when one of them stops, so that is made in the runtime in which the store was.
pub(super) struct Home(Option<Handle>);

impl Home {
    /// The runtime that is running here. Without one, connections belong where they are made.
    pub(super) fn here() -> Self {
        Self(Handle::try_current().ok())
    }

    /// What is spawned until the guard goes belongs here.
    pub(super) fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Handle::enter)
    }

    /// Drives `work` so that what it spawns and waits for belongs here.
    pub(super) async fn run<F: Future + Send>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        poll_fn(|context| {
            let _home = self.enter();
            work.as_mut().poll(context)
        })
        .await
    }
}
