//! Claude on the web, on the desktop and on phones; Claude Code.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    credentials::Credentials,
    replay::{Ask, Discovered, Replay, text, wanted},
};
use crate::support::process::free_port;

const CALLBACK: &str = "https://claude.ai/api/mcp/auth_callback";

fn claude(auth_method: &str) -> Value {
    json!({
        "client_name": "Claude",
        "redirect_uris": [CALLBACK, "https://claude.com/api/mcp/auth_callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": auth_method,
    })
}

/// It looks at the resource's path first, and at the root only if there is nothing.
async fn discovered(replay: &Replay) -> (Discovered, String) {
    let challenge = replay.refused().await;
    let at_path = replay.at_host("/.well-known/oauth-protected-resource/mcp");
    assert_eq!(challenge.metadata, at_path);
    let found = replay.discover(&challenge).await;
    let methods = found.server["token_endpoint_auth_methods_supported"].as_array();
    assert!(methods.unwrap().contains(&json!("none")));
    let scope = wanted(&challenge, &found);
    (found, scope)
}

#[tokio::test]
async fn claude_registers_twice_in_a_row_logs_in_and_refreshes_early() {
    let replay = Replay::start("2025-11-25").await;
    let (found, scope) = discovered(&replay).await;
    let first = replay.register(&found, &claude("none")).await;
    let second = replay.register(&found, &claude("none")).await;
    assert_ne!(first["client_id"], second["client_id"]);
    let client = Credentials::registered(&second);
    let url = replay.url();
    let ask = Ask {
        redirect_uri: CALLBACK,
        scope: Some(&scope),
        resource: Some(&url),
    };
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
    // up to five minutes before the access token ends
    let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
    assert_ne!(fresh.refresh, held.refresh, "a public client's token rotates");
    replay.calls(&fresh.access).await;
    replay.calls(&held.access).await;
}

#[tokio::test]
async fn claude_asks_for_a_secret_in_the_form_and_gets_it() {
    let replay = Replay::start("2025-06-18").await;
    let (found, scope) = discovered(&replay).await;
    let registered = replay.register(&found, &claude("client_secret_post")).await;
    let client = Credentials::registered(&registered);
    assert!(matches!(client, Credentials::Post(..)), "{registered}");
    let url = replay.url();
    let ask = Ask {
        redirect_uri: "https://claude.com/api/mcp/auth_callback",
        scope: Some(&scope),
        resource: Some(&url),
    };
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
}

#[tokio::test]
async fn claude_is_told_invalid_grant_about_a_dead_refresh_token() {
    let replay = Replay::start("2025-11-25").await;
    let (found, _) = discovered(&replay).await;
    let client = Credentials::registered(&replay.register(&found, &claude("none")).await);
    let url = replay.url();
    let ask = Ask {
        redirect_uri: CALLBACK,
        resource: Some(&url),
        ..Ask::default()
    };
    let held = replay.log_in(&found, &client, &ask).await;
    let form = [("token", held.refresh.as_str()), ("client_id", client.id())];
    let endpoint = text(&found.server["revocation_endpoint"]);
    let revoked = replay.http.post(endpoint).form(&form).send().await.unwrap();
    assert_eq!(revoked.status(), StatusCode::OK);
    let error = replay.refresh_fails(&found, &client, &held.refresh).await;
    assert_eq!(error, "invalid_grant");
    let again = replay.log_in(&found, &client, &ask).await;
    replay.calls(&again.access).await;
}

/// A registration of Claude Code for the port that it listens on this time.
async fn claude_code(replay: &Replay, found: &Discovered) -> (Value, String) {
    let redirect = format!("http://localhost:{}/callback", free_port());
    let metadata = json!({
        "client_name": "Claude Code",
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    (replay.register(found, &metadata).await, redirect)
}

#[tokio::test]
async fn claude_code_refreshes_from_several_processes_and_comes_back_with_an_old_token() {
    let replay = Replay::start("2025-11-25").await;
    let (found, scope) = discovered(&replay).await;
    let (registered, redirect) = claude_code(&replay, &found).await;
    let client = Credentials::registered(&registered);
    let slashed = format!("{}/", replay.url());
    let ask = Ask {
        redirect_uri: &redirect,
        scope: Some(&scope),
        resource: Some(&slashed),
    };
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;

    let refresh = || replay.refresh(&found, &client, &ask, &held.refresh);
    let (one, two, three, four) = tokio::join!(refresh(), refresh(), refresh(), refresh());
    for process in [&one, &two, &three, &four] {
        assert_eq!(
            process.refresh, one.refresh,
            "all of them go on with the same token"
        );
        replay.calls(&process.access).await;
    }

    let later = replay.refresh(&found, &client, &ask, &one.refresh).await;
    let error = replay.refresh_fails(&found, &client, &held.refresh).await;
    assert_eq!(error, "invalid_grant", "an old generation is a replay");
    let error = replay.refresh_fails(&found, &client, &later.refresh).await;
    assert_eq!(error, "invalid_grant", "and ended the grant");
    let again = replay.log_in(&found, &client, &ask).await;
    replay.calls(&again.access).await;
}

#[tokio::test]
async fn claude_code_registers_again_when_its_client_is_gone() {
    let replay = Replay::start("2025-11-25").await;
    let (found, _) = discovered(&replay).await;
    let (gone, redirect) = claude_code(&replay, &found).await;
    let request = replay.http.delete(text(&gone["registration_client_uri"]));
    let request = request.bearer_auth(text(&gone["registration_access_token"]));
    let removed = request.send().await.unwrap();
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    let client = Credentials::registered(&gone);
    let error = replay.refresh_fails(&found, &client, "mcp_rt_of_yesterday").await;
    assert_eq!(error, "invalid_client");

    let (registered, other) = claude_code(&replay, &found).await;
    assert_ne!(redirect, other);
    let slashed = format!("{}/", replay.url());
    let ask = Ask {
        redirect_uri: &other,
        resource: Some(&slashed),
        ..Ask::default()
    };
    let client = Credentials::registered(&registered);
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
}
