//! What every handler shares.

use std::{fmt, sync::Arc};

use mcp_gateway_model::{clock::Clock, secret::MacKey};
use mcp_gateway_store::{Store, StoreError};

use crate::settings::Settings;

/// The authorization server: its settings and the few things it holds on to.
pub struct AuthServer {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Authenticate refresh tokens; the first makes new ones.
    pub(crate) refresh_keys: Vec<MacKey>,
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
        _registry: &prometheus::Registry,
    ) -> Result<Self, StartError> {
        if settings.sealing_secrets.is_empty() {
            return Err(StartError::NoSealingSecret);
        }
        let refresh_keys = settings
            .sealing_secrets
            .iter()
            .map(|secret| MacKey::derive(secret.reveal().as_bytes(), "mcp-gateway refresh tokens 1"))
            .collect();
        Ok(Self {
            settings,
            store,
            clock,
            refresh_keys,
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
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
