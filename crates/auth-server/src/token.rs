//! The token endpoint ([RFC 6749 §3.2](https://www.rfc-editor.org/rfc/rfc6749#section-3.2)): one file for each grant type,
//! behind phases they share.

mod authorization_code;
mod client_credentials;
mod device_code;
mod issue;
mod refresh_token;
mod target;

use actix_web::{HttpRequest, HttpResponse, web::Payload};
use mcp_gateway_model::{
    client::{Client, GrantType},
    error::ErrorCode,
};

use crate::{
    audit::{Event, Line},
    client_auth::{AuthenticatedClient, Credentials, authenticate, claimed},
    door::Rejection,
    limit,
    request::{Context, Form, Parameters, body},
};

/// `POST /token`.
pub(crate) async fn token(
    context: Context,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let form = read(&context, &request, payload).await;
    let claimed = claimed(&request, form.as_ref().ok().map(|form| &form.0));
    let answer = exchange(&context, &request, form).await;
    if let Err(rejection) = answer.as_ref()
        && !is_merely_early(rejection)
    {
        let mut line = Line::new(Event::TokenRefused, &context.request_id);
        line.client = claimed.as_ref();
        line.reason = Some(rejection.reason().code);
        line.write();
    }
    answer
}

/// Devices ask every few seconds (RFC 8628 §3.5): that nobody has decided yet is nothing to remember.
fn is_merely_early(rejection: &Rejection) -> bool {
    matches!(
        rejection.code(),
        ErrorCode::AuthorizationPending | ErrorCode::SlowDown
    )
}

async fn read(context: &Context, request: &HttpRequest, payload: Payload) -> Result<Form, Rejection> {
    let server = &context.server;
    let rate = server.settings.limits.token;
    limit::by_address(server.store.as_ref(), "token", context.address, rate, context.now).await?;
    body(request, payload).await
}

async fn exchange(
    context: &Context,
    request: &HttpRequest,
    form: Result<Form, Rejection>,
) -> Result<HttpResponse, Rejection> {
    let server = &context.server;
    let Form(mut form) = form?;
    let credentials = Credentials::read(request, &mut form)?;
    let AuthenticatedClient(client) = authenticate(context, "token", &credentials).await?;
    let call = Call {
        context,
        client: &client,
        form: &form,
    };
    let grant_type = call.grant_type()?;
    let issued = match grant_type {
        GrantType::AuthorizationCode => authorization_code::redeem(&call).await?,
        GrantType::RefreshToken => refresh_token::refresh(&call).await?,
        GrantType::ClientCredentials => client_credentials::act(&call).await?,
        GrantType::DeviceCode => device_code::poll(&call).await?,
    };
    server.metrics.issued(grant_type.as_str());
    Ok(issued.answer())
}

/// A token request of a client that proved who it is.
struct Call<'a> {
    context: &'a Context,
    client: &'a Client,
    form: &'a Parameters,
}

impl Call<'_> {
    /// What is exchanged, if this client may.
    fn grant_type(&self) -> Result<GrantType, Rejection> {
        let name = self.form.require("grant_type")?;
        let offered = self.context.server.settings.offers.grant_types();
        let grant_type = offered.into_iter().find(|g| g.as_str() == name);
        let grant_type = grant_type.ok_or_else(|| self.unsupported())?;
        if self.client.metadata.grant_types.contains(&grant_type) {
            Ok(grant_type)
        } else {
            Err(Rejection::new(
                ErrorCode::UnauthorizedClient,
                "the client did not register this grant_type",
                "grant_type_not_registered",
            ))
        }
    }

    /// RFC 6749 §5.2, with what is offered here.
    fn unsupported(&self) -> Rejection {
        let offered = self.context.server.settings.offers.grant_types();
        let names: Vec<_> = offered.into_iter().map(GrantType::as_str).collect();
        Rejection::new(
            ErrorCode::UnsupportedGrantType,
            format!("grant_type must be {}", names.join(" or ")),
            "grant_type_unknown",
        )
    }
}

/// `invalid_grant`, in words that are the same for everything that may not be told apart.
fn invalid_grant(description: &'static str, reason: &'static str) -> Rejection {
    Rejection::new(ErrorCode::InvalidGrant, description, reason)
}
