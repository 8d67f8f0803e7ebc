//! MCP clients that nobody here wrote go through the whole of it.

use std::process::Command;

use rmcp::{
    ServiceExt,
    model::CallToolRequestParams,
    transport::{
        StreamableHttpClientTransport,
        auth::{AuthClient, AuthorizationRequest, OAuthState},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::Value;

use crate::support::{
    browser::drive,
    process::{Process, free_port},
    world::{Layout, World},
};

fn is_octocat(content: &Value) -> bool {
    content.to_string().contains("octocat") && content.to_string().contains("583231")
}

async fn typescript_sdk(major: &str) {
    let world = World::start(Layout::Apart(1)).await;
    let seen = drive(Some(&world), "typescript-sdk.mjs", &[major, &world.mcp_url()]).await;
    assert_eq!(seen["refused"], true, "{seen}");
    assert!(
        is_octocat(&seen["whoami"]) && is_octocat(&seen["whoamiAfterRefresh"]),
        "{seen}"
    );
    assert_eq!(seen["refreshed"], true, "{seen}");
    assert_eq!(seen["state"], "state-of-the-sdk");
    assert_eq!(seen["iss"], world.issuer());
    assert_eq!(
        seen["pages"].as_array().unwrap().len(),
        2,
        "the consent page comes before GitHub's: {seen}"
    );
}

#[tokio::test]
async fn the_typescript_sdk_1_logs_in_calls_and_refreshes() {
    typescript_sdk("1").await;
}

#[tokio::test]
async fn the_typescript_sdk_2_logs_in_calls_and_refreshes() {
    typescript_sdk("2").await;
}

#[tokio::test]
async fn mcp_remote_logs_in_and_calls() {
    let world = World::start(Layout::Apart(1)).await;
    let directory = world.directory.path().join("mcp-remote");
    let seen = drive(
        Some(&world),
        "mcp-remote.mjs",
        &[&world.mcp_url(), directory.to_str().unwrap()],
    )
    .await;
    assert!(is_octocat(&seen["whoami"]), "{seen}");
}

#[tokio::test]
async fn rmcp_logs_in_calls_and_refreshes() {
    let world = World::start(Layout::Apart(1)).await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    let mut state = OAuthState::new(&mcp_url, Some(http.clone())).await.unwrap();
    let redirect = "http://127.0.0.1:44444/callback";
    let request = AuthorizationRequest::new(redirect).with_client_name("rmcp");
    state.start_authorization(request).await.unwrap();
    let url = state.get_authorization_url().await.unwrap();
    let walked = drive(Some(&world), "browser.mjs", &[&url, "octocat", "allow"]).await;
    state
        .handle_callback_url(walked["url"].as_str().unwrap())
        .await
        .unwrap();
    let manager = state.into_authorization_manager().unwrap();
    let before = manager.get_access_token().await.unwrap();
    manager.refresh_token().await.unwrap();
    assert_ne!(manager.get_access_token().await.unwrap(), before);

    let client = AuthClient::new(http, manager);
    let config = StreamableHttpClientTransportConfig::with_uri(mcp_url.as_str());
    let transport = StreamableHttpClientTransport::with_client(client, config);
    let service = ().serve(transport).await.unwrap();
    let called = service
        .call_tool(CallToolRequestParams::new("whoami"))
        .await
        .unwrap();
    assert!(is_octocat(&serde_json::to_value(called).unwrap()));
    service.cancel().await.unwrap();
}

/// `dev`, with what it prints.
async fn dev() -> (tempfile::TempDir, Process, String) {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-oauth-gateway"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(directory.path())
        .args(["dev", "--port", &port.to_string()]);
    let process = Process::start(&mut command, directory.path(), "dev");
    let process = process.ready(&format!("http://localhost:{port}/readyz")).await;
    let mcp_url = process
        .output()
        .split_whitespace()
        .find(|word| word.starts_with("http") && word.ends_with("/mcp"))
        .unwrap()
        .to_owned();
    (directory, process, mcp_url)
}

#[tokio::test]
async fn the_typescript_sdk_goes_through_dev() {
    let (_directory, _process, mcp_url) = dev().await;
    let seen = drive(None, "typescript-sdk.mjs", &["1", &mcp_url]).await;
    assert!(
        is_octocat(&seen["whoami"]) && is_octocat(&seen["whoamiAfterRefresh"]),
        "{seen}"
    );
}

#[tokio::test]
async fn mcp_remote_goes_through_dev() {
    let (directory, _process, mcp_url) = dev().await;
    let files = directory.path().join("mcp-remote");
    let seen = drive(None, "mcp-remote.mjs", &[&mcp_url, files.to_str().unwrap()]).await;
    assert!(is_octocat(&seen["whoami"]), "{seen}");
}
