//! Who gets a refresh token: OpenID Connect Core §11, and the setting `REFRESH_TOKENS`.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mcp_gateway_auth_server::RefreshTokens;
use mcp_gateway_model::{clock::Timestamp, id::UserId, scope::ScopeSet};
use mcp_gateway_store::Store;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::desk::{Answer, Desk, REDIRECT, Registered, START};

async fn answer(desk: &Desk, client: &Registered, scopes: &str) -> Answer {
    let code = desk
        .code_with(client, |grant, _| {
            grant.scopes = ScopeSet::parse(scopes).unwrap();
        })
        .await;
    let answer = desk.redeem(client, &code, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer
}

#[actix_web::test]
async fn offline_access_is_listed_and_refresh_tokens_come_without_it() {
    let desk = Desk::start().await;
    let metadata = desk.get("/.well-known/oauth-authorization-server").await.json();
    let scopes = metadata["scopes_supported"].as_array().unwrap();
    assert!(scopes.contains(&json!("offline_access")));
    let client = desk.public_client().await;
    for scopes in ["read", "offline_access read"] {
        let answer = answer(&desk, &client, scopes).await;
        assert!(answer.member("refresh_token").starts_with("mcp_rt_"), "{scopes}");
    }
}

#[actix_web::test]
async fn set_so_only_who_was_granted_offline_access_gets_a_refresh_token() {
    let desk = Desk::start_with(|settings| settings.refresh_tokens = RefreshTokens::OfflineAccess).await;
    let client = desk.public_client().await;
    let without = answer(&desk, &client, "read").await;
    assert_eq!(without.json().get("refresh_token"), None);
    let with = answer(&desk, &client, "offline_access read").await;
    let next = desk.refresh(&client, &with.member("refresh_token"), &[]).await;
    assert!(
        next.member("refresh_token").starts_with("mcp_rt_"),
        "{}",
        next.text
    );
}

#[actix_web::test]
async fn a_grant_without_a_refresh_token_ends_with_its_access_token() {
    let desk = Desk::start_with(|settings| settings.refresh_tokens = RefreshTokens::OfflineAccess).await;
    let client = desk.public_client().await;
    answer(&desk, &client, "read").await;
    let grants = desk.store.grants_of_user(UserId(583_231), desk.now()).await;
    let ends: Vec<_> = grants.unwrap().iter().map(|grant| grant.expires_at).collect();
    assert_eq!(ends, [Timestamp::from_secs(START + 1800)]);
}

#[actix_web::test]
async fn the_grant_types_of_the_client_still_decide() {
    for setting in [RefreshTokens::Always, RefreshTokens::OfflineAccess] {
        let desk = Desk::start_with(|settings| settings.refresh_tokens = setting).await;
        let metadata = json!({
            "redirect_uris": [REDIRECT],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code"],
        });
        let client = desk.register(&metadata).await;
        let answer = answer(&desk, &client, "offline_access read").await;
        assert_eq!(answer.json().get("refresh_token"), None);
    }
}

#[actix_web::test]
async fn who_was_given_a_refresh_token_before_the_setting_keeps_it() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let mut settings = crate::support::set::settings();
    settings.refresh_tokens = RefreshTokens::OfflineAccess;
    let later = Desk::start_on(desk.store.clone(), settings).await;
    let next = later.refresh(&client, &refresh, &[]).await;
    assert!(
        next.member("refresh_token").starts_with("mcp_rt_"),
        "{}",
        next.text
    );
}
