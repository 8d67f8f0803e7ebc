//! What a client says about itself and its request, in headers that proxies and verifiers read.

use reqwest::{StatusCode, header::AUTHORIZATION};

use crate::support::{
    flow::Flow,
    world::{Layout, World},
};

#[tokio::test]
async fn a_connection_header_takes_no_identity_away() {
    let world = World::start(Layout::Apart(1)).await;
    let http = world.http();
    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let back = flow.log_in(&world.mcp_url(), 583_231).await;
    let tokens = flow.exchange(&back["code"], &world.mcp_url()).await;
    let bearer = format!("Bearer {}", tokens.access);
    for names in [
        "x-user-id, x-user-name, x-auth-client, x-auth-scope, x-auth-token",
        "close, X-User-Id",
        "keep-alive, X-Forwarded-Host, X-Forwarded-Uri, X-Forwarded-Method",
    ] {
        let request = http.post(world.mcp_url()).header(AUTHORIZATION, &bearer);
        let request = request.header("connection", names).header("x-user-id", "1");
        request.body("{}").send().await.unwrap();
        let received = world.backend().last().unwrap();
        let all = |name: &str| -> Vec<String> {
            let named = received.headers.iter().filter(|(n, _)| n == name);
            named.map(|(_, value)| value.clone()).collect()
        };
        assert_eq!(all("x-user-id"), ["583231"], "{names}: {received:?}");
        assert_eq!(all("x-user-name"), ["octocat"], "{names}");
        assert_eq!(all("x-auth-client"), [flow.client_id()], "{names}");
        assert_eq!(all("authorization"), [""; 0], "{names}");
    }
    let seen = world.backend().requests();
    let request = http.post(world.mcp_url()).header(AUTHORIZATION, &bearer);
    let request = request.header("connection", "authorization").body("{}");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.backend().requests(), seen);
}

#[tokio::test]
async fn forwarded_headers_that_a_client_forges_open_no_other_server() {
    let world = World::start(Layout::Apart(1)).await;
    let http = world.http();
    let other = world.mcp_url().replace("echo.", "other.");
    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let back = flow.log_in(&other, 583_231).await;
    let tokens = flow.exchange(&back["code"], &other).await;
    let host = other.trim_start_matches("https://").trim_end_matches("/mcp");
    for separator in ["-", "_"] {
        let named = |name: &str| name.replace('-', separator);
        let request = http
            .post(world.mcp_url())
            .bearer_auth(&tokens.access)
            .header(named("x-forwarded-host"), host)
            .header(named("x-forwarded-uri"), "/mcp")
            .header(named("x-forwarded-for"), "127.0.0.1")
            .header(named("x-forwarded-prefix"), "/")
            .header(named("x-real-ip"), "127.0.0.1")
            .header("forwarded", format!("host={host};for=127.0.0.1"));
        let answer = request.body("{}").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{separator}");
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("//echo."), "{challenge}");
    }
    assert_eq!(world.backend().requests(), 0);
}
