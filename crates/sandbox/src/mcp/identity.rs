//! Who is calling, as the gateway in front says it.

use http::{HeaderMap, request::Parts};
use rmcp::{RoleServer, schemars, service::RequestContext};
use serde::Serialize;

/// The caller of a tool.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(crate = "rmcp::schemars")]
pub(super) struct Identity {
    /// GitHub's numeric id, from X-User-Id.
    user_id: Option<String>,
    /// The GitHub login, from X-User-Name.
    login: Option<String>,
    /// The OAuth client, from X-Auth-Client.
    client_id: Option<String>,
    /// What the token allows, from X-Auth-Scope.
    scopes: Vec<String>,
}

impl Identity {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        let scopes = text("x-auth-scope").unwrap_or_default();
        Self {
            user_id: text("x-user-id"),
            login: text("x-user-name"),
            client_id: text("x-auth-client"),
            scopes: scopes.split_ascii_whitespace().map(Into::into).collect(),
        }
    }
}

/// The headers of the HTTP request that carried this call.
pub(super) fn headers(context: &RequestContext<RoleServer>) -> HeaderMap {
    context
        .extensions
        .get::<Parts>()
        .map(|parts| parts.headers.clone())
        .unwrap_or_default()
}
