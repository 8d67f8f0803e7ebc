//! What goes wrong, as callers are told: `{"error", "error_description"}` with the status that says whose fault it is.

use std::{borrow::Cow, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use serde::Serialize;

use super::store::StoreFault;
use crate::{authorize::AuthorizeFault, discover::DiscoverFault, http::HttpFault, token::TokenFault};

/// An answer that says what went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {description}")]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    /// The code, as OAuth names it where it does.
    pub(super) code: Cow<'static, str>,
    /// What to do about it.
    pub(super) description: String,
    /// What only the log is told.
    pub(super) cause: Option<String>,
    /// The scopes that would be enough.
    pub(super) scope: Option<String>,
    /// How long to wait.
    pub(super) wait: Option<Duration>,
}

#[derive(Serialize)]
struct Body<'f> {
    error: &'f str,
    error_description: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'f str>,
}

impl Fault {
    fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, description: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            description: description.into(),
            cause: None,
            scope: None,
            wait: None,
        }
    }

    /// The request is wrong.
    pub(super) fn request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// The request is wrong in a way that has a name.
    pub(super) fn bad(code: impl Into<Cow<'static, str>>, description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, description)
    }

    /// It is not known who asks, or it is somebody else's.
    pub(super) fn unauthorized(code: &'static str, description: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, description)
    }

    /// The token is not good for this.
    pub(super) fn forbidden(description: impl Into<String>, scope: Option<String>) -> Self {
        Self {
            scope,
            ..Self::new(StatusCode::FORBIDDEN, "insufficient_scope", description)
        }
    }

    /// The other server did what it must not.
    pub(super) fn bad_gateway(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "bad_gateway", description)
    }

    /// Too often.
    pub(super) fn too_many(wait: Duration) -> Self {
        let seconds = wait.as_secs().max(1);
        Self {
            wait: Some(wait),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "slow_down",
                format!("Too many requests: try again in {seconds} seconds."),
            )
        }
    }

    /// Something of ours does not work; the log says what.
    pub(super) fn server(cause: impl Into<String>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "The service cannot do this now. Try again later; its log says what is wrong.",
            )
        }
    }

    /// A call of `what` brought no answer.
    pub(super) fn of_call(what: &str, fault: &HttpFault) -> Self {
        let description = format!("{what}: {fault}.");
        match fault {
            HttpFault::Refused(_) => Self::request(description),
            HttpFault::TimedOut(_) => Self::new(StatusCode::GATEWAY_TIMEOUT, "gateway_timeout", description),
            _ => Self::bad_gateway(description),
        }
    }
}

impl From<StoreFault> for Fault {
    fn from(fault: StoreFault) -> Self {
        Self::server(fault.to_string())
    }
}

impl From<DiscoverFault> for Fault {
    fn from(fault: DiscoverFault) -> Self {
        match &fault {
            DiscoverFault::Unreachable { url, fault } => Self::of_call(url, fault),
            DiscoverFault::BadIssuer(_) => Self::request(format!("{fault}.")),
            _ => Self::bad_gateway(format!("{fault}.")),
        }
    }
}

impl From<TokenFault> for Fault {
    fn from(fault: TokenFault) -> Self {
        let description = format!("{fault}.");
        match fault {
            TokenFault::Unreachable(fault) => Self::of_call("The token endpoint cannot be asked", &fault),
            fault @ TokenFault::Refused { .. } if fault.is_passing() => Self::bad_gateway(description),
            TokenFault::Refused { error, .. } => Self::bad(error, description),
            TokenFault::NoEndpoint(_)
            | TokenFault::Busy(_)
            | TokenFault::Malformed
            | TokenFault::UnusableType(_) => Self::bad_gateway(description),
            fault => Self::server(fault.to_string()),
        }
    }
}

impl From<AuthorizeFault> for Fault {
    fn from(fault: AuthorizeFault) -> Self {
        let description = format!("{fault}.");
        match fault {
            AuthorizeFault::Refused { error, description } => Self::bad(
                error,
                description.unwrap_or_else(|| "The authorization server did not allow it.".to_owned()),
            ),
            AuthorizeFault::NoPkce(_) | AuthorizeFault::NoEndpoint(_) | AuthorizeFault::BadEndpoint(_) => {
                Self::bad_gateway(description)
            }
            AuthorizeFault::BadRedirect(_) => Self::server(fault.to_string()),
            _ => Self::request(description),
        }
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        answer.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(wait) = self.wait {
            answer.insert_header((header::RETRY_AFTER, wait.as_secs().max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        answer.json(Body {
            error: &self.code,
            error_description: &self.description,
            scope: self.scope.as_deref(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RefusedTarget;

    #[test]
    fn the_status_says_whose_fault_it_is() {
        let of_call = |fault: HttpFault| Fault::of_call("https://mcp.example.com", &fault).status.as_u16();
        assert_eq!(of_call(RefusedTarget::NotPublic.into()), 400);
        assert_eq!(of_call(HttpFault::TimedOut(Duration::from_secs(10))), 504);
        assert_eq!(of_call(HttpFault::Unreachable("x".into())), 502);
        assert_eq!(of_call(HttpFault::TooLarge(1)), 502);
        assert_eq!(
            Fault::from(StoreFault::Unavailable("x".into())).status.as_u16(),
            500
        );
    }

    #[test]
    fn what_is_ours_is_for_the_log_only() {
        let fault = Fault::from(StoreFault::Unavailable("redis://10.0.0.7 is down".into()));
        assert!(!fault.description.contains("10.0.0.7"));
        assert_eq!(
            fault.cause.as_deref(),
            Some("the store cannot be reached: redis://10.0.0.7 is down")
        );
    }
}
