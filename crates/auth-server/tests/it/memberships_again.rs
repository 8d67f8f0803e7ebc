//! Members of organisations and teams who leave: at the next refresh, and in between.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mcp_gateway_auth_server::{
    Rechecked,
    audit::{Event, Line},
};
use mcp_gateway_model::id::RequestId;
use mcp_gateway_sandbox::github::{Endpoint, Fault};
use mcp_gateway_store::Store;
use reqwest::StatusCode;

use crate::support::{
    log::Log,
    login::Site,
    members::{Connected, OCTOCAT, grants, leave, member_of, site},
};

async fn acme() -> Site {
    site("", &["acme"], &[]).await
}

async fn round(site: &Site) -> Rechecked {
    site.auth.recheck_memberships().await.unwrap()
}

const fn done(confirmed: usize, ended: usize, unanswered: usize) -> Rechecked {
    Rechecked {
        confirmed,
        ended,
        unanswered,
    }
}

#[actix_web::test]
async fn who_left_is_not_refreshed_and_loses_the_grant() {
    let site = acme().await;
    let mut octocat = Connected::new(&site).await;
    assert_eq!(octocat.refresh(&site).await.0, StatusCode::OK);
    leave(&site);
    let (status, answer) = octocat.refresh(&site).await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::BAD_REQUEST, &"invalid_grant".into())
    );
    assert_eq!(octocat.now(&site).await, None);
    assert_eq!(site.store.upstream(&octocat.grant.id).await.unwrap(), None);
}

#[actix_web::test]
async fn every_refresh_asks_again_and_notes_the_answer() {
    let site = acme().await;
    let mut octocat = Connected::new(&site).await;
    for _ in 0..2 {
        site.advance(100);
        assert_eq!(octocat.refresh(&site).await.0, StatusCode::OK);
        let known = octocat.now(&site).await.unwrap().memberships.unwrap();
        assert_eq!(known.checked_at, site.now());
    }
    assert_eq!(site.github.calls(Endpoint::Orgs), 3);
}

#[actix_web::test]
async fn who_took_githubs_token_away_is_not_refreshed() {
    let site = acme().await;
    let mut octocat = Connected::new(&site).await;
    site.github.revoke_tokens_of(OCTOCAT);
    let (status, answer) = octocat.refresh(&site).await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::BAD_REQUEST, &"invalid_grant".into())
    );
    assert_eq!(octocat.now(&site).await, None);
}

#[actix_web::test]
async fn a_github_that_does_not_answer_is_forgiven_for_an_hour_and_then_waited_for() {
    let site = acme().await;
    let mut octocat = Connected::new(&site).await;
    for fault in [Fault::Outage(503), Fault::TooManyRequests { retry_after: 9 }] {
        site.github.set_fault_at(Endpoint::Orgs, fault);
        assert_eq!(octocat.refresh(&site).await.0, StatusCode::OK);
    }
    site.advance(900 + 3600 - 1);
    assert_eq!(octocat.refresh(&site).await.0, StatusCode::OK);
    let known = octocat.now(&site).await.unwrap().memberships.unwrap();
    assert_eq!(
        known.checked_at, octocat.grant.created_at,
        "an old answer stays an old one"
    );
    site.advance(1);
    let (status, answer) = octocat.refresh(&site).await;
    assert_eq!(
        (status, &answer["error"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"temporarily_unavailable".into())
    );
    site.github.clear_faults();
    assert_eq!(octocat.refresh(&site).await.0, StatusCode::OK, "nothing was lost");
}

#[actix_web::test]
async fn a_living_access_token_is_asked_about_every_15_minutes() {
    let site = acme().await;
    let octocat = Connected::new(&site).await;
    assert_eq!(round(&site).await, done(0, 0, 0));
    site.advance(899);
    assert_eq!(round(&site).await, done(0, 0, 0));
    site.advance(1);
    assert_eq!(round(&site).await, done(1, 0, 0));
    let known = octocat.now(&site).await.unwrap().memberships.unwrap();
    assert_eq!(known.checked_at, site.now());
    assert_eq!(round(&site).await, done(0, 0, 0));
    // the access token ends after 30 minutes: until it is refreshed there is nothing to ask
    site.advance(900);
    assert_eq!(round(&site).await, done(0, 0, 0));
    assert_eq!(site.github.calls(Endpoint::Orgs), 2);
    assert_eq!(grants(&site).await, 1);
}

#[actix_web::test]
async fn who_left_loses_the_grant_within_15_minutes() {
    let (log, _guard) = Log::listen();
    // the thread that writes the first line decides whether there is a log at all
    Line::new(Event::Administered, &RequestId::generate()).write();
    let site = acme().await;
    let octocat = Connected::new(&site).await;
    leave(&site);
    site.advance(900);
    assert_eq!(round(&site).await, done(0, 1, 0));
    assert_eq!(octocat.now(&site).await, None);
    let mut lines = log.audit();
    lines.retain(|line| line["event"] == "membership_ended");
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["reason"], "not_a_member");
    assert_eq!(lines[0]["login"], "octocat");
}

#[actix_web::test]
async fn a_token_that_was_taken_away_ends_its_grant_within_15_minutes() {
    let site = acme().await;
    let octocat = Connected::new(&site).await;
    site.github.revoke_tokens_of(OCTOCAT);
    site.advance(900);
    assert_eq!(round(&site).await, done(0, 1, 0));
    assert_eq!(octocat.now(&site).await, None);
}

#[actix_web::test]
async fn grants_of_one_person_share_one_answer() {
    let site = acme().await;
    for _ in 0..3 {
        Connected::new(&site).await;
    }
    let before = site.github.calls(Endpoint::Orgs);
    site.advance(900);
    assert_eq!(round(&site).await, done(3, 0, 0));
    assert_eq!(site.github.calls(Endpoint::Orgs), before + 1);
    leave(&site);
    site.advance(900 - 1);
    assert_eq!(grants(&site).await, 3);
    site.advance(1);
    assert_eq!(
        round(&site).await,
        done(0, 0, 0),
        "their access tokens have ended"
    );
}

#[actix_web::test]
async fn of_two_servers_at_once_one_asks() {
    let site = acme().await;
    Connected::new(&site).await;
    let before = site.github.calls(Endpoint::Orgs);
    site.advance(900);
    let (one, other) = tokio::join!(round(&site), round(&site));
    assert_eq!(one.confirmed + other.confirmed, 1);
    assert_eq!(site.github.calls(Endpoint::Orgs), before + 1);
}

#[actix_web::test]
async fn a_github_that_does_not_answer_ends_nothing_and_is_asked_again_a_minute_later() {
    let site = acme().await;
    let mut octocat = Connected::new(&site).await;
    for fault in [
        Fault::Outage(502),
        Fault::RateLimited { retry_after: 60 },
        Fault::Html,
    ] {
        site.github.set_fault_at(Endpoint::Orgs, fault);
        site.advance(900);
        assert_eq!(round(&site).await, done(0, 0, 1));
        assert_eq!(round(&site).await, done(0, 0, 0), "somebody is at it");
        site.github.clear_faults();
        site.advance(60);
        assert_eq!(round(&site).await, done(1, 0, 0));
        assert_eq!(octocat.refresh(&site).await.0, StatusCode::OK);
    }
    assert_eq!(grants(&site).await, 1);
}

#[actix_web::test]
async fn who_joins_another_of_the_organisations_stays() {
    let site = site("", &["acme", "umbrella"], &[]).await;
    let mut octocat = Connected::new(&site).await;
    let changed = site
        .github
        .change_user(OCTOCAT, |user| user.orgs = vec![member_of("Umbrella")]);
    assert!(changed);
    assert_eq!(octocat.refresh(&site).await.0, StatusCode::OK);
    let known = octocat.now(&site).await.unwrap().memberships.unwrap();
    assert_eq!(known.orgs.len(), 1);
}

#[actix_web::test]
async fn without_organisations_there_is_nothing_to_ask_again() {
    assert_eq!(Site::start().await.auth.recheck_interval(), None);
    let every = acme().await.auth.recheck_interval().unwrap();
    assert_eq!(every.as_secs(), 30);
}
