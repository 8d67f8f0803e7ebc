//! Tokens that were found good are remembered, and forgotten as soon as anything may have changed.

use std::sync::atomic::Ordering;

use actix_web::http::StatusCode;
use mcp_gateway_model::{
    clock::Clock,
    grant::GrantKind,
    id::{ClientId, GrantId},
    resource::ResourceUri,
    token::PersonalAccessToken,
};
use mcp_gateway_store::{Term, Watch, moment};
use mcp_gateway_verifier::{CacheSettings, PassToken, Settings};
use serde_json::json;

use crate::{
    signer::Signer,
    stand::{Answer, ECHO, Stand, about, configured, settings},
};

const OTHER: &str = "https://other.example.com";

fn stand() -> Stand {
    Stand::remembering(settings(configured()))
}

fn reads(stand: &Stand) -> usize {
    stand.store.grant_reads.load(Ordering::SeqCst)
}

async fn status(stand: &Stand) -> StatusCode {
    stand.verify(&stand.token()).await.status
}

async fn answer_at(stand: &Stand, token: &str, url: &str) -> Answer {
    stand
        .ask(about(url).insert_header(("authorization", format!("Bearer {token}"))))
        .await
}

#[actix_web::test]
async fn a_token_is_looked_up_once_as_long_as_nothing_changes() {
    let stand = stand();
    let first = stand.verify(&stand.token()).await;
    for _ in 0..3 {
        let again = stand.verify(&stand.token()).await;
        assert_eq!(again.status, StatusCode::OK);
        for name in [
            "x-user-id",
            "x-user-name",
            "x-auth-client",
            "x-auth-scope",
            "x-auth-token",
            "cache-control",
        ] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
    }
    assert_eq!(reads(&stand), 1);
}

#[actix_web::test]
async fn a_grant_that_ends_ends_a_remembered_token_on_the_next_request() {
    let stand = stand();
    assert_eq!(status(&stand).await, StatusCode::OK);
    stand.store.end(&stand.grant.id);
    assert_eq!(status(&stand).await, StatusCode::UNAUTHORIZED);
    assert_eq!(reads(&stand), 2);
}

#[actix_web::test]
async fn a_grant_that_ends_after_it_was_read_is_not_remembered() {
    let stand = stand();
    let id = stand.grant.id.clone();
    stand.store.meanwhile(move |store| store.end(&id));
    assert_eq!(status(&stand).await, StatusCode::OK, "it lived when it was read");
    assert_eq!(status(&stand).await, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_flush_after_the_reading_is_not_missed() {
    let stand = stand();
    stand.store.meanwhile(|store| {
        store.watch.as_ref().inspect(|watch| watch.flush());
    });
    assert_eq!(status(&stand).await, StatusCode::OK);
    assert_eq!(status(&stand).await, StatusCode::OK);
    assert_eq!(reads(&stand), 2, "what was read before the flush is not believed");
    assert_eq!(status(&stand).await, StatusCode::OK);
    assert_eq!(reads(&stand), 2);
}

#[actix_web::test]
async fn a_prolonged_grant_is_asked_about_again_and_goes_on() {
    let stand = stand();
    assert_eq!(status(&stand).await, StatusCode::OK);
    for n in 2..5 {
        stand.store.tell(&stand.grant.id);
        assert_eq!(status(&stand).await, StatusCode::OK);
        assert_eq!(status(&stand).await, StatusCode::OK);
        assert_eq!(reads(&stand), n);
    }
    stand.store.tell(&GrantId::generate());
    assert_eq!(status(&stand).await, StatusCode::OK);
    assert_eq!(reads(&stand), 4, "news of another grant");
}

fn leased() -> (Stand, Term) {
    let watch = Watch::new();
    let term = watch.begin();
    let stand = Stand::watching(settings(configured()), Signer::ed25519(), Some(watch));
    renew(&stand, term);
    (stand, term)
}

fn renew(stand: &Stand, term: Term) {
    if let Some(watch) = &stand.store.watch {
        watch.renew(term, moment(&*stand.clock).plus_millis(250));
    }
}

#[actix_web::test]
async fn nothing_is_believed_without_a_lease() {
    let (stand, term) = leased();
    assert_eq!(status(&stand).await, StatusCode::OK);
    assert_eq!(status(&stand).await, StatusCode::OK);
    assert_eq!(reads(&stand), 1);
    stand.clock.advance(std::time::Duration::from_millis(250));
    stand.store.fail(true);
    assert_eq!(status(&stand).await, StatusCode::SERVICE_UNAVAILABLE);
    stand.store.fail(false);
    for _ in 0..2 {
        assert_eq!(status(&stand).await, StatusCode::OK);
    }
    assert_eq!(reads(&stand), 4, "asked on every request");
    renew(&stand, term);
    assert_eq!(status(&stand).await, StatusCode::OK);
    assert_eq!(reads(&stand), 4, "no news came meanwhile");
}

#[actix_web::test]
async fn a_connection_that_was_lost_ends_everything_remembered() {
    let (stand, term) = leased();
    assert_eq!(status(&stand).await, StatusCode::OK);
    let watch = stand.store.watch.clone();
    watch.as_ref().inspect(|watch| watch.lose(term));
    stand.store.fail(true);
    assert_eq!(status(&stand).await, StatusCode::SERVICE_UNAVAILABLE);
    let next = watch.as_ref().map(|watch| watch.begin());
    next.inspect(|term| renew(&stand, *term));
    assert_eq!(
        status(&stand).await,
        StatusCode::SERVICE_UNAVAILABLE,
        "of another connection"
    );
    stand.store.fail(false);
    assert_eq!(status(&stand).await, StatusCode::OK);
    assert_eq!(status(&stand).await, StatusCode::OK);
    assert_eq!(reads(&stand), 4);
}

#[actix_web::test]
async fn a_retired_key_ends_what_it_signed_within_half_a_minute() {
    let stand = stand();
    let token = stand.token_where("exp", json!(stand.clock.now().secs() + 86_000));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    stand.clock.advance(std::time::Duration::from_secs(29));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    assert_eq!(stand.store.key_reads.load(Ordering::SeqCst), 2, "ahead of time");
    stand.clock.advance(std::time::Duration::from_secs(30));
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
    assert_eq!(stand.store.key_reads.load(Ordering::SeqCst), 3, "still published");
    assert_eq!(reads(&stand), 1, "the grant has not changed");
    stand.store.retire_all();
    stand.clock.advance(std::time::Duration::from_secs(30));
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn a_key_that_is_gone_when_others_are_read_ends_what_it_signed_at_once() {
    let stand = stand();
    assert_eq!(status(&stand).await, StatusCode::OK);
    let next = Signer::p256();
    stand.store.retire_all();
    stand.store.publish(next.public());
    stand.clock.advance(std::time::Duration::from_secs(1));
    let of_the_next = next.sign(&next.header(), &stand.claims());
    assert_eq!(stand.verify(&of_the_next).await.status, StatusCode::OK);
    assert_eq!(status(&stand).await, StatusCode::UNAUTHORIZED);
}

/// How many of `presented` tokens are still known after all of them were let through, with these bounds.
async fn known_of(presented: usize, cache: CacheSettings) -> usize {
    let settings = Settings {
        cache,
        ..settings(configured())
    };
    let stand = Stand::remembering(settings);
    let tokens: Vec<_> = (0..presented)
        .map(|n| stand.token_where("jti", json!(n.to_string())))
        .collect();
    for token in &tokens {
        assert_eq!(stand.verify(token).await.status, StatusCode::OK);
    }
    // without the store, only what is known is let through
    stand.store.fail(true);
    let mut known = 0;
    for token in &tokens {
        known += usize::from(stand.verify(token).await.status == StatusCode::OK);
    }
    known
}

#[actix_web::test]
async fn no_more_tokens_are_remembered_than_the_settings_allow() {
    let bounds = |entries, bytes, threads| CacheSettings {
        entries,
        bytes,
        threads,
    };
    assert_eq!(known_of(40, bounds(1000, 1_000_000, 1)).await, 40);
    let known = known_of(40, bounds(20, 1_000_000, 1)).await;
    assert!((10..=20).contains(&known), "{known}");
    let known = known_of(40, bounds(40, 1_000_000, 4)).await;
    assert!((5..=10).contains(&known), "{known}");
    // each takes more than 640 bytes and less than a kilobyte
    let known = known_of(40, bounds(1000, 16_000, 1)).await;
    assert!((12..=25).contains(&known), "{known}");
    assert_eq!(known_of(5, bounds(0, 1_000_000, 1)).await, 0);
    assert_eq!(known_of(5, bounds(1000, 0, 1)).await, 0);
}

#[actix_web::test]
async fn nobody_follows_the_news_where_nothing_is_remembered() {
    let watchers = |entries| {
        let cache = CacheSettings {
            entries,
            ..CacheSettings::default()
        };
        let stand = Stand::remembering(Settings {
            cache,
            ..settings(configured())
        });
        stand.store.watchers.load(Ordering::SeqCst)
    };
    assert_eq!((watchers(0), watchers(10)), (0, 1));
}

#[actix_web::test]
async fn what_was_refused_is_not_remembered() {
    let stand = stand();
    let token = stand.token();
    stand.store.end(&stand.grant.id);
    assert_eq!(stand.verify(&token).await.status, StatusCode::UNAUTHORIZED);
    stand.store.put(&stand.grant);
    assert_eq!(stand.verify(&token).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_token_that_is_remembered_at_one_server_opens_no_other() {
    let stand = stand();
    let token = stand.token();
    for _ in 0..2 {
        assert_eq!(answer_at(&stand, &token, ECHO).await.status, StatusCode::OK);
        let elsewhere = answer_at(&stand, &token, OTHER).await;
        assert_eq!(elsewhere.status, StatusCode::UNAUTHORIZED);
    }
}

#[actix_web::test]
async fn a_personal_access_token_is_remembered_at_each_of_its_servers_and_only_with_its_secret() {
    let stand = stand();
    let id = GrantId::generate();
    let token = PersonalAccessToken::generate(&id);
    let mut grant = mcp_gateway_model::grant::Grant {
        id,
        client: ClientId::personal_access_token(),
        kind: GrantKind::PersonalAccessToken {
            digest: token.digest(),
            name: "ci".into(),
        },
        ..stand.grant.clone()
    };
    grant.audiences = [ECHO, OTHER].map(|uri| ResourceUri::parse(uri).unwrap()).into();
    stand.store.put(&grant);
    for _ in 0..2 {
        for url in [ECHO, OTHER] {
            let answer = answer_at(&stand, token.reveal(), url).await;
            assert_eq!(answer.status, StatusCode::OK, "{url}");
        }
    }
    assert_eq!(reads(&stand), 2);
    let last = if token.reveal().ends_with('A') { "B" } else { "A" };
    let wrong = format!("{}{last}", &token.reveal()[..token.reveal().len() - 1]);
    assert_eq!(
        answer_at(&stand, &wrong, ECHO).await.status,
        StatusCode::UNAUTHORIZED
    );
    stand.store.end(&grant.id);
    for url in [ECHO, OTHER] {
        let answer = answer_at(&stand, token.reveal(), url).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{url}");
    }
}

#[actix_web::test]
async fn a_remembered_token_is_passed_on_only_where_that_is_set() {
    let mut settings = settings(configured());
    settings.pass_token = PassToken::Bearer;
    let stand = Stand::remembering(settings);
    let token = stand.token();
    for _ in 0..2 {
        let answer = stand.verify(&token).await;
        assert_eq!(answer.header("x-auth-token"), Some(token.as_str()));
    }
    assert_eq!(reads(&stand), 1);
}
