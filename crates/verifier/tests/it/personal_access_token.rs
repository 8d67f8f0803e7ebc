//! Personal access tokens: a grant like any other, found by its name, opened by its secret.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::{sync::atomic::Ordering, time::Duration};

use actix_web::http::StatusCode;
use mcp_gateway_model::{
    access::{Allow, AllowedUsers},
    clock::Timestamp,
    grant::{Grant, GrantKind},
    id::{ClientId, GrantId},
    resource::{Resource, ResourceUri, Resources, Wildcard},
    scope::{Hierarchy, ScopeSet},
    secret::Secret,
    token::PersonalAccessToken,
};
use mcp_gateway_verifier::{PassToken, Settings};

use crate::{
    signer::Signer,
    stand::{Answer, ECHO, NOW, Stand, about, grant, settings},
};

const OTHER: &str = "https://other.example.com";

/// Two resources that need `read`.
fn resources() -> Vec<Resource> {
    [ECHO, OTHER]
        .map(|uri| {
            Resource::new(ResourceUri::parse(uri).unwrap(), None).governed(
                ScopeSet::parse("read write").unwrap(),
                Some(ScopeSet::parse("read").unwrap()),
                vec![],
                &Hierarchy::flat(),
            )
        })
        .into()
}

fn asking_for_read() -> Settings {
    settings(Resources::new(resources(), vec![], "auth.example.com"))
}

fn stand() -> Stand {
    Stand::with(asking_for_read(), Signer::ed25519())
}

/// A token with these scopes, and its grant as the store has it.
fn made(scopes: &str, audiences: &[&str]) -> (Secret, Grant) {
    let id = GrantId::generate();
    let text = PersonalAccessToken::generate(&id);
    let grant = Grant {
        id,
        client: ClientId::personal_access_token(),
        kind: GrantKind::PersonalAccessToken {
            digest: text.digest(),
            name: "ci".into(),
        },
        audiences: audiences
            .iter()
            .map(|uri| ResourceUri::parse(uri).unwrap())
            .collect(),
        scopes: ScopeSet::parse(scopes).unwrap(),
        ..grant(ECHO)
    };
    (text, grant)
}

async fn answer_to(stand: &Stand, token: &str, url: &str) -> Answer {
    stand
        .ask(about(url).insert_header(("authorization", format!("Bearer {token}"))))
        .await
}

#[actix_web::test]
async fn a_personal_access_token_opens_what_it_was_made_for_and_says_whose_it_is() {
    let stand = stand();
    let (token, grant) = made("read write", &[ECHO]);
    stand.store.put(&grant);
    let answer = stand.verify(token.reveal()).await;
    assert_eq!(answer.status, StatusCode::OK);
    for (name, value) in [
        ("x-user-id", "583231"),
        ("x-user-name", "OctoCat"),
        ("x-auth-client", "personal-access-token"),
        ("x-auth-scope", "read write"),
        ("x-auth-token", ""),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let elsewhere = answer_to(&stand, token.reveal(), OTHER).await;
    assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED);
    assert!(elsewhere.challenge().contains(r#"error="invalid_token""#));
}

#[actix_web::test]
async fn it_may_be_made_for_several_resources_and_for_a_host_below_a_wildcard() {
    let stand = stand();
    let (token, grant) = made("read", &[ECHO, OTHER]);
    stand.store.put(&grant);
    for url in [ECHO, OTHER] {
        let answer = answer_to(&stand, token.reveal(), url).await;
        assert_eq!(answer.status, StatusCode::OK, "{url}");
    }
    let below = Wildcard::parse("https://*.example.com").unwrap();
    let resources = Resources::new(vec![], vec![below], "auth.example.com");
    let needed = resources.at("echo.example.com", "/").unwrap();
    let needed = needed.resource.scopes.to_string();
    let stand = Stand::with(settings(resources), Signer::ed25519());
    let (token, grant) = made(&needed, &[ECHO]);
    stand.store.put(&grant);
    let answer = answer_to(&stand, token.reveal(), "https://echo.example.com/another/path").await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = answer_to(&stand, token.reveal(), OTHER).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn another_secret_or_another_tokens_name_opens_nothing() {
    let stand = stand();
    let (token, grant) = made("read", &[ECHO]);
    let (another, other_grant) = made("read", &[ECHO]);
    stand.store.put(&grant);
    stand.store.put(&other_grant);
    let (own, foreign) = (token.reveal(), another.reveal());
    let swapped = format!("{}{}", &own[..30], &foreign[30..]);
    let guessed = PersonalAccessToken::generate(&grant.id);
    let unknown = PersonalAccessToken::generate(&GrantId::generate());
    for wrong in [&swapped, guessed.reveal(), unknown.reveal()] {
        let answer = stand.verify(wrong).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    assert_eq!(stand.verify(own).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn no_other_grant_is_opened_by_a_personal_access_token() {
    let stand = stand();
    let token = PersonalAccessToken::generate(&stand.grant.id);
    assert_eq!(stand.grant.kind, GrantKind::Consent);
    assert_eq!(
        stand.verify(token.reveal()).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[actix_web::test]
async fn it_ends_when_its_time_has_come_and_when_it_is_revoked() {
    let stand = stand();
    let (token, mut grant) = made("read", &[ECHO]);
    grant.expires_at = Timestamp::from_secs(NOW + 60);
    stand.store.put(&grant);
    stand.clock.advance(Duration::from_secs(59));
    assert_eq!(stand.verify(token.reveal()).await.status, StatusCode::OK);
    stand.clock.advance(Duration::from_secs(1));
    assert_eq!(
        stand.verify(token.reveal()).await.status,
        StatusCode::UNAUTHORIZED
    );
    let (token, grant) = made("read", &[ECHO]);
    stand.store.put(&grant);
    assert_eq!(stand.verify(token.reveal()).await.status, StatusCode::OK);
    stand.store.end(&grant.id);
    assert_eq!(
        stand.verify(token.reveal()).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[actix_web::test]
async fn a_token_without_the_scope_is_told_which_one_is_needed() {
    let stand = stand();
    let (token, grant) = made("write", &[ECHO]);
    let (empty, none) = made("", &[ECHO]);
    stand.store.put(&none);
    stand.store.put(&grant);
    let mut refused = vec![stand.verify(empty.reveal()).await];
    // unless one scope covers the other
    if stand.verify(token.reveal()).await.status != StatusCode::OK {
        refused.push(stand.verify(token.reveal()).await);
    }
    for answer in refused {
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        let challenge = answer.challenge();
        assert!(
            challenge.contains(r#"error="insufficient_scope""#) && challenge.contains(r#"scope="read""#),
            "{challenge}"
        );
    }
}

#[actix_web::test]
async fn the_access_rules_run_on_every_look_at_the_store() {
    let admits = |at_all: &str, here: Option<&str>| {
        let mut settings = asking_for_read();
        let mut configured = resources();
        configured[0].allow = here.map(|list| Allow::users(AllowedUsers::parse(list).unwrap()));
        settings.resources = Resources::new(configured, vec![], "auth.example.com");
        settings.allowed_users = Some(AllowedUsers::parse(at_all).unwrap());
        settings
    };
    for (at_all, here, status) in [
        ("octocat", None, StatusCode::OK),
        ("583231", None, StatusCode::OK),
        ("*", Some("octocat"), StatusCode::OK),
        ("", None, StatusCode::UNAUTHORIZED),
        ("hubot", None, StatusCode::UNAUTHORIZED),
        ("octocat", Some("hubot"), StatusCode::UNAUTHORIZED),
        ("octocat", Some(""), StatusCode::UNAUTHORIZED),
        ("hubot", Some("octocat"), StatusCode::UNAUTHORIZED),
    ] {
        let stand = Stand::with(admits(at_all, here), Signer::ed25519());
        let (token, grant) = made("read", &[ECHO]);
        stand.store.put(&grant);
        let answer = stand.verify(token.reveal()).await;
        assert_eq!(answer.status, status, "{at_all} {here:?}");
    }
}

#[actix_web::test]
async fn a_verifier_that_knows_nobody_takes_no_personal_access_token() {
    let mut settings = asking_for_read();
    settings.allowed_users = None;
    let stand = Stand::with(settings, Signer::ed25519());
    let (token, grant) = made("read", &[ECHO]);
    stand.store.put(&grant);
    let answer = stand.verify(token.reveal()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let codes = stand.registry.gather();
    let counted = codes.iter().any(|family| {
        family.get_metric().iter().any(|metric| {
            let named = metric.get_label().iter().any(|l| l.value() == "users_unknown");
            named && metric.get_counter().get_value() > 0.5
        })
    });
    assert!(counted, "the outcome says why");
}

#[actix_web::test]
async fn what_has_not_the_form_of_a_token_costs_no_look_at_the_store() {
    let stand = stand();
    let (token, grant) = made("read", &[ECHO]);
    stand.store.put(&grant);
    let own = token.reveal();
    for garbage in [
        "mcp_pat_".to_owned(),
        "mcp_pat_x".to_owned(),
        format!("{own}A"),
        own[..own.len() - 1].to_owned(),
        own.replacen('_', "-", 3),
        format!("{}.{}", &own[..40], &own[41..]),
        format!("mcp_pat_{}", "A".repeat(8000)),
    ] {
        let answer = stand.verify(&garbage).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{garbage}");
    }
    assert_eq!(stand.store.grant_reads.load(Ordering::SeqCst), 0);
    assert_eq!(stand.store.key_reads.load(Ordering::SeqCst), 0);
    assert_eq!(stand.verify(own).await.status, StatusCode::OK);
    assert_eq!(stand.store.grant_reads.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn it_works_without_an_authorization_server_and_challenges_name_none() {
    let mut settings = asking_for_read();
    settings.oauth_enabled = false;
    let stand = Stand::with(settings, Signer::ed25519());
    let (token, grant) = made("read", &[ECHO]);
    let (poor, nothing) = made("", &[ECHO]);
    stand.store.put(&grant);
    stand.store.put(&nothing);
    assert_eq!(stand.verify(token.reveal()).await.status, StatusCode::OK);
    let none = stand.ask(about(ECHO)).await;
    let access = stand.verify(&stand.token()).await;
    for answer in [none, access] {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let answer = stand.verify(poor.reveal()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.challenge().contains(r#"scope="read""#));
    assert!(!answer.challenge().contains("resource_metadata"));
}

#[actix_web::test]
async fn the_server_behind_gets_the_token_only_if_the_operator_says_so() {
    let mut settings = asking_for_read();
    settings.pass_token = PassToken::Bearer;
    let stand = Stand::with(settings, Signer::ed25519());
    let (token, grant) = made("read", &[ECHO]);
    stand.store.put(&grant);
    let answer = stand.verify(token.reveal()).await;
    assert_eq!(answer.header("x-auth-token"), Some(token.reveal()));
}

#[actix_web::test]
async fn a_store_that_cannot_be_asked_is_503_and_no_verdict() {
    let stand = stand();
    let (token, grant) = made("read", &[ECHO]);
    stand.store.put(&grant);
    stand.store.fail(true);
    assert_eq!(
        stand.verify(token.reveal()).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
}
