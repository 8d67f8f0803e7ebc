//! How often the store is asked: each question is a trip to it.

use mcp_gateway_model::access::AllowedUsers;
use mcp_gateway_store::Rate;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::desk::{Desk, REDIRECT};

#[actix_web::test]
async fn a_registration_asks_the_store_once() {
    let desk = Desk::start().await;
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    desk.store.asked();
    for _ in 0..3 {
        let answer = desk
            .send_json(reqwest::Method::POST, "/register", &[], &metadata)
            .await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(desk.store.asked(), 1);
    }
}

#[actix_web::test]
async fn tokens_ask_the_store_twice_once_the_use_of_the_client_is_noted() {
    let desk = Desk::start_with(|settings| settings.allowed_users = AllowedUsers::Everybody).await;
    for client in [desk.public_client().await, desk.confidential_client().await] {
        let (_, refresh) = desk.tokens(&client).await;
        let code = desk.code(&client).await;
        desk.store.asked();
        let answer = desk.redeem(&client, &code, &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(desk.store.asked(), 2, "a code");
        let answer = desk.refresh(&client, &refresh, &[]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(desk.store.asked(), 2, "a refresh token");
    }
}

#[actix_web::test]
async fn a_refresh_of_who_is_listed_by_login_looks_at_the_pin_as_well() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let first = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(first.status, StatusCode::OK);
    desk.store.asked();
    let again = desk.refresh(&client, &first.member("refresh_token"), &[]).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(desk.store.asked(), 3);
}

#[actix_web::test]
async fn introspection_asks_the_store_twice() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (access, _) = desk.tokens(&client).await;
    assert_eq!(desk.introspect(&client, &access).await["active"], true);
    desk.store.asked();
    assert_eq!(desk.introspect(&client, &access).await["active"], true);
    assert_eq!(desk.store.asked(), 2);
}

/// What is due is taken with the next question, and there is none after a mistake.
#[actix_web::test]
async fn who_only_makes_mistakes_is_counted_all_the_same() {
    let three = |rate: Rate| Rate {
        count: 1,
        burst: 3,
        ..rate
    };
    let desk = Desk::start_with(|settings| {
        settings.limits.token = three(settings.limits.token);
        settings.limits.register = three(settings.limits.register);
        settings.limits.introspect = three(settings.limits.introspect);
    })
    .await;
    for (path, kind, body) in [
        ("/token", "application/x-www-form-urlencoded", "a=1&a=2"),
        ("/token", "text/plain", "grant_type=x"),
        ("/introspect", "application/x-www-form-urlencoded", ""),
        ("/register", "application/json", "[]"),
        (
            "/register",
            "application/json",
            "{\"redirect_uris\":[\"javascript:1\"]}",
        ),
    ] {
        let address = format!("203.0.113.{}", body.len());
        let headers = [("content-type", kind), ("x-forwarded-for", address.as_str())];
        for _ in 0..3 {
            let answer = desk.send_body(path, &headers, body.to_owned()).await;
            assert!(answer.status.is_client_error(), "{path} {body}");
            assert_ne!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{path} {body}");
        }
        let answer = desk.send_body(path, &headers, body.to_owned()).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{path} {body}");
    }
}
