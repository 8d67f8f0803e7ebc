//! mcp-remote, which lets clients without HTTP speak to servers over it.

use serde_json::{Value, json};

use super::{
    credentials::Credentials,
    replay::{Ask, Replay},
};

fn mcp_remote(port: u16) -> Value {
    json!({
        "client_name": "MCP CLI Proxy",
        "client_uri": "https://github.com/modelcontextprotocol/mcp-cli",
        "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
        "software_version": "0.1.15",
        "redirect_uris": [format!("http://localhost:{port}/oauth/callback")],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    })
}

#[tokio::test]
async fn mcp_remote_keeps_its_registration_and_listens_on_another_port_the_next_time() {
    let replay = Replay::start("2025-06-18").await;
    let challenge = replay.refused().await;
    let found = replay.discover(&challenge).await;
    let client = Credentials::registered(&replay.register(&found, &mcp_remote(3334)).await);
    let url = replay.url();
    let mut held = None;
    for port in [3334, 21_987] {
        let redirect = format!("http://localhost:{port}/oauth/callback");
        let ask = Ask {
            redirect_uri: &redirect,
            scope: challenge.scope.as_deref(),
            resource: Some(&url),
        };
        let tokens = replay.log_in(&found, &client, &ask).await;
        replay.calls(&tokens.access).await;
        // it never asks for offline_access, and refreshes all the same
        let fresh = replay.refresh(&found, &client, &ask, &tokens.refresh).await;
        replay.calls(&fresh.access).await;
        if let Some(before) = held.replace(fresh.access) {
            replay.calls(&before).await;
        }
    }
}
