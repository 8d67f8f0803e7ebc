//! Which scopes are asked for
//! ([MCP scope selection](https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization#scope-selection-strategy)).

use mcp_gateway_model::scope::{OFFLINE_ACCESS, ScopeSet};

use crate::{
    discover::{Challenge, ResourceMetadata, ServerMetadata},
    words::scopes,
};

/// What a first login asks for: the challenge's scopes, else all that the resource has, else none in particular. With
/// `offline_access` where the authorization server has it, so that the token can be refreshed.
#[must_use]
pub fn initial(
    challenge: Option<&Challenge>,
    resource: Option<&ResourceMetadata>,
    server: &ServerMetadata,
) -> Option<ScopeSet> {
    let challenged = challenge.and_then(Challenge::scope).map(|text| scopes([text]));
    let challenged = challenged.filter(|scopes| !scopes.is_empty());
    let listed = || {
        let listed = resource?.scopes_supported.as_ref()?;
        Some(scopes(listed.iter().map(String::as_str)))
    };
    let wanted = challenged.or_else(listed).filter(|scopes| !scopes.is_empty())?;
    Some(with_offline(&wanted, server))
}

/// What a further login asks for: what was asked for and what was granted before, and what the challenge adds.
#[must_use]
pub fn step_up(before: &ScopeSet, challenge: &Challenge, server: &ServerMetadata) -> ScopeSet {
    let added = scopes(challenge.scope());
    with_offline(&before.union(&added), server)
}

/// `wanted`, and `offline_access` where the authorization server has it.
pub(crate) fn with_offline(wanted: &ScopeSet, server: &ServerMetadata) -> ScopeSet {
    let may_refresh = server.grant_types_supported.is_none() || server.has_grant_type("refresh_token");
    if may_refresh && server.has_scope(OFFLINE_ACCESS) {
        return wanted.union(&scopes([OFFLINE_ACCESS]));
    }
    wanted.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(scopes: &[&str]) -> ServerMetadata {
        serde_json::from_value(json!({"issuer": "https://a.example", "scopes_supported": scopes})).unwrap()
    }

    fn resource(scopes: &[&str]) -> ResourceMetadata {
        serde_json::from_value(json!({"resource": "https://r.example", "scopes_supported": scopes})).unwrap()
    }

    fn challenge(scope: &str) -> Challenge {
        Challenge {
            scheme: "bearer".into(),
            parameters: vec![("scope".into(), scope.into())],
        }
    }

    fn text(scopes: Option<ScopeSet>) -> Option<String> {
        scopes.map(|scopes| scopes.to_string())
    }

    #[test]
    fn the_challenge_comes_before_the_metadata_and_nothing_is_invented() {
        let (challenge, resource) = (challenge("files:read"), resource(&["a", "b"]));
        let plain = server(&["x"]);
        assert_eq!(
            text(initial(Some(&challenge), Some(&resource), &plain)).as_deref(),
            Some("files:read")
        );
        assert_eq!(
            text(initial(None, Some(&resource), &plain)).as_deref(),
            Some("a b")
        );
        assert_eq!(initial(None, None, &plain), None);
        assert_eq!(initial(None, None, &server(&[OFFLINE_ACCESS])), None);
    }

    #[test]
    fn offline_access_is_asked_for_where_the_server_has_it() {
        let found = initial(Some(&challenge("a")), None, &server(&[OFFLINE_ACCESS]));
        assert_eq!(text(found).as_deref(), Some("a offline_access"));
    }

    #[test]
    fn a_step_up_loses_nothing() {
        let before = scopes(["files:read"]);
        let found = step_up(&before, &challenge("files:write"), &server(&[]));
        assert_eq!(found.to_string(), "files:read files:write");
    }
}
