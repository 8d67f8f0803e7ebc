//! The sample MCP server's tools, sessions and recorder.

use mcp_gateway_sandbox::mcp::Options;
use serde_json::json;

use crate::session::{Session, result};

#[tokio::test]
async fn every_revision_with_a_handshake_opens_a_session_and_calls_a_tool() {
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let session = Session::open(version).await;
        let said = result(
            session
                .tool("echo", &json!({ "message": version }))
                .send()
                .await
                .unwrap(),
        )
        .await;
        assert_eq!(said["content"][0]["text"], version);
    }
}

#[tokio::test]
async fn revision_2026_07_28_needs_no_session() {
    let session = Session::closed(Options::default(), "2026-07-28");
    let params = json!({
        "name": "echo",
        "arguments": { "message": "stateless" },
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    });
    let call = |name| {
        session
            .call("tools/call", &params)
            .header("MCP-Protocol-Version", "2026-07-28")
            .header("Mcp-Method", "tools/call")
            .header("Mcp-Name", name)
    };
    let answer = call("echo").send().await.unwrap();
    assert!(!answer.headers().contains_key("mcp-session-id"));
    assert_eq!(result(answer).await["content"][0]["text"], "stateless");
    let lying = call("whoami").send().await.unwrap();
    assert_eq!(
        lying.status(),
        400,
        "headers that disagree with the body are refused"
    );
}

#[tokio::test]
async fn mcp_v1_is_the_same_server_with_the_same_sessions() {
    let session = Session::open("2025-11-25").await;
    let url = format!("{}/mcp/v1", session.running.url());
    let id = session.id.as_deref().unwrap();
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "echo", "arguments": { "message": "there" } },
    });
    let answer = session
        .client
        .post(&url)
        .header("Accept", "application/json, text/event-stream")
        .header("Mcp-Session-Id", id)
        .json(&call);
    let said = result(answer.send().await.unwrap()).await;
    assert_eq!(said["content"][0]["text"], "there");
    let deleted = session.client.delete(&url).header("Mcp-Session-Id", id);
    assert!(deleted.send().await.unwrap().status().is_success());
    let gone = session.call("tools/list", &json!({})).send().await.unwrap();
    assert_eq!(gone.status(), 404);
}

#[tokio::test]
async fn the_tools_are_listed_with_their_schemas() {
    let session = Session::open("2025-11-25").await;
    let listed = result(session.call("tools/list", &json!({})).send().await.unwrap()).await;
    let tools = listed["tools"].as_array().unwrap();
    let mut names: Vec<_> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "create_data",
            "delete_data",
            "echo",
            "get_data",
            "get_user_profile",
            "headers",
            "hold",
            "oauth_authenticate",
            "release",
            "update_data",
            "whoami"
        ]
    );
    assert!(tools.iter().all(|tool| tool["inputSchema"]["type"] == "object"));
}

#[tokio::test]
async fn headers_tells_what_the_backend_received() {
    let session = Session::open("2025-11-25").await;
    let call = session
        .tool("headers", &json!({}))
        .header("X-User-Id", "583231")
        .header("Authorization", "Bearer x")
        .header("X-Twice", "one")
        .header("X-Twice", "two");
    let told = result(call.send().await.unwrap()).await;
    let headers = &told["structuredContent"];
    assert_eq!(headers["x-user-id"], "583231");
    assert_eq!(headers["authorization"], "[not shown]", "it would go to a model");
    assert_eq!(headers["x-twice"], "one, two");
    let text: serde_json::Value = serde_json::from_str(told["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(&text, headers);
    let call = session.tool("headers", &json!({})).header("X-User-Id", "583231");
    let told = result(call.send().await.unwrap()).await;
    assert!(
        told["structuredContent"].get("authorization").is_none(),
        "each call has its own headers"
    );
}

#[tokio::test]
async fn whoami_believes_the_identity_headers() {
    let session = Session::open("2025-11-25").await;
    let call = session
        .tool("whoami", &json!({}))
        .header("X-User-Id", "")
        .header("X-Auth-Scope", "");
    let told = result(call.send().await.unwrap()).await;
    assert_eq!(
        told["structuredContent"],
        json!({ "user_id": null, "login": null, "client_id": null, "scopes": [] })
    );
    let call = session
        .tool("whoami", &json!({}))
        .header("X-User-Id", "583231")
        .header("X-User-Name", "octocat")
        .header("X-Auth-Client", "client-1")
        .header("X-Auth-Scope", "read write");
    let told = result(call.send().await.unwrap()).await;
    assert_eq!(
        told["structuredContent"],
        json!({ "user_id": "583231", "login": "octocat", "client_id": "client-1", "scopes": ["read", "write"] })
    );
}

#[tokio::test]
async fn an_unknown_session_is_404_and_a_deleted_one_is_unknown() {
    let mut session = Session::open("2025-11-25").await;
    let delete = session.client.delete(session.running.mcp_url());
    let delete = delete.header("Mcp-Session-Id", session.id.as_deref().unwrap());
    assert!(delete.send().await.unwrap().status().is_success());
    let answer = session.call("tools/list", &json!({})).send().await.unwrap();
    assert_eq!(answer.status(), 404);
    session.id = Some("invented".into());
    assert_eq!(
        session
            .call("tools/list", &json!({}))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test]
async fn the_id_of_a_session_opens_it_to_nobody_but_the_user_who_opened_it() {
    let mut session = Session::closed(Options::default(), "2025-11-25");
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
    });
    let opened = session.call("initialize", &hello).header("X-User-Id", "583231");
    let opened = opened.send().await.unwrap();
    session.id = Some(opened.headers()["mcp-session-id"].to_str().unwrap().to_owned());
    let id = session.id.clone().unwrap();
    let ask = |method, user: &str| {
        let request = session.client.request(method, session.running.mcp_url());
        let request = request
            .header("Accept", "text/event-stream")
            .header("Mcp-Session-Id", &id);
        request.header("X-User-Id", user.to_owned()).send()
    };
    for other in ["480938", ""] {
        let called = session.tool("whoami", &json!({})).header("X-User-Id", other);
        assert_eq!(called.send().await.unwrap().status(), 404);
        assert_eq!(ask(reqwest::Method::GET, other).await.unwrap().status(), 404);
        assert_eq!(ask(reqwest::Method::DELETE, other).await.unwrap().status(), 404);
    }
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let initialized = session.post(&initialized).header("X-User-Id", "583231");
    assert_eq!(initialized.send().await.unwrap().status(), 202);
    let called = session.tool("whoami", &json!({})).header("X-User-Id", "583231");
    let who = result(called.send().await.unwrap()).await;
    assert_eq!(who["structuredContent"]["user_id"], "583231");
    assert_eq!(ask(reqwest::Method::GET, "583231").await.unwrap().status(), 200);
}

#[tokio::test]
async fn any_host_is_answered_unless_hosts_are_named() {
    for (allowed, host, status) in [
        (vec![], "echo.example.com", 200),
        (vec!["echo.example.com".to_owned()], "echo.example.com", 200),
        (vec!["echo.example.com".to_owned()], "evil.example.com", 403),
    ] {
        let session = Session::closed(
            Options {
                allowed_hosts: allowed,
                ..Options::default()
            },
            "2025-11-25",
        );
        let hello = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = session
            .call("initialize", &hello)
            .header("Host", host)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{host}");
    }
}

#[tokio::test]
async fn a_body_beyond_four_mebibytes_is_refused() {
    let session = Session::closed(Options::default(), "2025-11-25");
    let large = json!({ "filler": "x".repeat(5 * 1024 * 1024) });
    assert_eq!(session.post(&large).send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn the_recorder_counts_whatever_reaches_the_server_but_not_its_health_check() {
    let session = Session::closed(Options::default(), "2025-11-25");
    let recorder = session.running.recorder();
    let url = session.running.url();
    assert_eq!(
        session
            .client
            .get(format!("{url}/health"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    assert_eq!((recorder.requests(), recorder.last()), (0, None));
    let options = session
        .client
        .request(reqwest::Method::OPTIONS, session.running.mcp_url());
    assert_eq!(options.header("X-Probe", "1").send().await.unwrap().status(), 405);
    assert_eq!(recorder.requests(), 1);
    let last = recorder.last().unwrap();
    assert_eq!(
        (last.method.as_str(), last.target.as_str(), last.header("x-probe")),
        ("OPTIONS", "/mcp", Some("1"))
    );
    assert_eq!(
        session
            .client
            .get(format!("{url}/elsewhere?x"))
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    assert_eq!(recorder.requests(), 2);
    assert_eq!(recorder.last().unwrap().target, "/elsewhere?x");
}
