//! What the proxy asks about every request: may it pass, and who is it?

use actix_web::{HttpRequest, HttpResponse, web};
use mcp_gateway_model::{clock::Timestamp, resource::Protected, rule::Demand, scope::ScopeSet};

use crate::{
    answer::Refusal,
    discovery,
    forwarded::Asked,
    holder::Holder,
    identity::Identity,
    operation,
    reason::{Cause, Reason},
    verifier::Verifier,
};

/// `/verify`, with any method: 2xx for a valid token, or for what a rule makes public, and for nothing else, because any 2xx
/// opens the server behind. A client that looks for metadata here is sent to the issuer's.
pub(crate) async fn verify(
    request: HttpRequest,
    payload: web::Payload,
    verifier: web::Data<Verifier>,
) -> HttpResponse {
    let _timer = verifier.metrics.time();
    let now = verifier.clock.now();
    let asked = Asked::read(&request, &verifier.settings.trusted_proxies);
    if let Ok(asked) = &asked
        && verifier.settings.oauth_enabled
        && let Some(elsewhere) = discovery::redirect(asked, &verifier, &request)
    {
        return elsewhere;
    }
    match decide(&verifier, (&request, payload), asked, now).await {
        Ok(identity) => {
            verifier.metrics.admitted();
            identity.into_response()
        }
        Err(refusal) => refusal.into_response(&verifier, &request, now),
    }
}

/// Finds the resource and what the request needs there, then checks the credential for it.
async fn decide(
    verifier: &Verifier,
    (request, payload): (&HttpRequest, web::Payload),
    asked: Result<Asked, Reason>,
    now: Timestamp,
) -> Result<Identity, Box<Refusal>> {
    let asked = asked.map_err(|reason| Box::new(Refusal::of(reason.into())))?;
    let Some(protected) = verifier.settings.resources.at(&asked.authority, &asked.path) else {
        return Err(Box::new(Refusal {
            asked: Some(asked),
            ..Refusal::of(Reason::NotProtected.into())
        }));
    };
    let demand = operation::demand(request, payload, &asked, &protected);
    let admitted = admit(verifier, request, &protected, demand, now).await;
    admitted.map_err(|(cause, needed)| {
        Box::new(Refusal {
            cause,
            asked: Some(asked),
            protected: Some(protected),
            needed,
        })
    })
}

/// Checks the credential, then what its holder may do: in this order, so that only who has one is told what is wrong with
/// the request itself. What is public needs none, and what is sent with it anyway is not looked at. Where nothing is public,
/// the body of somebody without a credential is not even read.
async fn admit(
    verifier: &Verifier,
    request: &HttpRequest,
    protected: &Protected,
    demand: impl Future<Output = Result<Demand, Cause>>,
    now: Timestamp,
) -> Result<Identity, (Cause, ScopeSet)> {
    let policy = &protected.resource.policy;
    let holder = Holder::identify(verifier, request, protected, now);
    let (holder, demand) = if policy.reads_messages() && !policy.has_public() {
        let holder = holder.await.map_err(|cause| (cause, ScopeSet::default()))?;
        (Ok(holder), demand.await)
    } else {
        let demand = demand.await;
        if matches!(demand, Ok(Demand::Public)) {
            return Ok(Identity::nobody());
        }
        (holder.await, demand)
    };
    let needed = match &demand {
        Ok(Demand::Scopes(needed)) => policy.names(*needed),
        _ => ScopeSet::default(),
    };
    permit(verifier, protected, holder, demand).map_err(|cause| (cause, needed))
}

/// Whether the holder may do what the request does.
fn permit(
    verifier: &Verifier,
    protected: &Protected,
    holder: Result<Holder<'_>, Cause>,
    demand: Result<Demand, Cause>,
) -> Result<Identity, Cause> {
    let holder = holder?;
    match demand? {
        Demand::Scopes(needed) if !protected.resource.policy.held(&holder.scopes).covers(needed) => {
            Err(Reason::Scope.into())
        }
        _ => Ok(Identity::new(&holder, verifier.settings.pass_token)?),
    }
}
