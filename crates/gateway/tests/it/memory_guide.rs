//! The gateway in front of a server such as MCP Memory Service, set up as that one's guide has it: its variables, its scopes,
//! its API key, its commands.

use std::{fs, process::Command};

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    agent::{Agent, bearer, header_of},
    run::{SECRET, operator},
    server::{Server, client, eventually, free_port},
    stage::{Stage, issuer},
};

/// The server behind.
const MEMORY: &str = "https://memory.gateway.test/";
const KEY: &str = "9f86d081884c7d659a2feaa0c55ad015";

/// What its paths need: searching is reading, whatever the method.
const RULES: &str = "[[resource]]
uri = \"https://memory.gateway.test\"
name = \"Memory\"
default_scopes = [\"read\"]
rule = [
  { methods = [\"POST\", \"PUT\", \"PATCH\", \"DELETE\"], paths = [\"/api/memories/*\"], scopes = [\"write\"] },
  { paths = [\"/api/manage/*\"], scopes = [\"admin\"] },
]
";

/// A gateway with these rules, at `port`.
async fn serve(stage: &Stage, port: u16, more: &[(&str, &str)]) -> Server {
    fs::write(stage.directory.path().join("gateway.toml"), RULES).unwrap();
    let own = [("GATEWAY_CONFIG", "gateway.toml"), ("DEFAULT_RESOURCE", "")];
    stage.serve_at(port, &[&own[..], more].concat()).await
}

/// What the proxy asks about a request for the server behind.
async fn ask(server: &Server, method: &str, path: &str, token: &str) -> Response {
    let request = client()
        .get(server.at("/verify"))
        .header("x-forwarded-method", method)
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-host", "memory.gateway.test")
        .header("x-forwarded-uri", path)
        .header("x-forwarded-for", "203.0.113.9")
        .header("authorization", bearer(token));
    request.send().await.unwrap()
}

/// An access token of a client that asks for this scope.
async fn access(port: u16, scope: &'static str) -> String {
    let mut agent = Agent::register(&issuer(port)).await;
    agent.scope = scope;
    agent.log_in(MEMORY).await.access
}

#[tokio::test]
async fn read_write_and_admin_open_what_the_guide_says() {
    let stage = Stage::new();
    let port = free_port();
    let key = [
        ("MCP_API_KEY", KEY),
        ("MCP_API_KEY_RESOURCES", "https://memory.gateway.test"),
        ("MCP_API_KEY_SCOPES", "read,write"),
    ];
    let server = serve(&stage, port, &key).await;
    let (read, write) = (access(port, "read").await, access(port, "read write").await);
    let admin = access(port, "admin").await;
    let tokens = [read.as_str(), &write, &admin, KEY];
    for (method, path, needed, expected) in [
        ("GET", "/api/memories", "read", [true, true, true, true]),
        (
            "GET",
            "/api/memories/7?full=true",
            "read",
            [true, true, true, true],
        ),
        ("POST", "/api/search", "read", [true, true, true, true]),
        ("POST", "/api/search/by-tag", "read", [true, true, true, true]),
        ("POST", "/api/memories", "write", [false, true, true, true]),
        ("PUT", "/api/memories/7", "write", [false, true, true, true]),
        ("DELETE", "/api/memories/7", "write", [false, true, true, true]),
        (
            "POST",
            "/api/manage/cleanup",
            "admin",
            [false, false, true, false],
        ),
        ("GET", "/api/manage/stats", "admin", [false, false, true, false]),
    ] {
        for (token, opens) in tokens.iter().zip(expected) {
            let answer = ask(&server, method, path, token).await;
            if opens {
                assert_eq!(answer.status(), StatusCode::OK, "{method} {path}");
                continue;
            }
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{method} {path}");
            let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
            assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
            assert!(challenge.contains(&format!("scope=\"{needed}\"")), "{challenge}");
        }
        let nobody = ask(&server, method, path, "nobody").await;
        assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
    }
    let known = ask(&server, "GET", "/api/memories", KEY).await;
    assert_eq!(known.headers()["x-user-id"], "api-key");
    let known = ask(&server, "GET", "/api/memories", &read).await;
    assert_eq!(known.headers()["x-user-name"], "octocat");
    assert_eq!(known.headers()["x-auth-scope"], "read");
    server.stop().await;
}

#[tokio::test]
async fn its_secret_signs_with_hs256_and_tokens_last_as_long_as_it_does() {
    let stage = Stage::new();
    let port = free_port();
    let with = async |secret: &str| {
        let settings = [
            ("JWT_ALGORITHM", "HS256"),
            ("MCP_OAUTH_SECRET_KEY", secret),
            ("MCP_OAUTH_ENABLED", "true"),
            ("MCP_OAUTH_ACCESS_TOKEN_EXPIRE_MINUTES", "60"),
            ("MCP_OAUTH_AUTHORIZATION_CODE_EXPIRE_MINUTES", "10"),
        ];
        serve(&stage, port, &settings).await
    };
    let server = with(SECRET).await;
    let mut agent = Agent::register(&issuer(port)).await;
    let tokens = agent.log_in(MEMORY).await;
    assert_eq!(header_of(&tokens.access)["alg"], "HS256");
    let (status, refreshed) = agent.try_refresh(&tokens.refresh).await;
    assert_eq!((status, &refreshed["expires_in"]), (StatusCode::OK, &json!(3600)));
    let token = refreshed["access_token"].as_str().unwrap();
    server.stop().await;
    for (secret, expected) in [
        (SECRET, StatusCode::OK),
        ("another-secret-of-more-than-32-bytes", StatusCode::UNAUTHORIZED),
        (SECRET, StatusCode::OK),
    ] {
        let again = with(secret).await;
        assert_eq!(
            ask(&again, "GET", "/api/memories", token).await.status(),
            expected
        );
        again.stop().await;
    }
}

#[tokio::test]
async fn its_endpoints_lead_from_registration_to_a_refreshed_token() {
    let stage = Stage::new();
    let port = free_port();
    let mut server = serve(&stage, port, &[]).await;
    let mut agent = Agent::register_below(&issuer(port), "/oauth").await;
    let tokens = agent.log_in(MEMORY).await;
    let refreshed = agent.refresh(&tokens.refresh).await;
    for token in [&tokens.access, &refreshed.access] {
        let answer = ask(&server, "GET", "/api/memories", token).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
    let id = agent.client_id();
    let holder = agent.registration["registration_access_token"].as_str().unwrap();
    let place = format!("{}/oauth/clients/{id}", issuer(port));
    let known = client().get(&place).header("authorization", bearer(holder));
    let known: Value = known.send().await.unwrap().json().await.unwrap();
    assert_eq!(known["client_id"], id);
    server.terminate();
    assert_eq!(server.ended().await, 0);
    let lines = server.lines();
    let asked = |path: &str| lines.iter().any(|line| line["path"] == path);
    assert!(asked("/oauth/register") && !asked("/register"));
    assert!(asked("/oauth/authorize") && !asked("/authorize"));
    assert!(asked("/oauth/token") && !asked("/token"));
}

#[tokio::test]
async fn its_issuer_is_in_both_documents_byte_for_byte() {
    let stage = Stage::new();
    let port = free_port();
    let server = serve(&stage, port, &[]).await;
    for (host, path) in [
        (issuer(port), "/.well-known/oauth-authorization-server/mcp"),
        (issuer(port), "/.well-known/openid-configuration/mcp"),
        (MEMORY.to_owned(), "/.well-known/oauth-authorization-server/mcp"),
        (MEMORY.to_owned(), "/.well-known/openid-configuration/mcp"),
        (
            MEMORY.to_owned(),
            "/.well-known/openid-configuration/api/memories",
        ),
    ] {
        let host = host.split("://").nth(1).unwrap().trim_end_matches('/');
        let request = client().get(server.at(path)).header("x-forwarded-host", host);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{host}{path}");
        let document: Value = answer.json().await.unwrap();
        assert_eq!(document["issuer"], issuer(port), "{host}{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn its_debugging_commands_show_why_a_registration_was_refused() {
    let stage = Stage::new();
    let logs = stage.directory.path().join("logs");
    fs::create_dir(&logs).unwrap();
    for format in ["json", "text"] {
        let file = logs.join(format!("{format}.log"));
        let place = format!("logs/{format}.log");
        let server = stage
            .serve(&[("LOG_FILE", place.as_str()), ("LOG_FORMAT", format)])
            .await;
        let register = client().post(format!("{}/oauth/register", issuer(server.port)));
        let answer = register.json(&json!({ "client_name": "Test Client" })).send();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"], "invalid_redirect_uri");
        assert!(
            body["error_description"]
                .as_str()
                .unwrap()
                .contains("redirect_uris")
        );
        let line = eventually("a line of the log", async || {
            let found = Command::new("grep")
                .args(["-i", "oauth"])
                .arg(&file)
                .output()
                .unwrap();
            let found = String::from_utf8(found.stdout).unwrap();
            found.lines().find(|line| line.contains(&id)).map(str::to_owned)
        })
        .await;
        for part in ["/oauth/register", "400", "redirect_missing"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn an_admin_sees_a_client_over_http_and_everybody_else_gets_401() {
    let stage = Stage::new();
    let port = free_port();
    let server = serve(&stage, port, &[("ADMIN_GITHUB_USERS", "octocat")]).await;
    let agent = Agent::register(&issuer(port)).await;
    let made = operator(
        &stage,
        port,
        &[
            "admin",
            "tokens",
            "create",
            "octocat",
            "--user-id",
            "583231",
            "--name",
            "clients",
            "--resource",
            "https://memory.gateway.test",
            "--scope",
            "admin",
            "--expires-in",
            "1d",
        ],
    )
    .await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let read = access(port, "read").await;
    let place = |id: &str| format!("{}/oauth/clients/{id}", issuer(port));
    let show = async |id: &str, token: &str| {
        let request = client().get(place(id)).header("authorization", bearer(token));
        request.send().await.unwrap()
    };
    let shown = show(agent.client_id(), made.stdout.trim()).await;
    assert_eq!(shown.status(), StatusCode::OK);
    let shown: Value = shown.json().await.unwrap();
    assert_eq!(shown["client_name"], "The agent");
    assert_eq!(shown.get("client_secret"), None);
    for id in [agent.client_id(), "mcp_client_nobody"] {
        assert_eq!(show(id, &read).await.status(), StatusCode::UNAUTHORIZED);
    }
    server.stop().await;
}
