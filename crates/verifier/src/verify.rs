//! What the proxy asks about every request: may it pass, and who is it?

use actix_web::{HttpRequest, HttpResponse, web};
use mcp_gateway_model::{
    clock::Timestamp,
    resource::Protected,
    rule::{Demand, Operation},
};

use crate::{
    answer::Refusal,
    discovery,
    forwarded::Asked,
    holder::Holder,
    identity::Identity,
    reason::{Cause, Reason},
    verifier::Verifier,
};

/// `/verify`, with any method: 2xx for a valid token and for nothing else, because any 2xx opens the server behind. A
/// client that looks for metadata here is sent to the issuer's.
pub(crate) async fn verify(request: HttpRequest, verifier: web::Data<Verifier>) -> HttpResponse {
    let _timer = verifier.metrics.time();
    let now = verifier.clock.now();
    let asked = Asked::read(&request, &verifier.settings.trusted_proxies);
    if let Ok(asked) = &asked
        && verifier.settings.oauth_enabled
        && let Some(elsewhere) = discovery::redirect(asked, &verifier, &request)
    {
        return elsewhere;
    }
    match decide(&verifier, &request, asked, now).await {
        Ok(identity) => {
            verifier.metrics.admitted();
            identity.into_response()
        }
        Err(refusal) => refusal.into_response(&verifier, &request, now),
    }
}

/// Finds the resource, then checks the token for it.
async fn decide(
    verifier: &Verifier,
    request: &HttpRequest,
    asked: Result<Asked, Reason>,
    now: Timestamp,
) -> Result<Identity, Box<Refusal>> {
    let refuse = |cause, asked, protected| {
        Box::new(Refusal {
            cause,
            asked,
            protected,
        })
    };
    let settings = &verifier.settings;
    let asked = asked.map_err(|reason| refuse(reason.into(), None, None))?;
    let Some(protected) = settings.resources.at(&asked.authority, &asked.path) else {
        return Err(refuse(Reason::NotProtected.into(), Some(asked), None));
    };
    match admit(verifier, request, &protected, now).await {
        Ok(identity) => Ok(identity),
        Err(cause) => Err(refuse(cause, Some(asked), Some(protected))),
    }
}

/// Checks the credential, then what its holder may do.
async fn admit(
    verifier: &Verifier,
    request: &HttpRequest,
    protected: &Protected,
    now: Timestamp,
) -> Result<Identity, Cause> {
    let holder = Holder::identify(verifier, request, protected, now).await?;
    authorize(&holder, protected)?;
    Ok(Identity::new(&holder, verifier.settings.pass_token)?)
}

/// Whether the holder has the scopes that this request needs.
fn authorize(holder: &Holder<'_>, protected: &Protected) -> Result<(), Reason> {
    let policy = &protected.resource.policy;
    let operation = Operation {
        http_method: "",
        path: "",
        calls: &[],
    };
    match policy.judge(&operation) {
        Ok(Demand::Scopes(needed)) if policy.suffices(&holder.scopes, needed) => Ok(()),
        _ => Err(Reason::Scope),
    }
}
