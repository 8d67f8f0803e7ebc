//! The answer to a request that is not let through, and its one line in the log.

use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest, HttpResponse, http::header};
use mcp_gateway_model::{clock::Timestamp, id::RequestId, resource::Protected, scope::ScopeSet};
use serde_json::json;
use tracing::{debug, info, warn};

use crate::{
    challenge::challenge,
    cors,
    forwarded::Asked,
    reason::{Cause, Reason},
    verifier::Verifier,
};

/// A request that is not let through.
#[derive(Debug)]
pub(crate) struct Refusal<'r> {
    pub(crate) cause: Cause,
    /// What it was for, as far as that is known.
    pub(crate) asked: Option<Asked<'r>>,
    pub(crate) protected: Option<Arc<Protected>>,
    /// The scopes that the request needs; none if any will do, or if that is not known.
    pub(crate) needed: ScopeSet,
}

impl Refusal<'_> {
    /// A refusal before anything else is known.
    pub(crate) fn of(cause: Cause) -> Self {
        Self {
            cause,
            asked: None,
            protected: None,
            needed: ScopeSet::default(),
        }
    }

    /// What the client gets: status, challenge, and a small JSON body that a browser may read.
    pub(crate) fn into_response(
        self,
        verifier: &Verifier,
        request: &HttpRequest,
        now: Timestamp,
    ) -> HttpResponse {
        let reason = self.cause.reason;
        verifier.metrics.refused(reason);
        self.log(verifier, request, now);
        let mut response = HttpResponse::build(reason.status());
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        cors::add(&mut response, &verifier.settings.cors, request);
        if matches!(reason, Reason::StoreUnavailable | Reason::Busy) {
            response.insert_header((header::RETRY_AFTER, "1"));
        } else if let (Some(asked), Some(protected)) = (&self.asked, &self.protected)
            && let Some(value) = challenge(reason, asked, (protected, &self.needed), verifier)
        {
            response.insert_header((header::WWW_AUTHENTICATE, value));
        }
        if reason == Reason::McpHeaders {
            return response.json(header_mismatch());
        }
        response.json(json!({ "error": reason.error(), "error_description": self.cause.description() }))
    }

    fn log(&self, verifier: &Verifier, request: &HttpRequest, now: Timestamp) {
        let known = request.extensions().get::<RequestId>().cloned();
        let request_id = known.unwrap_or_else(RequestId::generate);
        let Cause { reason, detail } = &self.cause;
        let code = reason.code();
        let host = self.asked.as_ref().map_or("", Asked::authority);
        let resource = self.protected.as_ref().map_or("", |p| p.identity.as_str());
        match reason {
            Reason::StoreUnavailable => warn!(code, %request_id, resource, detail, "not verified"),
            Reason::Busy if verifier.flood_warnings.is_due(now) => {
                warn!(code, %request_id, "not verified: more tokens with signatures to check than there is time for");
            }
            _ if reason.is_setup() && verifier.setup_warnings.is_due(now) => {
                let peer = request
                    .peer_addr()
                    .map(|p| p.ip().to_string())
                    .unwrap_or_default();
                warn!(code, %request_id, host, peer, "not verified: {}", hint(*reason));
            }
            _ if reason.is_setup() || matches!(reason, Reason::NoToken | Reason::Busy) => {
                debug!(code, %request_id, host, resource, "not verified");
            }
            Reason::BodyMalformed => info!(code, %request_id, resource, detail, "not verified"),
            _ => info!(code, %request_id, resource, "not verified"),
        }
    }
}

/// What MCP has for headers that disagree with the body: clients know it, and do not take it for a server of another revision.
fn header_mismatch() -> serde_json::Value {
    let message = Reason::McpHeaders.description();
    json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32020, "message": message } })
}

/// What an operator can do about it.
const fn hint(reason: Reason) -> &'static str {
    match reason {
        Reason::UntrustedPeer => "the caller is not in TRUSTED_PROXIES",
        Reason::ForwardedHeaders => {
            "the proxy must send X-Forwarded-Host and X-Forwarded-Uri once each, as Traefik's ForwardAuth does"
        }
        Reason::UsersUnknown => {
            "personal access tokens are good only where the verifier knows who may log in: set ALLOWED_GITHUB_USERS for it too"
        }
        Reason::ForwardedMethod => {
            "the proxy must send X-Forwarded-Method once, as Traefik's ForwardAuth does: this resource has rules that need it"
        }
        Reason::BodyMissing => {
            "the request came without its body, and this resource has rules for tools or MCP methods: set forwardBody: true in the proxy's ForwardAuth middleware"
        }
        _ => "no configured resource covers the host and path of this request",
    }
}
