//! What was remembered and may have changed is looked at again, with less trouble than the first time: no signature is checked
//! twice, so nobody has to wait for others. And many requests at once do it once.

use std::{net::Ipv4Addr, sync::atomic::Ordering, time::Duration};

use actix_web::http::StatusCode;
use futures_util::future::join_all;
use mcp_gateway_store::{Watch, moment};
use serde_json::json;

use crate::{
    signer::Signer,
    stand::{ECHO, Stand, about, configured, settings},
};

/// More than a thread lets wait for a turn.
const HERD: usize = 2500;

fn stand() -> Stand {
    Stand::remembering(settings(configured()))
}

fn reads(stand: &Stand) -> usize {
    stand.store.grant_reads.load(Ordering::SeqCst)
}

fn key_reads(stand: &Stand) -> usize {
    stand.store.key_reads.load(Ordering::SeqCst)
}

fn tokens(stand: &Stand, number: usize) -> Vec<String> {
    (0..number)
        .map(|n| stand.token_where("jti", json!(n.to_string())))
        .collect()
}

/// How many of these are let through when all ask at once, each from an address of its own.
async fn let_through(stand: &Stand, tokens: &[&str]) -> usize {
    let answers = tokens.iter().enumerate().map(|(n, token)| {
        let address = Ipv4Addr::from_bits(0x0a01_0000 + u32::try_from(n).unwrap_or_default());
        stand.ask(
            about(ECHO)
                .insert_header(("authorization", format!("Bearer {token}")))
                .insert_header(("x-forwarded-for", address.to_string())),
        )
    });
    let answers = join_all(answers).await;
    answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count()
}

#[actix_web::test]
async fn nobody_whose_token_was_known_is_turned_away_after_a_flush() {
    let stand = stand();
    let tokens = tokens(&stand, HERD);
    let tokens: Vec<_> = tokens.iter().map(String::as_str).collect();
    for few in tokens.chunks(500) {
        assert_eq!(let_through(&stand, few).await, few.len());
    }
    stand.store.watch.as_ref().inspect(|watch| watch.flush());
    assert_eq!(let_through(&stand, &tokens).await, HERD);
    assert_eq!(reads(&stand), 2 * HERD, "of each the grant is read again");
}

#[actix_web::test]
async fn a_grant_that_ended_in_the_time_without_news_opens_nothing_although_its_signature_is_known() {
    let stand = stand();
    let token = stand.token();
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.store.watch.as_ref().inspect(|watch| watch.flush());
    stand.store.end(&stand.grant.id);
    for _ in 0..2 {
        assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(reads(&stand), 3, "what ended is not remembered");
}

#[actix_web::test]
async fn when_keys_grow_old_all_wait_for_one_reading_and_for_no_grant() {
    let stand = stand();
    let token = stand.token();
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.clock.advance(Duration::from_secs(30));
    assert_eq!(let_through(&stand, &vec![token.as_str(); HERD]).await, HERD);
    assert_eq!((key_reads(&stand), reads(&stand)), (2, 1));
}

#[actix_web::test]
async fn keys_are_read_again_before_they_have_to_be_and_nobody_else_waits_for_that() {
    let stand = stand();
    let token = stand.token();
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    let head = about(ECHO)
        .insert_header(("authorization", format!("Bearer {token}")))
        .to_request();
    let quickly = || stand.quick.answer(head.head(), moment(&*stand.clock)).is_some();
    stand.clock.advance(Duration::from_secs(14));
    assert!(quickly());
    stand.clock.advance(Duration::from_secs(1));
    assert!(!quickly(), "one has to ask");
    stand.store.fail(true);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    assert_eq!(key_reads(&stand), 2);
    assert!(quickly(), "it was asked a moment ago, and the key is still good");
    stand.store.fail(false);
    stand.clock.advance(Duration::from_secs(1));
    assert!(!quickly());
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    assert_eq!((key_reads(&stand), reads(&stand)), (3, 1));
    stand.clock.advance(Duration::from_secs(14));
    assert!(quickly());
}

#[actix_web::test]
async fn a_key_that_is_gone_when_it_is_read_ahead_opens_nothing() {
    let stand = stand();
    assert_eq!(stand.verify(&stand.token()).await.status, StatusCode::OK);
    stand.store.retire_all();
    stand.clock.advance(Duration::from_secs(15));
    for _ in 0..2 {
        assert_eq!(
            stand.verify(&stand.token()).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[actix_web::test]
async fn another_key_with_the_same_name_checks_the_signature_again() {
    let stand = stand();
    let token = stand.token();
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    let other = Signer::ed25519().public();
    stand.store.retire_all();
    stand.store.publish(other.map(|mut other| {
        if let Some(ours) = stand.signer.public() {
            other.kid = ours.kid;
        }
        other
    }));
    stand.clock.advance(Duration::from_secs(30));
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_token_that_many_present_at_once_is_looked_up_a_few_times() {
    let stand = stand();
    let token = stand.token();
    assert_eq!(let_through(&stand, &vec![token.as_str(); 1000]).await, 1000);
    assert!(reads(&stand) <= 16, "{}", reads(&stand));
}

#[actix_web::test]
async fn a_herd_of_a_thousand_new_tokens_is_let_in() {
    let stand = stand();
    let tokens = tokens(&stand, 1000);
    let tokens: Vec<_> = tokens.iter().map(String::as_str).collect();
    assert_eq!(let_through(&stand, &tokens).await, 1000);
}

#[actix_web::test]
async fn a_store_that_does_not_answer_makes_nobody_forget() {
    let watch = Watch::new();
    let term = watch.begin();
    let stand = Stand::watching(settings(configured()), Signer::ed25519(), Some(watch));
    let renew = || {
        let until = moment(&*stand.clock).plus_millis(250);
        stand
            .store
            .watch
            .as_ref()
            .inspect(|watch| watch.renew(term, until));
    };
    renew();
    let token = stand.token();
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.clock.advance(Duration::from_millis(250));
    stand.store.fail(true);
    assert_eq!(stand.verify(&token).await.status, StatusCode::SERVICE_UNAVAILABLE);
    renew();
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
}
