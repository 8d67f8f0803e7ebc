//! The connectors of `ChatGPT`; Codex.

use serde_json::json;

use super::{
    credentials::Credentials,
    replay::{Ask, Replay, wanted},
};
use crate::support::process::free_port;

#[tokio::test]
async fn chatgpt_adds_a_query_to_the_resource_and_asks_for_offline_access() {
    let replay = Replay::start("2025-06-18").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let scope = wanted(&challenge, &found);
    assert!(scope.split(' ').any(|scope| scope == "offline_access"), "{scope}");
    let redirect = "https://chatgpt.com/connector_platform_oauth_redirect";
    let metadata = json!({
        "client_name": "ChatGPT",
        "redirect_uris": [redirect, "https://chatgpt.com/connector/oauth/abc123"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": scope,
    });
    let client = Credentials::registered(&replay.register(&found, &metadata).await);
    let with_query = format!("{}?connector=abc123", replay.url());
    for redirect_uri in [redirect, "https://chatgpt.com/connector/oauth/abc123"] {
        let ask = Ask {
            redirect_uri,
            scope: Some(&scope),
            resource: Some(&with_query),
        };
        let held = replay.log_in(&found, &client, &ask).await;
        replay.calls(&held.access).await;
        let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
        replay.calls(&fresh.access).await;
    }
}

#[tokio::test]
async fn codex_presents_stale_generations_of_its_refresh_token() {
    let replay = Replay::start("2025-06-18").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let redirect = format!("http://127.0.0.1:{}/callback", free_port());
    let metadata = json!({
        "client_name": "Codex",
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let client = Credentials::registered(&replay.register(&found, &metadata).await);
    let url = replay.url();
    let ask = Ask {
        redirect_uri: &redirect,
        resource: Some(&url),
        ..Ask::default()
    };
    let held = replay.log_in(&found, &client, &ask).await;
    let first = replay.refresh(&found, &client, &ask, &held.refresh).await;
    // the one before last, again: an answer was lost
    let same = replay.refresh(&found, &client, &ask, &held.refresh).await;
    assert_eq!(same.refresh, first.refresh);
    replay.calls(&same.access).await;
    // older than that: somebody else may have it
    replay.refresh(&found, &client, &ask, &first.refresh).await;
    let error = replay.refresh_fails(&found, &client, &held.refresh).await;
    assert_eq!(error, "invalid_grant");
    let again = replay.log_in(&found, &client, &ask).await;
    replay.calls(&again.access).await;
}
