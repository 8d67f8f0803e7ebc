//! Whom a credential stands for. Each kind of credential has one function here that checks everything about it; what its
//! holder may do is decided afterwards, and alike for all of them.

use actix_web::HttpRequest;
use mcp_gateway_model::{clock::Timestamp, resource::Protected, scope::ScopeSet};

use crate::{
    bearer::Bearer,
    reason::{Cause, Reason},
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
        if !verifier.settings.oauth_enabled {
            return Err(Reason::OAuthOff.into());
        }
        let bearer = Bearer::read(request.headers())?;
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
    Ok(Holder {
        subject: grant.subject(),
        username: claims.username.clone(),
        client: grant.client.to_string(),
        scopes: token.scopes()?,
        bearer,
    })
}
