//! What is used: kept, refreshed by one at a time, or replaced by a login of its own turn.

use std::sync::Arc;

use super::{Connection, ConnectionFault, Live, Means, obtain::Need};
use crate::{
    credentials::Grant,
    discover::{self, Challenge, Trail},
    extensions::dpop::DpopKey,
    identity::{self, Identity, IdentityOrigin},
    token::TokenEndpoint,
    words::copy,
};

impl Connection {
    /// What can be used now: renewed if it is time, `None` if it has ended and somebody has to log in.
    pub(super) async fn current(&self) -> Result<Option<Arc<Live>>, ConnectionFault> {
        // the lock must not be held any more when what is kept is read
        let used = self.live.read().await.clone();
        let live = match used {
            Some(live) => Some(live),
            None => self.reload().await?,
        };
        let Some(live) = live else { return Ok(None) };
        if !live.grant.tokens.is_due(self.clock.now()) {
            return Ok(Some(live));
        }
        let next = match self.refreshed().await {
            Ok(None) if self.means.needs_nobody() => self.anew(Some(&live), Need::Renewal).await.map(Some),
            refreshed => refreshed,
        };
        let Ok(Some(next)) = next else {
            // what is kept serves as long as it lives
            let kept = self.reload().await?;
            let alive = kept.filter(|live| live.grant.tokens.is_alive(self.clock.now()));
            return alive.map_or(next, |live| Ok(Some(live)));
        };
        Ok(Some(next))
    }

    /// Another token than the one in `used`, which was refused: somebody else's, a refreshed one, or a new one.
    pub(super) async fn renew(
        &self,
        used: Option<&Live>,
        challenge: Option<&Challenge>,
        may_refresh: bool,
    ) -> Result<Arc<Live>, ConnectionFault> {
        {
            let _turn = self.turn.lock().await;
            let _held = self.credentials.hold(&self.server).await?;
            if let Some(live) = self.reload().await? {
                if self.is_next(used, &live) {
                    return Ok(live);
                }
                if may_refresh && let Some(next) = self.refresh(&live).await? {
                    return Ok(next);
                }
            }
        }
        self.anew(used, Need::Token(challenge)).await
    }

    /// A token for what a challenge names as well; `None` when nobody can be asked for it. A program that said what it needs
    /// gets no more by itself.
    pub(super) async fn step_up(
        &self,
        used: Option<&Live>,
        challenge: &Challenge,
    ) -> Result<Option<Arc<Live>>, ConnectionFault> {
        let is_bounded = self.means.needs_nobody() && self.scopes.is_some();
        if is_bounded || matches!(self.means, Means::Kept) {
            return Ok(None);
        }
        self.anew(used, Need::Scopes(challenge)).await.map(Some)
    }

    /// A new token, whatever there is.
    pub(super) async fn begin_again(&self) -> Result<Arc<Live>, ConnectionFault> {
        let challenge = discover::probe(&self.http, &self.server, &mut Trail::default()).await?;
        let _login = self.login_turn.lock().await;
        let _held = self.credentials.hold_login(&self.server).await?;
        let before = self.reload().await?;
        self.obtain(Need::Token(challenge.as_ref()), before.as_deref())
            .await
    }

    /// A new token in place of the one in `used`, if nobody else got one meanwhile. Logins take turns of their own: a person may
    /// take their time, and whoever has something to refresh does not wait for that.
    async fn anew(&self, used: Option<&Live>, need: Need<'_>) -> Result<Arc<Live>, ConnectionFault> {
        if matches!(self.means, Means::Kept) {
            return Err(ConnectionFault::LoginNeeded(self.server.as_str().to_owned()));
        }
        let _login = self.login_turn.lock().await;
        let _held = self.credentials.hold_login(&self.server).await?;
        match self.reload().await? {
            Some(live) if self.is_next(used, &live) => Ok(live),
            before => self.obtain(need, before.as_deref()).await,
        }
    }

    /// Whether `live` can be used in place of `used`.
    fn is_next(&self, used: Option<&Live>, live: &Live) -> bool {
        let is_other = used.is_none_or(|used| !same_token(used, live));
        is_other && live.grant.tokens.is_alive(self.clock.now())
    }

    /// What is kept, refreshed by one of many at once; `None` when it cannot be.
    async fn refreshed(&self) -> Result<Option<Arc<Live>>, ConnectionFault> {
        let _turn = self.turn.lock().await;
        let _held = self.credentials.hold(&self.server).await?;
        match self.reload().await? {
            Some(live) if live.grant.tokens.is_due(self.clock.now()) => self.refresh(&live).await,
            live => Ok(live),
        }
    }

    /// What is kept, if it is another than what is used already.
    async fn reload(&self) -> Result<Option<Arc<Live>>, ConnectionFault> {
        let Some(grant) = self.credentials.grant(&self.server).await? else {
            *self.live.write().await = None;
            return Ok(None);
        };
        let mut slot = self.live.write().await;
        if let Some(live) = slot.as_ref()
            && live.grant.tokens.access_token.digest() == grant.tokens.access_token.digest()
        {
            return Ok(Some(Arc::clone(live)));
        }
        let known = slot.as_ref().and_then(|live| live.dpop.clone());
        let live = Arc::new(live(grant, known)?);
        *slot = Some(Arc::clone(&live));
        Ok(Some(live))
    }

    /// The next token; `None` when there will be none. Whoever calls has the turn.
    async fn refresh(&self, live: &Live) -> Result<Option<Arc<Live>>, ConnectionFault> {
        let grant = &live.grant;
        if grant.tokens.refresh_token.is_none() {
            return Ok(None);
        }
        let Some(identity) = self.identity_of(grant).await? else {
            return Ok(None);
        };
        let endpoint = TokenEndpoint {
            http: self.beyond().await,
            server: &grant.metadata,
            identity: &identity,
            key: self.key.as_ref(),
            dpop: live.dpop.as_deref(),
            now: self.clock.now(),
        };
        match endpoint.refresh(&grant.tokens, &grant.resource).await {
            Ok(tokens) => {
                let next = Grant {
                    server: grant.server.clone(),
                    resource: grant.resource.clone(),
                    metadata: grant.metadata.clone(),
                    client_id: grant.client_id.clone(),
                    requested: grant.requested.clone(),
                    tokens,
                    dpop: None,
                };
                self.put(next, live.dpop.clone()).await.map(Some)
            }
            Err(fault) if fault.is_passing() => Err(fault.into()),
            Err(fault) => {
                if fault.is_invalid_client() && identity.origin == IdentityOrigin::Registered {
                    self.credentials.remove_identity(&identity).await?;
                }
                Ok(None)
            }
        }
    }

    /// Who the client was when `grant` was given.
    pub(super) async fn identity_of(&self, grant: &Grant) -> Result<Option<Identity>, ConnectionFault> {
        let (issuer, client_id) = (grant.metadata.issuer.as_str(), grant.client_id.as_str());
        let known = identity::known(&self.profile, &grant.metadata, Some((issuer, client_id)))?;
        match known.filter(|known| known.client_id == client_id) {
            Some(known) => Ok(Some(known)),
            None => Ok(self.credentials.identity(issuer, client_id).await?),
        }
    }

    /// Keeps a grant, and uses it. Whoever calls has the turn.
    pub(super) async fn put(
        &self,
        mut grant: Grant,
        dpop: Option<Arc<DpopKey>>,
    ) -> Result<Arc<Live>, ConnectionFault> {
        grant.dpop = dpop.as_ref().map(|key| copy(key.secret()));
        self.credentials.save_grant(&grant).await?;
        let live = Arc::new(Live { grant, dpop });
        *self.live.write().await = Some(Arc::clone(&live));
        Ok(live)
    }
}

fn live(grant: Grant, known: Option<Arc<DpopKey>>) -> Result<Live, ConnectionFault> {
    let Some(text) = &grant.dpop else {
        return Ok(Live { grant, dpop: None });
    };
    let known = known.filter(|known| known.secret().digest() == text.digest());
    let key = match known {
        Some(known) => known,
        None => Arc::new(DpopKey::parse(copy(text))?),
    };
    let dpop = Some(key);
    Ok(Live { grant, dpop })
}

fn same_token(one: &Live, other: &Live) -> bool {
    one.grant.tokens.access_token.digest() == other.grant.tokens.access_token.digest()
}
