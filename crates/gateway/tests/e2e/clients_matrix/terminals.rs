//! Gemini CLI, Goose, Warp.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{
    credentials::Credentials,
    replay::{Ask, Discovered, Held, Replay, authorization_url, returned, text, wanted},
};
use crate::support::{
    flow::VERIFIER,
    person::Person,
    process::free_port,
    world::{Layout, World},
};

fn metadata(name: &str, redirect: &str) -> Value {
    json!({
        "client_name": name,
        "redirect_uris": [redirect],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    })
}

#[tokio::test]
async fn gemini_cli_listens_on_7777_or_on_any_port() {
    let replay = Replay::start("2025-06-18").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let scope = wanted(&challenge, &found);
    let url = replay.url();
    for port in [7777, free_port()] {
        let redirect = format!("http://localhost:{port}/oauth/callback");
        let answer = replay
            .register(&found, &metadata("Gemini CLI MCP Client", &redirect))
            .await;
        let client = Credentials::registered(&answer);
        let ask = Ask {
            redirect_uri: &redirect,
            scope: Some(&scope),
            resource: Some(&url),
        };
        let held = replay.log_in(&found, &client, &ask).await;
        replay.calls(&held.access).await;
        let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
        replay.calls(&fresh.access).await;
    }
}

/// A client that sends no `resource`.
async fn warp(replay: &Replay) -> (Discovered, Credentials, String) {
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let redirect = format!("http://127.0.0.1:{}/oauth/callback", free_port());
    let answer = replay.register(&found, &metadata("Warp", &redirect)).await;
    (found, Credentials::registered(&answer), redirect)
}

#[tokio::test]
async fn warp_omits_resource_and_gets_the_default_one() {
    let world = World::start_where(Layout::Apart(1), |ground| {
        vec![("DEFAULT_RESOURCE", ground.mcp_url())]
    })
    .await;
    let replay = Replay::with("2025-06-18", world);
    let (found, client, redirect) = warp(&replay).await;
    let ask = Ask {
        redirect_uri: &redirect,
        ..Ask::default()
    };
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
    let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
    replay.calls(&fresh.access).await;
    let claims = fresh.access.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["aud"], replay.url(), "for that one resource, and no other");
}

#[tokio::test]
async fn warp_is_told_which_setting_is_missing_where_there_is_no_default() {
    let replay = Replay::start("2025-06-18").await;
    let (found, client, redirect) = warp(&replay).await;
    let ask = Ask {
        redirect_uri: &redirect,
        ..Ask::default()
    };
    let endpoint = text(&found.server["authorization_endpoint"]);
    let url = authorization_url(&endpoint, client.id(), &ask);
    let mut person = Person::new(replay.http.clone(), &replay.world.issuer());
    let back = returned(&person.sent_back_at_once(&url).await, &redirect);
    assert_eq!(back["error"], "invalid_target");
    assert!(back["error_description"].contains("DEFAULT_RESOURCE"), "{back:?}");
}

#[tokio::test]
async fn goose_1_45_which_loses_iss_gets_none_where_it_is_turned_off() {
    let settings = [("AUTHORIZATION_RESPONSE_ISS", "false")];
    let world = World::start_with(Layout::Apart(1), &settings).await;
    let replay = Replay::with("2025-06-18", world);
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    // both servers say so
    let at_host = replay.at_host("/.well-known/oauth-authorization-server");
    for server in [&found.server, &replay.document(&at_host).await] {
        assert_eq!(server["authorization_response_iss_parameter_supported"], false);
    }
    let redirect = format!("http://127.0.0.1:{}/oauth_callback", free_port());
    let answer = replay.register(&found, &metadata("goose", &redirect)).await;
    let client = Credentials::registered(&answer);
    let url = replay.url();
    let ask = Ask {
        redirect_uri: &redirect,
        resource: Some(&url),
        ..Ask::default()
    };
    let back = replay.authorize(&found, client.id(), &ask).await;
    assert!(!back.contains_key("iss"), "{back:?}");
    let held = replay.log_in(&found, &client, &ask).await;
    replay.calls(&held.access).await;
}

#[tokio::test]
async fn goose_runs_several_flows_at_once() {
    let replay = Replay::start("2025-06-18").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let url = replay.url();
    let flow = || async {
        let redirect = format!("http://127.0.0.1:{}/oauth_callback", free_port());
        let answer = replay.register(&found, &metadata("goose", &redirect)).await;
        let client = Credentials::registered(&answer);
        let ask = Ask {
            redirect_uri: &redirect,
            resource: Some(&url),
            ..Ask::default()
        };
        let back = replay.authorize(&found, client.id(), &ask).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &back["code"]),
            ("redirect_uri", &redirect),
            ("code_verifier", VERIFIER),
            ("resource", &url),
        ];
        let (status, body) = replay.token(&found, &client, &form).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        // it throws away a token that comes without a refresh token
        let held = Held::of(&body);
        replay.calls(&held.access).await;
        let fresh = replay.refresh(&found, &client, &ask, &held.refresh).await;
        replay.calls(&fresh.access).await;
    };
    tokio::join!(flow(), flow(), flow());
}
