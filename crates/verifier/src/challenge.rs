//! `WWW-Authenticate` ([RFC 6750 §3](https://www.rfc-editor.org/rfc/rfc6750#section-3),
//! [RFC 9728 §5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1)).

use actix_web::http::{StatusCode, header::HeaderValue};
use mcp_gateway_model::{resource::Protected, scope::ScopeSet};

use crate::{discovery, forwarded::Asked, reason::Reason, verifier::Verifier};

/// What a client must do to be let in: read the metadata and ask for all scopes that the request needs; if it needs none in
/// particular, for the least that there is. Without a token in the request there
/// is no `error` (RFC 6750 §3.1), and without an authorization server there is nothing to read or to ask for.
pub(crate) fn challenge(
    reason: Reason,
    asked: &Asked<'_>,
    (protected, needed): (&Protected, &ScopeSet),
    verifier: &Verifier,
) -> Option<HeaderValue> {
    let oauth = verifier.settings.oauth_enabled;
    if !oauth && reason.status() == StatusCode::UNAUTHORIZED {
        return Some(HeaderValue::from_static("Bearer"));
    }
    if reason.is_about_the_request() {
        return None;
    }
    let metadata = oauth.then(|| discovery::metadata_url(asked, protected, verifier));
    let default = &protected.resource.default_scopes;
    let scopes = if needed.is_empty() { default } else { needed };
    bearer(reason, metadata.as_deref(), scopes)
}

/// The challenge to somebody whose credential was refused for `reason`.
pub(crate) fn bearer(reason: Reason, metadata: Option<&str>, scopes: &ScopeSet) -> Option<HeaderValue> {
    let mut parameters = Vec::with_capacity(4);
    if reason != Reason::NoToken {
        parameters.push(quoted("error", reason.error().as_str()));
        parameters.push(quoted("error_description", reason.description()));
    }
    if let Some(metadata) = metadata {
        parameters.push(quoted("resource_metadata", metadata));
    }
    if !scopes.is_empty() {
        parameters.push(quoted("scope", &scopes.to_string()));
    }
    HeaderValue::try_from(format!("Bearer {}", parameters.join(", "))).ok()
}

/// A parameter with a quoted string (RFC 9110 §5.6.4).
fn quoted(name: &str, value: &str) -> String {
    let mut text = format!("{name}=\"");
    for c in value.chars() {
        if c == '"' || c == '\\' {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_cannot_end_a_value() {
        assert_eq!(quoted("a", r#"b", c="d\"#), r#"a="b\", c=\"d\\""#);
    }
}
