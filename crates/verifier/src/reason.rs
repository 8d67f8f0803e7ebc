//! Why a request is not let through: a code for the log and the metrics, and what the client is told instead.

use actix_web::http::StatusCode;
use mcp_gateway_model::{error::ErrorCode, rule::BadBody};
use mcp_gateway_store::StoreError;

/// Why a request is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The caller is not a trusted proxy.
    UntrustedPeer,
    /// `X-Forwarded-Host` or `X-Forwarded-Uri` is missing, repeated or malformed.
    ForwardedHeaders,
    /// No resource covers the address.
    NotProtected,
    /// There is no authorization server, so that access tokens are not good.
    OAuthOff,
    /// No `Authorization`, or one of another scheme.
    NoToken,
    /// More than one `Authorization`.
    SeveralCredentials,
    /// Not the form of an access token.
    Malformed,
    /// A refresh token.
    RefreshToken,
    /// A header that our tokens do not have.
    Header,
    /// `typ` is not `at+jwt`.
    Type,
    /// No key has this `kid`.
    UnknownKey,
    /// `alg` is not the key's.
    Algorithm,
    /// The signature is not the key's.
    Signature,
    /// The claims are not those of an access token.
    Claims,
    /// Another issuer.
    Issuer,
    /// Another resource.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `iat` or `nbf` lies in the future.
    NotYet,
    /// The grant has ended.
    GrantEnded,
    /// The grant is not the one that the claims describe, or that the personal access token opens.
    GrantDiffers,
    /// The access rules do not let the user in, or not any more.
    NotAllowed,
    /// The user was let in for where they belong, and that was asked too long ago.
    MembershipStale,
    /// Nobody told this process who may log in, so that no personal access token can be checked.
    UsersUnknown,
    /// The token does not have the scopes that this request needs.
    Scope,
    /// `X-Forwarded-Method` is missing, repeated or malformed, and a rule needs it.
    ForwardedMethod,
    /// A header says that another method or path is meant.
    Override,
    /// The connection is to be upgraded, and what is then said on it could not be read.
    Upgrade,
    /// A rule matches only if the case of letters does not matter.
    Unclear,
    /// A rule needs the body, and neither it nor trusted headers are there.
    BodyMissing,
    /// The body is larger than what is read.
    BodyTooLarge,
    /// The body ended early.
    BodyIncomplete,
    /// The body is compressed, or in another character set.
    BodyEncoded,
    /// The body is not JSON-RPC that everybody reads alike.
    BodyMalformed,
    /// `Mcp-Method` or `Mcp-Name` is repeated, or says something else than the body.
    McpHeaders,
    /// The store gave no answer.
    StoreUnavailable,
    /// Too many signatures are to be checked.
    Busy,
    /// The issuer gave no answer to a server that checks tokens itself.
    IssuerUnavailable,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub(crate) const ALL: [Self; 37] = [
        Self::UntrustedPeer,
        Self::ForwardedHeaders,
        Self::NotProtected,
        Self::OAuthOff,
        Self::NoToken,
        Self::SeveralCredentials,
        Self::Malformed,
        Self::RefreshToken,
        Self::Header,
        Self::Type,
        Self::UnknownKey,
        Self::Algorithm,
        Self::Signature,
        Self::Claims,
        Self::Issuer,
        Self::Audience,
        Self::Expired,
        Self::NotYet,
        Self::GrantEnded,
        Self::GrantDiffers,
        Self::NotAllowed,
        Self::MembershipStale,
        Self::UsersUnknown,
        Self::Scope,
        Self::ForwardedMethod,
        Self::Override,
        Self::Upgrade,
        Self::Unclear,
        Self::BodyMissing,
        Self::BodyTooLarge,
        Self::BodyIncomplete,
        Self::BodyEncoded,
        Self::BodyMalformed,
        Self::McpHeaders,
        Self::StoreUnavailable,
        Self::Busy,
        Self::IssuerUnavailable,
    ];

    /// The code in logs and metrics.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::UntrustedPeer => "untrusted_peer",
            Self::ForwardedHeaders => "forwarded_headers",
            Self::NotProtected => "not_protected",
            Self::OAuthOff => "oauth_off",
            Self::NoToken => "no_token",
            Self::SeveralCredentials => "several_credentials",
            Self::Malformed => "malformed_token",
            Self::RefreshToken => "refresh_token_as_bearer",
            Self::Header => "unexpected_header",
            Self::Type => "wrong_type",
            Self::UnknownKey => "unknown_key",
            Self::Algorithm => "wrong_algorithm",
            Self::Signature => "bad_signature",
            Self::Claims => "bad_claims",
            Self::Issuer => "wrong_issuer",
            Self::Audience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYet => "not_yet_valid",
            Self::GrantEnded => "grant_ended",
            Self::GrantDiffers => "grant_differs",
            Self::NotAllowed => "not_allowed",
            Self::MembershipStale => "membership_stale",
            Self::UsersUnknown => "users_unknown",
            Self::Scope => "insufficient_scope",
            Self::ForwardedMethod => "forwarded_method",
            Self::Override => "override",
            Self::Upgrade => "upgrade",
            Self::Unclear => "unclear_case",
            Self::BodyMissing => "body_missing",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyIncomplete => "body_incomplete",
            Self::BodyEncoded => "body_encoded",
            Self::BodyMalformed => "body_malformed",
            Self::McpHeaders => "mcp_headers",
            Self::StoreUnavailable => "store_unavailable",
            Self::Busy => "busy",
            Self::IssuerUnavailable => "issuer_unavailable",
        }
    }

    /// The status of the answer.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::UntrustedPeer | Self::ForwardedHeaders | Self::SeveralCredentials => {
                StatusCode::BAD_REQUEST
            }
            Self::NotProtected | Self::Scope | Self::BodyMissing => StatusCode::FORBIDDEN,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            _ if self.is_about_the_request() => StatusCode::BAD_REQUEST,
            Self::StoreUnavailable | Self::Busy | Self::IssuerUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        }
    }

    /// The error code of the answer.
    pub(crate) const fn error(self) -> ErrorCode {
        match self {
            Self::UntrustedPeer | Self::ForwardedHeaders | Self::SeveralCredentials => {
                ErrorCode::InvalidRequest
            }
            Self::NotProtected | Self::BodyMissing => ErrorCode::AccessDenied,
            _ if self.is_about_the_request() => ErrorCode::InvalidRequest,
            Self::Scope => ErrorCode::InsufficientScope,
            Self::StoreUnavailable | Self::Busy | Self::IssuerUnavailable => {
                ErrorCode::TemporarilyUnavailable
            }
            _ => ErrorCode::InvalidToken,
        }
    }

    /// What the client is told: the rule, never which check failed.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::UntrustedPeer | Self::ForwardedHeaders => {
                "this address answers the reverse proxy, which names the request in X-Forwarded-Host and X-Forwarded-Uri"
            }
            Self::NotProtected => "no server is protected at this address",
            Self::OAuthOff => "this gateway takes personal access tokens and its API key only",
            Self::NoToken => "an access token is required",
            Self::SeveralCredentials => "send exactly one Authorization header",
            Self::Expired => "the access token has expired",
            Self::Scope => "the access token does not have the scopes that this request needs",
            Self::ForwardedMethod => "the reverse proxy must name the request's method in X-Forwarded-Method",
            Self::Override => {
                "send the method and the path that are meant, without a header that names another"
            }
            Self::Upgrade => {
                "this server takes messages in requests of their own only, not on upgraded connections"
            }
            Self::Unclear => {
                "write the method, the path and the tool in upper and lower case exactly as the server has them"
            }
            Self::BodyMissing => {
                "this gateway is not set up to read what this request asks for; its operator finds the reason in its log"
            }
            Self::BodyTooLarge => "the body is larger than this gateway reads for this server",
            Self::BodyIncomplete => "the body ended early",
            Self::BodyEncoded => "send the body in UTF-8, without a content coding",
            Self::BodyMalformed => "the body must be a JSON-RPC message",
            Self::McpHeaders => {
                "Header mismatch: send Mcp-Method and Mcp-Name at most once, and the same as in the body"
            }
            Self::StoreUnavailable | Self::Busy | Self::IssuerUnavailable => {
                "the token cannot be checked at the moment; try again"
            }
            _ => "an access token that was issued for this server and has not ended is required",
        }
    }

    /// Whether the cause lies in how the proxy or the resources are set up.
    pub(crate) const fn is_setup(self) -> bool {
        matches!(
            self,
            Self::UntrustedPeer
                | Self::ForwardedHeaders
                | Self::NotProtected
                | Self::UsersUnknown
                | Self::ForwardedMethod
                | Self::BodyMissing
        )
    }

    /// Whether the request itself is at fault, or how it came here: no other token would help.
    pub(crate) const fn is_about_the_request(self) -> bool {
        matches!(
            self,
            Self::ForwardedMethod
                | Self::Override
                | Self::Upgrade
                | Self::Unclear
                | Self::BodyMissing
                | Self::BodyTooLarge
                | Self::BodyIncomplete
                | Self::BodyEncoded
                | Self::BodyMalformed
                | Self::McpHeaders
        )
    }
}

/// A reason, with what else the log should know.
#[derive(Debug)]
pub(crate) struct Cause {
    pub(crate) reason: Reason,
    /// Never a secret.
    pub(crate) detail: String,
}

impl Cause {
    /// Whether it says something of the credential; otherwise it could not be looked at.
    pub(crate) const fn is_verdict(&self) -> bool {
        !matches!(
            self.reason,
            Reason::StoreUnavailable | Reason::Busy | Reason::IssuerUnavailable
        )
    }

    /// A body that is not what everybody reads alike.
    pub(crate) fn of_body(bad: BadBody) -> Self {
        Self {
            reason: Reason::BodyMalformed,
            detail: bad.to_string(),
        }
    }

    /// What the client is told; of a body, what is wrong with it.
    pub(crate) fn description(&self) -> &str {
        match self.reason {
            Reason::BodyMalformed => &self.detail,
            reason => reason.description(),
        }
    }
}

impl From<Reason> for Cause {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            detail: String::new(),
        }
    }
}

impl From<StoreError> for Cause {
    fn from(error: StoreError) -> Self {
        Self {
            reason: Reason::StoreUnavailable,
            detail: error.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place_and_a_code_of_its_own() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|r| r.code()).collect();
        assert!(Reason::ALL.iter().enumerate().all(|(i, r)| *r as usize == i));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }

    #[test]
    fn no_reason_is_a_success() {
        assert!(
            Reason::ALL
                .iter()
                .all(|r| r.status().is_client_error() || r.status().is_server_error())
        );
    }
}
