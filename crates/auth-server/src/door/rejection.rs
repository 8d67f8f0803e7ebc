//! The JSON door: what a client is told (RFC 6749 §5.2), and apart from it what the log is told.

use std::{borrow::Cow, time::Duration};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use mcp_gateway_model::error::{ErrorCode, LoggedReason};
use mcp_gateway_store::StoreError;
use serde_json::json;

use crate::keys::KeyError;

/// The reason of requests that come too often.
pub(crate) const RATE_LIMITED: &str = "rate_limited";

/// An error for a client.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {description}")]
pub(crate) struct Rejection {
    status: StatusCode,
    code: ErrorCode,
    /// Tells the client the rule.
    description: Cow<'static, str>,
    /// Tells the log the reason.
    reason: LoggedReason,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Rejection {
    /// An error with the status that RFC 6749 §5.2 gives its code: 401 for `invalid_client`, else 400.
    pub(crate) fn new(
        code: ErrorCode,
        description: impl Into<Cow<'static, str>>,
        reason: &'static str,
    ) -> Self {
        let status = match code {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
            ErrorCode::InsufficientScope | ErrorCode::AccessDenied => StatusCode::FORBIDDEN,
            ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        let reason = LoggedReason {
            code: reason,
            detail: String::new(),
        };
        Self {
            status,
            code,
            description: description.into(),
            reason,
            header: None,
        }
    }

    /// With a detail that only the log is told.
    pub(crate) fn because(mut self, detail: impl Into<String>) -> Self {
        self.reason.detail = detail.into();
        self
    }

    /// With another status.
    pub(crate) const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With a header.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// 429: come back after `wait`.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let seconds = wait
            .as_secs()
            .saturating_add(u64::from(wait.subsec_nanos() > 0))
            .max(1);
        Self::new(
            ErrorCode::TemporarilyUnavailable,
            format!("too many requests: try again in {seconds} s"),
            RATE_LIMITED,
        )
        .with_status(StatusCode::TOO_MANY_REQUESTS)
        .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The error code.
    pub(crate) const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the client is told.
    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// What the log is told.
    pub(crate) const fn reason(&self) -> &LoggedReason {
        &self.reason
    }
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        Self::new(
            ErrorCode::TemporarilyUnavailable,
            "the server cannot reach its store; try again in a moment",
            "store_unavailable",
        )
        .because(error.to_string())
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

impl From<KeyError> for Rejection {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => error.into(),
            KeyError::Busy => Self::new(
                ErrorCode::TemporarilyUnavailable,
                "too many tokens are asked for at once: try again in a moment",
                "signing_busy",
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1")),
            error => Self::new(
                ErrorCode::ServerError,
                "the server cannot use its signing keys; its operator has to look",
                "signing_keys",
            )
            .because(error.to_string()),
        }
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::PRAGMA, "no-cache"));
        if let Some((name, value)) = &self.header {
            response.insert_header((name.clone(), value.clone()));
        }
        let mut response =
            response.json(json!({ "error": self.code, "error_description": self.description }));
        response.extensions_mut().insert(self.reason.clone());
        response
    }
}
