//! The least an MCP client can be.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Client, Response, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};

use super::{agent::bearer, server::client};

/// An initialized session.
pub(crate) struct Session {
    http: Client,
    url: String,
    token: String,
    id: Option<String>,
    calls: AtomicU64,
}

impl Session {
    /// Begins one at `url` with a token.
    pub(crate) async fn open(url: &str, token: &str) -> Self {
        let mut session = Self {
            http: client(),
            url: url.to_owned(),
            token: token.to_owned(),
            id: None,
            calls: AtomicU64::new(2),
        };
        let initialize = json!({
            "jsonrpc": "2.0", "id": 1, "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18", "capabilities": {},
                "clientInfo": { "name": "it", "version": "1" },
            },
        });
        let answer = session.send(&initialize).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let id = answer.headers().get("mcp-session-id");
        session.id = id.map(|id| id.to_str().unwrap().to_owned());
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        assert!(session.send(&initialized).await.status().is_success());
        session
    }

    /// The same session with another token.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// Calls a tool; the answer may still be coming in.
    pub(crate) async fn begin(&self, tool: &str, arguments: &Value) -> Response {
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": "p" } });
        let call = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params });
        self.send(&call).await
    }

    /// Calls a tool, and reads the whole answer.
    pub(crate) async fn call(&self, tool: &str, arguments: &Value) -> Value {
        let answer = self.begin(tool, arguments).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let message = until(answer, |message| message.get("result").is_some()).await.0;
        message["result"].clone()
    }

    async fn send(&self, message: &Value) -> Response {
        let mut request = self
            .http
            .post(&self.url)
            .header(AUTHORIZATION, bearer(&self.token))
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-06-18");
        if let Some(id) = &self.id {
            request = request.header("mcp-session-id", id);
        }
        request.json(message).send().await.unwrap()
    }
}

/// Reads an answer up to the message that is wanted; what is left of it comes back too.
pub(crate) async fn until(mut answer: Response, wanted: fn(&Value) -> bool) -> (Value, Response) {
    let mut text = String::new();
    while let Some(piece) = answer.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&piece).unwrap());
        let messages = text.lines().map(|line| line.trim_start_matches("data:").trim());
        let found = messages
            .filter_map(|data| serde_json::from_str(data).ok())
            .find(wanted);
        if let Some(message) = found {
            return (message, answer);
        }
    }
    panic!("the answer ended before the message came: {text}");
}
