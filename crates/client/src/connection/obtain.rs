//! A new token: the authorization server is looked for again, for it may be another one now.

use std::sync::Arc;

use mcp_gateway_model::scope::ScopeSet;

use super::{Connection, ConnectionFault, Live, Means, UserAgent};
use crate::{
    authorize::{self, Wanted},
    credentials::Grant,
    discover::{self, Challenge, Discovered, Trail},
    extensions::dpop::{ALGORITHM, DpopKey},
    identity::{self, Identity, IdentityOrigin},
    token::{For, TokenEndpoint, TokenType, Tokens},
};

/// What a new token is needed for.
#[derive(Clone, Copy)]
pub(super) enum Need<'c> {
    /// There is none, or none that is taken; with the challenge of the 401.
    Token(Option<&'c Challenge>),
    /// The challenge of a 403 names more scopes.
    Scopes(&'c Challenge),
    /// The one that there is ends.
    Renewal,
}

impl<'c> Need<'c> {
    const fn challenge(self) -> Option<&'c Challenge> {
        match self {
            Self::Token(challenge) => challenge,
            Self::Scopes(challenge) => Some(challenge),
            Self::Renewal => None,
        }
    }
}

/// Who the client is for one login.
struct Client {
    identity: Identity,
    /// Where the answer to a person's login goes.
    redirect_uri: String,
    /// Whether it has just registered.
    is_new: bool,
}

impl Connection {
    /// A new token. Whoever calls has the turn to log in.
    pub(super) async fn obtain(
        &self,
        need: Need<'_>,
        before: Option<&Live>,
    ) -> Result<Arc<Live>, ConnectionFault> {
        let bound = before.map(|live| {
            let grant = &live.grant;
            (grant.metadata.issuer.as_str(), grant.client_id.as_str())
        });
        let found = self.find(need, bound.map(|(issuer, _)| issuer)).await?;
        let before = before.filter(|live| live.grant.metadata.issuer == found.server.issuer);
        let scopes = self.wanted(&found, need, before);
        let dpop = self.dpop(&found, before)?;
        let client = self.client(&found, bound).await?;
        let endpoint = TokenEndpoint {
            http: self.beyond().await,
            server: &found.server,
            identity: &client.identity,
            key: self.key.as_ref(),
            dpop: dpop.as_deref(),
            now: self.clock.now(),
        };
        let wanted = For {
            resource: &found.resource,
            scopes: scopes.as_ref(),
        };
        let ended = self.ask(endpoint, wanted, &client.redirect_uri).await;
        self.settle(&client, ended.as_ref().err()).await?;
        let tokens = ended?;
        if requires_proof(&found) && tokens.token_type != TokenType::Dpop {
            return Err(ConnectionFault::NotBound(found.server.issuer));
        }
        let grant = Grant {
            server: self.server.clone(),
            resource: found.resource,
            metadata: found.server,
            client_id: client.identity.client_id,
            requested: scopes.unwrap_or_default(),
            tokens,
            dpop: None,
        };
        let _turn = self.turn.lock().await;
        let _held = self.credentials.hold(&self.server).await?;
        self.put(grant, dpop).await
    }

    /// The authorization server. Of several, the one that gave the grant before is taken; but one that the program is known to
    /// by an arrangement comes before one that it is not.
    async fn find(&self, need: Need<'_>, before: Option<&str>) -> Result<Discovered, ConnectionFault> {
        let arranged = self.profile.pre_registered.iter();
        let arranged: Vec<_> = arranged.filter_map(|entry| entry.issuer.as_deref()).collect();
        let same = before.filter(|issuer| arranged.contains(issuer));
        let preferred: Vec<_> = same
            .into_iter()
            .chain(arranged.iter().copied())
            .chain(before)
            .collect();
        let hints = (need.challenge(), preferred.as_slice());
        let found = discover::discover(self.beyond().await, &self.server, hints, &mut Trail::default()).await;
        Ok(found?)
    }

    /// The tokens, by the means that there are.
    async fn ask(
        &self,
        endpoint: TokenEndpoint<'_>,
        wanted: For<'_>,
        redirect_uri: &str,
    ) -> Result<Tokens, ConnectionFault> {
        let issuer = endpoint.server.issuer.as_str();
        match &self.means {
            Means::Person(agent) => self.person(&**agent, endpoint, wanted, redirect_uri).await,
            Means::Device(guide) => self.device(&**guide, endpoint, wanted).await,
            Means::Client => Ok(endpoint.client_credentials(wanted).await?),
            Means::Workload(source) => {
                let assertion = source.assertion(issuer).await?;
                Ok(endpoint.jwt_bearer(assertion.reveal(), wanted).await?)
            }
            Means::Enterprise(enterprise) => {
                let about = (wanted.resource, wanted.scopes);
                let assertion = enterprise
                    .assertion(&self.http, issuer, about, endpoint.now)
                    .await?;
                Ok(endpoint.jwt_bearer(assertion.reveal(), wanted).await?)
            }
            Means::Kept => Err(ConnectionFault::LoginNeeded(self.server.as_str().to_owned())),
        }
    }

    /// Who the client is to the server that was found: known to it, else registered as before, else registered now.
    async fn client(
        &self,
        found: &Discovered,
        bound: Option<(&str, &str)>,
    ) -> Result<Client, ConnectionFault> {
        let server = &found.server;
        let redirect_uri = match &self.means {
            Means::Person(agent) => Some(agent.redirect_uri().await?),
            Means::Device(guide) => Some(guide.redirect_uri().await?),
            _ => None,
        };
        let is_person = redirect_uri.is_some();
        let redirect_uri = redirect_uri.unwrap_or_default();
        let kept = match identity::known(&self.profile, server, bound)? {
            Some(known) => Some(known),
            None if !is_person => return Err(ConnectionFault::NotPreRegistered(server.issuer.clone())),
            None => {
                let mut kept = self.credentials.identities(&server.issuer).await?.into_iter();
                kept.find(|kept| kept.serves(&redirect_uri, self.clock.now()))
            }
        };
        let is_new = kept.is_none();
        let identity = match kept {
            Some(kept) => kept,
            None => identity::register(self.beyond().await, &self.profile, server, &redirect_uri).await?,
        };
        Ok(Client {
            identity,
            redirect_uri,
            is_new,
        })
    }

    /// Keeps a registration once its server has been seen to know it. With one that nobody came back with, or that is said to
    /// be unknown, no login begins again: the next one registers anew.
    async fn settle(&self, client: &Client, fault: Option<&ConnectionFault>) -> Result<(), ConnectionFault> {
        let identity = &client.identity;
        if identity.origin != IdentityOrigin::Registered {
            return Ok(());
        }
        let is_unknown = match fault {
            // whoever registers itself may be kept from this one way alone
            Some(ConnectionFault::Token(fault)) if matches!(self.means, Means::Device(_)) => {
                fault.is_invalid_client() && !fault.is_unauthorized_client()
            }
            Some(ConnectionFault::Token(fault)) => fault.is_invalid_client(),
            _ => false,
        };
        if !is_unknown && !matches!(fault, Some(ConnectionFault::UserAgent(_))) {
            if client.is_new {
                self.credentials.save_identity(identity).await?;
            }
            return Ok(());
        }
        let unneeded = self.unneeded(&identity.issuer).await?;
        let is_unneeded = client.is_new || unneeded.iter().any(|one| one.client_id == identity.client_id);
        if is_unneeded {
            // it may be there all the same
            let _ended = identity::unregister(self.beyond().await, identity).await;
        }
        if is_unknown || is_unneeded {
            self.credentials.remove_identity(identity).await?;
        }
        Ok(())
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
        Ok(TokenEndpoint { now, ..endpoint }.exchange(&pending, code).await?)
    }

    /// The key that new tokens are bound to: the one of before, so that a login in between changes nothing. What was bound
    /// stays bound, and what the resource wants to be bound is.
    fn dpop(
        &self,
        found: &Discovered,
        before: Option<&Live>,
    ) -> Result<Option<Arc<DpopKey>>, ConnectionFault> {
        let had = before.and_then(|live| live.dpop.clone());
        let listed = found.server.dpop_signing_alg_values_supported.as_deref();
        let is_listed = listed.is_some_and(|listed| listed.iter().any(|one| one == ALGORITHM));
        let is_needed = had.is_some() || requires_proof(found);
        match had {
            _ if is_needed && !is_listed => Err(ConnectionFault::NotBound(found.server.issuer.clone())),
            Some(key) => Ok(Some(key)),
            None if is_listed && (is_needed || self.profile.bound_tokens) => {
                Ok(Some(Arc::new(DpopKey::generate()?)))
            }
            None => Ok(None),
        }
    }

    /// The scopes of the next login: with those of the logins before it, at the same server, so that nothing is lost.
    fn wanted(&self, found: &Discovered, need: Need<'_>, before: Option<&Live>) -> Option<ScopeSet> {
        let had = before.map(|live| live.grant.requested.union(&live.grant.tokens.scopes));
        let had = had.filter(|scopes| !scopes.is_empty());
        let first = || authorize::initial(need.challenge(), found.metadata.as_ref(), &found.server);
        match (need, &self.scopes, had) {
            (Need::Scopes(challenge), _, had) => Some(authorize::step_up(
                &had.unwrap_or_default(),
                challenge,
                &found.server,
            )),
            (_, Some(scopes), _) => Some(authorize::with_offline(scopes, &found.server)),
            (Need::Renewal, None, Some(had)) => Some(had),
            (_, None, Some(had)) => Some(first().map_or(had.clone(), |scopes| scopes.union(&had))),
            (_, None, None) => first(),
        }
    }
}

/// Whether the resource takes nothing but tokens that are bound to a key ([RFC 9728
/// §2](https://www.rfc-editor.org/rfc/rfc9728#section-2)).
fn requires_proof(found: &Discovered) -> bool {
    let metadata = found.metadata.as_ref();
    metadata.is_some_and(|metadata| metadata.dpop_bound_access_tokens_required)
}
