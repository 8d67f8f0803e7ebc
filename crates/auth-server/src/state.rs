//! What every handler shares.

use std::{fmt, sync::Arc};

use mcp_gateway_model::{access::Watched, clock::Clock, secret::MacKey};
use mcp_gateway_store::{Store, StoreError};

use crate::{
    desk::{BadDesk, LoginDesk},
    fetch::{BadFetcher, Fetcher, copies::Copies},
    keys::{Configured, KeyChain, KeyError, Signers},
    metrics::Metrics,
    seal::Sealer,
    settings::Settings,
};

/// The authorization server: its settings and the few things it holds on to.
pub struct AuthServer {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Authenticate refresh tokens; the first makes new ones.
    pub(crate) refresh_keys: Vec<MacKey>,
    /// Sign access tokens.
    pub(crate) keys: KeyChain,
    /// Sign on threads of their own.
    pub(crate) signers: Signers,
    /// What logging in needs.
    pub(crate) desk: LoginDesk,
    /// Reads what clients publish.
    pub(crate) copies: Copies,
    /// Seals GitHub's tokens.
    pub(crate) sealer: Sealer,
    /// Where people have to belong, anywhere.
    pub(crate) watched: Watched,
    pub(crate) metrics: Metrics,
}

impl AuthServer {
    /// Puts the server together: loads its signing keys, or makes the first one.
    ///
    /// # Errors
    /// [`StartError`] says what is missing.
    pub async fn start(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        registry: &prometheus::Registry,
    ) -> Result<Self, StartError> {
        if settings.sealing_secrets.is_empty() {
            return Err(StartError::NoSealingSecret);
        }
        let refresh_keys = settings
            .sealing_secrets
            .iter()
            .map(|secret| MacKey::derive(secret.reveal().as_bytes(), "mcp-gateway refresh tokens 1"))
            .collect();
        let configured = Configured::read(&settings.signing, &settings.sealing_secrets)?;
        let keys = KeyChain::start(configured, store.as_ref(), clock.now()).await?;
        let desk = LoginDesk::new(&settings, registry)?;
        let fetcher = Fetcher::new(settings.fetch.clone(), &settings.issuer)?;
        Ok(Self {
            desk,
            copies: Copies::new(fetcher),
            sealer: Sealer::new(&settings.sealing_secrets),
            watched: settings.resources.watched(),
            settings,
            store,
            clock,
            refresh_keys,
            keys,
            signers: Signers::new(),
            metrics: Metrics::register(registry)?,
        })
    }
}

impl fmt::Debug for AuthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthServer")
            .field("issuer", &self.settings.issuer)
            .finish_non_exhaustive()
    }
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing to seal with.
    #[error("a sealing secret is needed: set STORE_ENCRYPTION_KEY or JWT_SECRET")]
    NoSealingSecret,
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The registry of metrics already has a server's counters.
    #[error("the metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// GitHub, or the counters.
    #[error(transparent)]
    Login(#[from] BadDesk),
    /// The name servers, or the certificates, for what clients publish.
    #[error(transparent)]
    Fetcher(#[from] BadFetcher),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
