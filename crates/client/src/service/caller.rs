//! A request, once it is known whose it is and that it is not one too many.

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web::Data};
use futures_util::future::LocalBoxFuture;
use mcp_gateway_model::clock::Timestamp;

use super::{Service, fault::Fault, parameters::Parameters, store::UserId};

/// Who asks, when, and what with.
pub(super) struct Caller {
    pub(super) service: Data<Service>,
    pub(super) user: UserId,
    pub(super) parameters: Parameters,
    pub(super) now: Timestamp,
}

impl FromRequest for Caller {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let service = request.app_data::<Data<Service>>().cloned();
            let service = service.ok_or_else(|| Fault::server("the routes have no service"))?;
            let now = service.clock.now();
            is_not_another_sites(&request)?;
            let user = match service.users.of(&request, now).await {
                Ok(user) => user,
                Err(fault) => {
                    let name = format!("stranger {}", service.users.address(&request));
                    let rate = service.settings.limits.strangers;
                    service.keeper.permit(&name, rate, now).await?;
                    return Err(fault);
                }
            };
            request.extensions_mut().insert(user.clone());
            let name = format!("requests {}", user.as_str());
            service
                .keeper
                .permit(&name, service.settings.limits.requests, now)
                .await?;
            Ok(Self {
                parameters: Parameters::read(request.query_string())?,
                service,
                user,
                now,
            })
        })
    }
}

/// A page of another site must not make a browser ask in the name of its user. Coming back from an authorization server is
/// the one thing that browsers do across sites; the state guards that.
fn is_not_another_sites(request: &HttpRequest) -> Result<(), Fault> {
    let site = request.headers().get("sec-fetch-site");
    let is_return = request.path().ends_with("/callback");
    if is_return || site.is_none_or(|site| site != "cross-site") {
        return Ok(());
    }
    Err(Fault::request(
        "Another site's page made this request: it is not answered.",
    ))
}
