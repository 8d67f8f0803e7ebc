//! Whose tokens these are.

use std::sync::Arc;

use mcp_gateway_client::service::settings::Written;
use mcp_gateway_model::clock::{Clock, ManualClock, SystemClock};
use reqwest::Method;
use serde_json::json;

use super::{
    authority::Authority,
    stage::{Stage, memory, shared, told, written},
    steps::{begin, come_back, log_in, register},
};

#[actix_web::test]
async fn one_user_sees_nothing_of_another() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let (client, _) = log_in(&stage, &authority, "1").await;
    let mcp = format!("{}/mcp", authority.resource.url);
    let access = [("resource_url", mcp.as_str())];
    assert_eq!(stage.get("1", "/access-resource", &access).await.0, 200);

    // the stored token
    let (status, fault) = stage.get("2", "/access-resource", &access).await;
    assert_eq!((status, &fault["error"]), (401, &json!("no_token")));

    // the login
    let (_, begun) = begin(&stage, &authority, "1", &client).await;
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    let (status, fault) = come_back(&stage, "2", &back).await;
    assert_eq!((status, &fault["error"]), (401, &json!("access_denied")));
    assert_eq!(
        come_back(&stage, "1", &back).await.0,
        200,
        "it is still its owner's"
    );

    // the client secret
    let request = [("registration_url", format!("{}/register", authority.server.url))];
    let request = [(request[0].0, request[0].1.as_str())];
    let mut seen = Vec::new();
    for user in ["1", "2"] {
        let sent = stage
            .request(user, Method::POST, "/register-client", &request)
            .json(&json!({}))
            .send();
        seen.push(told(sent.await.unwrap()).await.1);
    }
    assert_eq!(seen[0]["client_id"], seen[1]["client_id"]);
    assert!(seen[0].get("client_secret").is_some() && seen[1].get("client_secret").is_none());

    // two users have a token each
    log_in(&stage, &authority, "2").await;
    let tokens = authority.resource.asked();
    assert_eq!(stage.get("2", "/access-resource", &access).await.0, 200);
    let last = authority.resource.asked().pop().unwrap();
    let before = tokens.iter().filter_map(|asked| asked.header("authorization"));
    assert!(
        before
            .into_iter()
            .all(|one| Some(one) != last.header("authorization")),
        "a token of its own"
    );
}

#[actix_web::test]
async fn the_refresh_token_of_another_user_leads_to_nothing_that_is_kept() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let (client, tokens) = log_in(&stage, &authority, "1").await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let parameters = [
        ("refresh_token", refresh),
        ("auth_server_url", authority.server.url.as_str()),
        ("client_id", &client),
    ];
    // whoever holds a refresh token may use it, but what is kept for its owner is not what comes back
    let (status, stolen) = stage.post("2", "/refresh-token", &parameters).await;
    assert_eq!((status, &stolen["access_token"]), (200, &json!("access-2")));
    let mcp = format!("{}/mcp", authority.resource.url);
    let access = [("resource_url", mcp.as_str())];
    assert_eq!(stage.get("2", "/access-resource", &access).await.0, 401);
    stage.get("1", "/access-resource", &access).await;
    let last = authority.resource.asked().pop().unwrap();
    assert_eq!(last.header("authorization"), Some("Bearer access-1"));
}

#[actix_web::test]
async fn a_request_that_names_nobody_is_refused_at_every_endpoint() {
    let stage = Stage::start();
    for (method, path) in [
        (Method::GET, "discover-resource"),
        (Method::GET, "discover-auth-server"),
        (Method::POST, "register-client"),
        (Method::GET, "start-authorization"),
        (Method::GET, "callback"),
        (Method::POST, "refresh-token"),
        (Method::GET, "access-resource"),
        (Method::POST, "access-resource"),
    ] {
        let path = format!("/api/mcp/oauth/{path}");
        let nobody = [None, Some(""), Some(" "), Some("a b"), Some("\u{e4}")];
        for user in nobody {
            stage.clock.advance(std::time::Duration::from_secs(1));
            let mut request = stage.bare(method.clone(), &path);
            if let Some(user) = user {
                request = request.header("X-User-Id", user.as_bytes());
            }
            let (status, fault) = told(request.send().await.unwrap()).await;
            assert_eq!(
                (status, &fault["error"]),
                (401, &json!("unauthorized")),
                "{path} {user:?}"
            );
        }
    }
    let several = stage
        .bare(Method::GET, "/api/mcp/oauth/callback")
        .header("X-User-Id", "1")
        .header("X-User-Id", "2");
    assert_eq!(several.send().await.unwrap().status(), 401);
}

#[actix_web::test]
async fn an_identity_header_counts_only_from_a_trusted_proxy() {
    let untrusting = Written {
        host: "0.0.0.0".into(),
        trusted_proxies: "192.0.2.1".into(),
        ..written()
    };
    let stage = Stage::with(untrusting, memory());
    assert_eq!(stage.get("1", "/callback", &[("state", "x")]).await.0, 401);
}

#[actix_web::test]
async fn another_sites_page_cannot_ask_in_a_users_name() {
    let stage = Stage::start();
    for (site, path, expected) in [
        ("cross-site", "/access-resource", "Another site"),
        ("same-origin", "/access-resource", "resource_url"),
        ("none", "/access-resource", "resource_url"),
        ("cross-site", "/callback", "state"),
    ] {
        let request = stage
            .request("1", Method::GET, path, &[])
            .header("Sec-Fetch-Site", site);
        let (status, fault) = told(request.send().await.unwrap()).await;
        assert_eq!(status, 400);
        assert!(
            fault["error_description"].as_str().unwrap().contains(expected),
            "{site} {path}: {fault}"
        );
    }
}

#[actix_web::test]
async fn a_user_who_asks_too_often_waits_and_keeps_nobody_else_waiting() {
    let busy = Written {
        requests_per_minute: 3,
        ..written()
    };
    let stage = Stage::with(busy, memory());
    assert_eq!(stage.get("1", "/callback", &[]).await.0, 400);
    let response = stage
        .request("1", Method::GET, "/callback", &[])
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"20".parse().unwrap())
    );
    assert_eq!(stage.get("2", "/callback", &[]).await.0, 400);
    stage.clock.advance(std::time::Duration::from_secs(20));
    assert_eq!(stage.get("1", "/callback", &[]).await.0, 400);
}

#[actix_web::test]
async fn two_processes_with_one_store_know_the_same_users() {
    let server = mcp_gateway_store::testing::RedisServer::start();
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let one = Stage::at(written(), shared(&server), Arc::clone(&clock));
    let two = Stage::at(written(), shared(&server), Arc::clone(&clock));
    let authority = Authority::start();
    let client = register(&one, &authority, "1").await;
    let (_, begun) = begin(&two, &authority, "1", &client).await;
    let back = authority
        .allow(begun["authorization_url"].as_str().unwrap())
        .await;
    let answers = futures_util::future::join(come_back(&one, "1", &back), come_back(&two, "1", &back)).await;
    let mut statuses = [answers.0.0, answers.1.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "a state is good once, whoever is asked");
    let mcp = format!("{}/mcp", authority.resource.url);
    for stage in [&one, &two] {
        assert_eq!(
            stage
                .get("1", "/access-resource", &[("resource_url", &mcp)])
                .await
                .0,
            200
        );
    }
}
