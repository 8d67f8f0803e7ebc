//! The tools that keep something, behind a gateway that says who is calling.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    sample::{OCTOCAT, Sample, problem},
    session::{Session, result},
};

/// Calls a tool as somebody with these scopes.
async fn call(session: &Session, scopes: &str, tool: &str, arguments: &Value) -> Value {
    let request = session
        .tool(tool, arguments)
        .header("X-User-Id", "583231")
        .header("X-User-Name", "octocat")
        .header("X-Auth-Client", "client-1")
        .header("X-Auth-Scope", scopes);
    result(request.send().await.unwrap()).await
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn data_is_created_listed_changed_and_deleted_in_every_revision_with_a_handshake() {
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let session = Session::open(version).await;
        let made = call(
            &session,
            "write",
            "create_data",
            &json!({ "name": "Test", "value": 100 }),
        )
        .await;
        let item = &made["structuredContent"];
        assert_eq!((&item["name"], &item["value"]), (&json!("Test"), &json!(100)));
        assert_eq!(serde_json::from_str::<Value>(text(&made)).unwrap(), *item);
        let id = &item["id"];
        let change = json!({ "item_id": id, "name": "New", "value": { "deep": [1] } });
        let changed = call(&session, "write", "update_data", &change).await;
        let listed = call(&session, "read", "get_data", &json!({})).await;
        assert_eq!(
            listed["structuredContent"]["items"],
            json!([changed["structuredContent"]])
        );
        let profile = call(&session, "read", "get_user_profile", &json!({})).await;
        assert_eq!(profile["structuredContent"]["items"], 1);
        assert_eq!(profile["structuredContent"]["login"], "octocat");
        let deleted = call(&session, "write", "delete_data", &json!({ "item_id": id })).await;
        assert_eq!(deleted["structuredContent"], changed["structuredContent"]);
        let listed = call(&session, "read", "get_data", &json!({})).await;
        assert_eq!(listed["structuredContent"]["items"], json!([]));
    }
}

#[tokio::test]
async fn revision_2026_07_28_calls_them_without_a_session_and_says_so_in_headers() {
    let sample = Sample::start();
    let ask = |method: &str, mut params: Value| {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let mut request = sample
            .ask_as(OCTOCAT, Method::POST, "/mcp/v1")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", method);
        if let Some(name) = params["name"].as_str() {
            request = request.header("mcp-name", name);
        }
        request
            .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))
            .send()
    };
    let discovered = result(ask("server/discover", json!({})).await.unwrap()).await;
    let versions = discovered["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")), "{discovered}");
    let create = json!({ "name": "create_data", "arguments": { "name": "Test", "value": 100 } });
    let made = result(ask("tools/call", create).await.unwrap()).await;
    let listed = result(ask("tools/call", json!({ "name": "get_data" })).await.unwrap()).await;
    assert_eq!(
        listed["structuredContent"]["items"],
        json!([made["structuredContent"]])
    );
    let unknown = ask("tools/call", json!({ "name": "nowhere" })).await.unwrap();
    assert!(unknown.text().await.unwrap().contains("-32602"));
}

#[tokio::test]
async fn tools_and_the_rest_api_show_the_same_data() {
    let sample = Sample::start();
    let item = sample.keep(OCTOCAT, &json!({ "name": "a", "value": 1 })).await;
    let call = sample
        .ask_as(OCTOCAT, Method::POST, "/mcp/v1/tools/call")
        .json(&json!({ "name": "get_data" }));
    let listed: Value = call.send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["structuredContent"]["items"], json!([item]));
}

#[tokio::test]
async fn a_missing_scope_is_a_challenge_that_names_it_and_a_missing_user_an_error_of_the_tool() {
    let session = Session::open("2025-11-25").await;
    for (tool, arguments, scope, lower) in [
        ("get_user_profile", json!({}), "read", ""),
        ("get_data", json!({}), "read", ""),
        ("create_data", json!({ "name": "a", "value": 1 }), "write", "read"),
        (
            "update_data",
            json!({ "item_id": "a", "value": 1 }),
            "write",
            "read",
        ),
        ("delete_data", json!({ "item_id": "a" }), "write", "read"),
    ] {
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        let call = session.tool(tool, &arguments).header("X-User-Id", "583231");
        let refused = call.header("X-Auth-Scope", lower).send().await.unwrap();
        assert_eq!(refused.headers()["www-authenticate"], challenge, "{tool}");
        assert_eq!(problem(refused, 403).await["scopes"], json!([scope]));
        let nobody = result(session.tool(tool, &arguments).send().await.unwrap()).await;
        assert_eq!(nobody["isError"], true, "{tool}");
        assert!(text(&nobody).contains("behind a gateway"), "{nobody}");
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_an_error_of_the_tool_and_what_is_no_call_is_one_of_the_protocol() {
    let session = Session::open("2025-11-25").await;
    for (tool, arguments, reason) in [
        ("create_data", json!({ "name": "", "value": 1 }), "name is empty"),
        ("create_data", json!({ "name": "a" }), "missing field `value`"),
        (
            "create_data",
            json!({ "name": "a", "value": "x".repeat(5000) }),
            "the most is 4096",
        ),
        (
            "update_data",
            json!({ "item_id": "a" }),
            "name and value are missing",
        ),
        (
            "update_data",
            json!({ "item_id": "a", "value": 1 }),
            "no item of yours",
        ),
        ("delete_data", json!({ "item_id": "a" }), "no item of yours"),
        ("delete_data", json!({}), "missing field `item_id`"),
        ("hold", json!({ "name": "a", "pieces": 0 }), "between 1 and 1000"),
    ] {
        let refused = call(&session, "write", tool, &arguments).await;
        assert_eq!(refused["isError"], true, "{tool} {arguments}");
        assert!(text(&refused).contains(reason), "{refused}");
    }
    let unknown = session.tool("nowhere", &json!({}));
    let unknown = unknown.header("X-User-Id", "583231").send().await.unwrap();
    assert_eq!(unknown.status(), 200);
    let said = unknown.text().await.unwrap();
    assert!(
        said.contains("-32602") && said.contains("tool not found"),
        "{said}"
    );
}

#[tokio::test]
async fn oauth_authenticate_says_who_you_are_and_how_to_get_further_scopes() {
    let session = Session::open("2025-11-25").await;
    let known = call(&session, "read", "oauth_authenticate", &json!({})).await;
    let known = &known["structuredContent"];
    assert_eq!(known["authenticated"], true);
    assert_eq!(
        (&known["login"], &known["scopes"]),
        (&json!("octocat"), &json!(["read"]))
    );
    let message = known["message"].as_str().unwrap();
    assert!(message.contains("octocat (583231)") && message.contains("ask for the scopes \"read write\""));
    let all = call(&session, "read write", "oauth_authenticate", &json!({})).await;
    assert!(
        !all["structuredContent"]["message"]
            .as_str()
            .unwrap()
            .contains("For more")
    );
    // not in the session of the one before, which is theirs by now
    let session = Session::open("2025-11-25").await;
    let nobody = session.tool("oauth_authenticate", &json!({}));
    let nobody = result(nobody.send().await.unwrap()).await;
    assert_eq!(nobody["structuredContent"]["authenticated"], false);
    assert!(text(&nobody).contains("behind a gateway"), "{nobody}");
}

#[tokio::test]
async fn each_tool_says_what_it_takes_answers_and_does() {
    let session = Session::open("2025-11-25").await;
    let listed = result(session.call("tools/list", &json!({})).send().await.unwrap()).await;
    let tool = |name: &str| {
        let tools = listed["tools"].as_array().unwrap();
        tools.iter().find(|tool| tool["name"] == name).unwrap().clone()
    };
    for (name, required, read_only, destructive) in [
        ("oauth_authenticate", json!(null), true, json!(null)),
        ("get_user_profile", json!(null), true, json!(null)),
        ("get_data", json!(null), true, json!(null)),
        ("create_data", json!(["name", "value"]), false, json!(false)),
        ("update_data", json!(["item_id"]), false, json!(true)),
        ("delete_data", json!(["item_id"]), false, json!(true)),
    ] {
        let tool = tool(name);
        assert_eq!(tool["inputSchema"]["type"], "object", "{name}");
        assert_eq!(tool["inputSchema"]["required"], required, "{name}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{name}");
        assert_eq!(tool["annotations"]["readOnlyHint"], read_only, "{name}");
        assert_eq!(tool["annotations"]["destructiveHint"], destructive, "{name}");
        assert!(
            tool["description"].is_string() && tool["annotations"]["title"].is_string(),
            "{name}"
        );
        // clients refuse a member whose schema is no object
        let members = tool["inputSchema"]["properties"].as_object();
        assert!(
            members.is_none_or(|members| members.values().all(Value::is_object)),
            "{tool}"
        );
        assert!(
            tool["outputSchema"]["properties"]
                .as_object()
                .unwrap()
                .values()
                .all(Value::is_object),
            "{tool}"
        );
    }
}
