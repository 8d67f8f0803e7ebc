//! `MCP_OAUTH_ENABLED=false`: nobody can log in, and no token is good.

use reqwest::StatusCode;

use crate::support::{
    agent::Agent,
    run::Asked,
    server::{client, free_port},
    stage::{RESOURCE, Stage, issuer, verify},
};

#[tokio::test]
async fn a_token_of_before_is_refused_and_the_endpoints_are_gone() {
    let stage = Stage::new();
    let port = free_port();
    let server = stage.serve_at(port, &[]).await;
    let mut agent = Agent::register(&issuer(port)).await;
    let tokens = agent.log_in(RESOURCE).await;
    server.stop().await;
    let server = stage.serve_at(port, &[("MCP_OAUTH_ENABLED", "false")]).await;
    assert_eq!(
        verify(&server, &tokens.access).await.status(),
        StatusCode::UNAUTHORIZED
    );
    for path in [
        "/register",
        "/oauth/register",
        "/oauth/authorize",
        "/oauth/token",
        "/oauth/clients/somebody",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration/mcp",
        "/authorize",
        "/token",
        "/jwks",
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
    ] {
        let answer = client()
            .get(format!("{}{path}", issuer(port)))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let healthy = client().get(server.at("/healthz")).send().await.unwrap();
    assert_eq!(healthy.status(), StatusCode::OK);
}

#[tokio::test]
async fn it_is_warned_of_and_needs_no_app_at_github() {
    let off = Asked::small()
        .without("GITHUB_CLIENT_ID")
        .without("GITHUB_CLIENT_SECRET")
        .with("MCP_OAUTH_ENABLED", "false");
    off.is_fine("serve").await;
    assert!(off.warnings_of("serve").await.contains("MCP_OAUTH_ENABLED=false"));
}
