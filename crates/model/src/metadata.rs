//! Discovery documents (RFC 8414, RFC 9728).

use serde::Serialize;

use crate::{
    client::{AssertionAlgorithm, AuthMethod, GrantType},
    issuer::Issuer,
    key::Algorithm,
    resource::Resources,
    scope::{IDENTITY, OFFLINE_ACCESS, OPENID, ScopeSet},
    token::CLAIMS,
};

/// What an authorization server offers beyond what it always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent offers, each a member of the document"
)]
pub struct Offers {
    /// Clients can register themselves (RFC 7591).
    pub registration: bool,
    /// Clients can be known by the address of their metadata (Client ID Metadata Document).
    pub metadata_documents: bool,
    /// Clients can prove themselves by signed assertions (RFC 7523 §2.2).
    pub private_key_jwt: bool,
    /// Clients can act for themselves (RFC 6749 §4.4).
    pub client_credentials: bool,
    /// Devices without a browser can ask (RFC 8628).
    pub device: bool,
    /// ID tokens are issued, signed with this algorithm (OpenID Connect Core §2).
    pub openid: Option<Algorithm>,
    /// Authorization responses carry `iss` (RFC 9207).
    pub iss: bool,
}

impl Default for Offers {
    fn default() -> Self {
        Self {
            registration: true,
            metadata_documents: false,
            private_key_jwt: true,
            client_credentials: true,
            device: false,
            openid: None,
            iss: true,
        }
    }
}

impl Offers {
    /// How clients may prove themselves.
    #[must_use]
    pub fn auth_methods(self) -> Vec<AuthMethod> {
        let key = self.private_key_jwt.then_some(AuthMethod::PrivateKeyJwt);
        AuthMethod::WITHOUT_KEY.into_iter().chain(key).collect()
    }

    /// Of the requested scopes those about the person that mean something here: none without `openid`, and none where no
    /// ID tokens are issued.
    #[must_use]
    pub fn identity(self, requested: &ScopeSet) -> ScopeSet {
        let asked = self.openid.is_some() && requested.contains(OPENID);
        requested.filter(|scope| asked && IDENTITY.contains(&scope))
    }

    /// What assertions may be signed with.
    fn assertion_algorithms(self) -> Vec<&'static str> {
        let all = AssertionAlgorithm::ALL
            .into_iter()
            .map(AssertionAlgorithm::as_str);
        all.filter(|_| self.private_key_jwt).collect()
    }

    /// What may be sent to the token endpoint.
    #[must_use]
    pub fn grant_types(self) -> Vec<GrantType> {
        let offered = |grant_type: &GrantType| match grant_type {
            GrantType::AuthorizationCode | GrantType::RefreshToken => true,
            GrantType::ClientCredentials => self.client_credentials,
            GrantType::DeviceCode => self.device,
        };
        GrantType::ALL.into_iter().filter(offered).collect()
    }
}

/// Authorization server metadata (RFC 8414 §2). It lists what works, and nothing else.
#[derive(Clone, Debug, Serialize)]
pub struct AuthorizationServerMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_authorization_endpoint: Option<String>,
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id_metadata_document_supported: Option<bool>,
    #[serde(flatten)]
    openid: Option<OpenidMetadata>,
}

/// What an OpenID provider says besides ([OpenID Connect Discovery
/// §3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata)).
#[derive(Clone, Debug, Serialize)]
struct OpenidMetadata {
    userinfo_endpoint: String,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [Algorithm; 1],
    claims_supported: &'static [&'static str],
    prompt_values_supported: [&'static str; 3],
    claims_parameter_supported: bool,
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
}

impl OpenidMetadata {
    fn new(issuer: &Issuer, algorithm: Algorithm) -> Self {
        Self {
            userinfo_endpoint: issuer.endpoint("/userinfo"),
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: [algorithm],
            claims_supported: CLAIMS,
            // `none` never succeeds: a person is always asked.
            prompt_values_supported: ["login", "consent", "select_account"],
            claims_parameter_supported: false,
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
        }
    }
}

impl AuthorizationServerMetadata {
    /// The document of `issuer`, which protects `resources`.
    #[must_use]
    pub fn new(issuer: &Issuer, resources: &Resources, offers: Offers) -> Self {
        let methods: Vec<_> = offers
            .auth_methods()
            .into_iter()
            .map(AuthMethod::as_str)
            .collect();
        let with_secret: Vec<_> = methods.iter().copied().filter(|m| *m != "none").collect();
        let algorithms = offers.assertion_algorithms();
        let mut scopes: Vec<String> = resources.all_scopes().iter().map(ToOwned::to_owned).collect();
        if offers.openid.is_some() {
            scopes.extend(IDENTITY.map(ToOwned::to_owned));
        }
        scopes.push(OFFLINE_ACCESS.to_owned());
        Self {
            issuer: issuer.as_str().to_owned(),
            authorization_endpoint: issuer.endpoint("/authorize"),
            token_endpoint: issuer.endpoint("/token"),
            registration_endpoint: offers.registration.then(|| issuer.endpoint("/register")),
            device_authorization_endpoint: offers.device.then(|| issuer.endpoint("/device_authorization")),
            jwks_uri: issuer.endpoint("/jwks"),
            revocation_endpoint: issuer.endpoint("/revoke"),
            introspection_endpoint: issuer.endpoint("/introspect"),
            scopes_supported: scopes,
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: offers.grant_types().into_iter().map(GrantType::as_str).collect(),
            revocation_endpoint_auth_methods_supported: methods.clone(),
            token_endpoint_auth_methods_supported: methods,
            introspection_endpoint_auth_methods_supported: with_secret,
            token_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            revocation_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            introspection_endpoint_auth_signing_alg_values_supported: algorithms,
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: offers.iss,
            openid: offers
                .openid
                .map(|algorithm| OpenidMetadata::new(issuer, algorithm)),
            client_id_metadata_document_supported: offers.metadata_documents.then_some(true),
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
