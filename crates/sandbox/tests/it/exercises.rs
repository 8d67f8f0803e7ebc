//! What the official conformance suite asks servers for.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use mcp_gateway_sandbox::mcp::Options;
use serde_json::{Value, json};

use crate::session::Session;

/// The answer to a message of revision 2026-07-28, which needs no session.
async fn answer(session: &Session, method: &str, name: Option<&str>, params: Value) -> Value {
    let mut params = params;
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut request = session
        .call(method, &params)
        .header("MCP-Protocol-Version", "2026-07-28")
        .header("Mcp-Method", method);
    if let Some(name) = name {
        request = request.header("Mcp-Name", name);
    }
    let text = request.send().await.unwrap().text().await.unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data: {"));
    let data = data.map_or(text.clone(), |rest| format!("{{{rest}"));
    serde_json::from_str(&data).unwrap()
}

#[tokio::test]
async fn they_are_there_on_request_alone() {
    for exercises in [false, true] {
        let options = Options {
            exercises,
            ..Options::default()
        };
        let session = Session::closed(options, "2026-07-28");
        let listed = answer(&session, "tools/list", None, json!({})).await;
        let tools = listed["result"]["tools"].as_array().unwrap();
        let has = |name: &str| tools.iter().any(|tool| tool["name"] == name);
        assert!(has("echo"));
        assert_eq!(has("test_simple_text"), exercises);

        let name = Some("test_simple_text");
        let called = answer(
            &session,
            "tools/call",
            name,
            json!({ "name": name, "arguments": {} }),
        )
        .await;
        assert_eq!(
            called["result"]["content"][0]["type"] == "text",
            exercises,
            "{called}"
        );
        let name = Some("test_simple_prompt");
        let prompt = answer(&session, "prompts/get", name, json!({ "name": name })).await;
        assert_eq!(prompt["error"]["code"] != -32601, exercises, "{prompt}");
        let uri = Some("test://static-text");
        let read = answer(&session, "resources/read", uri, json!({ "uri": uri })).await;
        assert_eq!(read["error"]["code"] != -32601, exercises, "{read}");
    }
}

#[tokio::test]
async fn a_prompt_and_a_resource_that_are_not_there_are_named_so() {
    let options = Options {
        exercises: true,
        ..Options::default()
    };
    let session = Session::closed(options, "2026-07-28");
    let prompt = answer(&session, "prompts/get", Some("other"), json!({ "name": "other" })).await;
    assert_eq!(prompt["error"]["message"], "there is no prompt other");
    let name = "test_prompt_with_arguments";
    let arguments = json!({ "name": name, "arguments": { "arg1": "one" } });
    let prompt = answer(&session, "prompts/get", Some(name), arguments).await;
    assert_eq!(prompt["error"]["message"], "the argument arg2 is missing");
    let read = answer(
        &session,
        "resources/read",
        Some("test://other"),
        json!({ "uri": "test://other" }),
    )
    .await;
    assert_eq!(read["error"]["data"]["uri"], "test://other", "{read}");
}
