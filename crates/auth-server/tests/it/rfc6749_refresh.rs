//! Refresh tokens: <https://www.rfc-editor.org/rfc/rfc6749#section-6>, and their rotation.

use std::time::Duration;

use mcp_gateway_model::{
    id::{Login, UserId},
    key::Algorithm,
    secret::Secret,
};
use mcp_gateway_store::Store;
use reqwest::StatusCode;
use serde_json::json;

use crate::support::{
    desk::Desk,
    set::{ECHO, FILES, octocat, settings},
};

#[actix_web::test]
async fn a_refresh_token_becomes_the_next_one() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let answer = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_ne!(answer.member("access_token"), access);
    assert_ne!(answer.member("refresh_token"), refresh);
    assert_eq!(answer.member("scope"), "read write");
    let next = answer.member("refresh_token");
    assert_eq!(desk.refresh(&client, &next, &[]).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_lost_answer_is_given_again() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let lost = desk.refresh(&client, &refresh, &[]).await;
    desk.advance(119);
    let again = desk.refresh(&client, &refresh, &[]).await;
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.member("refresh_token"), lost.member("refresh_token"));
    assert_ne!(again.member("access_token"), lost.member("access_token"));
}

#[actix_web::test]
async fn several_processes_that_refresh_at_once_all_go_on() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let calls = (0..16).map(|_| desk.refresh(&client, &refresh, &[]));
    let answers = futures_util::future::join_all(calls).await;
    let next = answers[0].member("refresh_token");
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.member("refresh_token"), next);
    }
    assert_eq!(desk.refresh(&client, &next, &[]).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn an_old_refresh_token_that_comes_back_late_ends_the_grant() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (_, first) = desk.tokens(&client).await;
    let second = desk.refresh(&client, &first, &[]).await.member("refresh_token");
    let last = desk.refresh(&client, &second, &[]).await;
    let replay = desk.refresh(&client, &first, &[]).await;
    assert_eq!(replay.error(), "400 invalid_grant");
    let third = last.member("refresh_token");
    assert_eq!(
        desk.refresh(&client, &third, &[]).await.error(),
        "400 invalid_grant"
    );
    let access = last.member("access_token");
    assert_eq!(
        desk.introspect(&client, &access).await,
        json!({ "active": false })
    );
}

#[actix_web::test]
async fn the_token_before_is_a_replay_once_the_grace_is_over() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, first) = desk.tokens(&client).await;
    let second = desk.refresh(&client, &first, &[]).await.member("refresh_token");
    desk.advance(121);
    assert_eq!(
        desk.refresh(&client, &first, &[]).await.error(),
        "400 invalid_grant"
    );
    assert_eq!(
        desk.refresh(&client, &second, &[]).await.error(),
        "400 invalid_grant"
    );
}

#[actix_web::test]
async fn a_refresh_token_is_of_no_use_to_another_client_and_changes_nothing() {
    let desk = Desk::start().await;
    let (owner, other) = (desk.public_client().await, desk.confidential_client().await);
    let (_, first) = desk.tokens(&owner).await;
    let second = desk.refresh(&owner, &first, &[]).await.member("refresh_token");
    desk.advance(300);
    for token in [&first, &second] {
        assert_eq!(
            desk.refresh(&other, token, &[]).await.error(),
            "400 invalid_grant"
        );
    }
    assert_eq!(
        desk.refresh(&owner, &second, &[]).await.status,
        StatusCode::OK,
        "the stranger's replay has not ended the grant"
    );
}

#[actix_web::test]
async fn a_forged_or_foreign_refresh_token_is_merely_unknown() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let forged = refresh.replace(".1.", ".0.");
    for token in [forged.as_str(), "mcp_rt_", "x", &access] {
        assert_eq!(
            desk.refresh(&client, token, &[]).await.error(),
            "400 invalid_grant"
        );
    }
    assert_eq!(desk.refresh(&client, &refresh, &[]).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn scopes_can_be_narrowed_for_one_access_token_and_never_widened() {
    let desk = Desk::start_with(|settings| settings.offers.openid = Some(Algorithm::EdDsa)).await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    for scope in ["read openid", "openid", "\u{e9}"] {
        let answer = desk.refresh(&client, &refresh, &[("scope", Some(scope))]).await;
        assert_eq!(answer.error(), "400 invalid_scope", "{scope}");
    }
    let narrow = desk.refresh(&client, &refresh, &[("scope", Some("read"))]).await;
    assert_eq!(narrow.member("scope"), "read");
    let next = narrow.member("refresh_token");
    assert_eq!(
        desk.refresh(&client, &next, &[]).await.member("scope"),
        "read write"
    );
}

#[actix_web::test]
async fn scopes_that_do_not_exist_are_dropped_at_refresh_as_they_were_at_the_start() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, mut refresh) = desk.tokens(&client).await;
    for (asked, given) in [
        ("read write no-such", "read write"),
        ("read no-such", "read"),
        ("no-such", "read write"),
    ] {
        let answer = desk.refresh(&client, &refresh, &[("scope", Some(asked))]).await;
        assert_eq!(answer.member("scope"), given, "{asked}");
        refresh = answer.member("refresh_token");
    }
}

#[actix_web::test]
async fn a_refresh_for_another_resource_is_refused() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let answer = desk
        .refresh(&client, &refresh, &[("resource", Some(FILES))])
        .await;
    assert_eq!(answer.error(), "400 invalid_target");
    let answer = desk.refresh(&client, &refresh, &[("resource", Some(ECHO))]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_user_whose_login_now_belongs_to_another_is_not_refreshed_and_loses_the_grant() {
    let desk = Desk::start().await;
    let client = desk.confidential_client().await;
    let (access, refresh) = desk.tokens(&client).await;
    let login = Login::parse("octocat").unwrap();
    desk.store.pin(&login, UserId(1)).await.unwrap();
    assert_eq!(
        desk.refresh(&client, &refresh, &[]).await.error(),
        "400 invalid_grant"
    );
    assert_eq!(
        desk.introspect(&client, &access).await,
        json!({ "active": false })
    );
    desk.store.unpin(&login).await.unwrap();
    desk.store.pin(&login, octocat().id).await.unwrap();
    assert_eq!(
        desk.refresh(&client, &refresh, &[]).await.error(),
        "400 invalid_grant"
    );
}

#[actix_web::test]
async fn a_user_who_is_no_longer_listed_is_not_refreshed() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let mut settings = settings();
    settings.allowed_users = mcp_gateway_model::access::AllowedUsers::parse("hubot").unwrap();
    let stricter = Desk::start_on(desk.store.clone(), settings).await;
    assert_eq!(
        stricter.refresh(&client, &refresh, &[]).await.error(),
        "400 invalid_grant"
    );
    assert_eq!(
        desk.refresh(&client, &refresh, &[]).await.error(),
        "400 invalid_grant"
    );
}

#[actix_web::test]
async fn a_refresh_token_that_is_not_used_for_its_lifetime_is_dead() {
    let desk =
        Desk::start_with(|settings| settings.lifetimes.refresh_token = Duration::from_secs(86_400)).await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    desk.advance(86_000);
    let next = desk.refresh(&client, &refresh, &[]).await.member("refresh_token");
    desk.advance(86_000);
    let last = desk.refresh(&client, &next, &[]).await.member("refresh_token");
    assert_ne!(last, "");
    desk.advance(86_400);
    let dead = desk.refresh(&client, &last, &[]).await;
    assert_eq!(dead.error(), "400 invalid_grant");
}

#[actix_web::test]
async fn refresh_tokens_outlive_a_change_of_the_sealing_secret() {
    let desk = Desk::start().await;
    let client = desk.public_client().await;
    let (_, refresh) = desk.tokens(&client).await;
    let secrets = |texts: [&str; 2]| texts.map(|t| Secret::presented(t.repeat(2))).into();
    let mut changed = settings();
    changed.sealing_secrets = secrets(["new-secret-0123456789", "0123456789abcdef"]);
    let restarted = Desk::start_on(desk.store.clone(), changed).await;
    let answer = restarted.refresh(&client, &refresh, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}
