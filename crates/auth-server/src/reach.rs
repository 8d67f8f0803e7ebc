//! Which resources and scopes the operator named for a client.

use mcp_gateway_model::{
    client::{Client, ClientOrigin},
    resource::{Resources, Target},
    scope::ScopeSet,
};

/// What the operator said about a client and a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// That the client may use it.
    Named,
    /// That the client may use others.
    NotNamed,
    /// Nothing about this client.
    Unsaid,
}

/// What the operator said about `client` and the resource that `target` means.
pub(crate) fn reach(client: &Client, resources: &Resources, target: &Target) -> Reach {
    let Some(named) = &client.resources else {
        return Reach::Unsaid;
    };
    let is_target = |uri: &str| {
        resources
            .of_audience(uri)
            .is_some_and(|protected| protected.identity == target.protected.identity)
    };
    if named.iter().any(|uri| is_target(uri.as_str())) {
        Reach::Named
    } else {
        Reach::NotNamed
    }
}

/// The scopes that the operator entered `client` with: it gets no others anywhere. `None` if the operator named none.
pub(crate) fn entered_scopes(client: &Client) -> Option<&ScopeSet> {
    let scopes = &client.metadata.scope;
    (client.origin == ClientOrigin::PreRegistered && !scopes.is_empty()).then_some(scopes)
}
