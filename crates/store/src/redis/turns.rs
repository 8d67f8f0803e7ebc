//! One does the work, and those who wait meanwhile take what came of it.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
};

/// Turns at one piece of work.
#[derive(Debug)]
pub(super) struct Turns<T> {
    turn: tokio::sync::Mutex<()>,
    last: Mutex<(u64, Option<T>)>,
}

impl<T: Clone> Turns<T> {
    pub(super) const fn new() -> Self {
        Self {
            turn: tokio::sync::Mutex::const_new(()),
            last: Mutex::new((0, None)),
        }
    }

    /// What comes of `work`; or what came of it for somebody else, if that was done while this one waited for its turn. Work
    /// that was given up half-way is done by the next.
    pub(super) async fn once<F: Future<Output = T>>(&self, work: impl FnOnce() -> F) -> T {
        let (before, _) = self.last();
        let _turn = self.turn.lock().await;
        if let (done, Some(outcome)) = self.last()
            && done > before
        {
            return outcome;
        }
        let outcome = work().await;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (last.0 + 1, Some(outcome.clone()));
        outcome
    }

    /// Whether somebody does the work just now.
    pub(super) fn is_taken(&self) -> bool {
        self.turn.try_lock().is_err()
    }

    fn last(&self) -> (u64, Option<T>) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        },
        task::Poll,
    };

    use tokio::sync::Barrier;

    use super::*;

    #[tokio::test]
    async fn many_at_once_work_once_and_the_next_works_again() {
        let (turns, worked) = (Arc::new(Turns::new()), Arc::new(AtomicU32::new(0)));
        let (begun, end) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let first = {
            let (turns, worked) = (Arc::clone(&turns), Arc::clone(&worked));
            let (begun, end) = (Arc::clone(&begun), Arc::clone(&end));
            tokio::spawn(async move {
                let work = || async {
                    begun.wait().await;
                    end.wait().await;
                    worked.fetch_add(1, Ordering::SeqCst)
                };
                turns.once(work).await
            })
        };
        begun.wait().await;
        let others = (0..8).map(|_| turns.once(|| async { worked.fetch_add(1, Ordering::SeqCst) }));
        let others = futures_util::future::join_all(others);
        let (others, _) = tokio::join!(others, end.wait());
        assert_eq!(others, [0; 8]);
        assert_eq!(first.await.unwrap(), 0);
        assert_eq!(
            turns
                .once(|| async { worked.fetch_add(1, Ordering::SeqCst) })
                .await,
            1
        );
    }

    #[tokio::test]
    async fn work_that_was_given_up_is_done_by_the_next() {
        let turns = Turns::new();
        let mut given_up = Box::pin(turns.once(std::future::pending));
        poll_fn(|context| {
            assert!(given_up.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        drop(given_up);
        assert_eq!(turns.once(|| std::future::ready(7)).await, 7);
    }
}
