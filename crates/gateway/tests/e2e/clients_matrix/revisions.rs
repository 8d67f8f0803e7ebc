//! Clients that do what their revision of the specification says, and nothing else.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    credentials::Credentials,
    replay::{Ask, Discovered, Replay, wanted},
};
use crate::support::world::{Ground, Layout, World};

const REDIRECT: &str = "http://127.0.0.1:51999/callback";

/// An installation whose default is the one MCP server.
async fn with_a_default() -> World {
    let default = |ground: &Ground| vec![("DEFAULT_RESOURCE", ground.mcp_url())];
    World::start_where(Layout::Apart(1), default).await
}

#[tokio::test]
async fn a_client_of_2025_03_26_finds_the_metadata_at_the_mcp_host() {
    let replay = Replay::with("2025-03-26", with_a_default().await);
    replay.refused().await;
    let mut documents = Vec::new();
    for path in ["", "/mcp"] {
        let place = format!("/.well-known/oauth-authorization-server{path}");
        let request = replay.http.get(replay.at_host(&place));
        let answer = request
            .header("mcp-protocol-version", replay.revision)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{place}");
        documents.push(answer.json::<Value>().await.unwrap());
    }
    let [server, at_path] = documents.try_into().unwrap();
    assert_eq!(server, at_path);
    assert_eq!(server["issuer"], replay.world.issuer());
    let found = Discovered {
        resource: json!({}),
        server,
    };
    let metadata = json!({ "client_name": "2025-03-26", "redirect_uris": [REDIRECT] });
    let metadata = with_method(metadata, "none");
    let client = Credentials::registered(&replay.register(&found, &metadata).await);
    let ask = Ask {
        redirect_uri: REDIRECT,
        ..Ask::default()
    };
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
    let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
    replay.calls(&fresh.access).await;
}

fn with_method(mut metadata: Value, method: &str) -> Value {
    metadata["token_endpoint_auth_method"] = method.into();
    metadata
}

#[tokio::test]
async fn a_client_of_2025_06_18_follows_the_challenge_and_sends_resource() {
    let replay = Replay::start("2025-06-18").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let metadata = with_method(
        json!({ "client_name": "2025-06-18", "redirect_uris": [REDIRECT] }),
        "client_secret_post",
    );
    let client = Credentials::registered(&replay.register(&found, &metadata).await);
    let url = replay.url();
    let ask = Ask {
        redirect_uri: REDIRECT,
        resource: Some(&url),
        ..Ask::default()
    };
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
    let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
    replay.calls(&fresh.access).await;
}

#[tokio::test]
async fn a_client_of_2025_11_25_finds_the_metadata_without_the_challenge() {
    let replay = Replay::start("2025-11-25").await;
    let challenge = replay.refused().await;
    // the path first, then the root; then the three places of the authorization server's document
    let at_path = replay.at_host("/.well-known/oauth-protected-resource/mcp");
    let at_root = replay.at_host("/.well-known/oauth-protected-resource");
    let resource = replay.document(&at_path).await;
    assert_eq!(resource["resource"], replay.url());
    let root = replay.http.get(at_root).send().await.unwrap();
    assert_eq!(root.status(), StatusCode::OK);
    let server = replay.server_metadata(&resource).await;
    let issuer = replay.world.issuer();
    let openid = replay
        .document(&format!("{issuer}/.well-known/openid-configuration"))
        .await;
    assert_eq!(openid, server);
    let found = Discovered { resource, server };
    let scope = wanted(&challenge, &found);
    let metadata = with_method(
        json!({ "client_name": "2025-11-25", "redirect_uris": [REDIRECT], "scope": scope }),
        "none",
    );
    let client = Credentials::registered(&replay.register(&found, &metadata).await);
    let url = replay.url();
    let ask = Ask {
        redirect_uri: REDIRECT,
        scope: Some(&scope),
        resource: Some(&url),
    };
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
    let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
    replay.calls(&fresh.access).await;
}

#[tokio::test]
async fn a_client_of_2026_07_28_names_its_method_in_headers_and_checks_iss() {
    let replay = Replay::start("2026-07-28").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    assert_eq!(
        found.server["authorization_response_iss_parameter_supported"],
        true
    );
    let scope = wanted(&challenge, &found);
    let metadata = json!({
        "client_name": "2026-07-28",
        "redirect_uris": [REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "application_type": "native",
    });
    let metadata = with_method(metadata, "none");
    let client = Credentials::registered(&replay.register(&found, &metadata).await);
    let url = replay.url();
    let ask = Ask {
        redirect_uri: REDIRECT,
        scope: Some(&scope),
        resource: Some(&url),
    };
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
    let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
    assert_ne!(fresh.refresh, held.refresh, "rotated");
    replay.calls(&fresh.access).await;
}
