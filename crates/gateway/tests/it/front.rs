//! Two ways to the same answer: what the verifier has admitted before is answered before it is routed, all else behind that.
//! Nobody can tell from outside which way a request went.

use std::collections::BTreeMap;

use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::support::{
    agent::{Agent, bearer},
    server::{Server, client, eventually, free_port},
    stage::{RESOURCE, Stage, issuer},
    wire::Wire,
};

/// How a request is made: its method and further headers.
type Asked = (Method, &'static [(&'static str, &'static str)]);

async fn ask(server: &Server, token: &str, (method, more): &Asked) -> Response {
    let mut request = client()
        .request(method.clone(), server.at("/verify"))
        .header("x-forwarded-method", "POST")
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "echo.gateway.test")
        .header("x-forwarded-uri", "/mcp")
        .header("authorization", bearer(token));
    for (name, value) in *more {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// What does not differ from answer to answer.
fn lasting(answer: &Response) -> BTreeMap<String, String> {
    let headers = answer.headers().iter();
    headers
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .filter(|(name, _)| name != "date" && name != "x-request-id")
        .collect()
}

/// The line of a request, but for its time, how long it took, and its id.
async fn line(server: &Server, answer: &Response) -> Value {
    let id = answer.headers()["x-request-id"].to_str().unwrap();
    let mut line = eventually("the line of a request", async || {
        let mut lines = server.lines().into_iter();
        lines.find(|line| line["target"] == "mcp_oauth_gateway::request" && line["request_id"] == id)
    })
    .await;
    let fields = line.as_object_mut().unwrap();
    for differs in ["timestamp", "ms", "request_id"] {
        assert!(fields.remove(differs).is_some(), "{differs}");
    }
    line
}

/// The numbers at `/metrics`.
async fn counted(port: u16) -> BTreeMap<String, f64> {
    let request = client().get(format!("http://127.0.0.1:{port}/metrics"));
    let text = request.send().await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_token_seen_before_is_answered_logged_and_counted_as_one_that_is_new() {
    let stage = Stage::new();
    let port = free_port();
    let metrics = free_port();
    let listen = format!("127.0.0.1:{metrics}");
    let server = stage.serve_at(port, &[("METRICS_LISTEN", &listen)]).await;
    let mut agent = Agent::register(&issuer(port)).await;
    let asked: [Asked; 6] = [
        (Method::GET, &[]),
        (Method::POST, &[]),
        (Method::HEAD, &[]),
        (Method::DELETE, &[("x-forwarded-for", "203.0.113.9")]),
        (Method::GET, &[("x-forwarded-for", "203.0.113.9, 10.1.2.3")]),
        (Method::GET, &[("x-request-id", "given-by.the_proxy-1")]),
    ];
    for asked in asked {
        let token = agent.log_in(RESOURCE).await.access;
        let before = counted(metrics).await;
        let new = ask(&server, &token, &asked).await;
        let again = ask(&server, &token, &asked).await;
        assert_eq!(
            (new.status(), again.status()),
            (StatusCode::OK, StatusCode::OK),
            "{asked:?}"
        );
        assert_eq!(lasting(&new), lasting(&again), "{asked:?}");
        assert_eq!(new.headers()["cache-control"], "no-store");
        let given = asked.1.iter().any(|(name, _)| *name == "x-request-id");
        let ids = [&new, &again].map(|answer| answer.headers()["x-request-id"].clone());
        assert_eq!(ids[0] == ids[1], given, "{ids:?}");
        let logged = line(&server, &new).await;
        assert_eq!(logged, line(&server, &again).await, "{asked:?}");
        assert_eq!(logged["path"], "/verify");
        let after = counted(metrics).await;
        let more = |name: &str| after[name] - before.get(name).unwrap_or(&0.0);
        for name in [
            "mcp_gateway_verify_total{outcome=\"admitted\"}",
            "mcp_gateway_verify_seconds_count",
            "mcp_gateway_verify_seconds_bucket{le=\"+Inf\"}",
            "mcp_gateway_http_answers_total{status=\"200\"}",
        ] {
            assert!((more(name) - 2.0).abs() < 0.5, "{name}: {}", more(name));
        }
        assert!(more("mcp_gateway_verify_seconds_sum") > 0.0);
    }
}

/// A request for `/verify` as it goes over the wire, and the body that comes with it.
fn written(token: &str, head: &str, body: &str) -> String {
    format!(
        "POST /verify HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Method: POST\r\nX-Forwarded-Host: echo.gateway.test\r\n\
         X-Forwarded-Uri: /mcp\r\nAuthorization: {}\r\n{head}\r\n{body}",
        bearer(token)
    )
}

#[tokio::test]
async fn a_connection_goes_on_after_a_body_that_nobody_needed() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let token = Agent::register(&issuer(port)).await.log_in(RESOURCE).await.access;
    assert_eq!(
        ask(&server, &token, &(Method::GET, &[])).await.status(),
        StatusCode::OK
    );
    let body = "x".repeat(2_000);
    let with_length = written(&token, &format!("Content-Length: {}\r\n", body.len()), &body);
    let in_chunks = written(
        &token,
        "Transfer-Encoding: chunked\r\n",
        &format!("7d0\r\n{body}\r\n0\r\n\r\n"),
    );
    let without = written(&token, "", "");
    let mut wire = Wire::connect(port).await;
    let long = "x".repeat(20_000);
    let long = written(&token, "Content-Length: 20000\r\n", &long);
    for request in [&with_length, &without, &in_chunks, &long, &with_length, &without] {
        wire.send(request).await;
        let answer = wire.head().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nx-user-id: "), "{answer}");
        assert!(!answer.to_lowercase().contains("\r\nconnection: "), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn nobody_waits_for_a_body_that_nobody_needs() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let token = Agent::register(&issuer(port)).await.log_in(RESOURCE).await.access;
    // each worker knows the token
    for _ in 0..20 {
        assert_eq!(
            ask(&server, &token, &(Method::GET, &[])).await.status(),
            StatusCode::OK
        );
    }
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for head in [
        upgrade,
        "Content-Length: 1000\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let mut wire = Wire::connect(port).await;
        wire.send(&written(&token, head, "")).await;
        // neither a byte more nor the end of the connection comes before the answer
        let answer = wire.head().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{head}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn whoever_sends_more_of_a_body_than_anybody_reads_is_answered_and_has_to_connect_again() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let token = Agent::register(&issuer(port)).await.log_in(RESOURCE).await.access;
    for _ in 0..2 {
        let mut wire = Wire::connect(port).await;
        // the rest never comes
        wire.send(&written(
            &token,
            "Content-Length: 1000000\r\n",
            &"x".repeat(200_000),
        ))
        .await;
        let answer = wire.rest().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn while_the_server_ends_no_answer_keeps_a_connection() {
    let stage = Stage::new();
    let port = free_port();
    let mut server = stage.serve_at(port, &[("SHUTDOWN_DELAY", "3")]).await;
    let token = Agent::register(&issuer(port)).await.log_in(RESOURCE).await.access;
    let asked = (Method::GET, &[][..]);
    assert!(
        !ask(&server, &token, &asked)
            .await
            .headers()
            .contains_key("connection")
    );
    server.terminate();
    eventually("the signal is noticed", async || {
        server.log().contains("ending: ").then_some(())
    })
    .await;
    for asked in [asked, (Method::POST, &[("x-forwarded-for", "203.0.113.9")][..])] {
        let answer = ask(&server, &token, &asked).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["connection"], "close");
    }
    assert_eq!(server.ended().await, 0, "{}", server.log());
}
