//! Clients in a browser.

use actix_web::HttpResponse;
use serde_json::json;

use super::stand::{OAUTH, PRM, is_first, only, open, passing, place};
use crate::support::site::{self, Asked};

fn has_origin(asked: &Asked) -> bool {
    asked.header("origin") == Some("http://localhost:6274")
}

/// All but MCP Inspector get through.
fn only_inspector_is_stopped(report: &mcp_gateway_client::doctor::Report) {
    assert_eq!(passing(report).len(), 7, "{report:?}");
    assert!(!passing(report).contains(&"MCP Inspector"), "{report:?}");
}

#[tokio::test]
async fn a_401_without_cors_stops_clients_in_a_browser() {
    let report = only("cors-challenge", |base, asked| {
        let text = format!("Bearer resource_metadata=\"{base}{PRM}/mcp\"");
        let header = ("WWW-Authenticate", text);
        is_first(asked).then(|| HttpResponse::Unauthorized().append_header(header).finish())
    })
    .await;
    only_inspector_is_stopped(&report);
}

#[tokio::test]
async fn a_server_that_refuses_foreign_origins_stops_clients_in_a_browser() {
    let report = only("cors-challenge", |_, asked| {
        (is_first(asked) && has_origin(asked)).then(|| open(403).finish())
    })
    .await;
    assert!(report.findings[0].seen[0].contains("status 403"), "{report:?}");
}

#[tokio::test]
async fn a_challenge_that_is_not_exposed_is_named() {
    only("cors-exposed", |base, asked| {
        let text = format!("Bearer resource_metadata=\"{base}{PRM}/mcp\"");
        is_first(asked).then(|| {
            HttpResponse::Unauthorized()
                .append_header(("Access-Control-Allow-Origin", "http://localhost:6274"))
                .append_header(("WWW-Authenticate", text))
                .finish()
        })
    })
    .await;
}

#[tokio::test]
async fn a_preflight_that_needs_a_token_is_named() {
    let report = only("cors-preflight", |_, asked| {
        (place(asked) == ("OPTIONS", "/mcp")).then(|| open(401).finish())
    })
    .await;
    only_inspector_is_stopped(&report);
}

#[tokio::test]
async fn a_star_does_not_allow_the_authorization_header() {
    let report = only("cors-preflight", |_, asked| {
        let star = ("Access-Control-Allow-Headers", "*");
        (place(asked) == ("OPTIONS", "/mcp")).then(|| open(204).append_header(star).finish())
    })
    .await;
    let seen = &report.findings[0].seen[0];
    assert!(
        seen.ends_with("does not allow the headers authorization"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_preflight_that_knows_one_revision_only_is_named_with_the_other() {
    let before = "authorization, content-type, mcp-protocol-version, mcp-session-id, last-event-id";
    let since = "authorization, content-type, mcp-protocol-version, mcp-method, mcp-name";
    for (allowed, refused) in [
        (
            before,
            "does not allow the headers mcp-method, mcp-name: clients of revision 2026-07-28 send them",
        ),
        (
            since,
            "does not allow the headers mcp-session-id, last-event-id: clients of revisions before 2026-07-28 send them",
        ),
        (
            "authorization, content-type",
            "does not allow the headers mcp-protocol-version, mcp-session-id, last-event-id, mcp-method, mcp-name",
        ),
    ] {
        let report = only("cors-preflight", move |_, asked| {
            let headers = ("Access-Control-Allow-Headers", allowed);
            (place(asked) == ("OPTIONS", "/mcp")).then(|| open(204).append_header(headers).finish())
        })
        .await;
        let seen = &report.findings[0].seen[0];
        assert!(seen.ends_with(refused), "{seen}");
        only_inspector_is_stopped(&report);
    }
}

#[tokio::test]
async fn a_revocation_endpoint_without_cors_is_named_and_stops_nobody() {
    let report = only("cors-endpoints", |base, asked| match place(asked).1 {
        OAUTH => Some(super::stand::metadata(base, |it| {
            it["revocation_endpoint"] = format!("{base}/revoke").into();
        })),
        "/revoke" => Some(site::json(400, &json!({"error": "invalid_client"}))),
        _ => None,
    })
    .await;
    assert_eq!(passing(&report).len(), 8, "{report:?}");
    assert!(report.findings[0].seen[0].contains("/revoke"), "{report:?}");
}

#[tokio::test]
async fn metadata_without_cors_is_named() {
    for document in [OAUTH, "/.well-known/oauth-protected-resource/mcp"] {
        let report = only("cors-metadata", move |base, asked| {
            let metadata = if document == OAUTH {
                super::stand::metadata(base, |_| ())
            } else {
                super::stand::resource(base, |_| ())
            };
            let mut answer = metadata;
            answer.headers_mut().remove("access-control-allow-origin");
            (place(asked) == ("GET", document)).then_some(answer)
        })
        .await;
        only_inspector_is_stopped(&report);
    }
}

#[tokio::test]
async fn endpoints_without_cors_are_named() {
    only("cors-endpoints", |_, asked| {
        (place(asked) == ("POST", "/token")).then(|| site::json(401, &json!({"error": "invalid_client"})))
    })
    .await;
    only("cors-endpoints", |_, asked| {
        (place(asked) == ("OPTIONS", "/register")).then(|| open(405).finish())
    })
    .await;
}
