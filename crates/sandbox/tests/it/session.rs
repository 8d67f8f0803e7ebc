//! MCP over plain HTTP, as a client of this test's own speaks it.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::sync::atomic::{AtomicU64, Ordering};

use mcp_gateway_sandbox::mcp::{Options, RunningSample, SampleServer};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::github::client;

pub(crate) struct Session {
    pub(crate) running: RunningSample,
    pub(crate) client: reqwest::Client,
    pub(crate) id: Option<String>,
    pub(crate) version: &'static str,
    calls: AtomicU64,
}

impl Session {
    /// A server, and a session of this revision with it.
    pub(crate) async fn open(version: &'static str) -> Self {
        let mut session = Self::closed(Options::default(), version);
        session.greet().await;
        session
    }

    /// Opens a session of this revision.
    pub(crate) async fn greet(&mut self) {
        let hello = json!({
            "protocolVersion": self.version,
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = self.call("initialize", &hello).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        self.id = Some(answer.headers()["mcp-session-id"].to_str().unwrap().to_owned());
        let result = result(answer).await;
        assert_eq!(result["protocolVersion"], self.version);
        assert_eq!(result["serverInfo"]["name"], "mcp-gateway-sample");
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let answer = self.post(&initialized).send().await.unwrap();
        assert_eq!(answer.status(), 202);
    }

    /// A server, and no session yet.
    pub(crate) fn closed(options: Options, version: &'static str) -> Self {
        let running = SampleServer::new(options).start().unwrap();
        Self {
            running,
            client: client(),
            id: None,
            version,
            calls: AtomicU64::new(1),
        }
    }

    pub(crate) fn post(&self, message: &Value) -> RequestBuilder {
        let mut request = self
            .client
            .post(self.running.mcp_url())
            .header("Accept", "application/json, text/event-stream")
            .json(message);
        if let Some(id) = &self.id {
            request = request
                .header("Mcp-Session-Id", id)
                .header("MCP-Protocol-Version", self.version);
        }
        request
    }

    pub(crate) fn call(&self, method: &str, params: &Value) -> RequestBuilder {
        // an answer finds its request by the id, so no two in flight may share one
        let id = self.calls.fetch_add(1, Ordering::Relaxed);
        self.post(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    }

    pub(crate) fn tool(&self, name: &str, arguments: &Value) -> RequestBuilder {
        self.call("tools/call", &json!({ "name": name, "arguments": arguments }))
    }
}

/// The result in an answer, which is JSON or a stream of events with JSON in their data.
pub(crate) async fn result(answer: Response) -> Value {
    assert_eq!(answer.status(), 200);
    let events = answer.headers()["content-type"]
        .to_str()
        .unwrap()
        .starts_with("text/event-stream");
    let body = answer.text().await.unwrap();
    let message: Value = if events {
        let data = body
            .lines()
            .filter_map(|line| line.strip_prefix("data:"))
            .map(str::trim);
        data.filter_map(|data| serde_json::from_str(data).ok())
            .find(|message: &Value| message.get("id").is_some())
            .unwrap()
    } else {
        serde_json::from_str(&body).unwrap()
    };
    assert!(message.get("error").is_none(), "{message}");
    message["result"].clone()
}
