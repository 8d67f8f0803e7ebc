//! Refreshing: ahead of the end, by one at a time, with the client's secret, and without losing what came.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use mcp_gateway_model::clock::{Clock, ManualClock, SystemClock};
use mcp_gateway_store::testing::RedisServer;
use reqwest::Method;
use serde_json::json;

use super::{
    authority::{Authority, field},
    stage::{Stage, shared, told, written},
    steps::log_in,
};

async fn used(stage: &Stage, authority: &Authority) -> (u16, String) {
    let mcp = format!("{}/mcp", authority.resource.url);
    let (status, _) = stage
        .get("1", "/access-resource", &[("resource_url", &mcp)])
        .await;
    let last = authority.resource.asked().pop().unwrap();
    (
        status,
        last.header("authorization").unwrap_or_default().to_owned(),
    )
}

#[actix_web::test]
async fn a_token_is_refreshed_ahead_of_its_end() {
    let (stage, authority) = (Stage::start(), Authority::start());
    log_in(&stage, &authority, "1").await;
    stage.clock.advance(Duration::from_secs(3539));
    assert_eq!(
        used(&stage, &authority).await,
        (200, "Bearer access-1".to_owned())
    );
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(
        used(&stage, &authority).await,
        (200, "Bearer access-2".to_owned())
    );
    assert_eq!(authority.asked_for("refresh_token"), 1);
    let asked = authority.server.asked();
    let refresh = asked
        .iter()
        .find(|asked| field(asked, "grant_type").as_deref() == Some("refresh_token"))
        .unwrap();
    assert!(
        refresh.header("authorization").unwrap().starts_with("Basic "),
        "with the client's secret"
    );
    assert_eq!(field(refresh, "resource"), Some(authority.resource.url.clone()));
}

#[actix_web::test]
async fn a_token_that_lasts_for_seconds_is_used_for_most_of_them() {
    let (stage, authority) = (Stage::start(), Authority::start());
    authority.behave(|manner| manner.life = Some(40));
    log_in(&stage, &authority, "1").await;
    stage.clock.advance(Duration::from_secs(29));
    assert_eq!(
        used(&stage, &authority).await,
        (200, "Bearer access-1".to_owned())
    );
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(
        used(&stage, &authority).await,
        (200, "Bearer access-2".to_owned())
    );
}

#[actix_web::test]
async fn a_token_that_the_resource_refuses_is_refreshed_once() {
    let (stage, authority) = (Stage::start(), Authority::start());
    log_in(&stage, &authority, "1").await;
    authority.behave(|manner| manner.refused = vec!["access-1".into()]);
    assert_eq!(
        used(&stage, &authority).await,
        (200, "Bearer access-2".to_owned())
    );
    authority.behave(|manner| manner.refused = (1..9).map(|n| format!("access-{n}")).collect());
    assert_eq!(
        used(&stage, &authority).await,
        (401, "Bearer access-3".to_owned())
    );
    assert_eq!(authority.asked_for("refresh_token"), 2);
}

#[actix_web::test]
async fn many_requests_at_once_cause_one_refresh() {
    let (stage, authority) = (Stage::start(), Authority::start());
    log_in(&stage, &authority, "1").await;
    stage.clock.advance(Duration::from_secs(3600));
    let mcp = format!("{}/mcp", authority.resource.url);
    let parameters = [("resource_url", mcp.as_str())];
    let answers = join_all((0..16).map(|_| stage.get("1", "/access-resource", &parameters))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert_eq!(authority.asked_for("refresh_token"), 1);
}

#[actix_web::test]
async fn several_processes_at_once_cause_one_refresh() {
    let server = RedisServer::start();
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let mut stages = Vec::new();
    for _ in 0..3 {
        stages.push(Stage::at(written(), shared(&server), Arc::clone(&clock)));
    }
    let authority = Authority::start();
    log_in(&stages[0], &authority, "1").await;
    clock.advance(Duration::from_secs(3600));
    let mcp = format!("{}/mcp", authority.resource.url);
    let parameters = [("resource_url", mcp.as_str())];
    let asked = stages
        .iter()
        .flat_map(|stage| (0..4).map(|_| stage.get("1", "/access-resource", &parameters)));
    let answers = join_all(asked).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert_eq!(authority.asked_for("refresh_token"), 1);
}

#[actix_web::test]
async fn a_grant_that_is_over_is_forgotten_and_the_user_has_to_authorize_again() {
    let (stage, authority) = (Stage::start(), Authority::start());
    log_in(&stage, &authority, "1").await;
    stage.clock.advance(Duration::from_secs(3600));
    authority.behave(|manner| manner.token_answer = Some((400, json!({ "error": "invalid_grant" }))));
    let mcp = format!("{}/mcp", authority.resource.url);
    let access = [("resource_url", mcp.as_str())];
    let (status, fault) = stage.get("1", "/access-resource", &access).await;
    assert_eq!((status, &fault["error"]), (401, &json!("invalid_grant")));
    let (status, fault) = stage.get("1", "/access-resource", &access).await;
    assert_eq!((status, &fault["error"]), (401, &json!("no_token")));
    assert_eq!(authority.asked_for("refresh_token"), 1);
}

#[actix_web::test]
async fn while_the_authorization_server_is_away_a_token_is_used_as_long_as_it_lasts() {
    let (stage, authority) = (Stage::start(), Authority::start());
    log_in(&stage, &authority, "1").await;
    authority.behave(|manner| manner.token_answer = Some((503, json!({}))));
    stage.clock.advance(Duration::from_secs(3570));
    assert_eq!(
        used(&stage, &authority).await,
        (200, "Bearer access-1".to_owned())
    );
    stage.clock.advance(Duration::from_secs(30));
    let mcp = format!("{}/mcp", authority.resource.url);
    let (status, fault) = stage
        .get("1", "/access-resource", &[("resource_url", &mcp)])
        .await;
    assert_eq!((status, &fault["error"]), (502, &json!("bad_gateway")));
    authority.behave(|manner| manner.token_answer = None);
    assert_eq!(
        used(&stage, &authority).await,
        (200, "Bearer access-2".to_owned())
    );
}

#[actix_web::test]
async fn without_a_refresh_token_a_grant_is_over_with_its_access_token() {
    let (stage, authority) = (Stage::start(), Authority::start());
    authority.behave(|manner| manner.no_refresh = true);
    let (_, tokens) = log_in(&stage, &authority, "1").await;
    assert!(tokens.get("refresh_token").is_none());
    stage.clock.advance(Duration::from_secs(3590));
    assert_eq!(
        used(&stage, &authority).await.0,
        200,
        "it lasts, and there is nothing to refresh it with"
    );
    stage.clock.advance(Duration::from_secs(10));
    let mcp = format!("{}/mcp", authority.resource.url);
    assert_eq!(
        stage
            .get("1", "/access-resource", &[("resource_url", &mcp)])
            .await
            .0,
        401
    );
}

#[actix_web::test]
async fn a_caller_with_an_older_refresh_token_gets_what_is_current() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let (client, _) = log_in(&stage, &authority, "1").await;
    let ask = async |token: &str| {
        let parameters = [
            ("refresh_token", token),
            ("auth_server_url", authority.server.url.as_str()),
            ("client_id", client.as_str()),
        ];
        stage.post("1", "/refresh-token", &parameters).await
    };
    let (status, first) = ask("refresh-1").await;
    assert_eq!((status, &first["refresh_token"]), (200, &json!("refresh-2")));
    let (status, again) = ask("refresh-1").await;
    assert_eq!(
        (status, &again["access_token"]),
        (200, &json!("access-2")),
        "{again}"
    );
    assert_eq!(
        authority.asked_for("refresh_token"),
        1,
        "an old token is never shown to its server again"
    );
    assert_eq!(
        used(&stage, &authority).await.1,
        "Bearer access-2",
        "what is kept follows"
    );
    let (status, next) = ask("refresh-2").await;
    assert_eq!((status, &next["access_token"]), (200, &json!("access-3")));
}

#[actix_web::test]
async fn a_refresh_token_is_used_for_its_own_client_and_server_alone() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let other = Authority::start();
    let (client, _) = log_in(&stage, &authority, "1").await;
    for (server, client) in [
        (&other.server.url, client.as_str()),
        (&authority.server.url, "client-9"),
    ] {
        let parameters = [
            ("refresh_token", "refresh-1"),
            ("auth_server_url", server.as_str()),
            ("client_id", client),
        ];
        let (status, fault) = stage.post("1", "/refresh-token", &parameters).await;
        assert_eq!((status, &fault["error"]), (400, &json!("invalid_grant")));
    }
    assert!(other.server.asked().is_empty(), "nothing was sent there");
    assert_eq!(authority.asked_for("refresh_token"), 0);
}

#[actix_web::test]
async fn a_refresh_token_belongs_into_the_form() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let (client, _) = log_in(&stage, &authority, "1").await;
    let form = [
        ("refresh_token", "refresh-1"),
        ("auth_server_url", authority.server.url.as_str()),
        ("client_id", client.as_str()),
    ];
    let request = stage
        .request("1", Method::POST, "/refresh-token", &[])
        .form(&form);
    let response = request.send().await.unwrap();
    assert!(!response.headers().contains_key("deprecation"));
    assert_eq!(told(response).await.0, 200);
    let parameters = [("refresh_token", "refresh-2"), form[1], form[2]];
    let response = stage
        .request("1", Method::POST, "/refresh-token", &parameters)
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["deprecation"], "@1795219200");
    assert_eq!(response.status(), 200);
}

#[actix_web::test]
async fn a_token_that_came_just_now_lasts_as_long_as_its_server_said() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let thinks = Some((Arc::clone(&stage.clock), Duration::from_secs(8)));
    authority.behave(|manner| manner.thinks = thinks);
    let (client, tokens) = log_in(&stage, &authority, "1").await;
    assert_eq!(tokens["expires_in"], 3600);
    let parameters = [
        ("refresh_token", "refresh-1"),
        ("auth_server_url", authority.server.url.as_str()),
        ("client_id", client.as_str()),
    ];
    let (_, tokens) = stage.post("1", "/refresh-token", &parameters).await;
    assert_eq!(tokens["expires_in"], 3600);
}

#[actix_web::test]
async fn a_caller_names_the_resource_that_its_tokens_are_for() {
    let (stage, authority) = (Stage::start(), Authority::start());
    let (client, _) = log_in(&stage, &authority, "1").await;
    let resource = authority.resource.url.as_str();
    let ask = async |user: &str, resource: &str| {
        let parameters = [
            ("refresh_token", "refresh-1"),
            ("auth_server_url", authority.server.url.as_str()),
            ("client_id", client.as_str()),
            ("resource", resource),
        ];
        stage.post(user, "/refresh-token", &parameters).await
    };
    // what is kept is for its own resource
    let (status, fault) = ask("1", "https://other.example.com").await;
    assert_eq!((status, &fault["error"]), (400, &json!("invalid_target")));
    let (status, fault) = ask("2", "no address").await;
    assert_eq!((status, &fault["error"]), (400, &json!("invalid_target")));
    assert_eq!(authority.asked_for("refresh_token"), 0);
    // another user holds it: the service keeps nothing, and says what it is for
    assert_eq!(ask("2", resource).await.0, 200);
    let asked = authority.server.asked().pop().unwrap();
    assert_eq!(field(&asked, "resource").as_deref(), Some(resource));
}
