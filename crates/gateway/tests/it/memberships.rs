//! A server for members of an organisation: auth-server and verifier as two processes on one Redis.

use mcp_gateway_sandbox::github::{Endpoint, Fault};
use mcp_gateway_store::testing::{RedisServer, RedisSetup};
use reqwest::StatusCode;

use crate::support::{
    agent::Agent,
    run::SECRET,
    server::{Server, eventually, free_port},
    stage::{RESOURCE, Stage, issuer, verifier_settings, verify},
};

/// The echo server is for acme's members.
const RESOURCES: &str = "
[[resource]]
uri = \"https://echo.gateway.test/mcp\"
allow = { orgs = [\"Acme\"], teams = [\"umbrella/platform\"] }
";

struct Pair {
    stage: Stage,
    redis: RedisServer,
    auth: Server,
    verifier: Server,
}

/// Both processes; GitHub is asked again after each second, and its old answer counts for `grace` seconds more.
async fn pair(grace: &str) -> Pair {
    let (stage, port) = (Stage::new(), free_port());
    let redis = RedisServer::with(RedisSetup {
        persistent: true,
        ..RedisSetup::default()
    });
    std::fs::write(stage.directory.path().join("gateway.toml"), RESOURCES).unwrap();
    let url = redis.url();
    let common = [
        ("REDIS_URL", url.as_str()),
        ("GATEWAY_CONFIG", "gateway.toml"),
        ("MEMBERSHIP_RECHECK", "1"),
        ("MEMBERSHIP_GRACE", grace),
    ];
    let settings = stage.settings(port, &[&common[..], &[("STORE_ENCRYPTION_KEY", SECRET)]].concat());
    let auth = Server::start(stage.directory.path(), "auth-server", port, &settings).await;
    let settings = verifier_settings(port, &common);
    let verifier = Server::start(stage.directory.path(), "verifier", free_port(), &settings).await;
    Pair {
        stage,
        redis,
        auth,
        verifier,
    }
}

#[tokio::test]
async fn who_leaves_the_organisation_is_out_and_githubs_token_lies_nowhere_readable() {
    let pair = pair("3600").await;
    let mut agent = Agent::register(&issuer(pair.auth.port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    assert_eq!(
        verify(&pair.verifier, &tokens.access).await.status(),
        StatusCode::OK
    );
    let asked = pair.stage.github.calls(Endpoint::Orgs);
    eventually("that GitHub is asked again", async || {
        (pair.stage.github.calls(Endpoint::Orgs) > asked).then_some(())
    })
    .await;
    let at_github = pair.stage.github.tokens();
    assert_eq!(at_github.len(), 1);
    let dump = pair.redis.dump();
    assert!(dump.iter().any(|(key, _)| key.starts_with("mcpgw:upstream:")));
    let logs = [pair.auth.log(), pair.verifier.log()];
    for token in &at_github {
        let secret = token.trim_start_matches("gho_");
        for (key, value) in &dump {
            assert!(!String::from_utf8_lossy(value).contains(secret), "{key}");
        }
        assert!(logs.iter().all(|log| !log.contains(secret)));
    }

    assert!(pair.stage.github.change_user(583_231, |user| user.orgs.clear()));
    eventually("an end of what a former member may do", async || {
        let status = verify(&pair.verifier, &tokens.access).await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(
        agent.try_refresh(&tokens.refresh).await.0,
        StatusCode::BAD_REQUEST
    );
    let acts = pair.auth.lines();
    assert!(acts.iter().any(|line| line["event"] == "membership_ended"));
}

#[tokio::test]
async fn a_github_that_is_away_too_long_lets_nobody_through_until_it_is_back() {
    let pair = pair("4").await;
    let mut agent = Agent::register(&issuer(pair.auth.port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    pair.stage.github.set_fault(Fault::Outage(503));
    eventually("a refusal of what was asked too long ago", async || {
        let status = verify(&pair.verifier, &tokens.access).await.status();
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(
        agent.try_refresh(&tokens.refresh).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    pair.stage.github.clear_faults();
    let refreshed = agent.refresh(&tokens.refresh).await;
    assert_eq!(
        verify(&pair.verifier, &refreshed.access).await.status(),
        StatusCode::OK
    );
}
