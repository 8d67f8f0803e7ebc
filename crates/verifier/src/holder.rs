//! Whom a credential stands for. Each kind of credential has one function here that checks everything about it; what its
//! holder may do is decided afterwards, and alike for all of them.

use actix_web::HttpRequest;
use mcp_gateway_model::{
    clock::Timestamp,
    resource::{Protected, ResourceUri},
    scope::ScopeSet,
    secret::Digest,
    token::PersonalAccessToken,
};

use crate::{
    access,
    bearer::Bearer,
    reason::{Cause, Reason},
    settings::ApiKey,
    token::SignedClaims,
    verifier::Verifier,
};

/// Whoever holds a good credential for a resource. It has no `Debug` text: the credential is in it.
pub(crate) struct Holder<'r> {
    /// The person by GitHub's number, or the client that acts for itself.
    pub(crate) subject: String,
    /// The person's login, for reading; empty where there is no person.
    pub(crate) username: String,
    /// The client that the credential was given to.
    pub(crate) client: String,
    /// What it allows.
    pub(crate) scopes: ScopeSet,
    /// The credential itself.
    pub(crate) bearer: Bearer<'r>,
}

impl<'r> Holder<'r> {
    /// Reads the one credential of a request and checks it for the resource.
    pub(crate) async fn identify(
        verifier: &Verifier,
        request: &'r HttpRequest,
        protected: &Protected,
        now: Timestamp,
    ) -> Result<Self, Cause> {
        let settings = &verifier.settings;
        let bearer = Bearer::read(request.headers())?;
        if let Some(key) = settings.api_key.as_ref().filter(|key| is(key, bearer)) {
            return Ok(api_key(verifier, key, bearer, protected)?);
        }
        if PersonalAccessToken::looks_like(bearer.reveal()) {
            return personal_access_token(verifier, bearer, protected, now).await;
        }
        if !settings.oauth_enabled {
            return Err(Reason::OAuthOff.into());
        }
        access_token(verifier, bearer, protected, now).await
    }
}

/// An access token ([RFC 9068 §4](https://www.rfc-editor.org/rfc/rfc9068#section-4)) whose grant still lives.
async fn access_token<'r>(
    verifier: &Verifier,
    bearer: Bearer<'r>,
    protected: &Protected,
    now: Timestamp,
) -> Result<Holder<'r>, Cause> {
    let settings = &verifier.settings;
    let token = SignedClaims::read(bearer, &verifier.keys, now).await?;
    token.are_from(&settings.issuer)?;
    token.are_for(protected, &settings.resources)?;
    token.are_in_time(now)?;
    let claims = token.claims();
    let grant = verifier.reader.grant(&claims.grant, now).await?;
    let grant = grant.ok_or(Reason::GrantEnded)?;
    token.describe(&grant)?;
    access::check(&grant, protected, settings, now)?;
    Ok(Holder {
        subject: grant.subject(),
        username: claims.username.clone(),
        client: grant.client.to_string(),
        scopes: token.scopes()?,
        bearer,
    })
}

/// A personal access token whose grant still lives. What has not the form of one costs no look at the store.
async fn personal_access_token<'r>(
    verifier: &Verifier,
    bearer: Bearer<'r>,
    protected: &Protected,
    now: Timestamp,
) -> Result<Holder<'r>, Cause> {
    let token = PersonalAccessToken::read(bearer.reveal()).ok_or(Reason::Malformed)?;
    let grant = verifier.reader.grant(&token.grant, now).await?;
    let grant = grant.ok_or(Reason::GrantEnded)?;
    if !token.opens(&grant) {
        return Err(Reason::GrantDiffers.into());
    }
    include(&grant.audiences, protected, verifier)?;
    access::check(&grant, protected, &verifier.settings, now)?;
    Ok(Holder {
        subject: grant.subject(),
        username: grant.username().to_owned(),
        client: grant.client.to_string(),
        scopes: grant.scopes,
        bearer,
    })
}

/// Who holds the configured key, and everything else that is said of them.
const API_KEY: &str = "api-key";

/// Whether this is the configured key; takes the same time wherever the two differ.
fn is(key: &ApiKey, bearer: Bearer<'_>) -> bool {
    key.digest == Digest::of(bearer.reveal().as_bytes())
}

/// The configured key: nothing has to be looked up.
fn api_key<'r>(
    verifier: &Verifier,
    key: &ApiKey,
    bearer: Bearer<'r>,
    protected: &Protected,
) -> Result<Holder<'r>, Reason> {
    include(&key.audiences, protected, verifier)?;
    Ok(Holder {
        subject: API_KEY.to_owned(),
        username: API_KEY.to_owned(),
        client: API_KEY.to_owned(),
        scopes: key.scopes.clone(),
        bearer,
    })
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
