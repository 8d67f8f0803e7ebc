//! How tokens come: kept, refreshed by one at a time, or new.

use std::sync::Arc;

use mcp_gateway_model::scope::ScopeSet;

use super::{Connection, ConnectionFault, Live, Means, UserAgent};
use crate::{
    authorize::{self, Wanted},
    credentials::Grant,
    discover::{self, Challenge, Discovered, Trail},
    extensions::dpop::{ALGORITHM, DpopKey},
    identity::{self, Identity, IdentityOrigin},
    token::{For, TokenEndpoint, Tokens},
    words::copy,
};

impl Connection {
    /// What can be used now: refreshed if it is time, `None` if it has ended.
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
        let _turn = self.turn.lock().await;
        let _held = self.credentials.hold(&self.server).await?;
        let Some(live) = self.reload().await? else {
            return Ok(None);
        };
        if !live.grant.tokens.is_due(self.clock.now()) {
            return Ok(Some(live));
        }
        let is_alive = live.grant.tokens.is_alive(self.clock.now());
        match self.refresh(&live).await {
            Ok(Some(next)) => Ok(Some(next)),
            Ok(None) => Ok(is_alive.then_some(live)),
            Err(_) if is_alive => Ok(Some(live)),
            Err(fault) => Err(fault),
        }
    }

    /// Another token than the one in `used`, which was refused: somebody else's, a refreshed one, or a new one.
    pub(super) async fn renew(
        &self,
        used: Option<&Live>,
        challenge: Option<&Challenge>,
        may_refresh: bool,
    ) -> Result<Arc<Live>, ConnectionFault> {
        let _turn = self.turn.lock().await;
        let _held = self.credentials.hold(&self.server).await?;
        let live = self.reload().await?;
        if let Some(live) = &live {
            let is_other = used.is_none_or(|used| !same_token(used, live));
            if is_other && live.grant.tokens.is_alive(self.clock.now()) {
                return Ok(Arc::clone(live));
            }
            if may_refresh && let Some(next) = self.refresh(live).await? {
                return Ok(next);
            }
        }
        self.obtain(challenge, live.as_deref(), false).await
    }

    /// A token for what a challenge names as well; `None` when nobody can be asked for it.
    pub(super) async fn step_up(
        &self,
        used: Option<&Live>,
        challenge: &Challenge,
    ) -> Result<Option<Arc<Live>>, ConnectionFault> {
        if matches!(self.means, Means::Kept) {
            return Ok(None);
        }
        let _turn = self.turn.lock().await;
        let _held = self.credentials.hold(&self.server).await?;
        let live = self.reload().await?;
        if let (Some(used), Some(live)) = (used, &live)
            && !same_token(used, live)
        {
            return Ok(Some(Arc::clone(live)));
        }
        self.obtain(Some(challenge), live.as_deref(), true)
            .await
            .map(Some)
    }

    /// A new token, whatever there is.
    pub(super) async fn begin_again(&self) -> Result<Arc<Live>, ConnectionFault> {
        let challenge = discover::probe(&self.http, &self.server, &mut Trail::default()).await?;
        let _turn = self.turn.lock().await;
        let _held = self.credentials.hold(&self.server).await?;
        let live = self.reload().await?;
        self.obtain(challenge.as_ref(), live.as_deref(), false).await
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
            http: &self.http,
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
                    self.credentials.remove_identity(&identity.issuer).await?;
                }
                Ok(None)
            }
        }
    }

    /// Who the client was when `grant` was given.
    pub(super) async fn identity_of(&self, grant: &Grant) -> Result<Option<Identity>, ConnectionFault> {
        let issuer = grant.metadata.issuer.as_str();
        let known = identity::known(&self.profile, &grant.metadata, Some(issuer))?;
        let found = match known {
            Some(known) if known.client_id == grant.client_id => Some(known),
            _ => self.credentials.identity(issuer).await?,
        };
        Ok(found.filter(|identity| identity.client_id == grant.client_id))
    }

    /// A new token: the authorization server is looked for again, for it may be another one now.
    async fn obtain(
        &self,
        challenge: Option<&Challenge>,
        before: Option<&Live>,
        is_step: bool,
    ) -> Result<Arc<Live>, ConnectionFault> {
        if matches!(self.means, Means::Kept) {
            return Err(ConnectionFault::LoginNeeded(self.server.as_str().to_owned()));
        }
        let bound = before.map(|live| live.grant.metadata.issuer.as_str());
        let hints = (challenge, bound);
        let found = discover::discover(&self.http, &self.server, hints, &mut Trail::default()).await?;
        let before = before.filter(|live| live.grant.metadata.issuer == found.server.issuer);
        let scopes = match self.scopes.as_ref().filter(|_| !is_step) {
            Some(scopes) => Some(authorize::with_offline(scopes, &found.server)),
            None => wanted(&found, challenge, before, is_step),
        };
        let dpop = self.dpop(&found, before)?;
        let identity = self.identity(&found, bound).await?;
        let endpoint = TokenEndpoint {
            http: &self.http,
            server: &found.server,
            identity: &identity.0,
            key: self.key.as_ref(),
            dpop: dpop.as_deref(),
            now: self.clock.now(),
        };
        let wanted = For {
            resource: &found.resource,
            scopes: scopes.as_ref(),
        };
        let tokens = match &self.means {
            Means::Person(agent) => self.person(&**agent, endpoint, wanted, &identity.1).await?,
            Means::Device(guide) => self.device(&**guide, endpoint, wanted).await?,
            Means::Client => endpoint.client_credentials(wanted).await?,
            Means::Workload(source) => {
                let assertion = source.assertion(&found.server.issuer).await?;
                endpoint.jwt_bearer(assertion.reveal(), wanted).await?
            }
            Means::Enterprise(enterprise) => {
                let about = (wanted.resource, wanted.scopes);
                let issuer = &found.server.issuer;
                let assertion = enterprise
                    .assertion(&self.http, issuer, about, endpoint.now)
                    .await?;
                endpoint.jwt_bearer(assertion.reveal(), wanted).await?
            }
            Means::Kept => return Err(ConnectionFault::LoginNeeded(self.server.as_str().to_owned())),
        };
        let grant = Grant {
            server: self.server.clone(),
            resource: found.resource,
            metadata: found.server,
            client_id: identity.0.client_id,
            requested: scopes.unwrap_or_default(),
            tokens,
            dpop: None,
        };
        self.put(grant, dpop).await
    }

    /// Who the client is to the server that was found, and where the answer to its login goes.
    async fn identity(
        &self,
        found: &Discovered,
        bound: Option<&str>,
    ) -> Result<(Identity, String), ConnectionFault> {
        let server = &found.server;
        let redirect_uri = match &self.means {
            Means::Person(agent) => agent.redirect_uri().await?,
            Means::Device(guide) => guide.redirect_uri().await?,
            _ => {
                let known = identity::known(&self.profile, server, bound)?;
                let known = known.ok_or_else(|| ConnectionFault::NotPreRegistered(server.issuer.clone()))?;
                return Ok((known, String::new()));
            }
        };
        let kept = self.credentials.identity(&server.issuer).await?;
        let who = (&*self.profile, redirect_uri.as_str());
        let chosen = identity::choose(&self.http, who, server, (kept, bound), self.clock.now()).await?;
        if chosen.origin == IdentityOrigin::Registered {
            self.credentials.save_identity(&chosen).await?;
        }
        Ok((chosen, redirect_uri))
    }

    async fn person(
        &self,
        agent: &dyn UserAgent,
        endpoint: TokenEndpoint<'_>,
        wanted: For<'_>,
        redirect_uri: &str,
    ) -> Result<Tokens, ConnectionFault> {
        let asked = Wanted {
            resource: wanted.resource,
            scopes: wanted.scopes,
            redirect_uri,
        };
        let targets = &self.http.settings().targets;
        let (url, pending) =
            authorize::begin(endpoint.server, endpoint.identity, asked, targets, endpoint.now)?;
        let back = agent.visit(&url).await?;
        let code = pending.finish(back.query().unwrap_or_default())?;
        let now = self.clock.now();
        let exchanged = TokenEndpoint { now, ..endpoint }.exchange(&pending, code).await;
        if let Err(fault) = &exchanged
            && fault.is_invalid_client()
        {
            // the next login registers again
            self.credentials.remove_identity(&endpoint.server.issuer).await?;
        }
        Ok(exchanged?)
    }

    /// The key that new tokens are bound to: the one of before, so that a login in between changes nothing.
    fn dpop(
        &self,
        found: &Discovered,
        before: Option<&Live>,
    ) -> Result<Option<Arc<DpopKey>>, ConnectionFault> {
        let listed = found
            .server
            .dpop_signing_alg_values_supported
            .as_deref()
            .unwrap_or_default();
        if !self.profile.bound_tokens || !listed.iter().any(|one| one == ALGORITHM) {
            return Ok(None);
        }
        match before.and_then(|live| live.dpop.clone()) {
            Some(key) => Ok(Some(key)),
            None => Ok(Some(Arc::new(DpopKey::generate()?))),
        }
    }

    /// Keeps a grant, and uses it.
    async fn put(&self, mut grant: Grant, dpop: Option<Arc<DpopKey>>) -> Result<Arc<Live>, ConnectionFault> {
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

/// The scopes of the next login: with those of the logins before it, at the same server, so that nothing is lost.
fn wanted(
    found: &Discovered,
    challenge: Option<&Challenge>,
    before: Option<&Live>,
    is_step: bool,
) -> Option<ScopeSet> {
    let first = || authorize::initial(challenge, found.metadata.as_ref(), &found.server);
    let Some(live) = before else { return first() };
    let had = live.grant.requested.union(&live.grant.tokens.scopes);
    match challenge.filter(|_| is_step) {
        Some(challenge) => Some(authorize::step_up(&had, challenge, &found.server)),
        None => first()
            .map(|scopes| scopes.union(&had))
            .or(Some(had))
            .filter(|set| !set.is_empty()),
    }
}
