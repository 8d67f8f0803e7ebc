//! The least an MCP client can be: initialize, then call a tool.

use reqwest::{Client, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

/// Calls a tool of the MCP server at `url`; answers its structured content.
pub(crate) async fn call_tool(http: &Client, url: &str, token: &str, tool: &str) -> Value {
    let initialize = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": { "name": "end-to-end", "version": "1" },
        },
    });
    let answer = post(http, url, token, None, &initialize).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let session = answer
        .headers()
        .get("mcp-session-id")
        .map(|v| v.to_str().unwrap().to_owned());
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert!(
        post(http, url, token, session.as_deref(), &initialized)
            .await
            .status()
            .is_success()
    );
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": tool, "arguments": {} } });
    let answer = post(http, url, token, session.as_deref(), &call).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    let json = text
        .lines()
        .filter_map(|l| l.strip_prefix("data:"))
        .find(|l| l.contains("\"id\":2"));
    let message: Value = serde_json::from_str(json.unwrap_or(&text)).unwrap();
    message["result"]["structuredContent"].clone()
}

/// The status of a call with this token, or without one.
pub(crate) async fn status(http: &Client, url: &str, token: Option<&str>) -> StatusCode {
    let mut request = http
        .post(url)
        .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }));
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    request.send().await.unwrap().status()
}

async fn post(
    http: &Client,
    url: &str,
    token: &str,
    session: Option<&str>,
    message: &Value,
) -> reqwest::Response {
    let mut request = http
        .post(url)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    request.json(message).send().await.unwrap()
}
