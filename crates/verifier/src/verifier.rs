//! What every handler shares.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix_web::web::Bytes;
use mcp_gateway_model::{
    clock::{Clock, Timestamp},
    metadata::AuthorizationServerMetadata,
};
use mcp_gateway_store::{GrantReader, Watch};

use crate::{
    fingerprint::FingerprintKey,
    keys::{InStore, Keys, VerifyingKey},
    metrics::Metrics,
    settings::Settings,
};

/// The verifier: its settings and the few things it holds on to.
pub struct Verifier {
    pub(crate) settings: Settings,
    pub(crate) reader: Arc<dyn GrantReader>,
    pub(crate) clock: Arc<dyn Clock>,
    /// What knows of changes in the store.
    pub(crate) watch: Option<Arc<Watch>>,
    /// What remembered tokens go by.
    pub(crate) fingerprints: Option<Arc<FingerprintKey>>,
    pub(crate) keys: Keys,
    pub(crate) metrics: Metrics,
    pub(crate) setup_warnings: Occasion,
    pub(crate) flood_warnings: Occasion,
    /// The authorization server metadata, ready to send.
    pub(crate) server_metadata: Bytes,
    pub(crate) detours: Detours,
}

impl Verifier {
    /// Puts the verifier together. Nothing is asked of the store yet: public keys are read when the first token comes.
    ///
    /// # Errors
    /// [`StartError`] says what is wrong.
    pub fn new(
        mut settings: Settings,
        reader: Arc<dyn GrantReader>,
        clock: Arc<dyn Clock>,
        registry: &prometheus::Registry,
    ) -> Result<Self, StartError> {
        let shared = match settings.shared_key.take() {
            Some(key) if key.secret.reveal().len() < 32 => return Err(StartError::ShortSecret),
            Some(key) => Some((key.kid, VerifyingKey::shared(&key.secret))),
            None => None,
        };
        let document =
            AuthorizationServerMetadata::new(&settings.issuer, &settings.resources, settings.offers);
        Ok(Self {
            server_metadata: serde_json::to_vec(&document)?.into(),
            keys: Keys::new(InStore(Arc::clone(&reader)), shared),
            metrics: Metrics::register(registry)?,
            setup_warnings: Occasion::default(),
            flood_warnings: Occasion::default(),
            detours: Detours::default(),
            watch: settings.cache.is_any().then(|| reader.watch()).flatten(),
            fingerprints: FingerprintKey::generate().map(Arc::new),
            settings,
            reader,
            clock,
        })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.settings.issuer)
            .finish_non_exhaustive()
    }
}

/// Why the verifier cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// RFC 7518 §3.2 wants a key as long as the hash.
    #[error("HS256 needs a secret of at least 32 bytes")]
    ShortSecret,
    /// The registry has these metrics already.
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The metadata cannot be written.
    #[error("the metadata cannot be written: {0}")]
    Metadata(#[from] serde_json::Error),
}

/// Protected hosts whose router was seen to ask here about discovery instead of leading it here: challenges for them point
/// to the issuer's copy, which every router reaches.
#[derive(Debug, Default)]
pub(crate) struct Detours(RwLock<BTreeSet<String>>);

impl Detours {
    /// The most hosts that are remembered.
    const MOST: usize = 1000;

    /// Remembers a host.
    pub(crate) fn note(&self, authority: &str) {
        if !self.include(authority) {
            let mut hosts = self.0.write().unwrap_or_else(PoisonError::into_inner);
            if hosts.len() < Self::MOST {
                hosts.insert(authority.to_owned());
            }
        }
    }

    /// Whether a host is one of them.
    pub(crate) fn include(&self, authority: &str) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(authority)
    }
}

/// Something that is worth a warning, but not one for each request: anybody could fill the log.
#[derive(Debug, Default)]
pub(crate) struct Occasion {
    /// When the next warning is due, in milliseconds since the epoch.
    due: AtomicU64,
}

impl Occasion {
    const INTERVAL: Duration = Duration::from_secs(10);

    /// Whether a warning is due at `now`; if so, the next one is due later.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        let next = now.plus(Self::INTERVAL).millis();
        due <= now.millis()
            && self
                .due
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_due_once_in_ten_seconds() {
        let occasion = Occasion::default();
        let now = Timestamp::from_secs(1_000);
        assert!(occasion.is_due(now));
        assert!(!occasion.is_due(now.plus(Duration::from_secs(9))));
        assert!(occasion.is_due(now.plus(Duration::from_secs(10))));
    }
}
