//! A flood of registrations from many addresses: the clients that nobody uses make room for each other, and for nobody else.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::time::Duration;

use mcp_gateway_auth_server::Limits;
use mcp_gateway_model::{id::ClientId, proxy::TrustedProxies};
use mcp_gateway_store::Store;
use reqwest::{Method, StatusCode};
use serde_json::json;
use url::Url;

use crate::support::{
    desk::{Desk, REDIRECT, Registered},
    login::CHALLENGE,
    set::ECHO,
};

/// How many registrations that nobody uses are kept.
const MOST: u32 = 10;

async fn is_there(desk: &Desk, id: &str) -> bool {
    let id = ClientId::parse(id).unwrap();
    desk.store.client(&id, desk.now()).await.unwrap().is_some()
}

#[actix_web::test]
async fn a_flood_of_registrations_from_many_addresses_is_bounded_in_the_store() {
    let desk = Desk::start_with(|settings| {
        settings.limits = Limits::default();
        settings.trusted_proxies = TrustedProxies::parse("127.0.0.1").unwrap();
        settings.registration.unused_limit = MOST;
    })
    .await;
    let used: Registered = desk.confidential_client().await;
    let (access_token, _) = desk.tokens(&used).await;
    let metadata = json!({ "redirect_uris": [REDIRECT], "client_name": "n".repeat(200) });
    let mut flood = Vec::new();
    for n in 0..60 {
        let address = format!("198.51.{}.{}", n / 250, n % 250);
        let answer = desk
            .send_json(
                Method::POST,
                "/register",
                &[("x-forwarded-for", &address)],
                &metadata,
            )
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        flood.push(answer.member("client_id"));
        desk.advance(1);
    }
    let mut left = Vec::new();
    for (n, id) in flood.iter().enumerate() {
        if is_there(&desk, id).await {
            left.push(n);
        }
    }
    assert_eq!(left, (50..60).collect::<Vec<_>>());
    assert!(is_there(&desk, &used.id).await);
    assert_eq!(desk.introspect(&used, &access_token).await["active"], true);
}

#[actix_web::test]
async fn registrations_that_are_kept_alive_do_not_drive_out_a_new_one() {
    let desk = Desk::start_with(|settings| settings.registration.unused_limit = 3).await;
    desk.advance(600);
    for _ in 0..3 {
        let client = desk.public_client().await;
        let query = [
            ("client_id", client.id.as_str()),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("resource", ECHO),
        ];
        let path = Url::parse_with_params("https://auth.example.com/authorize", query).unwrap();
        let path = format!("{}?{}", path.path(), path.query().unwrap());
        let page = desk
            .send(Method::GET, &path, &[("host", "auth.example.com")])
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let id = ClientId::parse(&client.id).unwrap();
        let kept = desk.store.client(&id, desk.now()).await.unwrap().unwrap();
        assert!(kept.expires_at.unwrap() > desk.now().plus(Duration::from_secs(86_400)));
    }
    desk.advance(5);
    let new = desk.public_client().await;
    assert!(is_there(&desk, &new.id).await);
}
