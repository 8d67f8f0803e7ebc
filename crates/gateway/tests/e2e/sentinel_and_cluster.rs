//! The executables on a Redis that is more than one process: what fails over, and what is spread.

use std::time::{Duration, Instant};

use mcp_gateway_store::testing::{RedisCluster, ReplicatedRedis, ReplicatedSetup};
use reqwest::{Client, StatusCode};

use crate::support::{
    flow::{Flow, Tokens},
    mcp::{call_tool, status},
    world::{Layout, Settings, World},
};

/// For how long what a master said may be believed after another one took its place.
const LEASE: Duration = Duration::from_secs(2);

fn at(url: &str) -> Settings {
    vec![("REDIS_URL", url.to_owned()), ("REDIS_PASSWORD", String::new())]
}

async fn logged_in(world: &World, http: &Client) -> (Flow, Tokens) {
    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let back = flow.log_in(&world.mcp_url(), 583_231).await;
    let tokens = flow.exchange(&back["code"], &world.mcp_url()).await;
    (flow, tokens)
}

/// Whether the verifier let it pass: whatever the server behind it says.
fn is_let_in(answer: StatusCode) -> bool {
    !matches!(answer, StatusCode::UNAUTHORIZED | StatusCode::SERVICE_UNAVAILABLE)
}

/// Asks until the answer is as `expected`; answers what came before.
async fn until(
    what: &str,
    expected: impl Fn(StatusCode) -> bool,
    (http, url, token): (&Client, &str, &str),
) -> Vec<StatusCode> {
    let mut before = Vec::new();
    loop {
        let answer = status(http, url, Some(token)).await;
        if expected(answer) {
            return before;
        }
        before.push(answer);
        assert!(before.len() < 600, "never {what}: {before:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn on_a_cluster_everything_works_and_one_warning_says_that_nothing_is_remembered() {
    let cluster = RedisCluster::start();
    let world = World::start_where(Layout::Apart(1), |_| at(&cluster.url())).await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    let (flow, tokens) = logged_in(&world, &http).await;
    for _ in 0..3 {
        let who = call_tool(&http, &mcp_url, &tokens.access, "whoami").await;
        assert_eq!(who["login"], "octocat");
    }
    let refreshed = flow.refresh(&tokens.refresh).await;
    flow.revoke(&refreshed.access).await;
    for token in [&tokens.access, &refreshed.access] {
        assert_eq!(
            status(&http, &mcp_url, Some(token)).await,
            StatusCode::UNAUTHORIZED
        );
    }
    let said = world
        .logs()
        .matches("remembers no grants with Redis Cluster")
        .count();
    assert_eq!(said, 1, "{}", world.logs());
}

/// The access token that a refresh token is good for, once the new master has a replica that acknowledges its use.
async fn refreshed(flow: &Flow, token: &str) -> String {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let mut before = Vec::new();
    loop {
        let (status, answer) = flow.token(&form).await;
        match (status, answer["access_token"].as_str()) {
            (StatusCode::OK, Some(access)) => return access.to_owned(),
            (StatusCode::SERVICE_UNAVAILABLE, _) => before.push(status),
            _ => panic!("{status}: {answer}"),
        }
        assert!(before.len() < 100, "never refreshed");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_failover_ends_no_grant_and_needs_no_restart() {
    let mut redis = ReplicatedRedis::start();
    let world = World::start_where(Layout::Apart(1), |_| at(&redis.url())).await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    let (flow, tokens) = logged_in(&world, &http).await;
    assert_eq!(
        call_tool(&http, &mcp_url, &tokens.access, "whoami").await["login"],
        "octocat"
    );
    redis.kill_first_master();
    let asked = (&http, mcp_url.as_str(), tokens.access.as_str());
    let unavailable = |answer| answer == StatusCode::SERVICE_UNAVAILABLE;
    let before = until("unavailable", unavailable, asked).await;
    assert!(
        before.len() < 3,
        "a master that died vouches for nothing: {before:?}"
    );
    let _ = redis.wait_for_another_master();
    until("let in again", is_let_in, asked).await;
    let who = call_tool(&http, &mcp_url, &tokens.access, "whoami").await;
    assert_eq!(who["login"], "octocat");
    let refreshed = refreshed(&flow, &tokens.refresh).await;
    assert_eq!(
        call_tool(&http, &mcp_url, &refreshed, "whoami").await["login"],
        "octocat"
    );
    let (_, new) = logged_in(&world, &http).await;
    assert_eq!(
        call_tool(&http, &mcp_url, &new.access, "whoami").await["login"],
        "octocat"
    );
    flow.revoke(&tokens.access).await;
    // news of it are on their way to the verifier
    for _ in 0..1000 {
        if status(&http, &mcp_url, Some(&tokens.access)).await != StatusCode::OK {
            break;
        }
    }
    assert_eq!(
        status(&http, &mcp_url, Some(&tokens.access)).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        call_tool(&http, &mcp_url, &new.access, "whoami").await["login"],
        "octocat"
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test of how long something is believed"
)]
#[tokio::test]
async fn an_old_master_that_is_cut_off_vouches_for_no_ended_grant() {
    let redis = ReplicatedRedis::with(ReplicatedSetup {
        door: true,
        ..ReplicatedSetup::default()
    });
    let world = World::start_where(Layout::Apart(1), |_| at(&redis.url())).await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    let (flow, tokens) = logged_in(&world, &http).await;
    assert_eq!(
        call_tool(&http, &mcp_url, &tokens.access, "whoami").await["login"],
        "octocat"
    );
    redis.cut_off();
    let _ = redis.wait_for_another_master();
    // through the auth-server, once it has found the new master
    let mut refused = Vec::new();
    loop {
        match flow.try_revoke(&tokens.access).await {
            StatusCode::OK => break,
            answer => refused.push(answer),
        }
        assert!(refused.len() < 100, "never revoked: {refused:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let ended = Instant::now();
    let mut answers = Vec::new();
    while ended.elapsed() < LEASE * 2 {
        let is_in_time = ended.elapsed() < LEASE;
        let answer = status(&http, &mcp_url, Some(&tokens.access)).await;
        answers.push(answer);
        assert!(
            is_in_time || !is_let_in(answer),
            "{:?}: {answers:?}",
            ended.elapsed()
        );
    }
    let unauthorized = |answer| answer == StatusCode::UNAUTHORIZED;
    until("unauthorized", unauthorized, (&http, &mcp_url, &tokens.access)).await;
    let (_, new) = logged_in(&world, &http).await;
    assert_eq!(
        call_tool(&http, &mcp_url, &new.access, "whoami").await["login"],
        "octocat"
    );
}
