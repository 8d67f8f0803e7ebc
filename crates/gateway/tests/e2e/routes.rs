//! What the shipped Traefik files let through, and to whom.

use reqwest::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::Value;

use crate::support::{
    flow::Flow,
    mcp::call_tool,
    traefik::DOMAIN,
    world::{Layout, World},
};

#[tokio::test]
async fn unauthenticated_options_with_a_body_reach_no_backend() {
    let world = World::start(Layout::Apart(1)).await;
    let http = world.http();
    for claims in [
        &[][..],
        &[("x-forwarded-method", "OPTIONS"), ("x-forwarded-uri", "/health")][..],
    ] {
        for method in [
            Method::OPTIONS,
            Method::POST,
            Method::GET,
            Method::HEAD,
            Method::DELETE,
        ] {
            let mut request = http
                .request(method.clone(), world.mcp_url())
                .body("{\"jsonrpc\":\"2.0\"}");
            for (name, value) in claims {
                request = request.header(*name, *value);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method}");
        }
    }
    let preflight = http
        .request(Method::OPTIONS, world.mcp_url())
        .header("origin", "https://inspector.example.com")
        .header("access-control-request-method", "POST")
        .body("{\"jsonrpc\":\"2.0\"}");
    let answer = preflight.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(world.backend().requests(), 0, "{:?}", world.backend().last());
}

#[tokio::test]
async fn identity_headers_that_a_client_forges_are_replaced_whatever_their_spelling() {
    let world = World::start(Layout::Apart(1)).await;
    let http = world.http();
    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let back = flow.log_in(&world.mcp_url(), 583_231).await;
    let tokens = flow.exchange(&back["code"], &world.mcp_url()).await;
    let request = http
        .post(world.mcp_url())
        .header(AUTHORIZATION, format!("Bearer {}", tokens.access))
        .header("x-user-id", "1")
        .header("X_User_Id", "1")
        .header("x-user_name", "root")
        .header("X-USER-NAME", "root")
        .header("x-auth-scope", "admin")
        .header("x-auth-token", "forged")
        .header("x-user-email", "root@example.com")
        .header("connection", "x-user-id, x-auth-client, close")
        .body("{}");
    request.send().await.unwrap();
    let received = world.backend().last().unwrap();
    let named = |name: &str| -> Vec<&str> {
        let names_it = |n: &str| n.replace('_', "-").eq_ignore_ascii_case(name);
        received
            .headers
            .iter()
            .filter(|(n, _)| names_it(n))
            .map(|(_, v)| v.as_str())
            .collect()
    };
    assert_eq!(named("x-user-id"), ["583231"], "{received:?}");
    assert_eq!(named("x-user-name"), ["octocat"]);
    assert_eq!(named("x-auth-client"), [flow.client_id()]);
    assert!(named("x-auth-token").iter().all(|v| v.is_empty()));
    assert_eq!(named("x-user-email"), [""; 0]);
    assert_eq!(named("authorization"), [""; 0]);
}

#[tokio::test]
async fn a_token_for_one_host_does_not_open_another() {
    let world = World::start(Layout::Serve).await;
    let http = world.http();
    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let other = world.mcp_url().replace("echo.", "other.");
    let back = flow.log_in(&other, 583_231).await;
    let tokens = flow.exchange(&back["code"], &other).await;
    let answer = http
        .post(world.mcp_url())
        .bearer_auth(&tokens.access)
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.backend().requests(), 0);
}

#[tokio::test]
async fn the_challenge_leads_to_the_metadata_and_that_to_the_issuer() {
    let world = World::start(Layout::Apart(1)).await;
    let http = world.http();
    let refused = http.post(world.mcp_url()).body("{}").send().await.unwrap();
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(!challenge.contains("error="), "{challenge}");
    let metadata = challenge
        .split("resource_metadata=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let document: Value = http.get(metadata).send().await.unwrap().json().await.unwrap();
    assert_eq!(document["resource"], world.mcp_url());
    assert_eq!(document["authorization_servers"][0], world.issuer());
    let origin = world.mcp_url().replace("/mcp", "");
    for base in [origin, world.issuer()] {
        for place in [
            "oauth-authorization-server",
            "openid-configuration",
            "oauth-authorization-server/mcp",
        ] {
            let url = format!("{base}/.well-known/{place}");
            let answer = http.get(&url).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{url}");
            assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
            let document: Value = answer.json().await.unwrap();
            assert_eq!(document["issuer"], world.issuer(), "{url}");
        }
    }
    assert_eq!(world.backend().requests(), 0);
}

#[tokio::test]
async fn port_80_sends_everybody_to_https() {
    let world = World::start(Layout::Serve).await;
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .resolve(
            &format!("echo.{DOMAIN}"),
            ([127, 0, 0, 1], world.ports.http).into(),
        )
        .build()
        .unwrap();
    let answer = http
        .get(format!("http://echo.{DOMAIN}:{}/mcp", world.ports.http))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::MOVED_PERMANENTLY);
    assert!(
        answer.headers()["location"]
            .to_str()
            .unwrap()
            .starts_with("https://echo.")
    );
}

#[tokio::test]
async fn the_access_log_of_traefik_holds_no_code_and_no_token() {
    let world = World::start(Layout::Serve).await;
    let http = world.http();
    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let back = flow.log_in(&world.mcp_url(), 583_231).await;
    let tokens = flow.exchange(&back["code"], &world.mcp_url()).await;
    call_tool(&http, &world.mcp_url(), &tokens.access, "whoami").await;
    let log = world.traefik.process.output();
    assert!(log.contains("/callback"), "{log}");
    for secret in [&back["code"], &tokens.access, &tokens.refresh] {
        assert!(!log.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn behind_a_load_balancer_a_client_does_not_choose_what_its_token_is_checked_for() {
    let world = World::behind_a_proxy(Layout::Serve).await;
    let http = world.http();
    let mut flow = Flow::register(http.clone(), &world.issuer()).await;
    let other = world.mcp_url().replace("echo.", "other.");
    let back = flow.log_in(&other, 583_231).await;
    let tokens = flow.exchange(&back["code"], &other).await;
    let host = format!("other.{DOMAIN}:{}", world.ports.https);
    for (name, value) in [
        ("x-forwarded-host", host.as_str()),
        ("x-forwarded-uri", "/.well-known/oauth-protected-resource"),
        ("x-forwarded-method", "OPTIONS"),
    ] {
        let request = http
            .post(world.mcp_url())
            .bearer_auth(&tokens.access)
            .header(name, value)
            .body("{}");
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::UNAUTHORIZED,
            "{name}"
        );
    }
    assert_eq!(world.backend().requests(), 0);
}
