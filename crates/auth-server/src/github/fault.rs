//! What GitHub does instead of telling who somebody is.

use std::time::Duration;

use mcp_gateway_model::clock::Timestamp;
use oauth2::{RequestTokenError, basic::BasicErrorResponse};
use serde::Deserialize;

/// Why nobody knows who the person is. Details are for the log; no secret is ever in them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GithubFault {
    /// The code is not good: used before, too old, or made up.
    #[error("GitHub does not accept the code")]
    BadCode,
    /// GitHub does not accept this gateway.
    #[error("GitHub does not accept the OAuth app: {0}")]
    Misconfigured(String),
    /// GitHub's token of the person ended: they removed this gateway at GitHub, or have too many of them.
    #[error("GitHub no longer accepts the token of the user")]
    TokenEnded,
    /// GitHub has had enough of us for now.
    #[error("GitHub's rate limit is reached")]
    RateLimited(Wait),
    /// GitHub does not answer, or says that it cannot.
    #[error("GitHub does not answer: {0}")]
    Unreachable(String),
    /// GitHub says something that means nothing.
    #[error("GitHub's answer cannot be understood: {0}")]
    Nonsense(String),
}

/// When GitHub wants to be asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// After this time, as `Retry-After` says.
    For(Duration),
    /// At this time, as `x-ratelimit-reset` says.
    Until(Timestamp),
    /// It does not say.
    Unsaid,
}

impl Wait {
    /// The most that is believed: GitHub counts by the hour.
    const MOST: Duration = Duration::from_secs(3600);

    /// How long that is from `now`.
    pub(crate) fn from(self, now: Timestamp) -> Option<Duration> {
        let wait = match self {
            Self::For(wait) => wait,
            Self::Until(time) => now.until(time),
            Self::Unsaid => return None,
        };
        Some(wait.min(Self::MOST))
    }
}

impl GithubFault {
    /// An answer that means nothing.
    pub(crate) fn nonsense(what: &str) -> Self {
        Self::Nonsense(what.to_owned())
    }

    /// The reason as a code, for the log.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::BadCode => "github_bad_code",
            Self::Misconfigured(_) => "github_misconfigured",
            Self::TokenEnded => "github_token_ended",
            Self::RateLimited(_) => "github_rate_limited",
            Self::Unreachable(_) => "github_unreachable",
            Self::Nonsense(_) => "github_nonsense",
        }
    }

    /// What went wrong when the code was exchanged.
    pub(super) fn of_exchange(error: RequestTokenError<Self, BasicErrorResponse>) -> Self {
        match error {
            RequestTokenError::Request(fault) => fault,
            RequestTokenError::ServerResponse(told) => Self::of_code(told.error().as_ref()),
            // GitHub sends errors with status 200, where a token is expected.
            RequestTokenError::Parse(_, body) => serde_json::from_slice::<ErrorBody>(&body)
                .map_or_else(|_| Self::nonsense("no token"), |told| Self::of_code(&told.error)),
            RequestTokenError::Other(_) => Self::nonsense("an empty answer"),
        }
    }

    fn of_code(code: &str) -> Self {
        match code {
            "bad_verification_code" => Self::BadCode,
            "incorrect_client_credentials" => {
                Self::Misconfigured("GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET do not belong together".into())
            }
            "redirect_uri_mismatch" => {
                Self::Misconfigured("its callback URL is not this server's /callback".into())
            }
            other => {
                let plain = |c: &char| c.is_ascii_lowercase() || *c == '_';
                Self::Misconfigured(other.chars().filter(plain).take(60).collect())
            }
        }
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

/// Why GitHub cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum BadGithub {
    /// An address that nothing can be asked at.
    #[error("{0} is not an address that calls can be made to")]
    Url(&'static str),
}
