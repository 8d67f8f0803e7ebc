//! Programs that cannot log in: personal access tokens and the API key, through the shipped Traefik files.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    mcp::{call_tool, status},
    world::{Layout, World},
};

#[tokio::test]
async fn a_personal_access_token_calls_tools_until_it_is_revoked_whichever_verifier_is_asked() {
    let world = World::start(Layout::Apart(2)).await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    let token = world.operate(&[
        "admin",
        "tokens",
        "create",
        "octocat",
        "--name",
        "ci",
        "--resource",
        &mcp_url,
        "--scope",
        "read write admin",
    ]);
    let who = call_tool(&http, &mcp_url, &token, "whoami").await;
    assert_eq!(who["user_id"], "583231", "{who}");
    assert_eq!(who["login"], "octocat");
    assert_eq!(who["client_id"], "personal-access-token");
    let received = call_tool(&http, &mcp_url, &token, "headers").await;
    assert_eq!(received["authorization"], json!(null), "{received}");

    world.operate(&["admin", "tokens", "revoke", &token]);
    world.heard().await;
    for _ in 0..4 {
        assert_eq!(
            status(&http, &mcp_url, Some(&token)).await,
            StatusCode::UNAUTHORIZED
        );
    }
    assert!(!world.logs().contains(&token[31..]), "a secret is in a log");
}

#[tokio::test]
async fn with_oauth_off_the_key_and_personal_access_tokens_are_all_that_opens() {
    const KEY: &str = "9f86d081884c7d659a2feaa0c55ad015";
    let world = World::start_where(Layout::Serve, |ground| {
        vec![
            ("MCP_OAUTH_ENABLED", "false".to_owned()),
            ("MCP_API_KEY", KEY.to_owned()),
            ("MCP_API_KEY_RESOURCES", ground.mcp_url()),
            ("MCP_API_KEY_SCOPES", "read write admin".to_owned()),
        ]
    })
    .await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    let who = call_tool(&http, &mcp_url, KEY, "whoami").await;
    assert_eq!(
        (&who["user_id"], &who["client_id"]),
        (&json!("api-key"), &json!("api-key"))
    );
    let token = world.operate(&[
        "admin",
        "tokens",
        "create",
        "octocat",
        "--name",
        "ci",
        "--resource",
        &mcp_url,
        "--scope",
        "read",
    ]);
    let who = call_tool(&http, &mcp_url, &token, "whoami").await;
    assert_eq!(who["login"], "octocat");
    for other in [None, Some(&KEY[1..]), Some("mcp_pat_x")] {
        assert_eq!(status(&http, &mcp_url, other).await, StatusCode::UNAUTHORIZED);
    }
    let logs = world.logs();
    assert!(
        !logs.contains(KEY) && !logs.contains(&token[31..]),
        "a secret is in a log"
    );
}
