//! What is told of a caller, and where tools find who it is.

use http::{HeaderMap, request::Parts};
use rmcp::{RoleServer, schemars, service::RequestContext};
use serde::Serialize;

use super::caller::Caller;

/// A caller, as `whoami` tells it.
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

/// A caller, and how much they keep here.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Profile {
    #[serde(flatten)]
    identity: Identity,
    /// How many items they have.
    items: usize,
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

impl Profile {
    pub(super) fn of(caller: &Caller, items: usize) -> Self {
        Self {
            identity: Identity::of(Some(caller)),
            items,
        }
    }
}

/// Who sent the HTTP request that carried this call.
pub(super) fn caller(context: &RequestContext<RoleServer>) -> Option<&Caller> {
    context.extensions.get::<Parts>()?.extensions.get()
}

/// The headers of the client's request, where the one that carries the call is another.
#[derive(Clone, Debug)]
pub(super) struct Received(pub(super) HeaderMap);

/// The headers of the HTTP request that carried this call.
pub(super) fn headers(context: &RequestContext<RoleServer>) -> HeaderMap {
    let Some(parts) = context.extensions.get::<Parts>() else {
        return HeaderMap::new();
    };
    let received = parts.extensions.get::<Received>();
    received.map_or(&parts.headers, |received| &received.0).clone()
}
