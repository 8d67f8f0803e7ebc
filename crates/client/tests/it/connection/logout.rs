//! The end of a login.

use mcp_gateway_client::connection::Means;
use mcp_gateway_client::identity::Profile;
use serde_json::json;
use url::Url;

use super::memory;
use crate::support::authority::{Authority, State, called};

#[tokio::test]
async fn logging_out_ends_the_tokens_and_then_the_registration() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    let program = authority.keeping(&credentials);
    called(&program).await;
    let out = program.logout().await.unwrap().unwrap();
    assert!(out.revoked.unwrap() && out.unregistered.unwrap());
    let revoked = authority.all("/revoke");
    for (asked, token) in revoked.iter().zip(["rt-1", "at-1"]) {
        assert_eq!(asked.field("token").as_deref(), Some(token));
        assert_eq!(asked.field("client_id").as_deref(), Some("client-1"));
    }
    assert_eq!(revoked.len(), 2);
    let ended = &authority.all("/manage")[0];
    assert_eq!(
        (ended.method.as_str(), ended.header("authorization")),
        ("DELETE", Some("Bearer rat"))
    );
    assert!(credentials.grants().await.unwrap().is_empty());
    assert!(
        credentials
            .identities(&authority.site.url)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(program.logout().await.unwrap().is_none());
}

#[tokio::test]
async fn a_registration_that_another_server_needs_outlives_a_logout() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    let program = authority.keeping(&credentials);
    called(&program).await;
    let mut other = credentials.grants().await.unwrap().remove(0);
    other.server = Url::parse("https://other.example/mcp").unwrap();
    credentials.save_grant(&other).await.unwrap();
    let out = program.logout().await.unwrap().unwrap();
    assert!(!out.unregistered.unwrap());
    assert_eq!(authority.count("/manage"), 0);
    assert!(
        !credentials
            .identities(&authority.site.url)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn logging_out_ends_each_token_at_a_server_that_ends_only_what_it_is_given() {
    let authority = Authority::start(State::default());
    let credentials = memory();
    let program = authority.keeping(&credentials);
    called(&program).await;
    program.logout().await.unwrap().unwrap().revoked.unwrap();
    let state = authority.state.lock().unwrap();
    assert!(state.good.is_empty() && state.refreshable.is_empty());
}

#[tokio::test]
async fn a_server_that_ends_no_access_tokens_has_ended_all_it_can() {
    let authority = Authority::start(State {
        only_refresh_tokens_end: true,
        ..State::default()
    });
    let program = authority.keeping(&memory());
    called(&program).await;
    let out = program.logout().await.unwrap().unwrap();
    assert!(out.revoked.unwrap());
    assert_eq!(authority.count("/revoke"), 2);
}

#[tokio::test]
async fn what_a_server_could_not_be_told_is_kept_for_another_try() {
    let authority = Authority::start(State {
        revocation: Some((503, json!("down"))),
        ..State::default()
    });
    let credentials = memory();
    let program = authority.keeping(&credentials);
    called(&program).await;
    let out = program.logout().await.unwrap().unwrap();
    assert!(out.revoked.is_err() && !out.is_forgotten);
    assert_eq!(authority.count("/manage"), 0);
    authority.set(|state| state.revocation = None);
    let kept = authority
        .connection(Profile::native("Test"), Means::Kept)
        .keep_in(credentials.clone());
    let out = kept.logout().await.unwrap().unwrap();
    assert!(out.revoked.unwrap() && out.unregistered.unwrap() && out.is_forgotten);
    // or it is forgotten here
    called(&program).await;
    program.forget().await.unwrap();
    assert!(credentials.grants().await.unwrap().is_empty());
    assert!(
        credentials
            .identities(&authority.site.url)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(authority.count("/manage"), 1);
}
