//! auth-server and verifier as two processes on one Redis.

use mcp_gateway_store::testing::{RedisServer, RedisSetup};
use reqwest::StatusCode;

use crate::support::{
    agent::{Agent, by_an_unknown_key, header_of},
    news::heard_by,
    run::{SECRET, command, end},
    server::{Server, client, eventually, free_port},
    stage::{RESOURCE, Stage, issuer, verifier_settings, verify},
};

const PASSWORD: &str = "password-of-redis-3d1f";

fn redis() -> RedisServer {
    RedisServer::with(RedisSetup {
        password: Some(PASSWORD.to_owned()),
        persistent: true,
        ..RedisSetup::default()
    })
}

/// Where both of them find Redis.
fn place(url: &str) -> [(&str, &str); 2] {
    [("REDIS_URL", url), ("REDIS_PASSWORD", PASSWORD)]
}

/// The settings of the auth-server at `port`.
fn auth_settings(stage: &Stage, port: u16, url: &str) -> Vec<(String, String)> {
    stage.settings(
        port,
        &[&place(url)[..], &[("STORE_ENCRYPTION_KEY", SECRET)]].concat(),
    )
}

struct Pair {
    stage: Stage,
    redis: RedisServer,
    auth: Server,
    verifier: Server,
}

impl Pair {
    async fn start() -> Self {
        let (stage, redis, port) = (Stage::new(), redis(), free_port());
        let url = redis.url();
        let directory = stage.directory.path();
        let auth = Server::start(directory, "auth-server", port, &auth_settings(&stage, port, &url)).await;
        let settings = verifier_settings(port, &place(&url));
        let verifier = Server::start(directory, "verifier", free_port(), &settings).await;
        Self {
            stage,
            redis,
            auth,
            verifier,
        }
    }

    /// The verifier has heard all that has happened.
    async fn heard(&self) {
        heard_by(1, &self.redis, &format!("default:{PASSWORD}@")).await;
    }

    async fn readiness(&self, status: StatusCode) {
        let http = client();
        for server in [&self.auth, &self.verifier] {
            eventually("readiness", async || {
                let answer = http.get(server.at("/readyz")).send().await.ok()?;
                (answer.status() == status).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_token_works_at_the_verifier_and_ends_there_with_the_next_request() {
    let pair = Pair::start().await;
    let mut agent = Agent::register(&issuer(pair.auth.port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    let verified = verify(&pair.verifier, &tokens.access).await;
    assert_eq!(verified.status(), StatusCode::OK);
    for (name, value) in [
        ("x-user-id", "583231"),
        ("x-user-name", "octocat"),
        ("x-auth-client", agent.client_id()),
        ("x-auth-token", ""),
    ] {
        assert_eq!(verified.headers()[name], value);
    }
    let refreshed = agent.refresh(&tokens.refresh).await;
    assert_eq!(
        verify(&pair.verifier, &refreshed.access).await.status(),
        StatusCode::OK
    );
    agent.revoke(&refreshed.access).await;
    pair.heard().await;
    for token in [&tokens.access, &refreshed.access] {
        let refused = verify(&pair.verifier, token).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
}

#[tokio::test]
async fn each_process_has_its_own_half_only() {
    let pair = Pair::start().await;
    let status = async |address: String| client().get(address).send().await.unwrap().status();
    assert_eq!(status(pair.auth.at("/verify")).await, StatusCode::NOT_FOUND);
    for path in ["/register", "/authorize", "/token", "/callback", "/jwks"] {
        assert_eq!(
            status(pair.verifier.at(path)).await,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        assert_eq!(status(pair.auth.at(path)).await, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_redis_that_goes_away_closes_the_gate_and_one_that_comes_back_opens_it() {
    let mut pair = Pair::start().await;
    let mut agent = Agent::register(&issuer(pair.auth.port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    assert_eq!(
        verify(&pair.verifier, &tokens.access).await.status(),
        StatusCode::OK
    );
    pair.redis.kill();
    eventually("a verifier that knows of it", async || {
        let status = verify(&pair.verifier, &tokens.access).await.status();
        assert!([StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE].contains(&status));
        (status == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    let refused = verify(&pair.verifier, &tokens.access).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    pair.readiness(StatusCode::SERVICE_UNAVAILABLE).await;
    for server in [&pair.auth, &pair.verifier] {
        let alive = client().get(server.at("/healthz")).send().await.unwrap();
        assert_eq!(
            alive.status(),
            StatusCode::OK,
            "it is alive, and not to be restarted"
        );
    }
    let (status, _) = agent.try_refresh(&tokens.refresh).await;
    assert!(status.is_server_error(), "{status}");
    pair.redis.restart();
    pair.readiness(StatusCode::OK).await;
    assert_eq!(
        verify(&pair.verifier, &tokens.access).await.status(),
        StatusCode::OK
    );
    agent.refresh(&tokens.refresh).await;
}

#[tokio::test]
async fn a_start_waits_for_redis() {
    let (stage, mut redis, port) = (Stage::new(), redis(), free_port());
    redis.kill();
    let url = redis.url();
    let spawn = |subcommand: &str, port: u16, settings: Vec<(String, String)>| {
        let mut command = command(stage.directory.path());
        command
            .args([subcommand, "--port", &port.to_string()])
            .envs(settings);
        Server::spawn(command, stage.directory.path(), port)
    };
    let mut auth = spawn("auth-server", port, auth_settings(&stage, port, &url));
    let mut verifier = spawn("verifier", free_port(), verifier_settings(port, &place(&url)));
    eventually("a word about the store that is away", async || {
        auth.log().contains("the store does not answer").then_some(())
    })
    .await;
    eventually("a verifier that is not ready", async || {
        let answer = client().get(verifier.at("/readyz")).send().await.ok()?;
        (answer.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    eventually("an auth-server that is alive and not ready", async || {
        let alive = client().get(auth.at("/healthz")).send().await.ok()?.status();
        let ready = client().get(auth.at("/readyz")).send().await.ok()?;
        let register = client().post(auth.at("/register")).send().await.ok()?.status();
        let found = (alive, ready.status(), register);
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        (found == (StatusCode::OK, unavailable, unavailable)).then_some(())
    })
    .await;
    assert!(auth.runs() && verifier.runs());
    redis.restart();
    let (auth, verifier) = (auth.ready().await, verifier.ready().await);
    let mut agent = Agent::register(&issuer(auth.port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    assert_eq!(verify(&verifier, &tokens.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_verifier_is_warned_of_a_key_that_it_should_not_have() {
    let (stage, redis) = (Stage::new(), redis());
    let url = redis.url();
    let more = [
        &place(&url)[..],
        &[("JWT_SECRET", SECRET), ("GITHUB_CLIENT_SECRET", "x")],
    ]
    .concat();
    let settings = verifier_settings(free_port(), &more);
    let server = Server::start(stage.directory.path(), "verifier", free_port(), &settings).await;
    let log = server.log();
    for name in ["JWT_SECRET", "GITHUB_CLIENT_SECRET"] {
        assert!(log.contains(&format!("{name} is ignored here")), "{log}");
    }
    assert!(!log.contains(SECRET), "{log}");
}

#[tokio::test]
async fn an_operator_reaches_redis_directly_and_both_processes_notice() {
    let pair = Pair::start().await;
    let port = pair.auth.port;
    let mut agent = Agent::register(&issuer(port)).await;
    let before = agent.log_in(RESOURCE).await;
    let url = pair.redis.url();
    let operator = async |arguments: &[&str]| {
        let settings = auth_settings(&pair.stage, port, &url);
        let ended = end(command(pair.stage.directory.path())
            .args(arguments)
            .envs(settings))
        .await;
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.stderr);
        ended.json()
    };
    let rotated = operator(&["keys", "rotate", "--json"]).await;
    let after = eventually("a token of the new key", async || {
        let tokens = agent.refresh(&before.refresh).await;
        (header_of(&tokens.access)["kid"] == rotated["rotated"]).then_some(tokens)
    })
    .await;
    eventually("a verifier that knows the new key", async || {
        let status = verify(&pair.verifier, &after.access).await.status();
        (status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(
        verify(&pair.verifier, &before.access).await.status(),
        StatusCode::OK
    );
    let old = header_of(&before.access)["kid"].as_str().unwrap().to_owned();
    operator(&["keys", "retire", &old, "--json"]).await;
    eventually("an end of the old key's tokens", async || {
        verify(&pair.verifier, &by_an_unknown_key(&before.access)).await;
        let status = verify(&pair.verifier, &before.access).await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    let blocked = operator(&["admin", "users", "block", "583231", "--json"]).await;
    assert_eq!(
        blocked["blocked"],
        serde_json::json!({ "users": [583_231], "grants": 1 })
    );
    pair.heard().await;
    assert_eq!(
        verify(&pair.verifier, &after.access).await.status(),
        StatusCode::UNAUTHORIZED
    );
    operator(&["admin", "users", "unblock", "583231", "--json"]).await;
    let after = agent.log_in(RESOURCE).await;
    let unpinned = operator(&["admin", "users", "unpin", "octocat", "--json"]).await;
    assert_eq!(unpinned["unpinned"]["grants"], 1);
    pair.heard().await;
    assert_eq!(
        verify(&pair.verifier, &after.access).await.status(),
        StatusCode::UNAUTHORIZED
    );
}
