//! Discovery documents (RFC 8414, RFC 9728).

use serde::Serialize;

use crate::{
    client::{AuthMethod, GrantType},
    issuer::Issuer,
    resource::Resources,
    scope::{OFFLINE_ACCESS, ScopeSet},
};

/// Authorization server metadata (RFC 8414 §2). It lists what works, and nothing else.
#[derive(Clone, Debug, Serialize)]
pub struct AuthorizationServerMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    jwks_uri: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    scopes_supported: Vec<String>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: Vec<&'static str>,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
}

impl AuthorizationServerMetadata {
    /// The document of `issuer`, which protects `resources`.
    #[must_use]
    pub fn new(issuer: &Issuer, resources: &Resources) -> Self {
        let methods: Vec<_> = AuthMethod::ALL.into_iter().map(AuthMethod::as_str).collect();
        let with_secret: Vec<_> = methods.iter().copied().filter(|m| *m != "none").collect();
        let mut scopes: Vec<String> = resources.all_scopes().iter().map(ToOwned::to_owned).collect();
        scopes.push(OFFLINE_ACCESS.to_owned());
        Self {
            issuer: issuer.as_str().to_owned(),
            authorization_endpoint: issuer.endpoint("/authorize"),
            token_endpoint: issuer.endpoint("/token"),
            registration_endpoint: Some(issuer.endpoint("/register")),
            jwks_uri: issuer.endpoint("/jwks"),
            revocation_endpoint: issuer.endpoint("/revoke"),
            introspection_endpoint: issuer.endpoint("/introspect"),
            scopes_supported: scopes,
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: GrantType::ALL.into_iter().map(GrantType::as_str).collect(),
            revocation_endpoint_auth_methods_supported: methods.clone(),
            token_endpoint_auth_methods_supported: methods,
            introspection_endpoint_auth_methods_supported: with_secret,
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
        }
    }
}

/// Protected resource metadata (RFC 9728 §2).
#[derive(Clone, Debug, Serialize)]
pub struct ProtectedResourceMetadata {
    /// The resource, byte for byte as the client will compare it.
    pub resource: String,
    /// The one issuer.
    pub authorization_servers: [String; 1],
    /// What can be asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// Always `header`.
    pub bearer_methods_supported: [&'static str; 1],
    /// A name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
}

impl ProtectedResourceMetadata {
    /// The document of `resource`, whose tokens `issuer` issues.
    #[must_use]
    pub fn new(resource: String, name: Option<String>, scopes: &ScopeSet, issuer: &Issuer) -> Self {
        Self {
            resource,
            authorization_servers: [issuer.as_str().to_owned()],
            scopes_supported: scopes.iter().map(ToOwned::to_owned).collect(),
            bearer_methods_supported: ["header"],
            resource_name: name,
        }
    }
}
