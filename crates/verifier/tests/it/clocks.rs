//! A remembered token ends when it would have ended, whatever becomes of the clocks.

use std::{sync::atomic::Ordering, time::Duration};

use actix_web::http::StatusCode;
use mcp_gateway_model::{
    access::{Allow, AllowedUsers},
    clock::Timestamp,
    grant::{Grant, Memberships},
    id::Login,
    resource::{Resource, ResourceUri, Resources},
};
use serde_json::json;

use crate::stand::{ECHO, NOW, Stand, configured, settings};

fn stand() -> Stand {
    Stand::remembering(settings(configured()))
}

/// A token that ends in ten seconds and is remembered.
async fn remembered(stand: &Stand) -> String {
    let token = stand.token_where("exp", json!(NOW + 10));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    assert_eq!(stand.store.grant_reads.load(Ordering::SeqCst), 1);
    token
}

fn set(stand: &Stand, secs: u64) {
    stand.clock.set(Timestamp::from_secs(secs));
}

#[actix_web::test]
async fn a_remembered_token_ends_at_its_exp() {
    let stand = stand();
    let token = remembered(&stand).await;
    stand.clock.advance(Duration::from_secs(9));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_remembered_token_ends_with_its_grant() {
    let mut stand = stand();
    stand.grant.expires_at = Timestamp::from_secs(NOW + 5);
    stand.store.put(&stand.grant);
    let token = remembered(&stand).await;
    stand.clock.advance(Duration::from_secs(5));
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_clock_that_is_set_forward_ends_a_remembered_token() {
    let stand = stand();
    let token = remembered(&stand).await;
    set(&stand, NOW + 10);
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
    set(&stand, NOW);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_clock_that_is_set_back_does_not_prolong_what_is_remembered() {
    let stand = stand();
    let token = remembered(&stand).await;
    stand.clock.advance(Duration::from_secs(5));
    set(&stand, NOW);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    assert_eq!(stand.store.grant_reads.load(Ordering::SeqCst), 1);
    stand.clock.advance(Duration::from_secs(5));
    // the wall's clock says that it has five seconds left: that is for the slow way to believe
    stand.store.fail(true);
    assert_eq!(stand.verify(&token).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[actix_web::test]
async fn a_clock_that_is_set_back_before_a_token_was_issued_refuses_it_although_it_is_remembered() {
    let stand = stand();
    let token = remembered(&stand).await;
    set(&stand, NOW - 60);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    set(&stand, NOW - 61);
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn where_somebody_belongs_counts_no_longer_because_a_token_is_remembered() {
    let allow = Allow {
        users: AllowedUsers::nobody(),
        orgs: [Login::parse("acme").unwrap()].into(),
        teams: [].into(),
    };
    let echo = Resource {
        allow: Some(allow),
        ..Resource::new(ResourceUri::parse(ECHO).unwrap(), None)
    };
    let resources = Resources::new(vec![echo], vec![], "auth.example.com");
    let stand = Stand::remembering(settings(resources));
    let asked_at = |secs| {
        stand.store.put(&Grant {
            memberships: Some(Memberships {
                orgs: [Login::parse("acme").unwrap()].into(),
                teams: [].into(),
                checked_at: Timestamp::from_secs(secs),
            }),
            ..stand.grant.clone()
        });
    };
    // an answer of GitHub counts for 4500 seconds
    asked_at(NOW - 4490);
    let token = stand.token();
    for _ in 0..2 {
        assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    }
    assert_eq!(stand.store.grant_reads.load(Ordering::SeqCst), 1);
    stand.clock.advance(Duration::from_secs(10));
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
    asked_at(NOW + 10);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
}
