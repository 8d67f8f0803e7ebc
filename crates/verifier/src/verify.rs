//! What the proxy asks about every request: may it pass, and who is it?

use std::{rc::Rc, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, web};
use mcp_gateway_model::{clock::Timestamp, resource::Protected, rule::Demand, scope::ScopeSet};
use mcp_gateway_store::moment;

use crate::{
    answer::Refusal,
    discovery,
    forwarded::Asked,
    holder::{self, Holder},
    identity::Identity,
    operation::{self, Need},
    reason::{Cause, Reason},
    worker::Worker,
};

/// `/verify`, with any method: 2xx for a valid token, or for what a rule makes public, and for nothing else, because any 2xx
/// opens the server behind. A client that looks for metadata here is sent to the issuer's.
pub(crate) async fn verify(
    request: HttpRequest,
    payload: web::Payload,
    worker: web::Data<Rc<Worker>>,
) -> HttpResponse {
    let verifier = &worker.verifier;
    let _timer = verifier.metrics.time();
    let now = moment(&*verifier.clock);
    let asked = worker.asked(request.head());
    if let Ok(asked) = &asked
        && discovery::is_sought(asked.path)
        && verifier.settings.oauth_enabled
        && let Some(elsewhere) = discovery::redirect(asked, verifier, &request)
    {
        return elsewhere;
    }
    match decide(&worker, (&request, payload), asked).await {
        Ok(admitted) => {
            verifier.metrics.admitted();
            admitted.identity().to_response()
        }
        Err(refusal) => {
            let now = Timestamp::from_millis(now.wall());
            refusal.into_response(verifier, &request, now)
        }
    }
}

/// Who is let through.
enum Admitted {
    Nobody(Identity),
    Holder(Rc<Holder>),
}

impl Admitted {
    fn identity(&self) -> &Identity {
        match self {
            Self::Nobody(identity) => identity,
            Self::Holder(holder) => &holder.identity,
        }
    }
}

/// Finds the resource and what the request needs there, then checks the credential for it.
async fn decide<'r>(
    worker: &Worker,
    (request, payload): (&'r HttpRequest, web::Payload),
    asked: Result<Asked<'r>, Reason>,
) -> Result<Admitted, Box<Refusal<'r>>> {
    let asked = asked.map_err(|reason| Box::new(Refusal::of(reason.into())))?;
    let Some(protected) = asked.protected().map(Arc::clone) else {
        return Err(Box::new(Refusal {
            asked: Some(asked),
            ..Refusal::of(Reason::NotProtected.into())
        }));
    };
    let demand = demand(request, payload, &asked, &protected);
    let admitted = admit(worker, request, &protected, demand).await;
    admitted.map_err(|(cause, needed)| {
        Box::new(Refusal {
            cause,
            asked: Some(asked),
            protected: Some(protected),
            needed,
        })
    })
}

/// What the request needs.
async fn demand(
    request: &HttpRequest,
    payload: web::Payload,
    asked: &Asked<'_>,
    protected: &Protected,
) -> Result<Demand, Cause> {
    match operation::need(request.headers(), asked, protected)? {
        Need::Known(demand) => Ok(demand),
        Need::InBody(http_method) => {
            operation::need_of_body(request, payload, (asked, protected), http_method).await
        }
    }
}

/// Checks the credential, then what its holder may do: in this order, so that only who has one is told what is wrong with
/// the request itself. What is public needs none, and what is sent with it anyway is not looked at. Where nothing is public,
/// the body of somebody without a credential is not even read.
async fn admit(
    worker: &Worker,
    request: &HttpRequest,
    protected: &Arc<Protected>,
    demand: impl Future<Output = Result<Demand, Cause>>,
) -> Result<Admitted, (Cause, ScopeSet)> {
    let policy = &protected.resource.policy;
    // begins, and looks at the clocks, when it is waited for
    let holder = holder::identify(worker, request.head(), protected);
    let (holder, demand) = if policy.reads_messages() && !policy.has_public() {
        let holder = holder.await.map_err(|cause| (cause, ScopeSet::default()))?;
        let demand = demand.await;
        // that may have taken long, and much may have ended meanwhile
        if worker.memory.believes(&holder, moment(&*worker.verifier.clock)) {
            (Ok(holder), demand)
        } else {
            (holder::identify(worker, request.head(), protected).await, demand)
        }
    } else {
        let demand = demand.await;
        if matches!(demand, Ok(Demand::Public)) {
            return Ok(Admitted::Nobody(Identity::nobody()));
        }
        (holder.await, demand)
    };
    let needed = match &demand {
        Ok(Demand::Scopes(needed)) => Some(*needed),
        _ => None,
    };
    permit(holder, demand).map_err(|cause| {
        let needed = needed.map(|needed| policy.names(needed));
        (cause, needed.unwrap_or_default())
    })
}

/// Whether the holder may do what the request does.
fn permit(holder: Result<Rc<Holder>, Cause>, demand: Result<Demand, Cause>) -> Result<Admitted, Cause> {
    let holder = holder?;
    if holder.may(demand?) {
        Ok(Admitted::Holder(holder))
    } else {
        Err(Reason::Scope.into())
    }
}
