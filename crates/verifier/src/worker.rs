//! What one thread of a server keeps for itself, so that threads need not wait for each other.

use std::{
    cell::RefCell,
    net::{IpAddr, Ipv4Addr},
    rc::{Rc, Weak},
    sync::Arc,
};

use actix_web::dev::RequestHead;
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    forwarded::Asked, memory::Memory, reason::Reason, settings::Settings, site::Sites, turns::Turns,
    verifier::Verifier,
};

/// One thread's part of a verifier.
pub(crate) struct Worker {
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) sites: Sites,
    pub(crate) memory: Memory,
    pub(crate) turns: Turns,
    _following: Option<Following>,
}

/// This thread's offer to follow the news of what is remembered; it ends with the value.
struct Following(JoinHandle<()>);

impl Following {
    /// Nothing where nothing is remembered, or where no runtime would follow.
    fn begin(verifier: &Verifier) -> Option<Self> {
        verifier.watch.as_ref()?;
        let runtime = Handle::try_current().ok()?;
        Some(Self(runtime.spawn(verifier.reader.follow())))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

thread_local! {
    static HERE: RefCell<Vec<Weak<Worker>>> = const { RefCell::new(Vec::new()) };
}

impl Worker {
    /// Whose request the proxy asks about.
    pub(crate) fn source(&self, head: &RequestHead) -> IpAddr {
        let forwarded: Vec<_> = head
            .headers
            .get_all("x-forwarded-for")
            .filter_map(|value| value.to_str().ok())
            .collect();
        let peer = head
            .peer_addr
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let proxies = &self.verifier.settings.trusted_proxies;
        proxies.client_address(peer, &forwarded.join(","))
    }

    /// Reads which request the proxy asks about.
    pub(crate) fn asked<'r>(&self, head: &'r RequestHead) -> Result<Asked<'r>, Reason> {
        let Settings {
            trusted_proxies,
            resources,
            ..
        } = &self.verifier.settings;
        Asked::read(head, trusted_proxies, (&self.sites, resources))
    }

    /// This thread's part: the same for all who ask on this thread, as long as one of them has it. Made in the
    /// runtime that serves, which follows the news.
    pub(crate) fn here(verifier: &Arc<Verifier>) -> Rc<Self> {
        HERE.with_borrow_mut(|here| {
            here.retain(|worker| worker.strong_count() > 0);
            let is_ours = |worker: &Rc<Self>| Arc::ptr_eq(&worker.verifier, verifier);
            if let Some(worker) = here.iter().filter_map(Weak::upgrade).find(is_ours) {
                return worker;
            }
            let worker = Rc::new(Self {
                verifier: Arc::clone(verifier),
                sites: Sites::new(),
                memory: Memory::new(verifier),
                turns: Turns::default(),
                _following: Following::begin(verifier),
            });
            here.push(Rc::downgrade(&worker));
            worker
        })
    }
}
