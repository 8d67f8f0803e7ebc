//! What is in the files is looked at again and again: certificates are renewed by programs that tell nobody.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use actix_web::{
    rt::{self, task::JoinHandle, time},
    web,
};
use mcp_gateway_model::{
    clock::{Clock, SystemClock, Timestamp},
    secret::Digest,
};
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tracing::{info, warn};

use super::pair::{self, Pair, Problem};
use crate::config::TlsFiles;

/// How often the files are looked at. A change is in use after two looks, so in less than 10 seconds.
pub(super) const INTERVAL: Duration = Duration::from_secs(2);

/// The certificate for connections that begin now.
#[derive(Debug)]
pub(super) struct InUse(RwLock<Arc<CertifiedKey>>);

impl InUse {
    pub(super) fn new(certified: CertifiedKey) -> Self {
        Self(RwLock::new(Arc::new(certified)))
    }

    fn replace(&self, certified: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }

    fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for InUse {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.certified())
    }
}

/// What was found in the files: what stands for their contents, or why they could not be read.
type Found = Result<[Digest; 2], Problem>;

/// What a look at the files led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nothing is new.
    Same,
    /// Something is new, and may still be being written.
    Changing,
    /// What is new is in use now.
    Taken,
    /// What is new cannot be used, and what was before goes on.
    Refused(Problem),
    /// The same as at the look before, when it was refused.
    StillRefused,
}

/// Looks at the files, and takes what is new.
pub(crate) struct Renewal {
    files: TlsFiles,
    in_use: Arc<InUse>,
    /// What is in use.
    used: [Digest; 2],
    /// What the look before found, if it was new.
    before: Option<Found>,
    /// What was refused.
    refused: Option<Found>,
}

impl Renewal {
    pub(super) fn new(files: TlsFiles, pair: &Pair, in_use: Arc<InUse>) -> Self {
        Self {
            files,
            in_use,
            used: pair.digests(),
            before: None,
            refused: None,
        }
    }

    /// Looks. The two files are written one after the other, perhaps in pieces: what is new counts when a second look finds
    /// the same.
    pub(super) fn look(&mut self, now: Timestamp) -> Seen {
        let read = Pair::read(&self.files);
        let found = read.as_ref().map(Pair::digests).map_err(Clone::clone);
        if found.as_ref() == Ok(&self.used) {
            (self.before, self.refused) = (None, None);
            return Seen::Same;
        }
        let rests = self.before.as_ref() == Some(&found);
        self.before = Some(found.clone());
        if !rests {
            return Seen::Changing;
        }
        let judged = read.and_then(|pair| {
            let certified = pair.certified(&self.files)?;
            pair::is_valid(&self.files, &certified, now)?;
            Ok((pair.digests(), certified))
        });
        match judged {
            Ok((digests, certified)) => {
                self.in_use.replace(certified);
                self.used = digests;
                (self.before, self.refused) = (None, None);
                Seen::Taken
            }
            Err(_) if self.refused.as_ref() == Some(&found) => Seen::StillRefused,
            Err(problem) => {
                self.refused = Some(found);
                Seen::Refused(problem)
            }
        }
    }

    /// Looks again and again for as long as the value lives, and tells the operator what became of a change, once.
    pub(crate) fn begin(self) -> Renewing {
        let ended = pair::is_valid(&self.files, &self.in_use.certified(), SystemClock.now());
        if let Err(Problem { setting, problem }) = ended {
            warn!(setting, problem, "TLS");
        }
        Renewing(rt::spawn(async move {
            let mut renewal = self;
            loop {
                time::sleep(INTERVAL).await;
                let looked = web::block(move || {
                    let seen = renewal.look(SystemClock.now());
                    (renewal, seen)
                });
                let Ok((looked, seen)) = looked.await else {
                    return;
                };
                renewal = looked;
                renewal.tell(&seen);
            }
        }))
    }

    fn tell(&self, seen: &Seen) {
        let file = self.files.certificates.display();
        match seen {
            Seen::Taken => info!(%file, "TLS: the new certificate is in use for connections from now on"),
            Seen::Refused(Problem { setting, problem }) => warn!(
                setting,
                problem, "TLS: the new certificate and key are not used, those from before go on"
            ),
            Seen::Same | Seen::Changing | Seen::StillRefused => {}
        }
    }
}

/// The looks; they end with the value.
pub(crate) struct Renewing(JoinHandle<()>);

impl Drop for Renewing {
    fn drop(&mut self) {
        self.0.abort();
    }
}
