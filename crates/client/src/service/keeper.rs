//! Keeps the grants of users: stored, refreshed ahead of their end by one at a time, forgotten when they are over.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use mcp_gateway_model::clock::{Clock, Timestamp};
use tokio::sync::Mutex as Turn;

use super::{
    authority::{self, Asked, TokenResponse},
    fault::Fault,
    resource::Resource,
    settings::Limits,
    store::{ClientAt, Grant, Held, Login, Rate, Store, UserId},
};
use crate::{authorize::Code, http::Http};

/// How long before its end an access token is replaced, if it lasts that long.
const AHEAD: Duration = Duration::from_secs(60);
/// How often it is looked whether another process has finished a refresh or a registration, and how many times.
pub(super) const LOOK: Duration = Duration::from_millis(100);
pub(super) const LOOKS: usize = 150;

/// Keeps grants.
pub(super) struct Keeper {
    http: Http,
    pub(super) store: Store,
    clock: Arc<dyn Clock>,
    limits: Limits,
    /// Who refreshes within this process: one after the other for each grant.
    turns: Mutex<HashMap<String, Weak<Turn<()>>>>,
}

impl Keeper {
    pub(super) fn new(http: Http, store: Store, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self {
            http,
            store,
            clock,
            limits,
            turns: Mutex::default(),
        }
    }

    /// Takes a permit.
    ///
    /// # Errors
    /// A [`Fault`] with status 429 when there is none.
    pub(super) async fn permit(&self, name: &str, rate: Rate, now: Timestamp) -> Result<(), Fault> {
        match self.store.take_permit(name, rate, now).await? {
            None => Ok(()),
            Some(wait) => Err(Fault::too_many(wait)),
        }
    }

    /// Redeems the code that a login came back with, and keeps the grant. It goes on when the caller goes away: a code is good
    /// once.
    ///
    /// # Errors
    /// As [`authority::token`].
    pub(super) async fn redeem(
        self: &Arc<Self>,
        login: Login,
        code: Code,
        name: String,
    ) -> Result<Grant, Fault> {
        let keeper = Arc::clone(self);
        unbroken(async move {
            let pending = &login.pending;
            let parameters = [
                ("grant_type", "authorization_code"),
                ("code", code.0.reveal()),
                ("redirect_uri", &pending.redirect_uri),
                ("code_verifier", pending.verifier.reveal()),
                ("resource", &pending.resource),
            ];
            let response = keeper.token(&login.client, &parameters).await?;
            let now = keeper.clock.now();
            let asked = Asked {
                user: &login.user,
                client: &login.client,
                resource: &pending.resource,
                scope: login.scope.as_deref(),
                refresh_token: None,
            };
            let grant = response.into_grant(&asked, now);
            let ends = keeper.ends(&grant, now);
            keeper.store.put_grant(&name, &grant, ends, now).await?;
            keeper.store.hand_out(&name, &grant, ends, now).await?;
            Ok(grant)
        })
        .await
    }

    /// Refreshes what the service does not keep, with a refresh token that a caller holds, for the resource that the caller
    /// names ([RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2)).
    ///
    /// # Errors
    /// As [`authority::token`].
    pub(super) async fn refresh_of_caller(
        self: &Arc<Self>,
        user: UserId,
        client: ClientAt,
        (refresh_token, resource): (String, Option<Resource>),
    ) -> Result<Grant, Fault> {
        let keeper = Arc::clone(self);
        unbroken(async move {
            let mut parameters = vec![("grant_type", "refresh_token"), ("refresh_token", &refresh_token)];
            let resource = resource.as_ref().map(Resource::as_str);
            parameters.extend(resource.map(|resource| ("resource", resource)));
            let response = keeper.token(&client, &parameters).await?;
            let asked = Asked {
                user: &user,
                client: &client,
                resource: resource.unwrap_or_default(),
                scope: None,
                refresh_token: Some(&refresh_token),
            };
            Ok(response.into_grant(&asked, keeper.clock.now()))
        })
        .await
    }

    /// The grant with an access token that is good for a while: the one that it has, or a new one. A token that the resource
    /// has refused (`refused`) is not good.
    ///
    /// # Errors
    /// A [`Fault`] with status 401 when the user has to authorize again, else as [`authority::token`].
    pub(super) async fn fresh(self: &Arc<Self>, held: Held, refused: Option<&str>) -> Result<Grant, Fault> {
        if self.is_good(&held.grant, refused) {
            return Ok(held.grant);
        }
        let turn = self.turn(&held);
        let keeper = Arc::clone(self);
        let refused = refused.map(ToOwned::to_owned);
        // a refresh token may be good once: what comes for it must be stored even if the caller goes away
        unbroken(async move {
            let _turn = turn.lock().await;
            keeper.refresh(held, refused.as_deref()).await
        })
        .await
    }

    /// The same for a caller who gets the refresh token as well, and may come with it when it has been used.
    ///
    /// # Errors
    /// As [`Keeper::fresh`].
    pub(super) async fn fresh_for_caller(
        self: &Arc<Self>,
        held: Held,
        refused: Option<&str>,
    ) -> Result<Grant, Fault> {
        let name = held.name.clone();
        let grant = self.fresh(held, refused).await?;
        let now = self.clock.now();
        self.store
            .hand_out(&name, &grant, self.ends(&grant, now), now)
            .await?;
        Ok(grant)
    }

    fn is_good(&self, grant: &Grant, refused: Option<&str>) -> bool {
        let is_refused = refused == Some(grant.access_token.as_str());
        !is_refused && !grant.is_ending(grant.margin(AHEAD), self.clock.now())
    }

    /// Refreshes a grant, or waits for the process that does.
    async fn refresh(&self, held: Held, refused: Option<&str>) -> Result<Grant, Fault> {
        let names = [held.name];
        let user = held.grant.user;
        for _ in 0..LOOKS {
            let now = self.clock.now();
            let Some(held) = self.store.grant(&user, &names).await? else {
                return Err(over());
            };
            if self.is_good(&held.grant, refused) {
                return Ok(held.grant);
            }
            if let Some(claim) = self.store.claim_refresh(&held, now).await? {
                let refreshed = self.refresh_claimed(&held, refused).await;
                if let Err(fault) = self.store.release(claim, self.clock.now()).await {
                    // it ends by itself
                    tracing::warn!(%fault, "the right to refresh a grant cannot be given back");
                }
                return refreshed;
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(Fault::server(
            "another process has been refreshing a grant for too long",
        ))
    }

    async fn refresh_claimed(&self, held: &Held, refused: Option<&str>) -> Result<Grant, Fault> {
        // between the look and the claim another process may have finished
        let now = self.clock.now();
        let names = [held.name.clone()];
        let Some(held) = self.store.grant(&held.grant.user, &names).await? else {
            return Err(over());
        };
        if self.is_good(&held.grant, refused) {
            return Ok(held.grant);
        }
        let before = &held.grant;
        let still_lasts = refused.is_none() && !before.is_ending(Duration::ZERO, now);
        let Some(refresh_token) = &before.refresh_token else {
            return if still_lasts {
                Ok(before.clone())
            } else {
                Err(over())
            };
        };
        let parameters = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
            ("resource", &before.resource),
        ];
        let response = match self.token(&before.client, &parameters).await {
            Ok(response) => response,
            Err(fault) if matches!(fault.code.as_ref(), "invalid_grant" | "invalid_client") => {
                self.store.forget_grant(&held, now).await?;
                return Err(over());
            }
            Err(_) if still_lasts => return Ok(before.clone()),
            Err(fault) => return Err(fault),
        };
        let now = self.clock.now();
        let asked = Asked {
            user: &before.user,
            client: &before.client,
            resource: &before.resource,
            scope: before.scope.as_deref(),
            refresh_token: Some(refresh_token),
        };
        let grant = response.into_grant(&asked, now);
        if !self
            .store
            .replace_grant(&held, &grant, self.ends(&grant, now), now)
            .await?
        {
            tracing::info!(
                user = grant.user.as_str(),
                "a grant was replaced while it was refreshed"
            );
        }
        Ok(grant)
    }

    /// Asks a token endpoint. A client that its server no longer knows is forgotten: it can be registered again.
    async fn token(&self, client: &ClientAt, parameters: &[(&str, &str)]) -> Result<TokenResponse, Fault> {
        let now = self.clock.now();
        let response = authority::token(&self.http, client, parameters, now).await;
        if let (Err(fault), Some(request)) = (&response, &client.registration)
            && fault.code == "invalid_client"
        {
            self.store.forget_registration(request, now).await?;
        }
        response
    }

    /// Until when a grant is kept: without a refresh token it is over with its access token.
    fn ends(&self, grant: &Grant, now: Timestamp) -> Timestamp {
        let unused = now.plus(self.limits.unused_grant);
        match (&grant.refresh_token, grant.expires_at) {
            (None, Some(end)) => end.min(unused),
            _ => unused,
        }
    }

    /// Whose turn it is to refresh a grant, within this process.
    fn turn(&self, held: &Held) -> Arc<Turn<()>> {
        let name = format!("{} {}", held.grant.user.as_str(), held.name);
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(&name).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Turn::new(()));
        turns.insert(name, Arc::downgrade(&turn));
        turn
    }
}

/// Does `work` to its end, also when whoever waits for it goes away.
///
/// # Errors
/// Those of the work.
pub(super) async fn unbroken<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::spawn(work).await;
    done.map_err(|error| Fault::server(error.to_string()))?
}

fn over() -> Fault {
    Fault::unauthorized(
        "invalid_grant",
        "What the user allowed is over: start an authorization for this resource again.",
    )
}
