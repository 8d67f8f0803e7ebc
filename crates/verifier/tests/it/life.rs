//! A token is worth as much as its grant: where nothing tells of changes, the store is asked on every request.

use std::{sync::atomic::Ordering, time::Duration};

use actix_web::http::StatusCode;
use mcp_gateway_model::{
    clock::Timestamp,
    id::{ClientId, GrantId, UserId},
    resource::ResourceUri,
};
use serde_json::json;

use crate::stand::{NOW, Stand};

#[actix_web::test]
async fn a_token_of_an_ended_grant_is_refused_on_the_next_request() {
    let stand = Stand::new();
    let token = stand.token();
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.store.end(&stand.grant.id);
    let answer = stand.verify(&token).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.challenge().contains(r#"error="invalid_token""#));
}

#[actix_web::test]
async fn the_store_is_asked_for_every_request() {
    let stand = Stand::new();
    let token = stand.token();
    for _ in 0..3 {
        assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    }
    assert_eq!(stand.store.grant_reads.load(Ordering::SeqCst), 3);
    assert_eq!(stand.store.key_reads.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn a_grant_that_ends_before_its_token_ends_the_token() {
    let mut stand = Stand::new();
    stand.grant.expires_at = Timestamp::from_secs(NOW + 5);
    stand.store.put(&stand.grant);
    let token = stand.token();
    stand.clock.advance(Duration::from_secs(4));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_token_that_names_another_grant_than_its_own_is_refused() {
    let stand = Stand::new();
    let token = stand.token();
    let good = stand.grant.clone();
    for change in [
        |g: &mut mcp_gateway_model::grant::Grant| g.client = ClientId::parse("another").unwrap(),
        |g: &mut mcp_gateway_model::grant::Grant| g.user.as_mut().unwrap().id = UserId(1),
        |g: &mut mcp_gateway_model::grant::Grant| g.audiences.clear(),
        |g: &mut mcp_gateway_model::grant::Grant| {
            g.audiences = vec![ResourceUri::parse("https://other.example.com").unwrap()];
        },
    ] {
        let mut other = good.clone();
        change(&mut other);
        stand.store.put(&other);
        assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
    }
    stand.store.put(&good);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    let unknown = stand.token_where("grant", json!(GrantId::generate().as_str()));
    assert_eq!(stand.verify(&unknown).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_store_that_cannot_be_asked_is_503_and_no_verdict() {
    let stand = Stand::new();
    let token = stand.token();
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.store.fail(true);
    let answer = stand.verify(&token).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(answer.json()["error"], "temporarily_unavailable");
    assert!(!answer.body.contains("10.0.0.9"), "{}", answer.body);
    stand.store.fail(false);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_bad_token_is_refused_without_the_store() {
    let stand = Stand::new();
    assert_eq!(stand.verify(&stand.token()).await.status, StatusCode::OK);
    stand.store.fail(true);
    let forged = stand.token() + "A";
    assert_eq!(stand.verify(&forged).await.status, StatusCode::UNAUTHORIZED);
    let expired = stand.token_where("exp", json!(NOW - 1));
    assert_eq!(stand.verify(&expired).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn requests_at_once_are_each_judged() {
    let stand = Stand::new();
    let (good, bad) = (stand.token(), stand.token_where("sub", json!("1")));
    let (one, two, three) = tokio::join!(stand.verify(&good), stand.verify(&bad), stand.verify(&good));
    assert_eq!(
        [one.status, two.status, three.status],
        [StatusCode::OK, StatusCode::UNAUTHORIZED, StatusCode::OK]
    );
}
