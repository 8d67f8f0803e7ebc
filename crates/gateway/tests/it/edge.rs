//! The edge: what every request meets, whatever it asks for.

use std::{path::Path, process::Command};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{
    run::{command, end},
    server::{Server, client, eventually, free_port},
    stage::Stage,
    wire::Wire,
};

#[tokio::test]
async fn metrics_have_a_listener_of_their_own() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage
        .serve(&[("METRICS_LISTEN", &format!("127.0.0.1:{port}"))])
        .await;
    let http = client();
    http.get(server.at("/verify")).send().await.unwrap();
    assert_eq!(
        http.get(server.at("/metrics")).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    let answer = http
        .get(format!("http://127.0.0.1:{port}/metrics"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("mcp_gateway_http_answers_total{status=\"200\"}"),
        "{text}"
    );
    assert!(
        text.lines().filter(|line| line.starts_with("# TYPE")).count() >= 3,
        "{text}"
    );
    for path in ["/healthz", "/jwks", "/"] {
        let elsewhere = http
            .get(format!("http://127.0.0.1:{port}{path}"))
            .send()
            .await
            .unwrap();
        assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_listener_that_is_taken_is_named() {
    let stage = Stage::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let run = async |port: u16, metrics: &str| {
        let mut command = command(stage.directory.path());
        command.args(["serve", "--port", &port.to_string()]);
        end(command.envs(stage.operator(port)).env("METRICS_LISTEN", metrics)).await
    };
    let ended = run(free_port(), &address.to_string()).await;
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("METRICS_LISTEN: {address}")),
        "{}",
        ended.stderr
    );
    let ended = run(address.port(), "off").await;
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("port {}", address.port())),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn it_says_who_it_is_and_that_it_is_alive() {
    let stage = Stage::new();
    let server = stage.serve(&[]).await;
    let http = client();
    let version: Value = http
        .get(server.at("/version"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(version["name"], "mcp-oauth-gateway");
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    for path in ["/healthz", "/health", "/readyz"] {
        for method in [Method::GET, Method::HEAD] {
            let answer = http.request(method, server.at(path)).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{path}");
            assert_eq!(answer.headers()["cache-control"], "no-store");
        }
    }
    let healthy =
        end(command(stage.directory.path()).args(["healthcheck", "--port", &server.port.to_string()])).await;
    assert_eq!(
        (healthy.code, healthy.stdout.as_str()),
        (0, ""),
        "{}",
        healthy.stderr
    );
    let by_variable = end(command(stage.directory.path())
        .arg("healthcheck")
        .envs([("HOST", "0.0.0.0"), ("PORT", &server.port.to_string())]))
    .await;
    assert_eq!(by_variable.code, 0, "{}", by_variable.stderr);
}

#[tokio::test]
async fn what_is_not_there_is_told_in_json() {
    let stage = Stage::new();
    let server = stage.serve(&[]).await;
    for (method, path, status) in [
        (Method::GET, "/nowhere", 404),
        (Method::POST, "/", 404),
        (Method::GET, "/token", 405),
        (Method::PATCH, "/register", 405),
        (Method::DELETE, "/jwks", 405),
        (Method::POST, "/version", 405),
        (Method::POST, "/healthz", 405),
    ] {
        let answer = client()
            .request(method.clone(), server.at(path))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("application/json"), "{method} {path}: {kind}");
        assert!(answer.headers().contains_key("x-request-id"));
        let body: Value = answer.json().await.unwrap();
        assert!(body["error"].is_string(), "{method} {path}: {body}");
    }
}

#[tokio::test]
async fn bodies_and_heads_have_limits() {
    let stage = Stage::new();
    let server = stage.serve(&[]).await;
    let http = client();
    for (path, kind, size) in [
        ("/register", "application/json", 64 * 1024 + 1),
        ("/token", "application/x-www-form-urlencoded", 16 * 1024 + 1),
    ] {
        let request = http.post(server.at(path)).header("content-type", kind);
        let answer = request.body("x".repeat(size)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert!(body["error"].is_string(), "{path}: {body}");
    }
    // a head that does not end
    let mut wire = Wire::connect(server.port).await;
    wire.send(&format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: {}",
        "x".repeat(300_000)
    ))
    .await;
    let answer = wire.rest().await;
    assert!(!answer.contains("200 OK"), "{answer}");
    // more headers than anybody needs
    let mut wire = Wire::connect(server.port).await;
    let many = "X-Many: x\r\n".repeat(200);
    wire.send(&format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"))
        .await;
    let answer = wire.rest().await;
    assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{answer}");
    assert_eq!(
        http.get(server.at("/healthz")).send().await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_head_that_comes_in_slowly_is_not_waited_for() {
    let stage = Stage::new();
    let server = stage.serve(&[]).await;
    let mut wire = Wire::connect(server.port).await;
    wire.send("GET /healthz HTTP/1.1\r\nHost: loc").await;
    let answer = wire.rest().await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_request_in_flight_finishes_after_a_signal_and_nothing_new_comes_in() {
    let stage = Stage::new();
    let mut server = stage.serve(&[("SHUTDOWN_DELAY", "1")]).await;
    let body = "grant_type=refresh_token&refresh_token=x&client_id=y";
    let mut wire = Wire::connect(server.port).await;
    wire.send(&format!(
        "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{}",
        body.len(),
        &body[..20]
    ))
    .await;
    // an answered request after it: the head above has been read by then
    let http = client();
    assert_eq!(
        http.get(server.at("/readyz")).send().await.unwrap().status(),
        StatusCode::OK
    );
    server.terminate();
    eventually("readiness ends", async || {
        let answer = http.get(server.at("/readyz")).send().await.ok()?;
        (answer.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    eventually("listening ends", async || {
        http.get(server.at("/healthz")).send().await.err().map(drop)
    })
    .await;
    assert!(server.runs(), "it waits for what is in flight");
    wire.send(&body[20..]).await;
    let answer = wire.rest().await;
    assert!(
        answer.contains("\"error\":\"invalid_client\"") || answer.contains("\"error\":\"invalid_grant\""),
        "{answer}"
    );
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    assert_eq!(server.ended().await, 0, "{}", server.log());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let stage = Stage::new();
    let mut server = stage.serve(&[("SHUTDOWN_DELAY", "20")]).await;
    server.terminate();
    eventually("the first signal is noticed", async || {
        server.log().contains("ending: ").then_some(())
    })
    .await;
    server.terminate();
    assert_eq!(server.ended().await, 0, "{}", server.log());
}

/// A certificate for localhost.
fn certificate(directory: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-days",
            "2",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(directory)
        .output()
        .unwrap_or_else(|error| panic!("this test needs openssl: {error}"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn tls_by_the_gateway_itself_answers_https_and_nothing_else() {
    let stage = Stage::new();
    certificate(stage.directory.path());
    let port = free_port();
    let settings = [
        ("MCP_HTTPS_ENABLED", "true"),
        ("MCP_SSL_CERT_FILE", "cert.pem"),
        ("MCP_SSL_KEY_FILE", "key.pem"),
    ];
    let mut serve = command(stage.directory.path());
    serve
        .args(["serve", "--port", &port.to_string()])
        .envs(stage.operator(port))
        .envs(settings);
    serve.env_remove("MCP_OAUTH_ISSUER");
    let mut server = Server::spawn(serve, stage.directory.path(), port);
    let trusting = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(
            &std::fs::read(stage.directory.path().join("cert.pem")).unwrap(),
        )
        .unwrap()])
        .build()
        .unwrap();
    let document = eventually("https", async || {
        assert!(server.runs(), "{}", server.log());
        let address = format!("https://localhost:{port}/.well-known/oauth-authorization-server");
        let answer = trusting.get(address).send().await.ok()?;
        answer.error_for_status().ok()?.json::<Value>().await.ok()
    })
    .await;
    assert_eq!(
        document["issuer"],
        format!("https://localhost:{port}"),
        "the issuer follows"
    );
    let mut wire = Wire::connect(port).await;
    wire.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert!(!wire.rest().await.contains("HTTP/1.1"));
    let mut check = command(stage.directory.path());
    check
        .args(["healthcheck", "--port", &port.to_string()])
        .env("MCP_HTTPS_ENABLED", "true");
    let healthy = end(&mut check).await;
    assert_eq!(healthy.code, 0, "{}", healthy.stderr);
    server.stop().await;
}
