//! Which keys are known, and when the store is asked for them.

use std::{sync::atomic::Ordering, time::Duration};

use actix_web::http::StatusCode;
use mcp_gateway_model::key::{Algorithm, PublicKey};
use serde_json::json;

use crate::{signer::Signer, stand::Stand};

fn key_reads(stand: &Stand) -> usize {
    stand.store.key_reads.load(Ordering::SeqCst)
}

#[actix_web::test]
async fn a_new_key_is_found_when_its_first_token_comes() {
    let stand = Stand::new();
    assert_eq!(stand.verify(&stand.token()).await.status, StatusCode::OK);
    let new = Signer::p256();
    stand.store.publish(new.public());
    stand.clock.advance(Duration::from_secs(1));
    let token = new.sign(&new.header(), &stand.claims());
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    assert_eq!(stand.verify(&stand.token()).await.status, StatusCode::OK);
    assert_eq!(key_reads(&stand), 2);
}

#[actix_web::test]
async fn unknown_keys_make_the_store_be_asked_at_most_once_a_second() {
    let stand = Stand::new();
    let unknown = |i: usize| stand.token_headed("kid", json!(format!("{i:043}")));
    for i in 0..10 {
        assert_eq!(stand.verify(&unknown(i)).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(key_reads(&stand), 1);
    stand.clock.advance(Duration::from_secs(1));
    for i in 0..10 {
        assert_eq!(stand.verify(&unknown(i)).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(key_reads(&stand), 2);
}

#[actix_web::test]
async fn many_first_requests_at_once_ask_for_the_keys_once() {
    let stand = Stand::new();
    let token = stand.token();
    let ask = || stand.verify(&token);
    let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
    assert!([a, b, c, d].iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!(key_reads(&stand), 1);
}

#[actix_web::test]
async fn keys_that_cannot_be_read_are_503_and_not_a_bad_token() {
    let stand = Stand::new();
    let token = stand.token();
    stand.store.fail(true);
    for _ in 0..3 {
        assert_eq!(stand.verify(&token).await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(key_reads(&stand), 1);
    stand.store.fail(false);
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_retired_key_stops_working_within_half_a_minute() {
    let stand = Stand::new();
    let token = stand.token();
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.store.retire_all();
    stand.clock.advance(Duration::from_secs(30));
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_clock_that_was_set_back_does_not_lock_the_keys_out() {
    let stand = Stand::new();
    assert_eq!(stand.verify("a.b.c").await.status, StatusCode::UNAUTHORIZED);
    let token = stand.token();
    stand.clock.advance(Duration::from_secs(600));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand
        .clock
        .set(mcp_gateway_model::clock::Timestamp::from_secs(crate::stand::NOW));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_published_key_of_the_wrong_kind_verifies_nothing_and_harms_no_other() {
    let stand = Stand::new();
    let rsa = Signer::rsa();
    let mut odd = rsa.public().unwrap();
    for algorithm in [Algorithm::Hs256, Algorithm::Es256, Algorithm::EdDsa] {
        odd = PublicKey::new(algorithm, odd.numbers);
        stand.store.publish(Some(odd.clone()));
    }
    assert_eq!(stand.verify(&stand.token()).await.status, StatusCode::OK);
    for algorithm in ["HS256", "ES256", "EdDSA", "RS256"] {
        let mut header = rsa.header();
        header["alg"] = json!(algorithm);
        let token = rsa.sign(&header, &stand.claims());
        assert_eq!(
            stand.verify(&token).await.status,
            StatusCode::UNAUTHORIZED,
            "{algorithm}"
        );
    }
}
