//! The end: of the tokens, of the registration, and of what is kept.

use super::{Connection, ConnectionFault};
use crate::{
    credentials::Grant,
    extensions::dpop::DpopKey,
    identity::{Identity, IdentityFault, unregister},
    token::{TokenEndpoint, TokenFault},
    words::copy,
};

/// What ended where.
#[derive(Debug)]
pub struct LoggedOut {
    /// Whether the tokens ended: `false` when the server has no way to end them.
    pub revoked: Result<bool, TokenFault>,
    /// Whether the registration ended: `false` when there was none to end, or other servers' grants need it.
    pub unregistered: Result<bool, IdentityFault>,
    /// Whether what was kept is forgotten. It is not when the server could not be told now: that can be tried again.
    pub is_forgotten: bool,
}

impl Connection {
    /// Ends what was granted, and the registration if nothing else needs it; `None` when there was nothing.
    ///
    /// # Errors
    /// [`ConnectionFault`] when what is kept cannot be read or forgotten.
    pub async fn logout(&self) -> Result<Option<LoggedOut>, ConnectionFault> {
        let _turn = self.turn.lock().await;
        let _held = self.credentials.hold(&self.server).await?;
        let Some(grant) = self.credentials.grant(&self.server).await? else {
            *self.live.write().await = None;
            return Ok(None);
        };
        let identity = self.identity_of(&grant).await?;
        let revoked = match &identity {
            Some(identity) => self.revoke(&grant, identity).await,
            None => Ok(false),
        };
        if revoked.as_ref().is_err_and(TokenFault::is_passing) {
            return Ok(Some(LoggedOut {
                revoked,
                unregistered: Ok(false),
                is_forgotten: false,
            }));
        }
        self.drop_grant().await?;
        if let (Err(fault), Some(identity)) = (&revoked, &identity)
            && fault.is_invalid_client()
        {
            // what the server does not know is of no use to other grants either
            self.credentials.remove_identity(identity).await?;
        }
        let unregistered = self.leave(&grant.metadata.issuer).await?;
        Ok(Some(LoggedOut {
            revoked,
            unregistered,
            is_forgotten: true,
        }))
    }

    /// Forgets what is kept for the server, and tells nobody: tokens end by themselves.
    ///
    /// # Errors
    /// [`ConnectionFault`] when it cannot be forgotten.
    pub async fn forget(&self) -> Result<(), ConnectionFault> {
        let _turn = self.turn.lock().await;
        let _held = self.credentials.hold(&self.server).await?;
        let Some(grant) = self.credentials.grant(&self.server).await? else {
            return Ok(());
        };
        self.drop_grant().await?;
        for identity in self.unneeded(&grant.metadata.issuer).await? {
            self.credentials.remove_identity(&identity).await?;
        }
        Ok(())
    }

    async fn drop_grant(&self) -> Result<(), ConnectionFault> {
        *self.live.write().await = None;
        Ok(self.credentials.remove_grant(&self.server).await?)
    }

    async fn revoke(&self, grant: &Grant, identity: &Identity) -> Result<bool, TokenFault> {
        let dpop = grant.dpop.as_ref().map(|text| DpopKey::parse(copy(text)));
        let dpop = dpop.transpose()?;
        let endpoint = TokenEndpoint {
            http: self.beyond().await,
            server: &grant.metadata,
            identity,
            key: self.key.as_ref(),
            dpop: dpop.as_ref(),
            now: self.clock.now(),
        };
        endpoint.revoke(&grant.tokens).await
    }

    /// Ends the registrations at `issuer` that no grant needs, and forgets what else the client was there.
    async fn leave(&self, issuer: &str) -> Result<Result<bool, IdentityFault>, ConnectionFault> {
        let mut ended = Ok(false);
        for identity in self.unneeded(issuer).await? {
            let one = unregister(self.beyond().await, &identity).await;
            if !one.as_ref().is_err_and(IdentityFault::is_passing) {
                self.credentials.remove_identity(&identity).await?;
            }
            ended = match (ended, one) {
                (Ok(some), Ok(one)) => Ok(some || one),
                (Err(fault), _) | (_, Err(fault)) => Err(fault),
            };
        }
        Ok(ended)
    }

    /// What the client is at `issuer` without a grant that was given to it.
    pub(super) async fn unneeded(&self, issuer: &str) -> Result<Vec<Identity>, ConnectionFault> {
        let grants = self.credentials.grants().await?;
        let mut identities = self.credentials.identities(issuer).await?;
        identities.retain(|identity| {
            let needs =
                |grant: &Grant| grant.metadata.issuer == issuer && grant.client_id == identity.client_id;
            !grants.iter().any(needs)
        });
        Ok(identities)
    }
}
