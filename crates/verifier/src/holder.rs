//! Whom a credential stands for. Each kind of credential has one function here that checks everything about it; what its
//! holder may do is decided afterwards, and alike for all of them.

use std::{rc::Rc, sync::Arc};

use actix_web::{dev::RequestHead, http::header::HeaderMap};
use mcp_gateway_model::{
    clock::Timestamp,
    resource::{Protected, ResourceUri},
    rule::Demand,
    scope::{ScopeSet, Subset},
    secret::Digest,
    token::PersonalAccessToken,
};
use mcp_gateway_store::{Mark, Moment, Watch, moment};

use crate::{
    access,
    bearer::{Bearer, presented},
    identity::{Described, Identity},
    keys::VerifyingKey,
    memory::Name,
    reason::{Cause, Reason},
    settings::ApiKey,
    token::{AccessToken, Claims},
    verifier::Verifier,
    worker::Worker,
};

/// Whoever holds a good credential for a resource.
pub(crate) struct Holder {
    pub(crate) identity: Identity,
    /// What they may do at the resource.
    held: Subset,
    /// The resource. It stays where it is in memory, because its place is part of the name under which the holder is remembered.
    protected: Arc<Protected>,
    lasts: Lasts,
}

/// For how long all that was found out is so.
struct Lasts {
    /// Not before this: a clock may be set back.
    from: Timestamp,
    until: Moment,
    /// The key that signed.
    key: Option<Arc<VerifyingKey>>,
    /// The grant, as it was read from the store; without it, the store is asked each time.
    mark: Option<Mark>,
}

impl Holder {
    /// What a holder costs in memory besides its texts: itself, its place in the cache, the flag and the name of its grant in the
    /// watch.
    const BYTES: usize = 640;

    /// Whether they may do what the request does.
    pub(crate) const fn may(&self, demand: Demand) -> bool {
        match demand {
            Demand::Public => true,
            Demand::Scopes(needed) => self.held.covers(needed),
        }
    }

    /// Whether they were checked for this resource.
    pub(crate) fn is_for(&self, protected: &Arc<Protected>) -> bool {
        Arc::ptr_eq(&self.protected, protected)
    }

    /// Whether everything is still as it was found.
    pub(crate) fn is_good(&self, watch: &Watch, now: Moment) -> bool {
        let Lasts {
            from,
            until,
            key,
            mark,
        } = &self.lasts;
        from.millis() <= now.wall()
            && !until.has_passed(now)
            && key.as_ref().is_none_or(|key| key.is_good(now))
            && mark.as_ref().is_some_and(|mark| mark.holds(watch, now))
    }

    /// Whether it cannot be good any more, whatever the store says.
    pub(crate) const fn has_ended(&self, now: Moment) -> bool {
        self.lasts.until.has_passed(now)
    }

    /// Whether the key that signed should be asked about soon, so that nobody has to wait for that.
    fn key_ages(&self, now: Moment) -> bool {
        self.lasts.key.as_ref().is_some_and(|key| key.ages(now))
    }

    /// Whether the credential was found to be signed with this key. What else was found out may have changed.
    fn was_signed_with(&self, key: &Arc<VerifyingKey>) -> bool {
        self.lasts
            .key
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, key))
    }

    /// Whether there will be news if something changes.
    pub(crate) const fn can_be_remembered(&self) -> bool {
        self.lasts.mark.is_some()
    }

    /// How many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        Self::BYTES + self.identity.len()
    }
}

/// Whoever holds the one credential of a request, if it was found good before and nothing has changed.
pub(crate) fn remembered(
    worker: &Worker,
    headers: &HeaderMap,
    protected: &Arc<Protected>,
    now: Moment,
) -> Option<Rc<Holder>> {
    let name = worker.memory.name(presented(headers).ok()?, protected)?;
    let holder = worker.memory.find(name, protected, now)?;
    let asks_for_keys = holder.key_ages(now) && worker.verifier.keys.may_be_asked(now);
    // one takes the long way and asks, all others go on
    (!asks_for_keys).then_some(holder)
}

/// Reads the one credential of a request and checks it for the resource.
pub(crate) async fn identify(
    worker: &Worker,
    head: &RequestHead,
    protected: &Arc<Protected>,
) -> Result<Rc<Holder>, Cause> {
    let settings = &worker.verifier.settings;
    let now = moment(&*worker.verifier.clock);
    let token = presented(&head.headers)?;
    let name = worker.memory.name(token, protected);
    if let Some(holder) = known(worker, name, (protected, now)).await {
        return Ok(holder);
    }
    let bearer = Bearer::of(token)?;
    let presented = Presented {
        head,
        bearer,
        name,
        protected,
        now,
    };
    if let Some(key) = settings.api_key.as_ref().filter(|key| is(key, bearer)) {
        return Ok(Rc::new(api_key(&worker.verifier, key, &presented)?));
    }
    if PersonalAccessToken::looks_like(bearer.reveal()) {
        personal_access_token(worker, presented).await
    } else if settings.oauth_enabled {
        access_token(worker, presented).await
    } else {
        Err(Reason::OAuthOff.into())
    }
}

/// Whoever holds a credential, if it is remembered. If the key that signed it has grown old, the store is asked about that.
async fn known(
    worker: &Worker,
    name: Option<Name>,
    (protected, now): (&Arc<Protected>, Moment),
) -> Option<Rc<Holder>> {
    let holder = worker.memory.find(name?, protected, now)?;
    if !holder.key_ages(now) {
        return Some(holder);
    }
    worker.verifier.keys.renew_ahead(now).await;
    worker
        .memory
        .find(name?, protected, moment(&*worker.verifier.clock))
}

/// A credential that was presented for a resource.
struct Presented<'r> {
    head: &'r RequestHead,
    bearer: Bearer<'r>,
    name: Option<Name>,
    protected: &'r Arc<Protected>,
    now: Moment,
}

impl Presented<'_> {
    fn find(&self, worker: &Worker) -> Option<Rc<Holder>> {
        worker.memory.find(self.name?, self.protected, self.now)
    }

    /// Goes on after it was waited for something: later, and perhaps another request with the same credential was faster.
    fn go_on(&mut self, worker: &Worker) -> Option<Rc<Holder>> {
        self.now = moment(&*worker.verifier.clock);
        self.find(worker)
    }

    /// Whether it was found good before, though all but `what` may have changed since.
    fn was(&self, worker: &Worker, what: impl Fn(&Holder) -> bool) -> bool {
        let known = self
            .name
            .and_then(|name| worker.memory.known(name, self.protected));
        known.is_some_and(|holder| what(&holder))
    }

    /// Waits for a turn.
    async fn turn(&self, worker: &Worker) -> Result<(), Reason> {
        worker.turns.take(|| worker.source(self.head), self.now).await
    }

    /// Remembers whoever was found. Who was refused is forgotten, and waits behind others for a while: looking at it was not
    /// cheap. A store that does not answer says nothing of either.
    fn settle(&self, worker: &Worker, found: Result<Holder, Cause>) -> Result<Rc<Holder>, Cause> {
        match found {
            Ok(holder) => {
                let holder = Rc::new(holder);
                worker.memory.keep(self.name, &holder);
                Ok(holder)
            }
            Err(cause) => {
                if cause.is_verdict() {
                    worker.memory.forget(self.name);
                    worker.turns.suspect(worker.source(self.head), self.now);
                }
                Err(cause)
            }
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.wall())
    }

    /// The moment that the wall's clock will show `then`, if nobody sets it.
    fn moment(&self, then: Timestamp) -> Moment {
        let left = self.now().until(then).as_millis();
        self.now.plus_millis(u64::try_from(left).unwrap_or(u64::MAX))
    }

    fn holder(
        &self,
        verifier: &Verifier,
        described: &Described<'_>,
        scopes: &ScopeSet,
        lasts: Lasts,
    ) -> Result<Holder, Reason> {
        Ok(Holder {
            identity: Identity::new(described, self.bearer, verifier.settings.pass_token)?,
            held: self.protected.resource.policy.held(scopes),
            protected: Arc::clone(self.protected),
            lasts,
        })
    }
}

/// An access token ([RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)) whose grant still lives. A signature that was
/// found good is not checked again as long as the key is the same.
async fn access_token(worker: &Worker, mut presented: Presented<'_>) -> Result<Rc<Holder>, Cause> {
    let verifier = &*worker.verifier;
    let token = AccessToken::split(presented.bearer)?;
    let payload = token.payload()?;
    let claims = AccessToken::claims(&payload)?;
    claims.are_from(&verifier.settings.issuer)?;
    claims.are_for(presented.protected, &verifier.settings.resources)?;
    claims.are_in_time(presented.now())?;
    let key = token.key(&verifier.keys, presented.now).await?;
    if let Some(holder) = presented.go_on(worker) {
        return Ok(holder);
    }
    if !presented.was(worker, |holder| holder.was_signed_with(&key)) {
        presented.turn(worker).await?;
        if let Some(holder) = presented.go_on(worker) {
            return Ok(holder);
        }
        let known = presented.was(worker, |holder| holder.was_signed_with(&key));
        if !known && !token.is_signed_with(&key) {
            return presented.settle(worker, Err(Reason::Signature.into()));
        }
    }
    let found = granted(worker, &presented, (&claims, key)).await;
    presented.settle(worker, found)
}

/// Whoever holds an access token that is signed as it should be, if its grant says so too.
async fn granted(
    worker: &Worker,
    presented: &Presented<'_>,
    (claims, key): (&Claims<'_>, Arc<VerifyingKey>),
) -> Result<Holder, Cause> {
    let (verifier, now) = (&*worker.verifier, presented.now());
    // it may have ended while it waited
    claims.are_in_time(now)?;
    let mark = worker.memory.mark(&claims.grant, presented.now);
    let grant = verifier.reader.grant(&claims.grant, now).await?;
    let grant = grant.ok_or(Reason::GrantEnded)?;
    claims.describe(&grant)?;
    let admitted = access::check(&grant, presented.protected, &verifier.settings, now)?;
    let scopes = claims.scopes()?;
    let described = Described {
        subject: &grant.subject(),
        username: &claims.username,
        client: grant.client.as_str(),
        scopes: &scopes.to_string(),
    };
    let lasts = Lasts {
        from: claims.begin(),
        until: presented.moment(claims.end().min(grant.expires_at).min(admitted)),
        key: Some(key),
        mark,
    };
    Ok(presented.holder(verifier, &described, &scopes, lasts)?)
}

/// A personal access token whose grant still lives. What has not the form of one costs no look at the store; what was not good
/// before waits for a turn, because anybody can make one up.
async fn personal_access_token(worker: &Worker, mut presented: Presented<'_>) -> Result<Rc<Holder>, Cause> {
    let token = PersonalAccessToken::read(presented.bearer.reveal()).ok_or(Reason::Malformed)?;
    if !presented.was(worker, |_| true) {
        presented.turn(worker).await?;
        if let Some(holder) = presented.go_on(worker) {
            return Ok(holder);
        }
    }
    let found = opened(worker, &presented, &token).await;
    presented.settle(worker, found)
}

/// Whoever holds a personal access token, if its secret opens its grant.
async fn opened(
    worker: &Worker,
    presented: &Presented<'_>,
    token: &PersonalAccessToken,
) -> Result<Holder, Cause> {
    let (verifier, now) = (&*worker.verifier, presented.now());
    let mark = worker.memory.mark(&token.grant, presented.now);
    let grant = verifier.reader.grant(&token.grant, now).await?;
    let grant = grant.ok_or(Reason::GrantEnded)?;
    if !token.opens(&grant) {
        return Err(Reason::GrantDiffers.into());
    }
    include(&grant.audiences, presented.protected, verifier)?;
    let admitted = access::check(&grant, presented.protected, &verifier.settings, now)?;
    let described = Described {
        subject: &grant.subject(),
        username: grant.username(),
        client: grant.client.as_str(),
        scopes: &grant.scopes.to_string(),
    };
    let lasts = Lasts {
        from: Timestamp::from_millis(0),
        until: presented.moment(grant.expires_at.min(admitted)),
        key: None,
        mark,
    };
    Ok(presented.holder(verifier, &described, &grant.scopes, lasts)?)
}

/// Who holds the configured key, and everything else that is said of them.
const API_KEY: &str = "api-key";

/// Whether this is the configured key; takes the same time wherever the two differ.
fn is(key: &ApiKey, bearer: Bearer<'_>) -> bool {
    key.digest == Digest::of(bearer.reveal().as_bytes())
}

/// The configured key: nothing has to be looked up.
fn api_key(verifier: &Verifier, key: &ApiKey, presented: &Presented<'_>) -> Result<Holder, Reason> {
    include(&key.audiences, presented.protected, verifier)?;
    let described = Described {
        subject: API_KEY,
        username: API_KEY,
        client: API_KEY,
        scopes: &key.scopes.to_string(),
    };
    let lasts = Lasts {
        from: Timestamp::from_millis(0),
        until: presented.now,
        key: None,
        mark: None,
    };
    presented.holder(verifier, &described, &key.scopes, lasts)
}

/// Whether one of these audiences means the resource that is asked for: resources are compared, not strings.
fn include(audiences: &[ResourceUri], protected: &Protected, verifier: &Verifier) -> Result<(), Reason> {
    let resources = &verifier.settings.resources;
    let mean = |audience: &ResourceUri| resources.is_audience_of(audience.as_str(), protected);
    if audiences.iter().any(mean) {
        Ok(())
    } else {
        Err(Reason::Audience)
    }
}
