//! Two of each behind Traefik's round robin, without sticky sessions.

use reqwest::StatusCode;

use crate::support::{
    flow::Flow,
    mcp::{call_tool, status},
    world::{Layout, World},
};

#[tokio::test]
async fn two_auth_servers_and_two_verifiers_do_the_whole_job_whichever_is_asked() {
    let world = World::start(Layout::Apart(2)).await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    for _ in 0..3 {
        let mut flow = Flow::register(http.clone(), &world.issuer()).await;
        let back = flow.log_in(&mcp_url, 583_231).await;
        assert_eq!(back["iss"], world.issuer());
        let tokens = flow.exchange(&back["code"], &mcp_url).await;
        for _ in 0..2 {
            let who = call_tool(&http, &mcp_url, &tokens.access, "whoami").await;
            assert_eq!(who["login"], "octocat");
        }
        let refreshed = flow.refresh(&tokens.refresh).await;
        assert_eq!(
            flow.refresh(&tokens.refresh).await.refresh,
            refreshed.refresh,
            "the same answer within the grace"
        );
        flow.revoke(&refreshed.access).await;
        world.heard().await;
        for _ in 0..4 {
            assert_eq!(
                status(&http, &mcp_url, Some(&refreshed.access)).await,
                StatusCode::UNAUTHORIZED
            );
        }
    }
}

#[tokio::test]
async fn a_killed_redis_that_comes_back_has_lost_no_client_and_no_grant() {
    let mut world = World::start(Layout::Apart(1)).await;
    let (http, mcp_url) = (world.http(), world.mcp_url());
    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let back = flow.log_in(&mcp_url, 583_231).await;
    let tokens = flow.exchange(&back["code"], &mcp_url).await;
    world.redis.kill();
    // until the verifier has seen its connections end
    for _ in 0..10_000 {
        if status(&http, &mcp_url, Some(&tokens.access)).await != StatusCode::OK {
            break;
        }
    }
    assert_eq!(
        status(&http, &mcp_url, Some(&tokens.access)).await,
        StatusCode::SERVICE_UNAVAILABLE
    );
    world.redis.restart();
    let mut answers = Vec::new();
    for _ in 0..100 {
        answers.push(status(&http, &mcp_url, Some(&tokens.access)).await);
        if answers
            .last()
            .is_some_and(|status| *status != StatusCode::SERVICE_UNAVAILABLE)
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let who = call_tool(&http, &mcp_url, &tokens.access, "whoami").await;
    assert_eq!(who["login"], "octocat", "{answers:?}");
    flow.refresh(&tokens.refresh).await;
}
