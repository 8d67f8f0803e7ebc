//! One flag for each thing that somebody remembers.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use crate::sync::{AtomicBool, Ordering};

/// Up as long as there is no news. It is touched once, and never raised again.
#[derive(Debug)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn touch(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_touched(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The flags that are up, by what they stand for. Those whose readers are gone go whenever the number has doubled.
#[derive(Debug)]
pub(crate) struct Flags {
    up: HashMap<Box<str>, Weak<Flag>>,
    sweep_at: usize,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            up: HashMap::new(),
            sweep_at: Self::LEAST,
        }
    }
}

impl Flags {
    /// With fewer, nobody looks for those that can go.
    const LEAST: usize = 1024;

    /// The flag of `key`: the one that is up, or a new one.
    pub(crate) fn raise(&mut self, key: &str) -> Arc<Flag> {
        if let Some(flag) = self.up.get(key).and_then(Weak::upgrade) {
            return flag;
        }
        if self.up.len() >= self.sweep_at {
            self.up.retain(|_, flag| flag.strong_count() > 0);
            self.up.shrink_to(2 * self.up.len());
            self.sweep_at = Self::LEAST.max(2 * self.up.len());
        }
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        self.up.insert(key.into(), Arc::downgrade(&flag));
        flag
    }

    /// Takes the flag of `key` down.
    pub(crate) fn take(&mut self, key: &str) -> Option<Arc<Flag>> {
        self.up.remove(key)?.upgrade()
    }

    pub(crate) fn len(&self) -> usize {
        self.up.len()
    }
}
