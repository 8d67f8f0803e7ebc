//! Credentials that were found good, with whose they are: as long as nothing can have changed, nothing is asked again. When something
//! may have, the store is asked, and what cannot change, such as a signature, is not looked at again.
//! Nothing that was refused is remembered, so that a flood of bad tokens leaves no trace.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use mcp_gateway_model::{id::GrantId, resource::Protected};
use mcp_gateway_store::{Mark, Moment, Watch};
use quick_cache::{
    OptionsBuilder, Weighter,
    unsync::{Cache, DefaultLifecycle},
};

use crate::{
    fingerprint::{ByItself, Fingerprint, FingerprintKey},
    holder::Holder,
    settings::CacheSettings,
    verifier::Verifier,
};

/// One credential at one resource.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    token: Fingerprint,
    /// Where the resource lies in memory: what is remembered keeps it there.
    place: usize,
}

/// What one thread remembers.
pub(crate) struct Memory(Option<Remembered>);

struct Remembered {
    key: Arc<FingerprintKey>,
    watch: Arc<Watch>,
    holders: RefCell<Holders>,
}

type Holders = Cache<Name, Rc<Holder>, Weight, ByItself>;

impl Memory {
    /// Nothing yet. Nothing ever, where the store cannot say what changes, or the settings do not want it.
    pub(crate) fn new(verifier: &Verifier) -> Self {
        let remembered = || {
            let share = Share::of(verifier.settings.cache)?;
            let options = OptionsBuilder::new()
                .estimated_items_capacity(share.entries)
                .weight_capacity(share.bytes as u64)
                .build()
                .ok()?;
            let weight = Weight {
                least: share.bytes / share.entries,
            };
            let holders =
                Cache::with_options(options, weight, ByItself::default(), DefaultLifecycle::default());
            Some(Remembered {
                key: verifier.fingerprints.clone()?,
                watch: verifier.watch.clone()?,
                holders: RefCell::new(holders),
            })
        };
        Self(remembered())
    }

    /// What a credential is called here.
    pub(crate) fn name(&self, bearer: &[u8], protected: &Arc<Protected>) -> Option<Name> {
        let token = self.0.as_ref()?.key.of(bearer)?;
        Some(Name {
            token,
            place: Arc::as_ptr(protected).addr(),
        })
    }

    /// Whoever holds a credential that is still good at `now`.
    pub(crate) fn find(&self, name: Name, protected: &Arc<Protected>, now: Moment) -> Option<Rc<Holder>> {
        let remembered = self.0.as_ref()?;
        let found = remembered.holders.borrow().get(&name).map(Rc::clone)?;
        if found.is_for(protected) && found.is_good(&remembered.watch, now) {
            return Some(found);
        }
        // what is only not certain now may be found to be so again, with less trouble than the first time
        if found.has_ended(now) {
            self.forget(Some(name));
        }
        None
    }

    /// Whether nothing can have changed since somebody was found to hold a credential. Never where nothing is remembered: only the
    /// store knows.
    pub(crate) fn believes(&self, holder: &Holder, now: Moment) -> bool {
        let remembered = self.0.as_ref();
        remembered.is_some_and(|remembered| holder.is_good(&remembered.watch, now))
    }

    /// Whoever was found to hold a credential, which may be good no longer.
    pub(crate) fn known(&self, name: Name, protected: &Arc<Protected>) -> Option<Rc<Holder>> {
        let known = self.0.as_ref()?.holders.borrow().get(&name).map(Rc::clone)?;
        known.is_for(protected).then_some(known)
    }

    /// Forgets a credential.
    pub(crate) fn forget(&self, name: Option<Name>) {
        if let (Some(remembered), Some(name)) = (&self.0, name) {
            remembered.holders.borrow_mut().remove(&name);
        }
    }

    /// Registers for news of a grant: to be called before the store is asked about it. `None` if there are no news.
    pub(crate) fn mark(&self, grant: &GrantId, now: Moment) -> Option<Mark> {
        let watch = &self.0.as_ref()?.watch;
        watch.has_lease(now).then(|| watch.register(grant.as_str()))
    }

    /// Remembers a credential.
    pub(crate) fn keep(&self, name: Option<Name>, holder: &Rc<Holder>) {
        if let (Some(remembered), Some(name)) = (&self.0, name)
            && holder.can_be_remembered()
        {
            remembered.holders.borrow_mut().insert(name, Rc::clone(holder));
        }
    }
}

/// What one thread may remember.
struct Share {
    entries: usize,
    bytes: usize,
}

impl Share {
    /// `None` for nothing.
    fn of(settings: CacheSettings) -> Option<Self> {
        let threads = settings.threads.max(1);
        settings.is_any().then(|| Self {
            entries: (settings.entries / threads).max(1),
            bytes: (settings.bytes / threads).max(1),
        })
    }
}

/// Bounds the bytes, and by a least weight the number too.
#[derive(Clone)]
struct Weight {
    least: usize,
}

impl Weighter<Name, Rc<Holder>> for Weight {
    fn weight(&self, _: &Name, holder: &Rc<Holder>) -> u64 {
        holder.bytes().max(self.least) as u64
    }
}
