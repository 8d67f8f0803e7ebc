//! MCP servers of two ages.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::{Value, json};

use super::site::{Asked, empty, json as document};

/// Revision 2026-07-28: every request says of itself what it is.
pub(crate) fn modern(asked: &Asked) -> HttpResponse {
    let request: Value = serde_json::from_str(&asked.body).unwrap();
    let (id, params) = (&request["id"], &request["params"]);
    let method = request["method"].as_str().unwrap();
    let meta = &params["_meta"];
    if meta["io.modelcontextprotocol/protocolVersion"] != "2026-07-28" {
        return document(400, &error(id, -32022, "Unsupported protocol version"));
    }
    assert_eq!(asked.header("mcp-protocol-version"), Some("2026-07-28"));
    assert_eq!(asked.header("mcp-method"), Some(method));
    assert!(asked.header("mcp-session-id").is_none());
    let result = match method {
        "server/discover" => json!({ "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} } }),
        "tools/list" if params["cursor"].is_null() => json!({ "tools": [echo()], "nextCursor": "more" }),
        "tools/list" => json!({ "tools": [erase(), unusable()] }),
        "tools/call" => {
            assert_eq!(asked.header("mcp-name"), params["name"].as_str());
            if params["name"] == "echo" {
                let times = params["arguments"]["times"]
                    .as_i64()
                    .map(|times| times.to_string());
                assert_eq!(asked.header("mcp-param-times"), times.as_deref());
            }
            called(params)
        }
        _ => return document(404, &error(id, -32601, "Method not found")),
    };
    let mut result = result;
    result["resultType"] = json!("complete");
    document(200, &json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

/// Revisions with a handshake, a session, and streams in which the server asks as well.
pub(crate) fn legacy(asked: &Asked) -> HttpResponse {
    if asked.method == "DELETE" {
        assert_eq!(asked.header("mcp-session-id"), Some("session"));
        return empty(204);
    }
    let request: Value = serde_json::from_str(&asked.body).unwrap();
    let (id, params) = (&request["id"], &request["params"]);
    let method = request["method"].as_str().unwrap_or_default();
    if method == "initialize" {
        let result = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {} });
        return HttpResponse::build(StatusCode::OK)
            .insert_header(("mcp-session-id", "session"))
            .json(json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }
    if asked.header("mcp-session-id") != Some("session") {
        return document(400, &error(&Value::Null, -32000, "Bad Request: no session"));
    }
    assert_eq!(asked.header("mcp-protocol-version"), Some("2025-06-18"));
    match method {
        "tools/list" => {
            stream(&[json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": [echo(), erase()] } })])
        }
        "tools/call" => stream(&[
            json!({ "jsonrpc": "2.0", "id": "s1", "method": "ping" }),
            json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "data": "working\u{1b}[2J" } }),
            json!({ "jsonrpc": "2.0", "id": id, "result": called(params) }),
        ]),
        "notifications/initialized" | "" => empty(202),
        _ => document(200, &error(id, -32601, "Method not found")),
    }
}

fn called(params: &Value) -> Value {
    let arguments = &params["arguments"];
    match params["name"].as_str() {
        Some("echo") => {
            let times = usize::try_from(arguments["times"].as_u64().unwrap_or(1)).unwrap();
            let text = arguments["message"].as_str().unwrap().repeat(times);
            json!({ "content": [{ "type": "text", "text": text }] })
        }
        _ => json!({ "content": [{ "type": "text", "text": "nothing is erased today" }], "isError": true }),
    }
}

fn echo() -> Value {
    json!({
        "name": "echo", "description": "Says the message back",
        "inputSchema": {
            "type": "object",
            "properties": {
                "message": { "type": "string" },
                "times": { "type": "integer", "x-mcp-header": "Times" },
            },
            "required": ["message"],
            "additionalProperties": false,
        },
    })
}

fn erase() -> Value {
    json!({ "name": "erase", "description": "Erases everything", "inputSchema": { "type": "object" } })
}

fn unusable() -> Value {
    let schema =
        json!({ "type": "object", "properties": { "x": { "type": "number", "x-mcp-header": "X" } } });
    json!({ "name": "unusable", "inputSchema": schema })
}

fn error(id: &Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

fn stream(messages: &[Value]) -> HttpResponse {
    let events = messages
        .iter()
        .map(|message| format!("event: message\ndata: {message}\n\n"));
    HttpResponse::build(StatusCode::OK)
        .content_type("text/event-stream")
        .body(events.collect::<String>())
}
