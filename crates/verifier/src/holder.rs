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
use mcp_gateway_store::{Mark, Moment, Watch};

use crate::{
    access,
    bearer::{Bearer, presented},
    identity::{Described, Identity},
    keys::VerifyingKey,
    memory::Name,
    reason::{Cause, Reason},
    settings::ApiKey,
    token::AccessToken,
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
    worker.memory.find(name, protected, now)
}

/// Reads the one credential of a request and checks it for the resource.
pub(crate) async fn identify(
    worker: &Worker,
    head: &RequestHead,
    protected: &Arc<Protected>,
    now: Moment,
) -> Result<Rc<Holder>, Cause> {
    let settings = &worker.verifier.settings;
    let bearer = Bearer::read(&head.headers)?;
    let presented = Presented {
        head,
        bearer,
        name: worker.memory.name(bearer.bytes(), protected),
        protected,
        now,
    };
    if let Some(holder) = presented
        .name
        .and_then(|name| worker.memory.find(name, protected, now))
    {
        return Ok(holder);
    }
    if let Some(key) = settings.api_key.as_ref().filter(|key| is(key, bearer)) {
        return Ok(Rc::new(api_key(&worker.verifier, key, &presented)?));
    }
    let holder = if PersonalAccessToken::looks_like(bearer.reveal()) {
        personal_access_token(worker, &presented).await?
    } else if settings.oauth_enabled {
        access_token(worker, &presented).await?
    } else {
        return Err(Reason::OAuthOff.into());
    };
    let holder = Rc::new(holder);
    worker.memory.keep(presented.name, &holder);
    Ok(holder)
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

/// An access token ([RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)) whose grant still lives.
async fn access_token(worker: &Worker, presented: &Presented<'_>) -> Result<Holder, Cause> {
    let (verifier, now) = (&*worker.verifier, presented.now());
    let settings = &verifier.settings;
    let token = AccessToken::split(presented.bearer)?;
    let payload = token.payload()?;
    let claims = AccessToken::claims(&payload)?;
    claims.are_from(&settings.issuer)?;
    claims.are_for(presented.protected, &settings.resources)?;
    claims.are_in_time(now)?;
    let key = token.key(&verifier.keys, presented.now).await?;
    worker
        .turns
        .take(|| worker.source(presented.head), presented.now)
        .await?;
    if !token.is_signed_with(&key) {
        worker.turns.suspect(worker.source(presented.head), presented.now);
        return Err(Reason::Signature.into());
    }
    let mark = worker.memory.mark(&claims.grant, presented.now);
    let grant = verifier.reader.grant(&claims.grant, now).await?;
    let grant = grant.ok_or(Reason::GrantEnded)?;
    claims.describe(&grant)?;
    let admitted = access::check(&grant, presented.protected, settings, now)?;
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

/// A personal access token whose grant still lives. What has not the form of one costs no look at the store.
async fn personal_access_token(worker: &Worker, presented: &Presented<'_>) -> Result<Holder, Cause> {
    let (verifier, now) = (&*worker.verifier, presented.now());
    let token = PersonalAccessToken::read(presented.bearer.reveal()).ok_or(Reason::Malformed)?;
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
