//! Who is asked for a login, and who says what a program is.

use async_trait::async_trait;
use mcp_gateway_model::secret::Secret;
use url::Url;

use crate::token::DeviceLogin;

/// What brings a person to the authorization server and back: a browser, mostly.
#[async_trait]
pub trait UserAgent: Send + Sync {
    /// Where the next answer will come to. It is asked for before each login.
    ///
    /// # Errors
    /// [`UserAgentFault`] when no answer can be received.
    async fn redirect_uri(&self) -> Result<String, UserAgentFault>;

    /// Sends the person to `url`, and answers with the address that they came back to.
    ///
    /// # Errors
    /// [`UserAgentFault`] when they did not come back.
    async fn visit(&self, url: &Url) -> Result<Url, UserAgentFault>;
}

/// What shows a person the code of a login ([RFC 8628 §3.3](https://www.rfc-editor.org/rfc/rfc8628#section-3.3)).
#[async_trait]
pub trait DeviceGuide: Send + Sync {
    /// Where answers to other logins of this program come to: a registration needs it.
    ///
    /// # Errors
    /// [`UserAgentFault`] when no answer could be received.
    async fn redirect_uri(&self) -> Result<String, UserAgentFault>;

    /// Shows what is to be typed, and where.
    fn guide(&self, login: &DeviceLogin);
}

/// Why nobody came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UserAgentFault(pub String);

/// What says who the program is.
#[async_trait]
pub trait Assertions: Send + Sync {
    /// An assertion for `issuer`, fresh enough to be presented now.
    ///
    /// # Errors
    /// [`UserAgentFault`] when there is none.
    async fn assertion(&self, issuer: &str) -> Result<Secret, UserAgentFault>;
}
