//! The issuer of a server that checks tokens itself: its keys turn, and it may be silent or wrong.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use actix_web::{http::StatusCode, rt, test::TestRequest};
use futures_util::future::join_all;
use mcp_gateway_model::{
    clock::{ManualClock, Timestamp},
    id::GrantId,
    token::PersonalAccessToken,
};
use serde_json::json;
use tokio::{io::AsyncReadExt, net::TcpListener, sync::Semaphore, task::yield_now};

use crate::{
    issuer::{Alone, server},
    log::Log,
    signer::Signer,
    stand::{NOW, changed},
};

/// The address of an issuer that takes questions and answers none of them, and how many came.
async fn silent() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::default());
    let counted = Arc::clone(&asked);
    rt::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            // until the other side has had enough
            rt::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
        }
    });
    (url, asked)
}

#[actix_web::test]
async fn whoever_waits_for_an_issuer_that_does_not_answer_waits_once_and_not_one_after_the_other() {
    let (url, asked) = silent().await;
    let server = server(&url, &Arc::new(ManualClock::new(Timestamp::from_secs(NOW))));
    let answers = join_all((0..16).map(async |_| {
        let token = PersonalAccessToken::generate(&GrantId::generate());
        let bearer = ("authorization", format!("Bearer {}", token.reveal()));
        let request = TestRequest::get().insert_header(bearer).to_http_request();
        server.identify(&request).await.unwrap_err().status()
    }));
    assert_eq!(answers.await, [StatusCode::SERVICE_UNAVAILABLE; 16]);
    assert_eq!(
        asked.load(Ordering::Relaxed),
        1,
        "each question takes the whole of its time"
    );
}

#[actix_web::test]
async fn a_new_key_is_found_when_its_first_token_comes() {
    let mut alone = Alone::start();
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK);
    alone.signer = Signer::p256();
    alone.issuer.publish(alone.signer.public());
    alone.pass(1);
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK);
    assert_eq!(alone.said().keys_read, 2);
}

#[actix_web::test]
async fn a_retired_key_stops_working_within_half_a_minute() {
    let alone = Alone::start();
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK);
    alone.said().keys.clear();
    alone.pass(30);
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn unknown_keys_make_the_issuer_be_asked_at_most_once_a_second() {
    let alone = Alone::start();
    let unknown = |i: usize| {
        let header = changed(alone.signer.header(), "kid", json!(format!("{i:043}")));
        alone.signer.sign(&header, &alone.claims())
    };
    for second in 1..=3 {
        for i in 0..10 {
            assert_eq!(alone.get(&unknown(i)).await.status, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(alone.said().keys_read, second);
        alone.pass(1);
    }
}

#[actix_web::test]
async fn keys_of_other_kinds_are_passed_over() {
    let alone = Alone::start();
    let others = [
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256", "use": "sig" }),
        json!({ "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "two", "alg": "ES512", "use": "sig" }),
        json!("nonsense"),
    ];
    alone.said().keys.splice(0..0, others);
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn an_issuer_that_cannot_be_asked_lets_nobody_in() {
    let alone = Alone::start();
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK);
    let (log, _guard) = Log::start();
    alone.issuer.stop().await;
    for _ in 0..2 {
        let answer = alone.get(&alone.token()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.challenge(), "");
        assert_eq!(answer.json()["error"], "temporarily_unavailable");
    }
    let said = log.text();
    assert_eq!(
        said.matches("nobody is let in: the issuer cannot be asked")
            .count(),
        1,
        "{said}"
    );
    assert!(
        said.contains("issuer_unavailable") && said.contains("no connection"),
        "{said}"
    );
    assert!(said.contains(&alone.issuer.url), "{said}");
    assert!(!said.contains("eyJ"), "no token: {said}");
}

#[actix_web::test]
async fn what_the_issuer_answers_but_with_200_lets_nobody_in() {
    let alone = Alone::start();
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK);
    for (status, said) in [
        (401, "introspection_secret_file"),
        (429, "asks to wait"),
        (500, "status 500"),
        (302, "status 302"),
    ] {
        alone.said().status = Some(status);
        let (log, _guard) = Log::start();
        let answer = alone.get(&alone.token()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{status}");
        assert!(log.text().contains(said), "{status}: {}", log.text());
        // warnings come ten seconds apart, and keys are read again meanwhile
        alone.said().status = None;
        alone.pass(11);
        assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK, "{status}");
    }
    alone.said().introspected = Some(json!("nonsense"));
    assert_eq!(
        alone.get(&alone.token()).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}

#[actix_web::test]
async fn an_issuer_that_calls_itself_something_else_is_not_believed() {
    let alone = Alone::start();
    alone.said().named = Some("https://evil.example".into());
    assert_eq!(
        alone.get(&alone.token()).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert!(alone.said().questions.is_empty());
    alone.said().named = None;
    alone.pass(1);
    assert_eq!(alone.get(&alone.token()).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_flood_of_made_up_tokens_reaches_the_issuer_a_few_at_a_time() {
    const AT_ONCE: usize = 16;
    let alone = Alone::start();
    let held = Arc::new(Semaphore::new(0));
    alone.said().held = Some(Arc::clone(&held));
    let token = PersonalAccessToken::generate(&GrantId::generate());
    let flood = join_all((0..AT_ONCE + 4).map(|_| alone.get(token.reveal())));
    let release = async {
        while alone.said().arrived < AT_ONCE {
            yield_now().await;
        }
        held.add_permits(AT_ONCE);
    };
    let (answers, ()) = tokio::join!(flood, release);
    let with = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(with(StatusCode::OK), AT_ONCE);
    assert_eq!(with(StatusCode::SERVICE_UNAVAILABLE), 4);
    assert_eq!(alone.said().arrived, AT_ONCE);
    // the places are free again
    held.add_permits(1);
    assert_eq!(alone.get(token.reveal()).await.status, StatusCode::OK);
}
