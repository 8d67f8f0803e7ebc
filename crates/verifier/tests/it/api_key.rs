//! The one configured key (`MCP_API_KEY`): compared as a whole, good for its resources and scopes only.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::atomic::Ordering;

use actix_web::http::StatusCode;
use mcp_gateway_model::{
    resource::{Resource, ResourceUri, Resources},
    scope::{Hierarchy, ScopeSet},
    secret::Digest,
};
use mcp_gateway_verifier::{ApiKey, Settings};

use crate::{
    signer::Signer,
    stand::{ECHO, Stand, about, settings},
};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "https://other.example.com";

fn with_key(scopes: &str) -> Settings {
    let resources = [ECHO, OTHER].map(|uri| {
        Resource::new(ResourceUri::parse(uri).unwrap(), None).governed(
            ScopeSet::parse("read write").unwrap(),
            Some(ScopeSet::parse("read").unwrap()),
            vec![],
            &Hierarchy::flat(),
        )
    });
    let mut settings = settings(Resources::new(resources.into(), vec![], "auth.example.com"));
    settings.api_key = Some(ApiKey {
        digest: Digest::of(KEY.as_bytes()),
        audiences: vec![ResourceUri::parse(ECHO).unwrap()],
        scopes: ScopeSet::parse(scopes).unwrap(),
    });
    settings
}

#[actix_web::test]
async fn the_key_opens_its_resources_as_the_user_api_key_and_asks_no_store() {
    let stand = Stand::with(with_key("read"), Signer::ed25519());
    let answer = stand.verify(KEY).await;
    assert_eq!(answer.status, StatusCode::OK);
    for name in ["x-user-id", "x-user-name", "x-auth-client"] {
        assert_eq!(answer.header(name), Some("api-key"), "{name}");
    }
    assert_eq!(answer.header("x-auth-scope"), Some("read"));
    assert_eq!(answer.header("x-auth-token"), Some(""));
    let bearer = format!("Bearer {KEY}");
    let elsewhere = stand
        .ask(about(OTHER).insert_header(("authorization", bearer)))
        .await;
    assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stand.store.grant_reads.load(Ordering::SeqCst), 0);
}

#[actix_web::test]
async fn a_part_of_the_key_or_the_key_and_more_opens_nothing() {
    let stand = Stand::with(with_key("read"), Signer::ed25519());
    for wrong in [
        &KEY[..31],
        &KEY[1..],
        &KEY.to_uppercase(),
        &format!("{KEY}0"),
        &format!("{KEY}="),
        &"0".repeat(32),
        &Digest::of(KEY.as_bytes()).to_string(),
    ] {
        let answer = stand.verify(wrong).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    assert_eq!(stand.store.grant_reads.load(Ordering::SeqCst), 0);
}

#[actix_web::test]
async fn the_key_counts_as_a_bearer_token_only() {
    let stand = Stand::with(with_key("read"), Signer::ed25519());
    for (name, value) in [
        ("x-api-key", KEY.to_owned()),
        ("authorization", KEY.to_owned()),
        ("authorization", format!("Basic {KEY}")),
        ("cookie", format!("api_key={KEY}")),
    ] {
        let answer = stand.ask(about(ECHO).insert_header((name, value))).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}");
    }
}

#[actix_web::test]
async fn a_key_without_the_scope_is_refused() {
    let stand = Stand::with(with_key(""), Signer::ed25519());
    let answer = stand.verify(KEY).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.challenge().contains(r#"scope="read""#));
}

#[actix_web::test]
async fn the_key_works_without_an_authorization_server() {
    let mut settings = with_key("read");
    settings.oauth_enabled = false;
    let stand = Stand::with(settings, Signer::ed25519());
    assert_eq!(stand.verify(KEY).await.status, StatusCode::OK);
    assert_eq!(
        stand.verify(&KEY.replace('0', "1")).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[actix_web::test]
async fn without_a_configured_key_none_is_good() {
    let stand = Stand::new();
    assert_eq!(stand.verify(KEY).await.status, StatusCode::UNAUTHORIZED);
}
