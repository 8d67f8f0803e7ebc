//! `dev` in the place of the OAuth MCP demo: its addresses, its requests, and nobody who is asked.

use std::collections::BTreeMap;

use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    agent::{Agent, REDIRECT, VERIFIER, bearer},
    mcp::Session,
    run::command,
    server::{Server, client, free_port},
};

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The two servers of the demo.
struct Demo {
    gateway: Server,
    mcp: String,
    _directory: TempDir,
}

impl Demo {
    async fn start(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (port, mcp_port) = (free_port(), free_port());
        let mut command = command(directory.path());
        command
            .arg("dev")
            .args(arguments)
            .env("SHUTDOWN_DELAY", "0")
            .env("OAUTH_SERVER_PORT", port.to_string())
            .env("MCP_SERVER_PORT", mcp_port.to_string())
            .envs(settings.iter().copied());
        let gateway = Server::spawn(command, directory.path(), port).ready().await;
        Self {
            gateway,
            mcp: format!("http://127.0.0.1:{mcp_port}"),
            _directory: directory,
        }
    }

    /// With nobody who is asked.
    async fn approving() -> Self {
        Self::start(&[], &[("DEMO_MODE", "true")]).await
    }

    fn issuer(&self) -> String {
        self.gateway.at("")
    }

    /// The secret that was said at the start.
    fn secret(&self) -> String {
        let said = self.gateway.said();
        let line = said.lines().find(|line| line.contains("its secret")).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }

    /// Registers a client that is redirected there.
    async fn register(&self, redirect: &str) -> Value {
        let metadata = json!({ "client_name": "Test Client", "redirect_uris": [redirect] });
        let request = client().post(self.gateway.at("/oauth/register")).json(&metadata);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The authorization request of a client, and further parameters.
    fn authorize(&self, client_id: &str, redirect: &str, more: &[(&str, &str)]) -> RequestBuilder {
        let own = [
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect),
            ("scope", "read write"),
            ("state", "xyz"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let url = self.gateway.at("/oauth/authorize");
        client().get(Url::parse_with_params(&url, own.iter().chain(more)).unwrap())
    }

    async fn token(&self, form: &[(&str, &str)]) -> (StatusCode, Value) {
        let request = client().post(self.gateway.at("/oauth/token")).form(form);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }
}

/// The parameters that an answer sends on to the redirect URI.
fn sent_on(answer: &Response) -> BTreeMap<String, String> {
    assert_eq!(answer.status(), StatusCode::FOUND);
    let location = answer.headers()["location"].to_str().unwrap();
    let target = Url::parse(location).unwrap();
    target.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn its_two_servers_are_where_its_guide_has_them_and_know_of_each_other() {
    let demo = Demo::start(&[], &[]).await;
    let (issuer, mcp) = (demo.issuer(), &demo.mcp);
    let read = async |url: String| -> Value { client().get(url).send().await.unwrap().json().await.unwrap() };
    let metadata = read(format!("{issuer}/.well-known/oauth-authorization-server")).await;
    assert_eq!(metadata["issuer"], issuer);
    for path in ["/mcp", "/mcp/v1"] {
        let document = read(format!("{mcp}/.well-known/oauth-protected-resource{path}")).await;
        assert_eq!(document["resource"], format!("{mcp}{path}"));
        assert_eq!(document["authorization_servers"], json!([issuer]));
    }
    for server in [&issuer, mcp] {
        let health = client().get(format!("{server}/health")).send().await.unwrap();
        assert_eq!(health.status(), StatusCode::OK, "{server}");
    }
    let said = demo.gateway.said();
    for part in [
        &format!("gateway           {issuer}"),
        &format!("MCP server        {mcp}/mcp"),
        "checks tokens itself",
        &format!("claude mcp add --transport http gateway-sample {mcp}/mcp"),
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("AUTO-APPROVE"), "{said}");
    demo.gateway.stop().await;
}

#[tokio::test]
async fn people_log_in_with_pages_unless_that_is_turned_off() {
    let demo = Demo::start(&[], &[]).await;
    let mut agent = Agent::register(&demo.issuer()).await;
    let tokens = agent.log_in(&format!("{}/mcp", demo.mcp)).await;
    let session = Session::open(&format!("{}/mcp", demo.mcp), &tokens.access).await;
    let who = session.call("whoami", &json!({})).await;
    assert_eq!(who["structuredContent"]["login"], "octocat");
    let page = demo
        .authorize(agent.client_id(), REDIRECT, &[])
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("<form"), "the page asks");
}

#[tokio::test]
async fn the_demos_client_credentials_reach_its_server() {
    let demo = Demo::start(&[], &[]).await;
    // as its guide has it
    let metadata = json!({
        "client_name": "Test Client",
        "redirect_uris": ["http://localhost:8080/callback"],
        "grant_types": ["client_credentials"],
        "scope": "read write",
    });
    let request = client().post(demo.gateway.at("/oauth/register")).json(&metadata);
    let registered = request.send().await.unwrap();
    assert_eq!(registered.status(), StatusCode::CREATED);
    let registered: Value = registered.json().await.unwrap();
    let text = |name: &str| registered[name].as_str().unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", text("client_id")),
        ("client_secret", text("client_secret")),
        ("scope", "read write"),
    ];
    let (status, token) = demo.token(&form).await;
    assert_eq!((status, &token["scope"]), (StatusCode::OK, &json!("read write")));
    let session = Session::open(
        &format!("{}/mcp", demo.mcp),
        token["access_token"].as_str().unwrap(),
    )
    .await;
    let who = session.call("whoami", &json!({})).await;
    assert_eq!(who["structuredContent"]["user_id"], text("client_id"));
}

#[tokio::test]
async fn nobody_is_asked_when_it_is_told_so_and_the_code_works_as_any_other() {
    let demo = Demo::approving().await;
    let registered = demo.register("http://localhost:8080/callback").await;
    let text = |name: &str| registered[name].as_str().unwrap();
    let answer = demo.authorize(text("client_id"), "http://localhost:8080/callback", &[]);
    let answer = sent_on(&answer.send().await.unwrap());
    assert_eq!(
        (answer["state"].as_str(), &answer["iss"]),
        ("xyz", &demo.issuer())
    );
    let form = |verifier| {
        [
            ("grant_type", "authorization_code"),
            ("code", answer["code"].as_str()),
            ("redirect_uri", "http://localhost:8080/callback"),
            ("client_id", text("client_id")),
            ("client_secret", text("client_secret")),
            ("code_verifier", verifier),
        ]
    };
    // what protects a code protects this one
    let (status, _) = demo
        .token(&form("another verifier, as long as it has to be"))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, tokens) = demo.token(&form(VERIFIER)).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let access = tokens["access_token"].as_str().unwrap();
    let session = Session::open(&format!("{}/mcp", demo.mcp), access).await;
    let who = session.call("whoami", &json!({})).await["structuredContent"].clone();
    assert_eq!(who["login"], "octocat");
    assert_eq!(who["scopes"], json!(["read", "write"]));
    // a second use of the code ends the grant
    let (status, _) = demo.token(&form(VERIFIER)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let refused = client()
        .post(format!("{}/mcp", demo.mcp))
        .header("authorization", bearer(access));
    assert_eq!(refused.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_sent_elsewhere_or_asked_from_elsewhere_is_asked_about_all_the_same() {
    let demo = Demo::approving().await;
    let web = demo.register("https://client.example.com/callback").await;
    let web = web["client_id"].as_str().unwrap();
    let here = demo.register("http://127.0.0.1:8080/callback").await;
    let here = here["client_id"].as_str().unwrap();
    let asked = [
        demo.authorize(web, "https://client.example.com/callback", &[]),
        demo.authorize(
            here,
            "http://127.0.0.1:8080/callback",
            &[("prompt", "select_account")],
        ),
        demo.authorize(here, "http://127.0.0.1:8080/callback", &[])
            .header("x-forwarded-for", "203.0.113.9"),
    ];
    for request in asked {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.text().await.unwrap().contains("<form"));
    }
    let refused = demo
        .authorize(here, "http://127.0.0.1:8080/callback", &[])
        .header("host", "rebound.example.com");
    assert_eq!(
        refused.send().await.unwrap().status(),
        StatusCode::MISDIRECTED_REQUEST
    );
    // what must be refused is not allowed by asking nobody
    let stranger = demo.authorize(here, "http://127.0.0.1:8080/other", &[]);
    assert_eq!(stranger.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    let without_pkce = demo.authorize(here, "http://127.0.0.1:8080/callback", &[("code_challenge", "")]);
    assert_ne!(without_pkce.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn it_is_said_loudly_and_in_the_audit_log() {
    let demo = Demo::start(&["--auto-approve"], &[("LOG_FORMAT", "json")]).await;
    let said = demo.gateway.said();
    assert!(
        said.contains("AUTO-APPROVE IS ON") && said.contains("octocat"),
        "{said}"
    );
    let registered = demo.register(REDIRECT).await;
    let id = registered["client_id"].as_str().unwrap();
    sent_on(&demo.authorize(id, REDIRECT, &[]).send().await.unwrap());
    let log = demo.gateway.log();
    assert_eq!(log.matches("AUTO-APPROVE IS ON").count(), 1, "{log}");
    let line = demo
        .gateway
        .lines()
        .into_iter()
        .find(|line| line["event"] == "consent_given");
    let line = line.unwrap();
    assert_eq!(
        (&line["reason"], &line["login"]),
        (&json!("auto_approved"), &json!("octocat"))
    );
    assert!(
        !log.contains(&demo.secret()),
        "the secret is shown to the terminal only"
    );
}

#[tokio::test]
async fn the_demos_client_is_there_with_a_secret_of_its_own() {
    let demo = Demo::approving().await;
    let secret = demo.secret();
    let form = |secret| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", "demo_client"),
            ("client_secret", secret),
            ("scope", "read"),
        ]
    };
    let (status, token) = demo.token(&form(&secret)).await;
    assert_eq!(status, StatusCode::OK, "{token}");
    let session = Session::open(
        &format!("{}/mcp", demo.mcp),
        token["access_token"].as_str().unwrap(),
    )
    .await;
    let who = session.call("whoami", &json!({})).await;
    assert_eq!(who["structuredContent"]["user_id"], "demo_client");
}

#[tokio::test]
async fn what_the_demos_documents_print_opens_nothing_and_the_answer_says_why() {
    let demo = Demo::approving().await;
    let secret = demo.secret();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "demo_client"),
        ("client_secret", "demo_secret"),
    ];
    let (status, refused) = demo.token(&form).await;
    assert_eq!(
        (status, &refused["error"]),
        (StatusCode::UNAUTHORIZED, &json!("invalid_client"))
    );
    let why = refused["error_description"].as_str().unwrap();
    assert!(
        why.contains("demo_secret is printed in the demo's documents"),
        "{why}"
    );

    let answer = demo.authorize("demo_client", "http://localhost:8080/callback", &[]);
    let code = sent_on(&answer.send().await.unwrap())["code"].clone();
    assert!(code.starts_with("mcp_ac_"), "{code}");
    let exchange = |code| {
        [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", "http://localhost:8080/callback"),
            ("client_id", "demo_client"),
            ("client_secret", secret.as_str()),
            ("code_verifier", VERIFIER),
        ]
    };
    let (status, refused) = demo.token(&exchange("DEMO_AUTH_CODE_12345")).await;
    assert_eq!(
        (status, &refused["error"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_grant"))
    );
    let why = refused["error_description"].as_str().unwrap();
    assert!(
        why.contains("DEMO_AUTH_CODE_12345 is printed in the demo's documents"),
        "{why}"
    );
    let (status, tokens) = demo.token(&exchange(&code)).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("client_id", "demo_client"),
        ("client_secret", &secret),
    ];
    let (status, refreshed) = demo.token(&refresh).await;
    assert_eq!(status, StatusCode::OK, "{refreshed}");
    Session::open(
        &format!("{}/mcp", demo.mcp),
        refreshed["access_token"].as_str().unwrap(),
    )
    .await;
}

#[tokio::test]
async fn nobody_is_asked_behind_the_gateway_either_when_that_is_wanted() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut command = command(directory.path());
    command
        .args(["dev", "--auto-approve", "--port", &port.to_string()])
        .env("SHUTDOWN_DELAY", "0");
    let gateway = Server::spawn(command, directory.path(), port).ready().await;
    let issuer = format!("http://localhost:{port}");
    let metadata = json!({ "client_name": "Test Client", "redirect_uris": [REDIRECT] });
    let registered = client().post(format!("{issuer}/register")).json(&metadata);
    let registered: Value = registered.send().await.unwrap().json().await.unwrap();
    let demo = Demo {
        gateway,
        mcp: issuer.clone(),
        _directory: directory,
    };
    let id = registered["client_id"].as_str().unwrap();
    let request = demo
        .authorize(id, REDIRECT, &[])
        .header("host", format!("localhost:{port}"));
    let answer = sent_on(&request.send().await.unwrap());
    assert!(answer["code"].starts_with("mcp_ac_"));
}

#[tokio::test]
async fn under_another_name_its_server_says_where_it_can_be_logged_in_to() {
    let demo = Demo::start(&[], &[]).await;
    for name in ["localhost", "[::1]", "rebound.example.com"] {
        let host = demo.mcp.replace("http://127.0.0.1", name);
        let request = client().post(format!("{}/mcp", demo.mcp)).header("host", &host);
        let answer = request.json(&json!({})).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{host}");
        let said: Value = answer.json().await.unwrap();
        let own = demo.mcp.replace("http://", "");
        assert!(said["detail"].as_str().unwrap().contains(&own), "{said}");
    }
}
