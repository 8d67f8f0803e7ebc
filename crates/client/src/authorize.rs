//! The authorization request and what comes back ([OAuth 2.1
//! §4.1](https://www.ietf.org/archive/id/draft-ietf-oauth-v2-1-13.html#section-4.1)): PKCE with S256, `state`, `iss` (RFC
//! 9207), `resource` (RFC 8707), and the scopes that are asked for.
//!
//! ```
//! use mcp_gateway_client::{
//!     authorize::{AuthorizeFault, Wanted, begin},
//!     discover::ServerMetadata,
//!     http::Targets,
//!     identity::{PreRegistered, Profile, known},
//! };
//! use mcp_gateway_model::clock::Timestamp;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // what discovery brings
//! let mut server = ServerMetadata::bare("https://auth.example.com");
//! server.authorization_endpoint = Some("https://auth.example.com/authorize".parse()?);
//! server.code_challenge_methods_supported = Some(vec!["S256".into()]);
//! // who the program is
//! let mut profile = Profile::native("Example");
//! profile.pre_registered.push(PreRegistered {
//!     issuer: Some("https://auth.example.com".into()),
//!     client_id: "example".into(),
//!     secret: None,
//!     method: None,
//! });
//! let identity = known(&profile, &server, None)?.unwrap();
//!
//! let wanted = Wanted {
//!     resource: "https://mcp.example.com/mcp",
//!     scopes: None,
//!     redirect_uri: "http://127.0.0.1:8765/callback",
//! };
//! let (url, pending) = begin(&server, &identity, wanted, &Targets::default(), Timestamp::from_secs(0))?;
//! let sent = |name: &str| url.query_pairs().find(|(one, _)| one == name).map(|(_, value)| value.into_owned());
//! assert_eq!(sent("code_challenge_method").as_deref(), Some("S256"));
//! assert_eq!(sent("resource").as_deref(), Some("https://mcp.example.com/mcp"));
//!
//! // what comes back is for this login and from this server, or it is not read
//! assert!(pending.finish(&format!("code=c&state={}", sent("state").unwrap())).is_ok());
//! assert_eq!(pending.finish("code=c&state=guessed").unwrap_err(), AuthorizeFault::OtherLogin);
//! # Ok(())
//! # }
//! ```

mod response;
mod scopes;

use mcp_gateway_model::{
    clock::Timestamp,
    scope::ScopeSet,
    secret::{Secret, random_text},
};
use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, basic::BasicClient,
};
use serde::{Deserialize, Serialize};
use url::Url;

pub(crate) use scopes::with_offline;
pub use scopes::{initial, step_up};

use crate::{
    discover::ServerMetadata,
    http::{HttpFault, Targets},
    identity::Identity,
    words::kept,
};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What the token is for, byte for byte (RFC 8707).
    pub resource: &'a str,
    /// The scopes; `None` leaves them to the server.
    pub scopes: Option<&'a ScopeSet>,
    /// Where the answer goes.
    pub redirect_uri: &'a str,
}

/// A login that has begun: what its answer is compared with. Whoever keeps it seals it, for its verifier redeems the code.
#[derive(Debug, Serialize, Deserialize)]
pub struct Pending {
    /// The issuer, from validated metadata.
    pub issuer: String,
    /// Whether its answers carry `iss`.
    pub iss_expected: bool,
    /// Who asks.
    pub client_id: String,
    /// What the token is for.
    pub resource: String,
    /// What was asked for.
    pub scopes: Option<ScopeSet>,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// What ties the answer to this login.
    #[serde(with = "kept")]
    pub state: Secret,
    /// What redeems the code (RFC 7636).
    #[serde(with = "kept")]
    pub verifier: Secret,
    /// When it began.
    pub began_at: Timestamp,
}

/// A code that came back from the right server for the right login.
#[derive(Debug)]
pub struct Code(pub(crate) Secret);

/// Begins a login: answers where the person is sent, and what the answer will be compared with.
///
/// # Errors
/// [`AuthorizeFault`] when the server understands no PKCE, has no authorization endpoint, or one that no person is sent to.
pub fn begin(
    server: &ServerMetadata,
    identity: &Identity,
    wanted: Wanted<'_>,
    targets: &Targets,
    now: Timestamp,
) -> Result<(Url, Pending), AuthorizeFault> {
    if !server.has_s256() {
        return Err(AuthorizeFault::NoPkce(server.issuer.clone()));
    }
    let endpoint = server.authorization_endpoint.clone();
    let endpoint = endpoint.ok_or_else(|| AuthorizeFault::NoEndpoint(server.issuer.clone()))?;
    targets.allow(&endpoint).map_err(AuthorizeFault::BadEndpoint)?;
    let redirect = RedirectUrl::new(wanted.redirect_uri.to_owned())
        .map_err(|_| AuthorizeFault::BadRedirect(wanted.redirect_uri.to_owned()))?;
    let (state, verifier) = (random_text::<32>(), PkceCodeVerifier::new(random_text::<32>()));
    let client = BasicClient::new(ClientId::new(identity.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(endpoint))
        .set_redirect_uri(redirect);
    let scopes = wanted.scopes.into_iter().flat_map(ScopeSet::iter);
    let (url, _) = client
        .authorize_url(|| CsrfToken::new(state.clone()))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())))
        .add_extra_param("resource", wanted.resource)
        .url();
    let pending = Pending {
        issuer: server.issuer.clone(),
        iss_expected: server.authorization_response_iss_parameter_supported,
        client_id: identity.client_id.clone(),
        resource: wanted.resource.to_owned(),
        scopes: wanted.scopes.cloned(),
        redirect_uri: wanted.redirect_uri.to_owned(),
        state: Secret::presented(state),
        verifier: Secret::presented(verifier.into_secret()),
        began_at: now,
    };
    Ok((url, pending))
}

/// Why no code came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizeFault {
    /// The metadata does not list S256: a code could be redeemed by whoever sees it.
    #[error(
        "the authorization server \"{0}\" does not say that it understands PKCE with S256 (code_challenge_methods_supported): its operator has to add it"
    )]
    NoPkce(String),
    /// There is nowhere to send a person.
    #[error("the authorization server \"{0}\" has no authorization endpoint")]
    NoEndpoint(String),
    /// No person is sent there.
    #[error("the authorization endpoint cannot be opened: {0}")]
    BadEndpoint(HttpFault),
    /// Where the answer goes is no URL.
    #[error("\"{0}\" is not a redirect URI")]
    BadRedirect(String),
    /// What came back belongs to no login, or to another.
    #[error("what came back belongs to another login: begin again")]
    OtherLogin,
    /// What came back is from another server than the person was sent to (RFC 9207).
    #[error("what came back is not from \"{expected}\": begin again, and do not use this answer")]
    OtherIssuer {
        /// Who should have answered.
        expected: String,
    },
    /// The server says no ([RFC 6749 §4.1.2.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1)).
    #[error("the authorization server says no: {error}{}", .description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// The code.
        error: String,
        /// What it adds.
        description: Option<String>,
    },
    /// What came back has a parameter twice, or neither code nor error.
    #[error("what came back is no answer to an authorization request")]
    Malformed,
}
