//! What `whoami` tells, and where tools find it.

use http::{HeaderMap, request::Parts};
use rmcp::{RoleServer, schemars, service::RequestContext};
use serde::Serialize;

use super::caller::Caller;

/// The caller of a tool.
#[derive(Debug, Default, Serialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Identity {
    /// GitHub's numeric id, or the client that acts for itself.
    user_id: Option<String>,
    /// The GitHub login.
    login: Option<String>,
    /// The OAuth client.
    client_id: Option<String>,
    /// What the token allows.
    scopes: Vec<String>,
}

impl Identity {
    pub(super) fn of(caller: Option<&Caller>) -> Self {
        caller.map_or_else(Self::default, |caller| Self {
            user_id: Some(caller.user.clone()),
            login: caller.name.clone(),
            client_id: caller.client.clone(),
            scopes: caller.scopes.iter().map(Into::into).collect(),
        })
    }
}

/// Who sent the HTTP request that carried this call.
pub(super) fn caller(context: &RequestContext<RoleServer>) -> Option<&Caller> {
    context.extensions.get::<Parts>()?.extensions.get()
}

/// The headers of the HTTP request that carried this call.
pub(super) fn headers(context: &RequestContext<RoleServer>) -> HeaderMap {
    context
        .extensions
        .get::<Parts>()
        .map(|parts| parts.headers.clone())
        .unwrap_or_default()
}
