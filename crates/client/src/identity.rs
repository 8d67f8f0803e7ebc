//! Who the client is to an authorization server
//! ([MCP client registration](https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization/client-registration)):
//! pre-registered, else by the address of its metadata document, else registered there and then.

mod register;

use mcp_gateway_model::{client::AuthMethod, clock::Timestamp, secret::Secret};
use serde::{Deserialize, Serialize};
use url::Url;

pub use register::{register, unregister};

use crate::{
    discover::ServerMetadata,
    http::HttpFault,
    words::{copy, kept},
};

/// What kind of program it is ([OpenID Connect Dynamic Client Registration
/// §2](https://openid.net/specs/openid-connect-registration-1_0.html#ClientMetadata)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationType {
    /// It runs on a person's machine.
    Native,
    /// It runs on a server of its own.
    Web,
}

/// What a program says of itself.
#[derive(Debug)]
pub struct Profile {
    /// Its name, for people.
    pub name: String,
    /// Its home page.
    pub uri: Option<Url>,
    /// What kind it is.
    pub application: ApplicationType,
    /// The address of its metadata document, if it publishes one.
    pub metadata_document: Option<Url>,
    /// Who it already is to some authorization servers.
    pub pre_registered: Vec<PreRegistered>,
    /// What it names itself by in registrations, the same for all its copies.
    pub software_id: Option<String>,
    /// Whether it wants tokens that only its key can use ([RFC 9449 §5.2](https://www.rfc-editor.org/rfc/rfc9449#section-5.2)).
    pub bound_tokens: bool,
}

impl Profile {
    /// A program on a person's machine.
    #[must_use]
    pub fn native(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            uri: None,
            application: ApplicationType::Native,
            metadata_document: None,
            pre_registered: Vec::new(),
            software_id: None,
            bound_tokens: false,
        }
    }
}

/// Who a program is to one authorization server, by an arrangement beforehand.
#[derive(Debug)]
pub struct PreRegistered {
    /// The issuer that knows it. `None` is the first one that the MCP server names, and no other after that: without anything
    /// kept from before, whoever leads the MCP server says at each start who gets the secret. Name it where there is one.
    pub issuer: Option<String>,
    /// Its id there.
    pub client_id: String,
    /// Its secret there, if it has one.
    pub secret: Option<Secret>,
    /// How it proves itself; `None` is as the server's metadata says.
    pub method: Option<AuthMethod>,
}

/// How an identity came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityOrigin {
    /// By an arrangement beforehand.
    PreRegistered,
    /// By the address of its metadata document.
    MetadataDocument,
    /// By registration (RFC 7591).
    Registered,
}

/// Who the client is to one issuer, and to no other.
#[derive(Debug, Serialize, Deserialize)]
pub struct Identity {
    /// The issuer, byte for byte.
    pub issuer: String,
    /// Its id there.
    pub client_id: String,
    /// How it proves itself.
    pub method: AuthMethod,
    /// Its secret there.
    #[serde(with = "kept::maybe")]
    pub secret: Option<Secret>,
    /// When the secret ends.
    pub secret_expires_at: Option<Timestamp>,
    /// How it came about.
    pub origin: IdentityOrigin,
    /// Where answers may come to, if it was registered.
    pub redirect_uris: Vec<String>,
    /// Where the registration is looked after ([RFC 7592](https://www.rfc-editor.org/rfc/rfc7592)).
    pub management: Option<Management>,
}

/// Where a registration is looked after, and what opens it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Management {
    /// The address.
    pub uri: Url,
    /// The registration access token.
    #[serde(with = "kept")]
    pub token: Secret,
}

impl Identity {
    /// Whether it still serves for logins that end at `redirect_uri`.
    #[must_use]
    pub fn serves(&self, redirect_uri: &str, now: Timestamp) -> bool {
        let has_ended = self.secret_expires_at.is_some_and(|end| end.has_passed(now));
        !has_ended && self.redirect_uris.iter().any(|one| one == redirect_uri)
    }
}

/// Who the program is to `server`, without asking it: pre-registered, or by its metadata document. `bound` is the issuer that
/// the MCP server named before, and who the program was there.
///
/// # Errors
/// [`IdentityFault::OtherIssuer`] when it is known to another issuer than this one.
pub fn known(
    profile: &Profile,
    server: &ServerMetadata,
    bound: Option<(&str, &str)>,
) -> Result<Option<Identity>, IdentityFault> {
    let issuer = server.issuer.as_str();
    let mut entries = profile.pre_registered.iter();
    if let Some(entry) = entries.find(|entry| entry.issuer.as_deref().is_none_or(|one| one == issuer)) {
        let before = bound.filter(|(_, client_id)| entry.issuer.is_none() && *client_id == entry.client_id);
        return match before.filter(|(bound, _)| *bound != issuer) {
            Some((bound, _)) => Err(IdentityFault::OtherIssuer {
                client_id: entry.client_id.clone(),
                issuer: bound.to_owned(),
                found: issuer.to_owned(),
            }),
            None => Ok(Some(pre_registered(entry, server))),
        };
    }
    let document = profile.metadata_document.as_ref();
    let document = document.filter(|_| server.client_id_metadata_document_supported);
    Ok(document.map(|url| Identity {
        issuer: issuer.to_owned(),
        client_id: url.as_str().to_owned(),
        method: AuthMethod::None,
        secret: None,
        secret_expires_at: None,
        origin: IdentityOrigin::MetadataDocument,
        redirect_uris: Vec::new(),
        management: None,
    }))
}

fn pre_registered(entry: &PreRegistered, server: &ServerMetadata) -> Identity {
    let secret = entry.secret.as_ref().map(copy);
    let fallback = || match secret {
        Some(_) => preferred(
            server,
            &[AuthMethod::ClientSecretBasic, AuthMethod::ClientSecretPost],
        ),
        None => AuthMethod::None,
    };
    Identity {
        issuer: server.issuer.clone(),
        client_id: entry.client_id.clone(),
        method: entry.method.unwrap_or_else(fallback),
        secret,
        secret_expires_at: None,
        origin: IdentityOrigin::PreRegistered,
        redirect_uris: Vec::new(),
        management: None,
    }
}

/// The first of `methods` that the server lists, else the first.
fn preferred(server: &ServerMetadata, methods: &[AuthMethod]) -> AuthMethod {
    let listed = server.token_endpoint_auth_methods_supported.as_ref();
    let is_listed =
        |method: &&AuthMethod| listed.is_some_and(|listed| listed.iter().any(|one| one == method.as_str()));
    let first = methods.first().copied().unwrap_or(AuthMethod::None);
    methods.iter().find(is_listed).copied().unwrap_or(first)
}

/// Why the client is nobody to an authorization server.
#[derive(Debug, thiserror::Error)]
pub enum IdentityFault {
    /// The server has another authorization server than before.
    #[error(
        "the client \"{client_id}\" is known to \"{issuer}\", but the server now names \"{found}\": enter the client id that it has there, or log out first if it is the same"
    )]
    OtherIssuer {
        /// The client.
        client_id: String,
        /// Who knows it.
        issuer: String,
        /// Who is named now.
        found: String,
    },
    /// No way is open.
    #[error(
        "the authorization server \"{0}\" registers no clients by itself: register one there and enter its client id"
    )]
    NoWay(String),
    /// Nobody answers at the registration endpoint.
    #[error("the registration endpoint {url} cannot be asked: {fault}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        fault: HttpFault,
    },
    /// The registration was refused ([RFC 7591 §3.2.2](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.2)).
    #[error("the registration at {url} was refused with status {status}: {reason}")]
    Refused {
        /// Where.
        url: String,
        /// How.
        status: u16,
        /// What was said: the code, and the description if there is one.
        reason: String,
    },
    /// The answer is no registration.
    #[error("the registration endpoint {0} answers with something that is no registration")]
    Malformed(String),
}

impl IdentityFault {
    /// Whether trying again a little later may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { fault, .. } => fault.is_passing(),
            Self::Refused { status, .. } => *status == 429 || *status >= 500,
            _ => false,
        }
    }
}
