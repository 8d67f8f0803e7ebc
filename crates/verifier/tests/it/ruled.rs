//! A stand whose echo server has rules, and ways to ask about it.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use actix_web::http::StatusCode;
use mcp_gateway_model::{
    resource::{Resource, ResourceUri, Resources},
    rule::{Effect, HttpMethod, NamePattern, PathPattern, Rule},
    scope::{Hierarchy, ScopeSet},
};
use mcp_gateway_verifier::Settings;
use serde_json::json;

use crate::{
    signer::Signer,
    stand::{Answer, ECHO, Stand, about, settings},
};

pub(crate) fn rule(effect: Effect) -> Rule {
    Rule {
        http_methods: vec![],
        paths: vec![],
        mcp_methods: vec![],
        tools: vec![],
        effect,
    }
}

pub(crate) fn needs(scopes: &str) -> Rule {
    rule(Effect::Needs(ScopeSet::parse(scopes).unwrap()))
}

pub(crate) fn tools(pattern: &str, scopes: &str) -> Rule {
    Rule {
        tools: vec![NamePattern::parse(pattern).unwrap()],
        ..needs(scopes)
    }
}

pub(crate) fn methods(method: &str, rule: Rule) -> Rule {
    Rule {
        http_methods: vec![HttpMethod::parse(method).unwrap()],
        ..rule
    }
}

pub(crate) fn paths(pattern: &str, rule: Rule) -> Rule {
    Rule {
        paths: vec![PathPattern::parse(pattern).unwrap()],
        ..rule
    }
}

/// A stand whose echo server has these rules, and needs `read` where none matches.
pub(crate) fn governed(rules: Vec<Rule>, change: impl FnOnce(&mut Resource)) -> Stand {
    Stand::with(governed_settings(rules, change), Signer::ed25519())
}

/// The settings of a verifier of such a resource.
pub(crate) fn governed_settings(rules: Vec<Rule>, change: impl FnOnce(&mut Resource)) -> Settings {
    let echo = Resource::new(ResourceUri::parse(ECHO).unwrap(), None);
    let read = ScopeSet::parse("read").unwrap();
    let mut echo = echo.governed(ScopeSet::usual(), Some(read), rules, &Hierarchy::default());
    change(&mut echo);
    let resources = Resources::new(vec![echo], vec![], "auth.example.com");
    settings(resources)
}

/// Tools that create need `write`, those with keys `admin`.
pub(crate) fn by_tool() -> Stand {
    governed(vec![tools("create_*", "write"), tools("*_key", "admin")], |_| {})
}

pub(crate) fn call(tool: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool } }).to_string()
}

/// The answer about a POST with this body and these headers, by somebody with these scopes.
pub(crate) async fn post(stand: &Stand, scopes: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let token = stand.token_where("scope", json!(scopes));
    let request = about(ECHO)
        .insert_header(("authorization", format!("Bearer {token}")))
        .set_payload(body.to_owned());
    let request = headers.iter().fold(request, |r, h| r.append_header(*h));
    stand.ask(request).await
}

/// The answer about a request without a body, by somebody with `read`.
pub(crate) async fn plain(stand: &Stand, method: &str, path: &str) -> Answer {
    let token = stand.token_where("scope", json!("read"));
    let request = about(&format!("https://echo.example.com{path}"))
        .insert_header(("x-forwarded-method", method))
        .insert_header(("authorization", format!("Bearer {token}")));
    stand.ask(request).await
}

pub(crate) fn refused_as_request(answer: &Answer, status: StatusCode) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
