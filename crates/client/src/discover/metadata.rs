//! The two documents, as others write them: what is not needed may be missing, what is needed is checked by who needs it.

use serde::{Deserialize, Serialize};
use url::Url;

/// Protected resource metadata ([RFC 9728 §2](https://www.rfc-editor.org/rfc/rfc9728#section-2)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceMetadata {
    /// The resource, byte for byte as it is asked for.
    pub resource: String,
    /// The issuers of its authorization servers, byte for byte.
    #[serde(default)]
    pub authorization_servers: Vec<String>,
    /// What can be asked for.
    #[serde(default)]
    pub scopes_supported: Option<Vec<String>>,
    /// How a token may be sent.
    #[serde(default)]
    pub bearer_methods_supported: Option<Vec<String>>,
    /// A name for people.
    #[serde(default)]
    pub resource_name: Option<String>,
    /// What proofs of possession may be signed with ([RFC 9728 §2](https://www.rfc-editor.org/rfc/rfc9728#section-2)).
    #[serde(default)]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// Whether tokens must be bound to a key.
    #[serde(default)]
    pub dpop_bound_access_tokens_required: bool,
}

/// Authorization server metadata ([RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)), or the same members of
/// OpenID provider metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerMetadata {
    /// The issuer, byte for byte.
    pub issuer: String,
    /// Where a person is sent.
    #[serde(default)]
    pub authorization_endpoint: Option<Url>,
    /// Where tokens come from.
    #[serde(default)]
    pub token_endpoint: Option<Url>,
    /// Where clients register themselves ([RFC 7591](https://www.rfc-editor.org/rfc/rfc7591)).
    #[serde(default)]
    pub registration_endpoint: Option<Url>,
    /// Where tokens are ended ([RFC 7009](https://www.rfc-editor.org/rfc/rfc7009)).
    #[serde(default)]
    pub revocation_endpoint: Option<Url>,
    /// Where devices without a browser ask ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)).
    #[serde(default)]
    pub device_authorization_endpoint: Option<Url>,
    /// What can be asked for.
    #[serde(default)]
    pub scopes_supported: Option<Vec<String>>,
    /// What the authorization endpoint answers with.
    #[serde(default)]
    pub response_types_supported: Option<Vec<String>>,
    /// What may be sent to the token endpoint.
    #[serde(default)]
    pub grant_types_supported: Option<Vec<String>>,
    /// How clients may prove themselves at the token endpoint.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// What assertions of clients may be signed with.
    #[serde(default)]
    pub token_endpoint_auth_signing_alg_values_supported: Option<Vec<String>>,
    /// How clients may prove themselves at the revocation endpoint.
    #[serde(default)]
    pub revocation_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The kinds of PKCE ([RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2)).
    #[serde(default)]
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// Whether authorization responses carry `iss` ([RFC 9207 §3](https://www.rfc-editor.org/rfc/rfc9207#section-3)).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a client's id may be the address of its metadata (Client ID Metadata Document).
    #[serde(default)]
    pub client_id_metadata_document_supported: bool,
    /// What proofs of possession may be signed with ([RFC 9449
    /// §5.1](https://www.rfc-editor.org/rfc/rfc9449#section-5.1)).
    #[serde(default)]
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
}

impl ServerMetadata {
    /// What a server of revision 2025-03-26 that publishes nothing has: `/authorize`, `/token` and `/register` at the MCP
    /// server's origin.
    #[must_use]
    pub fn presumed(origin: &Url) -> Self {
        let at = |path: &str| origin.join(path).ok();
        Self {
            authorization_endpoint: at("/authorize"),
            token_endpoint: at("/token"),
            registration_endpoint: at("/register"),
            // that revision requires PKCE of everybody
            code_challenge_methods_supported: Some(vec!["S256".to_owned()]),
            ..Self::bare(origin.as_str().trim_end_matches('/'))
        }
    }

    /// Metadata that says nothing but who the issuer is.
    #[must_use]
    pub fn bare(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            authorization_endpoint: None,
            token_endpoint: None,
            registration_endpoint: None,
            revocation_endpoint: None,
            device_authorization_endpoint: None,
            scopes_supported: None,
            response_types_supported: None,
            grant_types_supported: None,
            token_endpoint_auth_methods_supported: None,
            token_endpoint_auth_signing_alg_values_supported: None,
            revocation_endpoint_auth_methods_supported: None,
            code_challenge_methods_supported: None,
            authorization_response_iss_parameter_supported: false,
            client_id_metadata_document_supported: false,
            dpop_signing_alg_values_supported: None,
        }
    }

    /// Whether it says that PKCE with S256 is understood. Silence is no
    /// ([MCP authorization](https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization/security-considerations#authorization-code-protection)).
    #[must_use]
    pub fn has_s256(&self) -> bool {
        lists(self.code_challenge_methods_supported.as_deref(), "S256")
    }

    /// Whether a grant type may be sent to the token endpoint. Silence means `authorization_code` and `implicit` (RFC 8414
    /// §2).
    #[must_use]
    pub fn has_grant_type(&self, grant_type: &str) -> bool {
        match &self.grant_types_supported {
            Some(listed) => listed.iter().any(|one| one == grant_type),
            None => grant_type == "authorization_code",
        }
    }

    /// Whether a scope can be asked for, as far as it says.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        lists(self.scopes_supported.as_deref(), scope)
    }
}

fn lists(values: Option<&[String]>, value: &str) -> bool {
    values.is_some_and(|values| values.iter().any(|one| one == value))
}
