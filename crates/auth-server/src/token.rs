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
    clock::Timestamp,
    error::ErrorCode,
    id::GrantId,
    token::RefreshToken,
};
use mcp_gateway_store::Prolong;

use crate::{
    audit::{Event, Line},
    client_auth::{AuthenticatedClient, Credentials, claimed, identify},
    code::CodeText,
    door::Rejection,
    limit::{self, Due},
    request::{Context, Form, Parameters, counted_body},
    state::AuthServer,
};

/// `POST /token`.
pub(crate) async fn token(
    context: Context,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Rejection> {
    let form = read(&context, &request, payload).await;
    let claimed = claimed(&request, form.as_ref().ok().map(|(form, _)| &form.0));
    let answer = match form {
        Ok((form, due)) => {
            let answer = exchange(&context, &request, form, &due).await;
            due.settled(&context, answer).await
        }
        Err(rejection) => Err(rejection),
    };
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

async fn read(context: &Context, request: &HttpRequest, payload: Payload) -> Result<(Form, Due), Rejection> {
    let rate = context.server.settings.limits.token;
    let permit = limit::of_address("token", context.address, rate);
    counted_body(context, request, payload, permit).await
}

async fn exchange(
    context: &Context,
    request: &HttpRequest,
    Form(mut form): Form,
    due: &Due,
) -> Result<HttpResponse, Rejection> {
    let server = &context.server;
    let credentials = Credentials::read(request, &mut form)?;
    let presented = Token::presented(server, &form);
    let grant = presented.as_ref().map(Token::grant);
    let (AuthenticatedClient(client), held) = identify(context, "token", &credentials, grant, due).await?;
    let call = Call {
        context,
        client: &client,
        form: &form,
        due,
    };
    let grant_type = call.grant_type()?;
    let issued = match grant_type {
        GrantType::AuthorizationCode => {
            authorization_code::redeem(&call, Token::into_code(presented), held).await?
        }
        GrantType::RefreshToken => {
            refresh_token::refresh(&call, Token::into_refresh(presented), held).await?
        }
        GrantType::ClientCredentials => client_credentials::act(&call).await?,
        GrantType::DeviceCode => device_code::poll(&call).await?,
    };
    server.metrics.issued(grant_type.as_str());
    Ok(issued.answer())
}

/// What is exchanged, where it names its grant: that is looked at together with the client.
enum Token {
    Code(CodeText),
    Refresh(RefreshToken),
}

impl Token {
    /// Reads it; whether the client may exchange it is asked later.
    fn presented(server: &AuthServer, form: &Parameters) -> Option<Self> {
        let named = form.get("grant_type")?;
        if named == GrantType::AuthorizationCode.as_str() {
            CodeText::parse(form.get("code")?).map(Self::Code)
        } else if named == GrantType::RefreshToken.as_str() {
            RefreshToken::open(form.get("refresh_token")?, &server.refresh_keys).map(Self::Refresh)
        } else {
            None
        }
    }

    const fn grant(&self) -> &GrantId {
        match self {
            Self::Code(code) => &code.grant,
            Self::Refresh(token) => &token.grant,
        }
    }

    fn into_code(presented: Option<Self>) -> Option<CodeText> {
        match presented {
            Some(Self::Code(code)) => Some(code),
            Some(Self::Refresh(_)) | None => None,
        }
    }

    fn into_refresh(presented: Option<Self>) -> Option<RefreshToken> {
        match presented {
            Some(Self::Refresh(token)) => Some(token),
            Some(Self::Code(_)) | None => None,
        }
    }
}

/// A token request of a client that proved who it is.
struct Call<'a> {
    context: &'a Context,
    client: &'a Client,
    form: &'a Parameters,
    /// The permits it has yet to take.
    due: &'a Due,
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

    /// Until when the grant that is used is to live, and the permit that is due.
    fn prolong(&self, until: Timestamp) -> Prolong {
        Prolong {
            permit: self.due.client.take(),
            until,
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
