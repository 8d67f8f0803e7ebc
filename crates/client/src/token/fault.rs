//! Why there is no token.

use oauth2::{RequestTokenError, basic::BasicErrorResponse};

use super::caller::CallerFault;
use crate::{extensions::BadKey, http::HttpFault, words::shown};

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// The metadata names no token endpoint.
    #[error("the authorization server \"{0}\" has no token endpoint")]
    NoEndpoint(String),
    /// The server knows no logins with a code.
    #[error("the authorization server \"{0}\" knows no logins with a code: log in with a browser")]
    NoDeviceEndpoint(String),
    /// The login began with another server, or as another client.
    #[error("this login began at another authorization server: begin again")]
    OtherServer,
    /// The client should prove itself by a secret, and has none.
    #[error("the client has no secret, although it is known to have one: enter it")]
    NoSecret,
    /// The client should prove itself by a key, and has none.
    #[error("the client has no private key, although it is known to have one: enter it")]
    NoKey,
    /// The key cannot sign.
    #[error(transparent)]
    BadKey(#[from] BadKey),
    /// There is no refresh token.
    #[error("there is no refresh token: log in again")]
    NoRefreshToken,
    /// Nobody answers.
    #[error("the token endpoint cannot be asked: {0}")]
    Unreachable(HttpFault),
    /// Somebody answers, but not now.
    #[error("the token endpoint answers with status {0}: try again later")]
    Busy(u16),
    /// The server says no ([RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
    #[error("the token endpoint says no: {error}{}", .description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// The code.
        error: String,
        /// What it adds.
        description: Option<String>,
    },
    /// The answer is none.
    #[error("the token endpoint answers with something that is no token")]
    Malformed,
    /// A token that cannot be sent.
    #[error("the token endpoint gave a token of the type \"{0}\", which was not asked for")]
    UnusableType(String),
}

impl TokenFault {
    pub(super) fn of(error: RequestTokenError<CallerFault, BasicErrorResponse>) -> Self {
        match error {
            RequestTokenError::ServerResponse(refused) => Self::refused(&refused),
            RequestTokenError::Request(CallerFault::Http(fault)) => Self::Unreachable(fault),
            RequestTokenError::Request(CallerFault::Busy(status)) => Self::Busy(status),
            RequestTokenError::Request(CallerFault::Key(bad)) => Self::BadKey(bad),
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Self::Malformed,
        }
    }

    pub(super) fn refused(refused: &BasicErrorResponse) -> Self {
        Self::Refused {
            error: shown(refused.error().as_ref()),
            description: refused.error_description().map(|text| shown(text)),
        }
    }

    fn is(&self, code: &str) -> bool {
        matches!(self, Self::Refused { error, .. } if error == code)
    }

    /// Whether what was presented has ended for good.
    #[must_use]
    pub fn is_invalid_grant(&self) -> bool {
        self.is("invalid_grant")
    }

    /// Whether the server does not know the client any more.
    #[must_use]
    pub fn is_invalid_client(&self) -> bool {
        self.is("invalid_client") || self.is("unauthorized_client")
    }

    /// Whether the server knows the client, and does not let it in this way.
    #[must_use]
    pub fn is_unauthorized_client(&self) -> bool {
        self.is("unauthorized_client")
    }

    /// Whether the server ends no tokens of this kind ([RFC 7009
    /// §2.2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.2.1)).
    #[must_use]
    pub fn is_unsupported_token_type(&self) -> bool {
        self.is("unsupported_token_type")
    }

    /// Whether trying again a little later may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(fault) => fault.is_passing(),
            Self::Busy(_) => true,
            _ => self.is("temporarily_unavailable") || self.is("server_error"),
        }
    }
}
