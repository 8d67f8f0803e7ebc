//! Threads that sign. An RSA signature takes most of a millisecond: on a thread that serves requests all others would wait for it.
//! The threads stand back behind those: on a full machine a signature waits, and a question to the verifier does not.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::KeyError;
use crate::keys::SigningKey;

/// How many signatures may be asked for at once, for each thread: about a tenth of a second's work.
const PLACES: usize = 128;
/// The most threads. More signatures than these make than any store takes grants.
const MOST: usize = 8;
/// How far the threads stand back ([nice(2)](https://man7.org/linux/man-pages/man2/nice.2.html)).
const STANDS_BACK: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The threads; they begin with the first signature that needs them.
pub(crate) struct Signers {
    places: Arc<Semaphore>,
    count: usize,
    queue: OnceLock<Option<Arc<Queue>>>,
}

/// The right to have something signed. Whoever is about to use up a code or a refresh token has it first.
pub(crate) struct Place {
    /// Nothing for a key that signs at once.
    _held: Option<OwnedSemaphorePermit>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    there: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Signers {
    /// One for each processor.
    pub(crate) fn new() -> Self {
        let count = thread::available_parallelism().map_or(1, usize::from).min(MOST);
        Self {
            places: Arc::new(Semaphore::new(count * PLACES)),
            count,
            queue: OnceLock::new(),
        }
    }

    /// Takes a place among those who have something to sign.
    ///
    /// # Errors
    /// [`KeyError::Busy`] when there are too many.
    pub(crate) fn place(&self, key: &SigningKey) -> Result<Place, KeyError> {
        let held = key
            .takes_long()
            .then(|| Arc::clone(&self.places).try_acquire_owned())
            .transpose();
        held.map(|held| Place { _held: held }).map_err(|_| KeyError::Busy)
    }

    /// Signs a message. Elliptic curves and MACs take less than a thread takes to wake up: they are done where they are asked for.
    ///
    /// # Errors
    /// [`KeyError::Crypto`] when the library refuses.
    pub(crate) async fn sign(
        &self,
        _place: &Place,
        key: Arc<SigningKey>,
        message: &str,
    ) -> Result<Vec<u8>, KeyError> {
        if !key.takes_long() {
            return key.sign(message.as_bytes());
        }
        let Some(queue) = self.queue.get_or_init(|| Queue::start(self.count)) else {
            return key.sign(message.as_bytes());
        };
        let (answer, signature) = oneshot::channel();
        let message = message.to_owned();
        queue.push(Box::new(move || {
            // a caller that went away wants no answer
            drop(answer.send(key.sign(message.as_bytes())));
        }));
        signature.await.map_err(|_| KeyError::Crypto)?
    }
}

impl Drop for Signers {
    fn drop(&mut self) {
        if let Some(Some(queue)) = self.queue.get() {
            queue.held().closed = true;
            queue.there.notify_all();
        }
    }
}

impl Queue {
    /// Starts threads; `None` where the machine has none to give.
    fn start(count: usize) -> Option<Arc<Self>> {
        let queue = Arc::new(Self::default());
        let started = (0..count).filter(|_| {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new().name("signer".into());
            thread.spawn(move || queue.work()).is_ok()
        });
        (started.count() > 0).then_some(queue)
    }

    fn push(&self, job: Job) {
        self.held().jobs.push_back(job);
        self.there.notify_one();
    }

    fn work(&self) {
        // where that is not allowed they only stand back less
        rustix::process::nice(STANDS_BACK).unwrap_or_default();
        while let Some(job) = self.next() {
            job();
            // the kernel lets a thread end its slice, which is longer than a signature: who woke up meanwhile goes first
            thread::yield_now();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut held = self.held();
        loop {
            if let Some(job) = held.jobs.pop_front() {
                return Some(job);
            }
            if held.closed {
                return None;
            }
            held = self.there.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn held(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use mcp_gateway_model::key::Algorithm;

    use super::*;

    #[tokio::test]
    async fn a_signature_of_the_threads_is_that_of_the_key() {
        let signers = Signers::new();
        for algorithm in [Algorithm::Rs256, Algorithm::EdDsa] {
            let key = Arc::new(SigningKey::generate(algorithm).unwrap());
            let place = signers.place(&key).unwrap();
            let signature = signers.sign(&place, Arc::clone(&key), "message").await.unwrap();
            // both are deterministic
            assert_eq!(signature, key.sign(b"message").unwrap());
        }
    }

    #[tokio::test]
    async fn who_comes_when_all_places_are_taken_is_told_so_and_gets_one_later() {
        let signers = Signers::new();
        let slow = SigningKey::generate(Algorithm::Rs256).unwrap();
        let mut taken: Vec<_> = (0..signers.count * PLACES)
            .map(|_| signers.place(&slow).unwrap())
            .collect();
        assert!(matches!(signers.place(&slow), Err(KeyError::Busy)));
        // who needs no thread waits for none
        let quick = SigningKey::generate(Algorithm::EdDsa).unwrap();
        assert!(signers.place(&quick).is_ok());
        taken.pop();
        assert!(signers.place(&slow).is_ok());
    }

    #[tokio::test]
    async fn the_threads_end_with_their_owner() {
        let signers = Signers::new();
        let key = Arc::new(SigningKey::generate(Algorithm::Rs256).unwrap());
        let place = signers.place(&key).unwrap();
        signers.sign(&place, key, "message").await.unwrap();
        let queue = Arc::downgrade(signers.queue.get().unwrap().as_ref().unwrap());
        drop(signers);
        // each thread holds the queue until it ends
        let ended = std::thread::spawn(move || {
            while queue.strong_count() > 0 {
                std::thread::yield_now();
            }
        });
        ended.join().unwrap();
    }
}
