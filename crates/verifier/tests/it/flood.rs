//! A flood of tokens with bad signatures, each of which costs as much to refuse as a good one to accept.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{cell::RefCell, rc::Rc, sync::atomic::Ordering};

use actix_web::{
    App,
    http::StatusCode,
    rt,
    test::{TestRequest, call_service, init_service, read_body},
};
use mcp_gateway_model::{id::GrantId, token::PersonalAccessToken};
use mcp_gateway_verifier::configure_verify;

use crate::{
    signer::Signer,
    stand::{ECHO, Stand, about, configured, settings},
};

/// What was answered, in this order: whose request it was, the status, `Retry-After`, and the body.
type Answered = Rc<RefCell<Vec<(&'static str, StatusCode, Option<String>, String)>>>;

fn asking(token: &str, address: &str) -> TestRequest {
    about(ECHO)
        .insert_header(("authorization", format!("Bearer {token}")))
        .insert_header(("x-forwarded-for", address.to_owned()))
}

/// Asks all of this at once, on one thread.
async fn answered(stand: &Stand, all: Vec<(&'static str, TestRequest)>) -> Answered {
    let service = Rc::new(init_service(App::new().configure(configure_verify(&stand.verifier))).await);
    let answered = Answered::default();
    let asked: Vec<_> = all
        .into_iter()
        .map(|(name, request)| {
            let (service, answered) = (Rc::clone(&service), Rc::clone(&answered));
            rt::spawn(async move {
                let response = call_service(&*service, request.to_request()).await;
                let retry = response.headers().get("retry-after");
                let retry = retry.map(|value| value.to_str().unwrap().to_owned());
                let status = response.status();
                let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
                answered.borrow_mut().push((name, status, retry, body));
            })
        })
        .collect();
    for one in asked {
        one.await.unwrap();
    }
    answered
}

/// A token of ours but for the signature.
fn forged(stand: &Stand) -> String {
    Signer::ed25519().sign(&stand.signer.header(), &stand.claims())
}

fn place(answered: &Answered, name: &str) -> (usize, StatusCode) {
    let answered = answered.borrow();
    let place = answered.iter().position(|one| one.0 == name).unwrap();
    (place, answered[place].1)
}

#[actix_web::test]
async fn a_flood_of_bad_signatures_delays_neither_a_known_token_nor_a_new_one_of_somebody_else() {
    let stand = Stand::remembering(settings(configured()));
    let warm = stand.token();
    assert_eq!(stand.verify(&warm).await.status, StatusCode::OK);
    let cold = stand.token_where("jti", "another".into());
    let bad = forged(&stand);
    let mut all: Vec<_> = (0..400).map(|_| ("flood", asking(&bad, "203.0.113.9"))).collect();
    all.push(("cold", asking(&cold, "192.0.2.7")));
    all.push(("warm", asking(&warm, "192.0.2.8")));
    let answered = answered(&stand, all).await;
    assert_eq!(answered.borrow().len(), 402);
    let (after, status) = place(&answered, "warm");
    assert_eq!(status, StatusCode::OK);
    let checked = |until: usize| {
        let answered = answered.borrow();
        let checked = answered
            .iter()
            .take(until)
            .filter(|one| one.1 == StatusCode::UNAUTHORIZED);
        checked.count()
    };
    assert!(checked(after) <= 16, "{}", checked(after));
    let (after, status) = place(&answered, "cold");
    assert_eq!(status, StatusCode::OK);
    assert!(checked(after) <= 32, "{}", checked(after));
    // those that need not be looked at are told to come again, and nobody else is
    let answered = answered.borrow();
    let told: Vec<_> = answered
        .iter()
        .filter(|one| one.1 == StatusCode::SERVICE_UNAVAILABLE)
        .collect();
    assert!(told.len() > 300, "{}", told.len());
    for (name, _, retry, body) in told {
        assert_eq!((*name, retry.as_deref()), ("flood", Some("1")));
        assert!(body.contains("temporarily_unavailable"), "{body}");
    }
}

#[actix_web::test]
async fn tokens_that_need_no_signature_checked_are_refused_however_many_there_are() {
    let stand = Stand::new();
    for (claim, value) in [
        ("exp", (crate::stand::NOW - 1).into()),
        ("iss", "https://other.example.com".into()),
        ("aud", "https://other.example.com".into()),
    ] {
        let token = stand.token_where(claim, value);
        let all = (0..600)
            .map(|_| ("flood", asking(&token, "203.0.113.9")))
            .collect();
        let answered = answered(&stand, all).await;
        let unauthorized = |one: &(_, StatusCode, _, _)| one.1 == StatusCode::UNAUTHORIZED;
        assert!(answered.borrow().iter().all(unauthorized), "{claim}");
    }
}

/// How many bad tokens are looked at before somebody else's new one is, and how it is answered.
async fn before_another(stand: &Stand, bad: &str) -> (usize, StatusCode) {
    // the keys are known
    assert_eq!(stand.verify(&stand.token()).await.status, StatusCode::OK);
    let cold = stand.token_where("jti", "another".into());
    let mut all: Vec<_> = (0..400).map(|_| ("flood", asking(bad, "203.0.113.9"))).collect();
    all.push(("cold", asking(&cold, "192.0.2.7")));
    let answered = answered(stand, all).await;
    let (after, status) = place(&answered, "cold");
    let answered = answered.borrow();
    let looked_at = answered
        .iter()
        .take(after)
        .filter(|one| one.1 == StatusCode::UNAUTHORIZED);
    (looked_at.count(), status)
}

#[actix_web::test]
async fn a_flood_of_tokens_whose_grant_has_ended_waits_behind_others() {
    let stand = Stand::remembering(settings(configured()));
    let ended = stand.token_where("grant", GrantId::generate().as_str().into());
    let (before, status) = before_another(&stand, &ended).await;
    assert_eq!(status, StatusCode::OK);
    assert!(before <= 32, "{before}");
}

#[actix_web::test]
async fn a_flood_of_personal_access_tokens_that_somebody_made_up_waits_behind_others() {
    let stand = Stand::remembering(settings(configured()));
    let made_up = PersonalAccessToken::generate(&GrantId::generate());
    let (before, status) = before_another(&stand, made_up.reveal()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(before <= 32, "{before}");
    assert!(stand.store.grant_reads.load(Ordering::SeqCst) <= 100);
}
