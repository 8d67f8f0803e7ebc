//! A server that checks the tokens of its callers itself ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)), where no proxy
//! asks for it: the signature against the issuer's keys, type, issuer, audience and time; and then, by the issuer's word
//! ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)), whether the grant still lives. What the issuer cannot be asked about
//! is not let in.

mod denied;
mod introspection;
mod issuer;
mod middleware;
mod places;

use std::{fmt, sync::Arc};

use actix_web::{HttpRequest, http::header::HeaderMap};
use mcp_gateway_model::{
    clock::{Clock, Timestamp},
    cors::CorsOrigins,
    issuer::Issuer,
    resource::{Resource, ResourceUri, Resources},
    scope::{Hierarchy, ScopeSet},
    secret::Secret,
    token::PersonalAccessToken,
};
use mcp_gateway_store::moment;
use tokio::sync::Semaphore;

use crate::{
    bearer::{self, Bearer},
    keys::Keys,
    reason::{Cause, Reason},
    token::AccessToken,
    verifier::Occasion,
};
pub use denied::Denied;
use introspection::Introspected;
use issuer::IssuersKeys;
pub use issuer::NoClient;
pub use middleware::{Guarded, protect};

/// How many tokens the issuer is asked about at once that have no signature: a flood of made-up ones reaches it no faster.
const GUESSES: usize = 16;

/// What a server needs to know that checks tokens itself.
#[derive(Debug)]
pub struct ResourceServerSettings {
    /// Whose tokens are accepted.
    pub issuer: Issuer,
    /// The server's own URI, as the authorization server knows it: the audience of its tokens.
    pub uri: ResourceUri,
    /// A name for people.
    pub name: Option<String>,
    /// What can be asked for.
    pub scopes: ScopeSet,
    /// Which scope includes which others.
    pub hierarchy: Hierarchy,
    /// The secret with which the server asks the issuer about tokens (`introspection_secret_file` there).
    pub secret: Secret,
    /// Which browser origins may read answers.
    pub cors: CorsOrigins,
}

/// A server that checks tokens itself.
pub struct ResourceServer {
    settings: ResourceServerSettings,
    resources: Resources,
    clock: Arc<dyn Clock>,
    issuer: Arc<issuer::Remote>,
    keys: Keys,
    outages: Occasion,
    /// Taken while the issuer is asked about what may be made up.
    guesses: Semaphore,
}

/// Whoever holds a token that was found good. It has no text of the token in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHolder {
    /// The person by GitHub's number, or the client that acts for itself.
    pub subject: String,
    /// The person's login, for reading; empty where there is no person.
    pub username: String,
    /// The client that the token was given to.
    pub client: String,
    /// What it allows.
    pub scopes: ScopeSet,
}

impl ResourceServer {
    /// Puts the server together. The issuer is not asked for anything yet.
    ///
    /// # Errors
    /// [`NoClient`] when no HTTP client can be made.
    pub fn new(settings: ResourceServerSettings, clock: Arc<dyn Clock>) -> Result<Self, NoClient> {
        let itself = Resource::new(settings.uri.clone(), settings.name.clone()).governed(
            settings.scopes.clone(),
            None,
            Vec::new(),
            &settings.hierarchy,
        );
        let issuer = Arc::new(issuer::Remote::new(&settings, Arc::clone(&clock))?);
        Ok(Self {
            resources: Resources::new(vec![itself], Vec::new(), settings.issuer.authority()),
            keys: Keys::new(IssuersKeys(Arc::clone(&issuer)), None),
            outages: Occasion::default(),
            guesses: Semaphore::new(GUESSES),
            issuer,
            clock,
            settings,
        })
    }

    /// Lets a request in that needs `scopes`, or says what its caller must do.
    ///
    /// # Errors
    /// [`Denied`]: 401 without a good token, 403 when it does not allow this, 503 when the issuer cannot be asked.
    pub async fn admit(&self, request: &HttpRequest, scopes: &ScopeSet) -> Result<TokenHolder, Denied> {
        let holder = self.check(request.headers()).await;
        let holder = holder.map_err(|cause| self.denied(request.path(), &cause, scopes))?;
        if self.covers(&holder.scopes, scopes) {
            Ok(holder)
        } else {
            Err(self.insufficient(request, scopes))
        }
    }

    /// Who sent a request, for a server that decides by itself what they may do; nobody if it carries no token.
    ///
    /// # Errors
    /// [`Denied`]: 401 for a token that is not good, 503 when the issuer cannot be asked about it.
    pub async fn identify(&self, request: &HttpRequest) -> Result<Option<TokenHolder>, Denied> {
        match self.check(request.headers()).await {
            Ok(holder) => Ok(Some(holder)),
            Err(cause) if cause.reason == Reason::NoToken => Ok(None),
            Err(cause) => Err(self.denied(request.path(), &cause, &ScopeSet::default())),
        }
    }

    /// Where the metadata of this server is ([RFC 9728 §3.1](https://www.rfc-editor.org/rfc/rfc9728#section-3.1)), for a client that
    /// asks for `path`.
    #[must_use]
    pub fn metadata_url(&self, path: &str) -> String {
        places::metadata_url(self, path)
    }

    /// What is said to whoever sent no token and needs one, with these scopes.
    #[must_use]
    pub fn unauthenticated(&self, request: &HttpRequest, scopes: &ScopeSet) -> Denied {
        self.denied(request.path(), &Reason::NoToken.into(), scopes)
    }

    /// What is said to whoever holds a token without all of these scopes.
    #[must_use]
    pub fn insufficient(&self, request: &HttpRequest, scopes: &ScopeSet) -> Denied {
        self.denied(request.path(), &Reason::Scope.into(), scopes)
    }

    /// Checks the one credential that there may be.
    async fn check(&self, headers: &HeaderMap) -> Result<TokenHolder, Cause> {
        self.holder(Bearer::of(bearer::presented(headers)?)?).await
    }

    /// Who holds the token: cheap checks first, then the signature, and the issuer's word last.
    async fn holder(&self, bearer: Bearer<'_>) -> Result<TokenHolder, Cause> {
        if PersonalAccessToken::read(bearer.reveal()).is_some() {
            // nothing but the issuer can say anything about it, and anybody can make one up
            let _place = self.guesses.try_acquire().map_err(|_| Reason::Busy)?;
            let introspected = self.introspect(bearer).await?;
            return introspected.holder();
        }
        let token = AccessToken::split(bearer)?;
        let payload = token.payload()?;
        let claims = AccessToken::claims(&payload)?;
        let protected = self.resources.of_audience(self.settings.uri.as_str());
        let protected = protected.ok_or(Reason::Audience)?;
        claims.are_from(&self.settings.issuer)?;
        claims.are_for(&protected, &self.resources)?;
        let now = moment(&*self.clock);
        claims.are_in_time(Timestamp::from_millis(now.wall()))?;
        let key = token.key(&self.keys, now).await?;
        if !token.is_signed_with(&key) {
            return Err(Reason::Signature.into());
        }
        let introspected = self.introspect(bearer).await?;
        // it may have ended while the issuer was asked
        claims.are_in_time(self.clock.now())?;
        introspected.describes(&claims)?;
        introspected.holder()
    }

    /// What the issuer says of the token, if it is good and for this server.
    async fn introspect(&self, bearer: Bearer<'_>) -> Result<Introspected, Cause> {
        let introspected = self.issuer.introspect(bearer.reveal()).await?;
        introspected.is_good(&self.settings, &self.resources, self.clock.now())?;
        Ok(introspected)
    }

    /// Whether `held` is all that is `needed`, or includes it.
    fn covers(&self, held: &ScopeSet, needed: &ScopeSet) -> bool {
        let includes = |narrow| {
            held.scopes()
                .any(|broad| self.settings.hierarchy.includes(broad, narrow))
        };
        needed.scopes().all(|scope| held.has(scope) || includes(scope))
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer")
            .field("issuer", &self.settings.issuer)
            .field("uri", &self.settings.uri)
            .finish_non_exhaustive()
    }
}
