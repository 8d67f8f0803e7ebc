//! The log: what happened, and nothing that opens anything.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt};

use mcp_gateway_store::testing::{RedisServer, RedisSetup};
use reqwest::StatusCode;
use serde_json::Value;

use crate::support::{
    agent::{Agent, REDIRECT},
    run::SECRET,
    server::{Server, client, eventually, free_port},
    stage::{GITHUB_SECRET, RESOURCE, Stage, issuer, verify},
};

const PASSWORD: &str = "password-of-redis-8c2e";
const PRESENTED: &str = "presented-by-somebody-0123456789abcdef";

/// Everything that can happen to a client, and a few things that must not.
async fn whole_life(server: &Server, stage: &Stage) -> Vec<String> {
    let mut agent = Agent::register(&issuer(server.port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    verify(server, &tokens.access).await;
    verify(server, PRESENTED).await;
    let refreshed = agent.refresh(&tokens.refresh).await;
    let introspected = agent.ask("/introspect", &[("token", &refreshed.access)]).await;
    assert_eq!(introspected.status(), StatusCode::OK);
    assert_eq!(agent.record().await.status(), StatusCode::OK);
    let unused = agent.code(RESOURCE).await;
    let wrong = [
        ("grant_type", "authorization_code"),
        ("code", unused.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", "a-verifier-that-is-not-the-right-one-0123456789"),
    ];
    assert_eq!(agent.token(&wrong).await.0, StatusCode::BAD_REQUEST);
    agent.revoke(&refreshed.refresh).await;
    let http = client();
    for path in ["/callback?code=", "/authorize?state=", "/nowhere?access_token="] {
        let request = http.get(server.at(&format!("{path}{PRESENTED}")));
        let answer = request
            .header("cookie", format!("browser={PRESENTED}"))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_client_error(), "{path}");
    }
    let mut secrets = agent.secrets.clone();
    secrets.extend(stage.github.tokens());
    secrets.extend([GITHUB_SECRET, PASSWORD, SECRET, PRESENTED].map(str::to_owned));
    secrets
}

/// Each secret, and the random part of it alone.
fn with_tails(secrets: Vec<String>) -> BTreeSet<String> {
    let tails: Vec<_> = secrets
        .iter()
        .filter_map(|secret| secret.rsplit(['.', '_']).next())
        .filter(|tail| tail.len() >= 24)
        .map(str::to_owned)
        .collect();
    secrets
        .into_iter()
        .chain(tails)
        .filter(|secret| secret.len() >= 8)
        .collect()
}

async fn keeps_every_secret(format: &str) {
    let stage = Stage::new();
    let redis = RedisServer::with(RedisSetup {
        password: Some(PASSWORD.to_owned()),
        ..RedisSetup::default()
    });
    let port = free_port();
    let url = redis.url_for(&format!("default:{PASSWORD}@"));
    let settings = stage.settings(
        port,
        &[
            ("REDIS_URL", &url),
            ("STORE_ENCRYPTION_KEY", SECRET),
            ("LOG_LEVEL", "trace"),
            ("LOG_FORMAT", format),
            ("LOG_FILE", "gateway.log"),
        ],
    );
    let server = Server::start(stage.directory.path(), "serve", port, &settings).await;
    let secrets = with_tails(whole_life(&server, &stage).await);
    assert!(secrets.len() > 25, "{}", secrets.len());
    let path = stage.directory.path().join("gateway.log");
    let others = fs::metadata(&path).unwrap().permissions().mode() & 0o027;
    assert_eq!(others, 0, "audit lines are nobody else's");
    let file = fs::read_to_string(path).unwrap();
    for (name, log) in [
        ("standard error", server.log()),
        ("LOG_FILE", file),
        ("standard output", server.said()),
    ] {
        assert!(
            name == "standard output" || log.contains("client_registered"),
            "{name}: {log}"
        );
        for secret in &secrets {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{secret} in {name}");
        }
    }
    assert_eq!(server.said(), "", "logs are not output");
}

#[tokio::test]
async fn json_at_trace_keeps_every_secret_of_a_whole_login() {
    keeps_every_secret("json").await;
}

#[tokio::test]
async fn text_at_trace_keeps_every_secret_of_a_whole_login() {
    keeps_every_secret("text").await;
}

/// The lines of requests that are written so far: some wait for a moment, so that many are written at once.
fn requests(server: &Server) -> Vec<Value> {
    let lines = server.lines().into_iter();
    lines
        .filter(|line| line["target"] == "mcp_oauth_gateway::request")
        .collect()
}

/// The line of one request.
async fn line_of(server: &Server, id: &str) -> Value {
    eventually("the line of a request", async || {
        requests(server).into_iter().find(|line| line["request_id"] == id)
    })
    .await
}

#[tokio::test]
async fn each_request_has_one_line_with_the_id_of_its_answer() {
    let stage = Stage::new();
    let mut server = stage.serve(&[]).await;
    let http = client();
    for (path, status) in [
        ("/jwks", 200),
        ("/nowhere", 404),
        ("/authorize", 421),
        ("/verify", 400),
    ] {
        let answer = http.get(server.at(path)).send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap();
        let line = line_of(&server, id).await;
        assert_eq!((&line["path"], &line["method"]), (&path.into(), &"GET".into()));
        assert_eq!(line["status"], answer.status().as_u16());
        assert_eq!(answer.status(), status, "{path}");
        assert!(line["ms"].is_u64() && line["client"] == "127.0.0.1", "{line}");
    }
    server.terminate();
    assert_eq!(server.ended().await, 0);
    let lines = requests(&server);
    let ids: BTreeSet<_> = lines.iter().map(|line| line["request_id"].to_string()).collect();
    assert_eq!(ids.len(), lines.len(), "{lines:?}");
}

#[tokio::test]
async fn no_line_of_a_request_is_lost_when_the_server_ends() {
    let stage = Stage::new();
    let mut server = stage.serve(&[("LOG_FILE", "gateway.log")]).await;
    let http = client();
    let mut ids = BTreeSet::new();
    for _ in 0..100 {
        let answer = http.get(server.at("/jwks")).send().await.unwrap();
        ids.insert(answer.headers()["x-request-id"].to_str().unwrap().to_owned());
    }
    server.terminate();
    assert_eq!(server.ended().await, 0);
    let file = fs::read_to_string(stage.directory.path().join("gateway.log")).unwrap();
    for log in [server.log(), file] {
        let lines: Vec<Value> = log
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let of_requests = lines
            .iter()
            .filter(|line| line["target"] == "mcp_oauth_gateway::request");
        let written: BTreeSet<_> = of_requests
            .filter_map(|line| line["request_id"].as_str().map(str::to_owned))
            .collect();
        assert!(written.is_superset(&ids), "{} of {}", written.len(), ids.len());
    }
}

#[tokio::test]
async fn requests_have_no_line_below_the_level_that_is_asked_for() {
    let stage = Stage::new();
    for (level, lines) in [("warn", 0), ("warn,mcp_oauth_gateway::request=info", 1)] {
        let mut server = stage.serve(&[("LOG_LEVEL", level), ("LOG_FORMAT", "text")]).await;
        client().get(server.at("/jwks")).send().await.unwrap();
        server.terminate();
        assert_eq!(server.ended().await, 0);
        let log = server.log();
        let of_it = log.lines().filter(|line| line.contains("path=\"/jwks\""));
        assert_eq!(of_it.count(), lines, "{level}: {log}");
    }
}

#[tokio::test]
async fn the_id_that_a_trusted_proxy_gave_is_kept_and_a_malformed_one_replaced() {
    let stage = Stage::new();
    let answered = async |server: &Server, given: &str| {
        let request = client().get(server.at("/jwks")).header("x-request-id", given);
        let answer = request
            .header("x-forwarded-for", "203.0.113.9")
            .send()
            .await
            .unwrap();
        answer.headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    let server = stage.serve(&[]).await;
    assert_eq!(
        answered(&server, "given-by.the_proxy-1").await,
        "given-by.the_proxy-1"
    );
    let line = line_of(&server, "given-by.the_proxy-1").await;
    assert_eq!(line["client"], "203.0.113.9");
    for malformed in [
        "short",
        "has a space in it",
        "<script>alert(1)</script>",
        &"x".repeat(65),
    ] {
        let id = answered(&server, malformed).await;
        assert!(id != malformed && id.len() >= 8, "{id}");
        assert!(!server.log().contains(malformed) || malformed == "short");
    }
    server.stop().await;
    let server = stage.serve(&[("TRUSTED_PROXIES", "192.0.2.1")]).await;
    let id = answered(&server, "given-by.the_proxy-2").await;
    assert_ne!(id, "given-by.the_proxy-2");
    assert_eq!(line_of(&server, &id).await["client"], "127.0.0.1");
}

#[tokio::test]
async fn audit_lines_are_json_in_text_mode_too_and_at_any_level() {
    let stage = Stage::new();
    let server = stage
        .serve(&[("LOG_FORMAT", "text"), ("LOG_LEVEL", "error")])
        .await;
    let mut agent = Agent::register(&issuer(server.port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    agent.refresh(&tokens.refresh).await;
    agent.revoke(&tokens.access).await;
    let lines = server.lines();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        [
            "client_registered",
            "consent_given",
            "logged_in",
            "token_issued",
            "token_refreshed",
            "revoked"
        ]
    );
    assert!(
        lines
            .iter()
            .all(|line| line["target"] == "audit" && line["request_id"].is_string())
    );
    let log = server.log();
    // a connection that comes while the server ends is an error of the HTTP server's own
    let is_ours = |line: &&str| !line.ends_with("ERROR actix_server::accept: No workers");
    assert_eq!(log.lines().filter(is_ours).count(), lines.len(), "{log}");
    assert!(!log.contains('\u{1b}'), "no colours without a terminal");
}

#[tokio::test]
async fn a_log_file_that_cannot_be_written_ends_the_start() {
    let stage = Stage::new();
    let mut command = crate::support::run::command(stage.directory.path());
    command
        .arg("serve")
        .envs(stage.operator(free_port()))
        .env("LOG_FILE", "missing/gateway.log");
    let ended = crate::support::run::end(&mut command).await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("LOG_FILE: missing/gateway.log"),
        "{}",
        ended.stderr
    );
}
