//! Limits that count what a client does, wherever it does it from.

use std::time::Duration;

use mcp_gateway_store::Rate;
use reqwest::{Method, StatusCode};

use crate::support::{
    desk::{Desk, Registered},
    login::{Browser, REDIRECT, Site},
};

fn few() -> Rate {
    Rate {
        count: 1,
        period: Duration::from_secs(60),
        burst: 3,
    }
}

#[actix_web::test]
async fn a_client_that_proves_itself_is_limited_from_all_its_addresses_together_at_each_endpoint() {
    let desk = Desk::start_with(|settings| settings.limits.client = few()).await;
    let (client, other) = (desk.confidential_client().await, desk.confidential_client().await);
    let call = async |client: &Registered, path: &str, address: &str| {
        let form = [
            ("client_id", client.id.as_str()),
            ("client_secret", client.secret.as_deref().unwrap()),
            ("token", "x"),
        ];
        desk.form_with(path, &[("x-forwarded-for", address)], &form).await
    };
    for path in ["/token", "/revoke", "/introspect"] {
        for address in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
            let answer = call(&client, path, address).await;
            assert_ne!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
        }
        let slowed = call(&client, path, "203.0.113.4").await;
        assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
        assert_eq!(slowed.header("retry-after"), "60", "{path}");
        let answer = call(&other, path, "203.0.113.4").await;
        assert_ne!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{path}");
    }
    let bearer = format!("Bearer {}", client.token);
    let path = format!("/register/{}", client.id);
    let read = async || desk.send(Method::GET, &path, &[("authorization", &bearer)]).await;
    for _ in 0..3 {
        assert_eq!(read().await.status, StatusCode::OK);
    }
    assert_eq!(read().await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[actix_web::test]
async fn who_did_not_prove_itself_uses_up_nothing_of_a_clients_limit() {
    let desk = Desk::start_with(|settings| settings.limits.client = few()).await;
    let client = desk.confidential_client().await;
    for _ in 0..5 {
        let answer = desk.refresh(&client, "x", &[("client_secret", None)]).await;
        assert_eq!(answer.error(), "401 invalid_client");
    }
    let answer = desk.refresh(&client, "x", &[]).await;
    assert_eq!(answer.error(), "400 invalid_grant");
}

#[actix_web::test]
async fn strangers_use_up_nothing_of_what_a_public_client_needs_elsewhere() {
    let desk = Desk::start_with(|settings| settings.limits.client = few()).await;
    let client = desk.public_client().await;
    let refresh = async |address: &str| {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
            ("client_id", client.id.as_str()),
        ];
        desk.form_with("/token", &[("x-forwarded-for", address)], &form)
            .await
    };
    for _ in 0..3 {
        assert_eq!(refresh("203.0.113.1").await.error(), "400 invalid_grant");
    }
    assert_eq!(refresh("203.0.113.1").await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refresh("203.0.113.9").await.error(), "400 invalid_grant");
}

#[actix_web::test]
async fn a_bearer_counts_as_its_client() {
    let desk = Desk::start_with(|settings| settings.limits.client = few()).await;
    let client = desk.public_client().await;
    let (access, _) = desk.tokens(&client).await;
    let bearer = format!("Bearer {access}");
    let ask = async || {
        desk.form_with("/introspect", &[("authorization", &bearer)], &[("token", "x")])
            .await
    };
    for _ in 0..3 {
        assert_eq!(ask().await.status, StatusCode::OK);
    }
    assert_eq!(ask().await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[actix_web::test]
async fn a_client_that_asks_people_too_often_has_to_wait_and_others_do_not() {
    let site = Site::start_with(|settings| settings.limits.client = few()).await;
    let (client, other) = (site.client(&[REDIRECT]).await, site.client(&[REDIRECT]).await);
    let (browser, request) = (Browser::new(&site), site.request(&client, &[]));
    for _ in 0..3 {
        let got = browser.get(&request).await;
        assert_eq!(got.status, StatusCode::OK);
    }
    let got = browser.get(&request).await;
    assert_eq!(
        (got.status, got.title(), got.header("retry-after")),
        (StatusCode::TOO_MANY_REQUESTS, "Too many requests", "60")
    );
    let got = browser.get(&site.request(&other, &[])).await;
    assert_eq!(got.status, StatusCode::OK);
    // anybody can name the client: who does uses up nothing of what others need
    let elsewhere = [("x-forwarded-for", "203.0.113.9")];
    let got = browser.get_with(&request, &elsewhere).await;
    assert_eq!(got.status, StatusCode::OK);
}
