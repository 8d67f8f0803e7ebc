//! What somebody is told who is not let in, and the one line about it in the log.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{self, HeaderValue},
    },
};
use mcp_gateway_model::{id::RequestId, scope::ScopeSet};
use serde_json::json;
use tracing::{debug, info, warn};

use super::{ResourceServer, places};
use crate::{
    challenge, cors,
    reason::{Cause, Reason},
};

/// Somebody is not let in.
#[derive(Clone, Debug)]
pub struct Denied {
    reason: Reason,
    challenge: Option<HeaderValue>,
}

impl Denied {
    /// 401 without a good token, 403 when it does not allow this, 400 for what is no one credential, 503 when the issuer
    /// cannot be asked.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.reason.status()
    }

    /// The error code ([RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1)).
    #[must_use]
    pub const fn error(&self) -> &'static str {
        self.reason.error().as_str()
    }

    /// What a person is told: the rule, never which check failed.
    #[must_use]
    pub const fn description(&self) -> &'static str {
        self.reason.description()
    }

    /// `WWW-Authenticate`, where another token would help.
    #[must_use]
    pub const fn challenge(&self) -> Option<&HeaderValue> {
        self.challenge.as_ref()
    }

    /// `Retry-After` in seconds, where the same token may help later.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1)
    }
}

impl ResourceServer {
    /// What is answered to a request to `path` that needs `needed`; the log is told why.
    pub(super) fn denied(&self, path: &str, cause: &Cause, needed: &ScopeSet) -> Denied {
        let Cause { reason, detail } = cause;
        self.log(*reason, detail);
        let metadata = places::metadata_url(self, path);
        let least = self.settings.hierarchy.lowest(&self.settings.scopes);
        let scopes = if needed.is_empty() { &least } else { needed };
        let helps = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&reason.status());
        let challenge = helps.then(|| challenge::bearer(*reason, Some(&metadata), scopes));
        Denied {
            reason: *reason,
            challenge: challenge.flatten(),
        }
    }

    /// The answer of a server that has no way of its own to say it: status, challenge, and a small JSON body that a browser
    /// may read.
    #[must_use]
    pub fn respond(&self, request: &HttpRequest, denied: &Denied) -> HttpResponse {
        let mut response = HttpResponse::build(denied.status());
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        cors::add(&mut response, &self.settings.cors, request);
        if let Some(challenge) = denied.challenge() {
            response.insert_header((header::WWW_AUTHENTICATE, challenge.clone()));
        }
        if let Some(seconds) = denied.retry_after() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.json(json!({ "error": denied.error(), "error_description": denied.description() }))
    }

    fn log(&self, reason: Reason, detail: &str) {
        let (code, request_id) = (reason.code(), RequestId::generate());
        let (issuer, resource) = (&self.settings.issuer, &self.settings.uri);
        match reason {
            Reason::IssuerUnavailable if self.outages.is_due(self.clock.now()) => {
                warn!(code, %request_id, %issuer, %resource, detail, "nobody is let in: the issuer cannot be asked");
            }
            Reason::IssuerUnavailable | Reason::Busy | Reason::NoToken => {
                debug!(code, %request_id, detail, "not let in");
            }
            _ => info!(code, %request_id, %resource, "not let in"),
        }
    }
}
