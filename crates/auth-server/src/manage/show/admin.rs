//! Who is an admin: somebody whom the operator named, with a token that they gave the scope `admin`.

use actix_web::HttpRequest;
use mcp_gateway_model::{
    access::Admission,
    grant::{Grant, User},
    scope::ScopeSet,
};
use mcp_gateway_store::Pin;

use crate::{
    admit::{Refusal, admit},
    client_auth::bearer,
    door::Rejection,
    limit::{self, Due},
    presented::Presented,
    request::Context,
};

/// The scope that such a token has.
const ADMIN: &str = "admin";

/// Whether the bearer token is a live access token or personal access token of an admin. The call counts as one of its grant's.
pub(super) async fn asks(context: &Context, request: &HttpRequest) -> Result<bool, Rejection> {
    let Some(token) = bearer(request)? else {
        return Ok(false);
    };
    let (grant, scopes) = match Presented::read(context, token, &Due::default()).await? {
        Some(Presented::Access(access)) => {
            let (claims, grant) = *access;
            (grant, ScopeSet::parse(&claims.scope).unwrap_or_default())
        }
        Some(Presented::Personal(grant)) => {
            let scopes = grant.scopes.clone();
            (*grant, scopes)
        }
        Some(Presented::Refresh(_)) | None => return Ok(false),
    };
    let Some(user) = grant.user.as_ref().filter(|_| scopes.contains(ADMIN)) else {
        return Ok(false);
    };
    if !is_named(context, user).await? || !is_let_in(context, user, &grant).await? {
        return Ok(false);
    }
    limit::by_grant(context, "manage", &grant.id).await?;
    Ok(true)
}

/// Whether the operator named this user; a login is pinned to the first number that it admits, as everywhere.
async fn is_named(context: &Context, user: &User) -> Result<bool, Rejection> {
    let server = &context.server;
    match server.settings.admins.admits(user.id, &user.login) {
        Admission::Admitted => Ok(true),
        Admission::IfPinned(login) => Ok(server.store.pin(&login, user.id).await? == Pin::Theirs),
        Admission::Refused => Ok(false),
    }
}

/// Whether the access rules still let the user in where the token is for.
async fn is_let_in(context: &Context, user: &User, grant: &Grant) -> Result<bool, Rejection> {
    for audience in &grant.audiences {
        match admit(&context.server, user, audience, grant.memberships.as_ref()).await {
            Ok(_) => return Ok(true),
            Err(Refusal::Store(error)) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(false)
}
