//! Logins under way.

use mcp_gateway_model::{
    clock::Timestamp,
    id::{ClientId, UserId},
    pkce::CodeChallenge,
    redirect::RedirectUri,
    resource::ResourceUri,
    scope::ScopeSet,
    secret::Digest,
};
use serde::{Deserialize, Serialize};

/// An authorization request that waits for its person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The client that asked.
    pub client: ClientId,
    /// How it is answered.
    #[serde(flatten)]
    pub answer: LoginAnswer,
    /// How many seconds ago the person may have logged in at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// Who it has to be, if the client knows that already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<UserId>,
    /// What the token will be for.
    pub audience: ResourceUri,
    /// What the person is asked to allow.
    pub scopes: ScopeSet,
    /// The SHA-256 of the cookie of the one browser that may go on.
    pub browser: Digest,
    /// How far it has come.
    pub stage: LoginStage,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// How a login is answered. Written without a name of its own: a record of a release that knew redirects only is one of
/// these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LoginAnswer {
    /// By taking the browser back to the client (RFC 6749 §4.1.2).
    Redirect(RedirectAnswer),
    /// By telling the device that waits (RFC 8628 §3.4).
    Device {
        /// The SHA-256 of its device code.
        device: Digest,
    },
}

/// Where a code or an error goes, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectAnswer {
    /// Where the answer goes; registered, or it would not be here.
    pub redirect_uri: RedirectUri,
    /// Whether the request named it.
    pub redirect_uri_was_sent: bool,
    /// The client's `state`, echoed byte for byte.
    pub state: Option<String>,
    /// The PKCE challenge.
    pub challenge: CodeChallenge,
    /// The `nonce` of the request, for the ID token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// How far a login has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoginStage {
    /// The consent page is shown.
    Consent,
    /// The person has consented and is on their way to GitHub and back.
    Upstream,
}
