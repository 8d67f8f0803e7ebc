//! The sample server where it checks tokens itself, as whoever has none or a wrong one sees it. What happens to good ones is shown
//! with a whole gateway, in that one's tests.
#![expect(clippy::unwrap_used, reason = "a step that fails ends the test")]

use std::{net::TcpListener, process::Command, sync::Arc};

use mcp_gateway_model::{
    clock::SystemClock, id::GrantId, issuer::Issuer, resource::ResourceUri, secret::Secret,
    token::PersonalAccessToken,
};
use mcp_gateway_sandbox::mcp::{Options, Protection, RunningSample, SampleServer};
use reqwest::Response;
use serde_json::{Value, json};

use crate::github::client;

/// Nobody listens there.
const ISSUER: &str = "http://127.0.0.1:9";

fn start() -> RunningSample {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let protection = Protection::alone(
        Issuer::parse(ISSUER).unwrap(),
        ResourceUri::parse(&uri).unwrap(),
        Secret::presented("s".repeat(32)),
        Arc::new(SystemClock),
    );
    let options = Options {
        protection: protection.unwrap(),
        ..Options::default()
    };
    SampleServer::new(options).start_at(listener).unwrap()
}

async fn send(sample: &RunningSample, headers: &[(&str, &str)], message: Value) -> Response {
    let mut request = client()
        .post(sample.mcp_url())
        .header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.json(&message).send().await.unwrap()
}

fn call(tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": {} } })
}

fn initialize() -> Value {
    let params = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "it", "version": "1" },
    });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
}

fn challenge(answer: &Response) -> &str {
    let value = answer.headers().get("www-authenticate");
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn whoever_has_no_token_learns_how_to_get_one() {
    let sample = start();
    assert_eq!(send(&sample, &[], initialize()).await.status(), 200);
    for (tool, scope) in [("whoami", "read"), ("get_data", "read"), ("create_data", "write")] {
        let answer = send(&sample, &[], call(tool)).await;
        assert_eq!(answer.status(), 401, "{tool}");
        let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", sample.url());
        let expected = format!("Bearer resource_metadata=\"{metadata}\", scope=\"{scope}\"");
        assert_eq!(challenge(&answer), expected, "{tool}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn the_headers_of_a_gateway_are_not_believed() {
    let sample = start();
    let forged = [
        ("x-user-id", "583231"),
        ("x-user-name", "octocat"),
        ("x-auth-client", "one"),
        ("x-auth-scope", "admin"),
    ];
    let answer = send(&sample, &forged, call("whoami")).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_even_where_none_is_needed() {
    let sample = start();
    let bad = [("authorization", "Bearer nonsense")];
    for message in [initialize(), call("whoami")] {
        let answer = send(&sample, &bad, message).await;
        assert_eq!(answer.status(), 401);
        let challenge = challenge(&answer);
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{challenge}"
        );
    }
    let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    assert_eq!(send(&sample, &twice, call("whoami")).await.status(), 400);
}

#[tokio::test]
async fn a_token_that_nobody_can_be_asked_about_is_503() {
    let sample = start();
    let token = PersonalAccessToken::generate(&GrantId::generate());
    let bearer = format!("Bearer {}", token.reveal());
    let answer = send(&sample, &[("authorization", &bearer)], call("whoami")).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(challenge(&answer), "");
}

#[tokio::test]
async fn the_metadata_lead_to_the_issuer() {
    let sample = start();
    for path in ["", "/mcp", "/mcp/v1", "/api/data"] {
        let url = format!("{}/.well-known/oauth-protected-resource{path}", sample.url());
        let document: Value = client().get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(document["resource"], format!("{}{path}", sample.url()));
        assert_eq!(document["authorization_servers"], json!([ISSUER]));
    }
}

#[test]
fn the_program_wants_all_that_it_needs_and_names_what_is_wrong() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-gateway-sample"));
        let output = command
            .args(["mcp", "--port", "0"])
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    let (code, said) = run(&["--issuer", ISSUER]);
    assert_eq!(code, Some(2));
    assert!(said.contains("--url") && said.contains("--secret-file"), "{said}");
    for (issuer, url, named) in [
        (
            "http://auth.example.com",
            "http://127.0.0.1:1",
            "--issuer must be https",
        ),
        (ISSUER, "nonsense", "--url"),
        (
            ISSUER,
            "http://127.0.0.1:1",
            "--secret-file /nowhere cannot be read",
        ),
    ] {
        let (code, said) = run(&["--issuer", issuer, "--url", url, "--secret-file", "/nowhere"]);
        assert_eq!(code, Some(1));
        assert!(said.contains(named), "{named}: {said}");
    }
}
