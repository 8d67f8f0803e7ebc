//! The endpoints without an envelope, as a shell calls them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::sample::{OCTOCAT, Person, Sample, problem};

const CALL: &str = "/mcp/v1/tools/call";

#[tokio::test]
async fn initialize_answers_what_the_server_is_in_the_revision_that_was_asked_for() {
    let sample = Sample::start();
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let hello = json!({
            "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "test", "version": "1.0" },
        });
        let answer = sample
            .ask(Method::POST, "/mcp/v1/initialize")
            .json(&hello)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{version}");
        assert!(!answer.headers().contains_key("mcp-session-id"));
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told["protocolVersion"], version);
        assert_eq!(told["serverInfo"]["name"], "mcp-gateway-sample");
        assert!(told["capabilities"]["tools"].is_object(), "{told}");
    }
}

#[tokio::test]
async fn tools_are_listed_without_a_body_or_with_one() {
    let sample = Sample::start();
    let ask = || sample.ask(Method::POST, "/mcp/v1/tools/list");
    for request in [ask(), ask().json(&json!({}))] {
        let told: Value = request.send().await.unwrap().json().await.unwrap();
        let tools = told["tools"].as_array().unwrap();
        assert!(
            tools.iter().any(|tool| tool["name"] == "oauth_authenticate"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_tool_is_called_by_its_name_and_arguments() {
    let sample = Sample::start();
    let call = |body: &Value| sample.ask_as(OCTOCAT, Method::POST, CALL).json(body).send();
    let who = call(&json!({ "name": "oauth_authenticate", "arguments": {} }))
        .await
        .unwrap();
    let who: Value = who.json().await.unwrap();
    assert_eq!(who["structuredContent"]["user_id"], "583231");
    let create = json!({ "name": "create_data", "arguments": { "name": "Test", "value": 100 } });
    let created: Value = call(&create).await.unwrap().json().await.unwrap();
    assert_eq!(created["structuredContent"]["value"], 100);
    assert_eq!(sample.kept(OCTOCAT).await, [created["structuredContent"].clone()]);
    let headers = json!({ "name": "headers", "_meta": { "progressToken": 1 } });
    let headers = sample
        .ask_as(OCTOCAT, Method::POST, CALL)
        .header("accept", "*/*")
        .json(&headers);
    let headers: Value = headers.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        headers["structuredContent"]["accept"], "*/*",
        "what was sent, not what was made of it"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_said() {
    let sample = Sample::start();
    for (path, sent, status, reason) in [
        (CALL, json!({}), 422, "name is missing"),
        (
            CALL,
            json!({ "name": "echo", "arguments": [1] }),
            422,
            "arguments must be",
        ),
        (CALL, json!([]), 422, "must be a JSON object"),
        (CALL, json!({ "name": "nowhere" }), 400, "tool not found"),
        ("/mcp/v1/initialize", json!({}), 422, "protocolVersion is missing"),
        ("/mcp/v1/nowhere", json!({}), 404, "nothing at this address"),
    ] {
        let answer = sample
            .ask_as(OCTOCAT, Method::POST, path)
            .json(&sent)
            .send()
            .await
            .unwrap();
        let problem = problem(answer, status).await;
        assert!(
            problem["detail"].as_str().unwrap().contains(reason),
            "{sent}: {problem}"
        );
    }
    let reader = Person("583231", "read");
    let lacking = sample
        .ask_as(reader, Method::POST, CALL)
        .json(&json!({ "name": "create_data" }));
    let lacking = problem(lacking.send().await.unwrap(), 403).await;
    assert_eq!(lacking["scopes"], json!(["write"]));
    let request = || sample.ask_as(OCTOCAT, Method::POST, CALL).body("{\"name\": ");
    problem(request().send().await.unwrap(), 415).await;
    problem(
        request()
            .header("content-type", "application/json")
            .send()
            .await
            .unwrap(),
        400,
    )
    .await;
    let get = sample.ask(Method::GET, CALL).send().await.unwrap();
    assert_eq!(get.headers()["allow"], "POST");
    problem(get, 405).await;
    let failed = sample.ask(Method::POST, CALL).json(&json!({ "name": "echo" }));
    let failed: Value = failed.send().await.unwrap().json().await.unwrap();
    assert_eq!(failed["isError"], true, "{failed}");
}
