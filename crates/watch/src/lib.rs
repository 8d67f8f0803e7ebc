#![doc = include_str!("../README.md")]

mod flags;
mod moment;
mod sync;

use std::sync::Arc;

use flags::{Flag, Flags};
pub use moment::Moment;
use sync::{AtomicU64, Mutex, Ordering, held};

/// What is known of the news of one store: shared by whoever hears them and all who remember what they read.
#[derive(Debug, Default)]
pub struct Watch {
    /// The last term that began; 0 for none. Held while epoch and lease change, so that nothing comes between.
    term: Mutex<Term>,
    epoch: AtomicU64,
    /// Where the lease ends on the clock that is never set.
    lease_ticks: AtomicU64,
    /// Where it ends on the wall's clock.
    lease_wall: AtomicU64,
    flags: Mutex<Flags>,
}

/// A time over which one connection brings the news.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Term(u64);

/// What was known when somebody began to read.
#[derive(Clone, Debug)]
pub struct Mark {
    flag: Arc<Flag>,
    epoch: u64,
}

impl Watch {
    /// A watch without a lease: nothing holds until a term begins and is renewed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A watch for a store in this very process, whose news never fail to come: the lease never ends.
    #[must_use]
    pub fn unfailing() -> Self {
        let watch = Self::new();
        let term = watch.begin();
        watch.renew(term, Moment::NEVER);
        watch
    }

    /// Registers a reader of what lies under `key`. To be called before it is read: news that come meanwhile are not missed.
    #[must_use]
    pub fn register(&self, key: &str) -> Mark {
        let epoch = self.epoch.load(Ordering::Acquire);
        let flag = held(&self.flags).raise(key);
        Mark { flag, epoch }
    }

    /// There is news of what lies under `key`: nobody believes what they read of it.
    pub fn touch(&self, key: &str) {
        // set while the registry is held: who registers from now on reads what is new
        if let Some(flag) = held(&self.flags).take(key) {
            flag.touch();
        }
    }

    /// From now on news of every change come: a new term. Nothing holds that was registered before, and nothing until the
    /// term is renewed.
    pub fn begin(&self) -> Term {
        let mut term = held(&self.term);
        term.0 += 1;
        self.end_epoch();
        self.end_lease();
        *term
    }

    /// Up to some moment it was certain that all news had come: what holds may be believed until `until`. Does nothing if
    /// the term is no longer the current one; a lease is never shortened.
    pub fn renew(&self, term: Term, until: Moment) {
        let current = held(&self.term);
        if *current == term {
            self.lease_wall.store(until.wall(), Ordering::Release);
            self.lease_ticks.fetch_max(until.ticks(), Ordering::AcqRel);
        }
    }

    /// Everything may have changed, and news still come: nothing holds that was registered before.
    pub fn flush(&self) {
        let _term = held(&self.term);
        self.end_epoch();
    }

    /// No more news come: nothing holds until another term begins and is renewed.
    pub fn lose(&self, term: Term) {
        let mut current = held(&self.term);
        if *current == term {
            current.0 += 1;
            self.end_epoch();
            self.end_lease();
        }
    }

    /// Whether anything can hold at `now`.
    #[must_use]
    pub fn has_lease(&self, now: Moment) -> bool {
        now.ticks() < self.lease_ticks.load(Ordering::Acquire)
            && now.wall() < self.lease_wall.load(Ordering::Acquire)
    }

    /// How many flags are up; those that nobody looks at any more go when there are many.
    #[must_use]
    pub fn flags(&self) -> usize {
        held(&self.flags).len()
    }

    fn end_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    fn end_lease(&self) {
        self.lease_ticks.store(0, Ordering::Release);
        self.lease_wall.store(0, Ordering::Release);
    }
}

impl Mark {
    /// Whether what was read since may be believed at `now`, a moment that was read from the clocks before this is asked.
    ///
    /// The order matters. A lease that a later term was given is not taken for ours, because its epoch is looked at after it;
    /// and whoever sees a lease sees all flags that were touched before it was renewed.
    #[must_use]
    pub fn holds(&self, watch: &Watch, now: Moment) -> bool {
        watch.has_lease(now) && self.epoch == watch.epoch.load(Ordering::Acquire) && !self.flag.is_touched()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
