//! A server that checks tokens itself, and the gateway that gives them out: they share nothing but HTTP.

use std::{net::TcpListener, sync::Arc, time::Duration};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mcp_gateway_model::{
    clock::{Clock, ManualClock, SystemClock},
    issuer::Issuer,
    resource::ResourceUri,
    secret::Secret,
};
use mcp_gateway_sandbox::mcp::{Options, Protection, RunningSample, SampleServer};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    agent::{Agent, bearer, header_of},
    mcp::Session,
    run::{SECRET, command, end},
    server::{Server, client, eventually, free_port},
    stage::{Stage, issuer},
};

const OTHER: &str = "https://other.gateway.test/mcp";

/// A gateway, and a server that takes its tokens.
struct Pair {
    stage: Stage,
    gateway: Server,
    sample: RunningSample,
}

impl Pair {
    async fn start() -> Self {
        Self::knowing(SECRET, Arc::new(SystemClock)).await
    }

    /// The server has this secret and this clock.
    async fn knowing(secret: &str, clock: Arc<dyn Clock>) -> Self {
        let stage = Stage::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("http://{}", listener.local_addr().unwrap());
        let toml = format!(
            "[[resource]]\nuri = \"{uri}\"\nintrospection_secret_file = \"secret\"\n[[resource]]\nuri = \"{OTHER}\"\n"
        );
        std::fs::write(stage.directory.path().join("gateway.toml"), toml).unwrap();
        std::fs::write(stage.directory.path().join("secret"), SECRET).unwrap();
        let port = free_port();
        let gateway = serve(&stage, port, &uri).await;
        let protection = Protection::alone(
            Issuer::parse(&issuer(port)).unwrap(),
            ResourceUri::parse(&uri).unwrap(),
            Secret::presented(secret.into()),
            clock,
        );
        let options = Options {
            protection: protection.unwrap(),
            ..Options::default()
        };
        let sample = SampleServer::new(options).start_at(listener).unwrap();
        Self {
            stage,
            gateway,
            sample,
        }
    }

    fn issuer(&self) -> String {
        issuer(self.gateway.port)
    }

    /// A client that acts for itself.
    async fn job(&self) -> Job {
        let metadata = json!({ "grant_types": ["client_credentials"], "client_name": "Job" });
        let registered = client()
            .post(format!("{}/register", self.issuer()))
            .json(&metadata);
        Job {
            issuer: self.issuer(),
            registered: registered.send().await.unwrap().json().await.unwrap(),
        }
    }

    /// A token of such a client, for `resource`.
    async fn token(&self, resource: &str, scope: &str) -> String {
        self.job().await.token(resource, scope).await
    }
}

/// A client that acts for itself.
struct Job {
    issuer: String,
    registered: Value,
}

impl Job {
    async fn token(&self, resource: &str, scope: &str) -> String {
        let text = |name: &str| self.registered[name].as_str().unwrap();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", text("client_id")),
            ("client_secret", text("client_secret")),
            ("resource", resource),
            ("scope", scope),
        ];
        let answer = client().post(format!("{}/token", self.issuer)).form(&form);
        let answer: Value = answer.send().await.unwrap().json().await.unwrap();
        let token = answer["access_token"].as_str();
        token.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

async fn serve(stage: &Stage, port: u16, uri: &str) -> Server {
    let settings = [
        ("GATEWAY_CONFIG", "gateway.toml"),
        ("DEFAULT_RESOURCE", uri),
        ("REGISTRATION_CLIENT_CREDENTIALS", "open"),
    ];
    stage.serve_at(port, &settings).await
}

/// Sends the server a message, with a token if there is one.
async fn send(sample: &RunningSample, token: Option<&str>, method: &str, params: Value) -> Response {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let request = client()
        .post(sample.mcp_url())
        .header("accept", "application/json, text/event-stream");
    let request = match token {
        Some(token) => request.header("authorization", bearer(token)),
        None => request,
    };
    request.json(&message).send().await.unwrap()
}

/// What the server answers to whoever comes with this token.
async fn come(sample: &RunningSample, token: &str) -> Response {
    let params = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "it", "version": "1" },
    });
    send(sample, Some(token), "initialize", params).await
}

#[tokio::test]
async fn what_a_person_allows_what_is_refreshed_and_what_a_client_gets_for_itself_all_open_it() {
    let pair = Pair::start().await;
    let mut agent = Agent::register(&pair.issuer()).await;
    let tokens = agent.log_in(&pair.sample.mcp_url()).await;
    let session = Session::open(&pair.sample.mcp_url(), &tokens.access).await;
    let who = session.call("whoami", &json!({})).await["structuredContent"].clone();
    assert_eq!(
        (&who["login"], &who["user_id"]),
        (&json!("octocat"), &json!("583231"))
    );
    assert_eq!(who["client_id"], agent.client_id());

    let refreshed = agent.refresh(&tokens.refresh).await;
    let session = session.with_token(&refreshed.access);
    let said = session.call("echo", &json!({ "message": "hello" })).await;
    assert_eq!(said["content"][0]["text"], "hello");

    let own = pair.token(&pair.sample.url(), "read write").await;
    let session = Session::open(&pair.sample.mcp_url(), &own).await;
    let who = session.call("whoami", &json!({})).await["structuredContent"].clone();
    assert_eq!(who["scopes"], json!(["read", "write"]));
    assert_eq!(
        (&who["login"], &who["user_id"]),
        (&Value::Null, &who["client_id"])
    );
}

#[tokio::test]
async fn an_ended_grant_is_refused_on_the_next_request() {
    let pair = Pair::start().await;
    let mut agent = Agent::register(&pair.issuer()).await;
    let tokens = agent.log_in(&pair.sample.url()).await;
    assert_eq!(come(&pair.sample, &tokens.access).await.status(), StatusCode::OK);
    agent.revoke(&tokens.refresh).await;
    let refused = come(&pair.sample, &tokens.access).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.starts_with(r#"Bearer error="invalid_token""#),
        "{challenge}"
    );
}

#[tokio::test]
async fn how_to_log_in_is_told_without_a_token_and_nothing_else_is_done() {
    let pair = Pair::start().await;
    let session = send(
        &pair.sample,
        None,
        "initialize",
        json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "it", "version": "1" },
        }),
    );
    assert_eq!(session.await.status(), StatusCode::OK);
    let refused = send(&pair.sample, None, "tools/call", json!({ "name": "whoami" })).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", pair.sample.url());
    assert!(
        challenge.starts_with(&format!(r#"Bearer resource_metadata="{metadata}""#)),
        "{challenge}"
    );
    let document: Value = client()
        .get(&metadata)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(document["resource"], pair.sample.mcp_url());
    assert_eq!(document["authorization_servers"], json!([pair.issuer()]));

    let call = client().post(format!("{}/v1/tools/call", pair.sample.mcp_url()));
    let call = call.json(&json!({ "name": "oauth_authenticate" }));
    let told: Value = call.send().await.unwrap().json().await.unwrap();
    let told = &told["structuredContent"];
    let place = told["resource_metadata"].as_str().unwrap();
    assert!(told["message"].as_str().unwrap().contains(place), "{told}");
    let document: Value = client().get(place).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["resource"], pair.sample.url());
    assert_eq!(document["authorization_servers"], json!([pair.issuer()]));
}

#[tokio::test]
async fn its_rest_api_takes_the_same_tokens_and_asks_for_the_scope_that_is_missing() {
    let pair = Pair::start().await;
    let data = format!("{}/api/data", pair.sample.url());
    let job = pair.job().await;
    let read = job.token(&pair.sample.url(), "read").await;
    let write = job.token(&pair.sample.url(), "write").await;
    let item = json!({ "name": "Test", "value": 100 });
    let create = |token: &str| {
        client()
            .post(&data)
            .header("authorization", bearer(token))
            .json(&item)
    };
    let list = |token: &str| client().get(&data).header("authorization", bearer(token)).send();

    let refused = client().get(&data).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let metadata = format!(
        "{}/.well-known/oauth-protected-resource/api/data",
        pair.sample.url()
    );
    let expected = format!(r#"Bearer resource_metadata="{metadata}", scope="read""#);
    assert_eq!(refused.headers()["www-authenticate"], expected);

    let refused = create(&read).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.starts_with(r#"Bearer error="insufficient_scope""#),
        "{challenge}"
    );
    assert!(challenge.ends_with(r#"scope="write""#), "{challenge}");

    assert_eq!(create(&write).send().await.unwrap().status(), StatusCode::CREATED);
    let items: Value = list(&read).await.unwrap().json().await.unwrap();
    assert_eq!(items["items"][0]["name"], "Test", "{items}");
    // another client keeps its own
    let other = pair.token(&pair.sample.url(), "read").await;
    let items: Value = list(&other).await.unwrap().json().await.unwrap();
    assert_eq!(items["items"], json!([]));
}

#[tokio::test]
async fn what_the_demos_guide_calls_without_a_token_needs_none() {
    let pair = Pair::start().await;
    let at = |path: &str| client().post(format!("{}/mcp/v1/{path}", pair.sample.url()));
    let initialize = json!({
        "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": { "name": "test", "version": "1.0" },
    });
    let open = [
        at("initialize").json(&initialize),
        at("tools/list"),
        at("tools/call").json(&json!({ "name": "oauth_authenticate", "arguments": {} })),
    ];
    for request in open {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", answer.url());
    }
    let data = json!({ "name": "get_data", "arguments": {} });
    let refused = at("tools/call").json(&data).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.headers().contains_key("www-authenticate"));
    let token = pair.token(&pair.sample.url(), "read").await;
    let answer = at("tools/call")
        .json(&data)
        .header("authorization", bearer(&token));
    assert_eq!(answer.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_token_for_another_server_or_of_another_gateway_opens_nothing() {
    let pair = Pair::start().await;
    let elsewhere = pair.token(OTHER, "read").await;
    assert_eq!(
        come(&pair.sample, &elsewhere).await.status(),
        StatusCode::UNAUTHORIZED
    );

    // another gateway that says to protect the same server
    let stage = Stage::new();
    let another = stage.serve(&[("DEFAULT_RESOURCE", &pair.sample.url())]).await;
    let mut agent = Agent::register(&issuer(another.port)).await;
    let foreign = agent.log_in(&pair.sample.url()).await;
    for token in [&foreign.access, &foreign.refresh] {
        assert_eq!(come(&pair.sample, token).await.status(), StatusCode::UNAUTHORIZED);
    }

    let own = pair.token(&pair.sample.url(), "read").await;
    assert_eq!(come(&pair.sample, &own).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_expired_token_opens_nothing() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let pair = Pair::knowing(SECRET, clock.clone()).await;
    let token = pair.token(&pair.sample.url(), "read").await;
    assert_eq!(come(&pair.sample, &token).await.status(), StatusCode::OK);
    clock.advance(Duration::from_secs(1801));
    assert_eq!(
        come(&pair.sample, &token).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_token_without_a_signature_or_signed_with_the_public_key_opens_nothing() {
    let pair = Pair::start().await;
    let token = pair.token(&pair.sample.url(), "read").await;
    let keys = client().get(pair.gateway.at("/jwks")).send().await.unwrap();
    let keys: Value = keys.json().await.unwrap();
    let key = &keys["keys"][0];
    let (_, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let headed = |algorithm: &str| {
        let mut header = header_of(&token);
        header["alg"] = algorithm.into();
        format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header.to_string()))
    };
    let mut forged = vec![
        format!("{}.", headed("none")),
        format!("{}.{signature}", headed("none")),
        format!("{}.{signature}", headed("HS256")),
    ];
    for secret in [key.to_string(), key["n"].as_str().unwrap().to_owned()] {
        let message = headed("HS256");
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&key, message.as_bytes());
        forged.push(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)));
    }
    for token in forged {
        assert_eq!(
            come(&pair.sample, &token).await.status(),
            StatusCode::UNAUTHORIZED,
            "{token}"
        );
    }
    assert_eq!(come(&pair.sample, &token).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn it_follows_when_keys_are_rotated() {
    let pair = Pair::start().await;
    let job = pair.job().await;
    let old = job.token(&pair.sample.url(), "read").await;
    assert_eq!(come(&pair.sample, &old).await.status(), StatusCode::OK);
    let rotated = end(command(pair.stage.directory.path())
        .args(["keys", "rotate", "--json"])
        .envs(pair.stage.operator(pair.gateway.port)))
    .await;
    let new = rotated.json()["rotated"].clone();
    let token = eventually("a token by the new key", async || {
        let token = job.token(&pair.sample.url(), "read").await;
        (header_of(&token)["kid"] == new).then_some(token)
    })
    .await;
    // the old key verifies for a while, and unknown ones are asked for once a second
    eventually("the new key is known", async || {
        (come(&pair.sample, &token).await.status() == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(come(&pair.sample, &old).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn without_its_gateway_it_lets_nobody_in_and_with_it_again_everybody_as_before() {
    let pair = Pair::start().await;
    let token = pair.token(&pair.sample.url(), "read").await;
    assert_eq!(come(&pair.sample, &token).await.status(), StatusCode::OK);
    let port = pair.gateway.port;
    pair.gateway.stop().await;
    let refused = come(&pair.sample, &token).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(!refused.headers().contains_key("www-authenticate"));
    let _gateway = serve(&pair.stage, port, &pair.sample.url()).await;
    eventually("it is let in again", async || {
        (come(&pair.sample, &token).await.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn with_a_wrong_secret_it_lets_nobody_in() {
    let pair = Pair::knowing("another secret, as long as the right one", Arc::new(SystemClock)).await;
    let token = pair.token(&pair.sample.url(), "read").await;
    assert_eq!(
        come(&pair.sample, &token).await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
}
