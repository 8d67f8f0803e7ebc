//! The first request, without a token.

use actix_web::HttpResponse;
use serde_json::json;

use super::stand::{PRM, challenge, good_challenge, is_first, only, open, passing, place};
use crate::support::site::{self, Asked};

/// A server that answers its first request with `status`, and everything else as it should.
fn answering(status: u16) -> impl Fn(&str, &Asked) -> Option<HttpResponse> + Send + Sync + 'static {
    move |_, asked| is_first(asked).then(|| open(status).json(json!({"answer": status})))
}

#[tokio::test]
async fn a_server_that_asks_for_no_token_is_not_protected() {
    let report = only("not-protected", answering(200)).await;
    assert_eq!(passing(&report), Vec::<&str>::new());
}

#[tokio::test]
async fn a_server_that_asks_for_a_token_when_a_tool_is_called_is_protected() {
    // it tells anybody what it is, and has a stream for everybody
    let report = only("token-only-for-calls", |_, asked| {
        let is_open = asked.header("authorization").is_none() && !asked.body.contains("tools/call");
        let is_its = asked.path == "/mcp" && asked.method != "OPTIONS";
        (is_open && is_its).then(|| open(200).json(json!({"jsonrpc": "2.0", "id": 1, "result": {}})))
    })
    .await;
    assert!(report.ok);
    assert_eq!(passing(&report).len(), report.clients.len(), "{report:?}");
}

#[tokio::test]
async fn a_server_without_any_oauth_is_only_said_to_be_unprotected() {
    only("not-protected", |_, asked| {
        Some(match place(asked) {
            ("POST", "/mcp") => open(200).json(json!({"jsonrpc": "2.0", "id": 1, "result": {}})),
            _ => site::page(200),
        })
    })
    .await;
}

#[tokio::test]
async fn a_403_where_a_401_belongs_is_named() {
    only("forbidden-instead-of-401", answering(403)).await;
}

#[tokio::test]
async fn a_redirect_to_a_login_page_is_no_401() {
    let report = only("login-page", |_, asked| {
        let to = ("Location", "https://login.example.com/?next=%2Fmcp");
        is_first(asked).then(|| HttpResponse::Found().append_header(to).finish())
    })
    .await;
    assert!(
        report.findings[0].seen[0].contains("login.example.com"),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_login_page_is_no_401() {
    only("login-page", |_, asked| is_first(asked).then(|| site::page(200))).await;
}

#[tokio::test]
async fn a_wrong_path_is_named_and_traefik_recognised() {
    let report = only("not-found", |_, asked| {
        is_first(asked).then(|| {
            HttpResponse::NotFound()
                .content_type("text/plain; charset=utf-8")
                .body("404 page not found\n")
        })
    })
    .await;
    assert!(report.findings[0].seen[0].contains("Traefik"), "{report:?}");
}

#[tokio::test]
async fn a_proxy_that_does_not_reach_the_server_is_named() {
    only("server-error", answering(502)).await;
}

#[tokio::test]
async fn a_server_that_looks_at_the_body_before_the_token_is_named() {
    only("wrong-status", answering(400)).await;
}

/// Whether a client of revision 2026-07-28 asks.
fn is_modern(asked: &Asked) -> bool {
    asked.header("mcp-method") == Some("server/discover")
        && asked.header("mcp-protocol-version") == Some("2026-07-28")
        && asked.body.contains("io.modelcontextprotocol/protocolVersion")
}

#[tokio::test]
async fn a_server_that_asks_only_the_newest_revision_for_a_token_is_a_hint() {
    for status in [400, 404] {
        let report = only("only-2026-07-28", move |_, asked| {
            (place(asked) == ("POST", "/mcp") && !is_modern(asked)).then(|| open(status).finish())
        })
        .await;
        assert!(report.ok);
        assert_eq!(passing(&report).len(), 7, "{report:?}");
    }
}

#[tokio::test]
async fn a_server_that_looks_at_the_revision_before_the_token_is_a_hint() {
    let report = only("not-401-for-2026-07-28", |_, asked| {
        is_modern(asked).then(|| open(400).json(json!({"error": {"code": -32022}})))
    })
    .await;
    assert!(report.ok);
    assert_eq!(passing(&report).len(), 8, "{report:?}");
}

#[tokio::test]
async fn a_401_without_www_authenticate_is_named() {
    only("no-www-authenticate", |_, asked| {
        is_first(asked).then(|| open(401).finish())
    })
    .await;
}

#[tokio::test]
async fn a_challenge_for_a_password_is_named() {
    let report = only("not-bearer", |_, asked| {
        is_first(asked).then(|| challenge("Basic realm=\"mcp\""))
    })
    .await;
    assert!(report.findings[0].seen[0].contains("basic"), "{report:?}");
}

#[tokio::test]
async fn a_challenge_without_resource_metadata_is_named() {
    only("no-resource-metadata", |_, asked| {
        is_first(asked).then(|| challenge("Bearer realm=\"mcp\""))
    })
    .await;
}

#[tokio::test]
async fn a_relative_resource_metadata_is_named() {
    let report = only("relative-resource-metadata", |_, asked| {
        is_first(asked).then(|| challenge(&format!("Bearer resource_metadata=\"{PRM}/mcp\"")))
    })
    .await;
    assert_eq!(passing(&report), ["Claude", "revision 2025-03-26"]);
}

#[tokio::test]
async fn an_error_without_a_token_is_a_hint() {
    let report = only("error-without-token", |base, asked| {
        is_first(asked).then(|| good_challenge(base, ", error=\"invalid_token\""))
    })
    .await;
    assert!(report.ok);
}

fn with_token(asked: &Asked) -> bool {
    place(asked) == ("POST", "/mcp") && asked.header("authorization").is_some()
}

#[tokio::test]
async fn a_bad_token_has_to_be_answered_with_401() {
    only("bad-token-not-401", |_, asked| {
        with_token(asked).then(|| open(403).json(json!({"error": "forbidden"})))
    })
    .await;
}

#[tokio::test]
async fn a_bad_token_has_to_be_called_invalid() {
    let report = only("no-invalid-token", |base, asked| {
        with_token(asked).then(|| good_challenge(base, ""))
    })
    .await;
    assert!(report.ok);
}

#[tokio::test]
async fn a_server_that_takes_any_token_is_named() {
    only("any-token-accepted", |_, asked| {
        with_token(asked).then(|| open(200).json(json!({"jsonrpc": "2.0", "id": 1, "result": {}})))
    })
    .await;
}

#[tokio::test]
async fn a_stream_that_is_open_to_everybody_is_named() {
    only("open-stream", |_, asked| {
        (place(asked) == ("GET", "/mcp"))
            .then(|| open(200).content_type("text/event-stream").body(": hello\n\n"))
    })
    .await;
}
