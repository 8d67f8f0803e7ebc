//! A token that somebody asks about or gives back, and who it is that does.

use actix_web::{
    HttpRequest,
    http::header::{self, HeaderValue},
};
use mcp_gateway_model::{
    client::Client,
    error::ErrorCode,
    grant::Grant,
    id::GrantId,
    token::{AccessClaims, PersonalAccessToken, RefreshToken},
};
use mcp_gateway_store::{Look, Presented as PresentedRefresh};

use crate::{
    access_token,
    client_auth::{AuthenticatedClient, Credentials, authenticate, bearer},
    door::Rejection,
    limit::{self, Due, permitted},
    request::{Context, Parameters},
};

/// A token of ours whose grant lives.
pub(crate) enum Presented {
    /// An access token that has not ended.
    Access(Box<(AccessClaims, Grant)>),
    /// A refresh token, of any generation.
    Refresh(Box<(RefreshToken, Grant)>),
    /// A personal access token.
    Personal(Box<Grant>),
}

impl Presented {
    /// Reads a token; `None` for what is not ours or opens nothing any more. What kind it is its text says, so
    /// `token_type_hint` is not needed. A permit that is due is taken with the look at its grant.
    pub(crate) async fn read(context: &Context, text: &str, due: &Due) -> Result<Option<Self>, Rejection> {
        let (server, now) = (&context.server, context.now);
        if PersonalAccessToken::looks_like(text) {
            let grant = personal(context, text, due).await?;
            return Ok(grant.map(|grant| Self::Personal(Box::new(grant))));
        }
        if RefreshToken::looks_like(text) {
            let Some(token) = RefreshToken::open(text, &server.refresh_keys) else {
                return Ok(None);
            };
            let grant = grant(context, &token.grant, due).await?;
            return Ok(grant.map(|grant| Self::Refresh(Box::new((token, grant)))));
        }
        let Some(claims) = access_token::read(server, text, now).await? else {
            return Ok(None);
        };
        let grant = grant(context, &claims.grant, due).await?;
        let live = access_token::alive(claims, grant);
        Ok(live.map(|live| Self::Access(Box::new((live.claims, live.grant)))))
    }

    /// The grant it is a key to.
    pub(crate) fn grant(&self) -> &Grant {
        match self {
            Self::Access(access) => &access.1,
            Self::Refresh(refresh) => &refresh.1,
            Self::Personal(grant) => grant,
        }
    }

    /// Whether it could be used at this moment; changes nothing.
    pub(crate) async fn is_live(&self, context: &Context) -> Result<bool, Rejection> {
        let Self::Refresh(refresh) = self else {
            return Ok(true);
        };
        let presented = PresentedRefresh {
            generation: refresh.0.generation,
            grace: context.server.settings.lifetimes.refresh_grace,
        };
        let store = &context.server.store;
        Ok(store
            .refresh_is_live(&refresh.0.grant, presented, context.now)
            .await?)
    }
}

/// A living grant, looked at with a permit that is due.
async fn grant(context: &Context, id: &GrantId, due: &Due) -> Result<Option<Grant>, Rejection> {
    let store = &context.server.store;
    let Some(permit) = due.next() else {
        return Ok(store.grant(id, context.now).await?);
    };
    let look = Look {
        permit: Some(permit),
        grant: Some(id),
        ..Look::default()
    };
    let seen = permitted(store.look(look, context.now).await?)?;
    Ok(seen.grant.and_then(|held| held.into_grant()))
}

/// The living grant that a personal access token opens. What has not the form of one costs no look at the store.
async fn personal(context: &Context, text: &str, due: &Due) -> Result<Option<Grant>, Rejection> {
    let Some(token) = PersonalAccessToken::read(text) else {
        return Ok(None);
    };
    let grant = grant(context, &token.grant, due).await?;
    Ok(grant.filter(|grant| token.opens(grant)))
}

/// Who asks about a token or gives it back.
pub(crate) enum Caller {
    /// A client, by its own credentials.
    Client(Box<Client>),
    /// Whoever holds a live access token, or the personal access token, of this grant.
    Holder(GrantId),
}

impl Caller {
    /// Reads who calls `endpoint`.
    ///
    /// # Errors
    /// `invalid_client` for a client that did not prove itself, `invalid_token` for a bearer token that is not live, 429
    /// for a client that comes too often.
    pub(crate) async fn read(
        context: &Context,
        endpoint: &'static str,
        request: &HttpRequest,
        form: &mut Parameters,
    ) -> Result<Self, Rejection> {
        if let Some(holder) = Self::holder(context, endpoint, request, form).await? {
            return Ok(holder);
        }
        let credentials = Credentials::read(request, form)?;
        let AuthenticatedClient(client) = authenticate(context, endpoint, &credentials).await?;
        Ok(Self::Client(Box::new(client)))
    }

    /// Reads who holds the live token in the request, if there is one. The call counts as one of its client's; those of a
    /// personal access token as its own.
    ///
    /// # Errors
    /// `invalid_token` for a bearer token that is not live, 429 for a client that comes too often.
    pub(crate) async fn holder(
        context: &Context,
        endpoint: &'static str,
        request: &HttpRequest,
        form: &Parameters,
    ) -> Result<Option<Self>, Rejection> {
        let Some(token) = bearer(request)? else {
            return Ok(None);
        };
        if form
            .get("client_secret")
            .or(form.get("client_assertion"))
            .is_some()
        {
            return Err(Rejection::new(
                ErrorCode::InvalidRequest,
                "the request must authenticate one way only",
                "two_authentications",
            ));
        }
        if PersonalAccessToken::looks_like(token) {
            let grant = personal(context, token, &Due::default())
                .await?
                .ok_or_else(dead_bearer)?;
            limit::by_grant(context, endpoint, &grant.id).await?;
            return Ok(Some(Self::Holder(grant.id)));
        }
        let live = access_token::open(&context.server, token, context.now).await?;
        let live = live.ok_or_else(dead_bearer)?;
        limit::by_client_at_address(context, endpoint, &live.grant.client).await?;
        Ok(Some(Self::Holder(live.grant.id)))
    }

    /// Whether the token of `grant` is the caller's own.
    pub(crate) fn owns(&self, grant: &Grant) -> bool {
        match self {
            Self::Client(client) => client.id == grant.client,
            Self::Holder(id) => *id == grant.id,
        }
    }
}

fn dead_bearer() -> Rejection {
    Rejection::new(
        ErrorCode::InvalidToken,
        "the access token in the Authorization header is not valid",
        "bearer_not_live",
    )
    .with_header(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer error=\"invalid_token\""),
    )
}
