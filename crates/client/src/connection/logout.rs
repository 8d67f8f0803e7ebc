//! The end: of the tokens, of the registration, and of what is kept.

use super::{Connection, ConnectionFault};
use crate::{
    credentials::Grant,
    extensions::dpop::DpopKey,
    identity::{Identity, IdentityFault, IdentityOrigin, unregister},
    token::{TokenEndpoint, TokenFault},
    words::copy,
};

/// What ended where. Nothing is kept here any more, whatever the server said.
#[derive(Debug)]
pub struct LoggedOut {
    /// Whether the tokens ended: `false` when the server has no way to end them.
    pub revoked: Result<bool, TokenFault>,
    /// Whether the registration ended: `false` when there was none to end, or other servers' grants need it.
    pub unregistered: Result<bool, IdentityFault>,
}

impl Connection {
    /// Ends what was granted, and the registration if nothing else needs it; `None` when there was nothing.
    ///
    /// # Errors
    /// [`ConnectionFault`] when what is kept cannot be read or forgotten.
    pub async fn logout(&self) -> Result<Option<LoggedOut>, ConnectionFault> {
        let _turn = self.turn.lock().await;
        let _held = self.credentials.hold(&self.server).await?;
        *self.live.write().await = None;
        let Some(grant) = self.credentials.grant(&self.server).await? else {
            return Ok(None);
        };
        let identity = self.identity_of(&grant).await?;
        let revoked = match &identity {
            Some(identity) => self.revoke(&grant, identity).await,
            None => Ok(false),
        };
        self.credentials.remove_grant(&self.server).await?;
        let unregistered = match identity {
            Some(identity) if identity.origin == IdentityOrigin::Registered => self.forget(&identity).await?,
            _ => Ok(false),
        };
        Ok(Some(LoggedOut {
            revoked,
            unregistered,
        }))
    }

    async fn revoke(&self, grant: &Grant, identity: &Identity) -> Result<bool, TokenFault> {
        let dpop = grant.dpop.as_ref().map(|text| DpopKey::parse(copy(text)));
        let dpop = dpop.transpose()?;
        let endpoint = TokenEndpoint {
            http: &self.http,
            server: &grant.metadata,
            identity,
            key: self.key.as_ref(),
            dpop: dpop.as_ref(),
            now: self.clock.now(),
        };
        endpoint.revoke(&grant.tokens).await
    }

    /// Ends a registration that no other grant needs.
    async fn forget(&self, identity: &Identity) -> Result<Result<bool, IdentityFault>, ConnectionFault> {
        let grants = self.credentials.grants().await?;
        let needs =
            |grant: &Grant| grant.metadata.issuer == identity.issuer && grant.client_id == identity.client_id;
        if grants.iter().any(needs) {
            return Ok(Ok(false));
        }
        let ended = unregister(&self.http, identity).await;
        self.credentials.remove_identity(&identity.issuer).await?;
        Ok(ended)
    }
}
