//! `dev`: everything on this machine, and nobody else's.

use std::{net::TcpListener, path::Path};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    agent::{Agent, Tokens},
    mcp::{Session, until},
    run::{Ended, command, end, run},
    server::{Server, client, eventually, free_port},
    stage::issuer,
    wire::Wire,
};

async fn dev(directory: &Path, port: u16, arguments: &[&str], settings: &[(&str, &str)]) -> Server {
    let mut command = command(directory);
    command
        .args(["dev", "--port", &port.to_string()])
        .args(arguments)
        .env("SHUTDOWN_DELAY", "0")
        .envs(settings.iter().copied());
    Server::spawn(command, directory, port).ready().await
}

fn mcp(port: u16) -> String {
    format!("{}/mcp", issuer(port))
}

async fn logged_in(port: u16) -> (Agent, Tokens) {
    let mut agent = Agent::register(&issuer(port)).await;
    let tokens = agent.log_in(&mcp(port)).await;
    (agent, tokens)
}

#[tokio::test]
async fn it_prints_what_was_started_how_to_add_it_and_how_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path(), free_port(), &[], &[]).await;
    let said = server.said();
    let url = mcp(server.port);
    for part in [
        &format!("MCP server        {url}"),
        &format!("claude mcp add --transport http gateway-sample {url}"),
        "stand-in GitHub   http://127.0.0.1:",
        "octocat",
        "in memory",
        "Ctrl-C",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "only what it wrote to its two outputs: {left:?}");
    server.stop().await;
}

#[tokio::test]
async fn it_refuses_any_address_but_loopback() {
    for host in [
        "0.0.0.0",
        "::",
        "192.0.2.1",
        "example.com",
        "localhost.example.com",
    ] {
        let ended = run(&["dev", "--host", host, "--port", "0"]).await;
        assert_eq!(ended.code, 64, "{host}");
        assert!(
            ended.stderr.contains(&format!("--host {host}")),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.stdout, "");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_together_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = tempfile::tempdir().unwrap();
    let Ended { code, stderr, .. } = end(command(directory.path()).args(["dev", "--port", &port])).await;
    assert_eq!(code, 1);
    assert!(
        stderr.contains(&format!("port {port}")) && stderr.contains("--port"),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[tokio::test]
async fn it_answers_to_its_own_names_only() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path(), free_port(), &[], &[]).await;
    let port = server.port;
    for (host, status) in [
        (format!("localhost:{port}"), 200),
        (format!("127.0.0.1:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        (format!("LOCALHOST:{port}"), 200),
        ("localhost".to_owned(), 421),
        (format!("localhost:{}", port - 1), 421),
        (format!("rebound.example.com:{port}"), 421),
        (format!("localhost.example.com:{port}"), 421),
    ] {
        for path in ["/healthz", "/.well-known/oauth-authorization-server"] {
            let request = client().get(server.at(path)).header("host", &host);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status, "{host}{path}");
        }
    }
    for head in [
        format!("GET /healthz HTTP/1.1\r\nHost: localhost:{port}\r\nHost: a.test\r\n"),
        format!("GET http://rebound.example.com/healthz HTTP/1.1\r\nHost: localhost:{port}\r\n"),
        "GET /healthz HTTP/1.0\r\n".to_owned(),
    ] {
        let mut wire = Wire::connect(port).await;
        wire.send(&format!("{head}Connection: close\r\n\r\n")).await;
        let answer = wire.rest().await;
        assert!(
            answer.starts_with("HTTP/1.1 421")
                || answer.starts_with("HTTP/1.0 421")
                || answer.starts_with("HTTP/1.1 400"),
            "{head}{answer}"
        );
    }
}

#[tokio::test]
async fn the_whole_job_from_registration_to_revocation() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path(), free_port(), &[], &[]).await;
    let (http, url) = (client(), mcp(server.port));
    let refused = http.post(&url).body("{}").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains("/.well-known/oauth-protected-resource/mcp"),
        "{challenge}"
    );

    let (mut agent, tokens) = logged_in(server.port).await;
    let session = Session::open(&url, &tokens.access).await;
    let who = session.call("whoami", &json!({})).await;
    let who = &who["structuredContent"];
    assert_eq!(
        (&who["login"], &who["user_id"]),
        (&json!("octocat"), &json!("583231"))
    );
    assert_eq!(who["client_id"], agent.client_id());
    let headers = session.call("headers", &json!({})).await;
    let headers = &headers["structuredContent"];
    assert_eq!(headers["x-user-name"], "octocat");
    assert_eq!(headers["x-auth-token"], "");
    assert!(headers.get("authorization").is_none(), "{headers}");

    let refreshed = agent.refresh(&tokens.refresh).await;
    let session = session.with_token(&refreshed.access);
    let said = session.call("echo", &json!({ "message": "hello" })).await;
    assert_eq!(said["content"][0]["text"], "hello");
    agent.revoke(&refreshed.refresh).await;
    for token in [&tokens.access, &refreshed.access] {
        let request = http.post(&url).header("authorization", format!("Bearer {token}"));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn the_endpoints_answer_under_every_name_of_this_machine_and_people_log_in_under_one() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path(), free_port(), &[], &[]).await;
    let (http, port, issuer) = (client(), server.port, issuer(server.port));
    for name in ["localhost", "127.0.0.1", "[::1]"] {
        let host = format!("{name}:{port}");
        let send = |path: &str| http.post(server.at(path)).header("host", &host);
        let metadata = json!({ "grant_types": ["client_credentials"], "client_name": "Job" });
        let registered = send("/register").json(&metadata).send().await.unwrap();
        assert_eq!(registered.status(), StatusCode::CREATED, "{host}");
        let registered: Value = registered.json().await.unwrap();
        let text = |name: &str| registered[name].as_str().unwrap();
        let resource = format!("http://{host}/mcp");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", text("client_id")),
            ("client_secret", text("client_secret")),
            ("resource", &resource),
        ];
        let token = send("/token").form(&form).send().await.unwrap();
        assert_eq!(token.status(), StatusCode::OK, "{host}");
        if name == "localhost" {
            continue;
        }
        let asked = http
            .get(server.at("/authorize?client_id=c"))
            .header("host", &host);
        let asked = asked.send().await.unwrap();
        assert_eq!(asked.status(), StatusCode::FOUND, "{host}");
        let place = asked.headers()["location"].to_str().unwrap();
        assert!(
            place.starts_with(&format!("{issuer}/authorize?client_id=c&resource=")),
            "{place}"
        );
    }
}

#[tokio::test]
async fn every_client_that_registers_may_act_for_itself() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path(), free_port(), &[], &[]).await;
    let (http, issuer) = (client(), issuer(server.port));
    let metadata = json!({ "grant_types": ["client_credentials"], "client_name": "Job" });
    let registered = http.post(format!("{issuer}/register")).json(&metadata);
    let registered = registered.send().await.unwrap();
    assert_eq!(registered.status(), StatusCode::CREATED);
    let registered: Value = registered.json().await.unwrap();
    let text = |name: &str| registered[name].as_str().unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", text("client_id")),
        ("client_secret", text("client_secret")),
    ];
    let token = http
        .post(format!("{issuer}/token"))
        .form(&form)
        .send()
        .await
        .unwrap();
    let token: Value = token.json().await.unwrap();
    let session = Session::open(&mcp(server.port), token["access_token"].as_str().unwrap()).await;
    let who = session.call("whoami", &json!({})).await;
    assert_eq!(who["structuredContent"]["user_id"], text("client_id"));
}

#[tokio::test]
async fn preflights_of_browsers_are_answered_without_a_token_and_other_options_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path(), free_port(), &[], &[]).await;
    let options = || {
        let request = client().request(reqwest::Method::OPTIONS, mcp(server.port));
        request.header("origin", "https://inspector.test")
    };
    let preflight = options()
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,mcp-session-id");
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.to_lowercase().contains("authorization"), "{allowed}");
    let plain = options().body("{}").send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(plain.headers()["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn a_data_directory_keeps_clients_grants_and_keys_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let server = dev(directory.path(), port, &["--data-dir", "state"], &[]).await;
    assert!(server.said().contains("in state"), "{}", server.said());
    let (mut agent, tokens) = logged_in(port).await;
    server.stop().await;
    let server = dev(directory.path(), port, &["--data-dir", "state"], &[]).await;
    let session = Session::open(&mcp(port), &tokens.access).await;
    assert_eq!(
        session.call("whoami", &json!({})).await["structuredContent"]["login"],
        "octocat"
    );
    assert_eq!(agent.record().await.status(), StatusCode::OK);
    agent.refresh(&tokens.refresh).await;
    server.stop().await;
}

/// A token with `write` of a client that acts for itself.
async fn job(port: u16) -> String {
    let (http, issuer) = (client(), issuer(port));
    let metadata =
        json!({ "grant_types": ["client_credentials"], "client_name": "Job", "scope": "read write" });
    let registered = http.post(format!("{issuer}/register")).json(&metadata);
    let registered: Value = registered.send().await.unwrap().json().await.unwrap();
    let text = |name: &str| registered[name].as_str().unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", text("client_id")),
        ("client_secret", text("client_secret")),
        ("scope", "read write"),
    ];
    let token = http.post(format!("{issuer}/token")).form(&form);
    let token: Value = token.send().await.unwrap().json().await.unwrap();
    token["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_data_directory_keeps_what_the_sample_server_keeps_for_its_users() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let server = dev(directory.path(), port, &["--data-dir", "state"], &[]).await;
    let (mine, theirs) = (job(port).await, job(port).await);
    let session = Session::open(&mcp(port), &mine).await;
    let item = json!({ "name": "kept", "value": 1 });
    let kept = session.call("create_data", &item).await["structuredContent"].clone();
    assert_eq!(kept["name"], "kept", "{kept}");
    server.stop().await;
    let _server = dev(directory.path(), port, &["--data-dir", "state"], &[]).await;
    for (token, items) in [(mine, json!([kept])), (theirs, json!([]))] {
        let session = Session::open(&mcp(port), &token).await;
        let listed = session.call("get_data", &json!({})).await;
        assert_eq!(listed["structuredContent"]["items"], items);
    }
}

#[tokio::test]
async fn the_endpoints_without_an_envelope_and_the_older_transport_are_behind_the_gateway_too() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path(), free_port(), &[], &[]).await;
    let (http, token) = (client(), job(server.port).await);
    let call = || {
        let call = http.post(format!("{}/v1/tools/call", mcp(server.port)));
        call.json(&json!({ "name": "whoami" }))
    };
    assert_eq!(call().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let who: Value = call()
        .bearer_auth(&token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert!(who["structuredContent"]["user_id"].is_string(), "{who}");
    let stream = || http.get(format!("{}/v1/sse", mcp(server.port)));
    assert_eq!(stream().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let mut stream = stream().bearer_auth(&token).send().await.unwrap();
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(
        first.starts_with(b"event: endpoint\ndata: /mcp/v1/sse?sessionId="),
        "{first:?}"
    );
}

#[tokio::test]
async fn without_one_everything_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let server = dev(directory.path(), port, &[], &[]).await;
    let agent = Agent::register(&issuer(port)).await;
    server.stop().await;
    let _server = dev(directory.path(), port, &[], &[]).await;
    assert_eq!(agent.record().await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn answers_arrive_piece_by_piece() {
    let directory = tempfile::tempdir().unwrap();
    let server = dev(directory.path(), free_port(), &[], &[]).await;
    let (_agent, tokens) = logged_in(server.port).await;
    let session = Session::open(&mcp(server.port), &tokens.access).await;
    let held = session.begin("hold", &json!({ "name": "a" })).await;
    let (progress, held) = until(held, |message| message["method"] == "notifications/progress").await;
    assert_eq!(progress["params"]["message"], "held");
    // only now is the call let go, so what came before did not wait for the end of the answer
    let released = session.call("release", &json!({ "name": "a" })).await;
    assert_eq!(released["isError"], false);
    let (done, _) = until(held, |message| message.get("result").is_some()).await;
    assert_eq!(done["result"]["content"][0]["text"], "a was released");
}

#[tokio::test]
async fn a_call_in_flight_finishes_after_a_signal_and_readiness_ends_first() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = dev(directory.path(), free_port(), &[], &[("SHUTDOWN_DELAY", "3")]).await;
    let (_agent, tokens) = logged_in(server.port).await;
    let session = Session::open(&mcp(server.port), &tokens.access).await;
    let held = session.begin("hold", &json!({ "name": "a" })).await;
    let (_, held) = until(held, |message| message["method"] == "notifications/progress").await;
    server.terminate();
    let http = client();
    eventually("readiness ends", async || {
        let answer = http.get(server.at("/readyz")).send().await.unwrap();
        (answer.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    let alive = http.get(server.at("/healthz")).send().await.unwrap();
    assert_eq!(alive.status(), StatusCode::OK, "it still answers");
    assert_eq!(alive.headers()["connection"], "close");
    session.call("release", &json!({ "name": "a" })).await;
    let (done, _) = until(held, |message| message.get("result").is_some()).await;
    assert_eq!(done["result"]["content"][0]["text"], "a was released");
    assert_eq!(server.ended().await, 0, "{}", server.log());
}
