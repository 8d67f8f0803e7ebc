//! Register, consent and log in in Chromium, code, token, `tools/call`, refresh, revoke, 401.

use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use crate::support::{
    browser::drive,
    flow::{Flow, REDIRECT, Tokens},
    mcp::{call_tool, status},
    world::{Layout, World},
};

/// The whole of it, with the person in Chromium.
async fn whole_job(world: &World) {
    let http = world.http();
    let mcp_url = world.mcp_url();
    assert_eq!(status(&http, &mcp_url, None).await, StatusCode::UNAUTHORIZED);
    assert_eq!(
        world.backend().requests(),
        0,
        "nothing reached the server without a token"
    );

    let flow = Flow::register(http.clone(), &world.issuer()).await;
    let walked = drive(
        Some(world),
        "browser.mjs",
        &[&flow.authorization_url(&mcp_url), "octocat", "allow"],
    )
    .await;
    let end = Url::parse(walked["url"].as_str().unwrap()).unwrap();
    assert!(end.as_str().starts_with(REDIRECT), "{walked}");
    let parameter = |name: &str| {
        end.query_pairs()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.into_owned())
    };
    assert_eq!(parameter("state").as_deref(), Some("the state"));
    assert_eq!(parameter("iss"), Some(world.issuer()));

    let tokens = flow.exchange(&parameter("code").unwrap(), &mcp_url).await;
    let who = call_tool(&http, &mcp_url, &tokens.access, "whoami").await;
    assert_eq!(who["user_id"], "583231", "{who}");
    assert_eq!(who["login"], "octocat");
    assert_eq!(who["client_id"], flow.client_id());
    let received = call_tool(&http, &mcp_url, &tokens.access, "headers").await;
    assert_eq!(
        received["authorization"],
        json!(null),
        "the token ends at the gateway: {received}"
    );

    let refreshed = flow.refresh(&tokens.refresh).await;
    assert_ne!(refreshed.refresh, tokens.refresh);
    call_tool(&http, &mcp_url, &refreshed.access, "whoami").await;

    ends_everywhere(world, &flow, [&tokens, &refreshed]).await;
    let logs = world.logs();
    for secret in [
        &tokens.access,
        &tokens.refresh,
        &refreshed.access,
        &refreshed.refresh,
        &parameter("code").unwrap(),
    ] {
        assert!(!logs.contains(secret.as_str()), "a secret is in a log");
    }
}

/// Revoking one token ends the grant: every token of it is refused on the next request.
async fn ends_everywhere(world: &World, flow: &Flow, [first, last]: [&Tokens; 2]) {
    flow.revoke(&last.refresh).await;
    world.heard().await;
    for token in [&first.access, &last.access] {
        assert_eq!(
            status(&flow.http, &world.mcp_url(), Some(token)).await,
            StatusCode::UNAUTHORIZED
        );
    }
    let (answer, body) = flow
        .token(&[("grant_type", "refresh_token"), ("refresh_token", &last.refresh)])
        .await;
    assert_eq!(
        (answer, &body["error"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_grant"))
    );
}

#[tokio::test]
async fn one_process_behind_traefik_does_the_whole_job() {
    whole_job(&World::start(Layout::Serve).await).await;
}

#[tokio::test]
async fn auth_server_and_verifier_as_two_processes_do_the_whole_job() {
    whole_job(&World::start(Layout::Apart(1)).await).await;
}

#[tokio::test]
async fn two_of_each_do_the_whole_job() {
    whole_job(&World::start(Layout::Apart(2)).await).await;
}

#[tokio::test]
async fn a_person_who_denies_is_sent_back_with_access_denied() {
    let world = World::start(Layout::Serve).await;
    let flow = Flow::register(world.http(), &world.issuer()).await;
    let url = flow.authorization_url(&world.mcp_url());
    let walked = drive(Some(&world), "browser.mjs", &[&url, "octocat", "deny"]).await;
    let end = walked["url"].as_str().unwrap();
    assert!(
        end.starts_with(REDIRECT) && end.contains("error=access_denied"),
        "{walked}"
    );
}

#[tokio::test]
async fn a_person_who_is_not_allowed_in_sees_who_they_are_logged_in_as() {
    let world = World::start(Layout::Serve).await;
    let flow = Flow::register(world.http(), &world.issuer()).await;
    let url = flow.authorization_url(&world.mcp_url());
    let walked = drive(Some(&world), "browser.mjs", &[&url, "hubot", "allow"]).await;
    assert!(
        walked["url"].as_str().unwrap().starts_with(&world.issuer()),
        "{walked}"
    );
    assert!(walked["text"].as_str().unwrap().contains("hubot"), "{walked}");
}
